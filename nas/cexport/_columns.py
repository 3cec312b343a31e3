"""Rows of a raw table as a struct, and the function that turns them into inputs: categories, dates, missing values.

What becomes of a column is said by the record's `Encoding`, and is the same here: a number that is missing is replaced
and perhaps flagged, and may become ramps; a category has a number by an enum; of a date come days, month, weekday and
hour.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np

from nas.cexport._integers import Inputs8
from nas.cexport._program import Program
from nas.cexport._text import comment, literal
from nas.checkpoint import CLOCK, MISSING, EncodedColumn

__all__ = ["row_header", "row_note", "row_source"]

# Of C and C++, which may include the header.
_KEYWORDS: Final = """
and asm auto bool break case catch char class const continue default delete do double else enum explicit export extern
false float for friend goto if inline int long mutable namespace new not operator or private protected public register
restrict return short signed sizeof static struct switch template this throw true try typedef typeid typename union
unsigned using virtual void volatile while xor
"""
_LIMITS: Final = {"uint8_t": (0, 255), "int16_t": (-(2**15), 2**15 - 1), "int32_t": (-(2**31), 2**31 - 1)}
_OWN: Final = ("INPUTS", "OUTPUTS", "CHECKSUM", "CLASSES", "UNIT", "FRACTIONS", "SELFTEST", "ROM", "H", "MISSING")
_READERS: Final = ("READ_BYTE", "READ_WORD", "READ_DWORD", "READ_FLOAT")
_DATES: Final = """
/* A date as seconds since 1970: what stands for a missing one, and within the years that have four digits. */
static int64_t PREFIX_moment(int64_t t, int64_t fill)
{
    const int64_t most = INT64_C(253402300799);
    if (t == PREFIX_NO_DATE) {
        t = fill;
    }
    return t > most ? most : t < -most ? -most : t;
}
"""
_DAY: Final = """
static int32_t PREFIX_day(int64_t t)
{
    return (int32_t)(t / 86400 - (t % 86400 < 0 ? 1 : 0));
}
"""
_MONTH: Final = """
/* 1 to 12 of a day since 1970, by eras of 400 years that begin in March. */
static int32_t PREFIX_month(int32_t day)
{
    const int32_t z = day + 719468;
    const int32_t doe = z - (z >= 0 ? z : z - 146096) / 146097 * 146097;
    const int32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int32_t month = (5 * (doe - (365 * yoe + yoe / 4 - yoe / 100)) + 2) / 153;
    return month < 10 ? month + 3 : month - 9;
}
"""
_QUOTIENT: Final = """
/* a / b to the nearest integer, to the even one of two. */
static int64_t PREFIX_quotient(int64_t a, int64_t b)
{
    int64_t found = a / b;
    int64_t rest = a % b;
    if (rest < 0) {
        found--;
        rest += b;
    }
    return found + (rest > b - rest || (rest == b - rest && found % 2 != 0) ? 1 : 0);
}
"""
_RAMP: Final = """
/* How far x is from low to high, 0 to 1. */
static float PREFIX_ramp(float x, float low, float high)
{
    return x <= low ? 0.0f : x >= high ? 1.0f : (x - low) / (high - low);
}
"""
_WHOLE_RAMP: Final = """
/* How far x is from low to high, 0 to top. */
static int32_t PREFIX_ramp(int32_t x, int32_t low, int32_t high, int32_t top)
{
    return x <= low ? 0 : x >= high ? top : (int32_t)PREFIX_quotient(((int64_t)x - low) * top, (int64_t)high - low);
}
"""
_CLAMP: Final = """
static TYPE PREFIX_clamp(WIDE x)
{
    return (TYPE)(x < LOW ? LOW : x > HIGH ? HIGH : x);
}
"""


class _Names:
    """Identifiers, each given once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*taken}

    def __call__(self, text: str, before: str = "") -> str:
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        plain = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:40] or "x"
        if not before and (plain in _KEYWORDS.split() or plain[0].isdigit()):
            plain = f"x_{plain}"
        found = name = before + (plain.upper() if before else plain)
        again = 2
        while name in self._taken:
            name, again = f"{found}_{again}", again + 1
        self._taken.add(name)
        return name


