"""Both passes over a batch as jobs: tiles of samples shared out over ranks, and what comes before and after them.

A training pass is three jobs: `forward` (which also puts the weights in the order in which the backward walk needs
them), `backward` (each rank its tiles, into gradients of its own) and `gather` (the ranks' gradients summed, in the
order of the weights). Where a DAG is dense, `pack` comes before them; back by rows on one rank
needs no `gather`. Each function
here returns the address of a kernel; see `nas.engine._native`.

A job's words, after its kernel; those before the | are the same for every batch of a size:
    pack        table, ranks | weight, packed
    forward     table, batch, tiles, ranks, keep, numbers, codes, to_z, to_ordered | x, weight, bias, values, y
    backward    table, batch, tiles, ranks, codes, to_z, to_ordered | grad_y, weight, values, grads, grad_weight,
                grad_bias, grad_x
    gather      table, ranks | grad_weight, grad_bias, total_weight, total_bias
    table       of a plan, `nas.engine._plan.Plan.table` or `nas.engine._dense.Dense.table`: see `nas.engine._tables`
    weight      (E,) in the order of the plan's in-edges; packed, (stored,), with a dense plan; in `backward` 0 where
                ``ordered`` is all that is read
    to_ordered  bytes from ``values`` to ordered, (rest,) weights by source; 0 when going back by rows, and in `forward`
                when there is no backward
    grad_weight (ranks, stored) with the rest by source; (ranks, E) like ``weight`` when going back by rows
    values      (tiles n S,) when ``keep``, else (ranks n S,); grads (ranks n S,)
    to_z        bytes from ``values`` to kept_z, of the same shape; 0 when it is not kept
    bias        (m,) or 0; grad_bias (ranks, m); grad_x (batch, n_inputs) or 0
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from nas.engine import _tables as word
from nas.engine._native import array_at, compiled
from nas.engine.kernels import (
    backward_columns,
    backward_one,
    backward_tile_by_rows,
    forward_one,
    forward_tile,
    load_inputs,
)
from nas.engine.panel_kernels import backward_panels, forward_panels
from nas.engine.simd import LANES

__all__ = ["backward", "forward", "gather", "pack"]


@njit(error_model="numpy")
def _table(address):
    """(n, n_inputs, n_outputs, rest, in_ptr, sources, out_ptr, targets, out_edges, used_inputs, slots) of a plan.

    The rest is what is walked edge by edge; all edges where a plan is not dense. (There may be more slots.)
    """
    words = array_at(np.int64, address, word.SLOTS + 1)
    n, n_inputs, n_edges = words[word.N], words[word.N_INPUTS], words[word.WALKED]
    return (
        n,
        n_inputs,
        words[word.N_OUTPUTS],
        n_edges,
        array_at(np.int64, words[word.IN_PTR], n + 1),
        array_at(np.int32, words[word.SOURCES], n_edges),
        array_at(np.int64, words[word.OUT_PTR], n + 1),
        array_at(np.int32, words[word.TARGETS], n_edges),
        array_at(np.int32, words[word.OUT_EDGES], n_edges),
        array_at(np.bool_, words[word.USED_INPUTS], (n_inputs + 15) // 16),
        array_at(np.int32, words[word.SLOTS], n_edges),
    )


@njit(error_model="numpy")
def _runs(address):
    """(firsts, run_ptr, starts, ends, places, holes) of a dense plan."""
    words = array_at(np.int64, address, word.WORDS)
    panels, runs = words[word.N_PANELS], words[word.N_RUNS]
    return (
        array_at(np.int32, words[word.FIRSTS], panels),
        array_at(np.int64, words[word.RUN_PTR], panels + 1),
        array_at(np.int32, words[word.STARTS], runs),
        array_at(np.int32, words[word.ENDS], runs),
        array_at(np.int32, words[word.PLACES], words[word.EDGES]),
        array_at(np.int32, words[word.HOLES], words[word.N_HOLES]),
    )


@njit(error_model="numpy")
def _behind(address, distance):
    """What lies so many bytes behind an address; 0, which is nothing, where they are 0."""
    return address + distance if distance != 0 else 0


@njit(error_model="numpy")
def _sizes(address):
    """(stored, edges): how many weights a walk has, holes and all, and how many the DAG has."""
    words = array_at(np.int64, address, word.WORDS_WITHOUT_RUNS)
    return words[word.STORED], words[word.EDGES]


@njit(error_model="numpy")
def _share(count, rank, ranks):
    """First and last + 1 of a rank's part of ``count`` things."""
    return count * rank // ranks, count * (rank + 1) // ranks


