"""Tables of edges as text: what separates the cells, whether the first line names the columns, and which are meant.

A program that guesses wrong here makes neurons of a header or of a row number, and everything after that looks sound.
So each guess needs evidence from the whole file, and where there is none, or evidence against it, the file is refused
with the argument that settles the matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nas._text import is_number
from nas.errors import GraphError
from nas.graph._check import short

__all__ = ["Column", "Table", "quoted", "read_table"]

Column = str | int
Row = tuple[int, list[str]]  # number of its line, cells

_SEPARATORS: Final = (",", ";", "\t", "|")
_PLAIN: Final = ("source", "target")  # the names in the documentation: a first line that has both is always a header
_PAIRS: Final = (
    _PLAIN, ("from", "to"), ("pre", "post"), ("u", "v"), ("src", "dst"), ("src", "dest"), ("source", "dest"),
    ("source", "destination"), ("start", "end"), ("tail", "head"), ("parent", "child"), ("sender", "receiver"),
)  # fmt: skip
_SUFFIXES: Final = ("", "id", "node", "nodeid", "name", "neuron", "neuronid", "rootid", "index", "label", "vertex")
_ROW_NUMBERS: Final = ("", "id", "index", "idx", "row", "edge", "edgeid", "key", "no", "nr", "number", "unnamed0")
_WEIGHTS: Final = ("weight", "weights", "w")
_SIZES: Final = (*_WEIGHTS, "strength", "value", "score", "count", "n", "size", "distance", "delay")
_DIRECTIONS: Final = ("type", "direction", "directed")  # columns that may say of an edge that it has none
_UNDIRECTED: Final = frozenset({"undirected", "both", "mutual", "false", "no", "0"})
_OTHERS: Final = ("%%matrixmarket", "*vertices", "*network")  # first words of files that are no tables
_MISSING: Final = frozenset({"", "na", "n/a", "nan", "none", "null", "-", "?", "."})


@dataclass(frozen=True, slots=True)
class Table:
    """The edges of a table, and the numbers that go with them where they were asked for."""

    edges: list[tuple[str, str]]
    weights: list[float] | None
    notes: list[str]  # comment lines, without their sign


def read_table(
    text: str,
    *,
    delimiter: str | None,
    header: bool | None,
    columns: tuple[Column, Column] | None,
    weights: bool | Column,
    comments: str,
) -> Table:
    """The table in ``text``; arguments as in `read_edge_list`.

    Raises:
        GraphError: nothing decides what the file means, or a line breaks its rules; the message names the line.
    """
    if text.lstrip().lower().startswith(_OTHERS):
        raise GraphError(
            f"{short(text.split()[0])} begins a file of another format; read it with scipy.io.mmread and "
            "DAG.from_adjacency, or with networkx.read_pajek and DAG.from_networkx"
        )
    lines, notes = _lines(text, comments)
    if not lines:
        raise GraphError("holds no edge; write one a line: source,target")
    rows = _rows(lines, _delimiter([line for _, line in lines]) if delimiter is None else delimiter)
    first = [cell.lower() for cell in rows[0][1]]
    places = _places(columns, first, header)
    unknown = columns is None and header is not False and _known(first) is None and len(first) > 2
    if unknown and _plain(first[0]) in _ROW_NUMBERS and not is_number(first[0]):
        raise GraphError(
            f"columns {', '.join(map(repr, first))}: the first looks like a number of the line, not like a "
            "neuron; say which two hold source and target, e.g. columns=(1, 2)"
        )
    if header is None:
        header = _has_header(rows, places)
    if columns is None and _known(first) is None and len(first) > 2:
        _refuse_measured(rows, places, header)
    names = rows.pop(0)[1] if header else None
    if not rows:
        raise GraphError("holds no edge below its header; write one a line: source,target")
    raw = dict(lines)
    only_weighted = weights is not False and len(rows[0][1]) == 3  # what is no number is refused below
    if columns is None and not only_weighted and (names is None or _known(first) is None):
        _only_edges(rows, raw, lines_alike=names is None)
    if names is not None:
        _all_directed(rows, names, places)
    edges: list[tuple[str, str]] = []
    for number, cells in rows:
        source, target = cells[places[0]], cells[places[1]]
        if not source or not target:
            raise GraphError(f"line {number}: a line holds a source and a target, but this is {short(raw[number])}")
        for label in (source, target):
            if comments and label[0] in comments and f'"{label[0]}' not in raw[number]:
                raise GraphError(
                    f"line {number}: the label {label!r} begins like a comment, so lines that begin with it would be "
                    "skipped; quote such labels, or read with comments=''"
                )
        edges.append((source, target))
    if weights is False:
        return Table(edges, None, notes)
    place = _weight_place(weights, names, len(rows[0][1]), places)
    return Table(edges, [_number(cells[place], number) for number, cells in rows], notes)


def quoted(text: str, delimiter: str, comments: str) -> str:
    """``text`` as a cell that `read_table` reads back as it is."""
    special = any(sign in text for sign in (*_SEPARATORS, delimiter, '"', "\n", "\r"))
    if special or text != text.strip() or not text or text[0] in comments or not text.isprintable():
        return '"' + text.replace('"', '""') + '"'
    return text


def _lines(text: str, comments: str) -> tuple[list[tuple[int, str]], list[str]]:
    """Lines with their numbers, a quoted cell that goes over several joined; and the comments."""
    found: list[tuple[int, str]] = []
    notes: list[str] = []
    started, start = "", 0
    # Carriage returns end lines, but not inside of quotation marks; other signs that splitlines() knows never do.
    pieces = re.split(r'("[^"]*")', text)
    pieces[::2] = [piece.replace("\r\n", "\n").replace("\r", "\n") for piece in pieces[::2]]
    for number, line in enumerate("".join(pieces).split("\n"), 1):
        if started:
            started += "\n" + line
        elif not line.strip():
            continue
        elif comments and line.lstrip()[0] in comments:
            notes.append(line.lstrip()[1:].strip())
            continue
        else:
            started, start = line, number
        if started.count('"') % 2 == 0:
            found.append((start, started))
            started = ""
    if started:
        raise GraphError(f"line {start}: a quotation mark is not closed: {short(started)}")
    return found, notes


def _delimiter(lines: Sequence[str]) -> str:
    """The one sign that cuts every line into equally many cells."""
    bare = [re.sub(r'"[^"]*"', "", line) if '"' in line else line for line in lines]
    fits = []
    for sign in _SEPARATORS:
        counts = {line.rstrip().rstrip(sign).count(sign) for line in bare}
        if len(counts) == 1 and counts != {0}:
            fits.append(sign)
    if len(fits) > 1:
        raise GraphError(
            f"line 1: {' and '.join(map(repr, fits))} may both separate the cells of {short(lines[0])}; say which, "
            f"e.g. delimiter={fits[-1]!r}"
        )
    if fits:
        return fits[0]
    if any(sign in line for line in bare for sign in _SEPARATORS):
        return next(sign for sign in _SEPARATORS if any(sign in line for line in bare))  # `_rows` names the odd line
    return " "


def _rows(lines: Sequence[tuple[int, str]], delimiter: str) -> list[Row]:
    if not delimiter or any(sign in delimiter for sign in '"\n\r'):
        raise GraphError(f"delimiter must be what separates cells, but is {delimiter!r}")
    cut = _cutter(delimiter)
    rows: list[Row] = []
    for number, line in lines:
        cells = _trimmed(_cells(line, cut, number) if '"' in line else _bare(line, delimiter))
        if len(cells) < 2:
            raise GraphError(f"line {number}: a line holds a source and a target, but this is {short(line)}")
        rows.append((number, cells))
    most = max(2, len(rows[0][1]))
    for number, cells in rows:
        if len(cells) > most:
            raise GraphError(
                f"line {number} holds {len(cells)} cells, but the first {most}: {short(delimiter.join(cells))}; quote "
                f"cells that hold {delimiter!r}, or give another delimiter"
            )
        cells += [""] * (most - len(cells))
    return rows


def _bare(line: str, delimiter: str) -> list[str]:
    return line.split() if delimiter == " " else [cell.strip() for cell in line.split(delimiter)]


def _cutter(delimiter: str) -> re.Pattern[str]:
    """A cell in quotation marks or without any, and what separates it from the next."""
    blank, gap = (r"\s*", r"\s+") if delimiter == " " else (r"(?:(?!{0})\s)*", "{0}")
    return re.compile(
        rf'{blank}(?:"((?:[^"]|"")*)"{blank}|([^"]*?))(?:({gap})|\Z)'.replace("{0}", re.escape(delimiter))
    )


def _cells(line: str, cut: re.Pattern[str], number: int) -> list[str]:
    """Cells of a line with quotation marks; inside of them everything stands for itself, and "" for one mark."""
    cells: list[str] = []
    line, place = line.strip(" "), 0
    while True:
        match = cut.match(line, place)
        if match is None:
            raise GraphError(
                f"line {number}: a quotation mark stands inside of a cell: {short(line)}; quote the whole cell and "
                'write "" for the mark'
            )
        inner, bare, gap = match.groups()
        cells.append(bare.strip() if inner is None else inner.replace('""', '"'))
        if gap is None:
            return cells
        place = match.end()


def _trimmed(cells: list[str]) -> list[str]:
    """Without the empty cells that a delimiter at the end of a line makes."""
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _known(first: Sequence[str]) -> tuple[int, int] | None:
    """Where the first line has a pair of names that are in use for source and target."""
    plain = [_plain(name) for name in first]
    for one, other in _PAIRS:
        for suffix in _SUFFIXES if len(one) > 1 else ("",):
            if plain.count(one + suffix) == 1 and plain.count(other + suffix) == 1:
                return plain.index(one + suffix), plain.index(other + suffix)
    return None


def _places(columns: tuple[Column, Column] | None, first: Sequence[str], header: bool | None) -> tuple[int, int]:
    """Columns of source and target."""
    if columns is None:
        return (0, 1) if header is False else _known(first) or (0, 1)
    if isinstance(columns, str) or len(columns) != 2:
        raise GraphError(f"columns must be two names or numbers, of source and target, but are {columns!r}")
    source, target = (_place(each, first, header) for each in columns)
    if source == target:
        raise GraphError(f"columns of source and target must be two, but are {columns!r}")
    return source, target


def _place(column: Column, first: Sequence[str], header: bool | None) -> int:
    if isinstance(column, int):
        if not 0 <= column < len(first):
            raise GraphError(f"there is no column {column}: the file has {len(first)}, counted from 0")
        return column
    if header is False:
        raise GraphError(f"without a header there is no column {column!r}; give its number, counted from 0")
    if first.count(column.lower()) != 1:
        said = "no column" if column.lower() not in first else "more than one column"
        raise GraphError(f"there is {said} {column!r}; the first line has {', '.join(map(repr, first))}")
    return first.index(column.lower())


def _has_header(rows: Sequence[Row], places: tuple[int, int]) -> bool:
    """Whether the first row names columns, by what stands below it."""
    first, rest = rows[0][1], [cells for _, cells in rows[1:]]
    known = _known(first)
    if known is not None and {_plain(first[place]) for place in known} == set(_PLAIN):
        return True
    if not rest:
        return False  # a header without a single edge is no graph
    labels = {row[place] for row in rest for place in places}
    joined = any(first[place] in labels for place in places)
    numbers = [is_number(cell) for cell in first]
    below = [all(is_number(row[column]) for row in rest) for column in range(len(first))]
    # A column of numbers under a word: the word is its name.
    named = any(
        below[column] and not numbers[column] and first[column].lower() not in _MISSING
        for column in range(len(first))
        if column not in places
    )
    named = named or (not joined and all(below[place] and not numbers[place] for place in places))
    if named and (known or not joined):
        return True
    if not named:
        if any(numbers):
            return False  # columns are not called by numbers
        if joined:
            return False  # its labels are neurons of other edges too
        if known:
            return True
    raise GraphError(
        f"line {rows[0][0]}: nothing tells whether {short(','.join(first))} is an edge or names the columns; say "
        "header=False (an edge) or header=True"
    )


def _only_edges(rows: Sequence[Row], raw: dict[int, str], *, lines_alike: bool) -> None:
    """GraphError where nothing names the columns and lines hold more than an edge and numbers: the second cell of
    ``a pp b`` (SIF) is no neuron, and every cell of an adjacency list is one.

    What networkx writes behind an edge (``{'weight': 1.5}``) is no number either, but stands for itself.
    """
    width = len(rows[0][1])
    for number, cells in rows:
        if cells[2:] and cells[2].startswith("{"):
            continue
        for cell in cells[2:]:
            if cell and not is_number(cell) and cell.lower() not in _MISSING:
                raise GraphError(
                    f"line {number}: which cells of {short(raw[number])} are source and target is not plain; say so: "
                    "columns=(0, 2); adjacency lists are read with "
                    "networkx.read_adjlist and DAG.from_networkx"
                )
        if lines_alike and width > 2 and not all(cells[2:width]):
            raise GraphError(
                f"line {number} holds fewer cells than the first, which may be an adjacency list: "
                f"{short(raw[number])}; say columns=(0, 1), or read it with networkx.read_adjlist and DAG.from_networkx"
            )


def _refuse_measured(rows: Sequence[Row], places: tuple[int, int], header: bool) -> None:
    """GraphError where what would be source or target, for want of names, is called a weight or has decimals."""
    first = rows[0][1]
    for place in places:
        number, said = rows[0][0], first[place]
        odd = header and _plain(said) in _SIZES
        for line, cells in () if odd else rows[header:]:
            if is_number(cells[place]) and not float(cells[place]).is_integer():
                number, said, odd = line, cells[place], True
                break
        if odd:
            raise GraphError(
                f"line {number}: {said!r} looks like a weight, not like a neuron; say which two columns hold source "
                "and target, e.g. columns=(1, 2)"
            )


def _all_directed(rows: Sequence[Row], names: Sequence[str], places: tuple[int, int]) -> None:
    for place, name in enumerate(names):
        if place in places or _plain(name) not in _DIRECTIONS:
            continue
        for number, cells in rows:
            if cells[place].lower() in _UNDIRECTED:
                raise GraphError(
                    f"line {number}: edges of a DAG have a direction, but the {name} of this one is "
                    f"{cells[place]!r}; leave the column out where it means something else"
                )


def _weight_place(weights: bool | Column, names: list[str] | None, width: int, places: tuple[int, int]) -> int:
    if weights is not True:
        first = [name.lower() for name in names] if names is not None else [""] * width
        return _place(weights, first, names is not None)
    others = [column for column in range(width) if column not in places]
    if names is not None:
        called = [column for column in others if _plain(names[column]) in _WEIGHTS]
        others = called or others
    if len(others) == 1:
        return others[0]
    said = "none" if not others else ", ".join(repr(names[column] if names else column) for column in others)
    raise GraphError(
        f"weights are asked for, but which column holds them is not plain: {said} beside source and target; say "
        "weights=NAME, or its number counted from 0"
    )


def _number(text: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise GraphError(f"line {line}: a weight must be a finite number, but is {text!r}")
    return value
