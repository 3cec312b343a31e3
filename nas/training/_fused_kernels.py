"""A whole training run in one compiled loop: closeness, network, loss terms, optimiser.

In eager torch a step of a small network is a hundred framework calls, each as dear as a thousand edges. Here every
thread runs `train_steps` with its rank; they share the arrays below and meet at barriers, so a step costs only its
arithmetic. `nas.training._reference` does the same step in torch and is the specification.

A step, each thread on its own rows (in-edges of a range of neurons, about equally many edges) or tiles:

    1  structure    closeness d, c and weight W of the rows; the live edges packed to the front of each row
    2  columns      if any edge died or came alive: the live out-edges packed to the front of each column
    3  network      tiles of the batch: inputs, forward, objective, backward
    4  update       gradients of the rows' parameters, summed over threads; optimiser

Symbols: E allowed edges, m neurons that are no inputs, T threads; others as in `nas.engine.kernels` and
`nas.manifold.kernels`. The trainable parameters lie in one vector: weight (E or 0), gain (m or 0), bias (m), the seven
closeness parameters (7 m or 0), cutoff (1 or 0).
"""

# mypy: disable-error-code="no-untyped-def,assignment"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from nas.engine.functions import v_exp, v_log
from nas.engine.kernels import backward_tile, backward_tile_by_rows, forward_tile, load_inputs
from nas.engine.simd import (
    add,
    div,
    fma,
    like,
    load,
    load_some,
    maximum,
    minimum,
    mul,
    splat,
    sqrt,
    store,
    store_some,
    sub,
    total,
    where_positive,
)
from nas.engine.threads import barrier
from nas.manifold.kernels import (
    AMPLITUDE,
    chain_rule,
    derive,
    edge_gradients,
    edge_values,
    row_constants,
    store_sums,
)

__all__ = ["Buffers", "Data", "Graph", "Settings", "train_steps"]

Array = np.ndarray

ADAM, ADAMW, SGD = range(3)
BETA_1, BETA_2, EPSILON, MOMENTUM = 0.9, 0.999, 1e-8, 0.9
# Below this many neurons the log of a product of (1 - s) would be -inf; the same clamp as nas.manifold.smooth_neurons.
LARGEST_SHARE = 1.0 - 1e-6

# Random numbers for the noise on the inputs; how many bits number them.
NOISE_BITS = 16

# Columns of ``values``, what a chunk of steps reports of its last step.
OBJECTIVE, FLOW, SMOOTH, TOTAL, CORRECT, LIVE, STEPS_DONE, FINITE = range(8)


class Graph(NamedTuple):
    """The allowed edges; never changed. See `nas.engine._plan`."""

    in_ptr: Array
    sources: Array
    out_ptr: Array
    targets: Array
    out_edges: Array
    p: Array  # (E,) displacement of each edge; empty without closeness
    flow_signs: Array  # (E,)
    codes: Array  # (n,) activation codes


class Data(NamedTuple):
    """Training samples."""

    x: Array  # (samples * n_inputs,) float32
    classes: Array  # (samples,) int64; empty for regression
    values: Array  # (samples * n_outputs,) float32; empty for classification
    soft: Array  # (samples * n_outputs,) float32, a teacher's probabilities at the temperature; empty without one
    factor: Array  # (NOISE + 16 lanes,) float32, by which inputs are multiplied; empty without noise
    offset: Array  # the same, what is added to them


class Settings(NamedTuple):
    """Scalars of a run."""

    n_inputs: int
    n_outputs: int
    closeness: bool  # W = c ...
    weighted: bool  # ... times a free weight
    gained: bool  # ... times the target's gain
    period: float
    optimizer: int  # ADAM, ADAMW or SGD
    weight_decay: float
    closeness_rate: float  # learning rates relative to the weights'
    length_rate: float
    soft_share: float  # of the objective, that the teacher has
    temperature: float
    k_objective: float
    k_flow: float
    k_edge: float  # factor of the smooth count of edges: sparsity, time and memory terms together
    k_neuron: float  # factor of the smooth count of neurons
    refresh: int  # steps between looks at dead edges; between them only live ones are evaluated
    by_rows: bool  # walk backward by rows; only without closeness
    k_constant: float  # what the time and memory terms add whatever the structure


