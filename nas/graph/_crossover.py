"""Recombination of two graphs whose neurons are matched by id."""

from __future__ import annotations

import numpy as np

from nas.errors import GraphError
from nas.graph._cells import contains
from nas.graph._dag import DAG
from nas.graph._kernels import supporting_edges, topological_order
from nas.graph._match import match_neurons


def crossover(a: DAG, b: DAG, rng: np.random.Generator, *, share: float = 0.5) -> DAG:
    """A child with what both parents have and a random part of what only one has.

    Neurons and edges that both parents have are kept. A computational neuron of one parent only is kept with
    probability 1 - share (of ``a``) or ``share`` (of ``b``), and with it all its edges to other neurons of the child;
    an edge of one parent only, between neurons of both, likewise. Two acyclic parents may contradict each other's
    order: edges of ``b`` that would close a cycle with those taken from ``a`` are left out. A random set of edges of
    ``a`` that reaches every output is always kept.

    Args:
        a: the parent that wins conflicts; names and ``allow_unreachable`` are its.
        b: the other parent, with the same inputs and outputs (same ids in the same order).
        rng: source of chance.
        share: how much of the difference comes from ``b``, in [0, 1]; 0 gives ``a`` itself.

    Returns:
        The child. Ids are those of the parents (see `nas.graph.first_id_of_trial` on ids of siblings).

    Raises:
        GraphError: the parents differ in inputs or outputs, or share is out of range.
    """
    if not 0 <= share <= 1:
        raise GraphError(f"share must lie in [0, 1], but is {share}")
    _check_same_ends(a, b)
    # One provisional numbering: a's neurons, then those that only b has.
    of_b = match_neurons(a, b)
    alone = np.flatnonzero(of_b < 0)
    of_b[alone] = a.n + np.arange(alone.size)
    n = a.n + alone.size
    in_a, in_b = np.arange(n) < a.n, np.zeros(n, dtype=np.bool_)
    in_b[of_b] = True

    support = supporting_edges(
        a.sources, a.targets, a.reached_neurons(), a.n_inputs, a.first_output, rng.random(a.n_edges)
    )
    neurons = (in_a & in_b) | (rng.random(n) < np.where(in_a, 1 - share, share))
    neurons[a.sources[support]] = neurons[a.targets[support]] = True

    sources_b, targets_b = of_b[b.sources].astype(np.int32), of_b[b.targets].astype(np.int32)
    key_a = a.targets.astype(np.int64) * n + a.sources
    key_b = targets_b.astype(np.int64) * n + sources_b
    shared_b = contains(key_a, key_b)  # a's keys ascend, by the order of edges
    shared_a = np.zeros(a.n_edges, dtype=np.bool_)
    shared_a[np.searchsorted(key_a, key_b[shared_b])] = True
    exclusive = ~(in_a & in_b)
    take_a = shared_a | exclusive[a.sources] | exclusive[a.targets] | (rng.random(a.n_edges) < 1 - share)
    take_a = support | (take_a & neurons[a.sources] & neurons[a.targets])
    take_b = exclusive[sources_b] | exclusive[targets_b] | (rng.random(b.n_edges) < share)
    take_b &= ~shared_b & neurons[sources_b] & neurons[targets_b]

    # The order that a's edges force, otherwise b's: then few edges of b stand against it.
    place = np.linspace(0, 1, a.n)
    place = np.concatenate([place, np.zeros(alone.size)])
    place[of_b] = np.linspace(0, 1, b.n)
    place[: a.n_inputs], place[a.first_output : a.n] = -1, 2
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(place, kind="stable")] = np.arange(n)
    order = topological_order(a.sources[take_a], a.targets[take_a], rank)
    number = np.empty(n, dtype=np.int64)
    number[order] = np.arange(n)
    take_b &= number[sources_b] < number[targets_b]

    names = None
    if a.names is not None:
        names = (*a.names, *(b.names[i] if b.names is not None else f"n{b.ids[i]}" for i in alone))
    activations = None
    if a.activations is not None or b.activations is not None:
        of_a = a.activations or ("",) * a.n
        of_b_alone = ("",) * alone.size if b.activations is None else [b.activations[i] for i in alone]
        activations = (*of_a, *of_b_alone)
    kept = order[neurons[order]]
    final = np.full(n, -1, dtype=np.int32)
    final[kept] = np.arange(kept.size, dtype=np.int32)
    sources = final[np.concatenate([a.sources[take_a], sources_b[take_b]])]
    targets = final[np.concatenate([a.targets[take_a], targets_b[take_b]])]
    return DAG(
        a.n_inputs,
        kept.size - a.n_inputs - a.n_outputs,
        a.n_outputs,
        np.stack([sources, targets], axis=1),
        np.concatenate([a.ids, b.ids[alone]])[kept],
        None if names is None else [names[neuron] for neuron in kept],
        a.allow_unreachable,
        None if activations is None else [activations[neuron] for neuron in kept],
    )


def _check_same_ends(a: DAG, b: DAG) -> None:
    for what, of_a, of_b in (
        ("inputs", a.ids[: a.n_inputs], b.ids[: b.n_inputs]),
        ("outputs", a.ids[a.first_output :], b.ids[b.first_output :]),
    ):
        if of_a.size != of_b.size:
            raise GraphError(f"parents must have the same {what}, but have {of_a.size} and {of_b.size}; choose others")
        different = np.flatnonzero(of_a != of_b)
        if different.size:
            first = int(different[0])
            raise GraphError(
                f"parents must have the same {what}, but number {first} of the {what} has id {of_a[first]} and "
                f"{of_b[first]}; choose parents of one search"
            )
