from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.search import Front, FrontMember, Objectives, Population

BOTH = Objectives(("error", "inference_time"))


def numbers(population: Population) -> list[int]:
    return [individual.number for individual in population.sorted_by_first_objective()]


def test_dominated_individuals_leave_first() -> None:
    population = Population(BOTH, 2)
    for number, values in enumerate([(0.05, 2e-4), (0.04, 1e-4), (0.03, 2e-4)]):
        population.add(number, values)
    assert numbers(population) == [2, 1]


def test_of_a_crowded_front_the_least_contributor_leaves() -> None:
    population = Population(BOTH, 3)
    for number, values in enumerate([(0.02, 1e-3), (0.04, 1e-4), (0.0401, 0.99e-4), (0.08, 1e-5)]):
        population.add(number, values)
    assert 0 in numbers(population) and 3 in numbers(population)
    assert len(population) == 3


def test_networks_that_guess_leave_before_dominated_ones() -> None:
    population = Population(BOTH, 3)
    for number, values in enumerate([(0.02, 1e-3), (0.03, 2e-3), (0.95, 1e-7), (0.025, 3e-3)]):
        population.add(number, values)
    assert 2 not in numbers(population)


def test_adding_twice_changes_nothing() -> None:
    population = Population(BOTH, 4)
    population.add(3, (0.1, 1e-3))
    population.add(3, (0.1, 1e-3))
    assert len(population) == 1


def test_tournament_prefers_the_better() -> None:
    population = Population(BOTH, 8)
    for number in range(8):
        population.add(number, (0.02 + 0.005 * number, 1e-4 * (1 + number)))  # each dominates the next
    rng = np.random.default_rng(0)
    winners = [population.tournament(3, rng).number for _ in range(600)]
    counts = np.bincount(winners, minlength=8)
    # the best of three drawn with replacement from eight is the best of all with probability 1 - (7/8)^3 = 0.33
    assert counts[0] == pytest.approx(600 * (1 - (7 / 8) ** 3), rel=0.2)
    assert counts[0] > counts[3] > counts[6]


def test_empty_tournament_says_so() -> None:
    with pytest.raises(IndexError, match="population is empty"):
        Population(BOTH, 3).tournament(2, np.random.default_rng(0))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(1e-6, 1e-1)), min_size=1, max_size=25))
def test_never_larger_than_its_capacity_and_keeps_the_most_accurate(points: list[tuple[float, float]]) -> None:
    population = Population(BOTH, 5)
    for number, values in enumerate(points):
        population.add(number, values)
    assert len(population) == min(5, len(points))
    kept = [individual.values for individual in population.sorted_by_first_objective()]
    front = Front.of(BOTH, [FrontMember(k, point, {}) for k, point in enumerate(points)])
    if len(front) <= 5:
        relevant = BOTH.relevant(points)
        wanted = [m.values for m in front.members if relevant[m.number]]
        assert set(wanted) <= set(kept)


def test_single_objective() -> None:
    population = Population(Objectives(("error",)), 2)
    for number, error in enumerate([0.3, 0.1, 0.2]):
        population.add(number, (error,))
    assert numbers(population) == [1, 2]
