"""The loop that runs a search: asks, hands out, collects, writes down, tells."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nas.search._errors import StudyError
from nas.search._executor import Executor
from nas.search._front import Front, FrontMember
from nas.search._store import StudyStore
from nas.search._strategy import Strategy
from nas.training._types import Candidate, TrialResult, TrialStatus

__all__ = ["Progress", "run_search"]

_logger = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.5  # how often `stop`, the budget and the display are looked at while nothing finishes


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a search stands; given to `on_progress` after every event and about twice a second."""

    trials: int  # wanted in all
    complete: int
    failed: int
    running: int
    seconds: float  # wall time of this run of the search
    trials_per_minute: float  # of this run
    seconds_left: float | None  # estimate; None while unknown
    best: Mapping[str, float]  # metrics of the member of the front with the best first objective; {} before the first
    front_size: int
    hypervolume: float  # see nas.search.Objectives.hypervolume

    @property
    def finished(self) -> int:
        """Trials that ended, one way or the other."""
        return self.complete + self.failed


def run_search(
    strategy: Strategy,
    executor: Executor,
    store: StudyStore,
    *,
    trials: int,
    budget_seconds: float | None = None,
    on_result: Callable[[Candidate, TrialResult], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    give_up_after: int = 20,
) -> Front:
    """Runs a study until it has `trials` trials, continuing whatever it holds already.

    Trials that a killed driver left behind are dispatched again under their numbers first. The driver is the only
    writer of the study. A KeyboardInterrupt passes through at once and leaves a study that can be continued.

    Args:
        strategy: new; it is told the study's finished trials here.
        executor: stays open.
        store: the study.
        trials: of the whole study, failed ones included.
        budget_seconds: no trial is started after this much wall time; running ones are waited for.
        on_result: called in this process for each new result, after it was recorded. What it raises is logged.
        on_progress: called often; must be quick. What it raises is logged.
        stop: asked often; when True no trial is started any more and running ones are waited for.
        give_up_after: so many failed trials in a row, without a complete one, end the search.

    Returns:
        The front of the study.

    Raises:
        StudyError: another process drives the study, its database fails, or `give_up_after` trials failed in a row.
    """
    with store.lock(), store.reporting():
        return _Search(
            strategy, executor, store, trials, budget_seconds, on_result, on_progress, stop, give_up_after
        ).run()


class _Search:
    """The state of one call of `run_search`."""

    def __init__(
        self,
        strategy: Strategy,
        executor: Executor,
        store: StudyStore,
        trials: int,
        budget_seconds: float | None,
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
        self.started = time.monotonic()
        self.running: dict[int, Candidate] = {}
        self.finished_now = 0
        self.failed_in_a_row = 0

    def run(self) -> Front:
        dispatch_again, ask_again = self.store.recover()
        counts = self.store.counts()
        self.complete, self.failed = counts["complete"], counts["failed"]
        for record in self.store.records():
            if record.result is not None:
                self.strategy.tell(record.result)
        self.front = self.store.front()
        self.started = time.monotonic()
        for candidate in dispatch_again:
            self._submit(candidate)
        self._report()
        while True:
            while self._may_start() and (ask_again or self._count() < self.trials):
                self._start(ask_again.pop(0) if ask_again else self.store.begin())
            if not self.running and not self._may_start(ignore_capacity=True):
                break
            if not self.running and not ask_again and self._count() >= self.trials:
                break
            for result in self.executor.wait(_POLL_SECONDS):
                self._finish(result)
            self._report()
        return self.store.front()

    def _count(self) -> int:
        return self.complete + self.failed + len(self.running)

    def _may_start(self, *, ignore_capacity: bool = False) -> bool:
        if self.budget_seconds is not None and time.monotonic() - self.started >= self.budget_seconds:
            return False
        if self.stop is not None and self.stop():
            return False
        return ignore_capacity or len(self.running) < self.executor.capacity

    def _start(self, number: int) -> None:
        try:
            candidate = self.strategy.ask(number)
            self.store.record(candidate)
        except Exception as error:  # this genome cannot be made; the next may
            _logger.exception("trial %d could not be asked", number)
            self._ended(self.store.fail(number, f"not asked: {type(error).__name__}: {error}"))
            return
        self._submit(candidate)

    def _submit(self, candidate: Candidate) -> None:
        self.running[candidate.number] = candidate
        self.executor.submit(candidate)

    def _finish(self, result: TrialResult) -> None:
        candidate = self.running.pop(result.number, None)
        if candidate is None:
            _logger.warning("ignored a second result of trial %d", result.number)
            return
        result = self.store.finish(result)
        self.strategy.tell(result)
        values = self.store.objectives.values(result)
        if result.status is TrialStatus.COMPLETE and values is not None:
            member = FrontMember(result.number, values, result.metrics)
            self.front = Front.of(self.store.objectives, [*self.front.members, member])
        self._ended(result, candidate)

    def _ended(self, result: TrialResult, candidate: Candidate | None = None) -> None:
        self.finished_now += 1
        if result.status is TrialStatus.COMPLETE:
            self.complete += 1
            self.failed_in_a_row = 0
        else:
            self.failed += 1
            self.failed_in_a_row += 1
            _logger.info("trial %d failed: %s", result.number, result.reason)
        if candidate is not None and self.on_result is not None:
            try:
                self.on_result(candidate, result)
            except Exception:
                _logger.exception("on_result raised for trial %d; the search goes on", result.number)
        if self.failed_in_a_row >= self.give_up_after:
            raise StudyError(
                f"{self.failed_in_a_row} trials in a row failed, the last because: {result.reason}; "
                "repair the cause and continue the study with --resume"
            )

    def _report(self) -> None:
        if self.on_progress is None:
            return
        seconds = time.monotonic() - self.started
        rate = self.finished_now / seconds if seconds > 0 else 0.0
        left = (self.trials - self.complete - self.failed) / rate if rate > 0 else None
        if self.budget_seconds is not None:
            until_budget = max(self.budget_seconds - seconds, 0.0)
            left = until_budget if left is None else min(left, until_budget)
        members = self.front.members
        progress = Progress(
            trials=self.trials,
            complete=self.complete,
            failed=self.failed,
            running=len(self.running),
            seconds=seconds,
            trials_per_minute=60 * rate,
            seconds_left=left,
            best=members[0].metrics if members else {},
            front_size=len(members),
            hypervolume=self.front.hypervolume,
        )
        try:
            self.on_progress(progress)
        except Exception:
            _logger.exception("on_progress raised; the search goes on")
