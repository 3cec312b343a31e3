"""What runs in a worker process: one object that lives for the whole job and evaluates one candidate at a time."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus, pinned_threads

__all__ = ["TrialActor"]


class TrialActor:
    """Holds the data and evaluates candidates. Writes nothing, so evaluating one twice is harmless.

    Args:
        dataset, config: what every candidate is evaluated with; the data's arrays may be read-only shared memory.
        evaluate: see `nas.search.Evaluate`.
        threads: CPU threads of torch and numba for the life of this process.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        evaluate: Callable[[Candidate, Dataset, TrainingConfig], TrialResult],
        threads: int,
    ) -> None:
        # Arrays from the object store are read-only, and nothing here writes into data.
        warnings.filterwarnings("ignore", message=".*NumPy array is not writable.*")
        self._dataset = dataset
        self._config = config
        self._evaluate = evaluate
        self._worker = f"{os.uname().nodename}:{os.getpid()}"
        self._pinned = contextlib.ExitStack()  # never closed: the process ends with the job
        self._pinned.enter_context(pinned_threads(threads))

    def ready(self) -> str:
        """Host and process, as soon as the data has arrived."""
        return self._worker

    def run(self, candidate: Candidate) -> TrialResult:
        """The candidate's result; a failed one where it raises."""
        start = time.perf_counter()
        try:
            return self._evaluate(candidate, self._dataset, self._config)
        except Exception as error:  # a candidate's failure is its own; the worker goes on
            return TrialResult(
                candidate.number,
                TrialStatus.FAILED,
                reason=f"{type(error).__name__}: {error}",
                seconds=time.perf_counter() - start,
                worker=self._worker,
            )

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)` in this process."""
        return function(*arguments)
