"""Elementary changes of a DAG, each fully determined by its arguments, and the rebuilding that all changes share.

A change returns a new DAG in which surviving neurons keep their ids, names and activations. Numbers shift when a neuron
comes or goes, or when an edge against the numbering makes a new order necessary; that is the one nearest to the old.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import compress

import numpy as np

from nas.errors import GraphError, UnreachableOutputError
from nas.graph._check import MAX_ID
from nas.graph._dag import DAG
from nas.graph._kernels import FloatArray, Int32Array, Int64Array, topological_order
from nas.graph._order import cycle_error, find_path, listed

Edge = int | tuple[int, int]  # the number of an edge in dag.edges, or (source, target)


def add_edge(dag: DAG, source: int, target: int) -> DAG:
    """``dag`` with the edge source->target, renumbered if source > target.

    Raises:
        CycleError: a path leads from target to source; the message names the cycle.
        GraphError: unknown neuron, edge into an input or out of an output, or the edge exists.
    """
    source, target = _neuron(dag, source), _neuron(dag, target)
    if source == target:
        raise cycle_error([source, source], dag.label)
    text = f"{dag.label(source)}->{dag.label(target)}"
    if target < dag.n_inputs:
        raise GraphError(f"no edge may enter an input, but {text} would; choose another target")
    if source >= dag.first_output:
        raise GraphError(f"no edge may leave an output, but {text} would; choose another source")
    if _find(dag, source, target) is not None:
        raise GraphError(f"an edge may be given once, but {text} exists already; choose another")
    if source > target and (path := find_path(dag.sources, dag.targets, dag.n, target, source)) is not None:
        raise cycle_error([source, *path], dag.label)
    return rebuilt(dag, np.append(dag.sources, np.int32(source)), np.append(dag.targets, np.int32(target)))


def remove_edge(dag: DAG, edge: Edge) -> DAG:
    """``dag`` without the edge.

    Raises:
        UnreachableOutputError: an output would lose its last path (unless ``dag.allow_unreachable``).
        GraphError: no such edge.
    """
    keep = np.ones(dag.n_edges, dtype=np.bool_)
    keep[_edge(dag, edge)] = False
    return dag.with_edges(keep)


def rewire_edge(dag: DAG, edge: Edge, *, source: int | None = None, target: int | None = None) -> DAG:
    """``dag`` with one end of an edge, or both, moved to other neurons.

    Raises:
        CycleError, UnreachableOutputError, GraphError: as `add_edge` and `remove_edge`; the new edge must be new.
    """
    number = _edge(dag, edge)
    keep = np.ones(dag.n_edges, dtype=np.bool_)
    keep[number] = False
    old_source, old_target = int(dag.sources[number]), int(dag.targets[number])
    new_source = old_source if source is None else _neuron(dag, source)
    new_target = old_target if target is None else _neuron(dag, target)
    if (new_source, new_target) == (old_source, old_target):
        raise GraphError(
            f"rewiring must change an end, but edge {dag.label(old_source)}->{dag.label(old_target)} keeps both"
        )
    changed = add_edge(dag.with_edges(keep, allow_unreachable=True), new_source, new_target)
    return DAG(*changed.sizes, changed.edges, changed.ids, changed.names, dag.allow_unreachable, changed.activations)


def add_neuron(
    dag: DAG, edge: Edge, *, keep_edge: bool = False, next_id: int | None = None, name: str | None = None
) -> DAG:
    """``dag`` with a new computational neuron m in the middle of an edge: s->t becomes s->m->t.

    Args:
        dag: the graph.
        edge: which edge to split.
        keep_edge: keep s->t beside the new path.
        next_id: id of the new neuron, larger than all others; largest + 1 by default (see `nas.graph._match`).
        name: name of the new neuron, where neurons have names.

    Raises:
        GraphError: no such edge, or ``next_id`` is not larger than all ids.
    """
    number = np.array([_edge(dag, edge)])
    return split_edges(dag, number, keep_edges=keep_edge, next_id=next_id, names=None if name is None else [name])


def remove_neuron(dag: DAG, neuron: int) -> DAG:
    """``dag`` without a computational neuron and its edges.

    Raises:
        UnreachableOutputError: an output would lose its last path (unless ``dag.allow_unreachable``).
        GraphError: unknown neuron, or one that is an input or output.
    """
    neuron = _neuron(dag, neuron)
    if not dag.n_inputs <= neuron < dag.first_output:
        role = "an input" if neuron < dag.n_inputs else "an output"
        raise GraphError(f"only computational neurons may be removed, but {dag.label(neuron)} is {role}; keep it")
    keep = np.ones(dag.n, dtype=np.bool_)
    keep[neuron] = False
    return keep_neurons(dag, keep)


# -------------------------------------------------------------------- shared by elementary and batch changes


def rebuilt(
    dag: DAG,
    sources: Int32Array,
    targets: Int32Array,
    *,
    place: FloatArray | None = None,
    ids: Int64Array | None = None,
    names: Sequence[str] | None = None,
    activations: Sequence[str] | None = None,
) -> DAG:
    """A DAG of other edges and perhaps more computational neurons, in the order nearest to ``place``.

    Args:
        dag: gives roles, ids and names of neurons 0..n-1.
        sources, targets: (E',) in a provisional numbering: old neurons keep their numbers, new ones follow after n - 1.
        place: (n + new,) where each neuron wants to stand; None when there are no new ones: where it stood.
        ids, names, activations: (n + new,) in the provisional numbering.
    """
    ids = dag.ids if ids is None else ids
    names = dag.names if names is None else names
    n = ids.size
    activations = dag.activations if activations is None else activations
    if place is not None or bool((sources > targets).any()):
        rank = np.empty(n, dtype=np.int64)
        rank[np.arange(n) if place is None else np.argsort(place, kind="stable")] = np.arange(n)
        order = topological_order(sources, targets, rank)
        number = np.empty(n, dtype=np.int32)
        number[order] = np.arange(n, dtype=np.int32)
        sources, targets, ids = number[sources], number[targets], ids[order]
        names = None if names is None else [names[neuron] for neuron in order]
        activations = None if activations is None else [activations[neuron] for neuron in order]
    sizes = (dag.n_inputs, n - dag.n_inputs - dag.n_outputs, dag.n_outputs)
    return DAG(*sizes, np.stack([sources, targets], axis=1), ids, names, dag.allow_unreachable, activations)


def with_neurons(
    dag: DAG,
    sources: Int32Array,
    targets: Int32Array,
    place: FloatArray,
    next_id: int | None,
    names: Sequence[str] | None = None,
    like: Int64Array | None = None,
    base: FloatArray | None = None,
) -> DAG:
    """`rebuilt` with new neurons that want to stand at ``place`` (new,) and get fresh ids.

    Each has the activation of the neuron in ``like`` (new,), or none of its own. The old neurons want to stand at
    ``base`` (n,), by default where they are.
    """
    ids = fresh_ids(dag, place.size, next_id)
    old_names = dag.names
    if old_names is not None:
        old_names = (*old_names, *(names or [f"n{identity}" for identity in ids]))
    return rebuilt(
        dag,
        sources,
        targets,
        place=np.concatenate([np.arange(dag.n) if base is None else base, place]),
        ids=np.concatenate([dag.ids, ids]),
        names=old_names,
        activations=None
        if dag.activations is None
        else (*dag.activations, *([""] * place.size if like is None else [dag.activations[i] for i in like])),
    )


def split_edges(
    dag: DAG, edges: Int64Array, *, keep_edges: bool, next_id: int | None, names: Sequence[str] | None = None
) -> DAG:
    """A new neuron in the middle of each of the edges (k,), given by number, placed half-way between their ends."""
    sources, targets = dag.sources[edges], dag.targets[edges]
    new = np.arange(dag.n, dag.n + edges.size, dtype=np.int32)
    keep = np.ones(dag.n_edges, dtype=np.bool_)
    keep[edges] = keep_edges
    # Inputs and outputs stand at the ends: the new neuron must not land among them.
    place = (np.maximum(sources, dag.n_inputs - 0.5) + np.minimum(targets, dag.first_output - 0.5)) / 2
    return with_neurons(
        dag,
        np.concatenate([dag.sources[keep], sources, new]),
        np.concatenate([dag.targets[keep], new, targets]),
        place,
        next_id,
        names,
    )


def keep_neurons(dag: DAG, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> DAG:
    """``dag`` with only the neurons of the mask (n,), which includes all inputs and outputs.

    Raises:
        UnreachableOutputError: an output would lose its last path (unless ``dag.allow_unreachable``).
    """
    number = (np.cumsum(keep) - 1).astype(np.int32)
    edges = keep[dag.sources] & keep[dag.targets]
    names = None if dag.names is None else list(compress(dag.names, keep))
    removed = dag.n - int(keep.sum())
    result = DAG(
        dag.n_inputs,
        dag.n_computational - removed,
        dag.n_outputs,
        np.stack([number[dag.sources[edges]], number[dag.targets[edges]]], axis=1),
        dag.ids[keep],
        names,
        allow_unreachable=True,
        activations=None if dag.activations is None else list(compress(dag.activations, keep)),
    )
    if dag.allow_unreachable:
        return result
    if lost := result.unreachable_outputs():  # named as in the graph that the caller knows
        gone = listed([dag.label(int(neuron)) for neuron in np.flatnonzero(~keep)])
        raise UnreachableOutputError(
            f"every output must have a path from some input, but without {gone} there is none to "
            f"{listed([dag.label(neuron + removed) for neuron in lost])}; add other edges first"
        )
    return DAG(*result.sizes, result.edges, result.ids, result.names, activations=result.activations)


def fresh_ids(dag: DAG, count: int, next_id: int | None) -> Int64Array:
    """``count`` ids from ``next_id``, or from the largest id + 1."""
    largest = int(dag.ids.max())
    first = largest + 1 if next_id is None else operator.index(next_id)
    if first <= largest:
        raise GraphError(f"next_id must be larger than every id of the graph ({largest}), but is {first}")
    if first + count - 1 > MAX_ID:
        raise GraphError(f"ids must lie in 0…2^62, but {count} new ones from {first} would not; renumber the graph")
    return np.arange(first, first + count, dtype=np.int64)


def _neuron(dag: DAG, neuron: int) -> int:
    try:
        number = operator.index(neuron)
    except TypeError:
        raise GraphError(f"a neuron is given by its number, but got {neuron!r}") from None
    if not 0 <= number < dag.n:
        raise GraphError(f"unknown neuron {number}: neurons are numbered 0…{dag.n - 1}; correct the number")
    return number


def _edge(dag: DAG, edge: Edge) -> int:
    if isinstance(edge, tuple):
        source, target = (_neuron(dag, neuron) for neuron in edge)
        found = _find(dag, source, target)
        if found is None:
            raise GraphError(f"there is no edge {dag.label(source)}->{dag.label(target)}; choose one of dag.edges")
        return found
    try:
        number = operator.index(edge)
    except TypeError:
        raise GraphError(f"an edge is given by its number or as (source, target), but got {edge!r}") from None
    if not 0 <= number < dag.n_edges:
        raise GraphError(f"unknown edge {number}: edges are numbered 0…{dag.n_edges - 1}; correct the number")
    return number


def _find(dag: DAG, source: int, target: int) -> int | None:
    start, end = (int(bound) for bound in dag.in_ptr[target : target + 2])
    place = start + int(np.searchsorted(dag.sources[start:end], source))
    return place if place < end and dag.sources[place] == source else None
