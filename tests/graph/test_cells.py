"""The numbering of usable cells, and uniform sampling among the missing ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.graph import complete, usable_cells
from nas.graph._cells import cells_of_edges, contains, edges_of_cells, sample_missing


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(0, 8), st.integers(1, 4))
def test_cells_are_numbered_in_the_order_of_edges(n_inputs: int, n_computational: int, n_outputs: int) -> None:
    sizes = n_inputs, n_computational, n_outputs
    n, first_output = sum(sizes), n_inputs + n_computational
    pairs = [[s, t] for t in range(n_inputs, n) for s in range(min(t, first_output))]
    assert usable_cells(*sizes) == len(pairs)
    edges = edges_of_cells(np.arange(len(pairs)), sizes)
    assert edges.tolist() == pairs
    assert cells_of_edges(edges[:, 0], edges[:, 1], sizes).tolist() == list(range(len(pairs)))
    dag = complete(*sizes)
    assert dag.edges.tolist() == pairs
    assert dag.density == 1


@pytest.mark.parametrize(("total", "count"), [(12, 3), (12, 9), (40, 2)])  # crowded and sparse
def test_missing_cells_are_drawn_uniformly(total: int, count: int) -> None:
    taken = np.array([0, 5, 7])
    hits = np.zeros(total)
    rng = np.random.default_rng(1)
    repeats = 4000
    for _ in range(repeats):
        cells = sample_missing(taken, total, count, rng)
        assert cells.size == count
        assert (np.diff(cells) > 0).all()
        assert not np.isin(cells, taken).any()
        hits[cells] += 1
    free = np.setdiff1d(np.arange(total), taken)
    expected = repeats * count / free.size
    assert hits[taken].sum() == 0
    assert (np.abs(hits[free] - expected) <= 5 * np.sqrt(expected)).all(), hits


def test_membership() -> None:
    assert contains(np.array([2, 4]), np.array([1, 2, 3, 4, 5])).tolist() == [False, True, False, True, False]
    assert contains(np.array([], dtype=np.int64), np.array([1])).tolist() == [False]
