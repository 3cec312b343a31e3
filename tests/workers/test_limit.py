"""How long a trial may take, with a clock of the test's own and no Ray."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nas.graph import random_dag
from nas.training import Candidate, Genome, TrainingConfig, TrainingState, TrialResult, TrialStatus
from nas.workers._limit import TrialLimit

CONFIG = TrainingConfig(batch_size=128)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def candidate(number: int, steps: int = 1000, neurons: int = 20) -> Candidate:
    dag = random_dag(4, neurons, 2, density=0.5, rng=np.random.default_rng(number))
    return Candidate(number, Genome(dag), seed=number, steps=steps)


def complete(number: int, seconds: float, status: TrialStatus = TrialStatus.COMPLETE) -> TrialResult:
    return TrialResult(number, status, seconds=seconds)


def learned(clock: Clock, seconds: float, most: float | None = 7200.0, count: int = 5) -> TrialLimit:
    limit = TrialLimit(most, CONFIG, clock)
    for number in range(count):
        limit.told([candidate(number)], [complete(number, seconds)])
    return limit


@pytest.mark.parametrize(
    ("seconds", "allowed"),
    [
        (1.0, 300.0),  # a search of short trials waits five minutes for a frozen worker, and not two hours
        (60.0, 1200.0),
        (3600.0, 7200.0),  # never more than the setting
    ],
)
def test_a_trial_may_take_a_multiple_of_what_is_usual(seconds: float, allowed: float) -> None:
    clock = Clock()
    limit = learned(clock, seconds)
    group, since = [candidate(0)], clock.now
    clock.now = since + 0.95 * allowed
    assert limit.overdue(group, since) is None
    clock.now = since + 1.15 * allowed
    reason = limit.overdue(group, since)
    assert reason is not None
    assert reason.startswith("it took longer than ")
    assert ("are usual" in reason) is (allowed < 7200)


def test_longer_and_larger_trials_have_more_time() -> None:
    clock = Clock()
    limit = learned(clock, 60.0)
    since, clock.now = clock.now, clock.now + 2000.0
    assert limit.overdue([candidate(0)], since) is not None
    assert limit.overdue([candidate(0, steps=2000)], since) is None
    assert limit.overdue([candidate(0, neurons=100)], since) is None
    assert limit.overdue([candidate(0), candidate(1)], since) is None  # a group trains two
    half = replace(candidate(0, steps=2000), resume=TrainingState(1000, {}))
    assert limit.overdue([half], since) is not None  # half of it was done before
    assert limit.overdue([replace(half, resume=None, pause_at=1000)], since) is not None


def test_one_slow_trial_moves_the_limit_and_failed_ones_do_not() -> None:
    clock = Clock()
    limit = learned(clock, 60.0)
    for number in range(5, 25):
        limit.told([candidate(number)], [complete(number, 0.01, TrialStatus.FAILED)])
    since, clock.now = clock.now, clock.now + 1100.0
    assert limit.overdue([candidate(0)], since) is None
    clock.now = since + 2000.0
    assert limit.overdue([candidate(0)], since) is not None
    limit.told([candidate(0)], [complete(0, 900.0)])
    assert limit.overdue([candidate(0)], since) is None


def test_networks_that_are_not_trained_say_nothing_of_those_that_are() -> None:
    clock = Clock()
    limit = learned(clock, 1.0)
    limit.told([candidate(5, steps=0)], [complete(5, 1.0)])
    since, clock.now = clock.now, clock.now + 400.0
    assert limit.overdue([candidate(0)], since) is not None
    assert limit.overdue([candidate(6, steps=0)], since) is not None


def test_the_setting_alone_counts_until_enough_is_known_and_null_is_no_limit() -> None:
    clock = Clock()
    known, unknown, unlimited = learned(clock, 1.0), learned(clock, 1.0, count=4), learned(clock, 1.0, most=None)
    strict = learned(clock, 60.0, most=90.0)
    since, clock.now = clock.now, clock.now + 400.0
    group = [candidate(0)]
    assert known.overdue(group, since) is not None
    assert unknown.overdue(group, since) is None
    assert unlimited.overdue(group, since) is None
    assert strict.overdue(group, since) == "it took longer than 90 s"
    assert known.overdue([], since) is None  # an idle worker
    clock.now = since + 7201.0
    assert unknown.overdue(group, since) == "it took longer than 7200 s"


def test_nobody_is_blamed_for_the_time_that_the_search_itself_was_stopped() -> None:
    clock = Clock()
    limit = TrialLimit(90.0, CONFIG, clock)
    clock.now += 1.0
    assert limit.away() == 0.0
    clock.now += 3600.0  # Ctrl-Z, a machine that slept
    assert limit.away() == 3600.0
    assert limit.away() == 0.0
