"""Which columns of a table are features: those that are no accident of how the table was saved.

A saved row number separates the classes of a table that is sorted by class, on pure noise. What is left out is

- constant, or empty in every row;
- whole numbers, all different, that rise or fall from row to row, or that would repeat if they were measured:
  n draws from R values are all different with probability about exp(-n²/2R) at most (the birthday problem), so where
  n²/2R > 10 they were counted, in whatever order the rows are now. Ids, row numbers, rows left of a larger table;
- numbers that are evenly spaced once sorted, all different: times and scaled row numbers;
- text that differs in every row: names and ids.

Measurements with decimals are different in every row, too, and stay. `data.keep` overrides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["looks_left_over", "row_number"]

_FEWEST_ROWS: Final = 10  # below, everything is different and rising by chance
_SURPRISE: Final = 10.0  # n²/2R: below exp(-10) = 0.005 % by chance
_EVEN: Final = 1e-6  # of the step, how far evenly spaced numbers may be off
_EXACT: Final = 2**53  # whole numbers up to it are exact as float64


def looks_left_over(column: pd.Series[Any]) -> str | None:
    """Why a column is no feature, in a few words; None: it is one."""
    import pandas as pd

    present = column.dropna()
    if not len(present):
        return "empty in every row"
    kind = pd.api.types
    numeric = kind.is_numeric_dtype(column) and not kind.is_complex_dtype(column)
    try:
        distinct = present.nunique()
    except TypeError:  # lists and the like; refused as no numbers
        return None
    if distinct == 1 and len(present) == len(column):
        return f"{str(present.iloc[0])[:40]!r} in every row"
    if len(column) < _FEWEST_ROWS or distinct < len(column) or kind.is_bool_dtype(column):
        return None
    if numeric:
        return row_number(column.to_numpy(dtype=np.float64))
    return "text or dates that differ in every row"


def row_number(values: np.ndarray, *, dates: bool = False) -> str | None:
    """Why numbers (rows,) that are all different look like row numbers, ids or times; None: they do not.

    Row numbers as whole floats and in any order count.

    Args:
        dates: they are seconds since 1970, and shown as dates.
    """
    if len(values) < _FEWEST_ROWS or not np.isfinite(values).all():
        return None
    ordered = np.sort(values)
    steps = np.diff(ordered)
    if not steps.min() > 0:
        return None
    whole = bool((values == np.round(values)).all()) and float(np.abs(values).max()) <= _EXACT
    low, high = (_moment(end) if dates else _short(end) for end in (ordered[0], ordered[-1]))
    if steps.max() - steps.min() <= _EVEN * steps.max():
        sorted_already = "" if (values == ordered).all() or (values == ordered[::-1]).all() else ", mixed"
        return f"evenly spaced from {low} to {high}{sorted_already}, as row numbers and times are"
    if not whole:
        return None
    if len(values) ** 2 / (2 * (ordered[-1] - ordered[0] + 1)) > _SURPRISE:
        return f"whole numbers from {low} to {high}, none of them twice, as row numbers and ids are"
    if (np.diff(values) > 0).all() or (np.diff(values) < 0).all():
        return f"whole numbers from {low} to {high} that {'rise' if values[0] < values[-1] else 'fall'} row by row"
    return None


def _short(value: np.floating[Any]) -> str:
    return f"{int(value)}" if value == np.round(value) else f"{value:.6g}"


def _moment(seconds: np.floating[Any]) -> str:
    """A moment as ISO 8601 has it, without a time of day that is midnight."""
    text = str(np.datetime64(round(seconds), "s")).replace("T", " ")
    return text.removesuffix(" 00:00:00")
