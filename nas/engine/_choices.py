"""Which way to take a batch: how wide tiles are, on how many threads, and in which order the backward walk goes.

All ways give the same results; which is fastest was measured on one core of an AMD EPYC (AVX-512), in nanoseconds.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["choose_tiling", "goes_by_rows", "walks_by_rows"]

# Nanoseconds an edge takes for one tile, forward and backward, by tile width (measured, one core): what decides the
# width for a batch. Narrow tiles waste less of a small batch and split it over more threads.
_TILE_COST = {64: 3.2, 32: 2.0, 16: 1.7}
_SINGLE_COST = 0.9
# Second-level cache of a core, beyond which jumps over the weights cost more than their arithmetic.
_CACHE_BYTES = 2**20
_THREAD_COST = 6_000.0  # nanoseconds to share both passes with threads that are awake


@lru_cache(maxsize=4096)
def choose_tiling(
    n_edges: int, batch: int, threads: int, thread_cost: float = _THREAD_COST, single: bool = False
) -> tuple[int, int, int]:
    """(tile width, tiles, threads) with the least estimated time for a batch on at most ``threads`` threads.

    Args:
        single: whether width 1, sample by sample without vectors, is offered.
    """
    best: tuple[float, int, int, int] | None = None
    for size, cost in (_TILE_COST | {1: _SINGLE_COST} if single and batch == 1 else _TILE_COST).items():
        tiles = max(1, -(-batch // size))
        for used in {1, min(threads, tiles)}:
            estimate = -(-tiles // used) * cost * n_edges + (thread_cost if used > 1 else 0.0)
            if best is None or estimate < best[0]:
                best = (estimate, size, tiles, used)
    assert best is not None
    return best[1:]


def walks_by_rows(n_edges: int, itemsize: int) -> bool:
    """Whether `nas.engine.kernels.backward_tile` should give way to `backward_tile_by_rows`, as training chooses.

    Weights and their gradients then outgrow a core's second-level cache. Measured (one core, batch 128): at 574,000
    edges 12 ms by rows and 24 by columns, at 57,000 edges 0.61 and 0.55.
    """
    return 2 * n_edges * itemsize > _CACHE_BYTES


@lru_cache(maxsize=4096)
def goes_by_rows(n: int, n_edges: int, size: int, tiles: int, ranks: int, itemsize: int) -> bool:
    """Whether a pass goes back by rows because too few samples follow to pay for weights in another order.

    Measured (one core): to order weights and their gradients takes 1.2 ns an edge while they fit in the second-level
    cache, 4 to 9 ns beyond; without it an edge takes 1 ns longer for a tile of 64 samples, 3 ns where the tile's
    activations and gradients outgrow that cache.
    """
    weights = 2 * n_edges * itemsize / _CACHE_BYTES
    ordering = (1.2 if weights <= 1 else 4.0 if weights <= 4 else 9.0) / ranks
    walking = (1.0 if 2 * n * size * itemsize <= _CACHE_BYTES else 3.0) * size / 64 * -(-tiles // ranks)
    return walking < ordering