@cache
def pack(real: Any) -> int:
    """Kernel that brings the weights into the order in which panels read them."""

    def run(job, rank):
        words = array_at(np.int64, job, 5)
        ranks = words[2]
        stored, edges = _sizes(words[1])
        _, _, _, _, places, holes = _runs(words[1])
        weight = array_at(real, words[3], edges)
        packed = array_at(real, words[4], stored)
        first, last = _share(edges, rank, ranks)
        for e in range(first, last):
            packed[places[e]] = weight[e]
        first, last = _share(holes.size, rank, ranks)
        for k in range(first, last):
            packed[holes[k]] = 0

    return compiled(run)


@cache
def forward(real: Any, size: int, panels: bool = False) -> int:
    """Kernel of the forward pass in tiles of ``size`` samples, or (1) sample by sample.

    Args:
        panels: whether the plan is a dense one.
    """
    lanes = LANES[max(size, 16)]
    single = size == 1

    def run(job, rank):
        words = array_at(np.int64, job, 15)
        n, n_inputs, n_outputs, n_edges, in_ptr, sources, _, _, out_edges, used, _ = _table(words[1])
        batch, tiles, ranks, keep = words[2], words[3], words[4], words[5]
        numbers = array_at(np.int64, words[6], batch)
        codes = array_at(np.int8, words[7], n)
        x = array_at(real, words[10], batch * n_inputs)
        weight = array_at(real, words[11], _sizes(words[1])[0])
        bias = array_at(real, words[12], n - n_inputs)
        places = tiles if keep != 0 else ranks
        values = array_at(real, words[13], places * n * size)
        kept_z = array_at(real, _behind(words[13], words[8]), places * n * size)
        ordered = array_at(real, _behind(words[13], words[9]), n_edges)
        y = array_at(real, words[14], batch * n_outputs)
        if ordered.size > 0:
            first, last = _share(n_edges, rank, ranks)
            for q in range(first, last):
                ordered[q] = weight[out_edges[q]]
        for tile in range(rank, tiles, ranks):
            base = (tile if keep != 0 else rank) * n * size
            first = tile * size
            count = min(size, batch - first)
            if single:
                h, z = values[base : base + n], kept_z[base : base + n]
                for j in range(n_inputs):
                    h[j] = x[tile * n_inputs + j]
                forward_one(lanes, n_inputs, in_ptr, sources, weight, bias, codes, h, z)
            else:
                load_inputs(lanes, size, x, numbers, first, count, n_inputs, used, values, base)
                if panels:
                    firsts, run_ptr, starts, ends, _, _ = _runs(words[1])
                    forward_panels(
                        lanes, size, n_inputs, in_ptr, sources, firsts, run_ptr, starts, ends, weight, bias, codes,
                        values, kept_z, base,
                    )  # fmt: skip
                else:
                    forward_tile(
                        lanes, size, n_inputs, in_ptr[:-1], in_ptr[1:], sources, weight, bias, codes, values, kept_z,
                        base,
                    )  # fmt: skip
            for o in range(n_outputs):
                at = base + (n - n_outputs + o) * size
                for s in range(count):
                    y[(first + s) * n_outputs + o] = values[at + s]

    return compiled(run)


