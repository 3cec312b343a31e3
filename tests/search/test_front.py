from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.search import Front, FrontMember, Objectives, PickError
from nas.training.types import Evidence

BOTH = Objectives(("error", "inference_time"))


def member(number: int, error: float, seconds: float, **metrics: float) -> FrontMember:
    known = {"val_error": error, "val_accuracy": 1 - error, "inference_seconds": seconds, "edges": 1e7 * seconds}
    return FrontMember(number, (error, seconds), {**known, **metrics})


# A convex front with its bend at trial 2, a dominated trial 4, a copy of trial 2 and a network that guesses.
TRIALS = [
    member(0, 0.020, 8e-4),
    member(1, 0.022, 3e-4),
    member(2, 0.026, 4e-5),
    member(3, 0.080, 3e-5),
    member(4, 0.090, 5e-4),
    member(5, 0.026, 4e-5),
    member(6, 0.900, 1e-6),
]
FRONT = Front.of(BOTH, TRIALS)


def test_members_are_the_non_dominated_trials_most_accurate_first() -> None:
    assert FRONT.numbers == (0, 1, 2, 3, 6)  # of the equal 2 and 5 the earlier


def test_front_does_not_depend_on_the_order_of_trials() -> None:
    assert Front.of(BOTH, TRIALS[::-1]) == FRONT


def test_single_objective_front_is_the_best_trial() -> None:
    one = Objectives(("error",))
    trials = [FrontMember(k, (value,), {}) for k, value in enumerate([0.3, 0.1, 0.1, 0.2])]
    front = Front.of(one, trials)
    assert front.numbers == (1,)
    assert front.knee().number == 1


def test_knee_is_the_bend_and_ignores_the_network_that_guesses() -> None:
    assert FRONT.pick("knee").number == 2
    without = Front.of(BOTH, TRIALS[:-1])
    assert without.pick("knee").number == 2


def test_knee_is_farthest_below_the_line_between_the_extremes() -> None:
    rng = np.random.default_rng(0)
    errors = np.sort(rng.uniform(0.02, 0.09, 12))
    seconds = 10 ** -np.sort(rng.uniform(3, 5, 12))
    front = Front.of(BOTH, [member(k, e, s) for k, (e, s) in enumerate(zip(errors, seconds, strict=True))])
    points = np.array([[m.values[0], np.log(m.values[1])] for m in front.members])
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    first, last = points[0], points[-1]
    normal = np.array([last[1] - first[1], first[0] - last[0]]) / np.linalg.norm(last - first)
    distance = (points - first) @ normal  # signed distance from the line through the extremes
    toward_ideal = np.sign((np.zeros(2) - first) @ normal)
    assert front.knee().number == front.members[int((distance * toward_ideal).argmax())].number


def test_accurate_and_fast_are_the_extremes() -> None:
    assert FRONT.pick("accurate").number == 0
    assert FRONT.pick("fast").number == 6


def test_condition_on_accuracy_takes_the_fastest_that_satisfies_it() -> None:
    assert FRONT.pick("accuracy>=0.97").number == 2
    assert FRONT.pick("accuracy >= 0.5").number == 3
    assert FRONT.pick("val_error<0.0201").number == 0


def test_condition_on_cost_takes_the_most_accurate_that_satisfies_it() -> None:
    assert FRONT.pick("inference_time<=1e-4").number == 2
    assert FRONT.pick("edges<=350").number == 3


def test_conditions_combine() -> None:
    assert FRONT.pick("accuracy>=0.9, edges<=1000").number == 3


def test_number_picks_that_member() -> None:
    assert FRONT.pick("3").number == 3
    assert FRONT.pick("#0").number == 0
    with pytest.raises(PickError, match="trial 4 is not on the front; its members are 0, 1, 2, 3, 6"):
        FRONT.pick("4")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("accuracy>=0.99", r"no member of the front has accuracy >= 0.99; the closest has 0.98"),
        ("sharpness>=1", r"no metric 'sharpness'; there are edges, inference_seconds"),
        ("bets", r"cannot pick 'bets': use \"best\", \"knee\", \"accurate\", \"fast\""),
        ("accuracy>=lots", r"cannot pick 'accuracy>=lots'"),
        ("accuracy>=1e", r"cannot pick 'accuracy>=1e'"),
        ("", r"cannot pick ''"),
    ],
)
def test_impossible_picks_say_what_is_possible(how: str, message: str) -> None:
    with pytest.raises(PickError, match=message):
        FRONT.pick(how)


def test_empty_front_says_so() -> None:
    with pytest.raises(PickError, match="no trial has finished"):
        Front.of(BOTH, []).pick("knee")
    assert Front.of(BOTH, []).hypervolume == 0.0


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.4]), st.sampled_from([1e-5, 1e-4, 1e-3])), max_size=20))
def test_every_trial_is_dominated_by_or_equal_to_a_member_and_no_member_is(points: list[tuple[float, float]]) -> None:
    trials = [member(k, *point) for k, point in enumerate(points)]
    front = Front.of(BOTH, trials)
    for trial in trials:
        assert any(all(a <= b for a, b in zip(m.values, trial.values, strict=True)) for m in front.members)
    for a in front.members:
        assert not any(
            all(x <= y for x, y in zip(b.values, a.values, strict=True)) for b in front.members if b is not a
        )


def test_rows_are_plain_values() -> None:
    row = FRONT.rows()[0]
    assert row["trial"] == 0
    assert row["objectives"] == {"error": 0.020, "inference_time": 8e-4}
    assert row["metrics"]["val_accuracy"] == pytest.approx(0.98)


