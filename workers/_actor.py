"""What runs in a worker process: one object that lives for the whole job and evaluates what it is handed."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import ray

from nas._logs import Level, LogFormat, bound, configure
from nas.engine.cuda import gpu_is_lost, limit_memory
from nas.search import Evaluate, EvaluateGroup, evaluated
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus, pinned_threads

__all__ = ["TrialActor"]

_logger = logging.getLogger(__name__)


class TrialActor:
    """Holds the data and evaluates candidates. Writes nothing, so evaluating one twice is harmless.

    Args:
        dataset, config: what every candidate is evaluated with; the data's arrays may be read-only shared memory.
        evaluate: how one is evaluated, and how a group.
        threads: CPU threads of torch and numba for the life of this process.
        logs: format and level of what is logged here.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        evaluate: tuple[Evaluate, EvaluateGroup | None],
        threads: int,
        logs: tuple[LogFormat, Level],
    ) -> None:
        configure(*logs)
        # Arrays from the object store are read-only, and nothing here writes into data.
        warnings.filterwarnings("ignore", message=".*NumPy array is not writable.*")
        self._dataset = dataset
        self._config = config
        self._evaluate = evaluate
        self._worker = f"{os.uname().nodename}:{os.getpid()}"
        _limit_gpu_memory()
        self._pinned = contextlib.ExitStack()  # never closed: the process ends with the job
        self._pinned.enter_context(pinned_threads(threads))

    def ready(self) -> str:
        """Host and process, as soon as the data has arrived."""
        return self._worker

    def run(self, group: Sequence[Candidate]) -> list[TrialResult]:
        """A result for each candidate; a failed one where its evaluation raises.

        Ends the process instead when that left its GPU unusable: the pool then runs the group again elsewhere.
        """
        with bound(trial=group[0].number, worker=self._worker):
            results = evaluated(group, self._dataset, self._config, *self._evaluate)
            if any(each.status is TrialStatus.FAILED for each in results) and gpu_is_lost():
                reason = next(each.reason for each in results if each.status is TrialStatus.FAILED)
                _logger.error("the GPU fails in this process from now on: %s", reason)
                ray.actor.exit_actor()  # type: ignore[no-untyped-call]
            return results

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)` in this process."""
        return function(*arguments)


def _limit_gpu_memory() -> None:
    """A worker that has a fraction of a GPU keeps to that fraction of its memory, so that none starves the others."""
    share = ray.get_runtime_context().get_assigned_resources().get("GPU", 0.0)  # type: ignore[no-untyped-call]
    if 0 < share < 1:
        limit_memory(share)