class Buffers(NamedTuple):
    """What changes. T leading rows where each thread has its own."""

    theta: Array  # parameters, one vector
    gradient: Array  # of theta
    moment_1: Array
    moment_2: Array
    d: Array  # (E,)
    c: Array  # (E,)
    weight: Array  # (E,) W of every allowed edge
    saved: Array  # (4, E) gauss, wave, log of its base, slope
    derived: Array  # (DERIVED, m)
    sums: Array  # (7, m)
    alive: Array  # (E,) uint8, whether c != 0
    chunk_ptr: Array  # (n + 1,) first chunk of each row: a chunk is up to 16 edges of one row
    chunks: Array  # (chunks,) uint8, NEAR and LIVE bits
    ones: Array  # (16,)
    dirty: Array  # (n,) uint8, columns in which an edge died or came alive
    in_end: Array  # (n,)
    live_sources: Array  # (E,)
    live_weight: Array  # (E,)
    out_end: Array  # (n,)
    live_targets: Array  # (E,)
    live_edges: Array  # (E,)
    used: Array  # (blocks of inputs,)
    values: Array  # (T, n * size)
    kept_z: Array  # (T, n * size or 0)
    grads: Array  # (T, (n + 2) * size)
    grad_weight: Array  # (T, E)
    grad_bias: Array  # (T, m)
    partial: Array  # (T, 16) float64: sums a thread hands to the others
    rows: Array  # (T + 1,) first neuron of each thread's rows
    columns: Array  # (T + 1,) first neuron of each thread's columns
    meeting: Array  # (16,) int64, state of the barrier


# A chunk is near when its edges' closeness matters to the loss, live when one of its edges is.
NEAR, LIVE_CHUNK = 1, 2
# Edges whose share of the smooth count is below this are as good as absent: it is under a float32's resolution. Where
# the count is only reported, a coarser one will do.
NEGLIGIBLE_SHARE, NEGLIGIBLE_IN_REPORT = 1e-8, 1e-4

# Columns of ``partial``, a cache line and more a thread.
P_FLOW, P_SMOOTH, P_NEURONS, P_LIVE, P_CHANGED, P_LOSS, P_CORRECT, P_CUTOFF, P_STOP = range(9)


