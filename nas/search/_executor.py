"""Where candidates are evaluated, behind one protocol: in this process here, on Ray in `workers`."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from nas.training import pinned_threads
from nas.training._types import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus

__all__ = ["Evaluate", "Executor", "SerialExecutor", "failed"]

_logger = logging.getLogger(__name__)

Evaluate = Callable[[Candidate, Dataset, TrainingConfig], TrialResult]
"""What a worker does with a candidate; `nas.training.run_trial`. May run twice for one candidate."""


class Executor(Protocol):
    """A place that evaluates candidates. Not safe to be used from several threads."""

    @property
    def capacity(self) -> int:
        """How many candidates can be evaluated at the same time just now; at least 1. May change."""
        ...

    def submit(self, candidate: Candidate) -> None:
        """Hands a candidate over. It may wait in a queue where more than `capacity` are handed over."""
        ...

    def wait(self, timeout: float) -> list[TrialResult]:
        """Results that have come in, each exactly once; [] when `timeout` seconds pass, or `capacity` has changed.

        Every submitted candidate has a result in the end: one that raised, or whose workers died too often, a failed
        one.
        """
        ...

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)` on one worker while no candidate is being evaluated on it, e.g. to take times."""
        ...

    def close(self) -> None:
        """Gives up what is running and frees everything; may be called twice."""
        ...


class SerialExecutor:
    """Evaluates one candidate after the other in this process, in `wait`.

    Args:
        dataset, config: what every candidate is evaluated with.
        evaluate: default: `nas.training.run_trial`.
        threads: CPU threads while it evaluates.
    """

    capacity = 1

    def __init__(
        self, dataset: Dataset, config: TrainingConfig, *, evaluate: Evaluate | None = None, threads: int = 1
    ) -> None:
        if evaluate is None:
            from nas.training import run_trial

            evaluate = run_trial
        self._dataset = dataset
        self._config = config
        self._evaluate = evaluate
        self._threads = threads
        self._queue: deque[Candidate] = deque()

    def submit(self, candidate: Candidate) -> None:
        self._queue.append(candidate)

    def wait(self, timeout: float) -> list[TrialResult]:
        if not self._queue:
            return []
        candidate = self._queue[0]
        start = time.perf_counter()
        try:
            with pinned_threads(self._threads):
                result = self._evaluate(candidate, self._dataset, self._config)
        except Exception as error:  # any failure of a candidate is its own; the search goes on
            _logger.exception("trial %d raised", candidate.number)
            result = failed(candidate.number, error, seconds=time.perf_counter() - start)
        self._queue.popleft()  # only now, so that an interrupted trial is still known
        return [result]

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with pinned_threads(self._threads):
            return function(*arguments)

    def close(self) -> None:
        self._queue.clear()


def failed(number: int, error: BaseException | str, *, seconds: float = 0.0) -> TrialResult:
    """The result of a candidate whose evaluation raised `error`."""
    reason = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return TrialResult(
        number, TrialStatus.FAILED, reason=reason, seconds=seconds, worker=f"{os.uname().nodename}:{os.getpid()}"
    )
