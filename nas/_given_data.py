"""Data that a caller of `nas.search` holds in memory, as a file of the study that any later command can read again."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.checkpoint import named_once
from nas.errors import DataError
from nas.training.data.checks import unmasked
from nas.training.data.own import as_table, read_npz, with_targets

__all__ = ["GivenData", "data_section"]


class GivenData:
    """Data as somebody gave it: a place to read it from, or something in memory.

    Attributes:
        source: what ``data.source`` is; None where it lies in memory.
        columns: names of the target columns of a table that lies in memory; else empty.
        file: what `write` calls what lies in memory.
    """

    def __init__(self, data: Any, y: Any = None) -> None:
        self.source: str | None = None
        self.columns: tuple[str, ...] = ()
        self._table: Any = None
        self._arrays: dict[str, np.ndarray] = {}
        if isinstance(data, str | os.PathLike):
            if y is not None:
                raise DataError("y is for data in memory; of a file, name the column with target=")
            self.source = os.fspath(data)
            return
        if y is None and isinstance(data, tuple) and len(data) == 2:
            data, y = data
        if y is None and hasattr(data, "__getitem__") and hasattr(data, "__len__") and _is_torch_dataset(data):
            data, y = _stacked(data)
        table = as_table(data)
        if table is not None:
            table = _storable(table.set_axis(named_once([str(name) for name in table.columns])[0], axis=1))
            self._table, self.columns = (table, ()) if y is None else with_targets(table, y)
        elif isinstance(data, Mapping):
            if y is not None:
                raise DataError("a mapping of arrays holds its targets itself, as y or y_train; leave y out")
            self._arrays = {str(name): _array(value, str(name)) for name, value in data.items()}
        elif y is None:
            raise DataError(
                f"of {type(data).__name__} the targets must be given, too: a pair (X, y), or nas.search(X, y)"
            )
        else:
            self._arrays = {"x": _array(data, "X"), "y": _array(y, "y")}

    @property
    def file(self) -> str:
        return "data.npz" if self._table is None else "data.parquet"

    def write(self, folder: Path) -> Path:
        """Write what lies in memory into a new file; returns its path.

        Raises:
            DataError: a column holds values of several types, or objects.
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.file
        if self._table is None:
            np.savez(path, **self._arrays)  # type: ignore[arg-type]
            return path
        try:
            self._table.to_parquet(path, index=not _plain_index(self._table))
        except OSError:
            raise
        except Exception as error:  # pyarrow raises a dozen unrelated types, all of which name the column
            raise DataError(
                f"the table cannot be kept as Parquet ({error}); give each column values of one type"
            ) from (error)
        return path

    def refuse_other(self, folder: Path) -> None:
        """DataError where ``folder`` holds other data than what lies in memory, as `write` wrote it."""
        import pandas as pd

        path = folder / self.file
        try:
            if self._table is not None:
                # As a file gives it back: not every type of a column is one of Parquet's.
                given = io.BytesIO()
                self._table.to_parquet(given, index=not _plain_index(self._table))
                same = pd.read_parquet(path).equals(pd.read_parquet(given))
            else:
                kept = read_npz(path)
                same = {*kept} == {*self._arrays} and all(
                    np.array_equal(kept[name], array) for name, array in self._arrays.items()
                )
        except (OSError, DataError):
            same = False
        if not same:
            raise DataError(
                f"the study in {folder} was begun with other data, so its trials could not be compared; "
                "start another (name=…)"
            )


def data_section(data: GivenData, folder: Path, target: Any = None) -> dict[str, Any]:
    """The data section of a job on such data; what lies in memory is written into ``folder``.

    Args:
        target: what the caller named as target columns.

    Raises:
        DataError: see `GivenData.write`; or the data has targets of its own.
    """
    if target is not None and data.columns:
        raise DataError(
            f"targets are given twice, as y ({', '.join(data.columns)}) and as target={target!r}; leave one out"
        )
    chosen = target if target is not None else data.columns or None
    if chosen is not None and not isinstance(chosen, str):
        names = [str(name) for name in chosen]
        chosen = names[0] if len(names) == 1 else names
    source = data.source if data.source is not None else str(data.write(folder))
    return {"source": source, **({} if chosen is None else {"target": chosen})}


def _storable(table: Any) -> Any:
    """The table with text in place of categories that no file of tables keeps: intervals, as pandas.cut has them,
    periods, durations and things of several types."""
    import pandas as pd

    def foreign(kind: Any) -> bool:
        if not isinstance(kind, pd.CategoricalDtype):
            return False
        of = kind.categories
        return (
            isinstance(of.dtype, pd.IntervalDtype | pd.PeriodDtype)
            or pd.api.types.is_timedelta64_dtype(of)
            or (pd.api.types.is_object_dtype(of) and len({type(each) for each in of}) > 1)
        )

    def texts(column: Any) -> Any:  # still categories: years would be numbers, months dates
        return column.astype(object).map(str, na_action="ignore").astype("category")

    return table.assign(**{name: texts(table[name]) for name, kind in table.dtypes.items() if foreign(kind)})


def _plain_index(table: Any) -> bool:
    import pandas as pd

    return isinstance(table.index, pd.RangeIndex) and table.index.name is None


def _array(value: Any, name: str) -> np.ndarray:
    """An array that npz files hold without objects."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "toarray"):  # sparse, of SciPy: networks read every feature
        value = value.toarray()
    array = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(unmasked(value, name))
    if array.dtype.kind != "O":
        return np.asarray(array)
    kinds = {type(each) for each in array.ravel().tolist()}
    labels = name.startswith("y")  # of which True and 1 would be one, while features are numbers in any case
    if kinds <= ({int, float} if labels else {int, float, bool}) or kinds in ({str}, {bool}):
        return np.array(array.tolist())
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"{name} holds {names}; give numbers, or text, or a table (pandas.DataFrame)")


def _is_torch_dataset(data: Any) -> bool:
    return any(
        f"{kind.__module__}.{kind.__qualname__}" == "torch.utils.data.dataset.Dataset" for kind in type(data).mro()
    )


def _stacked(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """Samples (input, target) of a torch data set, one after the other."""
    samples = [data[place] for place in range(len(data))]
    if not samples or not all(isinstance(sample, tuple | list) and len(sample) == 2 for sample in samples):
        raise DataError("a torch Dataset must give pairs (input, target), at least one")
    inputs, targets = zip(*samples, strict=True)
    return np.stack([_array(each, "an input") for each in inputs]), np.stack([_array(each, "y") for each in targets])
