"""Cells of a table's columns as numbers, texts and dates, in the notation that their column has.

How a column is written is part of its kind: ``number 1.234,56 €`` shows a number of it, ``date %d/%m/%Y`` says it as
`time.strptime` does, ``number h:m:s`` are durations and times of day, which become seconds. Without a notation numbers
are written as Python writes them and dates as ISO 8601 does, or with points (31.12.2024). A job says it so, and a
record keeps it so.
"""

from __future__ import annotations

import collections
import datetime
import functools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from nas._text import is_number
from nas.errors import DataError

__all__ = [
    "CLOCK",
    "MARKS",
    "WHOLE",
    "Notation",
    "cells_of",
    "clock_seconds",
    "named_once",
    "notation_of",
    "without_numbers",
]

# How tables write a value that is not known. Cells that are empty, None, NaN or NaT are missing in every column.
_WORDS: Final = """
na n/a n.a n.a. #n/a <na> nan nat null (null) none \\n ? - -- --- – — . .. ... unknown missing
#value! #div/0! #num! #ref! #name? #null!
"""
MARKS: Final = frozenset({"", *_WORDS.split()})
CLOCK: Final = "h:m:s"
WHOLE: Final = re.compile(r"-?(0|[1-9]\d*)(\.0)?")
"""A whole number as a table writes it, or as it writes one in a column of which some are missing."""
_TRUE: Final = {"true": 1.0, "false": 0.0}
_BLANKS: Final = " \u00a0\u2009\u202f"
_TICKS: Final = "'’"
_SHOWN: Final = re.compile(
    r"(?P<before>[^\d.,+-]*)1(?:(?P<thousands>[.,'’ \u00a0\u2009\u202f_])234)?(?:(?P<decimal>[.,])5\d*)?(?P<after>\D*)"
)
_CLOCK: Final = re.compile(
    r"(?:(?P<days>-?\d+) days?,? \+?)?(?P<minus>-?)"
    r"(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?"
)


@dataclass(frozen=True, slots=True)
class Notation:
    """How the numbers of a column are written.

    Attributes:
        decimal: "." or ",".
        thousands: mark between groups of three digits; "": none.
        before, after: what stands beside them: €, %, kg.
    """

    decimal: str = "."
    thousands: str = ""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}1{self.thousands}{'234' if self.thousands else ''}{self.decimal}5{self.after}"

    @classmethod
    def of(cls, shown: str) -> Notation:
        """The notation of which ``shown`` is an example: 1234.5, 1.234,5 or 1,5 with a unit.

        Raises:
            ValueError: it is none.
        """
        match = _SHOWN.fullmatch(shown)
        decimal, thousands = (match["decimal"] or "", match["thousands"] or "") if match else ("", "")
        if match is None or (decimal and decimal == thousands):
            raise ValueError(f"expected the number 1234.5 as the column writes it, e.g. '1.234,5 €', but got {shown!r}")
        return cls(decimal or ("," if thousands == "." else "."), thousands, match["before"], match["after"])

    def read(self, text: str) -> float | None:
        """The number that a text is; None: it is none in this notation."""
        match = _pattern(self).fullmatch(text)
        if match is None:
            return None
        digits = re.sub(rf"[^\d{re.escape(self.decimal)}eE+-]", "", match["digits"]).replace(self.decimal, ".")
        value = float(digits)
        return -value if match["sign"] in ("-", "−", "(") or match["inner"] in ("-", "−") else value


@functools.lru_cache(maxsize=1024)
def _pattern(notation: Notation) -> re.Pattern[str]:
    mark = notation.thousands
    group = f"[{_BLANKS}]" if mark in _BLANKS else f"[{_TICKS}]" if mark in _TICKS else re.escape(mark)
    decimal = re.escape(notation.decimal)
    whole = rf"\d{{1,3}}(?:{group}\d{{3}})+|\d+" if mark else r"\d+"
    # 12 and 12 % may be the same or not, 12 and 12 € hardly differ
    needed = "" if notation.after.strip() in ("%", "‰") else "?"
    before, after = (
        f"(?:{re.escape(each.strip())}){needed}" if each.strip() else "" for each in (notation.before, notation.after)
    )
    return re.compile(
        rf"\s*(?P<sign>[-+−(]?)\s*{before}\s*(?P<inner>[-+−]?)\s*"
        rf"(?P<digits>(?:{whole})(?:{decimal}\d*)?(?:[eE][+-]?\d+)?|{decimal}\d+)\s*{after}\s*(?(sign)\)?)\s*"
    )


@functools.lru_cache(maxsize=1024)
def _notation(shown: str) -> Notation:
    """`Notation.of`, which need not be worked out again for every cell."""
    return Notation.of(shown)


def without_numbers(column: Any, missing: Collection[str]) -> Any:
    """A column without the numbers that stand for missing values, such as -999; as it is where it holds no numbers."""
    numbers = [float(text) for text in missing if is_number(text)]
    if not numbers or getattr(column.dtype, "kind", "") not in "iuf":
        return column
    return column.mask(column.isin(numbers))


