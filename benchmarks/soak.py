"""A long search of short trials: does it keep its speed, and its memory?

Runs ``nas search`` as a person would (Ray workers, MLflow and the study in files) and looks at its processes
from outside: ``python -m benchmarks.soak --trials 5000``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.faults import reported

__all__ = ["Sample", "drift", "failures", "sample", "table"]

# Small networks and few steps: what is soaked is the service around the training.
_JOB: Final = """
data: {{source: iris}}
space: {{options: {{n_computational: [4, 12], density: [0.2, 0.6]}}}}
search: {{trials: {trials}, options: {{initial: 9}}}}
training: {{steps: 20, batch_size: 16, inference_batch: 16, log_every: 10}}
resources: {{workers: {workers}}}
tracking: {{experiment: soak, store: {store}}}
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """The processes of a search at one moment; bytes are resident memory."""

    finished: int
    seconds: float  # since its first trial finished
    driver: int  # the tracker's thread, which talks to MLflow, is part of it
    driver_threads: int
    driver_files: int  # open files and sockets
    workers: tuple[int, ...]
    backlog: int  # trials that MLflow does not have yet
    disk: int  # bytes in the store


def sample(driver: psutil.Process, store: Path, started: float | None) -> Sample | None:
    """How the search of `driver` stands; None before its first status."""
    try:
        status = json.loads((store / "soak" / "status.json").read_text())
    except (OSError, ValueError):
        return None
    workers = []
    for name in [each["name"] for each in status["workers"] if each["name"]]:
        try:
            workers.append(psutil.Process(int(name.rpartition(":")[2])).memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return Sample(
        finished=status["complete"] + status["failed"],
        seconds=0.0 if started is None else time.monotonic() - started,
        driver=driver.memory_info().rss,
        driver_threads=driver.num_threads(),
        driver_files=driver.num_fds(),
        workers=tuple(workers),
        backlog=_backlog(store / "soak" / "mlflow.jsonl"),
        disk=sum(path.stat().st_size for path in store.rglob("*") if path.is_file()),
    )


def _backlog(journal: Path) -> int:
    pending: set[int] = set()
    try:
        with journal.open() as file:
            for line in file:
                entry = json.loads(line) if line.endswith("\n") else {}
                if "trial" in entry:
                    pending.add(entry["trial"]["number"])
                elif "done" in entry:
                    pending.discard(entry["done"][1])
    except (OSError, ValueError):
        return 0
    return len(pending)


def table(samples: list[Sample]) -> str:
    """Markdown; rates are of the trials since the row before."""
    mib = 2**20
    lines = [
        "| trials | trials/s | driver, MiB | threads | open files | workers, MiB | not yet in MLflow | store, MiB |",
        "| --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    before = None
    for each in samples:
        rate = "-"
        if before is not None and each.seconds > before.seconds:
            rate = f"{(each.finished - before.finished) / (each.seconds - before.seconds):.1f}"
        workers = " + ".join(f"{size / mib:.0f}" for size in each.workers) or "-"
        lines.append(
            f"| {each.finished:,} | {rate} | {each.driver / mib:.0f} | {each.driver_threads} | {each.driver_files} | "
            f"{workers} | {each.backlog:,} | {each.disk / mib:.0f} |"
        )
        before = each
    return "\n".join(lines)


def drift(samples: list[Sample]) -> float:
    """Bytes a trial by which the driver grew in the second half of the search.

    The last sample is left out: by then the driver draws the front and publishes the champion.
    """
    late = [each for each in samples[:-1] if each.finished >= samples[-1].finished / 2]
    if not late:
        return 0.0
    trials = late[-1].finished - late[0].finished
    return (late[-1].driver - late[0].driver) / trials if trials else 0.0


def failures(status: dict[str, Any]) -> str:
    """Markdown: why trials failed, the most frequent reason first; empty where none did."""
    counts = status["failures"]
    return "\nFailed because:\n\n" + "".join(f"- {n:,} x {why}\n" for why, n in counts.items()) if counts else ""


def run(trials: int, workers: int, every: int) -> tuple[list[Sample], dict[str, Any]]:
    """The samples of a search of so many trials, one each `every` trials, and its last status."""
    with tempfile.TemporaryDirectory(prefix="nas-soak-") as folder:
        store = Path(folder, "store")
        Path(folder, "soak.yaml").write_text(_JOB.format(trials=trials, workers=workers, store=store))
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [Path(sys.executable).parent / "nas", "--log-format", "json", "search", "soak.yaml"],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "NAS_STORE": "", "RAY_worker_niceness": "0"},
            )
            try:
                samples = _watch(psutil.Process(process.pid), store, every)
                if process.wait() != 0:
                    raise RuntimeError(Path(folder, "log").read_text()[-3000:])
            finally:
                process.terminate()
                process.wait(90)
        return samples, json.loads((store / "soak" / "status.json").read_text())


def _watch(driver: psutil.Process, store: Path, every: int) -> list[Sample]:
    samples: list[Sample] = []
    last: Sample | None = None
    started: float | None = None
    while driver.is_running() and driver.status() != psutil.STATUS_ZOMBIE:
        time.sleep(1.0)
        try:
            now = sample(driver, store, started)
        except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
            continue
        if now is None or not now.workers:
            continue
        if started is None and now.finished:
            started = time.monotonic()
            samples.append(now)
        elif samples and now.finished // every > samples[-1].finished // every:
            samples.append(now)
            print(table(samples[-2:]).splitlines()[-1], flush=True)
        last = now
    if last is not None and last.finished > samples[-1].finished:
        samples.append(last)
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started
    samples, status = run(arguments.trials, arguments.workers, arguments.every)
    text = (
        "# A long search of short trials\n\n"
        f"`make soak` ({arguments.workers} workers, {psutil.cpu_count()} processors, load at the end "
        f"{os.getloadavg()[0]:.1f}). Memory is resident memory; a thread of the driver writes to MLflow.\n\n"
        f"{status['complete']:,} complete, {status['failed']:,} failed of {status['trials']:,} trials; in the second "
        f"half the driver grew by {drift(samples) / 1024:.2f} KiB a trial.\n\n{table(samples)}\n{failures(status)}"
    )
    return reported(text, arguments.out, status["complete"] + status["failed"] != arguments.trials)


if __name__ == "__main__":
    sys.exit(main())
