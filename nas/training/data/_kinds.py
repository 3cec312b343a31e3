"""What the cells of a table's column are: numbers, categories, dates, or nothing that a network could learn from."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nas.checkpoint import CLOCK, MARKS, cells_of, without_numbers
from nas.errors import DataError
from nas.training.data._columns import looks_left_over, row_number
from nas.training.data._delimited import is_number
from nas.training.data._notation import date_notation, like_number, number_notation, unlike_words
from nas.training.data.checks import whole_numbers_fit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ColumnCells", "read_column"]

_FEW_ODD: Final = 0.05  # share of cells of a column of numbers that may be none before it is taken for categories
_MOST_CODES: Final = 20  # different numbers in a column that may be categories all the same
_MOST_TEXTS: Final = 50  # different texts beyond which a column whose rows mostly differ is free text
_MOST_WORDS: Final = 2  # different words in a column of numbers that may all say that one is missing
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?|\d{1,2}\.\d{1,2}\.\d{4}")


@dataclass(frozen=True, slots=True)
class ColumnCells:
    """A column as `RawData.x` has it.

    Attributes:
        kind: number, integer, boolean, category or date.
        values: (rows,) float64, NaN where missing; of categories places in ``levels``, of dates seconds since 1970.
        levels: categories, sorted.
        left_out: why it is no feature; "": it is one.
        notation: of numbers and dates that are text, see `nas.checkpoint.cells_of`.
    """

    kind: str
    values: np.ndarray
    levels: tuple[str, ...] = ()
    left_out: str = ""
    notation: str = ""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a column is to be read: its name, for messages, and what is known of it."""

    name: str
    where: str
    decimal: str  # mark of numbers that are text
    sure: bool  # whether that is known, and not assumed
    missing: tuple[str, ...]  # texts that stand for missing values
    keep: bool

    def cells(self, column: pd.Series[Any], kind: str, notation: str = "") -> np.ndarray:
        usual = "" if self.decimal == "." else "1,5"
        return cells_of(column, kind, self.name, notation or (usual if kind == "number" else ""), self.missing)

    def refused(self, why: str) -> DataError:
        return DataError(f"{self.where}: feature column {self.name!r} {why}")


def read_column(
    column: pd.Series[Any],
    name: str,
    where: str,
    *,
    stated: str | None = None,
    decimal: str | None = None,
    missing: Collection[str] = (),
    keep: bool = False,
) -> ColumnCells:
    """The cells of a column, of the kind that they look like.

    Args:
        stated: number, category or date, perhaps with a notation, where somebody said so.
        decimal: mark of numbers that are text, where it is known.
        missing: texts that stand for missing values.
        keep: it is a feature whatever it looks like.

    Raises:
        DataError: it is meant to hold numbers or dates, and some cells are none; or it holds neither these nor text.
    """
    how = _Reading(name, where, decimal or ".", decimal is not None, tuple(missing), keep)
    if stated is not None:
        return _as_stated(column, stated, how)
    column = without_numbers(column, missing)
    found = _numeric(column, name, where) or _of_text(column, how)
    if keep or found.left_out:
        return found
    if found.kind == "date":
        why = row_number(found.values, dates=True)
        return found if why is None or "evenly" not in why else dataclasses.replace(found, left_out=why)
    numbers = found.kind != "category" and column.dtype.kind not in "biuf"
    why = looks_left_over(_series(found.values) if numbers else column)
    return found if why is None else dataclasses.replace(found, left_out=why)


def _series(values: np.ndarray) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(values)


def _as_stated(column: pd.Series[Any], stated: str, how: _Reading) -> ColumnCells:
    kind, _, notation = stated.partition(" ")
    if kind == "category":
        return _category(column, how.missing)
    try:
        if not notation:
            notation = _notation(column, kind, how)
        return ColumnCells(kind, how.cells(column, kind, notation), notation=notation)
    except DataError as error:
        raise DataError(f"{how.where}: feature {error}; or leave it out: data.drop: [{how.name}]") from None


def _notation(column: pd.Series[Any], kind: str, how: _Reading) -> str:
    """That of a column of text that is known to hold numbers or dates; "": the usual one."""
    import pandas as pd

    if not (pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)):
        return ""
    texts = dict.fromkeys(_told(column, how))
    if kind == "number":
        usual = not texts or all(is_number(text, how.decimal) for text in texts)
        return "" if usual else number_notation(texts, how.decimal if how.sure else None) or ""
    return "" if all(_DATE.fullmatch(text) for text in texts) else date_notation(texts) or ""


