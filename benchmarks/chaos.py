"""Faults while a search runs: does every trial count exactly once, and is every file whole?

PostgreSQL, an MLflow server, a Ray head and two nodes run as in deploy/ (see benchmarks.services), with the store and
MLflow's artifacts on a small file system of their own. A search runs on them and is started again whenever its
process ends, as an orchestrator would. Meanwhile, at random moments, processes are killed with SIGKILL or stand still
for a while, the disk is filled or read-only, bytes of files are flipped, the search's clock jumps and its file handles
run out (what no program may do to a whole machine is done to the search alone by `benchmarks/faults.c`). In the end
everything is compared with everything else: ``python -m benchmarks.chaos --faults 100 --trials 600``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import errno
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.faults import compiled, reported
from benchmarks.services import MlflowServer, Postgres, RayNode, Secrets, _Service, wait_for, working_folder
from nas import checkpoint
from nas.search import Front, FrontMember, StudyStore
from nas.training import TrialResult

__all__ = ["Chaos", "check", "main", "small_disk"]

_JOB: Final = """
data: {source: digits}
space: {options: {n_computational: [4, 60], density: [0.03, 0.6]}}
search: {trials: 1000000, strategy: random, baselines: false}
training: {steps: 30000, batch_size: 64, inference_batch: 128, log_every: 10000}
tracking: {experiment: chaos}
"""
_DISK_BYTES: Final = 384 * 2**20
# How often each kind of fault is drawn, relative to the others.
_KINDS: Final = {
    "worker": 8, "raylet": 2, "driver": 2, "mlflow": 3, "postgres": 2, "still_worker": 4, "still_mlflow": 3,
    "still_postgres": 3, "disk": 3, "read_only": 3, "flip": 2, "clock": 3, "handles": 3,
}  # fmt: skip
_STILL: Final = {"still_worker": (2, 8), "still_mlflow": (3, 25), "still_postgres": (2, 8)}  # seconds
_PASSING: Final = ("disk", "read_only", "clock", "handles")  # nothing dies of these
_HANDLES: Final = 64
_DISK: Final = '"event": "storage_failed"'  # in the log
_REFUSAL: Final = "is not what was written there; restore it"


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
        self.expected: str | None = None  # what is said of the next ending, where it is ours

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
        self.endings[self.expected or ("killed" if code == -signal.SIGKILL else f"exit {code}")] += 1
        self.expected = None
        self.start()

    def surprises(self) -> int:
        """How often it ended by itself."""
        return sum(count for how, count in self.endings.items() if how.startswith("exit"))

    @property
    def process(self) -> psutil.Process | None:
        """It, where it runs."""
        return psutil.Process(self._process.pid) if self._process is not None and self.running else None


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
    control: Path  # what benchmarks/faults.c reads in the search's process
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    missed: collections.Counter[str] = field(default_factory=collections.Counter)
    down: dict[str, float] = field(default_factory=dict)  # services that stay down until then, by name
    still: list[tuple[float, list[psutil.Process]]] = field(
        default_factory=list
    )  # processes that stand still until then
    refused: int = 0  # starts of the search over a damaged file
    calm: bool = False

    def strike(self, kind: str, draw: random.Random) -> bool:
        """One fault; False where there was nothing to hit."""
        hit = bool(getattr(self, f"_strike_{kind}")(draw))
        (self.faults if hit else self.missed)[kind] += 1
        if hit:
            print(f"{time.strftime('%H:%M:%S')} fault {self.faults.total()}: {kind} ({self.done} trials)", flush=True)
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

    def _strike_still_worker(self, draw: random.Random) -> bool:
        workers = [process for node in self.nodes for process in node.processes("ray::")]
        return bool(workers) and self._stand_still("still_worker", [draw.choice(workers)], draw)

    def _strike_still_mlflow(self, draw: random.Random) -> bool:
        return self._stand_still("still_mlflow", self.mlflow.tree(), draw)

    def _strike_still_postgres(self, draw: random.Random) -> bool:
        return self._stand_still("still_postgres", self.postgres.tree(), draw)

    def _stand_still(self, kind: str, processes: list[psutil.Process], draw: random.Random) -> bool:
        self.still.append((time.monotonic() + draw.uniform(*_STILL[kind]), processes))
        sent = [_sent(process, signal.SIGSTOP) for process in processes]
        return any(sent)

    def _strike_read_only(self, draw: random.Random) -> bool:
        return self._told("read_only", 1, errno.EROFS, time.monotonic() + draw.uniform(2, 6))

    def _strike_clock(self, draw: random.Random) -> bool:
        """The clock of the search jumps by up to a day, and back after a while."""
        ahead = draw.choice((-86400, -3600, -60, 60, 3600, 86400))
        return self._told("clock", 0, ahead, time.monotonic() + draw.uniform(3, 10))

    def _told(self, kind: str, place: int, value: int, until: float) -> bool:
        """Tells the library in the search's process, until then; False where it was told already."""
        if kind in self.down or not self.driver.running:
            return False
        self._write(place, value)
        self.down[kind] = until
        return True

    def _write(self, place: int, value: int) -> None:
        with self.control.open("r+b") as file:
            file.seek(8 * place)
            file.write(struct.pack("q", value))

    def _strike_handles(self, draw: random.Random) -> bool:
        """The search may have 64 open files for a while, which is less than it has."""
        process = self.driver.process
        if process is None or "handles" in self.down:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_NOFILE, (_HANDLES, process.rlimit(psutil.RLIMIT_NOFILE)[1]))
            self.down["handles"] = time.monotonic() + draw.uniform(2, 6)
        return "handles" in self.down

    def _strike_flip(self, draw: random.Random) -> bool:
        """One bit of a file, and another start of the search, which must refuse; then the file is as it was."""
        busy = self.still or any(until > time.monotonic() for until in self.down.values())
        if busy or not self.driver.running or not self.postgres.answers("nas"):
            return False
        study = self.store / "chaos"
        files = sorted(study.glob("trials/*.safetensors"))[:-8] + sorted(study.glob("genomes/*.safetensors"))[:-8]
        if not files:
            return False
        path = draw.choice(files)
        whole = path.read_bytes()
        place = draw.randrange(len(whole))
        self.driver.kill()
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << draw.randrange(8)]) + whole[place + 1 :])
        said = self.driver.log.stat().st_size
        self.driver.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.driver.wait(60)
        with self.driver.log.open(errors="replace") as log:
            log.seek(said)
            self.refused += _REFUSAL in " ".join(log.read().split())
        self.driver.kill()
        self.driver.expected = "over a flipped bit, and refused"
        path.write_bytes(whole)
        return True

    def tend(self) -> None:
        """What an orchestrator does: starts again whatever has ended, when its time has come."""
        now = time.monotonic()
        for until, processes in [each for each in self.still if each[0] < now]:
            for process in processes:
                _sent(process, signal.SIGCONT)
            self.still.remove((until, processes))
        for kind, place in (("clock", 0), ("read_only", 1)):
            if self.down.get(kind, now) < now:
                self._write(place, 0)
                del self.down[kind]
        if self.down.get("handles", now) < now:
            del self.down["handles"]
            with contextlib.suppress(psutil.NoSuchProcess):
                if (search := self.driver.process) is not None:
                    search.rlimit(psutil.RLIMIT_NOFILE, (search.rlimit(psutil.RLIMIT_NOFILE)[1],) * 2)
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
            lambda: not self.still and not self.down.keys() & {*_PASSING, *(node.name for node in self.nodes)},
            "disk, nodes and what stands still",
            60,
        )
        self.wait_for(lambda: self.postgres.answers("nas"), "PostgreSQL after the faults", 120)
        self.wait_for(self.mlflow.answers, "MLflow after the faults", 240)

    def wait_for(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """As `services.wait_for`, tending the services meanwhile."""

        def tended() -> bool:
            self.tend()
            return done()

        wait_for(tended, what, seconds)

    @property
    def done(self) -> int:
        """Trials that have ended."""
        status = self.status()
        return int(status.get("complete", 0) + status.get("failed", 0))

    def status(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.store / "chaos" / "status.json").read_text()))
        except (OSError, ValueError):
            return {}


