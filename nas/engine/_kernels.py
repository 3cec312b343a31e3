"""The forward and the backward walk over a tile of samples.

Samples are independent, so a tile of them (16, 32 or 64, a vector of `_simd`) is walked through the whole DAG in
topological order: each edge is one multiply-add of a vector that sits in cache, whatever the depth. Activations are
stored ``[tile][neuron][sample]``, flat. The backward walk visits neurons in reverse; at neuron j the gradients dz_i of
all its targets are known, and one pass over the out-edges serves both results:

    dh_j = Σ_i W_ij · dz_i,      dW_ij = Σ_samples dz_i · h_j

so that each dz_i is loaded once for two multiply-adds.

Symbols: n neurons, E edges, S = lanes.count samples a tile; see `_plan` for the index arrays. ``codes`` (n,) int8 holds
activation codes; ``values`` the h_j and ``inputs_kept`` the z_j = x_j + b_j of the neurons (empty where no activation
needs them).
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from nas.engine._activations import IDENTITY, activate, derivative
from nas.engine._simd import add, fma, like, load, mul, splat, store, total, transpose_in

__all__ = ["backward_tiles", "fold_gain", "forward_tiles", "unfold_gain"]


@njit(cache=True, nogil=True, error_model="numpy")
def _load_inputs(lanes, size, x, stride, n_inputs, first, count, used_inputs, values, base):
    """Bring ``count`` rows of x, from row ``first``, into ``values[base:]`` as [neuron][sample]; pad with zeros."""
    whole = n_inputs // 16 if count == size else 0
    for block in range(whole):
        if used_inputs[block]:
            transpose_in(lanes, x, first * stride + 16 * block, stride, values, base + 16 * block * size, size)
    for j in range(16 * whole, n_inputs):
        if used_inputs[j // 16]:
            for s in range(count):
                values[base + j * size + s] = x[(first + s) * stride + j]
            for s in range(count, size):
                values[base + j * size + s] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def forward_tiles(
    lanes, size, first_tile, last_tile, tile_step, keep, batch, x, n_inputs, n_outputs, in_ptr, sources, weight, bias,
    codes, used_inputs, values, inputs_kept, y,
):  # fmt: skip
    """Run tiles ``first_tile, first_tile + tile_step, …`` below ``last_tile``.

    Args:
        lanes, size: the tile's width as a type and as a number.
        keep: whether every tile has its own place in ``values`` (for a backward pass) or all share the first.
        x: (batch * n_inputs,); y: (batch * n_outputs,), written.
        weight: (E,); bias: (n - n_inputs,).
        values: (tiles or 1) * n * size; inputs_kept: the same or empty.
    """
    n = in_ptr.size - 1
    first_output = n - n_outputs
    keep_inputs = inputs_kept.size > 0
    for tile in range(first_tile, last_tile, tile_step):
        base = tile * n * size if keep else 0
        first = tile * size
        count = min(size, batch - first)
        _load_inputs(lanes, size, x, n_inputs, n_inputs, first, count, used_inputs, values, base)
        for i in range(n_inputs, n):
            # Two sums, so that a multiply-add need not wait for the one before it.
            even = splat(lanes, bias[i - n_inputs])
            odd = like(even, 0.0)
            e = in_ptr[i]
            end = in_ptr[i + 1]
            while e + 2 <= end:
                even = fma(weight[e], load(lanes, values, base + sources[e] * size), even)
                odd = fma(weight[e + 1], load(lanes, values, base + sources[e + 1] * size), odd)
                e += 2
            if e < end:
                even = fma(weight[e], load(lanes, values, base + sources[e] * size), even)
            z = add(even, odd)
            if keep_inputs:
                store(inputs_kept, base + i * size, z)
            store(values, base + i * size, activate(codes[i], z))
        for o in range(n_outputs):
            at = base + (first_output + o) * size
            for s in range(count):
                y[(first + s) * n_outputs + o] = values[at + s]


@njit(cache=True, nogil=True, error_model="numpy")
def backward_tiles(
    lanes, size, first_tile, last_tile, tile_step, batch, grad_y, n_inputs, n_outputs, out_ptr, targets, out_edges,
    weight, codes, values, inputs_kept, grads, grad_weight, grad_bias, need_x, grad_x,
):  # fmt: skip
    """Gradients of the tiles that `forward_tiles` kept, added to ``grad_weight`` (E,) and ``grad_bias``.

    Args:
        grad_y: (batch * n_outputs,); grad_x: (batch * n_inputs,), written when ``need_x``.
        grads: scratch of n * size, one a thread.
    """
    n = out_ptr.size - 1
    first_output = n - n_outputs
    keep_inputs = inputs_kept.size > 0
    for tile in range(first_tile, last_tile, tile_step):
        base = tile * n * size
        first = tile * size
        count = min(size, batch - first)
        for i in range(first_output, n):
            at = i * size
            o = i - first_output
            for s in range(count):
                grads[at + s] = grad_y[(first + s) * n_outputs + o]
            for s in range(count, size):
                grads[at + s] = 0  # samples that only fill up the tile
            g = load(lanes, grads, at)
            if codes[i] != IDENTITY:
                h = load(lanes, values, base + at)
                z = load(lanes, inputs_kept, base + at) if keep_inputs else h
                g = mul(g, derivative(codes[i], h, z))
                store(grads, at, g)
            grad_bias[i - n_inputs] += total(g)
        for back in range(first_output):
            j = first_output - 1 - back
            if j < n_inputs and not need_x and out_ptr[j] == out_ptr[j + 1]:
                continue
            h = load(lanes, values, base + j * size)
            if j < n_inputs and not need_x:
                for q in range(out_ptr[j], out_ptr[j + 1]):
                    grad_weight[out_edges[q]] += total(mul(h, load(lanes, grads, targets[q] * size)))
                continue
            g = like(h, 0.0)
            for q in range(out_ptr[j], out_ptr[j + 1]):
                dz = load(lanes, grads, targets[q] * size)
                e = out_edges[q]
                g = fma(weight[e], dz, g)
                grad_weight[e] += total(mul(h, dz))
            if j >= n_inputs:
                z = load(lanes, inputs_kept, base + j * size) if keep_inputs else h
                g = mul(g, derivative(codes[j], h, z))
                grad_bias[j - n_inputs] += total(g)
            store(grads, j * size, g)
        if need_x:
            for j in range(n_inputs):
                for s in range(count):
                    grad_x[(first + s) * n_inputs + j] = grads[j * size + s]


@njit(cache=True, nogil=True, error_model="numpy")
def fold_gain(in_ptr, n_inputs, weight, gain, folded):
    """``folded[e] = gain_i * weight[e]`` for every in-edge e of neuron i: a_i · Σ W h = Σ (a_i W) h."""
    for i in range(n_inputs, in_ptr.size - 1):
        for e in range(in_ptr[i], in_ptr[i + 1]):
            folded[e] = gain[i - n_inputs] * weight[e]


@njit(cache=True, nogil=True, error_model="numpy")
def unfold_gain(in_ptr, n_inputs, weight, gain, grad_weight, grad_gain):
    """Gradients of weight and gain from that of the folded weight; ``grad_weight`` is changed in place."""
    for i in range(n_inputs, in_ptr.size - 1):
        sum_ = gain[i - n_inputs] * 0
        for e in range(in_ptr[i], in_ptr[i + 1]):
            sum_ += grad_weight[e] * weight[e]
            grad_weight[e] *= gain[i - n_inputs]
        grad_gain[i - n_inputs] = sum_
