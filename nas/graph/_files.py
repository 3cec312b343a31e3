"""Graphs in files that other programs read and write: edge lists (CSV), GraphML and DOT.

Only the structure and, where asked for, one number an edge is kept; networks with all their parameters are the
business of `nas.checkpoint`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.errors import GraphError
from nas.graph._check import short
from nas.graph._dag import DAG, Role

__all__ = ["read_edge_list", "read_graphml", "to_dot", "write_dot", "write_edge_list", "write_graphml"]

_COLUMNS = ("source", "target")
_SHAPES = {Role.INPUT: "box", Role.COMPUTATIONAL: "circle", Role.OUTPUT: "doublecircle"}
_RANKS = {Role.INPUT: "source", Role.OUTPUT: "sink"}

AnyPath = str | os.PathLike[str]


def read_edge_list(
    path: AnyPath,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
    *,
    delimiter: str = ",",
    allow_unreachable: bool = False,
) -> DAG:
    """The DAG of a CSV file with one edge a line.

    Columns are found by the names ``source`` and ``target`` in the first line; without such a line the first two
    columns are meant. Further columns (a weight, say) are not looked at. Labels are text and become names.

    Args:
        path: UTF-8 text.
        inputs: labels (or numbers, compared as text) of the inputs, in order; neurons without in-edges by default,
            ordered by number where every label of the file is a whole number, else by first appearance.
        outputs: the same of the outputs; neurons without out-edges by default.
        delimiter: between columns; ``"\\t"`` for tables separated by tabs.
        allow_unreachable: accept outputs that no input reaches.

    Raises:
        CycleError, GraphError: see `DAG.from_edges`; also a line without two labels. The message names file and line.
        OSError: the file cannot be read.
    """
    edges = _edges_of_csv(path, delimiter)
    labels = list(dict.fromkeys(label for edge in edges for label in edge))
    if all(_is_number(label) for label in labels):
        labels.sort(key=int)
    sources, targets = {source for source, _ in edges}, {target for _, target in edges}
    first = [label for label in labels if label not in targets] if inputs is None else [str(each) for each in inputs]
    last = [label for label in labels if label not in sources] if outputs is None else [str(each) for each in outputs]
    for role, given in (("input", first), ("output", last)):
        for label in given:
            if label not in sources and label not in targets:
                raise GraphError(f"{path}: {role} {label!r} is an unknown neuron: no line of the file names it")
    try:
        return DAG.from_edges(edges, first, last, neurons=labels, allow_unreachable=allow_unreachable)
    except GraphError as error:
        raise type(error)(f"{path}: {error}") from None


def write_edge_list(path: AnyPath, dag: DAG, weight: ArrayLike | None = None) -> None:
    """Write the edges of ``dag`` with the header source,target, and weight (E,) where given; see `read_edge_list`.

    Neurons without any edge are lost.
    """
    names = _names(dag)
    values = _weights(dag, weight)
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS if values is None else (*_COLUMNS, "weight"))
        for number, (source, target) in enumerate(dag.edges.tolist()):
            writer.writerow((names[source], names[target], *(() if values is None else (repr(values[number]),))))


def read_graphml(
    path: AnyPath,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
    *,
    allow_unreachable: bool = False,
) -> DAG:
    """The DAG of a GraphML file, from `write_graphml` or any other program; roles as in `DAG.from_networkx`.

    Raises:
        CycleError, GraphError: see `DAG.from_networkx`; also a file that is no GraphML. The message names the file.
        OSError: the file cannot be read.
    """
    import networkx

    try:
        with Path(path).open("rb") as file:
            graph: Any = networkx.read_graphml(file)
    except (SyntaxError, ValueError, LookupError, TypeError, networkx.NetworkXException) as error:
        # SyntaxError is what the XML parser of the standard library raises, LookupError of an unknown encoding
        raise GraphError(f"{path} is no GraphML file that can be read: {error}") from error
    if graph.is_multigraph():
        twice = next(edge for edge in graph.edges() if graph.number_of_edges(*edge) > 1)
        raise GraphError(f"{path}: an edge may be given once, but {twice[0]}->{twice[1]} is given twice; remove one")
    given = [None if each is None else [str(label) for label in each] for each in (inputs, outputs)]
    try:
        return DAG.from_networkx(graph, *given, allow_unreachable=allow_unreachable)
    except GraphError as error:
        raise type(error)(f"{path}: {error}") from None


def write_graphml(path: AnyPath, dag: DAG, weight: ArrayLike | None = None) -> None:
    """Write ``dag`` as GraphML: nodes 0..n-1 with role, id and name, edges with ``weight`` (E,) where given."""
    import networkx

    graph = dag.to_networkx()
    values = _weights(dag, weight)
    if values is not None:
        for (source, target), value in zip(dag.edges.tolist(), values.tolist(), strict=True):
            graph.edges[source, target]["weight"] = value
    with Path(path).open("wb") as file:
        networkx.write_graphml(graph, file)


def to_dot(dag: DAG, weight: ArrayLike | None = None) -> str:
    """``dag`` in the language of Graphviz, left to right; edges carry ``weight`` (E,) and its sign as colour."""
    values = _weights(dag, weight)
    lines = ["digraph {", "  rankdir=LR;"]
    names = _names(dag)
    for role in Role:
        members = np.flatnonzero(dag.roles == role).tolist()
        if members:
            rank = f"rank={_RANKS[role]}; " if role in _RANKS else ""
            lines.append(f"  {{ {rank}node [shape={_SHAPES[role]}];")
            lines += [f"    {number} [label={_quoted(names[number])}];" for number in members]
            lines.append("  }")
    for number, (source, target) in enumerate(dag.edges.tolist()):
        style = ""
        if values is not None:
            value = float(values[number])
            colour = "blue" if value > 0 else "orange" if value < 0 else "gray"
            style = f' [label="{value:.3g}", weight=1, color={colour}]'
        lines.append(f"  {source} -> {target}{style};")
    return "\n".join([*lines, "}", ""])


def write_dot(path: AnyPath, dag: DAG, weight: ArrayLike | None = None) -> None:
    """Write `to_dot` to a file; ``dot -Tsvg FILE`` of Graphviz draws it."""
    Path(path).write_text(to_dot(dag, weight), encoding="utf-8")


def _edges_of_csv(path: AnyPath, delimiter: str) -> list[tuple[str, str]]:
    edges: list[tuple[str, str]] = []
    columns = (0, 1)
    first = True
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if not any(cells):
                    continue
                if first:
                    first = False
                    lower = [cell.lower() for cell in cells]
                    if all(name in lower for name in _COLUMNS):
                        columns = (lower.index("source"), lower.index("target"))
                        continue
                pair = tuple(cells[place] if place < len(cells) else "" for place in columns)
                if not all(pair):
                    raise GraphError(
                        f"{path}, line {reader.line_num}: a line holds a source and a target, but this is "
                        f"{short(delimiter.join(row))}"
                    )
                edges.append((pair[0], pair[1]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise GraphError(f"{path} is no table in UTF-8 text: {error}") from error
    if not edges:
        raise GraphError(f"{path} holds no edge; write one a line: source{delimiter}target")
    return edges


def _names(dag: DAG) -> tuple[str, ...]:
    return dag.names if dag.names is not None else tuple(str(number) for number in range(dag.n))


def _weights(dag: DAG, weight: ArrayLike | None) -> NDArray[np.float64] | None:
    if weight is None:
        return None
    values = np.asarray(weight, dtype=np.float64)
    if values.shape != (dag.n_edges,):
        raise GraphError(f"weight must have shape ({dag.n_edges},), one an edge, but has shape {values.shape}")
    return values


def _is_number(label: str) -> bool:
    return label.isascii() and label.removeprefix("-").isdigit()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
