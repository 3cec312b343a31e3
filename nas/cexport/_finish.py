"""Quantisation-aware finishing: networks in integers, trained on as what they are.

Rounding has chosen scales, shifts and tables; they stay. Weights and biases go on by gradient descent on the loss of
the integers themselves: what each step sees is what the C code computes (`nas.cexport._finish_kernels`), so that
neurons make up for each other's rounding, cutting off included. It ends with whole numbers again, and they are taken
only where the loss on the training samples is the smaller one.

Symbols are those of `nas.cexport._integers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from nas.cexport._finish_kernels import Nodes, State, finish_steps
from nas.cexport._integers import IntegerNetwork, Neuron8, Output8, wraps
from nas.cexport._program import Program
from nas.errors import DataError

__all__ = ["FINISHING_STEPS", "finished"]

FINISHING_STEPS: Final = 3000
_BATCH: Final = 128
# By bits, steps of a weight, at first; they fall to 0 as half a cosine.
_RATES: Final = {8: 0.3, 6: 0.15, 5: 0.1, 4: 0.05}
_BIAS_RATE: Final = 64.0  # of biases: a byte is of this size, so that weights and biases move sums alike
_BLOCKS: Final = 12  # after each, the network is judged: steps of few bits go to and fro, and the best is taken ...
_HELD: Final = 10  # ... by every so-manyth sample, which no step sees,
_JUDGED: Final = 20_000  # ... at most so many,
_HELD_ROW: Final = 32  # ... and so many at once
_FEW: Final = _HELD * _HELD_ROW
_CHUNK: Final = 8192  # rows that are brought to bytes at once

_Data = tuple[np.ndarray, np.ndarray, np.ndarray]  # bytes, classes, targets


def finished(
    program: Program,
    network: IntegerNetwork,
    raw: np.ndarray,
    targets: np.ndarray,
    steps: int = FINISHING_STEPS,
    seed: int = 0,
) -> IntegerNetwork:
    """The network after ``steps`` more steps of training in integers; as it was where those did not help.

    Args:
        program: what ``network`` was made from.
        raw: (samples, inputs) features of the training part as they were measured.
        targets: (samples,) numbers of the classes, or (samples, outputs) targets in their own units.
        seed: of the order of the samples.

    Raises:
        DataError: the targets do not fit.
    """
    labels, wanted = _checked(program, raw, targets)
    if not steps or not len(raw):
        return network
    columns = _read(network)
    x = _bytes(network, raw, columns)
    nodes, start = _flat(program, network, columns)
    grain = 2 ** (8 - network.bits)
    data = (x, labels, wanted)
    known, judged = _parted(len(x))
    batch = min(_BATCH, len(known))
    rates = _RATES[network.bits] * 0.5 * (1 + np.cos(np.pi * np.arange(steps) / steps))
    best, least = start.master.copy(), _loss(nodes, start.master, data, judged, grain)
    batches = _batches(known, batch, np.random.default_rng([seed, 6]))
    for done in range(0, steps, block := max(-(-steps // _BLOCKS), 1)):
        part = rates[done : done + block]
        rows = np.stack([next(batches) for _ in part])
        finish_steps(nodes, start, *data, rows, part, float(grain), 127.0 // grain * grain, _BIAS_RATE, done)
        loss = _loss(nodes, start.master, data, judged, grain)
        if loss < least:
            best, least = start.master.copy(), loss
    trained = _rebuilt(network, nodes, best, columns, grain)
    return trained if _fits(trained) else network


def _parted(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the samples that are trained on, and, in rows, of those by which the outcome is judged.

    All samples were trained on in floats, mostly with noise; steps without it would learn them by heart, which only
    samples that the steps do not see can tell. Of few samples all are both.
    """
    every = np.arange(count)
    if count < _FEW:
        return every, every[None]
    judged = every[::_HELD][: _JUDGED // _HELD_ROW * _HELD_ROW]
    judged = judged[: len(judged) // _HELD_ROW * _HELD_ROW]
    return np.setdiff1d(every, judged), judged.reshape(-1, _HELD_ROW)


def _batches(known: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """(size,) numbers of samples without end; every epoch in a new order, its incomplete last batch left out."""
    while True:
        order = rng.permutation(known)
        for start in range(0, len(known) - size + 1, size):
            yield order[start : start + size]


def _loss(nodes: Nodes, master: np.ndarray, data: _Data, rows: np.ndarray, grain: int) -> float:
    """Mean loss over some samples."""
    state = State(master, np.zeros_like(master), np.zeros_like(master))
    found: float = finish_steps(nodes, state, *data, rows, np.zeros(len(rows)), float(grain), 127.0, 0.0, 0)
    return found


def _fits(network: IntegerNetwork) -> bool:
    """Whether no sum can need more than 32 bits."""
    for each in _every(network):
        weights = int(np.abs(each.input_weights).sum() + np.abs(each.neuron_weights).sum())
        factor = each.factor if isinstance(each, Output8) else 1
        if (abs(each.bias) + 255 * weights) * factor >= 2**31:
            return False
    return True


def _checked(program: Program, raw: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(samples,) classes or (samples, outputs) targets in their deviations; the other one empty."""
    targets = np.asarray(targets)
    classifies = program.scaling.task == "classification"
    shape = (len(raw),) if classifies else (len(raw), program.n_outputs)
    if targets.shape != shape or not np.isfinite(targets).all():
        raise DataError(f"targets must be finite and of shape {shape} to finish with, but are of shape {targets.shape}")
    if not classifies:
        return np.zeros(0, np.int64), (targets / program.scaling.target_scale).astype(np.float32)
    labels = targets.astype(np.int64)
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= program.n_outputs:
        raise DataError(f"classes must be numbers from 0 to {program.n_outputs - 1}")
    return labels, np.zeros((0, program.n_outputs), np.float32)


def _every(network: IntegerNetwork) -> list[Neuron8 | Output8]:
    return [*network.neurons, *network.outputs]


def _read(network: IntegerNetwork) -> np.ndarray:
    """Places of the bytes of inputs that some neuron reads, ascending."""
    found: np.ndarray = np.unique(np.concatenate([each.inputs for each in _every(network)]))
    return found


def _bytes(network: IntegerNetwork, raw: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(samples, columns) uint8: the bytes of inputs in these places."""
    parts = [
        network.inputs.bytes(network.inputs.fixed(raw[at : at + _CHUNK]))[:, columns].astype(np.uint8)
        for at in range(0, len(raw), _CHUNK)
    ]
    return np.concatenate(parts)


def _flat(program: Program, network: IntegerNetwork, columns: np.ndarray) -> tuple[Nodes, State]:
    """The network as arrays; its values are the bytes of inputs in ``columns``, then those of the neurons."""
    every = _every(network)
    sources = [np.concatenate([np.searchsorted(columns, e.inputs), e.neurons + columns.size]) for e in every]
    weights = [np.concatenate([each.input_weights, each.neuron_weights]) for each in every]
    kinds = sorted(network.tables)
    tables = np.array([network.tables[kind] for kind in kinds], np.float32).reshape(len(kinds), 256)
    scales = program.scaling.target_scale
    per_step = [2.0**-each.shift for each in network.neurons]
    per_step += [each.factor * network.unit / scales[k] for k, each in enumerate(network.outputs)]
    nodes = Nodes(
        np.concatenate([[0], np.cumsum([part.size for part in sources])]).astype(np.int64),
        np.concatenate(sources).astype(np.int64),
        np.array(per_step, np.float32),
        np.array([kinds.index(e.kind) if e.kind >= 0 else -1 for e in network.neurons] + [-2] * len(network.outputs)),
        np.array([wraps(e.kind) for e in network.neurons] + [False] * len(network.outputs)),
        tables,
        np.array([np.gradient(row) for row in tables], np.float32).reshape(tables.shape),
    )
    master = np.concatenate([*weights, [each.bias for each in every]]).astype(np.float64)
    return nodes, State(master, np.zeros_like(master), np.zeros_like(master))


def _rebuilt(
    network: IntegerNetwork, nodes: Nodes, master: np.ndarray, columns: np.ndarray, grain: int
) -> IntegerNetwork:
    """The network with the trained numbers; edges that became 0 are gone."""
    given, e = columns.size, len(nodes.sources)
    weights = np.rint(master[:e] / grain).astype(np.int64) * grain
    biases = np.rint(master[e:]).astype(np.int64)
    found: list[Neuron8 | Output8] = []
    for number, each in enumerate(_every(network)):
        part = slice(int(nodes.ptr[number]), int(nodes.ptr[number + 1]))
        sources, own = nodes.sources[part], weights[part]
        first, later = (sources < given) & (own != 0), (sources >= given) & (own != 0)
        found.append(
            replace(
                each,
                inputs=columns[sources[first]],
                input_weights=own[first],
                neurons=sources[later] - given,
                neuron_weights=own[later],
                bias=int(biases[number]),
            )
        )
    split = len(network.neurons)
    neurons = tuple(each for each in found[:split] if isinstance(each, Neuron8))
    return replace(network, neurons=neurons, outputs=tuple(each for each in found[split:] if isinstance(each, Output8)))
