"""Graphs from elsewhere (labelled edges, networkx, matrices) as the numbered parts of a DAG, and back.

The functions here return `Parts`, the arguments of the DAG constructor, so that this module need not know the class.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nas.errors import GraphError
from nas.graph._check import short
from nas.graph._kernels import Int32Array, Int64Array
from nas.graph._order import listed, sorted_neurons

if TYPE_CHECKING:
    import networkx


_OWN: Final = "nas_"  # before the name of each attribute of ours, since others have ids and roles too
_ATTRIBUTES: Final = ("role", "id", "name", "activation")
_ROLES: Final = ("input", "computational", "output")


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
    if names is None:
        _check_texts(labels)
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
    """See `DAG.from_networkx`; edges stay in the order of ``graph.edges()``."""
    if not graph.is_directed():
        raise GraphError("edges of a DAG have a direction, but the networkx graph is undirected; use a DiGraph")
    data = _own(dict(graph.nodes(data=True)))
    roles = {label: attributes.get("role") for label, attributes in data.items()}
    for label, role in roles.items():
        if role not in (None, *_ROLES):
            raise GraphError(f"{_OWN}role of node {label!r} must be input, computational or output, but is {role!r}")
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


def weights_of_networkx(graph: networkx.DiGraph[Any], attribute: str) -> NDArray[np.float64]:
    """The number that each edge has under ``attribute``, (E,) in the order of ``graph.edges()``."""
    values = []
    for source, target, value in graph.edges(data=attribute):
        try:
            number = math.nan if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            said = f"has no {attribute!r}" if value is None else f"has the {attribute!r} {value!r}"
            raise GraphError(
                f"a finite number is read for each edge, but {source!r}->{target!r} {said}; give another attribute "
                "(weights=NAME), or none"
            )
        values.append(number)
    return np.array(values, dtype=np.float64)


def _own(data: dict[Hashable, dict[str, Any]]) -> dict[Hashable, dict[str, Any]]:
    """What the nodes say in attributes of ours, without the prefix; attributes of other programs are not looked at.

    Before there was a prefix, graphs of ours had exactly the attributes role and id, and name and activation, at every
    node; that is taken for ours too.
    """
    prefixed = any(str(key).startswith(_OWN) for attributes in data.values() for key in attributes)
    if not prefixed and data and all(_is_older(attributes) for attributes in data.values()):
        return data
    return {
        label: {key: attributes[_OWN + key] for key in _ATTRIBUTES if _OWN + key in attributes}
        for label, attributes in data.items()
    }


def _is_older(attributes: Mapping[str, Any]) -> bool:
    role, identity = attributes.get("role"), attributes.get("id")
    texts = all(isinstance(attributes.get(key, ""), str) for key in ("name", "activation"))
    return attributes.keys() <= set(_ATTRIBUTES) and role in _ROLES and type(identity) is int and texts


def _check_texts(labels: Iterable[Hashable]) -> None:
    """Labels become names, so no two may be written alike, as 1 and "1" are."""
    seen: dict[str, Hashable] = {}
    for label in labels:
        other = seen.setdefault(str(label), label)
        if other is not label and other != label:
            raise GraphError(
                f"neurons {other!r} and {label!r} ({type(other).__name__} and {type(label).__name__}) are different "
                f"but both written {str(label)!r}; rename one"
            )


def parts_of_matrix(
    matrix: Any, n_inputs: int, n_outputs: int, ids: Sequence[int] | None, names: Sequence[str] | None
) -> tuple[Parts, NDArray[np.float64]]:
    """See `DAG.from_adjacency`; and the entry of each edge of the parts."""
    if hasattr(matrix, "columns") and hasattr(matrix, "index"):  # a table of pandas, whose rows have labels
        matrix, names = _of_frame(matrix, names)
    if scipy.sparse.issparse(matrix):
        coordinates = matrix.tocoo(copy=True)
        coordinates.sum_duplicates()  # entries of one place count together, as everywhere in scipy
        shape, values = coordinates.shape, np.asarray(coordinates.data)
        _check_kind(values)
        rows, columns = coordinates.row, coordinates.col
    else:
        dense = np.asarray(matrix)
        shape = dense.shape
        if dense.ndim == 2:
            _check_kind(dense)
            rows, columns = np.nonzero(dense)
            values = dense[rows, columns]
    n = shape[0] if shape else 0
    if len(shape) != 2 or shape[1] != n:
        raise GraphError(
            f"an adjacency matrix must be square (n, n), M[i, j] != 0 for edge j->i, but has shape {shape}"
        )
    if n_inputs + n_outputs > n:
        raise GraphError(f"the matrix has {n} rows, fewer than {n_inputs} inputs and {n_outputs} outputs together")
    live = values != 0  # stored zeros of a sparse matrix are no edges
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise GraphError(
            f"entry [{rows[bad]}, {columns[bad]}] of the adjacency matrix must be finite, but is {values[bad]}"
        )
    array = np.stack([columns[live], rows[live]], axis=1).astype(np.int64)
    sizes = (int(n_inputs), int(n - n_inputs - n_outputs), int(n_outputs))
    labels = list(range(n))
    try:
        _check_roles(array, sizes, labels)
    except GraphError as error:
        raise GraphError(f"{error}; M[i, j] is edge j->i: where yours is i->j, give its transpose") from None
    order, array = sort_edges(array, sizes, labels)
    for what, given in (("ids", ids), ("names", names)):
        if given is not None and len(given) != n:
            raise GraphError(f"{what} must hold one entry a row of the matrix ({n}), but hold {len(given)}")
    given_ids = order if ids is None else np.asarray(ids)[order]
    parts = Parts(*sizes, array, given_ids, None if names is None else tuple(names[row] for row in order))
    return parts, values[live].astype(np.float64)


def _check_kind(values: NDArray[Any]) -> None:
    if values.dtype.kind not in "biuf":
        raise GraphError(f"an adjacency matrix holds numbers or booleans, but is of type {values.dtype}")


def _of_frame(frame: Any, names: Sequence[str] | None) -> tuple[NDArray[Any], Sequence[str] | None]:
    """The matrix of a table of pandas, and the labels of its rows as names where they are more than numbers."""
    rows, columns = list(frame.index), list(frame.columns)
    if rows != columns:
        raise GraphError(
            f"rows and columns of an adjacency matrix are the same neurons in the same order, but the rows are called "
            f"{short(rows)} and the columns {short(columns)}; reorder with frame[frame.index], or give frame.to_numpy()"
        )
    if names is None and rows != list(range(len(rows))):
        _check_texts(rows)
        names = [str(label) for label in rows]
    return frame.to_numpy(), names


def edge_order(parts: Parts) -> NDArray[np.int64]:
    """Which of ``parts.edges`` each edge of the DAG is that they make, (E,)."""
    edges = np.asarray(parts.edges).reshape(-1, 2)
    return np.lexsort((edges[:, 0], edges[:, 1]))


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
    weight: NDArray[np.float64] | None = None,
) -> networkx.DiGraph[Any]:
    """See `DAG.to_networkx`."""
    import networkx

    graph: networkx.DiGraph[Any] = networkx.DiGraph()
    roles = [role for role, count in zip(_ROLES, sizes, strict=True) for _ in range(count)]
    for neuron, (role, identity) in enumerate(zip(roles, ids.tolist(), strict=True)):
        facts: dict[str, Any] = {"role": role, "id": identity}
        if names is not None:
            facts["name"] = names[neuron]
        if activations is not None and activations[neuron]:
            facts["activation"] = activations[neuron]
        graph.add_node(neuron, **{_OWN + key: value for key, value in facts.items()})
    graph.add_edges_from(edges.tolist())
    if weight is not None:
        for (source, target), value in zip(edges.tolist(), weight.tolist(), strict=True):
            graph.edges[source, target]["weight"] = value
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
