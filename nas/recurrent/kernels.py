"""A whole sequence through a DAG in one call, forward and back through time.

As in `nas.engine.kernels` a tile of samples is walked through the neurons in topological order, here once a time step;
what is carried from one step to the next stays in the tile. A step from Python would cost more than a small network.

An LSTM neuron (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000) reads its in-edges
four times, and its own last value over four weights of its own:

    z_q = Σ_j W^q_ij h_j + u^q h_i(t - 1) + b^q      for q = input gate, forget gate, output gate, candidate
    c   = σ(z_forget) c(t - 1) + σ(z_input) tanh(z_candidate)
    h_i = σ(z_output) tanh(c)

Symbols, besides those of `nas.engine.kernels`:
    T = steps, F = features      numbers of a sample: T rows of F
    memory                       the last inputs, which get what the last outputs gave a step before
    cells (n,) int32             number k of an LSTM neuron, or -1; there are K of them
    gate_start (K,)              first row in ``gate_weight`` (·, 3) of cell k's in-edges; ``weight`` has those of the
                                 candidate
    recurrent (K, 4)             u: input, forget, output gate, candidate
    gate_bias (K, 3)             b of the gates; that of the candidate is in ``bias``
    states [time][cell][6]       σ(z_input), σ(z_forget), σ(z_output), tanh(z_candidate), c, tanh(c) as vectors
    keep                         each time step has a place in ``values``, ``kept_z``, ``states``; else two take turns
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from nas.engine import activate, derivative
from nas.engine.functions import v_sigmoid, v_tanh
from nas.engine.simd import add, fma, like, load, mul, splat, store, sub, total
from nas.engine.threads import together

__all__ = ["CELL_VECTORS", "backward_sequences", "forward_sequences"]

CELL_VECTORS = 6
INPUT, FORGET, OUTPUT, CANDIDATE, STATE, SQUASHED = range(CELL_VECTORS)


@njit(error_model="numpy")
def _part(array, rank, parts):
    share = array.size // parts
    return array[rank * share : (rank + 1) * share]


@njit(error_model="numpy")
def _forward_ranks(
    thread, threads, ranks, lanes, size, tiles, keep, every, x, batch, steps, features, n_inputs, n_outputs, in_ptr,
    sources, weight, bias, codes, cells, gate_start, gate_weight, recurrent, gate_bias, carry_code, initial, values,
    kept_z, states, y,
):  # fmt: skip
    parts = 1 if keep else ranks
    for rank in range(thread, ranks, threads):
        own = 0 if keep else rank
        _forward(
            lanes, size, rank, tiles, ranks, keep, every, x, batch, steps, features, n_inputs, n_outputs, in_ptr,
            sources, weight, bias, codes, cells, gate_start, gate_weight, recurrent, gate_bias, carry_code, initial,
            _part(values, own, parts), _part(kept_z, own, parts), _part(states, own, parts), y,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _forward(
    lanes, size, first_tile, last_tile, tile_step, keep, every, x, batch, steps, features, n_inputs, n_outputs, in_ptr,
    sources, weight, bias, codes, cells, gate_start, gate_weight, recurrent, gate_bias, carry_code, initial, values,
    kept_z, states, y,
):  # fmt: skip
    """Run tiles ``first_tile, first_tile + tile_step, …`` below ``last_tile`` through all steps."""
    n = in_ptr.size - 1
    n_cells = gate_start.size
    memory = n_inputs - features
    first_output = n - n_outputs
    own = n_outputs - memory
    keep_z = kept_z.size > 0
    slots = steps if keep else 2
    for tile in range(first_tile, last_tile, tile_step):
        first = tile * size
        count = min(size, batch - first)
        origin = tile * slots * n * size if keep else 0
        cell_origin = tile * slots * n_cells * CELL_VECTORS * size if keep else 0
        for t in range(steps):
            slot = t if keep else t % 2
            before = t - 1 if keep else (t + 1) % 2
            base = origin + slot * n * size
            base_before = origin + before * n * size
            cell_base = cell_origin + slot * n_cells * CELL_VECTORS * size
            cell_before = cell_origin + before * n_cells * CELL_VECTORS * size
            for j in range(features):
                at = base + j * size
                for s in range(count):
                    values[at + s] = x[((first + s) * steps + t) * features + j]
                for s in range(count, size):
                    values[at + s] = 0
            for m in range(memory):
                if t == 0:
                    carried = splat(lanes, initial[m])
                else:
                    carried = activate(carry_code, load(lanes, values, base_before + (first_output + own + m) * size))
                store(values, base + (features + m) * size, carried)
            for i in range(n_inputs, n):
                k = cells[i]
                if k < 0:
                    z = splat(lanes, bias[i - n_inputs])
                    for e in range(in_ptr[i], in_ptr[i + 1]):
                        z = fma(weight[e], load(lanes, values, base + sources[e] * size), z)
                    if keep_z:
                        store(kept_z, base + i * size, z)
                    store(values, base + i * size, activate(codes[i], z))
                    continue
                z_input = splat(lanes, gate_bias[k, INPUT])
                z_forget = splat(lanes, gate_bias[k, FORGET])
                z_output = splat(lanes, gate_bias[k, OUTPUT])
                z_candidate = splat(lanes, bias[i - n_inputs])
                row = gate_start[k]
                for e in range(in_ptr[i], in_ptr[i + 1]):
                    h = load(lanes, values, base + sources[e] * size)
                    z_input = fma(gate_weight[row, INPUT], h, z_input)
                    z_forget = fma(gate_weight[row, FORGET], h, z_forget)
                    z_output = fma(gate_weight[row, OUTPUT], h, z_output)
                    z_candidate = fma(weight[e], h, z_candidate)
                    row += 1
                state = like(z_input, 0.0)
                if t > 0:
                    h = load(lanes, values, base_before + i * size)
                    z_input = fma(recurrent[k, INPUT], h, z_input)
                    z_forget = fma(recurrent[k, FORGET], h, z_forget)
                    z_output = fma(recurrent[k, OUTPUT], h, z_output)
                    z_candidate = fma(recurrent[k, CANDIDATE], h, z_candidate)
                    state = load(lanes, states, cell_before + (k * CELL_VECTORS + STATE) * size)
                at = cell_base + k * CELL_VECTORS * size
                gate_input, gate_forget, gate_output = v_sigmoid(z_input), v_sigmoid(z_forget), v_sigmoid(z_output)
                candidate = v_tanh(z_candidate)
                state = add(mul(gate_forget, state), mul(gate_input, candidate))
                squashed = v_tanh(state)
                store(states, at + INPUT * size, gate_input)
                store(states, at + FORGET * size, gate_forget)
                store(states, at + OUTPUT * size, gate_output)
                store(states, at + CANDIDATE * size, candidate)
                store(states, at + STATE * size, state)
                store(states, at + SQUASHED * size, squashed)
                store(values, base + i * size, mul(gate_output, squashed))
            if every or t == steps - 1:
                row = steps if every else 1
                place = t if every else 0
                for o in range(own):
                    at = base + (first_output + o) * size
                    for s in range(count):
                        y[((first + s) * row + place) * own + o] = values[at + s]


@njit(error_model="numpy")
def _backward_ranks(
    thread, threads, ranks, lanes, size, tiles, every, batch, steps, features, n_inputs, n_outputs, in_ptr, sources,
    weight, codes, cells, gate_start, gate_weight, recurrent, carry_code, values, kept_z, states, grad_y, grads,
    carried, grad_weight, grad_bias, grad_gate_weight, grad_recurrent, grad_gate_bias, grad_initial, need_x, grad_x,
):  # fmt: skip
    for r in range(thread, ranks, threads):
        _backward(
            lanes, size, r, tiles, ranks, every, batch, steps, features, n_inputs, n_outputs, in_ptr, sources, weight,
            codes, cells, gate_start, gate_weight, recurrent, carry_code, values, kept_z, states, grad_y, grads[r],
            carried[r], grad_weight[r], grad_bias[r], grad_gate_weight[r], grad_recurrent[r], grad_gate_bias[r],
            grad_initial[r], need_x, grad_x,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _backward(
    lanes, size, first_tile, last_tile, tile_step, every, batch, steps, features, n_inputs, n_outputs, in_ptr, sources,
    weight, codes, cells, gate_start, gate_weight, recurrent, carry_code, values, kept_z, states, grad_y, grads,
    carried, grad_weight, grad_bias, grad_gate_weight, grad_recurrent, grad_gate_bias, grad_initial, need_x, grad_x,
):  # fmt: skip
    """The tiles ``first_tile, first_tile + tile_step, …`` below ``last_tile``; arrays are those of one rank."""
    n = in_ptr.size - 1
    n_cells = gate_start.size
    memory = n_inputs - features
    first_output = n - n_outputs
    own = n_outputs - memory
    keep_z = kept_z.size > 0
    zero = like(load(lanes, grads, 0), 0.0)
    one = like(zero, 1.0)
    for tile in range(first_tile, last_tile, tile_step):
        first = tile * size
        count = min(size, batch - first)
        origin = tile * steps * n * size
        cell_origin = tile * steps * n_cells * CELL_VECTORS * size
        for m in range(memory + 2 * n_cells):
            store(carried, m * size, zero)
        for back in range(steps):
            t = steps - 1 - back
            base = origin + t * n * size
            cell_base = cell_origin + t * n_cells * CELL_VECTORS * size
            for j in range(first_output):
                store(grads, j * size, zero)
            for o in range(own):
                at = (first_output + o) * size
                if every or back == 0:
                    row = steps if every else 1
                    place = t if every else 0
                    for s in range(count):
                        grads[at + s] = grad_y[((first + s) * row + place) * own + o]
                    for s in range(count, size):
                        grads[at + s] = 0  # samples that only fill up the tile
                else:
                    store(grads, at, zero)
            for m in range(memory):
                store(grads, (first_output + own + m) * size, load(lanes, carried, m * size))
            for reverse in range(n - n_inputs):
                i = n - 1 - reverse
                g = load(lanes, grads, i * size)
                k = cells[i]
                if k < 0:
                    h = load(lanes, values, base + i * size)
                    z = load(lanes, kept_z, base + i * size) if keep_z else h
                    dz = mul(g, derivative(codes[i], h, z))
                    grad_bias[i - n_inputs] += total(dz)
                    for e in range(in_ptr[i], in_ptr[i + 1]):
                        at = sources[e] * size
                        grad_weight[e] += total(mul(load(lanes, values, base + at), dz))
                        store(grads, at, fma(weight[e], dz, load(lanes, grads, at)))
                    continue
                at = cell_base + k * CELL_VECTORS * size
                gate_input = load(lanes, states, at + INPUT * size)
                gate_forget = load(lanes, states, at + FORGET * size)
                gate_output = load(lanes, states, at + OUTPUT * size)
                candidate = load(lanes, states, at + CANDIDATE * size)
                squashed = load(lanes, states, at + SQUASHED * size)
                h_place, c_place = (memory + k) * size, (memory + n_cells + k) * size
                g = add(g, load(lanes, carried, h_place))
                d_output = mul(mul(g, squashed), mul(gate_output, sub(one, gate_output)))
                dc = fma(mul(g, gate_output), sub(one, mul(squashed, squashed)), load(lanes, carried, c_place))
                d_input = mul(mul(dc, candidate), mul(gate_input, sub(one, gate_input)))
                d_candidate = mul(mul(dc, gate_input), sub(one, mul(candidate, candidate)))
                d_forget = zero
                if t > 0:
                    h = load(lanes, values, base - n * size + i * size)
                    c = load(lanes, states, at - n_cells * CELL_VECTORS * size + STATE * size)
                    d_forget = mul(mul(dc, c), mul(gate_forget, sub(one, gate_forget)))
                    grad_recurrent[k, INPUT] += total(mul(h, d_input))
                    grad_recurrent[k, FORGET] += total(mul(h, d_forget))
                    grad_recurrent[k, OUTPUT] += total(mul(h, d_output))
                    grad_recurrent[k, CANDIDATE] += total(mul(h, d_candidate))
                    dh = mul(like(h, recurrent[k, INPUT]), d_input)
                    dh = fma(recurrent[k, FORGET], d_forget, dh)
                    dh = fma(recurrent[k, OUTPUT], d_output, dh)
                    store(carried, h_place, fma(recurrent[k, CANDIDATE], d_candidate, dh))
                    store(carried, c_place, mul(dc, gate_forget))
                grad_gate_bias[k, INPUT] += total(d_input)
                grad_gate_bias[k, FORGET] += total(d_forget)
                grad_gate_bias[k, OUTPUT] += total(d_output)
                grad_bias[i - n_inputs] += total(d_candidate)
                row = gate_start[k]
                for e in range(in_ptr[i], in_ptr[i + 1]):
                    at = sources[e] * size
                    h = load(lanes, values, base + at)
                    grad_gate_weight[row, INPUT] += total(mul(h, d_input))
                    grad_gate_weight[row, FORGET] += total(mul(h, d_forget))
                    grad_gate_weight[row, OUTPUT] += total(mul(h, d_output))
                    grad_weight[e] += total(mul(h, d_candidate))
                    dh = fma(gate_weight[row, INPUT], d_input, load(lanes, grads, at))
                    dh = fma(gate_weight[row, FORGET], d_forget, dh)
                    dh = fma(gate_weight[row, OUTPUT], d_output, dh)
                    store(grads, at, fma(weight[e], d_candidate, dh))
                    row += 1
            for m in range(memory):
                g = load(lanes, grads, (features + m) * size)
                if t == 0:
                    grad_initial[m] += total(g)
                    continue
                h = load(lanes, values, base + (features + m) * size)
                z = load(lanes, values, base - n * size + (first_output + own + m) * size)
                store(carried, m * size, mul(g, derivative(carry_code, h, z)))
            if need_x:
                for j in range(features):
                    for s in range(count):
                        grad_x[((first + s) * steps + t) * features + j] = grads[j * size + s]


_start_forward = together(_forward_ranks)


@njit(cache=True, nogil=True, error_model="numpy")
def forward_sequences(
    on, ranks, lanes, size, tiles, keep, every, x, batch, steps, features, n_inputs, n_outputs, in_ptr, sources, weight,
    bias, codes, cells, gate_start, gate_weight, recurrent, gate_bias, carry_code, initial, values, kept_z, states, y,
):  # fmt: skip
    """Run all tiles through all steps.

    Args:
        on: a team of threads; ranks: into how many parts the tiles are shared out.
        every: whether ``y`` takes the outputs of each step, (batch, T, own outputs), or of the last alone.
        x: (batch * T * F,).
        carry_code: activation of what the memory outputs carry over; initial: (memory,) before the first step.
        values, kept_z, states: of all tiles and steps; where not ``keep``, of a tile of each rank (two steps);
            ``kept_z`` is empty where no derivative needs it.
    """
    _start_forward(
        on, ranks,
        (ranks, lanes, size, tiles, keep, every, x, batch, steps, features, n_inputs, n_outputs, in_ptr, sources,
         weight, bias, codes, cells, gate_start, gate_weight, recurrent, gate_bias, carry_code, initial, values, kept_z,
         states, y),
    )  # fmt: skip


_start_backward = together(_backward_ranks)


@njit(cache=True, nogil=True, error_model="numpy")
def backward_sequences(
    on, ranks, lanes, size, tiles, every, batch, steps, features, n_inputs, n_outputs, in_ptr, sources, weight, codes,
    cells, gate_start, gate_weight, recurrent, carry_code, values, kept_z, states, grad_y, grads, carried, grad_weight,
    grad_bias, grad_gate_weight, grad_recurrent, grad_gate_bias, grad_initial, need_x, grad_x,
):  # fmt: skip
    """Gradients of the tiles that `forward_sequences` kept, added to the ``grad_…`` of the weights.

    Args:
        grad_y: like ``y`` of the forward pass.
        grads: scratch (ranks, n * size): gradients of the values of one step.
        carried: scratch (ranks, (memory + 2 K) * size): gradients that one step hands to the one before: of the memory
            outputs, of h and of c of each cell.
        grad_weight, …, grad_initial: (ranks, …), of each rank's tiles.
        grad_x: (batch * T * F,), written when ``need_x``.
    """
    _start_backward(
        on, ranks,
        (ranks, lanes, size, tiles, every, batch, steps, features, n_inputs, n_outputs, in_ptr, sources, weight, codes,
         cells, gate_start, gate_weight, recurrent, carry_code, values, kept_z, states, grad_y, grads, carried,
         grad_weight, grad_bias, grad_gate_weight, grad_recurrent, grad_gate_bias, grad_initial, need_x, grad_x),
    )  # fmt: skip
