"""Edge lists: a table with one edge a line, which spreadsheets, databases and every graph program read and write."""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Iterable
from typing import Any, Final, Literal, overload

from numpy.typing import ArrayLike, NDArray

from nas._files import contents, write_whole
from nas._text import is_formula
from nas.errors import GraphError
from nas.graph._check import checked_weights, distinct_names, short
from nas.graph._convert import edge_order, parts_of_edges
from nas.graph._dag import DAG
from nas.graph._table import Column, quoted, read_table

__all__ = ["read_edge_list", "write_edge_list"]

_COMMENTS: Final = "#%"
_NOTE: Final = "nas.dag "

AnyPath = str | os.PathLike[str]


@overload
def read_edge_list(  # type: ignore[overload-overlap] # False is an int, but no column
    path: AnyPath,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
    *,
    weights: Literal[False] = False,
    header: bool | None = None,
    columns: tuple[Column, Column] | None = None,
    delimiter: str | None = None,
    comments: str = _COMMENTS,
    allow_unreachable: bool = False,
) -> DAG: ...
@overload
def read_edge_list(
    path: AnyPath,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
    *,
    weights: Literal[True] | Column,
    header: bool | None = None,
    columns: tuple[Column, Column] | None = None,
    delimiter: str | None = None,
    comments: str = _COMMENTS,
    allow_unreachable: bool = False,
) -> tuple[DAG, NDArray[Any]]: ...
def read_edge_list(
    path: AnyPath,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
    *,
    weights: bool | Column = False,
    header: bool | None = None,
    columns: tuple[Column, Column] | None = None,
    delimiter: str | None = None,
    comments: str = _COMMENTS,
    allow_unreachable: bool = False,
) -> DAG | tuple[DAG, NDArray[Any]]:
    """The DAG of a table with one edge a line.

    Whether the first line names the columns is found out: it does where its cells are names in use (source and target,
    from and to, pre and post, u and v, …) or stand above numbers, and not where they are labels of other lines too.
    Where the file supports neither, it is refused, as a wrong guess would make two neurons of a header. Labels are
    text and become names. Cells may be quoted (``"a,b"``, with ``""`` for one mark).

    Args:
        path: UTF-8 text.
        inputs: labels (or numbers, compared as text) of the inputs, in order; neurons without in-edges by default,
            ordered by number where every label of the file is a whole number, else by first appearance.
        outputs: the same of the outputs; neurons without out-edges by default.
        weights: read a number for each edge too, and return ``(dag, weight)``: True for the column called weight or
            the only one beside source and target, or its name, or its number counted from 0.
        header: whether the first line names the columns; None: see above.
        columns: names or numbers (from 0) of the columns of source and target; by default those with names in use,
            else the first two.
        delimiter: between cells; None: whichever of comma, semicolon, tab and bar fits every line, else blanks.
        comments: signs at the begin of lines to skip.
        allow_unreachable: accept outputs that no input reaches.

    Returns:
        The DAG; with ``weights`` also an array (E,) float64, in the order of ``dag.edges``.

    Raises:
        CycleError, GraphError: see `DAG.from_edges`; also a file whose meaning is not plain, a line without two labels,
            a weight that is no finite number. The message names file and line.
        OSError: the file cannot be read.
    """
    try:
        text = contents(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GraphError(f"{path} is no table in UTF-8 text: {error}") from error
    try:
        table = read_table(
            text, delimiter=delimiter, header=header, columns=columns, weights=weights, comments=comments
        )
    except GraphError as error:
        raise GraphError(f"{path}{', ' if str(error).startswith('line ') else ': '}{error}") from None
    try:
        facts = _facts(table.notes)
        edges = [(_unguarded(source), _unguarded(target)) for source, target in table.edges]
        dag, order = _dag(edges, inputs, outputs, facts, allow_unreachable)
    except GraphError as error:
        raise type(error)(f"{path}: {error}") from None
    return dag if table.weights is None else (dag, checked_weights(table.weights, dag.n_edges)[order])


def write_edge_list(path: AnyPath, dag: DAG, weight: ArrayLike | None = None, *, note: bool | None = None) -> None:
    """Write the edges of ``dag`` with the header source,target, and weight (E,) where given; see `read_edge_list`.

    A table of edges cannot say that a neuron has none, which neurons are outputs that somebody forgot to feed, what
    their ids and activations are. Where that matters, a comment line ends the file, from which
    `read_edge_list` makes the same DAG again. A name that spreadsheets would run as a formula gets an apostrophe before
    it, which `read_edge_list` takes away.

    Args:
        path: overwritten.
        dag: its names, or else its numbers, are the labels.
        weight: (E,), in the order of ``dag.edges``.
        note: whether to write that line; None: where the table alone would be read as another DAG. False is for
            programs that know no comments.

    Raises:
        GraphError: two neurons have one name, so that they would be read as one; or a weight is not finite.
        OSError: the file cannot be written.
    """
    names = distinct_names(dag.names, dag.n)
    values = None if weight is None else checked_weights(weight, dag.n_edges).tolist()
    edges = [(names[source], names[target]) for source, target in dag.edges.tolist()]
    lines = ["source,target" if values is None else "source,target,weight"]
    for number, edge in enumerate(edges):
        cells = [quoted(_guarded(label), ",", _COMMENTS) for label in edge]
        lines.append(",".join(cells if values is None else [*cells, repr(values[number])]))
    if note is True or (note is None and not _says_all(edges, dag)):
        facts = {**json.loads(dag.to_json()), "names": dag.names}
        del facts["sources"], facts["targets"]
        lines.append(f"# {_NOTE}{json.dumps(facts)}")
    write_whole(path, "\n".join([*lines, ""]))


def _guarded(label: str) -> str:
    """A label as a cell that no spreadsheet takes for a formula: behind an apostrophe, where it would."""
    bare = label.lstrip("'")
    return f"'{label}" if is_formula(bare) and not (bare == label and _is_number(label)) else label


def _unguarded(cell: str) -> str:
    """Inverse of `_guarded`."""
    return cell[1:] if cell[:1] == "'" and is_formula(cell.lstrip("'")) else cell


def _says_all(edges: list[tuple[str, str]], dag: DAG) -> bool:
    """Whether `read_edge_list` makes this DAG of its edges alone."""
    try:
        found, _ = _dag(edges, None, None, None, False)
    except GraphError:
        return False
    return found == dag and found.names == dag.names and not dag.allow_unreachable


def _facts(notes: list[str]) -> dict[str, Any] | None:
    """What `write_edge_list` noted of a DAG beside its edges."""
    for note in notes:
        if note.startswith(_NOTE):
            try:
                facts = json.loads(note.removeprefix(_NOTE))
                names = facts["names"]
                blank = DAG.from_json(
                    json.dumps({**facts, "sources": [], "targets": [], "allow_unreachable": True, "names": names})
                )
            except (ValueError, RecursionError, KeyError, TypeError) as error:
                raise GraphError(f"its line {short('# ' + note)} cannot be read ({error}); remove it") from None
            return {"dag": blank, "allow_unreachable": facts.get("allow_unreachable") is True}
    return None


def _dag(
    edges: list[tuple[str, str]],
    inputs: Iterable[Hashable] | None,
    outputs: Iterable[Hashable] | None,
    facts: dict[str, Any] | None,
    allow_unreachable: bool,
) -> tuple[DAG, NDArray[Any]]:
    """The DAG, and which of ``edges`` each of its edges is, (E,)."""
    extra: dict[str, Any] = {}
    if facts is None:
        labels = list(dict.fromkeys(label for edge in edges for label in edge))
        if all(_is_number(label) for label in labels):
            labels.sort(key=int)
        sources, targets = {source for source, _ in edges}, {target for _, target in edges}
        first = [label for label in labels if label not in targets]
        last = [label for label in labels if label not in sources]
    else:
        noted: DAG = facts["dag"]
        labels = list(distinct_names(noted.names, noted.n))
        first, last = labels[: noted.n_inputs], labels[noted.first_output :]
        extra["ids"] = dict(zip(labels, noted.ids.tolist(), strict=True))
        if noted.activations is not None:
            extra["activations"] = {label: word for label, word in zip(labels, noted.activations, strict=True) if word}
        allow_unreachable = allow_unreachable or facts["allow_unreachable"]
    first = first if inputs is None else [str(each) for each in inputs]
    last = last if outputs is None else [str(each) for each in outputs]
    known = set(labels)
    for role, given in (("input", first), ("output", last)):
        for label in given:
            if label not in known:
                raise GraphError(f"{role} {label!r} is an unknown neuron: no line of the file names it")
    parts = parts_of_edges(edges, first, last, labels, extra.get("ids"), None, extra.get("activations"))
    dag, order = DAG(**parts._asdict(), allow_unreachable=allow_unreachable), edge_order(parts)
    plain = tuple(str(number) for number in range(dag.n))
    return (dag.with_names(None) if dag.names == plain and (facts is None or noted.names is None) else dag), order


def _is_number(label: str) -> bool:
    return label.isascii() and label.removeprefix("-").isdigit()
