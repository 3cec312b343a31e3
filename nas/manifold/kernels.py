"""The closeness of a neuron's in-edges, sixteen edges at a time, values and gradients.

In eager torch the closeness functions are some twenty kernels over all edges forward and as many backward, and cost
more than the network they feed. Here a row (the in-edges of one neuron, contiguous) is one pass in vector registers.
Both the differentiable torch function and the fused trainer are built from these; `nas.manifold.reference_d` is the
specification, and the symbols are those of `nas.manifold._closeness`.

Arrays: ``parameters`` (7, m) alpha, beta, gamma, theta, phi, sigma, mu; ``derived`` (`DERIVED`, m), what a row needs of
them; ``sums`` (7, m), gradients summed over a row, before the chain rule through ``derived``. Per edge: gauss, wave,
log of the wave's base, and slope = wave cos(angle) / base.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

from numba import njit

from nas.engine.functions import v_cos, v_exp, v_log, v_sigmoid, v_sin, v_softplus
from nas.engine.simd import (
    add,
    div,
    fma,
    like,
    load_some,
    maximum,
    mul,
    splat,
    store_some,
    sub,
    total,
    where_positive,
)

__all__ = [
    "AMPLITUDE",
    "DERIVED",
    "WAVE_FLOOR",
    "WIDTH_FLOOR",
    "all_gradients",
    "all_values",
    "chain_rule",
    "derive",
    "edge_gradients",
    "edge_values",
    "row_constants",
    "store_sums",
]

# The wave's base touches 0, where x^(beta+1) has no finite derivative for beta < 0 (nor in beta); it is floored here.
WAVE_FLOOR = 1e-6
# softplus underflows; a Gaussian or a wavelength of width 0 has no finite gradient. In neurons, and in periods.
WIDTH_FLOOR = 1e-6

ALPHA, BETA, GAMMA, THETA, PHI, SIGMA, MU = range(7)
AMPLITUDE, EXPONENT, THRESHOLD, NUMBER, PHASE, INVERSE, CENTRE, ALPHA_SLOPE, THETA_SLOPE, SIGMA_SLOPE = range(10)
DERIVED = 10


@njit(cache=True, nogil=True, error_model="numpy")
def derive(lanes, parameters, first, last, period, derived):
    """Fill ``derived`` for neurons ``first … last - 1``."""
    m = parameters.shape[1]
    flat = parameters.reshape(-1)
    out = derived.reshape(-1)
    for i in range(first, last, 16):
        count = last - i
        on = v_sigmoid(load_some(lanes, flat, ALPHA * m + i, count))
        one = like(on, 1.0)
        beta = load_some(lanes, flat, BETA * m + i, count)
        theta = load_some(lanes, flat, THETA * m + i, count)
        sigma = load_some(lanes, flat, SIGMA * m + i, count)
        floor = like(on, WIDTH_FLOOR)
        stretch = maximum(v_softplus(theta), floor)
        width = maximum(v_softplus(sigma), floor)
        zero = like(on, 0.0)
        number = div(like(on, 2.0 * math.pi * math.log(2.0) / period), stretch)
        store_some(out, AMPLITUDE * m + i, fma(like(on, 2.0), on, like(on, -1.0)), count)
        store_some(out, EXPONENT * m + i, maximum(add(beta, one), like(on, 0.0)), count)
        store_some(out, THRESHOLD * m + i, v_sigmoid(load_some(lanes, flat, GAMMA * m + i, count)), count)
        store_some(out, NUMBER * m + i, number, count)
        store_some(out, PHASE * m + i, load_some(lanes, flat, PHI * m + i, count), count)
        store_some(out, INVERSE * m + i, div(one, width), count)
        store_some(out, CENTRE * m + i, load_some(lanes, flat, MU * m + i, count), count)
        store_some(out, ALPHA_SLOPE * m + i, mul(like(on, 2.0), mul(on, sub(one, on))), count)
        theta_slope = div(mul(number, v_sigmoid(theta)), stretch)
        store_some(out, THETA_SLOPE * m + i, where_positive(sub(stretch, floor), theta_slope, zero), count)
        store_some(out, SIGMA_SLOPE * m + i, where_positive(sub(width, floor), v_sigmoid(sigma), zero), count)


@njit(cache=True, nogil=True, error_model="numpy")
def row_constants(lanes, derived, i):
    """What `edge_values` and `edge_gradients` need of non-input neuron i, in every lane."""
    return (
        splat(lanes, derived[AMPLITUDE, i]),
        splat(lanes, derived[EXPONENT, i]),
        splat(lanes, derived[THRESHOLD, i]),
        splat(lanes, derived[NUMBER, i]),
        splat(lanes, derived[PHASE, i]),
        splat(lanes, derived[INVERSE, i]),
        splat(lanes, derived[CENTRE, i]),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def edge_values(row, x):
    """d of edges at displacements x, and what `edge_gradients` needs: gauss, wave, log of its base, slope."""
    amplitude, exponent, threshold, number, phase, inverse, centre = row
    u = mul(sub(x, centre), inverse)
    gauss = v_exp(mul(like(x, -0.5), mul(u, u)))
    angle = fma(number, x, phase)
    raw = fma(like(x, 0.5), v_sin(angle), like(x, 0.5))
    base = maximum(raw, like(x, WAVE_FLOOR))
    above = sub(raw, like(x, WAVE_FLOOR))
    log_base = v_log(base)
    wave = v_exp(mul(exponent, log_base))
    slope = where_positive(above, div(mul(wave, v_cos(angle)), base), like(x, 0.0))  # the floor is flat
    return mul(mul(amplitude, gauss), sub(wave, threshold)), gauss, wave, log_base, slope


@njit(cache=True, nogil=True, error_model="numpy")
def edge_gradients(row, x, grad_d, gauss, wave, log_base, slope, sums):
    """``sums`` (seven vectors, in the order of the parameters) with the gradients of these edges added."""
    _, _, threshold, _, _, inverse, centre = row
    to_alpha, to_beta, to_gamma, to_theta, to_phi, to_sigma, to_mu = sums
    gated = mul(grad_d, gauss)
    u = mul(sub(x, centre), inverse)
    value = mul(gated, sub(wave, threshold))
    to_angle = mul(gated, slope)
    return (
        add(to_alpha, value),
        fma(mul(gated, wave), log_base, to_beta),
        add(to_gamma, gated),
        fma(to_angle, x, to_theta),
        add(to_phi, to_angle),
        fma(value, mul(u, u), to_sigma),
        fma(value, u, to_mu),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def store_sums(sums, i, out):
    """Add up the lanes of `edge_gradients`' result into ``out[:, i]``."""
    to_alpha, to_beta, to_gamma, to_theta, to_phi, to_sigma, to_mu = sums
    out[ALPHA, i] = total(to_alpha)
    out[BETA, i] = total(to_beta)
    out[GAMMA, i] = total(to_gamma)
    out[THETA, i] = total(to_theta)
    out[PHI, i] = total(to_phi)
    out[SIGMA, i] = total(to_sigma)
    out[MU, i] = total(to_mu)


