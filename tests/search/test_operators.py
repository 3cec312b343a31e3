"""Operators get what they earn, never less than a floor; earnings are areas that a front gained."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.search import Objectives
from nas.search._operators import Gains, Operators

SHARES = {"cut": 0.6, "swap": 0.3, "mutate": 0.1, "never": 0.0}


def probability(operators: Operators, name: str) -> float:
    return float(operators.probabilities()[operators.names.index(name)])


def test_the_first_choices_follow_the_shares() -> None:
    operators = Operators(SHARES)
    rng = np.random.default_rng(0)
    drawn = [operators.choose(rng) for _ in range(4000)]
    assert {name: drawn.count(name) / 4000 for name in set(drawn)} == pytest.approx(
        {"cut": 0.6, "swap": 0.3, "mutate": 0.1}, abs=0.03
    )


def test_what_pays_is_chosen_more_often_and_what_does_not_keeps_a_floor() -> None:
    operators = Operators(SHARES)
    for _ in range(30):
        operators.reward("swap", 1.0, 0.1)
        operators.reward("cut", 0.0, 0.1)
        operators.reward("mutate", 0.0, 0.1)
    assert probability(operators, "swap") > 0.5
    assert 0.05 / 3 <= probability(operators, "mutate") < 0.1
    assert operators.probabilities().sum() == pytest.approx(1)


def test_a_gain_that_cost_more_counts_less() -> None:
    operators = Operators({"cut": 0.5, "swap": 0.5})
    for _ in range(10):
        operators.reward("cut", 1.0, 1.0)
        operators.reward("swap", 1.0, 0.1)
    assert probability(operators, "swap") > 0.6


def test_old_gains_are_forgotten() -> None:
    operators = Operators({"cut": 0.5, "swap": 0.5})
    for _ in range(10):
        operators.reward("cut", 1.0, 0.1)
        operators.reward("swap", 0.0, 0.1)
    once = probability(operators, "cut")
    for _ in range(40):
        operators.reward("cut", 0.0, 0.1)
        operators.reward("swap", 0.5, 0.1)
    assert probability(operators, "cut") < 0.5 < once


def test_shares_stay_without_adaptation_and_before_any_gain() -> None:
    fixed, fresh = Operators(SHARES, adapt=False), Operators(SHARES)
    fixed.reward("swap", 1.0, 0.1)
    fresh.reward("swap", 0.0, 0.1)
    assert fixed.probabilities() == pytest.approx([0.6, 0.3, 0.1])
    assert fresh.probabilities() == pytest.approx([0.6, 0.3, 0.1])


def test_gains_are_areas_between_the_fronts_in_logarithms() -> None:
    gains = Gains(Objectives(("error", "inference_time")))
    assert gains.add((0.5, 1e-2)) == 0  # alone it bounds the costs
    assert gains.add((0.5, 1e-3)) == pytest.approx(math.log(2) * math.log(10), rel=0.01)
    assert gains.add((0.25, 1e-3)) == pytest.approx(math.log(2) * math.log(10), rel=0.01)
    assert gains.add((0.3, 2e-3)) == 0  # dominated
    assert gains.add((0.25, 1e-3)) == 0  # again
    assert gains.add((0.99, 5e-4)) == pytest.approx(math.log(1 / 0.99) * math.log(2), rel=0.2)


def test_gains_of_one_objective_are_differences() -> None:
    gains = Gains(Objectives(("error",)))
    assert gains.add((0.5,)) == pytest.approx(math.log(2), rel=0.01)
    assert gains.add((0.6,)) == 0
    assert gains.add((0.25,)) == pytest.approx(math.log(2), rel=0.01)