class _Row:
    """Names of the fields, of the categories and of the macros of a struct."""

    def __init__(self, columns: tuple[EncodedColumn, ...], prefix: str) -> None:
        self.columns = columns
        field = _Names()
        own = _Names(f"{prefix.upper()}_{name}" for name in (*_OWN, *_READERS, "NO_DATE"))
        self.fields = [field(column.name) for column in columns]
        self.codes: list[list[tuple[str, str]]] = []  # of each column: constants and what they are called
        self.fractions: list[str] = []
        for column, name in zip(columns, self.fields, strict=True):
            before = f"{prefix.upper()}_{name.upper()}_"
            levels = column.categories if column.kind == "category" else ()
            codes = [(own(level or "missing", before), level or "(missing)") for level in levels]
            if column.kind == "category":
                codes.append((own("other", before), "any other" if MISSING in levels else "any other, or missing"))
            self.codes.append(codes)
            self.fractions.append(own("fraction", before) if _is_number(column) else "")


def _is_number(column: EncodedColumn) -> bool:
    return column.kind not in ("category", "date")


def _columns(program: Program) -> tuple[EncodedColumn, ...]:
    """Those of a table that are not all plain numbers; none where there is no such table."""
    encoding = program.encoding
    return () if encoding is None or encoding.plain or program.memory is not None else encoding.columns


def row_note(program: Program, prefix: str) -> list[str]:
    """What the banner says of it."""
    if not _columns(program):
        return []
    return [
        f"{prefix}_predict_row does the same for a row of the table, {prefix}_row, as it was measured: categories by "
        "their constants, dates in seconds since 1970, and what is missing as the header says."
    ]


def row_header(program: Program, prefix: str, inputs: Inputs8 | None) -> list[str]:
    """Constants, struct and declaration; nothing where the inputs are the columns themselves.

    Args:
        program: whose record has the encoding.
        prefix: of all names.
        inputs: of the form in integers; None: floats.
    """
    columns, capitals = _columns(program), prefix.upper()
    if not columns:
        return []
    row = _Row(columns, prefix)
    lines = []
    for codes, name in zip(row.codes, (column.name for column in columns), strict=True):
        if codes:
            lines += [f"/* {comment(name)} */", "enum {"]
            ends = ["," if k < len(codes) - 1 else "" for k in range(len(codes))]
            lines += [f"    {c} = {k}{ends[k]} /* {comment(text)} */" for k, (c, text) in enumerate(codes)]
            lines += ["};", ""]
    if any(column.kind == "date" for column in columns):
        lines += ["/* A date that is missing. */", f"#define {capitals}_NO_DATE INT64_MIN", ""]
    numbers = [k for k, column in enumerate(columns) if _is_number(column)]
    places = _places(columns)
    if inputs is not None and numbers:
        lines += ["/* A number that is missing; and how many bits after the point the others have. */"]
        lines += [f"#define {capitals}_MISSING INT32_MIN"]
        lines += [f"#define {row.fractions[k]} {int(inputs.fraction[places[k]])}" for k in numbers]
        lines.append("")
    lines += ["/* A row of the table. */", "typedef struct {"]
    for column, field, codes in zip(columns, row.fields, row.codes, strict=True):
        kind, meant = _field(column, codes, capitals, inputs is not None)
        lines.append(f"    {kind} {field}; /* {comment(column.name)}: {meant} */")
    given = "float" if inputs is None else "int32_t"
    lines += [f"}} {prefix}_row;", "", "/* -1: a number or date is missing that never was in the training data. */"]
    return [*lines, f"int {prefix}_predict_row(const {prefix}_row *row, {given} *outputs);", ""]


def _field(column: EncodedColumn, codes: list[tuple[str, str]], capitals: str, integers: bool) -> tuple[str, str]:
    """C type of a column, and what is in it."""
    if column.kind == "category":
        return ("uint8_t" if len(codes) <= 256 else "uint16_t"), "a constant from above"
    never = column.fill is None
    if column.kind == "date":
        return "int64_t", "seconds since 1970, UTC" + ("" if never else f", or {capitals}_NO_DATE")
    unit = " in seconds" if column.notation == CLOCK else ""
    meant = "0 or 1" if column.kind == "boolean" else f"in fixed point{unit}" if integers else f"as measured{unit}"
    missing = f"{capitals}_MISSING" if integers else "NaN"
    return ("int32_t" if integers else "float"), meant + ("" if never else f", or {missing}")


