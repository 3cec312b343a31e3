"""How outputs read the network, and the plain DAG of neurons that computes the same.

    activated   output i emits a_i x_i + b_i of x_i = Σ W_ij h_j, like any neuron but without σ (default)
    linear      the published networks: an output reads what its sources have before their σ, and emits the sum:
                y_i = Σ W_ij z_j with z_j = a_j x_j + b_j (z_j = h_j for inputs); it has no a and b of its own
    square      the published MNIST network: y_i², so that no output is negative

What constant neurons add to an output of the latter two is a bias that is not trained (`ManifoldNetwork.pruned`).

`unrolled` writes the latter two as an ordinary graph: a computational neuron that outputs read becomes one with the
identity for σ, and if other neurons read it too, one more that applies σ to it; a squared output gets a neuron before
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nas.graph import DAG

__all__ = ["Readout", "Unrolled", "unrolled"]

Readout = Literal["activated", "linear", "square"]


@dataclass(frozen=True, slots=True)
class Unrolled:
    """An ordinary graph that computes what a network with another readout does."""

    dag: DAG  # with activations
    edges: np.ndarray  # (E,) where each edge of the network lies among those of `dag`; the others have weight 1
    neurons: np.ndarray  # (n - n_inputs of `dag`,) non-input neuron of the network whose a and b it has; -1: 1 and 0


def unrolled(dag: DAG, activation: str, readout: Readout) -> Unrolled:
    """The ordinary graph of a network on ``dag`` whose neurons apply ``activation`` unless the graph says otherwise."""
    assert readout != "activated"
    to_output = dag.targets >= dag.first_output
    reads_linear = np.zeros(dag.n, bool)
    reads_linear[dag.sources[to_output]] = True
    reads_activated = np.zeros(dag.n, bool)
    reads_activated[dag.sources[~to_output]] = True
    words, of, ids, names = [], [], [], []
    linear, activated = np.arange(dag.n), np.arange(dag.n)  # new number of what outputs, and of what others read
    ones: list[tuple[int, int]] = []
    next_id, number = int(dag.ids.max()) + 1, dag.n_inputs

    def add(word: str, own: int, like: int, fresh: bool) -> int:
        nonlocal next_id, number
        words.append(word)
        of.append(own)
        ids.append(next_id if fresh else int(dag.ids[like]))
        names.append(dag.label(like) + "'" if fresh else dag.label(like))
        next_id += fresh
        number += 1
        return number - 1

    for j in range(dag.n_inputs, dag.first_output):
        word = (dag.activations[j] if dag.activations is not None else "") or activation
        both = reads_linear[j] and reads_activated[j]
        linear[j] = activated[j] = add("identity" if reads_linear[j] else word, j - dag.n_inputs, j, False)
        if both:
            activated[j] = add(word, -1, j, True)
            ones.append((linear[j], activated[j]))
    sums = {}
    if readout == "square":
        for i in range(dag.first_output, dag.n):
            sums[i] = add("square", i - dag.n_inputs, i, True)
    computational = len(words)
    for i in range(dag.first_output, dag.n):
        activated[i] = add("", -1 if i in sums else i - dag.n_inputs, i, False)
        linear[i] = sums.get(i, activated[i])
        if i in sums:
            ones.append((sums[i], int(activated[i])))
    sources = np.where(to_output, linear[dag.sources], activated[dag.sources])
    targets = linear[dag.targets]
    pairs = np.concatenate([np.stack([sources, targets], axis=1), np.array(ones, np.int64).reshape(-1, 2)])
    plain = DAG(
        dag.n_inputs,
        computational,
        dag.n_outputs,
        pairs,
        [*dag.ids[: dag.n_inputs].tolist(), *ids],
        None if dag.names is None else [*dag.names[: dag.n_inputs], *names],
        True,
        [*[""] * dag.n_inputs, *words],
    )
    # Edges are sorted by target, then source.
    order = np.lexsort((pairs[:, 0], pairs[:, 1]))
    place = np.empty(len(pairs), np.int64)
    place[order] = np.arange(len(pairs))
    return Unrolled(plain, place[: dag.n_edges], np.array(of, np.int64))