def cells_of(column: Any, kind: str, name: str, notation: str = "", missing: Collection[str] = ()) -> np.ndarray:
    """The cells of a column of a pandas table as `EncodedColumn.apply` wants them.

    Args:
        kind: number, integer, boolean, category or date.
        name: of the column, for messages.
        notation: how numbers or dates are written that are text; "": as usual.
        missing: further texts that stand for missing values.

    Raises:
        DataError: a cell is no number or no date; the message says which.
    """
    marks = MARKS if not missing else MARKS | {text.strip().lower() for text in missing}
    if kind == "category":
        gone = {text.strip() for text in missing}
        texts = [None if (text := _text(cell)) in gone else text for cell in column]
        told = {text for text in texts if text is not None}
        if any(text.endswith(".0") for text in told) and all(map(WHOLE.fullmatch, told)):
            texts = [text and text.removesuffix(".0") for text in texts]
        return np.array(texts, dtype=object)
    if kind == "date":
        return _dates(column, name, notation, marks)
    column = without_numbers(column, missing)
    dtype = getattr(column.dtype, "kind", "O")
    if dtype in "biuf" and not hasattr(column.dtype, "na_value"):
        return np.asarray(column.to_numpy(), dtype=np.float64)
    if dtype == "m":
        return np.asarray(column.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan))
    known: dict[Any, float] = {}  # of columns of text most cells are there more than once
    found = np.empty(len(column))
    for row, cell in enumerate(column):
        plain = isinstance(cell, str)
        if plain and cell in known:
            found[row] = known[cell]
            continue
        value = _number(cell, notation, marks)
        if value is None:
            wanted = "true or false" if kind == "boolean" else "numbers"
            such = "" if kind == "boolean" else f"; write them such as {notation or '1234.5'!r}"
            raise DataError(
                f"column {name!r} must hold {wanted}, but has {str(cell).strip()[:40]!r} in row {row}{such}"
            )
        found[row] = value
        if plain:
            known[cell] = value
    return found


def named_once(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of a table's columns, each once, and those that are new: ``a, a`` are ``a, a.1``, as pandas reads them of a
    file, so that a table is the same wherever it comes from.
    """
    given = {*names}
    once, renamed, times = [], [], collections.Counter[str]()
    for name in names:
        found = name
        while times[name] and found in given:
            found = f"{name}.{times[name]}"
            times[name] += 1
        if found == name:
            times[name] += 1
        else:
            given.add(found)
            renamed.append(found)
        once.append(found)
    return once, renamed


def notation_of(kind: str, notation: str) -> str:
    """A notation that a column of this kind may have.

    Raises:
        ValueError: it is none.
    """
    if not notation or (notation == CLOCK and kind == "number"):
        return notation
    if kind == "number":
        Notation.of(notation)
    elif kind != "date" or "%" not in notation:
        raise ValueError(f"a {kind} has no notation {notation!r}; numbers and dates have, e.g. date %d/%m/%Y")
    return notation


def clock_seconds(text: str) -> float | None:
    """Seconds of a duration or a time of day such as 07:30, 12:03:04.5 and 1 days 02:03:04; None: it is none."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = (float(match[part] or 0) for part in ("hours", "minutes", "seconds"))
    within = 3600 * hours + 60 * minutes + seconds
    return 86_400 * float(match["days"] or 0) + (-within if match["minus"] else within)


def _number(cell: Any, notation: str, marks: Collection[str]) -> float | None:
    """A cell as a number, NaN where it is missing; None: it is none."""
    if _is_missing(cell):
        return float("nan")
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    if isinstance(cell, int | float | np.number | np.bool_):
        return float(cell)
    text = str(cell).strip()
    if text.lower() in marks:
        return float("nan")
    if text.lower() in _TRUE:
        return _TRUE[text.lower()]
    return _as_written(text, notation)


def _as_written(text: str, notation: str) -> float | None:
    if notation == CLOCK:
        return clock_seconds(text)
    if notation:
        return _notation(notation).read(text)
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


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


def _dates(column: Any, name: str, notation: str, marks: Collection[str]) -> np.ndarray:
    """Seconds since 1970, in UTC where a zone is said."""
    import pandas as pd

    if isinstance(column.dtype, pd.PeriodDtype):  # months, quarters: their first day
        column = column.dt.to_timestamp()
    if not pd.api.types.is_datetime64_any_dtype(column):
        texts = column.map(_text)
        texts = texts.where(~texts.str.lower().isin(marks), None) if len(texts.dropna()) else texts
        read = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
        for form in [notation] if notation else ["%d.%m.%Y"]:
            rest = read.isna() & texts.notna()
            if rest.any():
                read = read.where(~rest, pd.to_datetime(texts.where(rest), errors="coerce", format=form, utc=True))
        odd = (read.isna() & texts.notna()).to_numpy()
        if odd.any():
            row = int(np.flatnonzero(odd)[0])
            found = str(column.iloc[row])[:40]
            wanted = f"as {notation!r} says" if notation else "such as 2024-03-01"
            raise DataError(f"column {name!r} must hold dates {wanted}, but has {found!r} in row {row}")
        column = read
    values = pd.DatetimeIndex(column)
    values = values.tz_convert("UTC").tz_localize(None) if values.tz is not None else values
    seconds = values.to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6
    return np.where(values.isna(), np.nan, seconds)
