"""A search whose budget is process time, so that it gets as much on a busy machine as on an idle one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.search import (
    Front,
    SearchConfig,
    SerialExecutor,
    SpaceConfig,
    StudyStore,
    error_reference,
    load_space,
    make_strategy,
    run_search,
    warm_up,
)
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus, run_trial

__all__ = ["Searched", "search"]


def _evaluated(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
    """As a worker evaluates, its seconds in process time: a strategy plans by them."""
    before = time.process_time()
    result = run_trial(candidate, dataset, config)
    return replace(result, seconds=time.process_time() - before)


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found and what it took."""

    front: Front
    trials: int  # that ended complete
    failed: tuple[str, ...]  # the reasons of those that failed
    seconds: float  # process time of asking, training, timing and keeping; not of compiling, nor of an empty study


def search(
    dataset: Dataset,
    seed: int,
    seconds: float,
    *,
    strategy: str = "evolution",
    options: Mapping[str, Any] | None = None,
    space: SpaceConfig | None = None,
    training: TrainingConfig | None = None,
    seen: Callable[[Candidate, TrialResult, float], None] | None = None,
    enough: Callable[[], bool] | None = None,
) -> Searched:
    """One search in this process, on one thread, with the service's defaults for what is not given.

    Args:
        dataset: the task.
        seed: of the search.
        seconds: budget, process time.
        strategy: its name.
        options: of the strategy.
        space: of the candidates; `neuron_dag` by default.
        training: the job's training section.
        seen: told each result, and the process seconds that had been spent by then.
        enough: asked before each candidate; True ends the search.
    """
    config = SearchConfig(strategy=strategy, options=dict(options or {}), seed=seed, budget_minutes=seconds / 60)
    training = training or TrainingConfig()
    with tempfile.TemporaryDirectory() as folder:
        store = StudyStore.create(Path(folder), "study", seed=seed, error_reference=error_reference(dataset))
        executor = SerialExecutor(dataset, training, evaluate=_evaluated)
        candidates = load_space(space or SpaceConfig(), dataset)
        searcher = make_strategy(config, candidates, training, store)
        warm_up(executor, candidates, training)  # as a search does before its clock runs
        searcher.seconds = seconds
        failed: list[str] = []
        complete = 0
        started = time.process_time()

        def spent() -> float:
            return time.process_time() - started

        def told(candidate: Candidate, result: TrialResult) -> None:
            nonlocal complete
            complete += result.status is TrialStatus.COMPLETE
            if result.status is TrialStatus.FAILED:
                failed.append(result.reason)
            if seen is not None:
                seen(candidate, result, spent())

        ask = searcher.ask

        def asked(number: int) -> Candidate:
            searcher.spent = min(spent() / seconds, 1.0)  # the driver knows of no budget but that of trials
            searcher.left = max(0.0, seconds - spent())
            return ask(number)

        searcher.ask = asked  # type: ignore[method-assign]
        front = run_search(
            searcher,
            executor,
            store,
            trials=config.trials,
            on_result=told,
            stop=lambda: spent() >= seconds or (enough is not None and enough()),
        )
        return Searched(front, complete, tuple(failed), spent())
