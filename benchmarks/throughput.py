"""What the service itself costs a trial, ``make bench-throughput``: ask, dispatch, tell and log, without the training.

    overhead    trials that take no time, one after the other in this process: wall and process time a trial around
                trial 10 and at the end, memory of the process, size of the study on disk
    busy        trials of 50 ms on two Ray workers: the share of the time in which the workers evaluate

A trial here is a network of digits' size (64 inputs, 10 outputs, some hundred edges) with weights and curves: files,
journal, database and the MLflow journal are written as in any search. ``--trials 10000`` takes minutes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from nas.manifold import ManifoldNetwork
from nas.search import (
    Executor,
    SearchConfig,
    SerialExecutor,
    SpaceConfig,
    StudyStore,
    load_space,
    make_strategy,
    run_search,
)
from nas.tracking import MlflowTracker, NullTracker, Tracker, TrackingConfig
from nas.training import Candidate, DataConfig, Dataset, TrainingConfig, TrialResult, TrialStatus, hardware, load_data

__all__ = ["busy", "main", "overhead", "pretend"]

TRAINING: Final = TrainingConfig(steps=1000)
SPACE: Final = SpaceConfig(name="neuron_dag", options={"n_computational": [20, 60], "density": [0.05, 0.3]})
TRIAL_SECONDS: Final = 0.05
_HARDWARE: Final = hardware(1)


def pretend(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
    """A result as large as a real one, from the candidate alone: more edges are more accurate and slower."""
    dag = candidate.genome.dag
    luck = np.random.default_rng(candidate.seed).random()
    arrays = candidate.inherited
    if arrays is None:
        network = ManifoldNetwork(dag, parametrisation="free", generator=np.random.default_rng(candidate.seed))
        arrays = network.to_arrays()
    error = (0.02 + 0.9 / (1 + dag.n_edges / 30)) * (0.8 + 0.2 * luck)
    names = ("val_loss", "test_loss", "flow", "smooth_edges", "neurons", "reference_seconds", "inference_spread")
    metrics = dict.fromkeys(names, 0.1) | {
        "val_error": float(error),
        "val_accuracy": float(1 - error),
        "test_error": float(error),
        "test_accuracy": float(1 - error),
        "inference_seconds": 1e-5 + 1e-7 * dag.n_edges,
        "train_step_seconds": 3e-5 + 3e-7 * dag.n_edges,
        "edges": float(dag.n_edges),
        "density": dag.density,
        "depth": float(dag.depth),
    }
    curves = ("step", "objective", "flow", "sparsity", "total", "train_accuracy", "live_edges", "learning_rate")
    return TrialResult(
        candidate.number,
        TrialStatus.COMPLETE,
        metrics,
        history={name: np.arange(20.0) for name in curves},
        dag=dag,
        arrays=arrays,
        hardware=_HARDWARE,
    )


def pretend_for_a_while(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
    """The same in `TRIAL_SECONDS`, most of them asleep: what a busy processor would do to the driver is not shown."""
    began = time.perf_counter()
    result = pretend(candidate, dataset, config)
    time.sleep(max(0.0, TRIAL_SECONDS - (time.perf_counter() - began)))
    return TrialResult(
        **{name: getattr(result, name) for name in result.__slots__} | {"seconds": time.perf_counter() - began}
    )


def overhead(
    strategy: str, trials: int, *, options: dict[str, Any] | None = None, track: bool = False
) -> list[dict[str, float]]:
    """One search of `trials` trials that take no time; what a trial cost in the windows around 10 and at the end."""
    marks: list[tuple[float, float, int]] = []
    process = psutil.Process()

    def mark(*_: object) -> None:
        marks.append((time.perf_counter(), time.process_time(), process.memory_info().rss))

    with tempfile.TemporaryDirectory() as folder:
        executor: Executor | None = None
        counts = _search(
            Path(folder),
            strategy,
            options or {},
            trials,
            mark,
            track,
            lambda data: SerialExecutor(data, TRAINING, evaluate=pretend),
        )
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        assert counts["complete"] == trials, counts
        del executor
    rows = []
    for at in (10, 100, 1000, trials // 2, trials):
        first, last = max(at - max(at // 10, 10), 0), min(at, trials) - 1
        if last - first < 5:
            continue
        wall = (marks[last][0] - marks[first][0]) / (last - first)
        own = (marks[last][1] - marks[first][1]) / (last - first)
        rows.append({"trial": at, "wall_ms": 1e3 * wall, "process_ms": 1e3 * own, "rss_mib": marks[last][2] / 2**20})
    rows[-1]["disk_kib"] = size / 1024 / trials
    return rows


def busy(trials: int, workers: int = 2, *, strategy: str = "evolution", track: bool = False) -> dict[str, float]:
    """Trials of `TRIAL_SECONDS` on Ray workers: the share of time that these evaluate, and trials a second."""
    from workers import RayExecutor

    ends: list[tuple[float, float]] = []

    def mark(_: Candidate, result: TrialResult) -> None:
        ends.append((time.perf_counter(), result.seconds))

    def connect(data: Dataset) -> Executor:
        executor = RayExecutor(data, TRAINING, workers=workers, evaluate=pretend_for_a_while)
        while executor.capacity < workers:
            executor.wait(0.5)
        return executor

    with tempfile.TemporaryDirectory() as folder:
        _search(Path(folder), strategy, {}, trials, mark, track, connect)
    skipped = trials // 10  # the first ones start Ray's and everybody's caches
    seconds = ends[-1][0] - ends[skipped][0]
    evaluated = sum(spent for _, spent in ends[skipped + 1 :])
    return {"busy": evaluated / (workers * seconds), "trials_per_second": (trials - skipped - 1) / seconds}


def _search(
    folder: Path,
    strategy: str,
    options: dict[str, Any],
    trials: int,
    mark: Callable[[Candidate, TrialResult], None],
    track: bool,
    connect: Callable[[Dataset], Executor],
) -> dict[str, int]:
    dataset = load_data(DataConfig(source="digits"))
    store = StudyStore.create(folder, "study", seed=0)
    space = load_space(SPACE, dataset)
    chooser = make_strategy(SearchConfig(strategy=strategy, options=options), space, TRAINING, store)
    tracker: Tracker = NullTracker()
    if track:
        tracker = MlflowTracker(
            TrackingConfig(store=folder, experiment="study"), job_params={}, hardware=_HARDWARE, flush_seconds=1.0
        )
    tracker.start()

    def log(candidate: Candidate, result: TrialResult) -> None:
        tracker.log_trial(candidate, result)
        mark(candidate, result)

    executor = connect(dataset)
    try:
        run_search(chooser, executor, store, trials=trials, on_result=log, on_progress=lambda _: None)
    finally:
        executor.close()
        tracker.finish()
    return store.counts()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000, help="of the overhead; 10000 for the whole story")
    parser.add_argument("--strategies", nargs="+", default=["random", "evolution"])
    parser.add_argument("--busy", type=int, default=600, help="trials of 50 ms on two Ray workers; 0: none")
    parser.add_argument("--mlflow", action="store_true", help="with the MLflow tracker at work")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in options.strategies:
        strategy, _, sampler = name.partition(":")
        rows = overhead(strategy, options.trials, options={"sampler": sampler} if sampler else {}, track=options.mlflow)
        for row in rows:
            print(f"{name:16} " + "  ".join(f"{key} {value:,.2f}" for key, value in row.items()), flush=True)
    if options.busy:
        found = busy(options.busy, track=options.mlflow)
        print(
            f"2 workers, trials of 50 ms: busy {100 * found['busy']:.1f} %, {found['trials_per_second']:.1f} trials/s"
        )


if __name__ == "__main__":
    main()
