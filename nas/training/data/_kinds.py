"""What the cells of a table's column are: numbers, categories, dates, or nothing that a network could learn from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nas.checkpoint import cells_of
from nas.errors import DataError
from nas.training.data._columns import looks_left_over, odd_number, row_number, with_units
from nas.training.data._delimited import is_number
from nas.training.data.checks import whole_numbers_fit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MARKS", "ColumnCells", "read_column"]

# How numbers that are not known are written; in a column of numbers these are missing.
MARKS: Final = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-"})
_FEW_ODD: Final = 0.05  # share of cells of a column of numbers that may be none before it is taken for categories
_MOST_CODES: Final = 20  # different numbers in a column that may be categories all the same
_MOST_TEXTS: Final = 50  # different texts beyond which a column whose rows mostly differ is free text
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?|\d{1,2}\.\d{1,2}\.\d{4}")


@dataclass(frozen=True, slots=True)
class ColumnCells:
    """A column as `RawData.x` has it.

    Attributes:
        kind: number, integer, boolean, category or date.
        values: (rows,) float64, NaN where missing; of categories places in ``levels``, of dates seconds since 1970.
        levels: categories, sorted.
        left_out: why it is no feature; "": it is one.
    """

    kind: str
    values: np.ndarray
    levels: tuple[str, ...] = ()
    left_out: str = ""


def read_column(
    column: pd.Series[Any], name: str, where: str, *, stated: str | None = None, decimal: str = ".", keep: bool = False
) -> ColumnCells:
    """The cells of a column, of the kind that they look like.

    Args:
        stated: number, category or date, where somebody said so.
        decimal: mark of numbers that are text.
        keep: it is a feature whatever it looks like.

    Raises:
        DataError: it is meant to hold numbers or dates, and some cells are none; or it holds neither these nor text.
    """
    if stated is not None:
        return _as_stated(column, name, where, stated, decimal)
    found = _numeric(column, name, where)
    if found is None:
        found = _of_text(column, name, where, decimal, keep=keep)
    if keep or found.left_out:
        return found
    if found.kind == "date":
        why = row_number(found.values)
        return found if why is None or "evenly" not in why else ColumnCells(found.kind, found.values, left_out=why)
    why = looks_left_over(column)
    return found if why is None else ColumnCells(found.kind, found.values, found.levels, why)


def _as_stated(column: pd.Series[Any], name: str, where: str, stated: str, decimal: str) -> ColumnCells:
    if stated == "category":
        return _category(column)
    try:
        values = cells_of(_pointed(column, decimal), stated, name)
    except DataError as error:
        raise DataError(f"{where}: feature {error}; or leave it out: data.drop: [{name}]") from None
    return ColumnCells(stated, values)


def _numeric(column: pd.Series[Any], name: str, where: str) -> ColumnCells | None:
    """A column whose type says what it is; None: it holds text or objects."""
    import pandas as pd

    kind = pd.api.types
    if kind.is_bool_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        return ColumnCells("boolean", column.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind.is_integer_dtype(column):
        whole_numbers_fit(column.dropna().to_numpy(), f"{where}: feature column {name!r}")
        return ColumnCells("integer", column.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind.is_datetime64_any_dtype(column):
        return ColumnCells("date", cells_of(column, "date", name))
    if kind.is_timedelta64_dtype(column):
        return ColumnCells("number", column.dt.total_seconds().to_numpy(dtype=np.float64))
    if kind.is_numeric_dtype(column) and not kind.is_complex_dtype(column):
        return ColumnCells("number", column.to_numpy(dtype=np.float64, na_value=np.nan))
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _category(column)
    return None


def _of_text(column: pd.Series[Any], name: str, where: str, decimal: str, *, keep: bool) -> ColumnCells:
    present = column.dropna()
    if any(isinstance(cell, list | tuple | dict | set | bytes | complex | np.ndarray) for cell in present):
        raise DataError(
            f"{where}: feature column {name!r} holds neither numbers nor text (e.g. {str(present.iloc[0])[:40]!r}); "
            "encode it as numbers or list it under data.drop"
        )
    if len(present) and all(isinstance(cell, bool | np.bool_) for cell in present):
        return ColumnCells("boolean", cells_of(column, "boolean", name))
    texts = [str(cell).strip() for cell in present]
    told = [text for text in texts if text.lower() not in MARKS]
    if not told:
        return ColumnCells("number", np.full(len(column), np.nan), left_out="empty in every row")
    numbers = [is_number(text, decimal) for text in told]
    if all(numbers):
        if any(len(re.sub(r"\D", "", text)) > 18 and "." not in text for text in told):
            raise DataError(
                f"{where}: feature column {name!r} holds whole numbers of more than 18 digits (e.g. {told[0][:40]!r}); "
                "list it under data.drop, or say what it is with data.kinds"
            )
        return ColumnCells("number", cells_of(_pointed(column, decimal), "number", name))
    if all(_DATE.fullmatch(text) for text in told):
        return ColumnCells("date", cells_of(column, "date", name))
    _no_numbers_amiss(column, told, numbers, name, where, decimal)
    found = _category(column)
    distinct = len(found.levels)
    if not keep and distinct > _MOST_TEXTS and distinct > 0.5 * len(told):
        return ColumnCells(
            found.kind, found.values, found.levels, f"text, {distinct:,} different in {len(told):,} rows"
        )
    return found


def _no_numbers_amiss(
    column: pd.Series[Any], told: list[str], numbers: list[bool], name: str, where: str, decimal: str
) -> None:
    """DataError where cells are numbers but for a few, or numbers in a notation that is not read."""
    import pandas as pd

    odd = len(numbers) - sum(numbers)
    distinct = len({text for text, plain in zip(told, numbers, strict=True) if plain})
    say = f"say what it is (data.kinds: {{{name}: category}})"
    if odd <= _FEW_ODD * len(told) and distinct > _MOST_CODES:
        row = next(
            row
            for row, cell in enumerate(column)
            if not pd.isna(cell) and str(cell).strip().lower() not in MARKS and not is_number(str(cell), decimal)
        )
        raise DataError(
            f"{where}: feature column {name!r} holds no numbers in all rows: {str(column.iloc[row])[:40]!r} in row "
            f"{row} (counted from 0; {odd} such cells in all); fill or remove them, {say}, or list the column under "
            "data.drop"
        )
    odd_all = all(plain or odd_number(text) for text, plain in zip(told, numbers, strict=True))
    if odd_all or (len({*told}) > _MOST_CODES and with_units(told)):
        example = next(text for text, plain in zip(told, numbers, strict=True) if not plain)[:40]
        raise DataError(
            f"{where}: feature column {name!r} holds no numbers (e.g. {example!r}); write numbers without thousands "
            f"marks and units (decimal commas: data.decimal), {say}, or list it under data.drop"
        )


def _category(column: pd.Series[Any]) -> ColumnCells:
    texts = cells_of(column, "category", "")
    levels = tuple(sorted({text for text in texts if text is not None}))
    places: Mapping[str | None, float] = {text: float(place) for place, text in enumerate(levels)}
    values = np.array([np.nan if text is None else places[text] for text in texts], dtype=np.float64)
    return ColumnCells("category", values, levels)


def _pointed(column: pd.Series[Any], decimal: str) -> pd.Series[Any]:
    """A column whose numbers, where they are text, have decimal points."""
    if decimal == ".":
        return column
    return column.map(lambda cell: cell.replace(",", ".") if isinstance(cell, str) else cell)
