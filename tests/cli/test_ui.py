"""``nas ui`` leaves no process behind."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from nas.cli._ui import _run_until_interrupted

SERVER = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_its_children(tmp_path: Path, number: int) -> None:
    started = tmp_path / "pid"
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        assert _run_until_interrupted([sys.executable, "-c", SERVER, str(started)], dict(os.environ))
    finally:
        thread.join()
        for one, handler in before.items():
            signal.signal(one, handler)
    child = int(started.read_text())
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


def test_a_server_that_fails_is_a_failure() -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert not _run_until_interrupted([sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ))
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
