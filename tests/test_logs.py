"""Logs: the same record for people and for machines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from nas._logs import bound, configure
from nas.cli._remote import entry_of, readable


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
