"""In which notation a column of text has its numbers or its dates: found out where only one makes sense.

Marks of thousands, units, money, percent and dates of other countries are how people and spreadsheets write tables.
Each column is judged by all its cells: "1.234,5" says what its marks are, "1,234" alone does not, unless it is money
(which has two decimals or none) or stands beside whole numbers that all are below a thousand. What remains open is
refused with the setting that decides, `data.kinds`.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Collection, Sequence
from typing import Final

from nas.checkpoint import CLOCK, Notation, clock_seconds
from nas.errors import DataError

__all__ = ["date_notation", "like_number", "number_notation", "unlike_words"]

_MONEY: Final = (
    "[€$£¥₹₽₩₺₴฿¢₫₪]|(?:US|R|A|C|HK|NZ)\\$|zł|Kč|Ft|kr\\.?|lei|Fr\\.?|Rs\\.?|"
    "AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|RON|RUB|SEK|SGD|THB|TRY|UAH|USD|ZAR"
)
_NUMBER: Final = re.compile(
    rf"[-+−(]?\s*(?P<before>{_MONEY})?(?P<gap>\s*)[-+−]?\s*"
    "(?P<body>[.,]?\\d(?:[\\d.,'’_\u00a0\u2009\u202f ]*\\d[.,]?|[.,])?)(?P<exponent>[eE][+-]?\\d+)?"
    "(?P<after>\\s*(?:[%‰€$£¥₹₽₩₺₴฿¢₫₪°][A-Za-z]?|[^\\W\\d_][\\w/·^.]{0,7}))?\\s*\\)?"
)
_IS_MONEY: Final = re.compile(_MONEY)
_MARK: Final = re.compile(r"[^\d]")
_GROUPS: Final = re.compile(r"\d{1,3}(?:[^\d]\d{3})+")
_FEWEST: Final = (
    20  # different numbers that have one unit of letters: fewer may be sizes or codes, which are categories
)
_MOST_UNITS: Final = 3  # of a column; words that differ more are no units
_DAYS: Final = ("%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%y")
_DAYS_SHORT: Final = ("%m/%d/%y", "%d/%m/%y")
_NAMED: Final = (
    "%d %b %Y", "%d-%b-%Y", "%d/%b/%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%B %d %Y", "%d-%b-%y",
    "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%a, %d %b %Y", "%a %d %b %Y",
)  # fmt: skip
_TIMES: Final = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %I:%M:%S %p")
_ZONES: Final = ("", " %z")
_DATE_LIKE: Final = re.compile(r"(?=.*\d)(?=.*[-/. ])[\w,.:/+ -]{6,40}")
_SAMPLE: Final = 200  # texts by which most formats are told from those that fit


def like_number(text: str) -> bool:
    """Whether a text is a number in some notation, perhaps with a unit."""
    return _NUMBER.fullmatch(text.strip()) is not None


def unlike_words(texts: Sequence[str]) -> bool:
    """Whether cells that have no common notation are numbers all the same, with several units or marks."""
    found = [_NUMBER.fullmatch(text.strip()) for text in texts]
    matches = [match for match in found if match is not None]
    if len(matches) < len(found):
        return False
    units = collections.Counter((match["before"] or "", (match["after"] or "").strip()) for match in matches)
    words = [after for before, after in units if not before and after and after[0].isalpha()]
    if not any(not _IS_MONEY.fullmatch(word) for word in words):
        return True
    few = len(units) <= _MOST_UNITS + 1 and len({*texts}) > _FEWEST
    return few and 2 * units["", ""] < len(texts)


def number_notation(texts: Collection[str], decimal: str | None = None) -> str | None:
    """The notation of cells that are all numbers with marks or one unit, or durations; None: they are not.

    Args:
        texts: the different cells, without those that say that a value is missing.
        decimal: the mark of the file, where it is known.

    Raises:
        DataError: they can be read in two ways; the message says so without a name of the column.
    """
    if all(clock_seconds(text) is not None for text in texts):
        return CLOCK
    found = [_NUMBER.fullmatch(text.strip()) for text in texts]
    matches = [match for match in found if match is not None]
    if len(matches) < len(found) or not matches:
        return None
    units = {
        ((match["before"] or "") + (match["gap"] if match["before"] else ""), match["after"] or "") for match in matches
    }
    bare = {(before.strip(), after.strip()) for before, after in units}
    named = bare - {("", "")}
    if len(named) > 1 or (bare != named and any(after in ("%", "‰") for _, after in named)):
        return None
    before, after = next(iter(sorted(pair for pair in units if "".join(pair).strip())), ("", ""))
    money = bool(_IS_MONEY.fullmatch(before.strip()) or _IS_MONEY.fullmatch(after.strip()))
    if after.strip() not in ("", "%", "‰") and not money and len(texts) <= _FEWEST:
        return None
    marks = _marks([match["body"] for match in matches], decimal, money=money)
    if marks is None:
        return None
    notation = Notation(*marks, before.lstrip(), after.rstrip())
    return str(notation) if all(notation.read(text) is not None for text in texts) else None


def _marks(bodies: Sequence[str], known: str | None, *, money: bool) -> tuple[str, str] | None:
    """Decimal mark and mark of thousands of digits with marks; None: there is no such reading.

    Raises:
        DataError: there are two.
    """
    decimals: set[str] = set() if known is None else {known}
    groups: set[str] = set()
    open_: dict[str, str] = {}
    plain: list[int] = []
    for body in bodies:
        marks = _MARK.findall(body)
        if not marks:
            plain.append(int(body))
            continue
        last, others = marks[-1], {*marks[:-1]}
        if last not in ".,":  # a blank or a tick
            groups |= {*marks}
        elif others - {last}:
            decimals.add(last)
            groups |= others
        elif others:
            groups.add(last)
        elif _GROUPS.fullmatch(body) and not body.startswith("0"):
            open_.setdefault(last, body)
        else:
            decimals.add(last)
    for mark, body in open_.items():
        if mark in decimals or mark in groups:
            continue
        if decimals or money or (plain and max(plain) < 1000):
            groups.add(mark)
        elif groups:
            decimals.add(mark)
        else:
            raise DataError(
                f"{body!r} may be {body.replace(mark, '')} or {body.replace(mark, '.')}: say which by 1234.5 as the "
                f"column writes it, number 1{mark}234{'.' if mark == ',' else ','}5 or number 1{mark}5"
            )
    groups = {_alike(mark) for mark in groups}
    if len(decimals) > 1 or len(groups) > 1 or decimals & groups:
        return None
    (group,) = groups or {""}
    return next(iter(decimals), "," if group == "." else "."), group


def _alike(mark: str) -> str:
    return "'" if mark in "'’" else " " if mark in " \u00a0\u2009\u202f" else mark


def date_notation(texts: Collection[str]) -> str | None:
    """The format of cells that are all dates, as `time.strptime` has it; None: there is none.

    Raises:
        DataError: day and month could change places; the message says so without a name of the column.
    """
    import pandas as pd

    given = list(texts)
    if not all(_DATE_LIKE.fullmatch(text) for text in given):
        return None
    sample = pd.Series(given[:_SAMPLE])
    whole = pd.Series(given)
    fits: dict[str, pd.Series[pd.Timestamp]] = {}
    for day in (*_DAYS, *_DAYS_SHORT, *_NAMED):
        for time in _TIMES:
            for zone in _ZONES if time else ("",):
                form = day + time + zone
                if pd.to_datetime(sample, format=form, errors="coerce", utc=True).notna().all():
                    read = pd.to_datetime(whole, format=form, errors="coerce", utc=True)
                    if read.notna().all():
                        fits[form] = read
    if not fits:
        return None
    first, *others = fits
    for other in others:
        if not fits[other].equals(fits[first]):
            text = next(text for text, one, two in zip(given, fits[first], fits[other], strict=True) if one != two)
            raise DataError(
                f"{text!r} may be {fits[first][given.index(text)]:%d %B %Y} or "
                f"{fits[other][given.index(text)]:%d %B %Y}: say which, date {first} or date {other}"
            )
    return first
