"""From the columns of a raw table to the inputs of a network: missing values, categories, dates; kept as JSON.

`nas.training` fits it on the training part with scikit-learn's transformers (`fit_encoding`); here it is only applied,
so that whoever has a checkpoint needs neither scikit-learn nor the data. A column becomes

- *number* (also integer and boolean): one input; a missing one is replaced by the median, and where the training part
  had missing ones, a further input is 1 for these; between each two neighbours of its knots, if it has any, a ramp from
  0 to 1 (the piecewise linear encoding of Gorishniy et al. 2022, "On embeddings for numerical features in tabular deep
  learning", with flat ends);
- *category*: an input for each category that is frequent in the training part, 1 for the rows that have it; one for all
  others, where there are any; missing is a category like any other. Of two categories the second alone has an input;
- *date*: days since 1970, and those of month, weekday and hour that vary.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from nas.checkpoint._cells import WHOLE, notation_of
from nas.errors import CheckpointError, DataError

__all__ = ["DATE_PARTS", "KINDS", "MISSING", "EncodedColumn", "Encoding", "date_part"]

KINDS: Final = ("number", "integer", "boolean", "category", "date")
MISSING: Final = ""  # the category of cells that are missing
_DAY: Final = 86_400.0
DATE_PARTS: Final = ("days", "month", "weekday", "hour")
_VERSION: Final = 1
_WITH_KNOTS: Final = 2  # the version of an encoding that has any: earlier programs would leave inputs out


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
        notation: how numbers or dates are written that are text, see `nas.checkpoint.cells_of`; "": as usual.
        knots: of a number, ascending: the ends of its ramps.
    """

    name: str
    kind: str
    fill: float | None = None
    flagged: bool = False
    levels: tuple[str, ...] = ()
    base: str | None = None
    other: bool = False
    parts: tuple[str, ...] = ()
    notation: str = ""
    knots: tuple[float, ...] = ()

    @property
    def stated(self) -> str:
        """Its kind and notation as `data.kinds` of a job has them."""
        kind = "number" if self.kind in ("integer", "boolean") else self.kind
        return f"{kind} {self.notation}".rstrip()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that it becomes."""
        if self.kind == "category":
            levels = tuple(f"{self.name} = {level or '(missing)'}" for level in self.levels)
            return (*levels, f"{self.name} = (other)") if self.other else levels
        plain = tuple(f"{self.name}: {part}" for part in self.parts) if self.kind == "date" else (self.name,)
        ramps = (f"{self.name} {low:.6g} to {high:.6g}" for low, high in self.ramps)
        return (*plain, *((f"{self.name} missing",) if self.flagged else ()), *ramps)

    @property
    def ramps(self) -> tuple[tuple[float, float], ...]:
        """Where each of its ramps begins and ends."""
        return tuple(itertools.pairwise(self.knots))

    @property
    def categories(self) -> tuple[str, ...]:
        """Those that it knows, in the order of their codes where categories are numbers; every other is the next."""
        return (*self.levels, *(() if self.base is None else (self.base,)))

    @property
    def plain(self) -> bool:
        """Whether it is a number that needs nothing."""
        return (
            self.kind in ("number", "integer", "boolean") and self.fill is None and not self.notation and not self.knots
        )

    def spelt(self, cells: np.ndarray) -> np.ndarray:
        """Cells (rows,) of a category as its categories are spelt; a missing one is `MISSING`.

        13.0 is 13 where that is a category, and the other way round: so tables write whole numbers beside missing ones.
        """
        known = {*self.categories}

        def text(cell: str | None) -> str:
            given = MISSING if cell is None else cell
            if given in known or not WHOLE.fullmatch(given):
                return given
            plain = given.removesuffix(".0")
            return next((each for each in (plain, f"{plain}.0") if each in known), given)

        return np.array([text(cell) for cell in cells], dtype=object)

    def apply(self, cells: np.ndarray) -> np.ndarray:
        """Inputs (rows, inputs) of cells (rows,): text or None of a category, else float64 with NaN where missing.

        Raises:
            DataError: a number is missing although none was in training.
        """
        if self.kind == "category":
            texts = self.spelt(cells)
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
        found = (
            [filled] if self.kind != "date" else [date_part(filled, part, np.floor, np.where) for part in self.parts]
        )
        if self.flagged:
            found.append(missing.astype(np.float64))
        found += [np.clip((filled - low) / (high - low), 0.0, 1.0) for low, high in self.ramps]
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
        version = _WITH_KNOTS if any(column.knots for column in self.columns) else _VERSION
        columns = [asdict(column) for column in self.columns]
        for column in columns:
            if not column["knots"]:
                del column["knots"]  # as earlier programs wrote it
        return {"version": version, "columns": columns}

    @classmethod
    def from_json(cls, values: object) -> Encoding | None:
        """What `to_json` gave; None where there is none.

        Raises:
            CheckpointError: it is of a newer version, or damaged.
        """
        if values is None:
            return None
        if not isinstance(values, Mapping) or values.get("version") not in (_VERSION, _WITH_KNOTS):
            found = values.get("version") if isinstance(values, Mapping) else values
            raise CheckpointError(
                f"the record's encoding has version {found!r}, this package reads {_VERSION} and {_WITH_KNOTS}"
            )
        columns = values.get("columns")
        if not isinstance(columns, list) or not columns:
            raise CheckpointError("the record's encoding must list columns, at least one")
        return cls(tuple(_column_of(each) for each in columns))


def date_part(seconds: Any, part: str, floor: Callable[[Any], Any], choose: Callable[[Any, float, float], Any]) -> Any:
    """One of `DATE_PARTS` of seconds since 1970, by whatever does arithmetic: numpy, torch, or nodes of a graph.

    The month is found in whole numbers that float64 holds exactly: years begin in March here, so that the leap day is
    the last, and repeat every 146,097 days (Hinnant 2013, "chrono-compatible low-level date algorithms",
    `civil_from_days`).
    """
    if part == "days":
        return seconds / _DAY
    days = floor(seconds / _DAY)
    if part == "hour":
        return floor((seconds - days * _DAY) / 3600.0)
    if part == "weekday":  # 1 January 1970 was a Thursday; Monday is 0
        shifted = days + 3.0
        return shifted - floor(shifted / 7.0) * 7.0
    since = days + 719_468.0
    of_era = since - floor(since / 146_097.0) * 146_097.0
    leap = of_era - floor(of_era / 1_460.0) + floor(of_era / 36_524.0) - floor(of_era / 146_096.0)
    year = floor(leap / 365.0)
    of_year = of_era - (year * 365.0 + floor(year / 4.0) - floor(year / 100.0))
    month = floor((of_year * 5.0 + 2.0) / 153.0)  # 0 is March
    return month + choose(month < 10.0, 3.0, -9.0)


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
            notation_of(str(values["kind"]), str(values.get("notation") or "")),
            tuple(float(knot) for knot in values.get("knots") or ()),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"a column of the record's encoding is damaged: {error!r}") from None
    bad = column.kind not in KINDS or not {*column.parts} <= {*DATE_PARTS}
    ascending = all(low < high for low, high in column.ramps) and np.isfinite(column.knots).all()
    bad = bad or not ascending or (bool(column.knots) and (column.kind in ("category", "date") or not column.ramps))
    if bad or (column.fill is not None and not np.isfinite(column.fill)) or not column.inputs:
        raise CheckpointError(f"column {column.name!r} of the record's encoding is damaged")
    return column