@njit(cache=True, nogil=True, error_model="numpy")
def _structure(narrow, rank, graph, settings, buffers, cutoff, refresh):
    """Step 1 for the rows of one thread.

    Most cells of a manifold lie far outside their neuron's Gaussian. There |d| <= gauss decides without evaluating the
    wave that an edge is dead, and, where the structure terms look at dead edges too, that its share is negligible.
    Without ``refresh`` chunks of dead edges are passed over altogether.
    """
    n_inputs = settings.n_inputs
    n_edges = graph.sources.size
    m = graph.in_ptr.size - 1 - n_inputs
    theta = buffers.theta
    gain_at = n_edges if settings.weighted else 0
    closeness_at = gain_at + (m if settings.gained else 0) + m
    kappa = np.float32(1.0) / (np.float32(1.0) + np.float32(np.exp(-cutoff)))
    first, last = buffers.rows[rank], buffers.rows[rank + 1]
    penal = settings.k_edge != 0 or settings.k_neuron != 0
    weakest = kappa * np.sqrt(NEGLIGIBLE_SHARE if penal else NEGLIGIBLE_IN_REPORT)
    # Arrays by name, and no calls with arrays in the loops: their references are counted, atomically, each time.
    saved = buffers.saved.reshape(-1)
    p, in_ptr, sources, flow_signs = graph.p, graph.in_ptr, graph.sources, graph.flow_signs
    values_d, strengths, weight, alive, dirty = buffers.d, buffers.c, buffers.weight, buffers.alive, buffers.dirty
    live_sources, live_weight, chunks = buffers.live_sources, buffers.live_weight, buffers.chunks
    flow, smooth, neurons = 0.0, 0.0, 0.0
    live, changed = 0, 0
    if settings.closeness:
        parameters = theta[closeness_at : closeness_at + 7 * m].reshape(7, m)
        derive(narrow, parameters, first - n_inputs, last - n_inputs, settings.period, buffers.derived)
    for i in range(first, last):
        start, end = in_ptr[i], in_ptr[i + 1]
        slot = start
        if settings.closeness:
            row = row_constants(narrow, buffers.derived, i - n_inputs)
            zero = like(row[0], 0.0)
            one = like(zero, 1.0)
            level = splat(narrow, kappa)
            scale = div(one, sub(one, level))
            gain = splat(narrow, theta[gain_at + i - n_inputs] if settings.gained else np.float32(1.0))
            _, _, _, _, _, inverse, centre = row
            reach = 2.0 * np.log(max(abs(buffers.derived[AMPLITUDE, i - n_inputs]) / weakest, 1e-30))
            row_smooth, row_flow = zero, zero
            absent = np.float32(1.0)
            chunk = buffers.chunk_ptr[i] - 1
            for e in range(start, end, 16):
                chunk += 1
                count = min(end - e, 16)
                x = load_some(narrow, p, e, count)
                u = mul(sub(x, centre), inverse)
                before = chunks[chunk]
                if not refresh and not before & LIVE_CHUNK:
                    chunks[chunk] = 0
                    continue
                if total(where_positive(fma(u, u, like(u, -reach)), zero, one)) == 0:  # NaN is never far
                    if before & LIVE_CHUNK:
                        for k in range(e, e + count):
                            strengths[k] = 0
                            if alive[k]:
                                alive[k] = 0
                                dirty[sources[k]] = 1
                                changed += 1
                    chunks[chunk] = 0
                    continue
                d, gauss, wave, log_base, slope = edge_values(row, x)
                if count < 16:
                    d = mul(d, load_some(narrow, buffers.ones, 0, count))  # no edges there
                size = where_positive(d, d, sub(zero, d))
                above = mul(sub(size, level), scale)
                c = where_positive(above, where_positive(d, above, sub(zero, above)), zero)
                c = add(c, mul(zero, d))  # NaN stays NaN, so that the loss tells
                square = mul(d, d)
                share = div(square, fma(level, level, square))
                row_smooth = add(row_smooth, share)
                strength = where_positive(c, c, sub(zero, c))
                row_flow = fma(strength, load_some(narrow, flow_signs, e, count), row_flow)
                w = mul(c, gain)
                if settings.weighted:
                    w = mul(w, load_some(narrow, theta, e, count))
                store_some(values_d, e, d, count)
                store_some(strengths, e, c, count)
                store_some(weight, e, w, count)
                store_some(saved, e, gauss, count)
                store_some(saved, n_edges + e, wave, count)
                store_some(saved, 2 * n_edges + e, log_base, count)
                store_some(saved, 3 * n_edges + e, slope, count)
                if settings.k_neuron > 0:
                    for k in range(e, e + count):
                        absent *= _absence(values_d[k], kappa)
                state = NEAR if penal else 0
                if before & LIVE_CHUNK or total(strength) != 0:
                    for k in range(e, e + count):
                        now = np.uint8(strengths[k] != 0)
                        if alive[k] != now:
                            alive[k] = now
                            dirty[sources[k]] = 1
                            changed += 1
                        live_sources[slot] = sources[k]
                        live_weight[slot] = weight[k]
                        slot += now
                    if total(strength) != 0:
                        state = NEAR | LIVE_CHUNK
                chunks[chunk] = state
            flow += total(row_flow)
            smooth += total(row_smooth)
            neurons += 1.0 - absent
        else:
            for e in range(start, end):
                w = theta[e]
                flow += abs(w) * flow_signs[e]
                weight[e] = w
                live_weight[e] = w
            smooth += end - start
            neurons += end > start
            slot = end
        live += slot - start
        buffers.in_end[i] = slot
    partial = buffers.partial[rank]
    partial[P_FLOW] = flow
    partial[P_SMOOTH] = smooth
    partial[P_NEURONS] = neurons
    partial[P_LIVE] = live
    partial[P_CHANGED] = changed


