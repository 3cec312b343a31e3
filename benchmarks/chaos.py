"""Faults while a search runs: does every trial count exactly once, and is every file whole?

PostgreSQL, an MLflow server, a Ray head and two nodes run as in deploy/ (see benchmarks.services), with the store and
MLflow's artifacts on a small file system of their own. A search runs on them and is started again whenever its
process ends, as an orchestrator would. Meanwhile, at random moments, processes are killed with SIGKILL and the disk is
filled. In the end everything is compared with everything else: ``python -m benchmarks.chaos --faults 50``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.services import MlflowServer, Postgres, RayNode, Secrets, _Service, wait_for, working_folder
from nas import checkpoint
from nas.search import StudyStore

__all__ = ["Chaos", "check", "dominated", "main", "small_disk"]

_JOB: Final = """
data: {source: iris}
space: {options: {n_computational: [4, 12], density: [0.2, 0.6]}}
search: {trials: 1000000, options: {initial: 4}}
training: {steps: 50, batch_size: 16, inference_batch: 16, log_every: 25}
tracking: {experiment: chaos}
"""
_DISK_BYTES: Final = 192 * 2**20
# How often each kind of fault is drawn, relative to the others.
_KINDS: Final = {"worker": 12, "raylet": 3, "driver": 3, "mlflow": 4, "postgres": 3, "disk": 3}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """A file system of some megabytes at `folder`; yields what it is."""
    folder.mkdir()
    library = ctypes.CDLL(None, use_errno=True)
    options = f"size={_DISK_BYTES}".encode()
    if library.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options) != 0:
        yield f"no file system could be mounted ({os.strerror(ctypes.get_errno())}): not filled"
        return
    try:
        yield f"tmpfs of {_DISK_BYTES // 2**20} MiB"
    finally:
        library.umount2(os.fsencode(folder), 2)  # MNT_DETACH


class Driver(_Service):
    """``nas search --resume-or-start``, started again whenever it ends."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        super().__init__("driver", folder)
        self._folder = folder
        self._environment = environment
        self.endings: collections.Counter[str] = collections.Counter()

    def start(self, *more: str) -> None:
        nas = str(Path(sys.executable).parent / "nas")
        job = str(self._folder / "chaos.yaml")
        options = ["--log-format", "json", "--log-level", "info"]
        self._start([nas, *options, "search", job, "--resume-or-start", "--patience", "5", *more], self._environment)

    def end(self, seconds: float = 120.0) -> int:
        """As Ctrl-C does; its exit code."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def wait(self, seconds: float) -> int:
        assert self._process is not None
        return self._process.wait(seconds)

    def watch(self) -> None:
        """Starts it again if it has ended."""
        if self._process is None or self._process.poll() is None:
            return
        code = self._process.returncode
        self.endings["killed" if code == -signal.SIGKILL else f"exit {code}"] += 1
        self.start()


@dataclass
class Chaos:
    """The services, the search, and what was done to them."""

    folder: Path
    known: Secrets
    postgres: Postgres
    mlflow: MlflowServer
    head: RayNode
    nodes: list[RayNode]
    driver: Driver
    disk: Path
    store: Path
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    missed: collections.Counter[str] = field(default_factory=collections.Counter)
    down: dict[str, float] = field(default_factory=dict)  # services that stay down until then, by name
    calm: bool = False

    def strike(self, kind: str, draw: random.Random) -> bool:
        """One fault; False where there was nothing to hit."""
        hit = bool(getattr(self, f"_strike_{kind}")(draw))
        (self.faults if hit else self.missed)[kind] += 1
        if hit:
            status = self.status()
            done = status.get("complete", 0) + status.get("failed", 0)
            print(f"{time.strftime('%H:%M:%S')} fault {self.faults.total()}: {kind} ({done} trials)", flush=True)
        return hit

    def _strike_worker(self, draw: random.Random) -> bool:
        workers = [process for node in self.nodes for process in node.processes("ray::")]
        return bool(workers) and _killed(draw.choice(workers))

    def _strike_raylet(self, draw: random.Random) -> bool:
        node = draw.choice(self.nodes)
        raylet = node.raylet()
        if raylet is None or not _killed(raylet):
            return False
        self.down[node.name] = time.monotonic() + draw.uniform(1, 4)
        return True

    def _strike_driver(self, draw: random.Random) -> bool:
        return self._strike_service(self.driver, 0.0)

    def _strike_mlflow(self, draw: random.Random) -> bool:
        return self._strike_service(self.mlflow, draw.uniform(1, 6))

    def _strike_postgres(self, draw: random.Random) -> bool:
        return self._strike_service(self.postgres, draw.uniform(1, 4))

    def _strike_service(self, service: _Service, seconds: float) -> bool:
        if not service.running:
            return False
        service.kill()
        self.down[service.name] = time.monotonic() + seconds
        return True

    def _strike_disk(self, draw: random.Random) -> bool:
        filler = self.disk / "filler"
        if not os.path.ismount(self.disk) or filler.exists():
            return False
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"\0" * 2**16):
                pass
        self.down["disk"] = time.monotonic() + draw.uniform(2, 6)
        return True

    def tend(self) -> None:
        """What an orchestrator does: starts again whatever has ended, when its time has come."""
        now = time.monotonic()
        if "disk" in self.down and self.down["disk"] < now:
            (self.disk / "filler").unlink(missing_ok=True)
            del self.down["disk"]
        for node in self.nodes:
            if self.down.get(node.name, 0.0) < now and (not node.running or self.down.pop(node.name, 0.0)):
                node.kill()  # the rest of it
                node.start(wait=False)
        for service in (self.postgres, self.mlflow):
            if self.down.get(service.name, 0.0) < now and not service.running:
                service.start(wait=False)
        if not self.calm:
            self.driver.watch()

    def settle(self) -> None:
        """Waits until everything that was broken has been mended."""
        self.wait_for(
            lambda: not {"disk", *(node.name for node in self.nodes)} & self.down.keys(), "disk and nodes", 60
        )
        self.wait_for(lambda: self.postgres.answers("nas"), "PostgreSQL after the faults", 120)
        self.wait_for(self.mlflow.answers, "MLflow after the faults", 240)

    def wait_for(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """As `services.wait_for`, tending the services meanwhile."""

        def tended() -> bool:
            self.tend()
            return done()

        wait_for(tended, what, seconds)

    def status(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.store / "chaos" / "status.json").read_text()))
        except (OSError, ValueError):
            return {}


def _killed(process: psutil.Process) -> bool:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


@contextlib.contextmanager
def services() -> Iterator[tuple[Chaos, str]]:
    """Everything up, but for the driver."""
    known = Secrets()
    with working_folder() as folder, contextlib.ExitStack() as stack:
        kind = stack.enter_context(small_disk(folder / "disk"))
        postgres = Postgres(folder, known.postgres)
        stack.callback(postgres.close)
        postgres.start()
        postgres.create_databases()
        mlflow = MlflowServer(folder, postgres, known, folder / "disk" / "artifacts")
        stack.callback(mlflow.close)
        mlflow.start(wait=False)
        head = RayNode(folder, known, name="head")
        nodes = [RayNode(folder, known, name=f"node{number}", head=head) for number in (1, 2)]
        for node in (*nodes, head):
            stack.callback(node.close)
        head.start()
        for node in nodes:
            node.start(wait=False)
        (folder / "chaos.yaml").write_text(_JOB)
        store = folder / "disk" / "store"
        driver = Driver(
            folder,
            {
                "NAS_STORE": str(store),
                "NAS_STORAGE": postgres.url("nas"),
                "NAS_MLFLOW_URI": mlflow.uri,
                "MLFLOW_TRACKING_USERNAME": known.mlflow_user,
                "MLFLOW_TRACKING_PASSWORD": known.mlflow,
                "RAY_ADDRESS": head.gcs,
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": known.ray,
            },
        )
        stack.callback(driver.kill)
        wait_for(mlflow.answers, "MLflow", 240)
        yield Chaos(folder, known, postgres, mlflow, head, nodes, driver, folder / "disk", store), kind


def run(chaos: Chaos, faults: int, seconds: float, seed: int) -> float:
    """Strikes `faults` times, spread over about `seconds`; the seconds it took."""
    draw = random.Random(seed)
    kinds = [kind for kind, weight in _KINDS.items() for _ in range(weight)]
    chaos.driver.start()
    chaos.wait_for(lambda: chaos.status().get("complete", 0) >= 3, "the first trials", 300)
    start = time.monotonic()
    while chaos.faults.total() < faults and time.monotonic() - start < 2 * seconds:
        pause = time.monotonic() + draw.uniform(0.3, 1.7) * seconds / faults
        while time.monotonic() < pause:
            chaos.tend()
            time.sleep(0.2)
        chaos.strike(draw.choice(kinds), draw)
    took = time.monotonic() - start
    chaos.settle()
    return took


def conclude(chaos: Chaos, seconds: float) -> None:
    """Lets the search end by itself: all trials that were begun, and the front timed again.

    Raises:
        RuntimeError: it fails.
    """
    chaos.calm = True
    with contextlib.suppress(subprocess.TimeoutExpired):
        chaos.driver.end()
    chaos.driver.kill()
    study = StudyStore.open(chaos.store, "chaos", storage=chaos.postgres.url("nas"))
    begun = sum(study.counts().values())
    chaos.driver.start("--trials", str(max(begun, 1)))
    chaos.wait_for(lambda: not chaos.driver.running, "the end of the search", seconds)
    if chaos.driver.wait(1.0) != 0:
        raise RuntimeError("the last run failed:\n" + chaos.driver.log.read_text()[-4000:])


def check(chaos: Chaos) -> list[tuple[str, str, bool]]:
    """What must hold in the end: a name, what was found, whether it holds."""
    study = StudyStore.open(chaos.store, "chaos", storage=chaos.postgres.url("nas"))
    records = study.records()
    numbers = [record.number for record in records]
    complete = [record.number for record in records if record.state == "complete"]
    counts = study.counts()
    found = [
        (
            "every trial is recorded exactly once",
            f"{len(records):,} trials, numbers 0 to {max(numbers, default=-1):,}",
            sorted(numbers) == list(range(sum(counts.values()))) and len(records) > 0,
        ),
        ("no trial is left running", f"{counts['running']} running", counts["running"] == 0),
    ]
    broken = []
    for number in complete:
        try:
            result = study.load_result(number)
            checkpoint.load_arrays(study.genome_path(number))
            if dict(result.metrics) != dict(records[number].result.metrics):  # type: ignore[union-attr]
                broken.append(f"{number}: other metrics")
        except Exception as error:  # whatever is wrong with it
            broken.append(f"{number}: {error}")
    files = [path.name for path in (chaos.store / "chaos").rglob("*.tmp")]
    found.append((
        "every checkpoint is whole, and says what the database says",
        f"{2 * len(complete):,} files read" + (f"; broken: {broken[:3]}" if broken else ""),
        not broken,
    ))  # fmt: skip
    found.append(
        ("no half-written file is left", f"{len(files)} left" + (f": {files[:3]}" if files else ""), not files)
    )
    retimed = study.retimed()
    points = {}
    for record in records:
        if record.state == "complete" and record.result is not None:
            metrics = {**record.result.metrics, **retimed.get(record.number, {})}
            points[record.number] = (metrics["val_error"], metrics["inference_seconds"])
    recomputed = sorted(number for number in points if not dominated(number, points))
    front = sorted(study.front().numbers)
    found.append(
        ("the front equals the one recomputed from the records", f"{len(front)} networks", front == recomputed)
    )
    runs = _mlflow_runs(chaos)
    ended = all(run.info.status in ("FINISHED", "FAILED") for run in runs)
    logged = collections.Counter(int(run.data.tags["trial"]) for run in runs if "trial" in run.data.tags)
    twice = [number for number, count in logged.items() if count > 1]
    found.append((
        "MLflow has each trial exactly once, ended",
        f"{len(logged):,} runs, {len(twice)} twice",
        sorted(logged) == sorted(numbers) and not twice and ended,
    ))  # fmt: skip
    tagged = sorted(int(run.data.tags["trial"]) for run in runs if run.data.tags.get("pareto") == "true")
    found.append(("MLflow shows the same front", f"{len(tagged)} networks", tagged == front))
    return found


def dominated(number: int, points: dict[int, tuple[float, float]]) -> bool:
    """Whether another point is as good in both and better in one (the slow, obvious way)."""
    a, b = points[number]
    return any(x <= a and y <= b and (x, y) != (a, b) for x, y in points.values())


def _mlflow_runs(chaos: Chaos) -> list[Any]:
    os.environ["MLFLOW_TRACKING_USERNAME"] = chaos.known.mlflow_user
    os.environ["MLFLOW_TRACKING_PASSWORD"] = chaos.known.mlflow
    from mlflow import MlflowClient

    client = MlflowClient(chaos.mlflow.uri)
    experiment = client.get_experiment_by_name("chaos")
    assert experiment is not None
    runs: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment.experiment_id], max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def report(chaos: Chaos, checks: list[tuple[str, str, bool]], took: float, disk: str, seed: int) -> str:
    """Markdown."""
    study = StudyStore.open(chaos.store, "chaos", storage=chaos.postgres.url("nas"))
    reasons: collections.Counter[str] = collections.Counter(
        record.result.reason.splitlines()[0][:80]
        for record in study.records()
        if record.state == "failed" and record.result is not None
    )
    what = {
        "worker": "a worker process is killed",
        "raylet": "a node's raylet is killed; the node joins again after 1 to 4 s",
        "driver": "the search's own process is killed; started again with --resume",
        "mlflow": "the MLflow server is killed; started again after 1 to 6 s",
        "postgres": "PostgreSQL is killed; started again after 1 to 4 s",
        "disk": f"the disk of store and artifacts is filled for 2 to 6 s ({disk})",
    }
    lines = [
        "# Faults while a search runs",
        "",
        f"`make chaos` (seed {seed}): {chaos.faults.total()} faults in {took:.0f} s on {psutil.cpu_count()} processors "
        f"(load {os.getloadavg()[0]:.1f}); the processes are those of deploy/. All kills are SIGKILL.",
        "",
        "| fault | times |",
        "| --- | --: |",
        *(f"| {what[kind]} | {chaos.faults[kind]} |" for kind in _KINDS),
        "",
        "| in the end | found | |",
        "| --- | --- | --- |",
        *(f"| {name} | {found} | {'yes' if good else '**NO**'} |" for name, found, good in checks),
        "",
        "The search's process ended and was started again: "
        + (", ".join(f"{count} x {ending}" for ending, count in sorted(chaos.driver.endings.items())) or "never")
        + ". Trials by state: "
        + ", ".join(f"{count} {state}" for state, count in study.counts().items())
        + (
            ". Failed because: " + "; ".join(f"{count} x {reason}" for reason, count in reasons.items())
            if reasons
            else ""
        )
        + ".",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=55)
    parser.add_argument("--seconds", type=float, default=330.0, help="over which the faults are spread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep-logs", type=Path, help="folder to copy the logs to")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started
    with services() as (chaos, disk):
        try:
            took = run(chaos, arguments.faults, arguments.seconds, arguments.seed)
            conclude(chaos, 300)
            checks = check(chaos)
        finally:
            if arguments.keep_logs is not None:
                arguments.keep_logs.mkdir(parents=True, exist_ok=True)
                for log in chaos.folder.glob("*.log"):
                    (arguments.keep_logs / log.name).write_bytes(log.read_bytes())
        text = report(chaos, checks, took, disk, arguments.seed)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")
    return 0 if all(good for _, _, good in checks) and chaos.faults.total() >= arguments.faults else 1


if __name__ == "__main__":
    sys.exit(main())
