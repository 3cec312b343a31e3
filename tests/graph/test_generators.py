"""Start graphs: exact counts, reachable outputs, the character of each family."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import GraphError
from nas.graph import DAG, banded, barabasi_albert, complete, erdos_renyi, layered, random_dag, watts_strogatz

Rng = np.random.Generator
FAMILIES: dict[str, Callable[[int, int, int, Rng], DAG]] = {
    "random_dag": lambda i, c, o, rng: random_dag(i, c, o, density=0.1, rng=rng),
    "erdos_renyi": lambda i, c, o, rng: erdos_renyi(i, c, o, probability=0.2, rng=rng),
    "barabasi_albert": lambda i, c, o, rng: barabasi_albert(i, c, o, fan_in=3, rng=rng),
    "watts_strogatz": lambda i, c, o, rng: watts_strogatz(i, c, o, fan_in=3, rewiring=0.3, rng=rng),
    "layered": lambda i, c, o, rng: layered([i, c + 1, 2, o], density=0.3, shortcuts=0.1, rng=rng),
    "banded": lambda i, c, o, rng: banded(i, c, o, density=0.2, period=3, rng=rng),
}


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(0, 15), st.integers(1, 4), st.integers(0, 2**32))
def test_every_family_reaches_its_outputs_and_repeats_with_its_seed(
    family: str, n_inputs: int, n_computational: int, n_outputs: int, seed: int
) -> None:
    first, second = (
        FAMILIES[family](n_inputs, n_computational, n_outputs, np.random.default_rng(seed)) for _ in range(2)
    )
    assert first == second
    assert first.unreachable_outputs() == ()
    assert not first.allow_unreachable
    assert (first.n_inputs, first.n_outputs) == (n_inputs, n_outputs)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_random_graphs_have_exactly_the_edges_asked_for(data: st.DataObject) -> None:
    sizes = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 10)), data.draw(st.integers(1, 6))
    total = complete(*sizes).n_edges
    n_edges = data.draw(st.integers(sizes[2], total))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dag = random_dag(*sizes, n_edges=n_edges, rng=rng)
    assert dag.n_edges == n_edges
    assert dag.sizes == sizes
    if n_edges >= sizes[1] + sizes[2]:
        local = banded(*sizes, n_edges=n_edges, rng=rng)
        assert local.n_edges == n_edges
        fan_in = np.diff(local.in_ptr)[sizes[0] :]
        limit = np.minimum(np.arange(sizes[0], sum(sizes)), sizes[0] + sizes[1])
        assert (fan_in[fan_in < limit] >= fan_in.max() - 1).all()  # shared out evenly


def test_density_is_met() -> None:
    dag = random_dag(64, 1000, 10, density=0.02, rng=np.random.default_rng(0))
    assert dag.n_edges == round(0.02 * dag.usable_cells)


def test_erdos_renyi_varies_its_number_of_edges_around_the_mean() -> None:
    rng = np.random.default_rng(0)
    counts = [erdos_renyi(10, 40, 5, probability=0.3, rng=rng).n_edges for _ in range(40)]
    mean = 0.3 * complete(10, 40, 5).n_edges
    assert len(set(counts)) > 10
    assert abs(np.mean(counts) - mean) < 0.05 * mean


def test_preferential_attachment_makes_hubs() -> None:
    sizes = (5, 500, 5)
    hub = barabasi_albert(*sizes, fan_in=3, rng=np.random.default_rng(0))
    even = watts_strogatz(*sizes, fan_in=3, rewiring=1.0, rng=np.random.default_rng(0))
    assert np.diff(hub.csc()[0]).max() > 2 * np.diff(even.csc()[0]).max()
    assert (np.diff(hub.in_ptr)[5:] == 3).all()


def test_the_small_world_starts_as_a_lattice() -> None:
    dag = watts_strogatz(4, 10, 1, fan_in=3, rewiring=0.0, rng=np.random.default_rng(0))
    assert ((dag.targets - dag.sources) <= 3).all()
    assert (np.diff(dag.in_ptr)[4:] == 3).all()
    rewired = watts_strogatz(4, 10, 1, fan_in=3, rewiring=0.5, rng=np.random.default_rng(0))
    assert rewired.n_edges == dag.n_edges
    assert rewired != dag


def test_layers_are_the_ordinary_network() -> None:
    dag = layered([3, 4, 2])
    assert dag.sizes == (3, 4, 2)
    assert dag.n_edges == 3 * 4 + 4 * 2
    assert dag.depth == 2
    assert layered([3, 4, 2], shortcuts=1.0).n_edges == 3 * 4 + 4 * 2 + 3 * 2
    rng = np.random.default_rng(0)
    thin = layered([10, 10, 10, 4], density=0.3, shortcuts=0.1, rng=rng)
    skips = 10 * 10 + 10 * 4 + 10 * 4
    assert thin.n_edges == 30 + 30 + 12 + round(0.1 * skips)
    levels = np.repeat([0, 1, 2, 3], [10, 10, 10, 4])
    assert (levels[thin.sources] < levels[thin.targets]).all()


def test_a_band_reads_its_neighbourhood() -> None:
    dag = banded(100, 200, 10, density=0.05, rng=np.random.default_rng(0))
    centre = np.arange(210) + 100 - np.linspace(100, 10, 210)
    distance = np.abs(dag.sources - centre[dag.targets - 100])
    assert distance.max() <= np.diff(dag.in_ptr).max()  # half the fan-in to each side, all of it at the borders
    first = dag.edges[dag.in_ptr[100] : dag.in_ptr[101], 0]
    assert first.tolist() == list(range(first.size))


def test_a_period_makes_receptive_fields_in_the_plane() -> None:
    dag = banded(64, 128, 10, n_edges=138 * 9, period=8, jitter=0.0, rng=np.random.default_rng(0))
    centre = np.arange(138) + 64 - np.linspace(64, 10, 138)
    inside = (centre > 16) & (centre < 48) & (np.abs(centre % 8 - 4) < 1)  # bands wrap round at the ends of rows
    neuron = 64 + int(np.flatnonzero(inside)[0])
    sources = dag.edges[dag.in_ptr[neuron] : dag.in_ptr[neuron + 1], 0]
    rows, columns = np.divmod(sources, 8)
    assert sources.size == 9
    assert np.ptp(rows) <= 3
    assert np.ptp(columns) <= 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: random_dag(2, 3, 1, rng=rng), "either n_edges or density"),
        (lambda rng: random_dag(2, 3, 1, n_edges=3, density=0.1, rng=rng), "either n_edges or density"),
        (lambda rng: random_dag(2, 3, 2, n_edges=1, rng=rng), r"n_edges must lie in 2…19 .* but is 1"),
        (lambda rng: random_dag(2, 3, 2, n_edges=20, rng=rng), r"n_edges must lie in 2…19 .* but is 20"),
        (lambda rng: random_dag(2, 3, 2, density=1.5, rng=rng), r"density must lie in \[0, 1\], but is 1.5"),
        (lambda rng: random_dag(2, 3, 2, density=float("nan"), rng=rng), "density must lie in"),
        (lambda rng: random_dag(0, 3, 2, density=1, rng=rng), "n_inputs must lie in 1"),
        (lambda rng: complete(1, -1, 2), "n_computational must lie in 0"),
        (lambda rng: erdos_renyi(2, 3, 2, probability=-0.1, rng=rng), "probability must lie in"),
        (lambda rng: barabasi_albert(2, 3, 2, fan_in=0, rng=rng), "fan_in must lie in 1"),
        (lambda rng: watts_strogatz(2, 3, 2, fan_in=2, rewiring=2, rng=rng), "rewiring must lie in"),
        (lambda rng: layered([3]), "at least two layers"),
        (lambda rng: layered([3, 0, 1]), r"sizes\[1\] must lie in 1"),
        (lambda rng: layered([3, 3, 1], density=0.5), "pass rng"),
        (lambda rng: banded(2, 3, 2, n_edges=4, rng=rng), "n_edges must lie in 5…19"),
        (lambda rng: banded(2, 3, 2, n_edges=5, jitter=-1, rng=rng), "jitter must be finite"),
        (lambda rng: banded(2, 3, 2, n_edges=5, period=0, rng=rng), "period must lie in 1"),
    ],
)
def test_impossible_wishes_are_refused(call: Callable[[Rng], DAG], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        call(np.random.default_rng(0))