def _killed(process: psutil.Process) -> bool:
    return _sent(process, signal.SIGKILL)


def _sent(process: psutil.Process, what: signal.Signals) -> bool:
    try:
        process.send_signal(what)
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
        control = folder / "control"
        control.write_bytes(bytes(16))
        library = compiled(folder)
        preloaded = {} if library is None else {"LD_PRELOAD": str(library)}
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
                "FAULTS_CONTROL": str(control),
                "FAULTS_FOLDER": str(store),
                **preloaded,
            },
        )
        stack.callback(driver.kill)
        wait_for(mlflow.answers, "MLflow", 240)
        yield Chaos(folder, known, postgres, mlflow, head, nodes, driver, folder / "disk", store, control), kind


def run(chaos: Chaos, faults: int, trials: int, seconds: float, seed: int) -> float:
    """Strikes `faults` times, spread over about `seconds`, and waits for so many trials; the seconds it took."""
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
    chaos.wait_for(lambda: chaos.done >= trials, f"{trials} trials", 4 * seconds)
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
    front = sorted(study.front().numbers)
    again = sorted(_front_of_files(study, complete).numbers)
    found.append(("the front equals the one recomputed from the files", f"{len(front)} networks", front == again))
    runs = _mlflow_runs(chaos)
    going_on = [
        f"run {run.data.tags.get('trial', 'of the search')} is {run.info.status}"
        for run in runs
        if run.info.status not in ("FINISHED", "FAILED")
    ]
    logged = collections.Counter(int(run.data.tags["trial"]) for run in runs if "trial" in run.data.tags)
    twice = [number for number, count in logged.items() if count > 1]
    found.append((
        "MLflow has each trial exactly once, ended",
        f"{len(logged):,} runs, {len(twice)} twice" + (f"; {going_on[:3]}" if going_on else ""),
        sorted(logged) == sorted(numbers) and not twice and not going_on,
    ))  # fmt: skip
    tagged = sorted(int(run.data.tags["trial"]) for run in runs if run.data.tags.get("pareto") == "true")
    found.append(("MLflow shows the same front", f"{len(tagged)} networks", tagged == front))
    log = chaos.driver.log.read_text(errors="replace")
    flips, full = chaos.faults["flip"], chaos.faults["disk"] + chaos.faults["read_only"]
    found += [
        ("a flipped bit is refused at the next start", f"{chaos.refused} of {flips}", chaos.refused == flips),
        ("disks that refuse are said", f"{log.count(_DISK)} times in {full}", log.count(_DISK) > 0 or not full),
        ("no trial failed because of a fault", _counted(_reasons(study)), not _reasons(study)),
        ("the search never ended by itself", _counted(chaos.driver.endings), not chaos.driver.surprises()),
    ]
    return found


