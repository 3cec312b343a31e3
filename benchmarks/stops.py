"""A search that is told to stop, from outside: by each signal, at each stage, in one process and with its own Ray.

``nas search`` is started as a person would, with MLflow in its store, and gets one SIGINT, SIGTERM or SIGHUP: while it
starts up, while its workers start, in the middle, while it times the front again, and while MLflow catches up. It must
end with its exit code and the command that resumes it; ten seconds later no process and no temporary file of it may be
left; and what that command makes of the study must agree with itself (`benchmarks.service_faults.disagreements`).
``python -m benchmarks.stops``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from benchmarks.faults import reported
from benchmarks.service_faults import disagreements, telling

__all__ = ["SIGNALS", "STAGES", "main"]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STAGES: Final = {
    "start-up": "",  # while it imports
    "workers start": "starting workers",
    "in the middle": "",  # when two trials are complete
    "timing again": "timing the front again",
    "MLflow catches up": "exported to",
}
"""What is printed when a stage has begun, where that tells it."""

_JOB: Final = """
data: {source: iris}
space: {options: {n_computational: [4, 12], density: [0.2, 0.6]}}
search: {trials: 6, baselines: false, strategy: random}
training: {steps: 20000, batch_size: 16, inference_batch: 16, log_every: 5000}
resources: {executor: EXECUTOR}
tracking: {experiment: stops}
"""
_TRIALS: Final = 6
_STAGE_SECONDS: Final = 600.0  # of a busy machine, until a stage is reached
_LEFT_SECONDS: Final = 10.0  # after which nothing of a search may be left
_MARK: Final = "NAS_BENCHMARK_STOP"  # in the environment of a search and of all that it starts


class Search:
    """``nas search`` in a folder of its own."""

    def __init__(self, folder: Path, executor: str) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        (folder / "stops.yaml").write_text(_JOB.replace("EXECUTOR", executor))
        self.mark = secrets.token_hex(8)

    def start(self, *words: str) -> tuple[subprocess.Popen[bytes], Path]:
        """It, and where it says what."""
        output = self.folder / f"said-{secrets.token_hex(4)}"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "NAS_"))}
        environment |= {
            "NAS_STORE": str(self.store), "TMPDIR": str(self.temporary), _MARK: self.mark, "PYTHONUNBUFFERED": "1",
            "RAY_worker_niceness": "0",
        }  # fmt: skip
        command = [str(Path(sys.executable).parent / "nas"), *(words or ("search", "stops.yaml"))]
        with output.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=file, stderr=file, start_new_session=True
            )
        return process, output

    def left(self) -> list[str]:
        """Processes and temporary files of it."""
        found = [path.name for path in self.temporary.iterdir()]
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"process {process.name()}")
        return found


def stopped(executor: str, stage: str, number: signal.Signals) -> tuple[str, float]:
    """What is wrong with a stop ("": nothing), and the seconds from the signal to the end."""
    with tempfile.TemporaryDirectory(prefix="nas-stops-", dir="/tmp") as name:
        search = Search(Path(name), executor)
        process, output = search.start()
        try:
            _wait(lambda: _reached(search, stage, output.read_text()), process)
            if process.poll() is not None:
                return f"it ended before: {output.read_text()[-800:]}", 0.0
            process.send_signal(number)
            sent = time.monotonic()
            code = process.wait(120)
            took = time.monotonic() - sent
        except subprocess.TimeoutExpired:
            return "it had not ended after two minutes", 120.0
        finally:
            process.kill()
        said = output.read_text(errors="replace")
        if problem := _ending(code, said, stage):
            return problem, took
        deadline = time.monotonic() + _LEFT_SECONDS
        while (left := search.left()) and time.monotonic() < deadline:
            time.sleep(0.2)
        if left:
            return f"left after {_LEFT_SECONDS:g} s: {', '.join(left)}", took
        words = re.search(r"resume: \S*nas (.*)", said)
        again, output = search.start(
            *(shlex.split(words[1]) if words else ("search", "stops.yaml", "--resume-or-start"))
        )
        if (code := again.wait(600)) != 0:
            return f"resumed, it ended with {code}: {output.read_text()[-800:]}", took
        return "; ".join(disagreements(search.store, "stops", _TRIALS)), took


def _ending(code: int, said: str, stage: str) -> str:
    if "Traceback" in said:
        return f"a traceback: {telling(said)}"
    if code == 0 and stage == "MLflow catches up":
        return ""
    if code != 1:
        return f"exit code {code}: {said[-800:]}"
    if not re.search(r"resume: \S*nas |interrupted", said):
        return f"it does not say how to go on: {said[-800:]}"
    return ""


def _reached(search: Search, stage: str, said: str) -> bool:
    if stage == "start-up":
        time.sleep(1.0)
        return True
    if stage == "in the middle":
        return len(list(search.store.glob("stops/trials/*.safetensors"))) >= 2
    return re.search(STAGES[stage], said) is not None


def _wait(done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STAGE_SECONDS
    while process.poll() is None and not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the stage was not reached in time")
        time.sleep(0.02)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.stops", description=__doc__)
    parser.add_argument("--executors", nargs="+", choices=("serial", "ray"), default=["serial", "ray"])
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--out", type=Path, help="file for the report")
    options = parser.parse_args()
    for number in SIGNALS:  # a shell's background job, or nohup, ignores some of them, and so would all that it starts
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    rows, wrong = [], []
    for executor in options.executors:
        for stage in options.stages:
            if executor == "serial" and stage == "workers start":
                continue
            cells = []
            for number in SIGNALS:
                problem, took = stopped(executor, stage, number)
                cells.append("**no**" if problem else f"yes, {took:.1f} s")
                if problem:
                    wrong.append(f"{executor}, {stage}, {number.name}: {problem}")
            rows.append(f"| {executor} | {stage} | {' | '.join(cells)} |")
            print(rows[-1], *wrong, sep="\n", flush=True)
    text = "\n".join([
        "# Searches that are told to stop",
        "",
        "`python -m benchmarks.stops`: whether a search ends in order, leaves no process and no temporary file, and "
        "goes on with nothing lost; seconds from the signal to the end.",
        "",
        f"| executor | stage | {' | '.join(number.name for number in SIGNALS)} |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        *(["", *(f"- {each}" for each in wrong)] if wrong else []),
    ]) + "\n"  # fmt: skip
    return reported(text, options.out, bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
