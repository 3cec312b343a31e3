"""From the columns of a raw table to the inputs of a network: missing values, categories, dates; kept as JSON.

`nas.training` fits it on the training part with scikit-learn's transformers (`fit_encoding`); here it is only applied,
so that whoever has a checkpoint needs neither scikit-learn nor the data. A column becomes

- *number* (also integer and boolean): one input; a missing one is replaced by the median, and where the training part
  had missing ones, a further input is 1 for these;
- *category*: an input for each category that is frequent in the training part, 1 for the rows that have it; one for all
  others, where there are any; missing is a category like any other. Of two categories the second alone has an input;
- *date*: days since 1970, and those of month, weekday and hour that vary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from nas.errors import CheckpointError, DataError

__all__ = ["DATE_PARTS", "KINDS", "MISSING", "EncodedColumn", "Encoding", "cells_of"]

KINDS: Final = ("number", "integer", "boolean", "category", "date")
MISSING: Final = ""  # the category of cells that are missing
# How tables write a number that is not known. Cells that are empty, None, NaN or NaT are missing in every column.
_MARKS: Final = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-"})
_DAY: Final = 86_400.0
DATE_PARTS: Final = ("days", "month", "weekday", "hour")
_VERSION: Final = 1
_TRUE: Final[Mapping[str, float]] = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """What becomes of one column of a table.

    Attributes:
        name: of the column.
        kind: one of `KINDS`.
        fill: what a missing number (seconds since 1970 of a date) is replaced by; None: none was missing in training,
            and none may be.
        flagged: whether a further input says that it was missing.
        levels: categories that have an input each.
        base: the category of two that has none.
        other: whether all further categories have one input together.
        parts: of a date, those of `DATE_PARTS` that are inputs.
    """

    name: str
    kind: str
    fill: float | None = None
    flagged: bool = False
    levels: tuple[str, ...] = ()
    base: str | None = None
    other: bool = False
    parts: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that it becomes."""
        if self.kind == "category":
            levels = tuple(f"{self.name} = {level or '(missing)'}" for level in self.levels)
            return (*levels, f"{self.name} = (other)") if self.other else levels
        plain = tuple(f"{self.name}: {part}" for part in self.parts) if self.kind == "date" else (self.name,)
        return (*plain, f"{self.name} missing") if self.flagged else plain

    @property
    def plain(self) -> bool:
        """Whether it is a number that needs nothing."""
        return self.kind in ("number", "integer", "boolean") and self.fill is None

    def apply(self, cells: np.ndarray) -> np.ndarray:
        """Inputs (rows, inputs) of cells (rows,): text or None of a category, else float64 with NaN where missing.

        Raises:
            DataError: a number is missing although none was in training.
        """
        if self.kind == "category":
            texts = np.array([MISSING if cell is None else cell for cell in cells], dtype=object)
            known = [texts == level for level in self.levels]
            if self.other:
                rest = ~np.logical_or.reduce([*known, texts == self.base if self.base is not None else texts != texts])
                known.append(rest)
            return np.stack(known, axis=1).astype(np.float64) if known else np.zeros((len(cells), 0))
        missing = np.isnan(cells)
        if missing.any() and self.fill is None:
            row = int(np.flatnonzero(missing)[0])
            raise DataError(f"column {self.name!r} is missing in row {row}, but the network has seen it in every row")
        filled = np.where(missing, 0.0 if self.fill is None else self.fill, cells)
        found = [filled] if self.kind != "date" else [_date_part(filled, part) for part in self.parts]
        if self.flagged:
            found.append(missing.astype(np.float64))
        return np.stack(found, axis=1)


