"""The engine in plain torch operations, level by level: what ``torch.export`` and the ONNX exporter can write down.

Slower than the kernels, but made of nothing that is not in every torch installation: an exported program runs where
this package is not installed, and a device whose kernels cannot be trusted computes the right thing. Where a level is
dense enough it is one product with a matrix of its weights and zeros, elsewhere a sum over gathered rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from nas.engine._activations import activation_function
from nas.engine._again import followed
from nas.graph import DAG

__all__ = ["Level", "levels_of", "traceable_apply"]

# Cells of a level's matrix an edge, up to which a product beats gathering and adding rows (one core, batch 128).
_CELLS_AN_EDGE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """Neurons that depend on nothing but earlier levels.

    ``rows`` are places in a state that grows level by level: inputs first, then each level's computational neurons.
    """

    neurons: np.ndarray  # (m,) computational neurons, or all outputs, ascending
    edges: np.ndarray  # (k,) their in-edges, numbers in dag.edges, grouped by neuron
    rows: np.ndarray  # (k,) place in the state of each edge's source
    places: np.ndarray  # (k,) place in ``neurons`` of each edge's target, ascending


@lru_cache(maxsize=16)
def levels_of(dag: DAG) -> tuple[Level, ...]:
    """The computational neurons by level (those without in-edges first), and all outputs as the last level."""
    level = dag.levels()
    place = np.full(dag.n, -1)
    place[: dag.n_inputs] = np.arange(dag.n_inputs)
    filled = dag.n_inputs
    computational = np.arange(dag.n_inputs, dag.first_output)
    order = computational[np.argsort(level[computational], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(level[order])) + 1) if order.size else []
    found = []
    for neurons in [*groups, np.arange(dag.first_output, dag.n)]:
        counts = dag.in_ptr[neurons + 1] - dag.in_ptr[neurons]
        places = np.repeat(np.arange(neurons.size), counts)
        within = np.arange(places.size) - np.repeat(np.cumsum(counts) - counts, counts)
        edges = dag.in_ptr[neurons][places] + within
        found.append(Level(neurons, edges, place[dag.sources[edges]], places))
        place[neurons] = np.arange(filled, filled + neurons.size)
        filled += neurons.size
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where the edges of one level lie, as tensors of a device."""

    rows: Tensor
    places: Tensor
    used: Tensor  # rows that some edge reads
    columns: Tensor | None  # of each edge in the matrix of the level, whose columns are ``used``; None: too sparse


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    edges: Tensor  # those of all levels, one level after another
    neurons: Tensor  # likewise, counted from the first that is no input
    levels: tuple[_Places, ...]


_NONE = torch.zeros(0, dtype=torch.int64)
_NOWHERE = _Places(_NONE, _NONE, _NONE, None)


def _places(dag: DAG, device: torch.device) -> _Order:
    def numbers(values: np.ndarray) -> Tensor:
        # Not torch.tensor: its result cannot be told from computed ones while torch.export traces.
        return torch.from_numpy(values.astype(np.int64)).to(device)

    levels = levels_of(dag)
    found = []
    for level in levels:
        if not level.edges.size:  # nothing to trace either: torch.export cannot save several constants of no size
            found.append(_NOWHERE)
            continue
        used = np.unique(level.rows)
        dense = used.size * level.neurons.size <= _CELLS_AN_EDGE * level.edges.size
        columns = numbers(np.searchsorted(used, level.rows)) if dense else None
        found.append(_Places(numbers(level.rows), numbers(level.places), numbers(used), columns))
    edges = np.concatenate([level.edges for level in levels])
    neurons = np.concatenate([level.neurons for level in levels]) - dag.n_inputs
    return _Order(numbers(edges), numbers(neurons), tuple(found))


_kept_places = lru_cache(maxsize=16)(_places)  # never while somebody follows: tensors of a trace must not outlive it


def _activated(sums: Tensor, neurons: np.ndarray, dag: DAG, activation: str) -> Tensor:
    """``sums`` (m, batch) of the neurons (m,), each through its activation."""
    names = [(dag.activations[i] if dag.activations is not None else "") or activation for i in neurons.tolist()]
    if len(set(names)) == 1:
        return activation_function(names[0])(sums)
    return torch.stack([activation_function(name)(row) for name, row in zip(names, sums, strict=True)])


def _summed(sent: Tensor, level: Level) -> Tensor:
    """Σ of what each neuron's in-edges bring, (m, batch), of ``sent`` (k, batch), as sums of rows filled up with 0.

    For ONNX's older exporter, in which an `index_add` that meets a place twice adds one of the two (it warns).
    """
    degree = np.bincount(level.places, minlength=level.neurons.size)
    most = int(degree.max())
    column = np.arange(most)
    index = np.where(column < degree[:, None], (np.cumsum(degree) - degree)[:, None] + column, len(level.places))
    padded = torch.nn.functional.pad(sent, (0, 0, 0, 1))
    rows = padded.index_select(0, torch.from_numpy(index.reshape(-1).astype(np.int64)).to(sent.device))
    return rows.reshape(level.neurons.size, most, sent.shape[1]).sum(1)


def traceable_apply(
    dag: DAG,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    gain: Tensor | None = None,
    *,
    activation: str = "relu",
) -> Tensor:
    """Same arguments and result as `nas.engine.apply` on all edges, with the DAG itself in place of its plan."""
    levels = levels_of(dag)
    traced = followed()
    places = _places(dag, weight.device) if traced else _kept_places(dag, weight.device)

    def parts(values: Tensor | None, kind: str) -> Sequence[Tensor | None]:
        """``values`` in the order of the levels, and cut at them: one gather for all instead of one each."""
        if values is None:
            return [None] * len(levels)
        wanted = [level.edges if kind == "edges" else level.neurons for level in levels]
        order = places.edges if kind == "edges" else places.neurons
        return torch.split_with_sizes(values.index_select(0, order).unsqueeze(1), [each.size for each in wanted])

    # A traced program is not told the width that it was traced with: this refuses another one.
    emitted = x.reshape(x.shape[0], dag.n_inputs).T
    for level, at, w, b, a in zip(
        levels, places.levels, parts(weight, "edges"), parts(bias, "neurons"), parts(gain, "neurons"), strict=True
    ):
        sums = x.new_zeros((1, 1)) if b is None or a is not None else b
        sums = sums.expand(level.neurons.size, x.shape[0])
        if level.edges.size and w is not None:
            if at.columns is not None and not traced:
                block = w.new_zeros((level.neurons.size, at.used.numel()))
                block = block.index_put((at.places, at.columns), w.squeeze(1))
                sums = sums + block @ emitted.index_select(0, at.used)
            else:
                sent = emitted.index_select(0, at.rows) * w
                tracing = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
                sums = sums + _summed(sent, level) if tracing else sums.index_add(0, at.places, sent)
        if a is not None:
            sums = sums * a if b is None else sums * a + b
        if level is not levels[-1]:
            emitted = torch.cat([emitted, _activated(sums, level.neurons, dag, activation)])
    return sums.T
