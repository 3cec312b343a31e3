"""Delimited text files: what their bytes mean is found out, said, or refused, and never guessed in silence.

A file of this kind does not say its encoding, its separator, its decimal mark, or whether its first line names the
columns. Each is taken from the job where the job says it; otherwise from the file where only one reading makes sense;
otherwise the file is refused with the setting that decides. Targets, and columns that `data.kinds` calls categories,
stay text, so that they keep their spelling ("01", "1", "None"); of features, only cells truly empty are missing.
"""

from __future__ import annotations

import collections
import csv
import io
import itertools
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nas.checkpoint import named_once
from nas.errors import DataError
from nas.training.data._decoded import decoded
from nas.training.data.config import DataConfig

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MOST_COLUMNS",
    "Delimited",
    "default_target",
    "distinct_names",
    "is_number",
    "like_code",
    "read_delimited",
    "refuse_columns",
]

MOST_COLUMNS: Final = 100_000
"""Of a table."""

_SEPARATORS: Final = (",", ";", "\t", "|")
_SHOWN: Final = {"\t": "tab", " ": "space"}
_SAMPLE: Final = 50  # records that the separator is judged by
_SAMPLE_CHARACTERS: Final = 2**20
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_CODE: Final = re.compile(r"0\d+")
_WITH_COMMA: Final = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
# "1,234" may be 1234 or 1.234; "0,123", "12345,678" and "1,5" can only be the latter.
_THOUSANDS: Final = re.compile(r"\s*[+-]?[1-9]\d{0,2}\.\d{3}\s*")
_PERHAPS_THOUSANDS: Final = re.compile(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*")


@dataclass(frozen=True, slots=True)
class Delimited:
    """A table as it was read.

    Attributes:
        frame: features as pandas reads them (empty cells NaN), targets as text, "" where empty.
        said: what was found out and how it is overridden: (words, key of the job).
        decimal: "." or ",".
        codes: of columns of numbers, a cell that is written as none is ("01234"), by name.
    """

    frame: pd.DataFrame
    said: tuple[tuple[str, str], ...]
    decimal: str
    codes: dict[str, str] = field(default_factory=dict)


def read_delimited(path: Path, config: DataConfig) -> Delimited:
    """The table in a .csv or .tsv file.

    Raises:
        DataError: it is no text, its rows have different lengths, or what it means cannot be told.
    """
    text, encoding = decoded(path, config.encoding)
    default = "\t" if ".tsv" in path.suffixes else ","
    separator = config.separator if config.separator != "auto" else _separator(text, default, path)
    text, above = _without_comments(text, separator)
    records = list(itertools.islice(_records(text, separator), _SAMPLE))
    if not records:
        raise DataError(f"{path}: the table has no columns")
    _begins_with_names(records, path)
    has_header, why = _has_header(records, config, path)
    names, renamed = _names(records[0], has_header, path)
    first = records[1] if has_header and len(records) > 1 else records[0]
    if len(first) != len(names):
        raise DataError(
            f"{path}: the first line names {len(names)} columns, but the next has {len(first)} cells (separator "
            f"{shown(separator)}); give every column a name, or set data.separator"
        )
    targets = _targets(names, config, path)
    # 01 is not 1, and 1.234 may be 1234
    codes = [place for place, name in enumerate(names) if config.kinds.get(name, "number") not in ("number", "date")]
    frame, decimal = _parsed(text, separator, names, (targets, codes), has_header, config.decimal, path)
    said = (
        (encoding, "data.encoding"),
        (f"separator {shown(separator)}", "data.separator"),
        (f"decimal mark {decimal!r}", "data.decimal"),
        (why, "data.header"),
        *(((above, ""),) if above else ()),
        *(((f"columns named twice: {', '.join(renamed)}", ""),) if renamed else ()),
    )
    return Delimited(frame, said, decimal, _codes(text, separator, frame, has_header))


def like_code(texts: Iterable[str]) -> str:
    """The first text of digits that begins with a zero, as numbers of places and parts do; "" where there is none."""
    return next((text for text in texts if _CODE.fullmatch(text)), "")


def _codes(text: str, separator: str, frame: pd.DataFrame, has_header: bool) -> dict[str, str]:
    """See `Delimited.codes`; of the beginning of the text."""
    whole = [place for place, kind in enumerate(frame.dtypes) if kind.kind in "iuf"]
    if not whole:
        return {}
    records = [record for record in _records(text, separator) if len(record) == frame.shape[1]][has_header:]
    found = {str(frame.columns[place]): like_code(record[place].strip() for record in records) for place in whole}
    return {name: cell for name, cell in found.items() if cell}


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether a cell is a finite number as people write it: digits, a sign, the decimal mark, an exponent."""
    return _NUMBER.fullmatch(text if decimal == "." else text.replace(".", "x").replace(",", ".")) is not None


def shown(separator: str) -> str:
    """A separator as messages name it."""
    return _SHOWN.get(separator, repr(separator))


def default_target(names: Sequence[str]) -> str:
    """The last column that has a name: lines may end in a separator."""
    return next((name for name in reversed(names) if not name.startswith("Unnamed: ")), names[-1])


def distinct_names(names: Sequence[str], where: str) -> None:
    """DataError where a name occurs twice, also where only blanks around it differ."""
    counts = collections.Counter(name.strip() for name in names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        exact = [name for name in names if name.strip() == twice[0]]
        how = "occurs more than once" if len({*exact}) == 1 else "occurs more than once, differing in blanks"
        raise DataError(f"{where}: column {twice[0]!r} {how}; rename one")


def _records(text: str, separator: str) -> Any:
    """Records that are not blank, of the beginning of the text."""
    head = text if len(text) <= _SAMPLE_CHARACTERS else text[: text.rfind("\n", 0, _SAMPLE_CHARACTERS) + 1]
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
    try:
        for record in reader:
            if record and (len(record) > 1 or record[0].strip()):
                yield record
    except csv.Error:
        return


def _without_comments(text: str, separator: str) -> tuple[str, str]:
    """The text without lines above the table that begin with a #, and what is said of them.

    The names of columns may begin with one, too; then the line has as many cells as the next.
    """
    left, count = text, 0
    while left.startswith("#"):
        _, _, below = left.partition("\n")
        cells = [len(record) for record in itertools.islice(_records(left, separator), 2)]
        if not below or (len(cells) == 2 and cells[0] == cells[1] > 1 and not below.startswith("#")):
            break
        left, count = below, count + 1
    return left, f"without {count} line{'s' if count != 1 else ''} of comment above" if count else ""


def _begins_with_names(records: list[list[str]], path: Path) -> None:
    """DataError where lines above the table are none of it: titles, dates of an export."""
    widths = [len(record) for record in records]
    width = max(widths, key=widths.count)
    first = widths.index(width)
    if {*widths[first:]} == {width} and (first > 1 or (first == 1 and widths[0] == 1)):
        raise DataError(
            f"{path}: line 1, {' '.join(records[0])[:40]!r}, has {widths[0]} cells, and after {first} such lines "
            f"there are {width}: remove what stands above the names of the columns, or begin these lines with #"
        )


def _separator(text: str, default: str, path: Path) -> str:
    """The one separator by which all records have as many cells, more than one.

    Where there are several such readings, the one in which more cells are numbers.
    """
    fits: dict[str, tuple[int, int]] = {}
    for candidate in _SEPARATORS:
        records = list(itertools.islice(_records(text, candidate), _SAMPLE))
        widths = {len(record) for record in records}
        if len(widths) == 1 and max(widths) > 1:
            cells = [cell for record in records[1:] for cell in record]
            marks = (".",) if candidate == "," else (".", ",")
            fits[candidate] = (sum(any(is_number(cell, mark) for mark in marks) for cell in cells), max(widths))
    if not fits:
        return default
    ranked = sorted(fits, key=lambda candidate: fits[candidate], reverse=True)
    if len(ranked) > 1 and fits[ranked[0]] == fits[ranked[1]]:
        one, other = shown(ranked[0]), shown(ranked[1])
        raise DataError(f"{path}: its cells may be separated by {one} or by {other}; say which with data.separator")
    return ranked[0]


def _has_header(records: list[list[str]], config: DataConfig, path: Path) -> tuple[bool, str]:
    """Whether the first line names the columns, and that in words."""
    if config.header != "auto":
        return config.header, "the first line names the columns" if config.header else "no line with names"
    first, rest = [cell.strip() for cell in records[0]], records[1:]
    targets = (config.target,) if isinstance(config.target, str) else config.target or ()
    if {*first} & {*targets, *config.drop, *config.keep}:
        return True, "the first line names the columns"
    numeric = [
        column
        for column, cells in enumerate(itertools.islice(zip(*rest, strict=False), len(first)))
        if any(cell.strip() for cell in cells)
        and all(not cell.strip() or is_number(cell) or is_number(cell, ",") for cell in cells)
    ]
    like_data = [column for column in numeric if is_number(first[column]) or is_number(first[column], ",")]
    if numeric and len(like_data) == len(numeric):
        raise DataError(
            f"{path}: the first line holds numbers ({first[like_data[0]]}) where the others do, so it may be data; set "
            "data.header: true if it names the columns, false if it does not"
        )
    return True, "the first line names the columns"


def _names(first: list[str], has_header: bool, path: Path) -> tuple[list[str], list[str]]:
    """Names of the columns, and of those among them that got another because it was there already.

    They are called as pandas calls them, so that a table read by either is the same.
    """
    refuse_columns(len(first), path)
    if not has_header:
        return [f"x{column}" for column in range(len(first))], []
    names, renamed = named_once([name.strip() or f"Unnamed: {column}" for column, name in enumerate(first)])
    distinct_names(names, str(path))
    return names, renamed


def refuse_columns(count: int, where: object) -> None:
    """Raises: DataError: a table has more columns than are read, each of which takes a tenth of a millisecond."""
    if count > MOST_COLUMNS:
        raise DataError(
            f"{where}: {count:,} columns, at most {MOST_COLUMNS:,} are read of a table; an .npz file may have more"
        )


def _targets(names: list[str], config: DataConfig, path: Path) -> list[int]:
    if config.target is None:
        return [names.index(default_target(names))]
    wanted = (config.target,) if isinstance(config.target, str) else config.target
    return [names.index(name) for name in wanted if name in names]  # others are reported with the columns


def _parsed(
    text: str,
    separator: str,
    names: list[str],
    texts: tuple[list[int], list[int]],
    has_header: bool,
    decimal: str,
    path: Path,
) -> tuple[pd.DataFrame, str]:
    """The table; ``texts`` are the columns that stay as they are written, targets and others."""
    import pandas as pd  # half a second; only tables need it

    targets, codes = texts

    def parse(mark: str) -> pd.DataFrame:
        empty: dict[Any, list[str]] = {place: [""] for place in range(len(names)) if place not in targets}
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows that are longer than the header
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # columns of mixed types are refused by name
            try:
                return pd.read_csv(
                    io.StringIO(text, newline=""),
                    sep=separator,
                    decimal=mark,
                    header=0 if has_header else None,
                    names=list(range(len(names))),
                    index_col=False,
                    keep_default_na=False,
                    na_values=empty,
                    dtype=dict.fromkeys([*targets, *codes], str),
                    low_memory=False,
                )
            except Exception as error:  # pandas raises a dozen unrelated types here
                raise DataError(
                    f"{path}: cannot be read as {path.suffix[1:]} with separator {shown(separator)} "
                    f"({str(error).strip()})"
                ) from error

    frame = parse("." if decimal == "auto" else decimal)
    last = frame[len(names) - 1]
    if bool((last.isna() | (last == "")).any()):  # as that of a line that ends early is
        _whole_lines(text, separator, len(names), path)
    if decimal == "auto":
        decimal = "." if separator == "," else _decimal(frame, names, path)
        if decimal == ",":
            frame = parse(decimal)
            _no_decimal_points(frame, names, path)
    frame.columns = pd.Index(names)
    return frame, decimal


def _whole_lines(text: str, separator: str, count: int, path: Path) -> None:
    """DataError where a line has fewer cells than there are columns: pandas would take the others for missing."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for record in reader:
            if 0 < len(record) < count and any(cell.strip() for cell in record):
                raise DataError(
                    f"{path}: the line that ends in line {reader.line_num} of the file has {len(record)} cells, but "
                    f"there are {count} columns; complete it, with nothing between the separators where a value is "
                    "missing"
                )
    except csv.Error:  # a cell that is too long for this reader
        return


def _decimal(frame: pd.DataFrame, names: list[str], path: Path) -> str:
    """The decimal mark of a table that was read with a point: of cells with a comma it decides what they can be."""
    import pandas as pd

    certain: str | None = None
    perhaps: tuple[str, str] | None = None
    for column, name in enumerate(names):
        if pd.api.types.is_numeric_dtype(frame[column]):
            continue
        cells = [cell for cell in pd.unique(frame[column].dropna()) if str(cell).strip()]
        with_comma = [str(cell) for cell in cells if _WITH_COMMA.fullmatch(str(cell))]
        if not with_comma or not all(is_number(str(cell), ",") for cell in cells):
            continue
        if all(_PERHAPS_THOUSANDS.fullmatch(cell) for cell in with_comma):
            perhaps = perhaps or (name, with_comma[0])
        else:
            certain = name
    if certain is not None:
        return ","
    if perhaps is not None:
        name, cell = perhaps
        raise DataError(
            f"{path}: {cell.strip()!r} in column {name!r} may be {cell.strip().replace(',', '')} or "
            f"{cell.strip().replace(',', '.')}; set data.decimal to ',' or '.' (or write the thousands without a mark)"
        )
    return "."


def _no_decimal_points(frame: pd.DataFrame, names: list[str], path: Path) -> None:
    """DataError where a column of a table with decimal commas has points that do not stand between thousands."""
    import pandas as pd

    for column, name in enumerate(names):
        if pd.api.types.is_numeric_dtype(frame[column]):
            continue
        cells = [str(cell) for cell in pd.unique(frame[column].dropna()) if str(cell).strip()]
        points = [cell for cell in cells if "." in cell]
        if points and all(is_number(cell) for cell in cells) and not all(map(_THOUSANDS.fullmatch, points)):
            raise DataError(
                f"{path}: other columns have decimal commas, but column {name!r} decimal points (e.g. "
                f"{next(cell for cell in points if not _THOUSANDS.fullmatch(cell))!r}); set data.decimal, or write all "
                "numbers alike"
            )
