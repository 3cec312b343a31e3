"""Steps of the quantisation-aware finishing, compiled: what `nas.cexport._finish` trains with.

Forward, every number is a whole one, as `nas.cexport._integers` computes it. Backward, rounding and shifting count as
what they are on average (straight-through estimator, Bengio et al. 2013, arXiv:1308.3432): w as its real-valued master,
acc >> k as acc / 2^k, a table as its slope; where a byte is cut off at 0 or 255, nothing goes back.

Shapes: n values (G bytes of inputs, then the neurons inside), m neurons inside and outputs, e edges, b samples a step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

__all__ = ["Nodes", "State", "finish_steps"]

BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-12  # of Adam; a few hundred steps do not wait for a slower mean


class Nodes(NamedTuple):
    """What training leaves as it is."""

    ptr: np.ndarray  # (m + 1,) int64, edges of each neuron
    sources: np.ndarray  # (e,) int64, values that they read
    per_step: np.ndarray  # (m,) float32: 2^-shift inside; of outputs what 1 in the sum is worth in the loss
    kind: np.ndarray  # (m,) int64: row of `tables`; -1: the clamped sum; -2: an output
    wraps: np.ndarray  # (m,) bool: its place wraps around (sin)
    tables: np.ndarray  # (kinds, 256) float32
    slopes: np.ndarray  # (kinds, 256) float32


class State(NamedTuple):
    """What it changes: weights (e,), then biases (m,), as real numbers, float64; and what Adam remembers of both."""

    master: np.ndarray
    mean: np.ndarray
    square: np.ndarray


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def finish_steps(
    nodes: Nodes,
    state: State,
    x: Any,
    labels: Any,
    targets: Any,
    rows: Any,
    rates: Any,
    grain: float,
    most: float,
    bias_rate: float,
    first: int,
) -> float:
    """One step of Adam for each row of ``rows``; the mean loss of all steps.

    Args:
        x: (samples, G) uint8; labels: (samples,) int64 classes, or empty; targets: (samples, outputs) float32 where it
            is.
        rows: (steps, b) numbers of samples; rates: (steps,) learning rates, in steps of a weight.
        grain, most: weights are multiples of ``grain`` within ± ``most``.
        bias_rate: factor of the rate for biases.
        first: steps that were done before.
    """
    m, e, b = len(nodes.ptr) - 1, len(nodes.sources), rows.shape[1]
    given = x.shape[1]
    hidden = 0
    while hidden < m and nodes.kind[hidden] != -2:
        hidden += 1
    values = np.zeros((given + hidden, b), np.float32)
    back = np.zeros((given + hidden, b), np.float32)  # loss by value
    slope = np.zeros((hidden, b), np.float32)  # value by sum
    out = np.zeros((m - hidden, b), np.float32)
    acc = np.zeros(b, np.float32)
    weight = np.zeros(e, np.float32)
    gradient = np.zeros(e + m)
    loss = 0.0
    for step in range(len(rows)):
        for k in range(b):
            row = x[rows[step, k]]
            for j in range(given):
                values[j, k] = row[j]
        for j in range(e):
            weight[j] = np.rint(state.master[j] / grain) * grain
        for i in range(m):
            acc[:] = np.rint(state.master[e + i])
            for j in range(nodes.ptr[i], nodes.ptr[i + 1]):
                w, source = weight[j], values[nodes.sources[j]]
                for k in range(b):
                    acc[k] += w * source[k]
            if nodes.kind[i] == -2:
                out[i - hidden] = acc * nodes.per_step[i]
                continue
            _emit(nodes, i, acc, values[given + i], slope[i])
        loss += _loss(out, labels, targets, rows[step])
        back[:] = 0.0
        for i in range(m - 1, -1, -1):
            if nodes.kind[i] == -2:
                for k in range(b):
                    acc[k] = out[i - hidden, k] * nodes.per_step[i]
            else:
                for k in range(b):
                    acc[k] = back[given + i, k] * slope[i, k]
            total = np.float32(0.0)
            for k in range(b):
                total += acc[k]
            gradient[e + i] = total
            for j in range(nodes.ptr[i], nodes.ptr[i + 1]):
                source = nodes.sources[j]
                w, total = weight[j], np.float32(0.0)
                for k in range(b):
                    total += acc[k] * values[source, k]
                gradient[j] = total
                if source >= given:
                    for k in range(b):
                        back[source, k] += w * acc[k]
        _update(state, gradient, rates[step] * grain, bias_rate, e, most, first + step + 1)
    return loss / max(len(rows), 1)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _emit(nodes: Nodes, i: int, acc: Any, value: Any, slope: Any) -> None:
    """Bytes (b,) of neuron i of its sums, and by how much a byte grows with the sum."""
    per_step, kind = nodes.per_step[i], nodes.kind[i]
    for k in range(len(acc)):
        place = np.floor(acc[k] * per_step)
        inside = True
        if nodes.wraps[i]:
            place -= np.float32(256.0) * np.floor(place / np.float32(256.0))
        elif place < 0.0:
            place, inside = np.float32(0.0), False
        elif place > 255.0:
            place, inside = np.float32(255.0), False
        if kind < 0:
            value[k] = place
            slope[k] = per_step if inside else np.float32(0.0)
        else:
            value[k] = nodes.tables[kind, int(place)]
            slope[k] = per_step * nodes.slopes[kind, int(place)] if inside else np.float32(0.0)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _loss(out: Any, labels: Any, targets: Any, rows: Any) -> float:
    """The loss; ``out`` (outputs, b) becomes its derivative."""
    count, b = out.shape
    loss = 0.0
    for k in range(b):
        if len(labels):
            largest, total = out[0, k], 0.0
            for i in range(1, count):
                largest = max(largest, out[i, k])
            for i in range(count):
                total += np.exp(out[i, k] - largest)
            label = labels[rows[k]]
            loss -= out[label, k] - largest - np.log(total)
            for i in range(count):
                share = np.exp(out[i, k] - largest) / total
                out[i, k] = (share - (1.0 if i == label else 0.0)) / b
        else:
            for i in range(count):
                off = out[i, k] - targets[rows[k], i]
                loss += off * off / count
                out[i, k] = 2.0 * off / (count * b)
    found: float = loss / b
    return found


@numba.njit(cache=True, error_model="numpy")
def _update(state: State, gradient: Any, rate: float, bias_rate: float, e: int, most: float, step: int) -> None:
    """Adam; weights stay within their bounds."""
    one, two = 1 - BETA_1**step, 1 - BETA_2**step
    for j in range(len(gradient)):
        g = gradient[j]
        state.mean[j] = BETA_1 * state.mean[j] + (1 - BETA_1) * g
        state.square[j] = BETA_2 * state.square[j] + (1 - BETA_2) * g * g
        change = rate * (state.mean[j] / one) / (np.sqrt(state.square[j] / two) + EPSILON)
        if j < e:
            state.master[j] = min(max(state.master[j] - change, -most), most)
        else:
            state.master[j] -= bias_rate * change
