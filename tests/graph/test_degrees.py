"""Degree limits and connection matrices."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import GraphError
from nas.graph import bipartite, degree_limited


def room(sizes: tuple[int, int, int]) -> int:
    """Edges that fit without limits."""
    n = sum(sizes)
    return (n * n - sizes[0] ** 2 - sizes[2] ** 2 - sizes[1]) // 2


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.tuples(st.integers(1, 8), st.integers(0, 25), st.integers(1, 5)),
    fan_in=st.none() | st.integers(1, 6),
    fan_out=st.none() | st.integers(1, 6),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_limits_hold_and_the_count_is_exact(
    sizes: tuple[int, int, int], fan_in: int | None, fan_out: int | None, share: float, seed: int
) -> None:
    readers = sizes[1] + sizes[2]
    count = readers + int(share * 0.4 * readers * min((fan_in or 6) - 1, (fan_out or 6) - 1))
    rng = np.random.default_rng(seed)
    wanted = {"n_edges": count, "max_fan_in": fan_in, "max_fan_out": fan_out}
    if fan_out is not None or count > room(sizes):
        try:
            dag = degree_limited(*sizes, **wanted, rng=rng)
        except GraphError:  # no room, or none found
            return
    else:
        dag = degree_limited(*sizes, **wanted, rng=rng)
    assert dag.sizes == sizes
    assert dag.n_edges == count
    assert np.diff(dag.in_ptr).max() <= (fan_in or dag.n)
    assert np.bincount(dag.sources).max() <= (fan_out or dag.n)
    assert np.diff(dag.in_ptr)[sizes[0] :].min() >= 1


def test_limits_are_reached_where_that_is_possible() -> None:
    dag = degree_limited(10, 50, 10, n_edges=170, max_fan_in=3, max_fan_out=4, rng=np.random.default_rng(0))
    assert dag.n_edges == 170
    again = degree_limited(10, 50, 10, n_edges=170, max_fan_in=3, max_fan_out=4, rng=np.random.default_rng(0))
    assert dag == again


def test_moving_edges_to_make_room_leaves_no_neuron_without_any() -> None:
    for seed in range(150):
        dag = degree_limited(2, 16, 3, n_edges=36, max_fan_in=3, max_fan_out=2, rng=np.random.default_rng(seed))
        assert np.diff(dag.in_ptr)[2:].min() >= 1


def test_impossible_limits_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(GraphError, match="181 edges must fit.* but 180 in-edges"):
        degree_limited(10, 50, 10, n_edges=181, max_fan_in=3, rng=rng)
    with pytest.raises(GraphError, match="2 out-edges"):
        degree_limited(2, 0, 3, n_edges=3, max_fan_out=1, rng=rng)
    with pytest.raises(GraphError, match="max_fan_in must lie in 1"):
        degree_limited(2, 0, 3, n_edges=3, max_fan_in=0, rng=rng)


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.coo_array, np.ndarray.tolist])
def test_connection_matrices_of_any_kind(kind: object) -> None:
    matrix = np.array([[0, 2.5, 0], [1, 0, 0], [0, 0, 0], [1, 1, -1]])
    dag = bipartite(kind(matrix), n_inputs=3, n_outputs=4)  # type: ignore[operator]
    assert dag.sizes == (3, 0, 4)
    assert np.array_equal(dag.to_adjacency()[3:, :3], matrix != 0)


@pytest.mark.parametrize(
    ("matrix", "match"),
    [
        (np.ones((3, 4)), r"shape \(4, 3\).* but have shape \(3, 4\); transpose it"),
        (np.ones((2, 2)), r"but have shape \(2, 2\)$"),
        (np.ones(3), r"but have shape \(3,\)"),
        (np.full((4, 3), np.nan), r"connections\[0, 0\] must be finite, but is nan"),
        (np.full((4, 3), "x"), "numbers or booleans"),
    ],
)
def test_matrices_of_another_shape_are_refused(matrix: np.ndarray, match: str) -> None:
    with pytest.raises(GraphError, match=match):
        bipartite(matrix, n_inputs=3, n_outputs=4)
