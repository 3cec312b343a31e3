"""Times the members of a front again, side by side, so that their order does not depend on what else ran."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.engine import DAGModule
from nas.graph import DAG
from nas.search.executor import HUNG_SECONDS, Executor
from nas.search.front.front import Front
from nas.search.rebuild import rebuild_module
from nas.search.study.store import StudyStore
from nas.training import Timing, half_interval, hardware, latencies, reference_kernel_seconds, time_inference
from nas.training.structure import Structure
from nas.training.types import Arrays, Dataset, Scalar, TrainingConfig

__all__ = ["Timed", "retime", "time_side_by_side"]

# Each member is timed once a round, every other round backwards, so that a slow minute is shared by all. What else runs
# on the machine only ever adds to a time, so the least of the rounds is taken: between ten re-timings of 27 networks on
# a busy machine it varies by 1.6 % with 9 rounds and 0.9 % with 22, the median of 5 rounds by 4.5 %.
_ROUNDS: Final = 21
_LEAST_ROUNDS: Final = 5  # a front of many networks has fewer rounds, so that nobody waits for minutes ...
_SECONDS: Final = 1.5  # ... but for about so long, which is enough for nine rounds of 40 small networks
_HUNG_EACH: Final = 10.0  # seconds a network, after which a worker that times them counts as hung
_REPEATS: Final = 3  # fronts to time until every member of the new front has been timed


@dataclass(frozen=True, slots=True)
class Timed:
    """A trained network to be timed."""

    number: int
    dag: DAG
    arrays: Arrays
    hyperparameters: Mapping[str, Scalar]
    structure: Structure | None = None


def time_side_by_side(
    networks: Sequence[Timed],
    dataset: Dataset,
    config: TrainingConfig,
    threads: int,
    device: str = "cpu",
    *,
    rounds: int = _ROUNDS,
) -> dict[int, dict[str, float]]:
    """Inference times of several networks in this process, in rounds.

    Args:
        networks: trained ones.
        dataset: gives the batch (of its validation part).
        config: gives the samples of a forward pass and what a network does not override.
        threads: CPU threads to use.
        device: "cpu", or "cuda" for device time.
        rounds: in each of which every network is timed once.

    Returns:
        By trial number: `inference_seconds` (the least of the rounds), `inference_spread` (half the
        95 % interval, see `half_interval`), `reference_seconds` (least), all process time (on a GPU: device time);
        and `latency` where the job measures it.
    """
    folded = {}
    for network in networks:
        folded[network.number] = rebuild_module(
            network.dag, network.arrays, config, network.hyperparameters, network.structure
        ).to(device)
    rows = np.resize(np.arange(len(dataset.x_val)), config.inference_batch)
    batch = np.ascontiguousarray(dataset.x_val[rows])
    seconds: dict[int, list[float]] = {number: [] for number in folded}
    references, busy = [], []
    last: dict[int, Timing] = {}
    began = time.perf_counter()
    for round_number in range(rounds):
        if round_number >= _LEAST_ROUNDS and time.perf_counter() - began > _SECONDS:
            break
        references.append(reference_kernel_seconds(threads, device))
        for number in list(folded)[:: -1 if round_number % 2 else 1]:
            timing = time_inference(
                folded[number], batch, threads=threads, samples=3, budget_seconds=0.1, like=last.get(number)
            )
            seconds[number].append(timing.seconds)
            busy.append(timing.busy)
            last[number] = timing
    found = {
        number: {
            "inference_seconds": min(taken),
            "inference_spread": half_interval(taken, float(np.mean(busy)), last[number].largest),
            "reference_seconds": min(references),
        }
        for number, taken in seconds.items()
    }
    if config.latency:
        plain = {number: module.cpu() for number, module in folded.items() if isinstance(module, DAGModule)}
        for number, nanoseconds in latencies(plain, dataset, config.precision).items():
            found[number]["latency"] = nanoseconds
    return found


def retime(
    store: StudyStore,
    executor: Executor,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    threads: int = 1,
    measure: Callable[[Sequence[Timed], Dataset, TrainingConfig, int], dict[int, dict[str, float]]] = time_side_by_side,
) -> Front:
    """Times the front's members, and trials near it, again on one worker and records it; the front is drawn
    from the new times from then on.

    New times may let another trial onto the front, or have it picked; then it and the members are timed again together,
    a few times at most, and the least time of each counts. Call it when no trial is running.

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
        times: dict[int, dict[str, float]] = {}
        front = store.front()
        for _ in range(_REPEATS):
            wanted = {trial.number for trial in ((*front.members, front.best(), front.knee()) if times else front.near)}
            if wanted <= times.keys():
                break
            networks = [_network(store, number) for number in sorted(wanted)]
            again = executor.call(
                measure, networks, dataset, config, threads, within=HUNG_SECONDS + _HUNG_EACH * len(networks)
            )
            for number, found in again.items():
                # As in the rounds of one measurement: what else runs only ever adds to a time.
                if number not in times or found["inference_seconds"] < times[number]["inference_seconds"]:
                    times[number] = found
            store.set_retimed(times, executor.call(hardware, threads, within=HUNG_SECONDS))
            front = store.front()
    return front


def _network(store: StudyStore, number: int) -> Timed:
    result = store.load_result(number)
    assert result.dag is not None
    return Timed(number, result.dag, result.arrays, store.hyperparameters(number), result.structure)
