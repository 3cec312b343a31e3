"""Whoever waits for a lock says for whom, and can be stopped; real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_HOLDER = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
_WAITING = """
import sys
from pathlib import Path
from nas._logs import configure
from nas._locks import locked

configure()
with open(sys.argv[1], "a") as file:
    locked(file.fileno(), Path(sys.argv[1]))
print("held")
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the file `lock`."""
    command = [sys.executable, "-S", "-c", _HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def waiting(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WAITING, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("still", [False, True], ids=["runs", "stands still"])
def test_who_is_waited_for_is_named(still: bool, holder: subprocess.Popen[str], tmp_path: Path) -> None:
    if still:
        os.kill(holder.pid, signal.SIGSTOP)
    with waiting(tmp_path / "lock") as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert f"waiting for {tmp_path}/lock, which process {holder.pid} (" in said
        assert (f"stands still; let it go on: kill -CONT {holder.pid}" in said) == still
        os.kill(holder.pid, signal.SIGCONT)
        holder.kill()
        out, _ = process.communicate(timeout=60)
        assert (out, process.returncode) == ("held\n", 0)


def test_waiting_can_be_interrupted(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with waiting(tmp_path / "lock") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in rest