def _places(columns: tuple[EncodedColumn, ...]) -> list[int]:
    """The number of the first input of each column."""
    return [0, *itertools.accumulate(len(column.inputs) for column in columns)][: len(columns)]


def _ramps_read(column: EncodedColumn, first: int, read: Collection[int]) -> dict[int, tuple[float, float]]:
    """Ends of those ramps of a column that a neuron reads, by their place among its inputs; the others are left out of
    the code, for a network that was cut reads few."""
    before = len(column.inputs) - len(column.ramps)
    return {before + k: ends for k, ends in enumerate(column.ramps) if first + before + k in read}


def row_source(program: Program, prefix: str, inputs: Inputs8 | None) -> list[str]:
    """The function that `row_header` declares, and what it needs; the arguments are the same."""
    columns, capitals = _columns(program), prefix.upper()
    if not columns:
        return []
    row = _Row(columns, prefix)
    kind = "float" if inputs is None else inputs.kind
    parts = {part for column in columns if column.kind == "date" for part in column.parts}
    helpers = _DATES if parts else ""
    helpers += _DAY if any(column.kind == "date" and _needs_day(column, inputs) for column in columns) else ""
    helpers += _MONTH if "month" in parts else ""
    read = frozenset(program.used_inputs.tolist())
    places = _places(columns)
    ramps = any(_ramps_read(column, at, read) for column, at in zip(columns, places, strict=True))
    numbers = any(_is_number(column) for column in columns)
    if inputs is not None:
        helpers += _QUOTIENT if "days" in parts or ramps else ""
        helpers += _WHOLE_RAMP if ramps else ""
        if numbers or parts:
            low, high = _LIMITS[kind]
            lowest = "INT32_MIN" if kind == "int32_t" else str(low)  # -2147483648 is no int
            clamp = _CLAMP.replace("TYPE", kind).replace("LOW", lowest).replace("HIGH", str(high))
            helpers += clamp.replace("WIDE", "int64_t" if parts else "int32_t") if parts or kind != "int32_t" else ""
    elif ramps:
        helpers += _RAMP
    given = "float" if inputs is None else "int32_t"
    lines = helpers.replace("PREFIX_NO", f"{capitals}_NO").replace("PREFIX", prefix).splitlines()
    lines += ["", f"int {prefix}_predict_row(const {prefix}_row *row, {given} *outputs)", "{"]
    lines.append(f"    {kind} inputs[{capitals}_INPUTS];")
    clamped = inputs is not None and any("_clamp(" in line for line in lines)
    for column, field, codes, at in zip(columns, row.fields, row.codes, places, strict=True):
        values = _Values(inputs, at, prefix, clamped)
        if column.kind == "category":
            lines += _category(column, field, codes, values)
        elif column.kind == "date":
            lines += _date(column, field, values, capitals)
        else:
            lines += _number(column, field, values, capitals, _ramps_read(column, at, read))
    return [*lines, f"    return {prefix}_predict(inputs, outputs);", "}", ""]


class _Values:
    """Numbers as C, for the inputs of one column.

    Args:
        inputs: None: floats.
        first: number of the first of the column's inputs.
    """

    def __init__(self, inputs: Inputs8 | None, first: int, prefix: str, clamped: bool) -> None:
        self.inputs, self.first, self.prefix, self._clamped = inputs, first, prefix, clamped

    def constant(self, place: int, value: float) -> str:
        """A raw value of the input at a place among those of the column."""
        if self.inputs is None:
            return literal(value)
        raw = np.zeros((1, self.inputs.fraction.size))
        raw[0, self.first + place] = value
        return str(int(self.inputs.fixed(raw)[0, self.first + place])).replace("-2147483648", "INT32_MIN")

    def given(self, expression: str) -> str:
        """An integer, or a field in the form's own numbers, as an input."""
        if self.inputs is None:
            return expression
        return f"{self.prefix}_clamp({expression})" if self._clamped else expression

    def whole(self, place: int, expression: str) -> str:
        """A whole number (int32_t) as an input."""
        if self.inputs is None:
            return f"(float)({expression})"
        bits = int(self.inputs.fraction[self.first + place])
        scaled = f"{expression} * {2**bits}" if bits > 0 else f"{expression} / {2**-bits}" if bits < 0 else expression
        return self.given(scaled)

    def ramp(self, place: int, expression: str, ends: tuple[float, float]) -> str:
        """The statement that an input is how far a number, in the form of the column's first input, is between two."""
        if self.inputs is None:
            low, high = map(literal, ends)
            return self.to(place, f"{self.prefix}_ramp({expression}, {low}, {high})")
        # The field is not clamped, and so its knots are not.
        bits = int(self.inputs.fraction[self.first])
        low, high = (str(min(max(round(math.ldexp(end, bits)), 1 - 2**31), 2**31 - 1)) for end in ends)
        ramp = f"{self.prefix}_ramp({expression}, {low}, {high}, {self.constant(place, 1.0)})"
        return self.to(place, self.given(ramp))

    def flag(self, place: int, test: str) -> str:
        """The statement that an input is 1 where something holds."""
        return self.to(place, f"{test} ? {self.constant(place, 1.0)} : {self.constant(place, 0.0)}")

    def to(self, place: int, expression: str) -> str:
        return f"inputs[{self.first + place}] = {expression};"