@njit(cache=True, nogil=True, error_model="numpy")
def _absence(d, kappa):
    """1 - s of one edge, clamped as in `nas.manifold.smooth_neurons`."""
    square = d * d
    return np.float32(1.0) - min(square / (square + kappa * kappa), np.float32(LARGEST_SHARE))


@njit(cache=True, nogil=True, error_model="numpy")
def _columns(rank, graph, buffers):
    """Step 2 for the columns of one thread."""
    out_ptr, targets, out_edges = graph.out_ptr, graph.targets, graph.out_edges
    dirty, alive, out_end = buffers.dirty, buffers.alive, buffers.out_end
    live_targets, live_edges = buffers.live_targets, buffers.live_edges
    for j in range(buffers.columns[rank], buffers.columns[rank + 1]):
        if not dirty[j]:
            continue
        dirty[j] = 0
        slot = out_ptr[j]
        for q in range(out_ptr[j], out_ptr[j + 1]):
            e = out_edges[q]
            live_targets[slot] = targets[q]
            live_edges[slot] = e
            slot += alive[e]
        out_end[j] = slot


@njit(cache=True, nogil=True, error_model="numpy")
def _used_inputs(graph, n_inputs, buffers):
    for block in range(buffers.used.size):
        used = False
        for j in range(16 * block, min(16 * block + 16, n_inputs)):
            used = used or buffers.out_end[j] > graph.out_ptr[j]
        buffers.used[block] = used


@njit(cache=True, nogil=True, error_model="numpy")
def _disturb(lanes, size, data, place, n_inputs, out_ptr, out_end, values):
    """Noise on the inputs of a tile: each takes a stretch of the tables that begins anywhere, decided by ``place``."""
    random = np.uint64(place) * np.uint64(0x9E3779B97F4A7C15)
    for j in range(n_inputs):
        random = random * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        if out_end[j] > out_ptr[j]:
            at = np.int64(random >> np.uint64(64 - NOISE_BITS))
            x = load(lanes, values, j * size)
            store(values, j * size, fma(x, load(lanes, data.factor, at), load(lanes, data.offset, at)))


@njit(cache=True, nogil=True, error_model="numpy")
def _objective(
    lanes,
    size,
    data,
    numbers,
    first,
    count,
    values,
    base,
    first_output,
    n_outputs,
    scale,
    soft_share,
    temperature,
    grads,
):
    """Objective summed over the tile's samples, samples classified rightly; gradients of the outputs into ``grads``."""
    loss = 0.0
    correct = 0
    spare = (first_output + n_outputs) * size
    if data.classes.size > 0:
        top = load(lanes, values, base)
        for o in range(1, n_outputs):
            top = maximum(top, load(lanes, values, base + o * size))
        sum_ = like(top, 0.0)
        for o in range(n_outputs):
            grown = v_exp(sub(load(lanes, values, base + o * size), top))
            store(grads, (first_output + o) * size, grown)
            sum_ = add(sum_, grown)
        soft = data.soft.size > 0
        hard_share = np.float32(1.0 - soft_share if soft else 1.0)
        hard = scale * hard_share
        share = div(like(sum_, hard), sum_)
        for o in range(n_outputs):
            at = (first_output + o) * size
            store(grads, at, mul(load(lanes, grads, at), share))
        store(grads, spare, add(top, v_log(sum_)))
        store(grads, spare + size, top)
        for s in range(count):
            label = data.classes[numbers[first + s]]
            z = values[base + label * size + s]
            loss += (grads[spare + s] - z) * hard_share
            correct += z >= grads[spare + size + s]
            grads[(first_output + label) * size + s] -= hard
        if soft:
            loss += _distillation(
                lanes, size, data, numbers, first, count, values, base, first_output, n_outputs, top, scale,
                soft_share, temperature, grads,
            )  # fmt: skip
        for o in range(n_outputs):
            for s in range(count, size):
                grads[(first_output + o) * size + s] = 0
    else:
        for o in range(n_outputs):
            at = (first_output + o) * size
            for s in range(count):
                error = values[base + o * size + s] - data.values[numbers[first + s] * n_outputs + o]
                loss += error * error / n_outputs
                grads[at + s] = 2 * scale / n_outputs * error
            for s in range(count, size):
                grads[at + s] = 0
    return loss, correct


