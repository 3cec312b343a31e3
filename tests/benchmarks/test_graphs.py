"""Graphs of a series must differ in nothing but what the series is about."""

import pytest

from benchmarks._graphs import FAMILIES, GraphSpec, build, of_depth, within_window
from benchmarks.graphs import changing, reading, seconds_of


@pytest.mark.parametrize("family", FAMILIES)
def test_density_is_that_of_the_specification(family):
    dag = build(GraphSpec(family, 200, 0.1))
    assert dag.density == pytest.approx(0.1, rel=0.08)


@pytest.mark.parametrize("depth", [1, 2, 7, 60])
def test_depth_alone_changes(depth):
    dag = of_depth(60, depth, 3, inputs=8, outputs=2)
    assert dag.depth == depth + 1  # the outputs are one further
    assert dag.n_edges == 3 * 62


def test_a_chain():
    dag = of_depth(50, 50, 1, inputs=4, outputs=1)
    assert dag.n_edges == 51
    assert dag.depth == 51


def test_sources_stay_within_the_window():
    dag = within_window(100, 8, 4, inputs=8, outputs=1)
    assert int((dag.targets - dag.sources).max()) <= 8
    assert dag.n_edges == 4 * 101


@pytest.mark.parametrize("call", [reading((8, 30, 3), 200), changing((8, 30, 3), 200, 5)], ids=["read", "change"])
def test_large_graphs_are_timed(call):
    assert 0 < seconds_of(call, times=1) < 60
