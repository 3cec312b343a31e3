"""What a call of the engine does, in the numbers that its cost depends on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from nas import engine
from nas.graph import DAG

__all__ = ["BASE_ACTIVATION", "Work", "memory_work", "trainer_tiling", "work_of"]

BASE_ACTIVATION = "leaky_relu"  # what others cost is counted as what they cost beyond it
_THREAD_COST = 2000.0  # nanoseconds that a thread more costs in the fused loop, whose threads wait at barriers


@dataclass(frozen=True, slots=True)
class Work:
    """What one call did: a forward pass, or a training step."""

    batch: int
    neurons: int  # that read any: computational and output neurons
    inputs: int  # that are read
    edges: int
    activated: tuple[tuple[str, int], ...] = ()  # activations of computational neurons, and how many have each


def work_of(dag: DAG, batch: int, activation: str) -> Work:
    """A call on all edges of a DAG; neurons that read none do not count.

    Args:
        activation: of the neurons that have none of their own.
    """
    reads = np.diff(dag.in_ptr) > 0
    read = int(np.bincount(dag.sources, minlength=dag.n)[: dag.n_inputs].astype(bool).sum())
    return Work(batch, int(reads[dag.n_inputs :].sum()), read, dag.n_edges, _activated(dag, activation, reads))


def memory_work(dag: DAG, batch: int, activation: str, threads: int) -> Work:
    """The same for the bytes of a trainer: samples are those that its threads hold at a time, neurons all there are."""
    width, _, team = trainer_tiling(dag.n_edges, batch, threads)
    activated = _activated(dag, activation, np.ones(dag.n, bool))
    return Work(width * team, dag.n - dag.n_inputs, dag.n_inputs, dag.n_edges, activated)


def _activated(dag: DAG, activation: str, counted: np.ndarray) -> tuple[tuple[str, int], ...]:
    computational = slice(dag.n_inputs, dag.first_output)
    if dag.activations is None:
        return ((activation, int(counted[computational].sum())),)
    words = [word or activation for word, counts in zip(dag.activations, counted, strict=True) if counts]
    words = words[int(counted[: dag.n_inputs].sum()) : len(words) - int(counted[dag.first_output :].sum())]
    return tuple(sorted(Counter(words).items()))


def trainer_tiling(n_edges: int, batch: int, threads: int) -> tuple[int, int, int]:
    """(tile width, tiles, threads) of the fused training loop."""
    return engine.choose_tiling(n_edges, batch, threads, thread_cost=_THREAD_COST)
