"""Logs: the same record for people and for machines."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from nas._logs import bound, configure
from nas.cli._remote import entry_of, readable

ROOT: Final = Path(__file__).parents[1]
PARTS: Final = [path for path in (ROOT / "nas").iterdir() if path.is_symlink()]  # which rglob does not follow
_ROW: Final = re.compile(r"^\| `(\w+)` \| (info|warning) \| .* \|(.*)\|$", re.MULTILINE)
_OF_ALL: Final = {"time", "level", "logger", "message", "event"}
JOB: Final = """
data: {source: iris}
space: {options: {n_computational: 5, density: 0.3}}
search: {trials: 400, objectives: [error, edges], baselines: false}
training: {steps: 1000, batch_size: 32, log_every: 500}
resources: {workers: 1}
tracking: {mlflow: false, experiment: told}
"""


def documented() -> dict[str, tuple[str, set[str]]]:
    """Level and fields of each event, as the page for operators has them."""
    page = (ROOT / "docs" / "how-to" / "operate.md").read_text()
    return {event: (level, set(re.findall(r"`(\w+)`", fields))) for event, level, fields in _ROW.findall(page)}


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(log_format: str, level: str = "info") -> list[str]:
    stream = io.StringIO()
    configure(log_format, level, stream)  # type: ignore[arg-type]
    logger = logging.getLogger("nas.test")
    logger.debug("too small")
    logger.info("trial %d complete", 7, extra={"event": "trial", "trial": 7, "worker": "a:1", "password": "x"})
    with bound(trial=8, worker="b:2"):
        try:
            raise ValueError("broken")
        except ValueError:
            logger.exception("it\nraised")
        logger.warning("another", extra={"trial": 9})
    logger.warning("outside")
    return stream.getvalue().splitlines()


def test_json_is_an_object_a_line_with_what_is_bound_and_nothing_else() -> None:
    first, second, third, last = (json.loads(line) for line in logged("json"))
    assert first.items() >= {"level": "info", "logger": "nas.test", "message": "trial 7 complete", "trial": 7}.items()
    assert first["event"] == "trial" and first["worker"] == "a:1"
    assert "password" not in first
    assert first["time"].endswith("+00:00")
    assert second["trial"] == 8 and second["worker"] == "b:2"
    assert second["message"] == "it\nraised"
    assert "ValueError: broken" in second["exception"]
    assert third["trial"] == 9 and third["worker"] == "b:2"  # what a record says itself wins
    assert "trial" not in last


def test_text_shows_trial_and_worker() -> None:
    lines = logged("text")
    assert lines[0] == "INFO nas.test: trial 7 complete [trial=7 worker=a:1]"
    assert "WARNING nas.test: another [trial=9 worker=b:2]" in lines
    assert lines[-1] == "WARNING nas.test: outside"


def test_levels() -> None:
    assert [json.loads(line)["level"] for line in logged("json", "warning")] == ["error", "warning", "warning"]
    assert json.loads(logged("json", "debug")[0])["message"] == "too small"


def test_entries_are_told_from_other_text_and_made_readable() -> None:
    entry = {"time": "2026-11-21T19:03:12.345+00:00", "level": "info", "message": "trial 7 failed", "trial": 7}
    assert readable(json.dumps(entry)) == "19:03:12 trial 7 failed"
    assert readable(json.dumps({**entry, "reason": "it diverged", "worker": "a:1"})) == (
        "19:03:12 trial 7 failed: it diverged [a:1]"
    )
    assert readable(json.dumps({**entry, "level": "error", "exception": "Traceback"})).splitlines() == [
        "19:03:12 ERROR trial 7 failed",
        "Traceback",
    ]
    for other in ("plain", "{not json", '{"level": "info"}', "[1]", ""):
        assert entry_of(other) is None
        assert readable(other) == other


def test_the_events_of_the_source_are_those_of_the_documentation() -> None:
    found = set()
    for path in [path for place in (ROOT / "nas", *PARTS) for path in place.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
                told = node.values[keys.index("event")] if "event" in keys else None
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_say":
                told = node.args[1] if len(node.args) == 2 else None
            else:
                continue
            found |= {told.value} if isinstance(told, ast.Constant) else set()
    assert found == documented().keys()


@pytest.mark.ray
def test_a_search_logs_what_is_documented(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    command = [sys.executable, "-m", "nas", "--log-format", "json", "--log-level", "info", "search", "job.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NAS_STORE": str(tmp_path / "store")}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    events = documented()
    met: set[str] = set()
    trials = 0
    for line in process.stderr:
        entry = entry_of(line)
        assert entry is not None, line
        assert {"time", "level", "logger", "message"} <= entry.keys()
        if "event" not in entry:
            continue
        met.add(entry["event"])
        level, fields = events[entry["event"]]
        assert entry["level"] == level
        assert entry.keys() - _OF_ALL <= fields, entry
        trials += entry["event"] == "trial"
        if trials == 2 and entry["event"] == "trial":
            os.kill(int(entry["worker"].rpartition(":")[2]), signal.SIGKILL)
        if "worker_died" in met and trials == 6:
            process.send_signal(signal.SIGTERM)
    process.wait()
    assert met >= {"trial", "status", "worker_up", "worker_died"}