def _category(column: EncodedColumn, field: str, codes: list[tuple[str, str]], values: _Values) -> list[str]:
    tests = [f"row->{field} == {codes[k][0]}" for k in range(len(column.levels))]
    if column.other:
        tests.append(f"row->{field} >= {codes[len(column.categories)][0]}")
    return ["    " + values.flag(k, test) for k, test in enumerate(tests)]


def _number(
    column: EncodedColumn, field: str, values: _Values, capitals: str, ramps: Mapping[int, tuple[float, float]]
) -> list[str]:
    name = f"row->{field}"
    missing = f"{name} != {name}" if values.inputs is None else f"{name} == {capitals}_MISSING"
    present = [values.to(0, values.given(name)), *(values.ramp(k, name, ends) for k, ends in ramps.items())]
    if column.fill is None:
        return [f"    if ({missing}) {{", "        return -1;", "    }", *(f"    {line}" for line in present)]
    whole = column.apply(np.array([math.nan]))[0].tolist()
    absent = [values.to(k, values.constant(k, whole[k])) for k in (0, *([1] if column.flagged else []), *ramps)]
    if column.flagged:
        present.append(values.to(1, values.constant(1, 0.0)))
    return [
        f"    if ({missing}) {{",
        *(f"        {line}" for line in absent),
        "    } else {",
        *(f"        {line}" for line in present),
        "    }",
    ]


def _date(column: EncodedColumn, field: str, values: _Values, capitals: str) -> list[str]:
    prefix, absent = values.prefix, f"row->{field} == {capitals}_NO_DATE"
    lines = [] if column.fill is not None else [f"    if ({absent}) {{", "        return -1;", "    }"]
    if column.parts:
        fill = f"INT64_C({round(column.fill or 0)})"
        lines += ["    {", f"        const int64_t t = {prefix}_moment(row->{field}, {fill});"]
        if _needs_day(column, values.inputs):
            lines.append(f"        const int32_t day = {prefix}_day(t);")
        if "hour" in column.parts or ("days" in column.parts and values.inputs is None):
            lines.append("        const int32_t second = (int32_t)(t - (int64_t)day * 86400);")
        lines += [f"        {values.to(k, _date_part(part, k, values))}" for k, part in enumerate(column.parts)]
        lines.append("    }")
    if column.flagged:
        lines.append("    " + values.flag(len(column.parts), absent))
    return lines


def _needs_day(column: EncodedColumn, inputs: Inputs8 | None) -> bool:
    return bool({*column.parts} - (set() if inputs is None else {"days"}))


def _date_part(part: str, place: int, values: _Values) -> str:
    match part:
        case "days":
            if values.inputs is None:
                return "(float)day + (float)second / 86400.0f"
            bits = int(values.inputs.fraction[values.first + place])
            quotient = f"t * {2 ** max(bits, 0)}, INT64_C({86400 * 2 ** max(-bits, 0)})"
            return values.given(f"{values.prefix}_quotient({quotient})")
        case "month":
            return values.whole(place, f"{values.prefix}_month(day)")
        case "weekday":
            return values.whole(place, "(day % 7 + 10) % 7")  # 1 January 1970 was a Thursday; Monday is 0
        case _:
            return values.whole(place, "second / 3600")
