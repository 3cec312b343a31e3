"""Times the members of a front again, side by side, so that their order does not depend on what else ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from nas.graph import DAG
from nas.search._executor import Executor
from nas.search._front import Front
from nas.search._network import rebuild_module
from nas.search._store import StudyStore
from nas.training import hardware, reference_kernel_seconds, time_inference
from nas.training._structure import Structure
from nas.training._types import Arrays, Dataset, Scalar, TrainingConfig

__all__ = ["Timed", "retime", "time_side_by_side"]

_ROUNDS: Final = 5  # each member is timed once a round, so that a slow minute is shared by all
_REPEATS: Final = 4  # fronts to time until every member of the new front has been timed


@dataclass(frozen=True, slots=True)
class Timed:
    """A trained network to be timed."""

    number: int
    dag: DAG
    arrays: Arrays
    hyperparameters: Mapping[str, Scalar]
    structure: Structure | None = None


def time_side_by_side(
    networks: Sequence[Timed], dataset: Dataset, config: TrainingConfig, threads: int
) -> dict[int, dict[str, float]]:
    """Inference times of several networks in this process, in rounds.

    Args:
        networks: trained ones.
        dataset: gives the batch (of its validation part).
        config: gives the samples of a forward pass and what a network does not override.
        threads: CPU threads to use.

    Returns:
        By trial number: `inference_seconds` (median over rounds), `inference_spread` (median of the rounds'
        interquartile ranges), `reference_seconds`, all process time.
    """
    folded = {}
    for network in networks:
        folded[network.number] = rebuild_module(
            network.dag, network.arrays, config, network.hyperparameters, network.structure
        )
    rows = np.resize(np.arange(len(dataset.x_val)), config.inference_batch)
    batch = np.ascontiguousarray(dataset.x_val[rows])
    seconds: dict[int, list[float]] = {number: [] for number in folded}
    spreads: dict[int, list[float]] = {number: [] for number in folded}
    references = []
    for _ in range(_ROUNDS):
        references.append(reference_kernel_seconds(threads))
        for number, module in folded.items():
            timing = time_inference(module, batch, threads=threads, samples=5, budget_seconds=0.1)
            seconds[number].append(timing.seconds)
            spreads[number].append(timing.spread)
    return {
        number: {
            "inference_seconds": median(seconds[number]),
            "inference_spread": median(spreads[number]),
            "reference_seconds": median(references),
        }
        for number in folded
    }


def retime(
    store: StudyStore,
    executor: Executor,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    threads: int = 1,
    measure: Callable[[Sequence[Timed], Dataset, TrainingConfig, int], dict[int, dict[str, float]]] = time_side_by_side,
) -> Front:
    """Times the front's members again on one worker and records it; the front is drawn from the new times from then on.

    New times may let a trial that was not a member onto the front; then all members are timed again together, a few
    times at most. Call it when no trial is running.

    Args:
        store: the study; must not be driven by another process.
        executor: its worker takes the times.
        dataset, config: of the job.
        threads: CPU threads to use.
        measure: takes the times.

    Returns:
        The front by the new times.
    """
    with store.lock(), store.reporting():
        timed: set[int] = set()
        front = store.front()
        for _ in range(_REPEATS):
            if set(front.numbers) <= timed:
                break
            timed |= set(front.numbers)
            networks = [_network(store, number) for number in sorted(timed)]
            times = executor.call(measure, networks, dataset, config, threads)
            store.set_retimed(times, executor.call(hardware, threads))
            front = store.front()
    return front


def _network(store: StudyStore, number: int) -> Timed:
    result = store.load_result(number)
    assert result.dag is not None
    return Timed(number, result.dag, result.arrays, store.hyperparameters(number), result.structure)
