"""The walks of `nas.engine.kernels` for DAGs with dense runs: four neurons, a panel, share each row they read.

Glossary: see `nas.engine._dense` for panels, runs, the rest and how weights are packed; the rest is that of
`nas.engine.kernels`.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from nas.engine._activations import activate, derivative
from nas.engine._dense import PANEL
from nas.engine.kernels import backward_outputs, pulled, weighted_sum
from nas.engine.simd import add, add_dots, fma, load, mul, pick, splat, store, total

__all__ = ["backward_panels", "forward_panels"]


@njit(cache=True, nogil=True, error_model="numpy")
def forward_panels(
    lanes, size, n_inputs, in_ptr, sources, firsts, run_ptr, starts, ends, weight, bias, codes, values, kept_z, base
):  # fmt: skip
    """`forward_tile`; ``weight`` is packed."""
    keep_z = kept_z.size > 0
    n = in_ptr.size - 1
    nothing = splat(lanes, values.dtype.type(0))
    panel = 0
    in_panel = n + 1  # first neuron of the panel that i is in
    q = sources.size  # where the weights of the next run are
    for i in range(n_inputs, n):
        if panel < firsts.size and i == firsts[panel]:
            a, b, c, d = nothing, nothing, nothing, nothing
            for r in range(run_ptr[panel], run_ptr[panel + 1]):
                for s in range(starts[r], ends[r]):
                    h = load(lanes, values, base + s * size)
                    a = fma(pick(weight, q), h, a)
                    b = fma(pick(weight, q + 1), h, b)
                    c = fma(pick(weight, q + 2), h, c)
                    d = fma(pick(weight, q + 3), h, d)
                    q += PANEL
            store(values, base + i * size, a)
            store(values, base + (i + 1) * size, b)
            store(values, base + (i + 2) * size, c)
            store(values, base + (i + 3) * size, d)
            in_panel = i
            panel += 1
        start = splat(lanes, bias[i - n_inputs] if bias.size > 0 else values.dtype.type(0))
        if in_panel <= i < in_panel + PANEL:
            start = add(start, load(lanes, values, base + i * size))
        z = weighted_sum(lanes, size, start, in_ptr[i], in_ptr[i + 1], sources, weight, values, base)
        if keep_z:
            store(kept_z, base + i * size, z)
        store(values, base + i * size, activate(codes[i], z))


@njit(cache=True, nogil=True, error_model="numpy")
def backward_panels(
    lanes, size, n_inputs, n_outputs, out_ptr, targets, ordered, firsts, run_ptr, starts, ends, weight, codes, values,
    kept_z, base, grads, grad_weight, grad_bias, need_x,
):  # fmt: skip
    """`backward_columns`; ``ordered`` holds the weights of the rest by source, ``weight`` all of them packed.

    ``grad_weight`` is like ``weight``, with the rest by source. A neuron's gradient comes from the panels that read it,
    which push theirs when their first neuron is done, and from the rest, which it pulls itself.
    """
    keep_z = kept_z.size > 0
    n = out_ptr.size - 1
    first_output = n - n_outputs
    nothing = splat(lanes, values.dtype.type(0))
    for j in range(0 if need_x else n_inputs, first_output):
        store(grads, j * size, nothing)
    backward_outputs(lanes, size, n_inputs, n_outputs, codes, values, kept_z, base, grads, grad_bias)
    panel = firsts.size - 1
    next_q = weight.size
    for back in range(n):
        j = n - 1 - back
        if j < first_output:
            q = out_ptr[j]
            end = out_ptr[j + 1]
            if j >= n_inputs or need_x or q < end:
                h = load(lanes, values, base + j * size)
                start = load(lanes, grads, j * size) if j >= n_inputs or need_x else nothing
                g = pulled(lanes, size, start, h, q, end, targets, ordered, grads, grad_weight)
                if j >= n_inputs:
                    z = load(lanes, kept_z, base + j * size) if keep_z else h
                    g = mul(g, derivative(codes[j], h, z))
                    grad_bias[j - n_inputs] += total(g)
                if j >= n_inputs or need_x:
                    store(grads, j * size, g)
        if panel >= 0 and j == firsts[panel]:
            for r in range(run_ptr[panel], run_ptr[panel + 1]):
                next_q -= PANEL * (ends[r] - starts[r])
            q = next_q
            a = load(lanes, grads, j * size)
            b = load(lanes, grads, (j + 1) * size)
            c = load(lanes, grads, (j + 2) * size)
            d = load(lanes, grads, (j + 3) * size)
            for r in range(run_ptr[panel], run_ptr[panel + 1]):
                unread = starts[r] if need_x else min(max(n_inputs, starts[r]), ends[r])
                for s in range(starts[r], unread):
                    add_dots(grad_weight, q, load(lanes, values, base + s * size), a, b, c, d)
                    q += PANEL
                for s in range(unread, ends[r]):
                    g = load(lanes, grads, s * size)
                    g = fma(pick(weight, q), a, g)
                    g = fma(pick(weight, q + 1), b, g)
                    g = fma(pick(weight, q + 2), c, g)
                    g = fma(pick(weight, q + 3), d, g)
                    store(grads, s * size, g)
                    add_dots(grad_weight, q, load(lanes, values, base + s * size), a, b, c, d)
                    q += PANEL
            panel -= 1