@cache
def backward(real: Any, size: int, panels: bool = False, rows: bool = False) -> int:
    """Kernel of the backward pass in tiles of ``size`` samples, or (1) of a single one; see `forward`.

    Args:
        rows: whether to go in-edge by in-edge, with weights as they are, instead of by out-edges.
    """
    lanes = LANES[max(size, 16)]
    single = size == 1

    def run(job, rank):
        words = array_at(np.int64, job, 15)
        n, n_inputs, n_outputs, n_edges, in_ptr, sources, out_ptr, targets, _, _, _ = _table(words[1])
        batch, tiles, ranks = words[2], words[3], words[4]
        stored = _sizes(words[1])[0]
        codes = array_at(np.int8, words[5], n)
        grad_y = array_at(real, words[8], batch * n_outputs)
        weight = array_at(real, words[9], stored)
        values = array_at(real, words[10], tiles * n * size)
        kept_z = array_at(real, _behind(words[10], words[6]), tiles * n * size)
        ordered = array_at(real, _behind(words[10], words[7]), n_edges)
        grads = array_at(real, words[11], ranks * n * size)[rank * n * size : (rank + 1) * n * size]
        grad_weight = array_at(real, words[12], ranks * stored)[rank * stored : (rank + 1) * stored]
        m = n - n_inputs
        grad_bias = array_at(real, words[13], ranks * m)[rank * m : (rank + 1) * m]
        grad_x = array_at(real, words[14], batch * n_inputs)
        if not single:
            grad_weight[:] = 0
            grad_bias[:] = 0
        for tile in range(rank, tiles, ranks):
            first = tile * size
            count = min(size, batch - first)
            for o in range(n_outputs):
                at = (n - n_outputs + o) * size
                for s in range(count):
                    grads[at + s] = grad_y[(first + s) * n_outputs + o]
                for s in range(count, size):
                    grads[at + s] = 0  # samples that only fill up the tile
            if single:
                backward_one(
                    lanes, n_inputs, n_outputs, in_ptr, sources, weight, codes, values, kept_z, grads, grad_weight,
                    grad_bias, grad_x.size > 0,
                )  # fmt: skip
            elif rows:
                backward_tile_by_rows(
                    lanes, size, n_inputs, n_outputs, in_ptr[:-1], in_ptr[1:], sources, weight, codes, values, kept_z,
                    tile * n * size, grads, grad_weight, grad_bias, grad_x.size > 0,
                )  # fmt: skip
            elif panels:
                firsts, run_ptr, starts, ends, _, _ = _runs(words[1])
                backward_panels(
                    lanes, size, n_inputs, n_outputs, out_ptr, targets, ordered, firsts, run_ptr, starts, ends, weight,
                    codes, values, kept_z, tile * n * size, grads, grad_weight, grad_bias, grad_x.size > 0,
                )  # fmt: skip
            else:
                backward_columns(
                    lanes, size, n_inputs, n_outputs, out_ptr, targets, ordered, codes, values, kept_z,
                    tile * n * size, grads, grad_weight, grad_bias, grad_x.size > 0,
                )  # fmt: skip
            if grad_x.size > 0:
                for j in range(n_inputs):
                    for s in range(count):
                        grad_x[(first + s) * n_inputs + j] = grads[j * size + s]

    return compiled(run)


@cache
def gather(real: Any, rows: bool = False) -> int:
    """Kernel that sums the ranks' gradients and brings them into the order of the weights; see `backward`."""

    def run(job, rank):
        words = array_at(np.int64, job, 7)
        n, n_inputs, _, _, _, _, _, _, _, _, _ = _table(words[1])
        stored, edges = _sizes(words[1])
        slots = array_at(np.int32, array_at(np.int64, words[1], 11)[10], edges)
        ranks = words[2]
        m = n - n_inputs
        grad_weight = array_at(real, words[3], ranks * stored)
        grad_bias = array_at(real, words[4], ranks * m)
        total_weight = array_at(real, words[5], edges)
        total_bias = array_at(real, words[6], m)
        first, last = _share(edges, rank, ranks)
        for e in range(first, last):
            at = e if rows else slots[e]
            total = grad_weight[at]
            for other in range(1, ranks):
                total += grad_weight[other * stored + at]
            total_weight[e] = total
        first, last = _share(m, rank, ranks)
        for i in range(first, last):
            total = grad_bias[i]
            for other in range(1, ranks):
                total += grad_bias[other * m + i]
            total_bias[i] = total

    return compiled(run)