@njit(cache=True, nogil=True, error_model="numpy")
def _distillation(
    lanes, size, data, numbers, first, count, values, base, first_output, n_outputs, top, scale, soft_share,
    temperature, grads,
):  # fmt: skip
    """T^2 cross-entropy against the teacher at temperature T, times its share; its gradient is added into ``grads``.

    ``top`` holds each sample's largest output. Gradient of the cross-entropy: (softmax(z / T) - soft) / T.
    """
    spare = (first_output + n_outputs) * size
    cool = np.float32(1.0 / temperature)
    sum_ = like(top, 0.0)
    for o in range(n_outputs):
        sum_ = add(sum_, v_exp(mul(sub(load(lanes, values, base + o * size), top), like(top, cool))))
    store(grads, spare, add(mul(top, like(top, cool)), v_log(sum_)))
    factor = scale * np.float32(soft_share * temperature)
    share = div(like(sum_, factor), sum_)
    for o in range(n_outputs):
        at = (first_output + o) * size
        grown = v_exp(mul(sub(load(lanes, values, base + o * size), top), like(top, cool)))
        store(grads, at, fma(grown, share, load(lanes, grads, at)))
    loss = 0.0
    for s in range(count):
        row = numbers[first + s] * n_outputs
        for o in range(n_outputs):
            soft = data.soft[row + o]
            loss += soft * (grads[spare + s] - cool * values[base + o * size + s])
            grads[(first_output + o) * size + s] -= factor * soft
    return loss * soft_share * temperature * temperature


@njit(cache=True, nogil=True, error_model="numpy")
def _update(lanes, kind, buffers, first, last, rate, decay, step):
    """One optimiser step on elements ``first … last - 1`` of the parameter vector; formulas as in torch.optim."""
    theta, gradient, moment_1, moment_2 = buffers.theta, buffers.gradient, buffers.moment_1, buffers.moment_2
    bias_1 = 1.0 - BETA_1**step
    bias_2 = np.sqrt(1.0 - BETA_2**step)
    for k in range(first, last, 16):
        count = last - k
        value = load_some(lanes, theta, k, count)
        g = load_some(lanes, gradient, k, count)
        if kind == ADAMW:
            value = mul(value, like(value, 1.0 - rate * decay))
        elif decay != 0.0:
            g = add(g, mul(like(g, decay), value))
        one = load_some(lanes, moment_1, k, count)
        if kind == SGD:
            one = add(mul(like(g, MOMENTUM), one), g)
            value = sub(value, mul(like(g, rate), add(g, mul(like(g, MOMENTUM), one))))
        else:
            two = load_some(lanes, moment_2, k, count)
            one = add(mul(like(g, BETA_1), one), mul(like(g, 1.0 - BETA_1), g))
            two = add(mul(like(g, BETA_2), two), mul(like(g, 1.0 - BETA_2), mul(g, g)))
            root = add(mul(sqrt(two), like(g, 1.0 / bias_2)), like(g, EPSILON))
            value = sub(value, div(mul(like(g, rate / bias_1), one), root))
            store_some(moment_2, k, two, count)
        store_some(moment_1, k, one, count)
        store_some(theta, k, value, count)


