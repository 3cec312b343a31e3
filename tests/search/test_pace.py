"""How long candidates are trained: as long as the job says, else as suits the budget."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nas.search import SearchConfig
from nas.search.config import UNLIMITED
from nas.search.strategies.pace import Pace, work_of
from nas.training import TrainingConfig, TrialResult, TrialStatus


def told(pace: Pace, seconds: float, steps: int, trials: int = 30, work: float = 1.0) -> Pace:
    for number in range(trials):
        pace.asked(number, steps, work)
        pace.told(TrialResult(number, TrialStatus.COMPLETE, seconds=seconds))
    return pace


def test_what_the_job_states_holds_whatever_the_budget() -> None:
    pace = told(Pace(TrainingConfig(steps=77)), 1.0, 100)
    assert pace.full(None) == pace.full(1.0) == pace.full(1e6) == 77
    assert (
        Pace(TrainingConfig(steps=TrainingConfig().steps)).full(60.0) == TrainingConfig().steps
    )  # stated, the default


def test_a_full_training_grows_with_the_root_of_the_budget() -> None:
    pace = told(Pace(TrainingConfig()), seconds=8.0, steps=8_000)  # a thousand steps a second
    assert pace.full(50 * 8.0) == 8_000
    assert pace.full(4 * 50 * 8.0) == 16_000
    assert pace.full(None) == 10_000  # no budget


def test_no_training_is_too_short_to_finish_or_longer_than_is_of_use() -> None:
    pace = told(Pace(TrainingConfig()), seconds=10.0, steps=10_000)
    assert pace.full(1.0) == 8_000
    assert pace.full(1e7) == 60_000


def test_no_training_is_longer_than_what_is_left_or_than_one_may_take() -> None:
    pace = told(Pace(TrainingConfig()), seconds=10.0, steps=10_000, work=work_of(500, 500, 64))
    small, large = work_of(500, 500, 64), work_of(50_000, 500, 64) * 2
    assert pace.fitting(20_000, small, 1e6, 1e3) == 20_000
    assert pace.fitting(20_000, small, 1e6, 10.0) == 9_000
    assert pace.fitting(20_000, large, 1e6, 10.0) < 9_000
    assert pace.fitting(20_000, small, 1e6, 0.0) == 1_000  # hardly a training, but over at once
    assert pace.fitting(20_000, small, 250.0, 250.0) == 10_000  # a twenty-fifth of the budget
    assert pace.fitting(20_000, small, 25.0, 25.0) == 8_000  # never too few to finish, while there is time
    assert pace.fitting(20_000, small, None, None) == 20_000
    assert told(Pace(TrainingConfig(steps=77)), 1.0, 100).fitting(77, small, 1.0, 0.0) == 77  # stated
    assert Pace(TrainingConfig()).fitting(20_000, small, 1.0, 1.0) == 20_000  # nothing is known yet


def test_the_first_trial_which_may_have_compiled_says_little() -> None:
    pace = told(Pace(TrainingConfig()), seconds=1000.0, steps=1_000, trials=1)
    pace = told(pace, seconds=1.0, steps=1_000, trials=1)
    assert pace.full(4 * 50 * 8.0) == 16_000


def test_more_edges_and_larger_batches_are_more_work() -> None:
    assert work_of(100, 100, 64) < work_of(1000, 100, 64) < work_of(1000, 1000, 64) < work_of(1000, 1000, 128)
    assert work_of(50, 100, 64) == work_of(100, 100, 64)  # edges that come are there from the first step on


def test_before_anything_is_known_the_usual_length() -> None:
    pace = Pace(TrainingConfig())
    assert pace.full(60.0) == 10_000
    pace.told(TrialResult(5, TrialStatus.COMPLETE, seconds=3.0))  # never asked here: a study that goes on
    pace.asked(6, 100)
    pace.told(TrialResult(6, TrialStatus.FAILED, seconds=0.0))  # failed before it began
    assert pace.full(60.0) == 10_000


def test_the_pace_follows_what_steps_cost_lately() -> None:
    pace = told(Pace(TrainingConfig()), seconds=10.0, steps=10_000)
    before = pace.full(10_000.0)
    for number in range(100, 140):
        pace.asked(number, 10_000)
        pace.told(TrialResult(number, TrialStatus.COMPLETE, seconds=20.0))
    assert pace.full(10_000.0) == pytest.approx(before / 2**0.5, rel=0.05)


def test_trials_are_unlimited_only_where_a_budget_ends_the_search() -> None:
    assert SearchConfig().trials == 50
    assert SearchConfig.model_validate({"budget_minutes": 1}).trials == UNLIMITED
    assert SearchConfig.model_validate({"budget_steps": 10**6}).trials == UNLIMITED
    assert SearchConfig.model_validate({"budget_minutes": 1, "trials": 7}).trials == 7
    assert SearchConfig.model_validate({"budget_minutes": None, "budget_steps": None}).trials == 50
    with pytest.raises(ValidationError):
        SearchConfig.model_validate({"budget_minutes": 0})
