"""Graphs from elsewhere (labelled edges, networkx, matrices) as the numbered parts of a DAG, and back.

The functions here return `Parts`, the arguments of the DAG constructor, so that this module need not know the class.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse

from nas.errors import GraphError
from nas.graph._kernels import Int32Array, Int64Array
from nas.graph._order import listed, sorted_neurons

if TYPE_CHECKING:
    import networkx


class Parts(NamedTuple):
    """Arguments of the DAG constructor, by name."""

    n_inputs: int
    n_computational: int
    n_outputs: int
    edges: Int32Array | Int64Array
    ids: Int64Array | None
    names: tuple[str, ...] | None
    activations: tuple[str, ...] | None = None


def parts_of_edges(
    edges: Iterable[tuple[Hashable, Hashable]],
    inputs: Iterable[Hashable],
    outputs: Iterable[Hashable],
    neurons: Iterable[Hashable] | None,
    ids: Mapping[Hashable, int] | None,
    names: Mapping[Hashable, str] | None,
    activations: Mapping[Hashable, str] | None = None,
) -> Parts:
    """See `DAG.from_edges`."""
    inputs, outputs = list(inputs), list(outputs)
    number: dict[Hashable, int] = {}
    for role, labels in (("inputs", inputs), ("outputs", outputs)):
        for label in labels:
            if label in number:
                also = "outputs" if role == "outputs" and number[label] >= len(inputs) else "inputs"
                raise GraphError(f"a neuron has one role, but {label!r} is duplicate: in {also} and again in {role}")
            number[label] = len(number)
    known = neurons is not None
    for label in neurons or ():
        number.setdefault(label, len(number))
    pairs = []
    for pair in edges:
        try:
            source, target = pair
        except (TypeError, ValueError):
            raise GraphError(f"an edge is a pair (source, target), but there is {pair!r}") from None
        for label in (source, target):
            if label not in number:
                if known:
                    raise GraphError(
                        f"edge {source!r}->{target!r} names the unknown neuron {label!r}; add it to neurons"
                    )
                number[label] = len(number)
        pairs.append((number[source], number[target]))
    labels = list(number)
    sizes = (len(inputs), len(labels) - len(inputs) - len(outputs), len(outputs))
    # Outputs were numbered right after the inputs; they go to the end.
    final = [
        *range(len(inputs)),
        *range(len(inputs) + len(outputs), len(labels)),
        *range(len(inputs), sizes[0] + sizes[2]),
    ]
    labels = [labels[old] for old in final]
    place = np.empty(len(labels), dtype=np.int64)
    place[final] = np.arange(len(labels))
    array = place[np.array(pairs, dtype=np.int64).reshape(-1, 2)]
    _check_roles(array, sizes, labels)
    order, array = sort_edges(array, sizes, labels)
    labels = [labels[old] for old in order]
    for what, mapping in (("ids", ids), ("names", names)):
        missing = [repr(label) for label in labels if mapping is not None and label not in mapping]
        if missing:
            raise GraphError(f"{what} must cover every neuron, but lack {listed(missing)}")
    given_ids = None if ids is None else np.array([ids[label] for label in labels])
    if names is not None:
        given_names: tuple[str, ...] | None = tuple(names[label] for label in labels)
    elif all(type(label) is int and label == place for place, label in enumerate(labels)):
        given_names = None  # the labels say no more than the numbering
    else:
        given_names = tuple(str(label) for label in labels)
    unknown = [repr(label) for label in activations or () if label not in number]
    if unknown:
        raise GraphError(f"activations are given for unknown neurons: {listed(unknown)}")
    words = None if activations is None else tuple(activations.get(label, "") for label in labels)
    return Parts(*sizes, array, given_ids, given_names, words)


def parts_of_networkx(
    graph: networkx.DiGraph[Any], inputs: Iterable[Hashable] | None, outputs: Iterable[Hashable] | None
) -> Parts:
    """See `DAG.from_networkx`."""
    if not graph.is_directed():
        raise GraphError("edges of a DAG have a direction, but the networkx graph is undirected; use a DiGraph")
    data: dict[Hashable, dict[str, Any]] = dict(graph.nodes(data=True))
    roles = {label: attributes.get("role") for label, attributes in data.items()}
    for label, role in roles.items():
        if role not in (None, "input", "computational", "output"):
            raise GraphError(f"role of node {label!r} must be input, computational or output, but is {role!r}")
    has_roles = any(role is not None for role in roles.values())
    if inputs is None:
        inputs = [label for label in data if (roles[label] == "input" if has_roles else graph.in_degree(label) == 0)]
    inputs = list(inputs)
    if outputs is None:
        outputs = [label for label in data if (roles[label] == "output" if has_roles else graph.out_degree(label) == 0)]
    outputs = list(outputs)
    for label in (*inputs, *outputs):
        if label not in data:
            raise GraphError(f"unknown neuron: {label!r} is named as input or output but is no node of the graph")
    ids = {label: attributes["id"] for label, attributes in data.items() if "id" in attributes}
    names = {label: attributes["name"] for label, attributes in data.items() if "name" in attributes}
    words = {label: attributes["activation"] for label, attributes in data.items() if attributes.get("activation")}
    return parts_of_edges(graph.edges(), inputs, outputs, list(data), ids or None, names or None, words or None)


def parts_of_matrix(
    matrix: Any, n_inputs: int, n_outputs: int, ids: Sequence[int] | None, names: Sequence[str] | None
) -> Parts:
    """See `DAG.from_adjacency`."""
    if scipy.sparse.issparse(matrix):
        coordinates = matrix.tocoo()
        shape, values = coordinates.shape, np.asarray(coordinates.data)
        rows, columns = coordinates.row, coordinates.col
    else:
        dense = np.asarray(matrix)
        shape = dense.shape
        if dense.ndim == 2:
            if dense.dtype.kind not in "biuf":
                raise GraphError(f"an adjacency matrix holds numbers or booleans, but is of type {dense.dtype}")
            rows, columns = np.nonzero(dense)
            values = dense[rows, columns]
    n = shape[0] if shape else 0
    if len(shape) != 2 or shape[1] != n:
        raise GraphError(
            f"an adjacency matrix must be square (n, n), M[i, j] != 0 for edge j->i, but has shape {shape}"
        )
    if n_inputs + n_outputs > n:
        raise GraphError(f"the matrix has {n} rows, fewer than {n_inputs} inputs and {n_outputs} outputs together")
    live = values != 0
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise GraphError(
            f"entry [{rows[bad]}, {columns[bad]}] of the adjacency matrix must be finite, but is {values[bad]}"
        )
    array = np.unique(np.stack([columns[live], rows[live]], axis=1).astype(np.int64), axis=0)
    sizes = (int(n_inputs), int(n - n_inputs - n_outputs), int(n_outputs))
    labels = list(range(n))
    _check_roles(array, sizes, labels)
    order, array = sort_edges(array, sizes, labels)
    for what, given in (("ids", ids), ("names", names)):
        if given is not None and len(given) != n:
            raise GraphError(f"{what} must hold one entry a row of the matrix ({n}), but hold {len(given)}")
    given_ids = order if ids is None else np.asarray(ids)[order]
    return Parts(*sizes, array, given_ids, None if names is None else tuple(names[row] for row in order))


def sort_edges(
    array: Int64Array, sizes: tuple[int, int, int], labels: Sequence[Hashable]
) -> tuple[Int64Array, Int64Array]:
    """The topological order nearest to the given numbering, and the edges (E, 2) in the new numbering.

    Inputs stay first and outputs last: the smallest ready neuron goes first, and while computational neurons are left
    one of them is ready, because no output stands before them.
    """
    n = sum(sizes)
    sources, targets = (np.ascontiguousarray(column, dtype=np.int32) for column in array.T)
    order = sorted_neurons(sources, targets, n, lambda neuron: str(labels[neuron]))
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    return order, place[array]


def to_networkx(
    sizes: tuple[int, int, int],
    edges: Int32Array,
    ids: Int64Array,
    names: tuple[str, ...] | None,
    activations: tuple[str, ...] | None,
) -> networkx.DiGraph[Any]:
    """See `DAG.to_networkx`."""
    import networkx

    graph: networkx.DiGraph[Any] = networkx.DiGraph()
    roles = ["input"] * sizes[0] + ["computational"] * sizes[1] + ["output"] * sizes[2]
    for neuron, (role, identity) in enumerate(zip(roles, ids.tolist(), strict=True)):
        label = {} if names is None else {"name": names[neuron]}
        if activations is not None and activations[neuron]:
            label["activation"] = activations[neuron]
        graph.add_node(neuron, role=role, id=identity, **label)
    graph.add_edges_from(edges.tolist())
    return graph


def _check_roles(array: Int64Array, sizes: tuple[int, int, int], labels: Sequence[Hashable]) -> None:
    """Edges into inputs or out of outputs, named by their labels (the constructor only knows numbers)."""
    first_output = sizes[0] + sizes[1]
    for bad, rule in (
        (array[:, 1] < sizes[0], "no edge may enter an input"),
        (array[:, 0] >= first_output, "no edge may leave an output"),
    ):
        rows = np.flatnonzero(bad & (array[:, 0] != array[:, 1]))
        if rows.size:
            source, target = (labels[neuron] for neuron in array[rows[0]])
            raise GraphError(f"{rule}, but there is edge {source!r}->{target!r}; remove it or change the roles")
