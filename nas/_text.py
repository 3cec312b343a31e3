"""Text that came from elsewhere, before it is kept or shown: without secrets, control signs, or megabytes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Final

__all__ = [
    "MOST_REASON",
    "SECRET",
    "check_each",
    "counted",
    "format_seconds",
    "harmless",
    "is_formula",
    "is_number",
    "plain",
    "redacted",
    "redacted_address",
    "said_of",
]

MOST_REASON: Final = 2000
"""Characters of a reason for a failure that are kept."""

SECRET: Final = re.compile(r"password|passwd|secret|token|credential|api_?key", re.IGNORECASE)
"""In the name of a value that must not be shown."""

_FORMULA: Final = "=+-@\uff1d\uff0b\uff0d\uff20"  # also in full width, which some spreadsheets take for the same
_TEXT: Final = 6000  # characters of a parameter or tag that MLflow accepts everywhere
_USERINFO: Final = re.compile(r"(?<=://)\S*@")  # up to the last @: a password may hold others
_SECRET_VALUE: Final = re.compile(rf"((?:{SECRET.pattern})\w{{0,40}}(?:=|%3D))[^&\s]+", re.IGNORECASE)
# Escape sequences of terminals whole, then what is left of control signs (C0 but for tab and newline, C1, directions).
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str, most: int = MOST_REASON) -> str:
    """`text` as any terminal, file and database can take it: at most `most` characters, without escape sequences,
    control signs and halves of characters.

    >>> plain("no \\x1b[31mroom\\x1b[0m left\\udc80", 20)
    'no room left?'
    """
    shown = harmless(text[: 4 * most])
    return shown if len(shown) <= most and len(text) <= 4 * most else f"{shown[: most - 2]} …"


def harmless(text: str) -> str:
    """The same of all of `text`.

    >>> harmless("a title\x1b]0;mine\x07, \u202eright to left")
    'a title, ?right to left'
    """
    return _CONTROLS.sub("?", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def said_of(error: BaseException, *, named: bool = True) -> str:
    """What an error of anybody's code says, ``named`` by its type; also of one whose message fails to be made.

    >>> said_of(ValueError("no such column"))
    'ValueError: no such column'
    """
    kind = type(error).__name__
    try:
        said = str(error)
    except BaseException as another:  # the user's own code may raise anything
        return f"{kind} (its message cannot be shown: {type(another).__name__})"
    return f"{kind}: {said}" if named else said


def redacted(text: str) -> str:
    """`text`, at most 6000 characters of it, without the credentials of its URLs.

    >>> redacted("no answer from http://me:pw@host:1/x?token=abc")
    'no answer from http://host:1/x?token=…'
    """
    text = text[: 3 * _TEXT]  # searching megabytes takes seconds; cut far behind what is kept
    return _USERINFO.sub("", _SECRET_VALUE.sub(r"\1…", text))[:_TEXT]  # values first: they may hold an @, too


def redacted_address(address: str) -> str:
    """The same of an address that stands alone: whatever its password holds, blanks too.

    >>> redacted_address("postgresql://me:my pw/@host/db")
    'postgresql://host/db'
    """
    return redacted(re.sub(r"(?<=://).*@", "", address, flags=re.DOTALL))


def format_seconds(value: float, *, unknown: str = "?") -> str:
    """A short time with its unit and three digits; `unknown` where it is not finite.

    >>> format_seconds(17e-6), format_seconds(0.00123), format_seconds(2.5)
    ('17.0 µs', '1.23 ms', '2.50 s')
    """
    if not math.isfinite(value):
        return unknown
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")):
        scaled = value / factor
        if abs(scaled) >= 0.9995 or unit == "ns":
            break
    return f"{scaled:.{2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0}f} {unit}"


def counted(count: int, what: str) -> str:
    """So many of something, of which one is told from several by an s.

    >>> counted(1, "network"), counted(0, "network"), counted(2_000, "complete trial")
    ('1 network', '0 networks', '2,000 complete trials')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run a cell of a text file."""
    return cell.strip()[:1] in [*_FORMULA]


def is_number(text: str) -> bool:
    """Whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_each(check: Callable[[str], object], values: Iterable[str]) -> None:
    """Whether ``check`` refuses any of the values.

    Raises:
        ValueError: what it says of all that it refuses, a line each, so that nobody has to mend one at a time.
    """
    wrong = []
    for value in values:
        try:
            check(value)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("\n".join(wrong))