@njit(cache=True, nogil=True, error_model="numpy")
def all_values(lanes, p, in_ptr, derived, d, saved):
    """d of all edges, (E,), and (4, E) ``saved`` for `all_gradients`.

    ``in_ptr`` (m + 1,): the in-edges of non-input neuron i are ``in_ptr[i] … in_ptr[i + 1] - 1``.
    """
    n_edges = p.size
    keep = saved.reshape(-1)
    for i in range(in_ptr.size - 1):
        row = row_constants(lanes, derived, i)
        for e in range(in_ptr[i], in_ptr[i + 1], 16):
            count = in_ptr[i + 1] - e
            value, gauss, wave, log_base, slope = edge_values(row, load_some(lanes, p, e, count))
            store_some(d, e, value, count)
            store_some(keep, e, gauss, count)
            store_some(keep, n_edges + e, wave, count)
            store_some(keep, 2 * n_edges + e, log_base, count)
            store_some(keep, 3 * n_edges + e, slope, count)


@njit(cache=True, nogil=True, error_model="numpy")
def all_gradients(lanes, p, in_ptr, derived, saved, grad_d, out):
    """Sums over each row, (7, m), for `chain_rule`."""
    n_edges = p.size
    keep = saved.reshape(-1)
    for i in range(in_ptr.size - 1):
        row = row_constants(lanes, derived, i)
        zero = like(row[0], 0.0)
        sums = (zero, zero, zero, zero, zero, zero, zero)
        for e in range(in_ptr[i], in_ptr[i + 1], 16):
            count = in_ptr[i + 1] - e
            sums = edge_gradients(
                row,
                load_some(lanes, p, e, count),
                load_some(lanes, grad_d, e, count),
                load_some(lanes, keep, e, count),
                load_some(lanes, keep, n_edges + e, count),
                load_some(lanes, keep, 2 * n_edges + e, count),
                load_some(lanes, keep, 3 * n_edges + e, count),
                sums,
            )
        store_sums(sums, i, out)


@njit(cache=True, nogil=True, error_model="numpy")
def chain_rule(parameters, derived, sums, first, last, gradients):
    """Gradients of the seven parameters, (7, m), of neurons ``first … last - 1``; may be ``sums`` itself."""
    for i in range(first, last):
        amplitude = derived[AMPLITUDE, i]
        threshold = derived[THRESHOLD, i]
        half = amplitude * 0.5 * derived[EXPONENT, i]
        inverse = derived[INVERSE, i]
        gradients[ALPHA, i] = sums[ALPHA, i] * derived[ALPHA_SLOPE, i]
        gradients[BETA, i] = sums[BETA, i] * amplitude if parameters[BETA, i] > -1.0 else 0.0
        gradients[GAMMA, i] = -sums[GAMMA, i] * amplitude * threshold * (1.0 - threshold)
        gradients[THETA, i] = -sums[THETA, i] * half * derived[THETA_SLOPE, i]
        gradients[PHI, i] = sums[PHI, i] * half
        gradients[SIGMA, i] = sums[SIGMA, i] * amplitude * derived[SIGMA_SLOPE, i] * inverse
        gradients[MU, i] = sums[MU, i] * amplitude * inverse
