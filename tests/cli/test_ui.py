"""``nas ui`` leaves no process behind, and says where MLflow could do nothing."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from nas.cli._ui import _run_until_interrupted, ui
from nas.errors import NasError

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


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_store_that_may_only_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    modes = {folder: folder.stat().st_mode for folder in (*tmp_path.parents, tmp_path)}
    for folder, mode in modes.items():
        folder.chmod(mode | 0o055)
    os.seteuid(65534)
    try:
        with pytest.raises(NasError, match=r"mlflow\.db cannot be written, and MLflow writes .* copy the store"):
            ui(tmp_path)
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
