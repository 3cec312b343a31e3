"""deploy/ray-node.sh without Ray: what it does with searches when it is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "ray-node.sh"

RAY = """#!/bin/sh
trap 'echo "the node ends" >> "$LOG"; exit 0' TERM
"${0%/*}/nas" --log-level info search job.yaml &
sleep 100 & # something else on the node, which is left alone
wait $!
"""
SEARCH = """#!/bin/sh
trap 'echo "the search stops" >> "$LOG"; sleep 0.3; echo "the search has ended" >> "$LOG"; kill "$!"; exit 0' TERM
echo "the search runs" >> "$LOG"
sleep 100 &
wait $!
"""


def test_a_node_that_is_stopped_lets_its_searches_end_first(tmp_path: Path) -> None:
    for name, text in (("ray", RAY), ("nas", SEARCH)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "LOG": str(log)}
    node = subprocess.Popen([SCRIPT, "--head"], env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not log.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        node.terminate()
        assert node.wait(60) == 143
    finally:
        os.killpg(node.pid, signal.SIGKILL)
    assert log.read_text().splitlines() == [
        "the search runs",
        "the search stops",
        "the search has ended",
        "the node ends",
    ]