def _numeric(column: pd.Series[Any], name: str, where: str) -> ColumnCells | None:
    """A column whose type says what it is; None: it holds text or objects."""
    import pandas as pd

    kind = pd.api.types
    if kind.is_bool_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        return ColumnCells("boolean", column.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind.is_integer_dtype(column):
        whole_numbers_fit(column.dropna().to_numpy(), f"{where}: feature column {name!r}")
        return ColumnCells("integer", column.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind.is_datetime64_any_dtype(column) or isinstance(column.dtype, pd.PeriodDtype):
        return ColumnCells("date", cells_of(column, "date", name))
    if kind.is_timedelta64_dtype(column):
        return ColumnCells("number", column.dt.total_seconds().to_numpy(dtype=np.float64), notation=CLOCK)
    if kind.is_numeric_dtype(column) and not kind.is_complex_dtype(column):
        return ColumnCells("number", column.to_numpy(dtype=np.float64, na_value=np.nan))
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _category(column)
    return None


def _told(column: pd.Series[Any], how: _Reading) -> list[str]:
    """The texts of the cells that say something."""
    missing = {text.strip().lower() for text in how.missing} | MARKS
    texts = [str(cell).strip() for cell in column.dropna()]
    return [text for text in texts if text.lower() not in missing]


def _of_text(column: pd.Series[Any], how: _Reading) -> ColumnCells:
    present = column.dropna()
    if any(isinstance(cell, list | tuple | dict | set | bytes | complex | np.ndarray) for cell in present):
        raise how.refused(
            f"holds neither numbers nor text (e.g. {str(present.iloc[0])[:40]!r}); "
            "encode it as numbers or list it under data.drop"
        )
    if len(present) and all(isinstance(cell, bool | np.bool_) for cell in present):
        return ColumnCells("boolean", cells_of(column, "boolean", how.name))
    told = _told(column, how)
    if not told:
        return ColumnCells("number", np.full(len(column), np.nan), left_out="empty in every row")
    texts = dict.fromkeys(told)
    if all(is_number(text, how.decimal) for text in texts):
        if any(len(re.sub(r"\D", "", text)) > 18 and "." not in text for text in texts):
            raise how.refused(
                f"holds whole numbers of more than 18 digits (e.g. {told[0][:40]!r}); "
                "list it under data.drop, or say what it is with data.kinds"
            )
        return ColumnCells("number", how.cells(column, "number"))
    if all(_DATE.fullmatch(text) for text in texts):
        return ColumnCells("date", how.cells(column, "date"))
    finders: dict[str, Callable[[], str | None]] = {
        "date": lambda: date_notation(texts),
        "number": lambda: number_notation(texts, how.decimal if how.sure else None),
    }
    for kind, finder in finders.items():
        try:
            notation = finder()
        except DataError as error:
            raise DataError(
                f"{how.where}: feature column {how.name!r}: {error} (data.kinds: {{{how.name}: …}})"
            ) from None
        if notation is not None:
            return ColumnCells(kind, how.cells(column, kind, notation), notation=notation)
    _not_amiss(column, told, how)
    found = _category(column, how.missing)
    distinct = len(found.levels)
    if not how.keep and distinct > _MOST_TEXTS and distinct > 0.5 * len(told):
        return dataclasses.replace(found, left_out=f"text, {distinct:,} different in {len(told):,} rows")
    return found


def _not_amiss(column: pd.Series[Any], told: list[str], how: _Reading) -> None:
    """DataError where cells are numbers or dates but for a few, or numbers in several notations."""
    import pandas as pd

    say = f"say what it is (data.kinds: {{{how.name}: category}})"
    tests: dict[str, Callable[[str], object]] = {"numbers": like_number, "dates": _DATE.fullmatch}
    for what, fits in tests.items():
        known = {text: bool(fits(text)) for text in dict.fromkeys(told)}
        odd = [text for text in told if not known[text]]
        few = len(odd) <= _FEW_ODD * len(told) or (2 * len(odd) < len(told) and len({*odd}) <= _MOST_WORDS)
        if odd and few and sum(known.values()) > _MOST_CODES:
            row = next(row for row, cell in enumerate(column) if not pd.isna(cell) and str(cell).strip() == odd[0])
            raise how.refused(
                f"holds no {what} in all rows: {odd[0][:40]!r} in row {row} (counted from 0; {len(odd)} such cells in "
                f"all); if that is how missing ones are written, data.missing: [{odd[0][:40]}]; else fill or remove "
                f"them, {say}, or list the column under data.drop"
            )
    if unlike_words(told):
        raise how.refused(
            f"holds numbers with several units or marks (e.g. {', '.join(map(repr, [*dict.fromkeys(told)][:3]))}); "
            f"write all alike, {say}, or list it under data.drop"
        )


def _category(column: pd.Series[Any], missing: Collection[str] = ()) -> ColumnCells:
    texts = cells_of(column, "category", "", missing=missing)
    levels = tuple(sorted({text for text in texts if text is not None}))
    places: Mapping[str | None, float] = {text: float(place) for place, text in enumerate(levels)}
    values = np.array([np.nan if text is None else places[text] for text in texts], dtype=np.float64)
    return ColumnCells("category", values, levels)