@njit(cache=True, nogil=True, error_model="numpy")
def _row_updates(narrow, rank, threads, graph, settings, buffers, cutoff, flow, rate, step):
    """Step 4 for the rows of one thread; the cutoff's share of the gradient goes to ``partial``."""
    n_inputs = settings.n_inputs
    n_edges = graph.sources.size
    m = graph.in_ptr.size - 1 - n_inputs
    theta, gradient = buffers.theta, buffers.gradient
    gain_at = n_edges if settings.weighted else 0
    bias_at = gain_at + (m if settings.gained else 0)
    closeness_at = bias_at + m
    first, last = buffers.rows[rank], buffers.rows[rank + 1]
    kappa = np.float32(1.0) / (np.float32(1.0) + np.float32(np.exp(-cutoff)))
    pull = np.float32(2.0 * flow * settings.k_flow)
    penal = settings.k_edge != 0 or settings.k_neuron != 0
    grad_weight = buffers.grad_weight
    to_cutoff = 0.0
    saved = buffers.saved.reshape(-1)
    flat_grads = grad_weight.reshape(-1)
    for i in range(first, last):
        start, end = graph.in_ptr[i], graph.in_ptr[i + 1]
        into_bias = np.float32(0.0)
        for t in range(threads):
            into_bias += buffers.grad_bias[t, i - n_inputs]
            buffers.grad_bias[t, i - n_inputs] = 0
        gradient[bias_at + i - n_inputs] = into_bias
        if not settings.closeness:
            for e in range(start, end):
                w = theta[e]
                sign = np.float32(1.0) if w > 0 else (np.float32(-1.0) if w < 0 else np.float32(0.0))
                outer = np.float32(0.0)
                for t in range(threads):
                    outer += grad_weight[t, e]
                    grad_weight[t, e] = 0
                gradient[e] = outer + pull * graph.flow_signs[e] * sign
            continue
        row = row_constants(narrow, buffers.derived, i - n_inputs)
        zero = like(row[0], 0.0)
        one = like(zero, 1.0)
        level = splat(narrow, kappa)
        level_square = mul(level, level)
        scale = div(one, sub(one, level))
        gain = splat(narrow, theta[gain_at + i - n_inputs] if settings.gained else np.float32(1.0))
        absent = np.float32(0.0)
        if settings.k_neuron > 0:
            absent = np.float32(1.0)
            for chunk in range(buffers.chunk_ptr[i], buffers.chunk_ptr[i + 1]):
                if buffers.chunks[chunk] & NEAR:
                    e = start + 16 * (chunk - buffers.chunk_ptr[i])
                    for k in range(e, min(e + 16, end)):
                        absent *= _absence(buffers.d[k], kappa)
        price = splat(narrow, np.float32(settings.k_neuron) * absent)
        row_cutoff, to_gain = zero, zero
        sums = (zero, zero, zero, zero, zero, zero, zero)
        for chunk in range(buffers.chunk_ptr[i], buffers.chunk_ptr[i + 1]):
            e = start + 16 * (chunk - buffers.chunk_ptr[i])
            count = min(end - e, 16)
            if not buffers.chunks[chunk] & NEAR:
                if settings.weighted:
                    store_some(gradient, e, zero, count)
                continue
            d = load_some(narrow, buffers.d, e, count)
            c = load_some(narrow, buffers.c, e, count)
            outer = zero  # gradient with respect to W
            for t in range(threads):
                outer = add(outer, load_some(narrow, flat_grads, t * n_edges + e, count))
                store_some(flat_grads, t * n_edges + e, zero, count)
            to_gain = fma(outer, c, to_gain)
            to_c = mul(outer, gain)
            if settings.weighted:
                store_some(gradient, e, mul(to_c, c), count)
                to_c = mul(to_c, load_some(narrow, theta, e, count))
            sign = where_positive(d, one, like(one, -1.0))
            to_c = fma(mul(splat(narrow, pull), load_some(narrow, graph.flow_signs, e, count)), sign, to_c)
            size = mul(d, sign)
            to_c = where_positive(sub(size, level), to_c, zero)  # a dead edge has no gradient
            to_d = mul(to_c, scale)
            row_cutoff = fma(mul(mul(to_d, sign), sub(size, one)), scale, row_cutoff)
            if penal:
                square = mul(d, d)
                below = div(one, add(square, level_square))
                share = mul(square, below)
                pay = like(one, settings.k_edge)
                if settings.k_neuron > 0:
                    room = sub(one, minimum(share, like(one, LARGEST_SHARE)))
                    extra = div(price, room)
                    pay = add(pay, where_positive(sub(like(one, LARGEST_SHARE), share), extra, zero))
                slope = mul(mul(add(d, d), level), mul(mul(below, below), pay))
                to_d = fma(slope, level, to_d)
                row_cutoff = sub(row_cutoff, mul(slope, d))
            sums = edge_gradients(
                row,
                load_some(narrow, graph.p, e, count),
                to_d,
                load_some(narrow, saved, e, count),
                load_some(narrow, saved, n_edges + e, count),
                load_some(narrow, saved, 2 * n_edges + e, count),
                load_some(narrow, saved, 3 * n_edges + e, count),
                sums,
            )
        to_cutoff += total(row_cutoff)
        if settings.gained:
            gradient[gain_at + i - n_inputs] = total(to_gain)
        store_sums(sums, i - n_inputs, buffers.sums)
    buffers.partial[rank, P_CUTOFF] = to_cutoff * kappa * (1.0 - kappa)
    kind = settings.optimizer
    a, b = first - n_inputs, last - n_inputs
    decay = settings.weight_decay
    if settings.weighted:
        _update(narrow, kind, buffers, graph.in_ptr[first], graph.in_ptr[last], rate, decay, step)
    if settings.gained:
        _update(narrow, kind, buffers, gain_at + a, gain_at + b, rate, decay, step)
    _update(narrow, kind, buffers, bias_at + a, bias_at + b, rate, 0.0, step)
    if settings.closeness:
        parameters = theta[closeness_at : closeness_at + 7 * m].reshape(7, m)
        out = gradient[closeness_at : closeness_at + 7 * m].reshape(7, m)
        chain_rule(parameters, buffers.derived, buffers.sums, a, b, out)
        for which in range(7):
            at = closeness_at + which * m
            speed = settings.closeness_rate if which < 5 else settings.length_rate  # sigma and mu are lengths
            _update(narrow, kind, buffers, at + a, at + b, rate * speed, 0.0, step)


