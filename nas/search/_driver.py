"""The loop that runs a search: asks, hands out, collects, writes down, tells."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nas._text import said_of
from nas.search.config import UNLIMITED, HalvingConfig
from nas.search.errors import StorageError, StudyError
from nas.search.executor import Executor
from nas.search.front.constraints import no_such_metric
from nas.search.front.front import Front
from nas.search.front.saturation import AnytimeCurve, Saturation
from nas.search.strategies.halving import Halving
from nas.search.strategies.strategy import Strategy
from nas.search.study.records import Rung
from nas.search.study.storage import DATABASE_FAILURES, DISK_FAILURES
from nas.search.study.store import StudyStore, stopped
from nas.training.types import Candidate, TrialResult, TrialStatus

__all__ = ["Progress", "run_search"]

_logger = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.5  # how often `stop`, the budget and the display are looked at while nothing finishes
_REPORT_SECONDS: Final = 0.1  # least time between two reports of progress: many short trials share one
_SHORT_SECONDS: Final = 0.5  # trials shorter than this are handed over before a worker is free, so that none waits


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a search stands; given to `on_progress` at least twice a second, at most ten times, and at the end."""

    trials: int | None  # wanted in all; None: as many as the budget has room for
    complete: int
    failed: int
    running: int
    seconds: float  # wall time of this run of the search
    trials_per_minute: float  # of this run
    seconds_left: float | None  # estimate; None while unknown
    best: Mapping[str, float]  # metrics of the member of the front with the best first objective; {} before the first
    front_size: int
    hypervolume: float  # see nas.search.Objectives.hypervolume
    share: float = 0.0  # of the budget that is used up, in [0, 1]
    stopped: int = 0  # at a rung
    steps: int = 0  # of training, in the trials that ended
    saturation: Saturation | None = None  # what is expected of the next trials; None while there are too few

    @property
    def finished(self) -> int:
        """Trials that ended, one way or the other."""
        return self.complete + self.stopped + self.failed


