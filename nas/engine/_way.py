"""How both passes go over a batch of one size: all about them that depends on no numbers, found once and kept.

Of a small network the time goes into what surrounds the kernels, so that here is whatever can be said beforehand: the
tiling, how much memory is needed and what lies where in it, and the jobs with all their words but the addresses of
tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nas.engine import _passes
from nas.engine._choices import choose_tiling, goes_by_rows
from nas.engine._jobs import Job
from nas.engine._native import address_of
from nas.engine._plan import Plan

__all__ = ["REAL", "Way", "kept_bytes", "way_of"]

REAL: dict[torch.dtype, Any] = {torch.float32: np.float32, torch.float64: np.float64}
_MOST = 64  # ways kept in a plan: as many as there are sizes of batches, mostly


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """See the module. Holds nothing of the plan's, which holds it.

    Attributes:
        ranks: how many threads may work side by side.
        rows: whether to go back by rows (`nas.engine.kernels.backward_tile_by_rows`).
        panels: whether the plan's dense parts are walked in panels.
        holes: whether these have holes.
        threads: how many it might have taken.
        memory: bytes of a forward pass: values; inputs of activations; weights by source; packed weights.
        to_packed: bytes before the last of these.
        scratch: bytes of a backward pass: gradients of values; of weights and of biases, by rank.
        to_weights, to_biases: bytes before the last two of these; 0 where the kernel writes the results themselves.
        pack, forward, backward, gather: the jobs of `nas.engine._passes`; None where there is nothing to do.
    """

    ranks: int
    rows: bool
    panels: bool
    holes: bool
    threads: int
    memory: int
    to_packed: int
    scratch: int
    to_weights: int
    to_biases: int
    pack: Job | None
    forward: Job
    backward: Job | None
    gather: Job | None
    numbers: np.ndarray  # 0, 1, …: for the jobs, which have its address


def way_of(
    plan: Plan,
    activation: str,
    dtype: torch.dtype,
    batch: int,
    keep: bool,
    panels: bool,
    threads: int,
    around: bool = False,
) -> Way:
    """The way over a batch.

    Args:
        around: whether, after a forward pass in panels, to go back by rows, through no hole.
        keep: whether a backward pass is to follow.
        panels: whether dense parts may be walked in panels.
        threads: at most.
    """
    key = (batch, activation, dtype, keep, panels, threads, around)
    found: Way | None = plan.ways.get(key)
    if found is None:
        found = _find(plan, activation, dtype, batch, keep, panels, threads, around)
        if len(plan.ways) >= _MOST:
            plan.ways.clear()
        plan.ways[key] = found
    return found


def kept_bytes(plan: Plan, activation: str, batch: int, itemsize: int) -> int:
    """Of memory that a forward pass leaves at most, however the batch is cut into tiles."""
    values = plan.dag.n * (-(-batch // 64) * 64) * itemsize * (2 if plan.codes(activation)[1] else 1)
    dense = plan.dense()
    return values + _lines(plan.n_edges, itemsize) + _lines(0 if dense is None else dense.stored, itemsize)


def _lines(count: int, itemsize: int) -> int:
    """Bytes of ``count`` elements in whole cache lines."""
    return -(-count * itemsize // 64) * 64


def _find(
    plan: Plan, activation: str, dtype: torch.dtype, batch: int, keep: bool, panels: bool, threads: int, around: bool
) -> Way:
    dag, real, item = plan.dag, REAL[dtype], dtype.itemsize
    size, tiles, ranks = choose_tiling(plan.n_edges, batch, threads, single=True)
    dense = plan.dense() if panels and size > 1 else None
    rows = around or (dense is None and goes_by_rows(dag.n, plan.n_edges, size, tiles, ranks, item))
    rest = plan.n_edges if dense is None else dense.rest
    codes, needs_z, _ = plan.codes(activation)
    values = _lines(dag.n * size, item) * (tiles if keep else ranks)
    to_z = values if keep and needs_z else 0
    to_ordered = values + to_z if keep and (not rows or around) and rest else 0
    to_packed = values + to_z + (_lines(rest, item) if to_ordered else 0)
    numbers = _numbers(batch)
    pack = backward = gather = None
    table = plan.table_address if dense is None else dense.table_address
    forward = Job(
        _passes.forward(real, size, dense is not None), ranks, table, batch, tiles, ranks, keep, address_of(numbers),
        codes, to_z, to_ordered,
    )  # fmt: skip
    if dense is not None:
        pack = Job(_passes.pack(real), ranks, table, ranks)
    stored = plan.n_edges if dense is None else dense.stored
    memory = to_packed + (0 if dense is None else _lines(stored, item))
    panels = dense is not None and not around
    if around:
        table, stored = plan.table_address, plan.n_edges
    to_weights = to_biases = 0
    scratch = _lines(ranks * dag.n * size, item)
    if keep:
        backward = Job(
            _passes.backward(real, size, panels, rows), ranks, table, batch, tiles, ranks, codes, to_z, to_ordered
        )
        if not (rows and ranks == 1):
            to_weights = scratch
            to_biases = to_weights + _lines(ranks * stored, item)
            scratch = to_biases + _lines(ranks * (dag.n - dag.n_inputs), item)
            gather = Job(_passes.gather(real, rows), ranks, table, ranks)
    return Way(
        ranks, rows, panels, dense is not None and dense.holes.size > 0, threads, memory, to_packed, scratch,
        to_weights, to_biases, pack, forward, backward, gather, numbers,
    )  # fmt: skip


def _numbers(batch: int) -> np.ndarray:
    """0, 1, …, at least ``batch`` of them."""
    global _longest
    if _longest.size < batch:
        _longest = np.arange(max(batch, 2 * _longest.size))
    return _longest


_longest = np.arange(1_024)