@njit(cache=True, nogil=True, error_model="numpy")
def train_steps(narrow, lanes, size, rank, threads, graph, data, settings, buffers, numbers, rates, first_step, report):
    """Do one optimiser step for each row of ``numbers``; every thread calls this with its rank.

    Args:
        narrow, lanes, size: vector widths of rows (16) and tiles.
        numbers: (steps, batch) int64, the samples of each step.
        rates: (steps,) learning rates.
        first_step: how many steps the optimiser has done before.
        report: (8,) float64, receives what the last step saw before its update, and how many steps were done; a step
            whose loss is not finite is the last and makes no update.
    """
    n = graph.in_ptr.size - 1
    n_inputs, n_outputs = settings.n_inputs, settings.n_outputs
    m = n - n_inputs
    batch = numbers.shape[1]
    tiles = (batch + size - 1) // size
    scale = np.float32(settings.k_objective / batch)
    bias_at = (graph.sources.size if settings.weighted else 0) + (m if settings.gained else 0)
    cutoff_at = bias_at + 8 * m
    bias = buffers.theta[bias_at : bias_at + m]
    partial = buffers.partial
    values, kept_z, grads = buffers.values[rank], buffers.kept_z[rank], buffers.grads[rank]
    for k in range(numbers.shape[0]):
        step = first_step + k + 1
        # Every thread reads the cutoff between two barriers; rank 0 alone writes it, between two others.
        cutoff = buffers.theta[cutoff_at] if settings.closeness else np.float32(0.0)
        _structure(narrow, rank, graph, settings, buffers, cutoff, (step - 1) % settings.refresh == 0)
        barrier(buffers.meeting, threads)
        flow, smooth, neurons, live, changed = 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(threads):
            flow += partial[t, P_FLOW]
            smooth += partial[t, P_SMOOTH]
            neurons += partial[t, P_NEURONS]
            live += partial[t, P_LIVE]
            changed += partial[t, P_CHANGED]
        if changed > 0:
            _columns(rank, graph, buffers)
            barrier(buffers.meeting, threads)
            if rank == 0:
                _used_inputs(graph, n_inputs, buffers)
            barrier(buffers.meeting, threads)
        loss = 0.0
        correct = 0
        for tile in range(rank, tiles, threads):
            first = tile * size
            count = min(size, batch - first)
            load_inputs(lanes, size, data.x, numbers[k], first, count, n_inputs, buffers.used, values, 0)
            if data.factor.size > 0:
                _disturb(lanes, size, data, step * tiles + tile, n_inputs, graph.out_ptr, buffers.out_end, values)
            forward_tile(
                lanes, size, n_inputs, graph.in_ptr[:-1], buffers.in_end, buffers.live_sources, buffers.live_weight,
                bias, graph.codes, values, kept_z, 0,
            )  # fmt: skip
            tile_loss, tile_correct = _objective(
                lanes, size, data, numbers[k], first, count, values, (n - n_outputs) * size, n - n_outputs, n_outputs,
                scale, settings.soft_share, settings.temperature, grads,
            )  # fmt: skip
            loss += tile_loss
            correct += tile_correct
            if settings.by_rows:  # all edges are live, so slots are edges
                backward_tile_by_rows(
                    lanes, size, n_inputs, n_outputs, graph.in_ptr[:-1], buffers.in_end, buffers.live_sources,
                    buffers.weight, graph.codes, values, kept_z, 0, grads, buffers.grad_weight[rank],
                    buffers.grad_bias[rank], False,
                )  # fmt: skip
            else:
                backward_tile(
                    lanes, size, n_inputs, n_outputs, graph.out_ptr[:-1], buffers.out_end, buffers.live_targets,
                    buffers.live_edges, buffers.weight, graph.codes, values, kept_z, 0, grads,
                    buffers.grad_weight[rank], buffers.grad_bias[rank], False,
                )  # fmt: skip
        partial[rank, P_LOSS] = loss
        partial[rank, P_CORRECT] = correct
        barrier(buffers.meeting, threads)
        objective, right = 0.0, 0.0
        for t in range(threads):
            objective += partial[t, P_LOSS]
            right += partial[t, P_CORRECT]
        objective /= batch
        sum_ = settings.k_objective * objective + settings.k_flow * flow * flow
        sum_ += settings.k_edge * smooth + settings.k_neuron * neurons + settings.k_constant
        finite = np.isfinite(sum_)
        if rank == 0:
            report[OBJECTIVE] = objective
            report[FLOW] = flow * flow
            report[SMOOTH] = smooth
            report[TOTAL] = sum_
            report[CORRECT] = right / batch
            report[LIVE] = live
            report[STEPS_DONE] = k + 1
            report[FINITE] = finite
        if not finite:
            break
        _row_updates(narrow, rank, threads, graph, settings, buffers, cutoff, flow, rates[k], step)
        barrier(buffers.meeting, threads)
        if settings.closeness:
            if rank == 0:
                to_cutoff = 0.0
                for t in range(threads):
                    to_cutoff += partial[t, P_CUTOFF]
                buffers.gradient[cutoff_at] = to_cutoff
                _update(
                    narrow, settings.optimizer, buffers, cutoff_at, cutoff_at + 1,
                    rates[k] * settings.closeness_rate, 0.0, step,
                )  # fmt: skip
            barrier(buffers.meeting, threads)
