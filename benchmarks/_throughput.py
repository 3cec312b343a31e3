"""What the service itself costs a trial: measurements of `benchmarks.throughput`, which see.

A trial here is a network of digits' size (64 inputs, 10 outputs, some hundred edges) with weights and curves: files,
journal, database and the MLflow journal are written as in any search.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
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
from nas.tracking.mlflow.writer import new_client
from nas.training import (
    Candidate,
    DataConfig,
    Dataset,
    TrainingConfig,
    TrialResult,
    TrialStatus,
    hardware,
    load_data,
)

__all__ = ["MARKS", "busy", "mlflow_server", "overhead", "pretend", "tracked"]

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


MARKS: Final = (10, 100, 1000, 10000)  # trials at which costs are reported
PARTS: Final = ("ask", "dispatch", "tell", "log")
# Refuses connections: the tracker writes its journal and its thread sleeps, so that what MLflow takes for a trial,
# whenever it comes to that, is measured on its own (see `tracked`).
_NOBODY: Final = "http://127.0.0.1:9"


class _Clock:
    """Adds up the wall time of parts of a search, and keeps the sums after each trial."""

    def __init__(self) -> None:
        self.sums = dict.fromkeys((*PARTS, "evaluate"), 0.0)
        self.marks: list[dict[str, float]] = []
        self._process = psutil.Process()

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, whose time counts as this part of a trial."""

        def call(*given: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*given)
            finally:
                self.sums[part] += time.perf_counter() - began

        return call

    def mark(self) -> None:
        """A trial has ended."""
        now = {"wall": time.perf_counter(), "process": time.process_time(), "rss": self._process.memory_info().rss}
        self.marks.append({**self.sums, **now})

    def row(self, at: int) -> dict[str, float]:
        """Means over the tenth of the trials before `at` (ten at least), in milliseconds, and memory in MiB."""
        first, last = self.marks[max(at - max(at // 10, 10), 0)], self.marks[at - 1]
        trials = at - 1 - max(at - max(at // 10, 10), 0)
        mean = {name: 1e3 * (last[name] - first[name]) / trials for name in last}
        mean["dispatch"] -= mean["evaluate"]
        mean["all"] = mean["wall"] - mean["evaluate"]
        return {
            "trial": at,
            **{name: mean[name] for name in (*PARTS, "all", "process")},
            "rss_mib": last["rss"] / 2**20,
        }


def overhead(strategy: str, trials: int) -> dict[str, Any]:
    """One search of `trials` trials that take no time, in this process: what each part costs, at `MARKS`.

    ask: the strategy chooses, genome and record are written. dispatch: to the executor and back. tell: the result is
    written, the strategy learns. log: a line in MLflow's journal.
    """
    clock = _Clock()

    def instrumented(chooser: Any, executor: Any, store: Any) -> None:
        for owner, name, part in (
            (chooser, "ask", "ask"), (store, "begin", "ask"), (store, "record", "ask"),
            (executor, "submit", "dispatch"), (executor, "wait", "dispatch"),
            (chooser, "tell", "tell"), (store, "finish", "tell"),
        ):  # fmt: skip
            setattr(owner, name, clock.timed(part, getattr(owner, name)))

    with tempfile.TemporaryDirectory() as folder:
        _search(
            Path(folder),
            strategy,
            trials,
            lambda *_: clock.mark(),
            lambda data: SerialExecutor(data, TRAINING, evaluate=clock.timed("evaluate", pretend)),
            mlflow=_NOBODY,
            instrument=instrumented,
            timed_log=lambda log: clock.timed("log", log),
        )
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        began = time.perf_counter()
        StudyStore.open(Path(folder), "study").records()
        opening = time.perf_counter() - began
    rows = [clock.row(at) for at in MARKS if at <= trials]
    late = clock.marks[trials // 5 :]  # memory of the first trials is everybody's caches
    grown = (late[-1]["rss"] - late[0]["rss"]) / len(late)
    return {
        "strategy": strategy,
        "rows": rows,
        "grown_bytes": grown,
        "disk_kib": size / 1024 / trials,
        "open_seconds": opening,
    }


def busy(trials: int, workers: int = 2, *, strategy: str = "evolution", mlflow: bool = False) -> dict[str, float]:
    """Trials of `TRIAL_SECONDS` on Ray workers: the share of time that these evaluate, and trials a second.

    With `mlflow`, its thread writes into SQLite meanwhile; `behind`: trials that it does not have when the last ends.
    """
    from nas.workers import RayExecutor

    ends: list[tuple[float, float]] = []

    def mark(_: Candidate, result: TrialResult) -> None:
        ends.append((time.perf_counter(), result.seconds))

    def connect(data: Dataset) -> Executor:
        executor = RayExecutor(data, TRAINING, workers=workers, evaluate=pretend_for_a_while)
        while executor.capacity < workers:
            executor.wait(0.5)
        return executor

    with tempfile.TemporaryDirectory() as folder:
        behind = _search(Path(folder), strategy, trials, mark, connect, mlflow="" if mlflow else None)
    skipped = trials // 10  # the first ones start Ray's and everybody's caches
    seconds = ends[-1][0] - ends[skipped][0]
    evaluated = sum(spent for _, spent in ends[skipped + 1 :])
    return {
        "busy": evaluated / (workers * seconds),
        "trials_per_second": (trials - skipped - 1) / seconds,
        "behind": behind,
    }


def tracked(trials: int, uri: str | None = None) -> dict[str, float]:
    """Trials a second that MLflow takes, with nothing else to do: SQLite in a file, or the server at `uri`."""
    data = load_data(DataConfig(source="digits"))
    genome = load_space(SPACE, data).initial(np.random.default_rng(0), size=0.5, density=0.5)
    with tempfile.TemporaryDirectory() as folder:
        config = TrackingConfig(store=Path(folder), experiment="study", mlflow_uri=uri)
        tracker = MlflowTracker(
            config, job_params={"training": TRAINING.model_dump()}, hardware=_HARDWARE, flush_seconds=60
        )
        tracker.start()
        candidates = [Candidate(number, genome, seed=number, steps=1000) for number in range(trials + 1)]
        tracker.log_trial(candidates[0], pretend(candidates[0], data, TRAINING))
        _wait(tracker)  # connects, makes the database
        results = [pretend(candidate, data, TRAINING) for candidate in candidates[1:]]
        began, own = time.perf_counter(), time.process_time()
        for candidate, result in zip(candidates[1:], results, strict=True):
            tracker.log_trial(candidate, result)
        _wait(tracker)
        wall, process = time.perf_counter() - began, time.process_time() - own
        tracker.finish()
    return {"trials_per_second": trials / wall, "process_ms": 1e3 * process / trials}


@contextlib.contextmanager
def mlflow_server() -> Iterator[str]:
    """An MLflow server on loopback with SQLite behind it, as `nas ui` starts one; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        command += ["--artifacts-destination", folder, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        server = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 120
            while not _answers(f"{address}/health"):
                assert time.monotonic() < deadline, "the MLflow server does not come up"
                time.sleep(0.2)
            yield address
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _wait(tracker: Tracker) -> None:
    """Until MLflow has everything."""
    while tracker.backlog:
        time.sleep(0.01)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _search(
    folder: Path,
    strategy: str,
    trials: int,
    mark: Callable[[Candidate, TrialResult], None],
    connect: Callable[[Dataset], Executor],
    *,
    mlflow: str | None = None,
    instrument: Callable[[Any, Any, Any], None] = lambda *_: None,
    timed_log: Callable[[Callable[..., None]], Callable[..., None]] = lambda log: log,
) -> int:
    """Runs a search; what MLflow does not have when it ends. `mlflow`: an address, "" for SQLite, None without."""
    dataset = load_data(DataConfig(source="digits"))
    store = StudyStore.create(folder, "study", seed=0)
    space = load_space(SPACE, dataset)
    chooser = make_strategy(SearchConfig(strategy=strategy), space, TRAINING, store)
    tracker: Tracker = NullTracker()
    if mlflow is not None:
        new_client(mlflow)  # imports MLflow, which takes seconds
        config = TrackingConfig(store=folder, experiment="study", mlflow_uri=mlflow or None)
        tracker = MlflowTracker(config, job_params={}, hardware=_HARDWARE, flush_seconds=0.5)
    tracker.start()
    log_trial = timed_log(tracker.log_trial)

    def log(candidate: Candidate, result: TrialResult) -> None:
        log_trial(candidate, result)
        mark(candidate, result)

    executor = connect(dataset)
    instrument(chooser, executor, store)
    try:
        run_search(chooser, executor, store, trials=trials, on_result=log, on_progress=lambda _: None)
    finally:
        behind = tracker.backlog
        executor.close()
        tracker.finish("KILLED")
    assert store.counts()["complete"] == trials, store.counts()
    return behind
