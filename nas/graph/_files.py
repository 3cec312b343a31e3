"""Graphs in files that other programs read and write: GraphML and DOT; `nas.graph._edge_list` has tables.

Only the structure and, where asked for, one number an edge is kept; networks with all their parameters are the
business of `nas.checkpoint`.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Hashable, Iterable
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas._files import contents, write_whole
from nas.errors import GraphError
from nas.graph._check import checked_weights
from nas.graph._dag import DAG, Role

__all__ = ["read_graphml", "to_dot", "write_dot", "write_graphml"]

_SHAPES = {Role.INPUT: "box", Role.COMPUTATIONAL: "circle", Role.OUTPUT: "doublecircle"}
_RANKS = {Role.INPUT: "source", Role.OUTPUT: "sink"}

AnyPath = str | os.PathLike[str]


@overload
def read_graphml(
    path: AnyPath,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
    *,
    weights: Literal[False] = False,
    allow_unreachable: bool = False,
) -> DAG: ...
@overload
def read_graphml(
    path: AnyPath,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
    *,
    weights: Literal[True] | str,
    allow_unreachable: bool = False,
) -> tuple[DAG, NDArray[np.float64]]: ...
def read_graphml(
    path: AnyPath,
    inputs: Iterable[Hashable] | None = None,
    outputs: Iterable[Hashable] | None = None,
    *,
    weights: bool | str = False,
    allow_unreachable: bool = False,
) -> DAG | tuple[DAG, NDArray[np.float64]]:
    """The DAG of a GraphML file, from `write_graphml` or any other program; see `DAG.from_networkx`.

    Nodes of other programs are called by their ids in the file.

    Args:
        path: a file with one graph.
        inputs, outputs: ids of nodes (compared as text), in order.
        weights: return ``(dag, weight)``, the edge attribute of this name (True: "weight") as (E,) float64 in the order
            of ``dag.edges``.
        allow_unreachable: accept outputs that no input reaches.

    Raises:
        CycleError, GraphError: see `DAG.from_networkx`; also a file that is no GraphML, or holds several graphs, graphs
            inside of nodes, a node twice, or an edge of a node that it does not have. The message names the file.
        OSError: the file cannot be read.
    """
    import networkx
    from networkx.readwrite.graphml import GraphMLReader

    content = contents(path)
    try:
        _check_graphml(content)
        graphs: list[Any] = list(GraphMLReader()(string=content)) or [networkx.parse_graphml(content.decode("utf-8"))]
    except GraphError as error:
        raise GraphError(f"{path}: {error}") from None
    except (SyntaxError, ValueError, LookupError, TypeError, networkx.NetworkXException) as error:
        # SyntaxError is what the XML parser of the standard library raises, LookupError of an unknown encoding
        raise GraphError(f"{path} is no GraphML file that can be read: {error}") from error
    if len(graphs) > 1:
        raise GraphError(f"{path}: a file of one graph is read, but this one holds {len(graphs)}; keep one")
    graph = graphs[0]
    if graph.is_multigraph():
        twice = next((edge for edge in graph.edges() if graph.number_of_edges(*edge) > 1), None)
        if twice is not None:
            raise GraphError(
                f"{path}: an edge may be given once, but {twice[0]}->{twice[1]} is given twice; remove one"
            )
    given = [None if each is None else [str(label) for label in each] for each in (inputs, outputs)]
    try:
        for _, attributes in graph.nodes(data=True):
            if str(attributes.get("nas_name", "")).startswith('"'):
                attributes["nas_name"] = json.loads(attributes["nas_name"])
        if weights is False:
            return _unnamed(DAG.from_networkx(graph, *given, allow_unreachable=allow_unreachable), graph)
        dag, weight = DAG.from_networkx(graph, *given, weights=weights, allow_unreachable=allow_unreachable)
        return _unnamed(dag, graph), weight
    except GraphError as error:
        raise type(error)(f"{path}: {error}") from None
    except ValueError as error:
        raise GraphError(f"{path}: a name in quotation marks is JSON, but one is not: {error}") from None


def _check_graphml(content: bytes) -> None:
    """What networkx reads past: it makes nodes of the misspelt ends of edges, and drops what is inside of a node."""
    from xml.etree import ElementTree

    nodes: set[str | None] = set()
    ends: list[tuple[str, str | None]] = []
    open_nodes = 0
    for event, element in ElementTree.iterparse(io.BytesIO(content), ("start", "end")):
        match event, element.tag.rpartition("}")[2]:
            case "start", "node":
                open_nodes += 1
                if (name := element.get("id")) in nodes:
                    raise GraphError(f"a node may be given once, but {name!r} is given twice; remove one")
                nodes.add(name)
            case "end", "node":
                open_nodes -= 1
            case "start", "graph" if open_nodes:
                raise GraphError("a graph inside of a node (a group) is not read; take the group apart")
            case "start", "edge":
                ends += [(f"{element.get('source')}->{element.get('target')}", element.get("source"))]
                ends += [(ends[-1][0], element.get("target"))]
    for edge, end in ends:
        if end not in nodes:
            raise GraphError(f"edge {edge} names the node {end!r}, which the file does not have; add it, or correct it")


def write_graphml(path: AnyPath, dag: DAG, weight: ArrayLike | None = None) -> None:
    """Write ``dag`` as GraphML: nodes 0..n-1 with attributes as in `DAG.to_networkx`, edges with ``weight`` (E,).

    A name that XML would not give back as it is (blanks at its ends, control characters) is written as JSON.
    """
    import networkx

    graph = dag.to_networkx(weight)
    for _, attributes in graph.nodes(data=True):
        name = attributes.get("nas_name")
        if name is not None and (name != name.strip() or not name.isprintable() or name[:1] in ("", '"')):
            attributes["nas_name"] = json.dumps(name)
    written = io.BytesIO()
    networkx.write_graphml(graph, written)
    write_whole(path, written.getvalue())


def to_dot(dag: DAG, weight: ArrayLike | None = None) -> str:
    """``dag`` in the language of Graphviz, left to right; edges carry ``weight`` (E,) and its sign as colour."""
    values = None if weight is None else checked_weights(weight, dag.n_edges)
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
    write_whole(path, to_dot(dag, weight))


def _names(dag: DAG) -> tuple[str, ...]:
    return dag.names if dag.names is not None else tuple(str(number) for number in range(dag.n))


def _unnamed(dag: DAG, graph: Any) -> DAG:
    """Without names where those are only what nodes have for want of one: in files, their numbers are text."""
    named = any("nas_name" in attributes or "name" in attributes for _, attributes in graph.nodes(data=True))
    return dag if named or dag.names != tuple(str(number) for number in range(dag.n)) else dag.with_names(None)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
