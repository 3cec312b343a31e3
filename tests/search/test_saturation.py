"""A search that has stopped paying is noticed, one that still pays is not, and neither is a short rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.errors import JobError
from nas.job import Job, stored_job
from nas.search import (
    AnytimeCurve,
    Objectives,
    Progress,
    RandomStrategy,
    Saturation,
    SearchConfig,
    SearchSpace,
    SerialExecutor,
    StudyStore,
    run_search,
    saturation,
)
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus
from tests.search.conftest import TRAINING, pretend

ERROR = Objectives(("error",))


def levels(errors: list[float]) -> list[TrialResult]:
    return [
        TrialResult(number, TrialStatus.COMPLETE, {"val_error": error}, seconds=2.0)
        for number, error in enumerate(errors)
    ]


def settled(number: int) -> float:
    """Error of a trial of a search that gets better in ever smaller jumps and then no more."""
    return 0.5 + 0.3 * 0.5 ** min(number, 16)


def rising(number: int) -> float:
    """Error of a trial of a search in which every fifth one is better by as much as the last better one."""
    return 0.9 - 0.002 * (number // 5)


def test_a_curve_that_has_settled_is_expected_to_stay() -> None:
    found = saturation(1 - np.array([settled(number) for number in range(300)]))
    assert found is not None
    assert found.window == 100
    assert found.grown == 0
    assert found.expected < 0.003
    assert str(found).startswith("the front has grown by 0 % in the last 100 trials; the next 100 are expected to add")


def test_a_curve_that_rises_is_expected_to_go_on() -> None:
    curve = np.maximum.accumulate(1 - np.array([rising(number) for number in range(300)]))
    found = saturation(curve)
    assert found is not None
    assert found.grown == pytest.approx((curve[-1] - curve[-101]) / curve[-1])
    more = (1 - rising(399) - curve[-1]) / curve[-1]
    assert more < found.expected < 2 * more
    assert "expected to add less than" in str(found)


def test_an_early_plateau_is_no_end() -> None:
    jumps = [0.3, 0.2, 0.1]
    curve = np.array([*np.cumsum(jumps), *[0.6] * 120])
    found = saturation(curve)
    assert found is not None and found.grown == 0
    assert found.expected > 0.1  # no jump in 41 trials, but those before were large
    assert saturation(np.full(59, 0.5)) is None
    assert saturation(np.zeros(100)) is None


def test_the_bound_holds_for_searches_whose_jumps_become_rarer() -> None:
    rng = np.random.default_rng(1)
    kept, asked = 0, 0
    for _ in range(60):
        n = np.arange(1, 401)
        jumps = (rng.random(400) < 4 / n ** rng.uniform(0.5, 1)) * rng.exponential(size=400) / n ** rng.uniform(0.3, 1)
        curve = 0.3 + 0.02 * np.cumsum(jumps)
        for done in range(60, 300, 20):
            found = saturation(curve[:done])
            assert found is not None
            asked += 1
            kept += (curve[done - 1 + found.window] - curve[done - 1]) / curve[done - 1] <= found.expected
    assert kept / asked > 0.95


def test_a_front_that_is_worse_when_timed_again_is_no_growth() -> None:
    curve = np.array([*np.linspace(0.1, 0.5, 60), *([0.4, 0.5] * 60)])
    found = saturation(curve)
    assert found is not None and found.grown == 0


def test_the_curve_counts_failures_and_seconds_and_has_corners_where_it_grew() -> None:
    results = levels([0.5, 0.6, 0.4, 0.45])
    results.insert(1, TrialResult(9, TrialStatus.FAILED, reason="no", seconds=1.0))
    curve = AnytimeCurve(ERROR, results)
    assert len(curve) == 5
    corners = [(point.trials, point.seconds, round(point.hypervolume, 6)) for point in curve.corners()]
    assert corners == [(1, 2.0, 0.5), (4, 7.0, 0.6), (5, 9.0, 0.6)]
    assert AnytimeCurve(ERROR).corners() == []


def drive(
    folder: Path, space: SearchSpace, dataset: Dataset, errors: object, *, trials: int, below: float | None
) -> int:
    """A random search whose trials have the given errors; trials that it made."""
    error = errors

    def evaluate(candidate: Candidate, data: Dataset, config: TrainingConfig) -> TrialResult:
        result = pretend(candidate, data, config)
        level = error(candidate.number)  # type: ignore[operator]
        return TrialResult(candidate.number, result.status, {**result.metrics, "val_error": level}, dag=result.dag)

    exists = StudyStore.exists(folder, "study")
    store = StudyStore.open(folder, "study") if exists else StudyStore.create(folder, "study", objectives=("error",))
    seen: list[Progress] = []
    strategy = RandomStrategy(space, TRAINING, store.objectives, 0)
    executor = SerialExecutor(dataset, TRAINING, evaluate=evaluate)
    run_search(strategy, executor, store, trials=trials, stop_below=below, on_progress=seen.append)
    assert isinstance(seen[-1].saturation, Saturation | None)
    return sum(store.counts().values())


def test_a_search_that_has_settled_ends_and_one_that_rises_does_not(
    tmp_path: Path, space: SearchSpace, dataset: Dataset
) -> None:
    done = drive(tmp_path / "settled", space, dataset, settled, trials=150, below=0.003)
    assert 60 <= done < 150
    assert drive(tmp_path / "all", space, dataset, settled, trials=90, below=None) == 90
    assert drive(tmp_path / "rising", space, dataset, rising, trials=90, below=0.003) == 90
    # A search that is resumed knows the curve of its first part: it ends at the same trial, and at once where it had.
    assert drive(tmp_path / "parts", space, dataset, settled, trials=done - 5, below=0.003) == done - 5
    assert drive(tmp_path / "parts", space, dataset, settled, trials=150, below=0.003) == done
    assert drive(tmp_path / "parts", space, dataset, settled, trials=150, below=0.003) == done


def test_least_gain_is_refused_where_it_does_nothing() -> None:
    assert SearchConfig(stop="converged").stop_below == 0.003
    assert SearchConfig(stop="converged", least_gain=0.01).stop_below == 0.01
    assert SearchConfig().stop_below is None
    with pytest.raises(JobError, match="search.least_gain: it does nothing here: it says when a search ends by itself"):
        Job.from_mapping({"search": {"least_gain": 0.01}})
    stored_job(Job.from_mapping({}).to_mapping(), "a study")  # which keeps every default


def test_a_bound_that_says_nothing_is_not_said() -> None:
    steep = saturation(np.linspace(0.01, 0.7, 60))
    assert steep is not None and steep.expected == np.inf
    assert str(steep).endswith("what the next 20 add cannot be told yet")
