"""What is a table: pandas', those of other libraries, and what `pandas.DataFrame` makes one of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["as_table"]


def as_table(data: Any) -> Any:
    """Data as a pandas table; None where it is none.

    Tables are those of pandas, polars and pyarrow, structured arrays, lists of records (a mapping a row), and mappings
    of columns: sequences of one length, with a value a row.
    """
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        sparse = {name: kind.subtype for name, kind in data.dtypes.items() if hasattr(kind, "fill_value")}
        return data.astype(sparse) if sparse else data
    if hasattr(data, "to_pandas") and hasattr(data, "columns"):
        return data.to_pandas()
    records = isinstance(data, list | tuple) and len(data) > 0 and all(isinstance(row, Mapping) for row in data)
    columns = {name: _column(values) for name, values in data.items()} if isinstance(data, Mapping) else {}
    lengths = {None if values is None else len(values) for values in columns.values()}
    if not (
        records or getattr(getattr(data, "dtype", None), "names", None) or (len(lengths) == 1 and None not in lengths)
    ):
        return None
    import pandas as pd

    return pd.DataFrame(list(data) if records else columns or data)


def _column(values: Any) -> Any:
    """Values of one axis as pandas takes them; None where they have more axes, or none."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    shape = getattr(values, "shape", None)
    if shape is not None:
        return values if len(shape) == 1 else None
    if not isinstance(values, list | tuple | range):
        return None
    inner = (list, tuple, Mapping, np.ndarray)
    axes = any(isinstance(each, inner) or (hasattr(each, "shape") and each.shape) for each in values)
    return None if axes else values
