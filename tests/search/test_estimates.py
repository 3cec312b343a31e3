"""Estimates against simulated networks whose true errors are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nas.search import Front, FrontMember, Objectives
from nas.search.front._estimates import Estimate, Steady, estimates
from nas.training import Evidence
from nas.training.quality.evidence import blended

SAMPLES, TEST = 270, 360
BOTH = Objectives(("error", "edges"))


def networks(true: np.ndarray, rng: np.random.Generator, samples: int = SAMPLES, test: int = TEST) -> list[Evidence]:
    """Networks with such errors that agree on most samples: a margin is the sample's part plus the network's own, and
    probabilities follow it, overconfident by half."""
    shared = rng.normal(size=samples)
    found = []
    for error in true:
        bias = np.sqrt(2) * np.abs(_quantile(error))
        margin = bias + shared + rng.normal(size=samples)
        wrong = 1 / (1 + np.exp(3 * margin))
        found.append(Evidence((margin < 0).astype(np.float32), wrong.astype(np.float32), samples, test))
    return found


def _quantile(error: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(error))


def scores_of(found: list[Evidence]) -> np.ndarray:
    return np.array([blended(one.error, one.wrong, one.samples).mean() for one in found])


def front_of(scores: np.ndarray, costs: np.ndarray) -> list[int]:
    trials = [
        FrontMember(k, (float(s), float(c)), {"edges": float(c)})
        for k, (s, c) in enumerate(zip(scores, costs, strict=True))
    ]
    return list(Front.of(BOTH, trials).numbers)


def steady_front(found: list[Evidence], costs: np.ndarray) -> Front:
    trials = [
        FrontMember(k, (float(score), float(cost)), {"edges": float(cost), "val_accuracy": 0.0})
        for k, (score, cost) in enumerate(zip(scores_of(found), costs, strict=True))
    ]
    return Front.estimated(BOTH, trials, found.__getitem__)


def shown(scores: np.ndarray, costs: np.ndarray, members: list[int], found: list[Evidence]) -> dict[int, Estimate]:
    return estimates(scores, costs[:, None], members, found.__getitem__)


@pytest.mark.parametrize("probabilities", [True, False])
def test_of_equal_networks_the_luckiest_is_shown_at_what_all_are_worth(probabilities: bool) -> None:
    """150 networks of 5 % each: the best count is 1.5 points too good, the estimate is not."""
    plain, corrected = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        found = networks(np.full(150, 0.05), rng)
        counts = np.array([one.error.mean() for one in found])
        costs = rng.permutation(150).astype(float) + 1
        plain += [np.mean([counts[k] for k in front_of(counts, costs)])]
        if probabilities:
            front = steady_front(found, costs)
            corrected += [np.mean([member.metrics["shown_error"] for member in front.members])]
            continue
        found = [Evidence(one.error, None, one.samples, one.test_samples) for one in found]
        members = front_of(counts, costs)
        corrected += [np.mean([one.error for one in shown(counts, costs, members, found).values()])]
    assert np.mean(plain) < 0.037
    assert abs(np.mean(corrected) - 0.05) < 0.008


def test_intervals_hold_the_test_value_as_often_as_they_say() -> None:
    inside, bias = [], []
    for seed in range(25):
        rng = np.random.default_rng([seed, 1])
        costs = np.geomspace(10, 1000, 60)
        true = 0.02 + 0.3 / np.sqrt(costs)
        for member in steady_front(networks(true, rng), costs).members:
            measured = rng.binomial(TEST, true[member.number]) / TEST
            inside.append(member.metrics["shown_error_low"] <= measured <= member.metrics["shown_error_high"])
            bias.append(measured - member.metrics["shown_error"])
    assert 0.9 <= np.mean(inside) <= 1.0
    assert abs(np.mean(bias)) < 0.008


def test_shown_errors_rise_with_what_members_were_chosen_by() -> None:
    rng = np.random.default_rng(3)
    costs = np.geomspace(10, 1000, 80)
    found = networks(0.02 + 0.3 / np.sqrt(costs), rng)
    scores = scores_of(found)
    members = front_of(scores, costs)
    estimate = shown(scores, costs, members, found)
    in_order = [estimate[k] for k in sorted(members, key=lambda k: scores[k])]
    errors = [one.error for one in in_order]
    assert errors == sorted(errors) and len(set(errors)) > 3
    assert all(0 <= one.low <= one.error <= one.high <= 1 for one in in_order)


def test_a_lucky_small_network_does_not_drive_out_a_larger_better_one() -> None:
    """One network of 2 % against 60 smaller ones of 4 %: by counts some small one mostly wins."""
    kept_by_count, kept = 0, 0
    for seed in range(20):
        rng = np.random.default_rng([seed, 2])
        costs = np.append(np.arange(60.0) + 100, 1000.0)
        found = networks(np.append(np.full(60, 0.04), 0.02), rng)
        kept_by_count += 60 in front_of(np.array([one.error.mean() for one in found]), costs)
        kept += 60 in steady_front(found, costs).numbers
    assert kept_by_count < 12
    assert kept >= 18


def test_what_networks_are_really_worth_is_not_drawn_away() -> None:
    """With many samples nothing is noise: steady scores are the scores."""
    rng = np.random.default_rng(5)
    costs = np.geomspace(10, 1000, 40)
    true = np.where(rng.random(40) < 0.5, 0.1, 0.2)
    found = networks(true, rng, samples=20_000)
    scores = scores_of(found)
    steady = Steady.of(scores, costs[:, None], found.__getitem__)
    assert np.allclose(steady(scores), scores, rtol=0.01)


@pytest.mark.parametrize("wild", [1e3, 1e6, 1e12, np.inf])
def test_one_wild_answer_says_nothing_of_other_networks(wild: float) -> None:
    """A regression that is far off on a single sample made every error one and the same: only the fastest was left."""
    rng = np.random.default_rng(6)
    costs = np.geomspace(1, 20, 80)
    rows = rng.exponential(1, 2000) * rng.exponential(1, (80, 2000)) * (0.5 / costs)[:, None]
    rows[0, 7] += wild
    found = [Evidence(row.astype(np.float32), None, 2000, 2000) for row in rows]
    scores = np.array([float(one.error.mean()) for one in found])
    steady = Steady.of(scores, costs[:, None], found.__getitem__)(scores)
    assert np.allclose(steady[1:], scores[1:], rtol=0.2)
    assert steady[0] > steady[1:].max() / 2


def test_a_study_without_evidence_has_the_front_of_its_values() -> None:
    trials = [FrontMember(k, (0.1 - 0.01 * k, k + 1.0), {"val_error": 0.1 - 0.01 * k}) for k in range(5)]
    assert Front.estimated(BOTH, trials, lambda _: None) == Front.of(BOTH, trials)
    assert Front.estimated(BOTH, [], lambda _: None).members == ()


@pytest.mark.parametrize("trials", [1, 2, 5])
def test_few_trials_have_no_trend(trials: int) -> None:
    found = networks(np.full(trials, 0.05), np.random.default_rng(0))
    scores = scores_of(found)
    steady = Steady.of(scores, np.arange(1.0, trials + 1)[:, None], found.__getitem__)
    assert np.array_equal(steady(scores), scores)


def test_nothing_is_taken_off_where_nobody_chose_by_the_error() -> None:
    found = networks(np.full(20, 0.05), np.random.default_rng(0))
    estimate = estimates(np.zeros(20), np.zeros((20, 1)), [3], found.__getitem__, chosen=False)
    assert estimate[3].error == pytest.approx(float(found[3].error.mean()))


def test_one_trial_alone_was_not_chosen() -> None:
    found = networks(np.array([0.05]), np.random.default_rng(0))
    estimate = estimates(scores_of(found), np.ones((1, 1)), [0], found.__getitem__)
    assert estimate[0].error == pytest.approx(float(found[0].error.mean()), abs=0.006)


def test_mean_squared_errors_have_positive_intervals_and_lose_their_luck() -> None:
    plain, corrected = [], []
    for seed in range(20):
        rng = np.random.default_rng([seed, 4])
        shared = rng.normal(size=100)
        found = [
            Evidence(((shared + rng.normal(size=100)) ** 2 / 2).astype(np.float32), None, 100, 100) for _ in range(100)
        ]
        scores = np.array([float(one.error.mean()) for one in found])
        best = int(scores.argmin())
        estimate = estimates(scores, np.ones((100, 0)), [best], found.__getitem__)[best]
        assert 0 < estimate.low < estimate.error < estimate.high
        plain.append(scores[best])
        corrected.append(estimate.error)
    assert np.mean(plain) < 0.85
    assert abs(np.mean(corrected) - 1) < 0.1


def test_members_without_evidence_have_no_estimate_and_others_of_another_size_do_not_take_part() -> None:
    rng = np.random.default_rng(0)
    found: list[Evidence | None] = [*networks(np.full(10, 0.05), rng), None, networks(np.array([0.01]), rng, 50)[0]]
    scores = np.linspace(0.04, 0.06, 12)
    estimate = estimates(scores, np.ones((12, 1)), [0, 10], found.__getitem__)
    assert list(estimate) == [0]
    assert estimates(scores, np.ones((12, 1)), [10], found.__getitem__) == {}


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_a_handful_of_samples_gives_wide_intervals_and_no_failure(samples: int) -> None:
    found = networks(np.full(10, 0.3), np.random.default_rng(0), samples, 5)
    estimate = estimates(scores_of(found), np.ones((10, 1)), list(range(10)), found.__getitem__)
    assert all(0 <= one.low <= one.error <= one.high <= 1 and one.high - one.low > 0.3 for one in estimate.values())


def test_a_thousand_trials() -> None:
    rng = np.random.default_rng(0)
    costs = np.geomspace(10, 1000, 1000)
    assert len(steady_front(networks(0.02 + 0.3 / np.sqrt(costs), rng), costs)) > 5


def test_more_members_than_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.search.front._estimates._MOST", 20)
    rng = np.random.default_rng(0)
    costs = np.geomspace(10, 1000, 60)
    found = networks(0.02 + 0.5 / np.sqrt(costs), rng)
    estimate = shown(scores_of(found), costs, list(range(60)), found)
    assert len(estimate) == 60 and all(one.low <= one.error <= one.high for one in estimate.values())


def test_equal_arguments_give_equal_estimates() -> None:
    found = networks(np.full(30, 0.05), np.random.default_rng(0))
    costs = np.arange(1.0, 31)
    assert steady_front(found, costs) == steady_front(found, costs)


def with_linear(seed: int) -> tuple[Front, list[Evidence], np.ndarray]:
    """60 sparse networks of 10 to 80 edges with 40 % error, and the linear model of 100 edges with 32 %."""
    rng = np.random.default_rng([seed, 7])
    true = np.append(np.full(60, 0.40), 0.32)
    costs = np.append(np.geomspace(10, 80, 60), 100.0)
    found = networks(true, rng, samples=100)
    trials = [
        FrontMember(
            k,
            (float(score), float(cost)),
            {"edges": float(cost), "depth": 1.0, "density": float(cost) / 100, "val_accuracy": 0.0},
        )
        for k, (score, cost) in enumerate(zip(scores_of(found), costs, strict=True))
    ]
    return Front.estimated(BOTH, trials, found.__getitem__), found, true


def test_the_whole_linear_model_is_taken_for_what_it_is_and_the_pick_is_not_far_worse() -> None:
    """100 samples have room for many networks of 40 % within a standard error of one of 32 %."""
    worth, plain = [], []
    for seed in range(20):
        front, found, true = with_linear(seed)
        linear = next((each for each in front.near if each.number == 60), None)
        own = float(found[60].error.mean())
        assert front.to_beat == own
        if linear is not None:
            assert linear.metrics["shown_error"] == pytest.approx(own)
            assert linear.values[0] == pytest.approx(scores_of(found)[60])  # drawn to no trend
        worth.append(true[front.best().number])
        plain.append(true[replace(front, to_beat=np.inf).best().number])
    assert np.mean(worth) < 0.36 < np.mean(plain)


@pytest.mark.parametrize(("samples", "best"), [(4000, 1), (60, 0)])
def test_samples_that_tell_two_networks_apart_count_for_the_default_pick(samples: int, best: int) -> None:
    """Of two regressions the smaller is a little worse: far less than one standard error of either, whose few large
    errors are the same rows', but of many samples for certain."""
    rng = np.random.default_rng(0)
    shared = np.exp(1.5 * rng.standard_normal(samples))
    errors = (shared * np.exp(0.1 * rng.standard_normal(samples)) + 0.05, shared)
    found = [Evidence(each.astype(np.float32), None, samples, samples) for each in errors]
    trials = [
        FrontMember(k, (float(each.mean()), edges), {"edges": edges, "val_error": float(each.mean())})
        for k, (each, edges) in enumerate(zip(errors, (5.0, 50.0), strict=True))
    ]
    front = Front.estimated(BOTH, trials, found.__getitem__)
    assert len(front.members) == 2
    assert front.members[0].metrics["shown_error_deviation"] > 0.05
    assert front.best().number == best
