"""Steps 1 and 2 of the fused training loop: which edges are live, and where they lie packed."""

# mypy: disable-error-code="no-untyped-def,assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from nas.engine.functions import v_log, v_sigmoid
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
from nas.manifold.kernels import AMPLITUDE, derive, edge_values, row_constants
from nas.training.fused.state import (
    LIVE_CHUNK,
    NEAR,
    NEGLIGIBLE_IN_REPORT,
    NEGLIGIBLE_SHARE,
    P_CHANGED,
    P_LIVE,
    P_TOTALS,
)
from nas.training.loss_terms import (
    add_totals,
    count_edges,
    counts_neurons,
    of_shares,
    row_total,
    start_sums,
    start_totals,
)

__all__ = ["columns", "lost_output", "smooth_share", "structure", "used_inputs"]

TINY = 1e-30  # in place of d = 0, which has no logarithm


@njit(cache=True, nogil=True, error_model="numpy")
def structure(narrow, rank, graph, settings, buffers, cutoff, sharpness, refresh):
    """Step 1 for the rows of one rank; ``sharpness`` is 1 / temperature of the smooth counts.

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
    terms, factors = settings.terms, settings.factors
    penal, neural = of_shares(terms, factors), counts_neurons(terms, factors)
    weakest = kappa * (NEGLIGIBLE_SHARE if penal else NEGLIGIBLE_IN_REPORT) ** (1.0 / sharpness)
    # Arrays by name, and no calls with arrays in the loops: their references are counted, atomically, each time.
    saved = buffers.saved.reshape(-1)
    p, in_ptr, sources, flow_signs = graph.p, graph.in_ptr, graph.sources, graph.flow_signs
    values_d, strengths, weight, alive, dirty = buffers.d, buffers.c, buffers.weight, buffers.alive, buffers.dirty
    ones = buffers.ones
    live_sources, live_weight, chunks = buffers.live_sources, buffers.live_weight, buffers.chunks
    totals = start_totals(terms)
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
            sums = start_sums(terms, zero)
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
                    d = mul(d, load_some(narrow, ones, 0, count))  # no edges there
                size = where_positive(d, d, sub(zero, d))
                above = mul(sub(size, level), scale)
                c = where_positive(above, where_positive(d, above, sub(zero, above)), zero)
                c = add(c, mul(zero, d))  # NaN stays NaN, so that the loss tells
                strength = where_positive(c, c, sub(zero, c))
                share = smooth_share(size, level, sharpness)
                sums = count_edges(terms, factors, sums, strength, load_some(narrow, flow_signs, e, count), share)
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
            more = row_total(terms, factors, sums)
            totals = add_totals(terms, totals, more)
            if neural:
                for q in range(len(more)):
                    buffers.absent[q, i - n_inputs] = 1.0 - more[q]
        else:
            zero = like(splat(narrow, kappa), 0.0)
            sums = start_sums(terms, zero)
            for e in range(start, end, 16):
                count = min(end - e, 16)
                w = load_some(narrow, theta, e, count)
                strength, share = where_positive(w, w, sub(zero, w)), load_some(narrow, ones, 0, count)
                sums = count_edges(terms, factors, sums, strength, load_some(narrow, flow_signs, e, count), share)
                store_some(weight, e, w, count)
                store_some(live_weight, e, w, count)
            totals = add_totals(terms, totals, row_total(terms, factors, sums))
            slot = end
        live += slot - start
        buffers.in_end[i] = slot
    partial = buffers.partial[rank]
    for q in range(len(totals)):
        partial[P_TOTALS + q] = totals[q]
    partial[P_LIVE] = live
    partial[P_CHANGED] = changed


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_share(size, level, sharpness):
    """How much edges of strength ``size`` = |d| count as live, see `nas.manifold.smooth_edges`; ``level``: kappa."""
    if sharpness == np.float32(2.0):  # the same without logarithms
        square = mul(size, size)
        return div(square, fma(level, level, square))
    ratio = div(maximum(size, like(size, TINY)), level)
    return add(v_sigmoid(mul(like(size, sharpness), v_log(ratio))), mul(like(size, 0.0), size))  # NaN stays NaN


@njit(cache=True, nogil=True, error_model="numpy")
def lost_output(graph, n_inputs, n_outputs, buffers):
    """Whether some output has no path of live edges from any input."""
    in_ptr, in_end, sources, reached = graph.in_ptr, buffers.in_end, buffers.live_sources, buffers.reached
    n = in_end.size
    for j in range(n_inputs):
        reached[j] = 1
    for i in range(n_inputs, n):
        found = np.uint8(0)
        for e in range(in_ptr[i], in_end[i]):
            if reached[sources[e]]:
                found = np.uint8(1)
                break
        reached[i] = found
        if i >= n - n_outputs and not found:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def columns(rank, graph, buffers):
    """Step 2 for the columns of one rank."""
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
def used_inputs(graph, n_inputs, buffers):
    for block in range(buffers.used.size):
        used = False
        for j in range(16 * block, min(16 * block + 16, n_inputs)):
            used = used or buffers.out_end[j] > graph.out_ptr[j]
        buffers.used[block] = used
