"""Step 4 of the fused training loop: gradients of a thread's rows, and the optimiser."""

# mypy: disable-error-code="no-untyped-def,assignment"

from __future__ import annotations

import numpy as np
from numba import njit

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
from nas.manifold.kernels import chain_rule, edge_gradients, row_constants, store_sums
from nas.training.fused._structure import TINY, smooth_share
from nas.training.fused.state import NEAR, P_CUTOFF
from nas.training.loss_terms import (
    counts_neurons,
    no_prices,
    of_shares,
    row_prices,
    share_slope,
    strength_slope,
)
from nas.training.optimisers import BETA_1, BETA_2, step_of

__all__ = ["row_updates", "update"]


@njit(cache=True, nogil=True, error_model="numpy")
def update(lanes, kind, buffers, first, last, rate, decay, step):
    """One optimiser step on elements ``first … last - 1`` of the parameter vector; see `nas.training.optimisers`."""
    theta, gradient, moment_1, moment_2 = buffers.theta, buffers.gradient, buffers.moment_1, buffers.moment_2
    bias_1 = 1.0 - BETA_1**step
    bias_2 = np.sqrt(1.0 - BETA_2**step)
    for k in range(first, last, 16):
        count = last - k
        value = load_some(lanes, theta, k, count)
        value, one, two = step_of(
            kind, value, load_some(lanes, gradient, k, count), load_some(lanes, moment_1, k, count),
            load_some(lanes, moment_2, k, count), like(value, rate), like(value, decay), like(value, bias_1),
            like(value, bias_2),
        )  # fmt: skip
        store_some(moment_2, k, two, count)
        store_some(moment_1, k, one, count)
        store_some(theta, k, value, count)


@njit(cache=True, nogil=True, error_model="numpy")
def row_updates(narrow, rank, ranks, graph, settings, buffers, cutoff, sharpness, pulls, rate, step):
    """Step 4 for the rows of one rank; the cutoff's share of the gradient goes to ``partial``.

    ``pulls``: slopes of the loss by the totals of the measures (`nas.training.loss_terms.pulls_of`).
    """
    n_inputs = settings.n_inputs
    n_edges = graph.sources.size
    m = graph.in_ptr.size - 1 - n_inputs
    theta, gradient = buffers.theta, buffers.gradient
    gain_at = n_edges if settings.weighted else 0
    bias_at = gain_at + (m if settings.gained else 0)
    closeness_at = bias_at + m
    first, last = buffers.rows[rank], buffers.rows[rank + 1]
    kappa = np.float32(1.0) / (np.float32(1.0) + np.float32(np.exp(-cutoff)))
    terms = settings.terms
    penal, neural = of_shares(terms, settings.factors), counts_neurons(terms, settings.factors)
    prices = no_prices(terms)
    to_cutoff = 0.0
    saved = buffers.saved.reshape(-1)
    flat_grads = buffers.grad_weight.reshape(-1)
    # Arrays by name in the loops: the references of a tuple's members are counted, atomically, each time.
    flow_signs = graph.flow_signs
    for i in range(first, last):
        start, end = graph.in_ptr[i], graph.in_ptr[i + 1]
        into_bias = np.float32(0.0)
        for t in range(ranks):
            into_bias += buffers.grad_bias[t, i - n_inputs]
            buffers.grad_bias[t, i - n_inputs] = 0
        gradient[bias_at + i - n_inputs] = into_bias
        if not settings.closeness:
            zero = splat(narrow, np.float32(0.0))
            one = like(zero, 1.0)
            for e in range(start, end, 16):
                count = min(end - e, 16)
                outer = zero
                for t in range(ranks):
                    outer = add(outer, load_some(narrow, flat_grads, t * n_edges + e, count))
                    store_some(flat_grads, t * n_edges + e, zero, count)
                w = load_some(narrow, theta, e, count)
                sign = where_positive(w, one, where_positive(sub(zero, w), like(one, -1.0), zero))
                slope = strength_slope(terms, pulls, mul(w, sign), load_some(narrow, flow_signs, e, count))
                store_some(gradient, e, add(outer, mul(slope, sign)), count)
            continue
        row = row_constants(narrow, buffers.derived, i - n_inputs)
        zero = like(row[0], 0.0)
        one = like(zero, 1.0)
        level = splat(narrow, kappa)
        scale = div(one, sub(one, level))
        gain = splat(narrow, theta[gain_at + i - n_inputs] if settings.gained else np.float32(1.0))
        if neural:
            prices = row_prices(terms, pulls, buffers.absent, i - n_inputs)
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
            for t in range(ranks):
                outer = add(outer, load_some(narrow, flat_grads, t * n_edges + e, count))
                store_some(flat_grads, t * n_edges + e, zero, count)
            to_gain = fma(outer, c, to_gain)
            to_c = mul(outer, gain)
            if settings.weighted:
                store_some(gradient, e, mul(to_c, c), count)
                to_c = mul(to_c, load_some(narrow, theta, e, count))
            sign = where_positive(d, one, like(one, -1.0))
            size, signs = mul(d, sign), load_some(narrow, flow_signs, e, count)
            to_c = fma(strength_slope(terms, pulls, mul(c, sign), signs), sign, to_c)
            to_c = where_positive(sub(size, level), to_c, zero)  # a dead edge has no gradient
            to_d = mul(to_c, scale)
            row_cutoff = fma(mul(mul(to_d, sign), sub(size, one)), scale, row_cutoff)
            if penal:
                share = smooth_share(size, level, sharpness)
                pay = share_slope(terms, pulls, prices, share, signs)
                # ds/d|d| = s (1 - s) / (T |d|), ds/dkappa = -s (1 - s) / (T kappa)
                steep = mul(mul(mul(share, sub(one, share)), like(one, sharpness)), pay)
                slope = mul(sign, div(steep, maximum(size, like(one, TINY))))
                to_d = add(to_d, where_positive(size, slope, zero))
                row_cutoff = sub(row_cutoff, div(steep, level))
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
    most = min(b, m - settings.n_outputs) if settings.linear else b  # such outputs have no gain and bias
    decay = settings.weight_decay
    if settings.weighted:
        update(narrow, kind, buffers, graph.in_ptr[first], graph.in_ptr[last], rate, decay, step)
    if settings.gained:
        update(narrow, kind, buffers, gain_at + a, gain_at + most, rate, decay, step)
    update(narrow, kind, buffers, bias_at + a, bias_at + most, rate, 0.0, step)
    if settings.closeness:
        parameters = theta[closeness_at : closeness_at + 7 * m].reshape(7, m)
        out = gradient[closeness_at : closeness_at + 7 * m].reshape(7, m)
        chain_rule(parameters, buffers.derived, buffers.sums, a, b, out)
        if settings.watched:
            for which in range(7):
                for k in range(which * m + a, which * m + b):
                    buffers.before[k] = theta[closeness_at + k]
        for which in range(7):
            at = closeness_at + which * m
            speed = settings.closeness_rate if which < 5 else settings.length_rate  # sigma and mu are lengths
            update(narrow, kind, buffers, at + a, at + b, rate * speed, 0.0, step)
