"""Was it worth it? In words, from figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas.search import Baseline, Baselines, Front, FrontMember, Objectives, verdict


def member(number: int, test: float, val: float = 0.0, **more: float) -> FrontMember:
    metrics = {"val_error": val, "val_accuracy": 1 - val, "test_error": test, "test_accuracy": 1 - test, **more}
    metrics.setdefault("inference_seconds", 1e-4)
    return FrontMember(number, (val, metrics["inference_seconds"]), metrics)


def baseline(name: str, label: str, test: float, **more: float) -> Baseline:
    metrics = {"val_error": test, "val_accuracy": 1 - test, "test_error": test, "test_accuracy": 1 - test, **more}
    return Baseline(name, label, metrics)


def said(members: list[FrontMember], baselines: list[Baseline], samples: int = 10_000) -> str:
    return verdict(Front.of(Objectives(("error", "inference_time")), members), Baselines(tuple(baselines), samples))


LINEAR = baseline("linear", "logistic regression", 0.08, inference_seconds=5e-5)
BOOSTING = baseline("boosting", "gradient boosting", 0.03)


def test_a_search_that_beats_all() -> None:
    text = said([member(4, 0.02, val=0.01)], [LINEAR, BOOSTING])
    assert text == (
        "The most accurate member (trial 4, 98.00 % on the test part) is 1.00 points better than gradient boosting and "
        "6.00 points better than logistic regression and so than every baseline."
    )


def test_a_baseline_that_beats_every_member() -> None:
    text = said([member(4, 0.05, val=0.01), member(5, 0.04, val=0.02, inference_seconds=5e-5)], [LINEAR, BOOSTING])
    assert "Gradient boosting is better than every member: 97.00 % on the test part" in text
    assert "the most accurate member (trial 4) 95.00 %." in text
    best = "The most accurate member (trial 4, 95.00 % on the test part)"
    assert f"{best} is 3.00 points better than logistic regression." in text


def test_a_member_that_is_better_by_luck_alone_counts_for_less() -> None:
    text = said([member(4, 0.05, val=0.01), member(5, 0.02, val=0.02, inference_seconds=5e-5)], [BOOSTING])
    assert "Gradient boosting is better than the most accurate member by validation (trial 4)" in text
    assert "every member" not in text


@pytest.mark.parametrize("cost", ["inference_time", "edges"])
def test_of_equals_it_is_the_one_that_a_pick_of_the_accurate_takes(cost: str) -> None:
    equal = {"shown_error": 0.02, "edges": 18.0}
    first, second = member(4, 0.03, val=0.03, **equal), member(5, 0.02, val=0.01, inference_seconds=2e-4, **equal)
    front = Front.of(Objectives(("error", cost)), [first, second])
    front = replace(front, members=(first, second), near=(first, second))
    assert f"member (trial {front.pick('accurate').number}" in verdict(front, Baselines((BOOSTING,), 300))


def test_what_few_samples_cannot_tell_is_said() -> None:
    text = said([member(4, 0.02)], [BOOSTING], samples=300)
    assert "(the difference to gradient boosting is one that 300 samples cannot tell)" in text
    assert "cannot tell" not in said([member(4, 0.02)], [BOOSTING], samples=10_000)


def test_prices_of_what_is_better() -> None:
    rich = baseline("mlp", "dense MLP", 0.01, inference_seconds=1.2e-3, edges=50_000.0)
    text = said([member(4, 0.05, edges=100.0)], [rich])
    assert text.endswith("it takes 12 × the member's inference time and 500 × its edges.")


def test_the_best_member_is_the_one_that_estimates_say() -> None:
    lucky = member(4, 0.05, val=0.01, shown_error=0.03, edges=900.0)
    small = member(5, 0.02, val=0.02, shown_error=0.03, edges=300.0, inference_seconds=5e-5)
    start = "The most accurate member (trial 5, 98.00 % on the test part) is 1.00"
    assert said([lucky, small], [BOOSTING]).startswith(start)


def test_equal_ones() -> None:
    equal = "Gradient boosting is as good as the most accurate member (trial 4): 97.00 %"
    assert equal in said([member(4, 0.03)], [BOOSTING])


def test_regression_compares_errors() -> None:
    front = Front.of(Objectives(("error",)), [FrontMember(1, (0.2,), {"val_error": 0.2, "test_error": 0.25})])
    ridge = Baseline("linear", "ridge regression", {"val_error": 0.5, "test_error": 0.5})
    assert verdict(front, Baselines((ridge,), 50)) == (
        "The most accurate member (trial 1, error 0.25 on the test part) is 50 % better than ridge regression."
    )


def test_nothing_to_compare() -> None:
    assert said([], [BOOSTING]) == ""
    assert said([member(1, 0.1)], [Baseline("linear", "logistic regression", reason="broken")]) == ""


def test_a_difference_of_errors_within_the_interval_is_said() -> None:
    def of(test: float) -> str:
        metrics = {"val_error": 0.2, "test_error": 0.25, "shown_error": 0.24, "shown_error_low": 0.2}
        front = Front.of(Objectives(("error",)), [FrontMember(1, (0.2,), metrics | {"shown_error_high": 0.29})])
        ridge = Baseline("linear", "ridge regression", {"val_error": 0.5, "test_error": test})
        return verdict(front, Baselines((ridge,), 50))

    within = "within the interval of what is to be expected"
    assert f"(the difference to ridge regression is one {within})" in of(0.26) and within not in of(0.5)
    assert f"a difference {within}" in of(0.22)
    assert "Ridge regression is as good as the most accurate member" in of(0.250001)  # as far as it is shown