def test_the_running_front_is_that_of_all_trials_whatever_their_order() -> None:
    rng = np.random.default_rng(5)
    objectives = Objectives(("error", "inference_time"), 1.0)
    values = np.round(rng.random((300, 2)), 2)  # many equal ones
    trials = [FrontMember(k, tuple(row), {"edges": 1.0}) for k, row in enumerate(values.tolist())]
    running = Front.of(objectives, []).bare()
    for k in rng.permutation(len(trials)):
        running = running.with_trial(trials[k])
    whole = Front.of(objectives, trials)
    assert running.members == whole.members
    assert running.hypervolume == whole.hypervolume
    assert running.near == ()


def shown(number: int, score: float, edges: float, error: float, half: float = 0.02) -> FrontMember:
    """A member whose count was lower than what is to be expected of it."""
    metrics = {
        "val_error": score, "val_accuracy": 1 - score, "edges": edges, "shown_error": error,
        "shown_error_low": error - half, "shown_error_high": error + half, "shown_accuracy": 1 - error,
        "shown_accuracy_low": 1 - error - half, "shown_accuracy_high": 1 - error + half,
    }  # fmt: skip
    return FrontMember(number, (score, edges), metrics)


def test_picks_go_by_what_is_to_be_expected() -> None:
    front = Front.of(
        Objectives(("error", "edges")),
        [shown(0, 0.01, 900, 0.03), shown(1, 0.012, 300, 0.03), shown(2, 0.03, 100, 0.05)],
    )
    assert front.pick("accurate").number == 1  # as good as trial 0, by all that is known, and smaller
    assert front.pick("accuracy>=0.97, edges<=1000").number == 1
    with pytest.raises(PickError, match="no member of the front has accuracy >= 0.98; the closest has 0.97"):
        front.pick("accuracy>=0.98")  # though the validation part counted 99 %
    assert front.pick("accuracy_low>=0.94").number == 1
    assert front.pick("error_high<=0.08").number == 2
    assert front.rows()[0]["objectives"]["error"] == 0.03


def with_estimates(*errors: tuple[float, float]) -> Front:
    """A front whose members have more edges the lower their error; (error, its standard error) by number."""
    members = [
        FrontMember(
            number,
            (error, 1e-3 / (number + 1)),
            {
                "val_error": error,
                "shown_error": error,
                "shown_error_deviation": deviation,
                "edges": 1000.0 / (number + 1),
            },
            retimed=True,
        )
        for number, (error, deviation) in enumerate(errors)
    ]
    return Front.of(BOTH, members)


def test_the_default_is_the_smallest_within_one_standard_error_of_the_most_accurate() -> None:
    front = with_estimates((0.10, 0.012), (0.105, 0.03), (0.111, 0.03), (0.113, 0.5), (0.4, 0.5))
    assert front.pick("best").number == 2
    assert front.pick("accurate").number == 0
    assert with_estimates((0.10, 0.0), (0.11, 0.0)).best().number == 0


def test_the_default_also_beats_a_linear_model_or_is_the_most_accurate() -> None:
    front = with_estimates((0.10, 0.02), (0.105, 0.03), (0.111, 0.03), (0.113, 0.5), (0.4, 0.5))
    assert front.best().number == 3
    assert replace(front, to_beat=0.112).best().number == 2
    assert replace(front, to_beat=0.09).best().number == 0
    assert front.why_best().startswith("the one with the fewest edges of those within ")
    assert "linear model" not in front.why_best()
    assert replace(front, to_beat=0.112).why_best().endswith(") and ahead of a linear model and of guessing")
    assert "no network is better than a linear model" in replace(front, to_beat=0.09).why_best()


def test_no_knee_that_a_linear_model_or_guessing_is_level_with() -> None:
    front = with_estimates((0.10, 0.01), (0.14, 0.01), (0.16, 0.01), (0.18, 0.01))
    assert front.knee().number == 3
    assert replace(front, to_beat=0.16).knee().number == 1
    assert replace(front, to_beat=0.05).knee().number == 3  # none is: then all take part


def test_of_thousands_that_times_cannot_tell_apart_those_stay_that_a_pick_may_fall_on() -> None:
    rng = np.random.default_rng(0)
    many = [
        member(k, float(error), float(1e-5 + 1e-8 * rng.random()), edges=float(edges))
        for k, (error, edges) in enumerate(zip(rng.uniform(0.1, 0.2, 3000), rng.integers(20, 400, 3000), strict=True))
    ]
    front = Front.of(BOTH, many)
    assert len(front.near) <= len(front.members) + 200
    assert {each.number for each in front.members} <= {each.number for each in front.near}
    errors = np.array([each.values[0] for each in many])
    edges = np.array([each.metrics["edges"] for each in many])
    assert front.pick("best").number == int(errors.argmin())
    for size in (30, 100, 300):  # the best with so few edges is never left out
        within = np.flatnonzero(edges <= size)
        assert int(within[errors[within].argmin()]) in {each.number for each in front.near}


def test_an_interval_ends_where_the_loss_of_a_scorer_does() -> None:
    few = np.random.default_rng(0).normal(0.8, 2, 32).astype(np.float32)  # pseudo-values of few samples

    def highest(scorer: str, groups: np.ndarray) -> float:
        error = float(groups.mean())
        trials = [
            FrontMember(number, (error, 30.0 - number), {"val_error": error, "edges": 30.0 - number})
            for number in range(2)
        ]
        objectives = Objectives(("error", "edges"), scorer=scorer)
        front = Front.estimated(objectives, trials, lambda number: Evidence(groups, None, 32, 32))
        return front.members[0].metrics["shown_error_high"]

    assert highest("f1:yes", few) == 1 < min(highest("own:loss", few), highest("r2", few))
    none = np.zeros(32, np.float32)  # no error in any group is no certainty
    assert 0.1 < highest("balanced_accuracy", none) < 0.25 and highest("r2", none) == 0