def run_search(
    strategy: Strategy,
    executor: Executor,
    store: StudyStore,
    *,
    trials: int,
    budget_seconds: float | None = None,
    budget_steps: int | None = None,
    stop_below: float | None = None,
    halving: HalvingConfig | None = None,
    on_result: Callable[[Candidate, TrialResult], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    give_up_after: int = 20,
) -> Front:
    """Runs a study until it has `trials` trials, continuing whatever it holds already.

    Trials that a killed driver left behind are dispatched again under their numbers first. Where the strategy's
    training section has rungs, trials pause there and some are stopped (see `nas.search.strategies.halving`). The
    driver is the only writer of the study. A KeyboardInterrupt passes through at once and leaves a study that can be
    continued.

    Args:
        strategy: new; it is told the study's finished trials here.
        executor: stays open.
        store: the study.
        trials: of the whole study, failed and stopped ones included.
        budget_seconds: no trial is started after this much wall time; running ones are waited for.
        budget_steps: no trial is started when those of the study have (or will have) done so many training steps.
        stop_below: no trial is started when the next ones are expected to let the hypervolume grow by a smaller share
            than this (see `nas.search.front.saturation`); None: they always are.
        halving: who goes on at a rung; None: the defaults.
        on_result: called in this process for each new result, after it was recorded. What it raises is logged, but for
            failures of database and disk, by which the search ends.
        on_progress: called often; must be quick. What it raises is logged.
        stop: asked often; when True no trial is started any more and running ones are waited for.
        give_up_after: so many failed trials in a row, without a complete one, end the search.

    Returns:
        The front of the study.

    Raises:
        StudyError: another process drives the study, its database fails, `give_up_after` trials failed in a row, or
            the objectives bound a metric that the first network does not have.
    """
    with store.lock(), store.reporting():
        return _Search(
            strategy,
            executor,
            store,
            trials,
            budget_seconds,
            budget_steps,
            stop_below,
            halving or HalvingConfig(),
            on_result,
            on_progress,
            stop,
            give_up_after,
        ).run()


def _of_storage(error: BaseException) -> bool:
    """Whether the study's database or disk is what failed."""
    if isinstance(error, OSError):
        return error.errno in DISK_FAILURES
    return isinstance(error, (StorageError, *DATABASE_FAILURES))


class _Search:
    """The state of one call of `run_search`."""

    def __init__(
        self,
        strategy: Strategy,
        executor: Executor,
        store: StudyStore,
        trials: int,
        budget_seconds: float | None,
        budget_steps: int | None,
        stop_below: float | None,
        halving: HalvingConfig,
        on_result: Callable[[Candidate, TrialResult], None] | None,
        on_progress: Callable[[Progress], None] | None,
        stop: Callable[[], bool] | None,
        give_up_after: int,
    ) -> None:
        self.strategy = strategy
        self.executor = executor
        self.store = store
        self.trials = trials
        self.budget_seconds = budget_seconds
        self.on_result = on_result
        self.on_progress = on_progress
        self.stop = stop
        self.give_up_after = give_up_after
        self.budget_steps = budget_steps
        self.stop_below = stop_below
        self.curve = AnytimeCurve(store.objectives)
        self.halving = Halving(halving, store.objectives, store.sampling if halving.pruner else None)
        self.started = time.monotonic()
        self.reported = 0.0
        self.running: dict[int, Candidate] = {}  # asked and not ended
        self.ready: deque[Candidate] = deque()  # of these, the ones to be handed over again
        self.in_flight = 0  # of these, the ones that the executor has
        self.spent: dict[int, float] = {}  # seconds on workers before the last pause
        self.finished_now = 0
        self.failed_in_a_row = 0
        self.trial_seconds = float("inf")  # how long a visit to a worker takes, lately
        self.complete = self.stopped = self.failed = self.steps = 0

    def run(self) -> Front:
        dispatch_again, ask_again = self.store.recover()
        for record in self.store.records():
            if record.result is not None:
                self._count_steps(record.result, record.steps)
                self.strategy.tell(record.result)
                self.curve.add(record.result)
                for index, rung in enumerate(record.rungs):
                    self.halving.seen(record.number, index, rung.metrics)
        counts = self.store.counts()
        self.complete, self.stopped, self.failed = counts["complete"], counts["stopped"], counts["failed"]
        self.started = time.monotonic()
        if self.budget_seconds is not None:
            self.strategy.seconds = self.budget_seconds * max(1, self.executor.capacity // self.executor.group)
        for candidate in dispatch_again:
            rungs = self.store.rungs(candidate.number)
            for index, rung in enumerate(rungs):
                self.halving.seen(candidate.number, index, rung.metrics)
                self.store.report(candidate.number, rung.share, rung.metrics)
            self._make_ready(candidate, after=rungs[-1].step if rungs else 0)
        self._report()
        while True:
            self._hand_over(ask_again)
            if not self.running and not (self._may_start() and (ask_again or self._count() < self.trials)):
                break
            for result in self.executor.wait(_POLL_SECONDS):
                self._receive(result)
            self.store.settle()
            self._report()
        self._report(last=True)
        return self.store.front()

    def _count(self) -> int:
        return self.complete + self.stopped + self.failed + len(self.running)

    def _count_steps(self, result: TrialResult, asked: int) -> None:
        self.steps += result.steps if result.steps is not None else asked

    def _may_start(self) -> bool:
        if self.budget_seconds is not None and time.monotonic() - self.started >= self.budget_seconds:
            return False
        if self.budget_steps is not None:
            running = sum(candidate.steps for candidate in self.running.values())
            if self.steps + running >= self.budget_steps:
                return False
        if self.stop_below is not None:
            saturation = self.curve.saturation()
            if saturation is not None and saturation.expected < self.stop_below:
                return False
        return not (self.stop is not None and self.stop())

    def _hand_over(self, ask_again: list[int]) -> None:
        """Gives the executor groups as large as it takes, until it has no room, or nothing is left to start."""
        while self._has_room(len(ask_again)) and (group := self._next_group(ask_again)):
            self.in_flight += len(group)
            self.executor.submit(*group)

    def _has_room(self, to_ask_again: int) -> bool:
        """Whether the executor takes the next group: a whole one, or all that is left."""
        capacity = self.executor.capacity
        ahead = capacity if capacity > self.executor.group and self.trial_seconds < _SHORT_SECONDS else 0
        left = len(self.ready) + to_ask_again + max(0, self.trials - self._count())
        return 0 < min(self.executor.group, left) <= capacity + ahead - self.in_flight

    def _next_group(self, ask_again: list[int]) -> list[Candidate]:
        """What the executor trains together: paused trials first, then those to be asked for again, then new ones."""
        group: list[Candidate] = []
        while len(group) < self.executor.group:
            if self.ready:
                group.append(self.ready.popleft())
            elif (ask_again or self._count() < self.trials) and self._may_start():
                candidate = self._ask(ask_again.pop(0) if ask_again else self.store.begin())
                group += [] if candidate is None else [candidate]
            else:
                break
        return group

    def _spent(self) -> float:
        """Share of the budget, of trials, time or steps, that is used up."""
        shares = [self._count() / self.trials]
        if self.budget_seconds is not None:
            shares.append((time.monotonic() - self.started) / self.budget_seconds)
        if self.budget_steps is not None:
            shares.append(self.steps / self.budget_steps)
        return min(max(shares), 1.0)

    def _ask(self, number: int) -> Candidate | None:
        self.strategy.spent = self._spent()
        if self.budget_seconds is not None:
            self.strategy.left = max(0.0, self.started + self.budget_seconds - time.monotonic())
        try:
            candidate = self.strategy.ask(number)
            self.store.record(candidate, self.strategy.domains)
        except (Exception, SystemExit) as error:  # this genome cannot be made; the next may
            if _of_storage(error):
                raise  # not the genome's fault: the trial is asked for again when database and disk are back
            _logger.exception("trial %d could not be asked", number)
            self._ended(self.store.fail(number, f"not asked: {said_of(error)}"))
            return None
        self._make_ready(candidate)
        return self.ready.pop()

    def _make_ready(self, candidate: Candidate, after: int = 0) -> None:
        """To be handed over next, until the first rung `after` so many steps."""
        rungs = [step for step in self._rungs(candidate) if step > after]
        candidate = replace(candidate, pause_at=rungs[0] if rungs else None)
        self.running[candidate.number] = candidate
        self.ready.append(candidate)

    def _rungs(self, candidate: Candidate) -> tuple[int, ...]:
        training = self.strategy.training
        return training.model_copy(update={"steps": candidate.steps}).rung_steps() if training.rungs else ()

    def _receive(self, result: TrialResult) -> None:
        candidate = self.running.get(result.number)
        if candidate is None:
            _logger.warning("ignored a second result of trial %d", result.number)
            return
        self.in_flight -= 1
        visits = 0.9 * self.trial_seconds if self.trial_seconds < float("inf") else 0.9 * result.seconds
        self.trial_seconds = visits + 0.1 * result.seconds
        seconds = self.spent.pop(result.number, 0.0) + result.seconds
        if result.status is TrialStatus.PAUSED:
            self._pause(candidate, replace(result, seconds=seconds))
            return
        self._finish(candidate, replace(result, seconds=seconds))

    def _pause(self, candidate: Candidate, result: TrialResult) -> None:
        number, step = candidate.number, result.steps or 0
        share = step / candidate.steps
        self.store.report(number, share, result.metrics)
        index = self._rungs(candidate).index(step)
        passed = self.halving.passes(number, index, result.metrics)
        self.store.pause(number, Rung(step, share, result.metrics, passed))
        if passed:
            self.spent[number] = result.seconds
            self._make_ready(replace(candidate, resume=result.state), after=step)
        else:
            self._finish(candidate, stopped(number, self.store.rungs(number), result))

    def _finish(self, candidate: Candidate, result: TrialResult) -> None:
        del self.running[candidate.number]
        result = self.store.finish(result)
        self._count_steps(result, candidate.steps)
        self.strategy.tell(result)
        self._ended(result, candidate)
        first = result.status is TrialStatus.COMPLETE and self.complete == 1
        if first and (wrong := no_such_metric(self.store.objectives.bounds, result.metrics)):
            raise StudyError(f"search.constraints: {wrong}; start another study with bounds that can be kept")

    def _ended(self, result: TrialResult, candidate: Candidate | None = None) -> None:
        self.finished_now += 1
        self.curve.add(result)
        if result.status is TrialStatus.FAILED:
            self.failed += 1
            self.failed_in_a_row += 1
            _logger.info("trial %d failed: %s", result.number, result.reason)
        else:
            self.complete += result.status is TrialStatus.COMPLETE
            self.stopped += result.status is TrialStatus.STOPPED
            self.failed_in_a_row = 0
        if candidate is not None and self.on_result is not None:
            try:
                self.on_result(replace(candidate, resume=None, pause_at=None), result)
            except Exception as error:
                if _of_storage(error):
                    raise  # it read the study, which cannot go on without its record either
                _logger.exception("on_result raised for trial %d; the search goes on", result.number)
        if self.failed_in_a_row >= self.give_up_after:
            raise StudyError(
                f"{self.failed_in_a_row} trials in a row failed, the last because: {result.reason}; "
                "repair the cause and continue the study with --resume"
            )

    def _report(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if self.on_progress is None or (now - self.reported < _REPORT_SECONDS and not last):
            return
        self.reported = now
        seconds = now - self.started
        rate = self.finished_now / seconds if seconds > 0 else 0.0
        left = max(0, self.trials - self.complete - self.stopped - self.failed) / rate if rate > 0 else None
        left = None if self.trials >= UNLIMITED else left
        if self.budget_seconds is not None:
            until_budget = max(self.budget_seconds - seconds, 0.0)
            left = until_budget if left is None else min(left, until_budget)
        front = self.store.leading()
        members = front.members
        progress = Progress(
            # A study may have more than are wanted now.
            trials=None if self.trials >= UNLIMITED else max(self.trials, self._count()),
            share=self._spent(),
            complete=self.complete,
            failed=self.failed,
            running=len(self.running),
            seconds=seconds,
            trials_per_minute=60 * rate,
            seconds_left=left,
            best=members[0].metrics if members else {},
            front_size=len(members),
            hypervolume=front.hypervolume,
            stopped=self.stopped,
            steps=self.steps,
            saturation=self.curve.saturation(),
        )
        try:
            self.on_progress(progress)
        except Exception:
            _logger.exception("on_progress raised; the search goes on")
