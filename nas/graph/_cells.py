"""Usable cells: the edges that a DAG may have at most, numbered 0..U-1, and sampling among those it does not have.

The numbering follows the order of a DAG's edges (by target, then source), so sorted cells are sorted edges, and a set
of edges fits in one int64 each. Nothing here ever allocates U elements unless the graph itself is about that large.
"""

from __future__ import annotations

import numpy as np

from nas.graph._kernels import BoolArray, Int32Array, Int64Array


def usable_cells(n_inputs: int, n_computational: int, n_outputs: int) -> int:
    """``(n^2 - n_in^2 - n_out^2 - n_comp) / 2``: every ordered pair that may be an edge."""
    n = n_inputs + n_computational + n_outputs
    return (n * n - n_inputs * n_inputs - n_outputs * n_outputs - n_computational) // 2


def first_cells(n_inputs: int, n_computational: int, n_outputs: int) -> Int64Array:
    """First cell of each non-input neuron, and U at the end: (n - n_inputs + 1,)."""
    fan_in = np.full(n_computational + n_outputs, n_inputs + n_computational, dtype=np.int64)
    fan_in[:n_computational] = n_inputs + np.arange(n_computational)
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(fan_in)])


def edges_of_cells(cells: Int64Array, sizes: tuple[int, int, int]) -> Int32Array:
    """Edges (k, 2) of cell numbers (k,) for ``sizes = (n_inputs, n_computational, n_outputs)``."""
    first = first_cells(*sizes)
    row = np.searchsorted(first, cells, side="right") - 1
    return np.stack([cells - first[row], row + sizes[0]], axis=1).astype(np.int32)


def cells_of_edges(
    sources: Int32Array | Int64Array, targets: Int32Array | Int64Array, sizes: tuple[int, int, int]
) -> Int64Array:
    """Cell numbers (k,) of edges that point forward in the numbering."""
    first = first_cells(*sizes)
    cells: Int64Array = first[targets - sizes[0]] + sources
    return cells


def contains(members: Int64Array, values: Int64Array) -> BoolArray:
    """Which of ``values`` (k,) are among ``members``, which is sorted."""
    if not members.size:
        return np.zeros(values.size, dtype=np.bool_)
    place = np.minimum(np.searchsorted(members, values), members.size - 1)
    found: BoolArray = members[place] == values
    return found


def sample_missing(taken: Int64Array, total: int, count: int, rng: np.random.Generator) -> Int64Array:
    """``count`` distinct cells of 0..total-1, uniform among those not in ``taken`` (sorted), in ascending order.

    The caller ensures ``count <= total - len(taken)``.
    """
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    if 2 * (taken.size + count) > total:  # crowded: enumerating all cells costs no more than the graph itself
        free = np.ones(total, dtype=np.bool_)
        free[taken] = False
        candidates = np.flatnonzero(free)
        return np.sort(rng.choice(candidates, size=count, replace=False))
    found = np.empty(0, dtype=np.int64)
    while found.size < count:
        accepted = (total - taken.size - found.size) / total  # at least one half
        draw = rng.integers(total, size=int(1.05 * (count - found.size) / accepted) + 16)
        found = np.unique(np.concatenate([found, draw[~contains(taken, draw)]]))
    # A uniform subset of a uniform sample: no cell is favoured.
    keep = np.ones(found.size, dtype=np.bool_)
    keep[rng.choice(found.size, size=found.size - count, replace=False)] = False
    return found[keep]
