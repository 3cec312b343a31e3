"""The forward and the backward walk over a tile of samples.

Samples are independent, so a tile of them (16, 32 or 64, a vector of `simd`) is walked through the whole DAG in
topological order: each edge is one multiply-add of a vector that sits in cache, whatever the depth. Activations are
stored ``[tile][neuron][sample]``, flat. The backward walk visits neurons in reverse; at neuron j the gradients dz_i of
all its targets are known, and one pass over the out-edges serves both results:

    dh_j = Σ_i W_ij · dz_i,      dW_ij = Σ_samples dz_i · h_j

so that each dz_i is loaded once for two multiply-adds. That walk (`backward_tile`) reads weights and writes their
gradients in jumps, unless they were brought into its order before (`backward_columns`). By rows
(`backward_tile_by_rows`) everything is taken in order, but each dh_j is loaded and stored once an edge.

Symbols:
    n neurons, E edges, S = size samples a tile (the width that ``lanes`` stands for)
    in_start, in_end (n,)     in-edges of neuron i: slots in_start[i] … in_end[i] - 1 of ``sources`` and ``weight``
    out_start, out_end (n,)   its out-edges are slots of ``targets`` and ``out_edges``
    out_edges                 number of the edge in ``edge_weight`` and ``grad_weight``
    codes (n,) int8           activation codes
    values                    h of the neurons
    kept_z                    z = x + b of the neurons; empty where no activation's derivative needs it
    grads (n S,)              dz of the neurons, one tile
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from nas.engine._activations import IDENTITY, activate, derivative
from nas.engine.simd import (
    add,
    add_dots,
    add_some_dots,
    first,
    fma,
    like,
    load,
    mul,
    pick,
    put,
    splat,
    store,
    total,
    transpose_in,
)

__all__ = [
    "backward_columns",
    "backward_one",
    "backward_outputs",
    "backward_tile",
    "backward_tile_by_rows",
    "fold_gain",
    "forward_one",
    "forward_tile",
    "load_inputs",
    "pulled",
    "unfold_gain",
    "weighted_sum",
]


@njit(cache=True, nogil=True, error_model="numpy")
def load_inputs(lanes, size, x, numbers, first, count, n_inputs, used_inputs, values, base):
    """Bring rows ``numbers[first : first + count]`` of x (rows of ``n_inputs``, flat) into ``values[base:]``.

    Only blocks of 16 inputs that some edge reads (``used_inputs``) are touched. Missing samples repeat the last one:
    what comes out for them is never looked at, and the gradients that they get are 0.
    """
    rows, start = numbers, first
    if count < size:
        rows, start = np.zeros(size, np.int64), 0
        for s in range(size if count > 0 else 0):
            rows[s] = numbers[first + min(s, count - 1)]
    if count == 0:
        values[base : base + n_inputs * size] = 0
        return
    for block in range(n_inputs // 16):
        if used_inputs[block]:
            transpose_in(lanes, x, rows, start, n_inputs, 16 * block, values, base + 16 * block * size)
    for j in range(n_inputs // 16 * 16, n_inputs):
        if used_inputs[j // 16]:
            for s in range(size):
                values[base + j * size + s] = x[rows[start + s] * n_inputs + j]


@njit(inline="always")
def weighted_sum(lanes, size, start, e, end, sources, weight, values, base):
    """``start`` and the in-edges e … end - 1 of a neuron: Σ W h."""
    even = start
    odd = like(start, 0.0)  # two sums, so that a multiply-add need not wait for the one before it
    while e + 2 <= end:
        even = fma(pick(weight, e), load(lanes, values, base + pick(sources, e) * size), even)
        odd = fma(pick(weight, e + 1), load(lanes, values, base + pick(sources, e + 1) * size), odd)
        e += 2
    if e < end:
        even = fma(pick(weight, e), load(lanes, values, base + pick(sources, e) * size), even)
    return add(even, odd)


@njit(cache=True, nogil=True, error_model="numpy")
def forward_tile(lanes, size, n_inputs, in_start, in_end, sources, weight, bias, codes, values, kept_z, base):
    """h of every neuron that is no input, for the tile at ``values[base:]``."""
    keep_z = kept_z.size > 0
    for i in range(n_inputs, in_start.size):
        start = splat(lanes, bias[i - n_inputs] if bias.size > 0 else values.dtype.type(0))
        z = weighted_sum(lanes, size, start, in_start[i], in_end[i], sources, weight, values, base)
        if keep_z:
            store(kept_z, base + i * size, z)
        store(values, base + i * size, activate(codes[i], z))


@njit(cache=True, nogil=True, error_model="numpy")
def backward_outputs(lanes, size, n_inputs, n_outputs, codes, values, kept_z, base, grads, grad_bias):
    """dz of the outputs from the gradients of their values in ``grads``; outputs have no out-edges."""
    n = codes.size
    keep_z = kept_z.size > 0
    for i in range(n - n_outputs, n):
        g = load(lanes, grads, i * size)
        if codes[i] != IDENTITY:
            h = load(lanes, values, base + i * size)
            z = load(lanes, kept_z, base + i * size) if keep_z else h
            g = mul(g, derivative(codes[i], h, z))
            store(grads, i * size, g)
        grad_bias[i - n_inputs] += total(g)


@njit(cache=True, nogil=True, error_model="numpy")
def backward_tile(
    lanes, size, n_inputs, n_outputs, out_start, out_end, targets, out_edges, edge_weight, codes, values, kept_z, base,
    grads, grad_weight, grad_bias, need_x,
):  # fmt: skip
    """Gradients of one tile, added to ``grad_weight`` and ``grad_bias``.

    Args:
        values, kept_z, base: what `forward_tile` left.
        grads: holds the gradients of the outputs' values; receives dz of every neuron, and those of the inputs when
            ``need_x``.
    """
    first_output = out_start.size - n_outputs
    keep_z = kept_z.size > 0
    backward_outputs(lanes, size, n_inputs, n_outputs, codes, values, kept_z, base, grads, grad_bias)
    for back in range(first_output - n_inputs):
        j = first_output - 1 - back
        h = load(lanes, values, base + j * size)
        g = like(h, 0.0)
        for q in range(out_start[j], out_end[j]):
            dz = load(lanes, grads, targets[q] * size)
            e = out_edges[q]
            g = fma(edge_weight[e], dz, g)
            grad_weight[e] += total(mul(h, dz))
        z = load(lanes, kept_z, base + j * size) if keep_z else h
        g = mul(g, derivative(codes[j], h, z))
        grad_bias[j - n_inputs] += total(g)
        store(grads, j * size, g)
    for j in range(n_inputs):
        if out_start[j] == out_end[j] and not need_x:
            continue  # its datum may not even have been loaded
        h = load(lanes, values, base + j * size)
        if need_x:
            g = like(h, 0.0)
            for q in range(out_start[j], out_end[j]):
                dz = load(lanes, grads, targets[q] * size)
                e = out_edges[q]
                g = fma(edge_weight[e], dz, g)
                grad_weight[e] += total(mul(h, dz))
            store(grads, j * size, g)
        else:
            for q in range(out_start[j], out_end[j]):
                grad_weight[out_edges[q]] += total(mul(h, load(lanes, grads, targets[q] * size)))


@njit(cache=True, nogil=True, error_model="numpy")
def backward_tile_by_rows(
    lanes, size, n_inputs, n_outputs, in_start, in_end, sources, weight, codes, values, kept_z, base, grads,
    grad_weight, grad_bias, need_x,
):  # fmt: skip
    """The same as `backward_tile`, in-edge by in-edge; ``grad_weight`` is in the order of ``weight``."""
    n = in_start.size
    first_output = n - n_outputs
    keep_z = kept_z.size > 0
    zero = like(load(lanes, grads, first_output * size), 0.0)
    for j in range(0 if need_x else n_inputs, first_output):
        store(grads, j * size, zero)
    for back in range(n - n_inputs):
        i = n - 1 - back
        g = load(lanes, grads, i * size)
        if codes[i] != IDENTITY:
            h = load(lanes, values, base + i * size)
            z = load(lanes, kept_z, base + i * size) if keep_z else h
            g = mul(g, derivative(codes[i], h, z))
        grad_bias[i - n_inputs] += total(g)
        e = in_start[i]
        end = in_end[i]
        inner = e  # edges from here on pass the gradient on
        if not need_x:
            while inner < end and sources[inner] < n_inputs:
                inner += 1
        while e + 4 <= end:
            a = pick(sources, e) * size
            b = pick(sources, e + 1) * size
            c = pick(sources, e + 2) * size
            d = pick(sources, e + 3) * size
            add_dots(
                grad_weight, e, g, load(lanes, values, base + a), load(lanes, values, base + b),
                load(lanes, values, base + c), load(lanes, values, base + d),
            )  # fmt: skip
            if e >= inner:
                store(grads, a, fma(pick(weight, e), g, load(lanes, grads, a)))
                store(grads, b, fma(pick(weight, e + 1), g, load(lanes, grads, b)))
                store(grads, c, fma(pick(weight, e + 2), g, load(lanes, grads, c)))
                store(grads, d, fma(pick(weight, e + 3), g, load(lanes, grads, d)))
            else:
                for q in range(max(e, inner), e + 4):
                    at = pick(sources, q) * size
                    store(grads, at, fma(pick(weight, q), g, load(lanes, grads, at)))
            e += 4
        while e < end:
            at = pick(sources, e) * size
            grad_weight[e] += total(mul(load(lanes, values, base + at), g))
            if e >= inner:
                store(grads, at, fma(pick(weight, e), g, load(lanes, grads, at)))
            e += 1


@njit(inline="always")
def pulled(lanes, size, start, h, q, end, targets, weight, grads, grad_weight):
    """``start`` and Σ W dz over the out-edges q … end - 1 of a neuron, whose gradients it adds to ``grad_weight``.

    Both are in the order of ``targets``.
    """
    even = start
    odd = like(start, 0.0)
    while q + 4 <= end:
        a = load(lanes, grads, pick(targets, q) * size)
        b = load(lanes, grads, pick(targets, q + 1) * size)
        c = load(lanes, grads, pick(targets, q + 2) * size)
        d = load(lanes, grads, pick(targets, q + 3) * size)
        even = fma(pick(weight, q), a, even)
        odd = fma(pick(weight, q + 1), b, odd)
        even = fma(pick(weight, q + 2), c, even)
        odd = fma(pick(weight, q + 3), d, odd)
        add_dots(grad_weight, q, h, a, b, c, d)
        q += 4
    if q < end:
        a = load(lanes, grads, pick(targets, q) * size)
        even = fma(pick(weight, q), a, even)
        b = like(start, 0.0)
        c = b
        if q + 1 < end:
            b = load(lanes, grads, pick(targets, q + 1) * size)
            odd = fma(pick(weight, q + 1), b, odd)
        if q + 2 < end:
            c = load(lanes, grads, pick(targets, q + 2) * size)
            even = fma(pick(weight, q + 2), c, even)
        add_some_dots(grad_weight, q, h, a, b, c, end - q)
    return add(even, odd)


@njit(cache=True, nogil=True, error_model="numpy")
def backward_columns(
    lanes, size, n_inputs, n_outputs, out_ptr, targets, weight, codes, values, kept_z, base, grads, grad_weight,
    grad_bias, need_x,
):  # fmt: skip
    """The same as `backward_tile` with ``weight`` and ``grad_weight`` in the order of ``targets``.

    Then nothing but the activations is read in jumps, and the sums over samples are taken four edges at a time: a
    third less time at any size, and a quarter where weights outgrow the second-level cache. Putting the weights in
    order takes as long as 0.1 to 0.3 tiles.
    """
    keep_z = kept_z.size > 0
    first_output = out_ptr.size - 1 - n_outputs
    backward_outputs(lanes, size, n_inputs, n_outputs, codes, values, kept_z, base, grads, grad_bias)
    for back in range(first_output):
        j = first_output - 1 - back
        q = out_ptr[j]
        end = out_ptr[j + 1]
        if j < n_inputs and q == end and not need_x:
            continue  # its datum may not even have been loaded
        h = load(lanes, values, base + j * size)
        g = pulled(lanes, size, like(h, 0.0), h, q, end, targets, weight, grads, grad_weight)
        if j >= n_inputs:
            z = load(lanes, kept_z, base + j * size) if keep_z else h
            g = mul(g, derivative(codes[j], h, z))
            grad_bias[j - n_inputs] += total(g)
        if j >= n_inputs or need_x:
            store(grads, j * size, g)


@njit(cache=True, nogil=True, error_model="numpy")
def forward_one(lanes, n_inputs, in_ptr, sources, weight, bias, codes, values, kept_z):
    """`forward_tile` for a single sample, without vectors but those that ``lanes`` (16) gives the activations.

    Four sums, so that neither a multiply-add nor a load waits for another: three loads an edge are what it costs.
    """
    keep_z = kept_z.size > 0
    zero = values.dtype.type(0)
    for i in range(n_inputs, in_ptr.size - 1):
        a = bias[i - n_inputs] if bias.size > 0 else zero
        b = zero
        c = zero
        d = zero
        e = in_ptr[i]
        end = in_ptr[i + 1]
        while e + 4 <= end:
            a += pick(weight, e) * pick(values, pick(sources, e))
            b += pick(weight, e + 1) * pick(values, pick(sources, e + 1))
            c += pick(weight, e + 2) * pick(values, pick(sources, e + 2))
            d += pick(weight, e + 3) * pick(values, pick(sources, e + 3))
            e += 4
        while e < end:
            a += pick(weight, e) * pick(values, pick(sources, e))
            e += 1
        z = (a + b) + (c + d)
        if keep_z:
            kept_z[i] = z
        values[i] = first(activate(codes[i], splat(lanes, z)))


@njit(cache=True, nogil=True, error_model="numpy")
def backward_one(
    lanes, n_inputs, n_outputs, in_ptr, sources, weight, codes, values, kept_z, grads, grad_weight, grad_bias, need_x
):
    """`backward_tile_by_rows` for a single sample; ``grad_weight`` and ``grad_bias`` are written, not added to.

    By columns nothing would be stored but the results, yet bringing the weights into that order and their gradients
    back takes longer than both passes. Neurons through which no gradient comes, half of them with relu, are passed by.
    """
    n = in_ptr.size - 1
    keep_z = kept_z.size > 0
    zero = values.dtype.type(0)
    for j in range(n - n_outputs):
        grads[j] = zero
    for back in range(n - n_inputs):
        i = n - 1 - back
        g = grads[i]
        if codes[i] != IDENTITY:
            h = values[i]
            z = kept_z[i] if keep_z else h
            g *= first(derivative(codes[i], splat(lanes, h), splat(lanes, z)))
        grad_bias[i - n_inputs] = g
        e = in_ptr[i]
        end = in_ptr[i + 1]
        if g == zero:
            while e < end:
                grad_weight[e] = zero
                e += 1
        if not need_x:
            while e < end and pick(sources, e) < n_inputs:
                grad_weight[e] = g * pick(values, pick(sources, e))
                e += 1
        while e < end:
            j = pick(sources, e)
            grad_weight[e] = g * pick(values, j)
            put(grads, j, pick(grads, j) + g * pick(weight, e))
            e += 1


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