def _counted(counts: collections.Counter[str]) -> str:
    return "; ".join(f"{count} x {what}" for what, count in sorted(counts.items())) or "none"


def _reasons(study: StudyStore) -> collections.Counter[str]:
    """Why trials failed."""
    return collections.Counter(
        record.result.reason.splitlines()[0][:80]
        for record in study.records()
        if record.state == "failed" and record.result is not None
    )


def _front_of_files(study: StudyStore, complete: list[int]) -> Front:
    """The front of what the files of trials say, and no database."""
    retimed, members = study.retimed(), []
    for number in complete:
        result = study.load_result(number)
        metrics = {**result.metrics, **retimed.get(number, {})}
        values = study.objectives.values(TrialResult(number, result.status, metrics))
        assert values is not None
        members.append(FrontMember(number, values, metrics, retimed=number in retimed))
    return Front.estimated(study.objectives, members, study.evidence)


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
    what = {
        "worker": "a worker process is killed",
        "raylet": "a node's raylet is killed; the node joins again after 1 to 4 s",
        "driver": "the search's own process is killed; started again with --resume",
        "mlflow": "the MLflow server is killed; started again after 1 to 6 s",
        "postgres": "PostgreSQL is killed; started again after 1 to 4 s",
        "still_worker": "a worker process stands still (SIGSTOP) for 2 to 8 s",
        "still_mlflow": "the MLflow server stands still for 3 to 25 s",
        "still_postgres": "PostgreSQL stands still for 2 to 8 s",
        "read_only": "the store is read-only for the search for 2 to 6 s",
        "flip": "one bit of a file is flipped and the search started anew; then it is flipped back",
        "clock": "the search's clock jumps by a minute to a day, either way, for 3 to 10 s",
        "handles": "the search may open no file beyond its 64th for 2 to 6 s",
        "disk": f"the disk of store and artifacts is filled for 2 to 6 s ({disk})",
    }
    lines = [
        "# Faults while a search runs",
        "",
        f"`make chaos` (seed {seed}): {chaos.faults.total()} faults in {took:.0f} s, {chaos.done:,} trials, on "
        f"{psutil.cpu_count()} processors (load {os.getloadavg()[0]:.1f}); the processes are those of deploy/. All "
        "kills are SIGKILL.",
        "",
        "| fault | times |",
        "| --- | --: |",
        *(f"| {what[kind]} | {chaos.faults[kind]} |" for kind in _KINDS),
        "",
        "| in the end | found | |",
        "| --- | --- | --- |",
        *(f"| {name} | {found} | {'yes' if good else '**NO**'} |" for name, found, good in checks),
        "",
        "Trials by state: " + ", ".join(f"{count} {state}" for state, count in study.counts().items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--trials", type=int, default=600, help="at least so many")
    parser.add_argument("--seconds", type=float, default=700.0, help="over which the faults are spread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep-logs", type=Path, help="folder to copy the logs to")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started
    with services() as (chaos, disk):
        try:
            took = run(chaos, arguments.faults, arguments.trials, arguments.seconds, arguments.seed)
            conclude(chaos, 600)
            checks = check(chaos)
        finally:
            if arguments.keep_logs is not None:
                arguments.keep_logs.mkdir(parents=True, exist_ok=True)
                for log in chaos.folder.glob("*.log"):
                    (arguments.keep_logs / log.name).write_bytes(log.read_bytes())
        text = report(chaos, checks, took, disk, arguments.seed)
    whole = all(good for _, _, good in checks) and chaos.faults.total() >= arguments.faults
    return reported(text, arguments.out, not whole)


if __name__ == "__main__":
    sys.exit(main())
