"""The networks by size from which a search takes parents, and the sizes at which it looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.search.strategies._ladder import Ladder, Network

networks = st.lists(st.tuples(st.floats(0.001, 1.0), st.integers(1, 5000)), min_size=1, max_size=60).map(
    lambda found: [Network(number, error, edges) for number, (error, edges) in enumerate(found)]
)


def ladder(*found: tuple[int, float], reference: float = 1.0) -> Ladder:
    result = Ladder(reference)
    for number, (edges, error) in enumerate(found):
        result.add(Network(number, error, edges))
    return result


@settings(max_examples=100, deadline=None)
@given(networks)
def test_the_front_is_what_nothing_as_small_beats(found: list[Network]) -> None:
    result = Ladder()
    for network in found:
        result.add(network)
    front = result.front
    assert [n.edges for n in front] == sorted({n.edges for n in front})
    assert [n.error for n in front] == sorted({n.error for n in front}, reverse=True)
    beaten = {
        (a.edges, a.error)
        for a in found
        if any((b.edges <= a.edges and b.error <= a.error) and (b.edges, b.error) != (a.edges, a.error) for b in found)
    }
    assert {(n.edges, n.error) for n in front} == {(n.edges, n.error) for n in found} - beaten


@settings(max_examples=60, deadline=None)
@given(networks, st.randoms(use_true_random=False))
def test_the_order_of_results_does_not_matter(found: list[Network], random: object) -> None:
    one, other = Ladder(), Ladder()
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for network in found:
        one.add(network)
    for network in shuffled:
        other.add(network)
    assert len(one) == len(other)
    values = [[(n.edges, n.error) for n in each.front] for each in (one, other)]
    assert values[0] == values[1]
    assert one.span() == other.span()
    for edges in (3, 100, 4000):
        parents = [each.parent(edges, 0.4, 6.0, np.random.default_rng(edges)) for each in (one, other)]
        assert parents[0] == parents[1]


def test_a_network_that_is_told_twice_counts_once() -> None:
    result = ladder((100, 0.1), (110, 0.2))
    result.add(Network(1, 0.2, 110))
    assert len(result) == 2


def test_only_the_best_of_a_size_are_kept() -> None:
    result = ladder(*((100, 0.1 + 0.01 * k) for k in range(20)))
    assert len(result) == 4
    drawn = {result.parent(100, 0.4, 6.0, np.random.default_rng(seed)).number for seed in range(20)}  # type: ignore[union-attr]
    assert drawn == {0}  # four are compared


def test_the_span_leaves_out_what_is_far_from_the_best_and_what_is_larger_and_hardly_better() -> None:
    low, high = ladder((10, 0.9), (20, 0.6), (100, 0.1), (400, 0.02), (5000, 0.0199)).span()
    assert 20 < low <= 100  # 0.6 is more than a tenth of the reference and eight times the best beyond
    assert 400 < high < 5000
    # Ten times a poor best is no better than knowing nothing: half of that is not worth a try either ...
    few = ladder((2, 0.7), (4, 0.6), (100, 0.4), (1000, 0.3))
    assert few.span() == (1500 // 50, 1500)
    # ... but a search also spans a fiftieth of its largest size, where networks are found there that are any good.
    assert ladder((4, 0.7), (90, 0.6), (1000, 0.4), (10_000, 0.3)).span() == (300, 15_000)
    assert ladder((400, 0.6), (1000, 0.4), (10_000, 0.1)).span()[0] == ladder((400, 0.6), (10_000, 0.1)).span()[0]
    # Small sizes stay worth a try where networks there know something, even if the best is ten times as good by now.
    known = ladder((60, 0.35), (1000, 0.05), (4000, 0.01))
    assert known.span()[0] > 40
    assert known.span(40)[0] == 40
    assert ladder((60, 0.8), (1000, 0.05), (4000, 0.01)).span(40)[0] > 200
    # Where all are nearly as good, the smallest are worth a try.
    assert ladder((10, 0.11), (100, 0.1), (400, 0.02)).span()[0] < 10
    assert ladder((100, 0.1)).span() == (20, 150)  # far below: nothing yet says that so few edges are too few
    with pytest.raises(IndexError):
        Ladder().span()


def test_the_trend_is_that_of_the_front() -> None:
    result = ladder((50, 0.2), (100, 0.1), (200, 0.09), (400, 0.025), (800, 0.0125))
    assert -1.2 < np.diff(result.trend([100, 200]))[0] / np.log(2) < -0.8
    two = ladder((100, 0.3), (200, 0.2)).trend([100, 200])  # two points are no trend
    assert two[1] - two[0] == pytest.approx(-np.log(2))
    steep = ladder((10, 0.9), (11, 0.5), (12, 0.001)).trend([10, 12])
    assert steep[1] - steep[0] == pytest.approx(-2 * np.log(1.2))  # bounded
    with pytest.raises(IndexError):
        Ladder().trend([1.0])


def test_a_trend_bends_with_a_front_that_does_and_ends_with_it() -> None:
    sizes = [30 * 2**k for k in range(10)]
    result = ladder(*((size, 20 / size + 0.01) for size in sizes))
    slopes = np.diff(result.trend(sizes)) / np.log(2)
    assert slopes[0] < -0.8 and slopes[-1] > -0.5
    assert result.trend([10 * sizes[-1]]) == pytest.approx(result.trend([sizes[-1]]))
    assert np.isfinite(ladder((10, 0.0), (100, 0.0)).trend([50])).all()


def test_a_large_network_that_is_good_for_its_size_is_cut_rather_than_that_a_small_one_grows() -> None:
    front = [(1600 * 2**k, 0.02 * 0.8**k) for k in range(5)]
    result = ladder(*front)
    for seed in range(20):
        found = result.parent(4500, 0.4, 6.0, np.random.default_rng(seed))
        assert found is not None and found.edges >= 6400


def test_a_size_is_worth_what_its_networks_are_beside_the_best() -> None:
    result = ladder((10, 0.69), (100, 0.19), (1000, 0.04))
    assert result.worth(10) == pytest.approx(0.05 / 0.7)
    assert result.worth(100) == pytest.approx(0.05 / 0.2)
    assert result.worth(1000) == result.worth(5000) == 1.0
    assert result.worth(10) < result.worth(30) < result.worth(100)
    assert result.worth(1) == result.worth(10)  # nothing smaller is known
    # Errors far below what knowing nothing has are as good as each other.
    assert ladder((10, 1e-4), (1000, 1e-6)).worth(10) > 0.98
    with pytest.raises(IndexError):
        Ladder().worth(10)


def test_parents_are_near_in_size_and_promise_most() -> None:
    result = ladder((100, 0.1), (110, 0.4), (1000, 0.01), (10_000, 0.009))
    rng = np.random.default_rng(0)
    assert result.parent(100, 0.4, 6.0, rng) == Network(0, 0.1, 100)
    assert result.parent(5, 0.4, 6.0, rng) is None
    assert result.parent(900, 0.4, 6.0, rng) == Network(2, 0.01, 1000)
    for seed in range(30):
        found = result.parent(3000, 0.4, 6.0, np.random.default_rng(seed))
        assert found is not None and 1200 <= found.edges <= 18_000


def test_of_parents_that_promise_as_much_the_nearest_is_taken() -> None:
    result = ladder((100, 0.1), (400, 0.0235), (1600, 0.004375))  # all on the trend, but for its floor of 0.002
    for seed in range(20):
        found = [result.parent(edges, 0.2, 6.0, np.random.default_rng(seed)) for edges in (95, 380, 900)]
        assert [network.edges for network in found if network] == [100, 400, 1600]


def test_an_exemplar_is_good_for_its_size_and_near_the_one_asked_for() -> None:
    """Hyperparameters that serve a small network well may be worth nothing for a large one."""
    sizes = [20, 40, 80, 160, 320, 640]
    good = [(size, 2.0 / size) for size in sizes]
    poor = [(size, 20.0 / size) for size in sizes]
    result = ladder(*good, *poor)
    for edges in (40, 300):
        drawn = [result.exemplar(edges, np.random.default_rng(seed)) for seed in range(200)]
        assert np.mean([network.number < len(sizes) for network in drawn]) > 0.9
        assert np.mean([edges / 4 <= network.edges <= 4 * edges for network in drawn]) > 0.8
    with pytest.raises(ValueError, match="no network yet"):
        Ladder().exemplar(40, np.random.default_rng(0))


def test_the_gap_of_the_front_that_is_widest_and_least_tried_is_filled() -> None:
    found = ladder((10, 0.5), (40, 0.4), (160, 0.1), (161, 0.09))
    rng = np.random.default_rng(0)
    drawn = [found.gap([10, 40, 160, 161], rng) for _ in range(200)]
    sizes = [gap[0] for gap in drawn if gap is not None]
    assert set(sizes) == {20, 80}  # halfway by logarithm; none lies between 160 and 161
    assert sizes.count(80) > 3 * sizes.count(20)  # there the error falls three times as much
    assert all(gap is not None and gap[1].edges == 2 * gap[0] for gap in drawn)  # from the larger neighbour
    tried = [10, 40, *range(70, 90), 160, 161]
    drawn = [found.gap(tried, rng) for _ in range(200)]
    sizes = [gap[0] for gap in drawn if gap is not None]
    assert sizes.count(20) > 3 * sizes.count(80)  # twenty tries there came to nothing


def test_a_gap_whose_cuts_end_at_its_smaller_side_is_not_tried_for_ever() -> None:
    """16 edges cut to 14 leave 13 where one of the 14 leads nowhere then."""
    found = ladder((13, 0.5), (16, 0.3), (100, 0.25), (200, 0.2))
    sizes = [13, 16, 100, 110, 150, 200]
    for _ in range(40):
        gap = found.gap(sizes, np.random.default_rng(len(sizes)))
        assert gap is not None
        sizes.append({14: 13, 40: 40, 141: 141}[gap[0]])
    assert sizes.count(13) < 20 and sizes.count(40) > 5 and sizes.count(141) > 5


@pytest.mark.parametrize("found", [[(10, 0.5)], [(10, 0.5), (11, 0.1)]], ids=["one network", "no room"])
def test_no_gap_where_nothing_lies_between(found: list[tuple[int, float]]) -> None:
    assert ladder(*found).gap([edges for edges, _ in found], np.random.default_rng(0)) is None
