"""Ctrl-C: stops, keeps finished trials, says how to go on."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nas.cli import interrupt as _interrupt
from nas.cli.interrupt import Stop, stop_on_signals
from nas.search import StudyStore, executor
from tests.cli.test_commands import nas

JOB = """
data: {source: wine}
space: {name: neuron_dag, options: {n_computational: 20, density: 0.5}}
search: {trials: 1000, baselines: false}
training: {steps: 300}
resources: {executor: serial}
tracking: {mlflow: false}
"""


def test_a_search_that_is_stopped_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "long job.yaml").write_text(JOB)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment.pop("NAS_STORE", None)
    command = [sys.executable, "-c", "from nas.cli import main; main()", "search", "long job.yaml"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 240
        results = tmp_path / "nas-runs" / "long-job" / "trials"
        while len(list(results.glob("*.safetensors"))) < 2 and time.monotonic() < deadline:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0].decode()
    finally:
        process.kill()
    assert process.returncode == 1, output
    assert "Traceback" not in output
    study = StudyStore.open(tmp_path / "nas-runs", "long-job")
    complete = study.counts()["complete"]
    assert complete >= 2
    assert re.search(rf"stopped; {complete} complete trials are kept", output)
    resume = re.search(r"resume: nas (.*)", output)
    assert resume is not None, output
    arguments = [*shlex.split(resume[1]), "--trials", str(complete + 1)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    again = nas(*arguments)
    assert again.exit_code == 0, again.output
    assert study.counts() == {"running": 0, "complete": complete + 1, "stopped": 0, "failed": 0}


def test_the_first_signal_asks_and_the_second_interrupts() -> None:
    asked: list[int] = []
    stop = Stop()
    with stop_on_signals(stop), stop.politely(lambda: asked.append(1)):
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        assert asked == [1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_running_trials_get_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_interrupt, "_GRACE_SECONDS", 0.05)
    stop = Stop()
    with stop.politely(lambda: None):
        stop.request()
    assert stop()
    time.sleep(0.1)
    with pytest.raises(KeyboardInterrupt):
        stop()


def test_before_the_search_and_after_it_the_first_signal_leaves_at_once() -> None:
    stop = Stop()
    with stop_on_signals(stop), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
    assert stop.requested


def test_what_cannot_look_is_interrupted_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_interrupt, "_GRACE_SECONDS", 0.05)
    before, stop = signal.getsignal(signal.SIGALRM), Stop()
    with stop_on_signals(stop), stop.politely(lambda: None), stop.within_grace():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            time.sleep(5.0)
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize("more", [(), ("--minutes", "1")])  # with minutes, workers compile before the search
def test_a_trial_in_this_process_and_what_it_compiles_do_not_hold_up_a_stop(
    more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def long(*_: Any) -> list[Any]:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(60.0)
        return []

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_interrupt, "_GRACE_SECONDS", 0.2)
    monkeypatch.setattr(executor, "evaluated", long)
    began = time.monotonic()
    settings = ["--set=resources.executor=serial", "--set=tracking.mlflow=false", "--set=search.trials=3"]
    ended = nas("search", "wine", *settings, *more)
    assert ended.exit_code == 1 and "resume: nas search wine" in ended.output
    assert time.monotonic() - began < 30.0


@pytest.mark.parametrize("asked", [False, True])
def test_a_timer_of_the_caller_runs_on(monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    """As of a test that may take so long, or of a program that has a search as a part."""
    monkeypatch.setattr(_interrupt, "_GRACE_SECONDS", 5.0)
    fired: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: fired.append(number))
    others = signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        stop = Stop()
        with stop.politely(lambda: None), stop.within_grace():
            if asked:
                stop.request()
            time.sleep(0.3)
            assert fired == ([] if asked else [signal.SIGALRM])
        time.sleep(0.1)
        assert fired == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *others)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        stop = Stop()
        with stop_on_signals(stop):
            signal.raise_signal(signal.SIGHUP)
        assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def raised_amid(act: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """A process that gets a SIGTERM amid `act`, a line of Python that may call ``interrupt()``, before its search."""
    program = f"""
import os, signal, sqlite3, sys, time
from sqlalchemy import create_engine, event
from nas.cli.interrupt import Stop, stop_on_signals

def interrupt(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000): pass  # where Python looks for signals

class Closing(sqlite3.Connection):
    def close(self):
        interrupt()
        super().close()

class Finalised:
    def __del__(self):
        interrupt()

def close_a_connection():
    engine = create_engine("sqlite:///x.db", connect_args={{"factory": Closing}})
    engine.connect().close()
    engine.dispose()

def collect_a_cycle():
    import gc, weakref
    def back(_): interrupt()
    held = Finalised2()
    global ref
    ref = weakref.ref(held, back)
    del held

class Finalised2: pass

stop = Stop()
try:
    with stop_on_signals(stop):
        {act}
        time.sleep(30)
except KeyboardInterrupt:
    print("stopped", stop.requested)
"""
    return subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("act", ["close_a_connection()", "Finalised()", "collect_a_cycle()", "interrupt()"])
def test_a_stop_where_nothing_can_be_raised_comes_a_moment_later(act: str, tmp_path: Path) -> None:
    process = raised_amid(act, tmp_path)
    assert (process.stdout, process.stderr) == ("stopped True\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6])
def test_a_stop_while_the_program_starts_is_no_traceback(number: signal.Signals, after: float, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    ready, told = os.pipe()
    program = f"import nas.cli, os; os.write({told}, b'x'); nas.cli.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "search", "job.yaml"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[told], start_new_session=True,
    )  # fmt: skip
    try:
        os.read(ready, 1)
        time.sleep(0.05 + after)
        process.send_signal(number)
        said = process.communicate(timeout=120)[0].decode()
    finally:
        process.kill()
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert "interrupted" in said or "resume:" in said