@dataclass(frozen=True, slots=True)
class Encoding:
    """What becomes of the columns of a table, in the order of the network's inputs."""

    columns: tuple[EncodedColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the network's inputs."""
        return tuple(name for column in self.columns for name in column.inputs)

    @property
    def plain(self) -> bool:
        """Whether all columns are numbers that are taken as they are."""
        return all(column.plain for column in self.columns)

    def apply(self, cells: Sequence[np.ndarray]) -> np.ndarray:
        """Inputs (rows, inputs) float64, of the cells of each column; see `EncodedColumn.apply`."""
        return np.concatenate([column.apply(given) for column, given in zip(self.columns, cells, strict=True)], axis=1)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `from_json`."""
        return {"version": _VERSION, "columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, values: object) -> Encoding | None:
        """What `to_json` gave; None where there is none.

        Raises:
            CheckpointError: it is of a newer version, or damaged.
        """
        if values is None:
            return None
        if not isinstance(values, Mapping) or values.get("version") != _VERSION:
            found = values.get("version") if isinstance(values, Mapping) else values
            raise CheckpointError(f"the record's encoding has version {found!r}, this package reads {_VERSION}")
        columns = values.get("columns")
        if not isinstance(columns, list) or not columns:
            raise CheckpointError("the record's encoding must list columns, at least one")
        return cls(tuple(_column_of(each) for each in columns))


def cells_of(column: Any, kind: str, name: str) -> np.ndarray:
    """The cells of a column of a pandas table as `EncodedColumn.apply` wants them.

    Raises:
        DataError: a cell is no number or no date; the message says which.
    """
    if kind == "category":
        return np.array([_text(cell) for cell in column], dtype=object)
    if kind == "date":
        return _dates(column, name)
    if getattr(column.dtype, "kind", "O") in "biuf" and not hasattr(column.dtype, "na_value"):
        return np.asarray(column.to_numpy(), dtype=np.float64)
    found = np.empty(len(column))
    for row, cell in enumerate(column):
        found[row] = _number(cell, row, name)
    return found


def _number(cell: Any, row: int, name: str) -> float:
    if _is_missing(cell):
        return float("nan")
    if isinstance(cell, int | float | np.number | np.bool_):
        return float(cell)
    text = str(cell).strip()
    if text.lower() in _MARKS:
        return float("nan")
    if text.lower() in _TRUE:
        return _TRUE[text.lower()]
    try:
        if "_" in text:
            raise ValueError
        return float(text)
    except ValueError:
        raise DataError(
            f"column {name!r} must hold numbers, but has {text[:40]!r} in row {row}; write them as in the training data"
        ) from None


def _text(cell: Any) -> str | None:
    """A cell of a category as text; None: it is missing."""
    if _is_missing(cell):
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer():  # whole numbers, where some are missing
        return str(int(cell))
    return str(cell).strip() or None


def _is_missing(cell: Any) -> bool:
    # None, NaN and NaT, and what pandas has for missing values, none of which equals itself for certain
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or bool(cell != cell)


def _dates(column: Any, name: str) -> np.ndarray:
    """Seconds since 1970, in UTC where a zone is said."""
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(column):
        texts = column.map(_text)
        read = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
        rest = read.isna() & texts.notna()
        if rest.any():
            read = read.where(~rest, pd.to_datetime(texts.where(rest), errors="coerce", format="%d.%m.%Y", utc=True))
        odd = (read.isna() & texts.notna()).to_numpy()
        if odd.any():
            row = int(np.flatnonzero(odd)[0])
            found = str(column.iloc[row])[:40]
            raise DataError(f"column {name!r} must hold dates such as 2024-03-01, but has {found!r} in row {row}")
        column = read
    values = pd.DatetimeIndex(column)
    values = values.tz_convert("UTC").tz_localize(None) if values.tz is not None else values
    seconds = values.to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6
    return np.where(values.isna(), np.nan, seconds)


def _date_part(seconds: np.ndarray, part: str) -> np.ndarray:
    days = np.floor(seconds / _DAY)
    match part:
        case "days":
            return seconds / _DAY
        case "month":
            months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
            return (months % 12 + 1).astype(np.float64)
        case "weekday":
            return (days + 3) % 7  # 1 January 1970 was a Thursday; Monday is 0
        case _:
            return np.floor((seconds - days * _DAY) / 3600)


def _column_of(values: object) -> EncodedColumn:
    if not isinstance(values, Mapping):
        raise CheckpointError("a column of the record's encoding must be a mapping")
    try:
        kind, fill, base = values["kind"], values["fill"], values["base"]
        column = EncodedColumn(
            str(values["name"]),
            str(kind),
            None if fill is None else float(fill),
            values["flagged"] is True,
            tuple(str(level) for level in values["levels"]),
            None if base is None else str(base),
            values["other"] is True,
            tuple(str(part) for part in values["parts"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"a column of the record's encoding is damaged: {error!r}") from None
    bad = column.kind not in KINDS or not {*column.parts} <= {*DATE_PARTS}
    if bad or (column.fill is not None and not np.isfinite(column.fill)) or not column.inputs:
        raise CheckpointError(f"column {column.name!r} of the record's encoding is damaged")
    return column
