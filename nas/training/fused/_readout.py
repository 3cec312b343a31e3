"""The walk through a network whose outputs read what their sources have before their σ (`nas.manifold._readout`).

The computational neurons go forward as in `nas.engine.kernels`, z kept; the outputs, and the way back, differ. Symbols
as there.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from nas.engine import derivative
from nas.engine.simd import add, fma, like, load, mul, splat, store, total

__all__ = ["backward_from_linear", "forward_outputs"]


@njit(cache=True, nogil=True, error_model="numpy")
def forward_outputs(lanes, size, n_inputs, n_outputs, in_start, in_end, sources, weight, bias, squared, values, kept_z):
    """Values of the outputs; ``kept_z`` receives what they are before they are squared."""
    first_output = in_start.size - n_outputs
    for i in range(first_output, in_start.size):
        z = splat(lanes, bias[i - n_inputs])
        for e in range(in_start[i], in_end[i]):
            j = sources[e]
            if j < n_inputs:
                z = fma(weight[e], load(lanes, values, j * size), z)
            else:
                z = fma(weight[e], load(lanes, kept_z, j * size), z)
        store(kept_z, i * size, z)
        store(values, i * size, mul(z, z) if squared else z)


@njit(cache=True, nogil=True, error_model="numpy")
def backward_from_linear(
    lanes, size, n_inputs, n_outputs, out_start, out_end, targets, out_edges, edge_weight, codes, squared, values,
    kept_z, grads, grad_weight, grad_bias,
):  # fmt: skip
    """`nas.engine.kernels.backward_tile` for such a network; the outputs' biases get no gradient."""
    first_output = out_start.size - n_outputs
    if squared:
        for i in range(first_output, out_start.size):
            z = load(lanes, kept_z, i * size)
            store(grads, i * size, mul(load(lanes, grads, i * size), add(z, z)))
    for back in range(first_output - n_inputs):
        j = first_output - 1 - back
        h = load(lanes, values, j * size)
        z = load(lanes, kept_z, j * size)
        activated = like(h, 0.0)
        linear = like(h, 0.0)
        for q in range(out_start[j], out_end[j]):
            dz = load(lanes, grads, targets[q] * size)
            e = out_edges[q]
            if targets[q] < first_output:
                activated = fma(edge_weight[e], dz, activated)
                grad_weight[e] += total(mul(h, dz))
            else:
                linear = fma(edge_weight[e], dz, linear)
                grad_weight[e] += total(mul(z, dz))
        g = fma(activated, derivative(codes[j], h, z), linear)
        grad_bias[j - n_inputs] += total(g)
        store(grads, j * size, g)
    for j in range(n_inputs):
        if out_start[j] == out_end[j]:
            continue  # its datum may not even have been loaded
        h = load(lanes, values, j * size)
        for q in range(out_start[j], out_end[j]):
            grad_weight[out_edges[q]] += total(mul(h, load(lanes, grads, targets[q] * size)))
