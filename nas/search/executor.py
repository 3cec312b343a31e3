"""Where candidates are evaluated, behind one protocol: in this process here, on Ray in `workers`."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from nas.training import pinned_threads, signed
from nas.training.types import Candidate, Dataset, TrainingConfig, TrialResult

__all__ = ["HUNG_SECONDS", "Evaluate", "EvaluateGroup", "Executor", "SerialExecutor", "WorkerView", "evaluated"]

HUNG_SECONDS: Final = 300.0
"""For a call that takes seconds: compiling, a slow disk, a machine that swaps."""

_logger = logging.getLogger(__name__)

Evaluate = Callable[[Candidate, Dataset, TrainingConfig], TrialResult]
"""What a worker does with a candidate; `nas.training.run_trial`. May run twice for one candidate."""

EvaluateGroup = Callable[[Sequence[Candidate], Dataset, TrainingConfig], Sequence[TrialResult]]
"""What a worker does with a group: a result for each candidate, in their order. May run twice for one group."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as people see it."""

    name: str  # host and process, where known
    state: Literal["starting", "idle", "busy"]
    trial: int | None  # the trial that it evaluates
    seconds: float  # for how long it has been in this state


class Executor(Protocol):
    """A place that evaluates candidates. Not safe to be used from several threads."""

    @property
    def capacity(self) -> int:
        """How many candidates can be evaluated at the same time just now; at least 1. May change."""
        ...

    @property
    def group(self) -> int:
        """How many candidates one worker takes in one call, at most; 1: one at a time."""
        ...

    def submit(self, *candidates: Candidate) -> None:
        """Hands candidates over; several are a group, for one worker to take together.

        They may wait in a queue where more than `capacity` are handed over.
        """
        ...

    def wait(self, timeout: float) -> list[TrialResult]:
        """Results that have come in, each exactly once; [] when `timeout` seconds pass, or `capacity` has changed.

        Every submitted candidate has a result in the end: one that raised, or whose workers died too often, a failed
        one. That of a candidate that paused (`TrialStatus.PAUSED`) ends its visit; it may be submitted again.
        """
        ...

    def call(self, function: Callable[..., Any], *arguments: Any, within: float | None = None) -> Any:
        """`function(*arguments)` on one worker while no candidate is being evaluated on it, e.g. to take times.

        Args:
            within: seconds after which that worker counts as hung; None: what a trial may take.
        """
        ...

    def workers(self) -> tuple[WorkerView, ...]:
        """The workers as they are just now, for people to look at."""
        ...

    def close(self) -> None:
        """Gives up what is running and frees everything; may be called twice."""
        ...


class SerialExecutor:
    """Evaluates one candidate (or group) after the other in this process, in `wait`.

    Args:
        dataset, config: what every candidate is evaluated with.
        evaluate: default: `nas.training.run_trial`.
        threads: CPU threads while it evaluates.
        evaluate_group: evaluates a group in one call; default: its members one by one.
        group: candidates of a group, at most.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        *,
        evaluate: Evaluate | None = None,
        threads: int = 1,
        evaluate_group: EvaluateGroup | None = None,
        group: int = 1,
    ) -> None:
        if evaluate is None:
            from nas.training import run_trial

            evaluate = run_trial
        self._dataset = dataset
        self._config = config
        self._evaluate = evaluate
        self._evaluate_group = evaluate_group
        self._threads = threads
        self.group = self.capacity = group
        self._queue: deque[tuple[Candidate, ...]] = deque()
        self._since = time.monotonic()

    def submit(self, *candidates: Candidate) -> None:
        if len(candidates) == 1 or self._evaluate_group is not None:
            self._queue.append(candidates)
        else:
            self._queue.extend((candidate,) for candidate in candidates)

    def wait(self, timeout: float) -> list[TrialResult]:
        if not self._queue:
            return []
        group = self._queue[0]
        self._since = time.monotonic()
        with pinned_threads(self._threads):
            results = evaluated(group, self._dataset, self._config, self._evaluate, self._evaluate_group)
        self._queue.popleft()  # only now, so that an interrupted trial is still known
        return results

    def call(self, function: Callable[..., Any], *arguments: Any, within: float | None = None) -> Any:
        with pinned_threads(self._threads):
            return function(*arguments)

    def workers(self) -> tuple[WorkerView, ...]:
        trial = self._queue[0][0].number if self._queue else None
        name = f"{os.uname().nodename}:{os.getpid()}"
        return (WorkerView(name, "busy" if self._queue else "idle", trial, time.monotonic() - self._since),)

    def close(self) -> None:
        self._queue.clear()


def evaluated(
    group: Sequence[Candidate],
    dataset: Dataset,
    config: TrainingConfig,
    evaluate: Evaluate,
    evaluate_group: EvaluateGroup | None = None,
) -> list[TrialResult]:
    """One result for each of `group`, a failed one for those whose evaluation raised.

    A group that raises as a whole is evaluated one by one, so that only the culprit fails.
    """
    if evaluate_group is not None and len(group) > 1:
        try:
            results = list(evaluate_group(group, dataset, config))
            if [result.number for result in results] == [candidate.number for candidate in group]:
                return results
            _logger.error("a group of %d came back as %d results; evaluated one by one", len(group), len(results))
        except (Exception, SystemExit):  # code of the user's own may try to leave the program
            _logger.exception("a group of %d trials raised; evaluated one by one", len(group))
    results = []
    for candidate in group:
        start = time.perf_counter()
        try:
            results.append(evaluate(candidate, dataset, config))
        except (Exception, SystemExit) as error:  # any failure of a candidate is its own; the search goes on
            _logger.exception("trial %d raised", candidate.number)
            results.append(signed(TrialResult.failed(candidate.number, error), time.perf_counter() - start))
    return results
