"""What `nas status` and `nas metrics` say of searches on a cluster, and how often they ask it for a whole log."""

from __future__ import annotations

import json
import queue
import shlex
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from typer.testing import CliRunner

from nas.cli import _app, _submitted
from nas.cli._metrics import StudyCollector
from nas.cli._submitted import Submissions
from nas.errors import NasError
from nas.workers import jobs


@dataclass
class Found:
    name: str
    study: str
    state: str = "running"
    trials: int = 9
    message: str = ""

    @property
    def active(self) -> bool:
        return self.state in ("pending", "running")


def line(complete: int, moment: int, **more: Any) -> str:
    data = {"format": 1, "time": f"2026-01-01T00:00:{moment:02}+00:00", "state": "running", "complete": complete,
            "running": 1, "failed": 0, "stopped": 0, "workers": [], **more}  # fmt: skip
    return json.dumps({"level": "info", "message": "", "event": "status", "data": data})


class Cluster:
    def __init__(self, *found: Found) -> None:
        self.found = list(found)
        self.written = [line(1, 1), "text of a library", line(2, 2)]
        self.added: queue.Queue[str | None] = queue.Queue()
        self.whole = 0

    def list(self) -> list[Found]:
        return self.found

    def get(self, name: str) -> Found:
        for each in reversed(self.found):
            if name in (each.name, each.study):
                return each
        raise NasError(f"no search {name!r}")

    def logs(self, name: str) -> str:
        self.whole += 1
        return "\n".join(self.written)

    def follow(self, name: str) -> Iterator[str]:
        yield from list(self.written)
        while (added := self.added.get()) is not None:
            yield added


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(Found("old-1", "mine", "failed", message="gone"), Found("mine-2", "mine"), Found("other-3", "other"))
    monkeypatch.setattr(_submitted, "cluster", lambda address: made)
    return made


def test_a_log_is_read_once_and_then_read_on(made: Cluster) -> None:
    asked = Submissions("http://there")
    for _ in range(5):
        assert asked.look("mine")["complete"] == 2  # never an older one, while the follower is at the log's begin
    made.added.put(line(3, 12))
    deadline = time.monotonic() + 60
    while asked.look("mine")["complete"] == 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert asked.look("mine")["complete"] == 3
    assert made.whole == 1
    made.added.put(None)
    made.found[1].state = "succeeded"
    made.written.append(line(4, 22, state="finished"))
    for _ in range(3):
        found = asked.look("mine")
        assert (found["complete"], found["state"], found["driven"], found["workers"]) == (4, "succeeded", False, [])
    assert made.whole == 2


def test_the_metrics_of_a_cluster(made: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    made.found.append(Found("new-4", "new", "pending"))
    for arguments in (["--address", "http://there"], []):
        monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "" if arguments else "http://there")
        shown = CliRunner().invoke(_app.app, ["metrics", "--once", *arguments])
        assert shown.exit_code == 0, shown.output
        assert 'nas_trials{state="complete",study="mine"} 2.0' in shown.output
        assert 'nas_search_running{study="other"} 1.0' in shown.output
        assert 'nas_search_state{state="pending",study="new"} 1.0' in shown.output
        assert 'nas_search_state{state="failed",study="mine"}' not in shown.output  # of an older search
        assert "nas_store_readable 1.0" in shown.output
    here = CliRunner().invoke(_app.app, ["metrics", "--once", "--address", ""])
    assert "study=" not in here.output


def test_a_cluster_that_does_not_answer_is_not_readable(made: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> list[Found]:
        raise NasError("nothing answers")

    monkeypatch.setattr(made, "list", gone)
    registry = CollectorRegistry()
    registry.register(StudyCollector(Path("store"), cluster=Submissions("http://there")))
    assert "nas_store_readable 0.0" in generate_latest(registry).decode()
    once = CliRunner().invoke(_app.app, ["metrics", "--once", "--address", "http://there"])
    assert once.exit_code == 1 and "nothing answers" in once.stderr


def test_what_needs_the_data_is_refused_and_a_store_of_this_machine_is_not_asked_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def said(*words: str) -> str:
        found = CliRunner().invoke(_app.app, list(words), env={"COLUMNS": "1000"})
        assert found.exit_code, found.output
        return " ".join(found.output.split())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://there")
    for words in (["replay", "3", "--study", "my study"], ["watch", "digits", "5"], ["serve", "digits"]):
        refused = said(*words)
        assert f"on the head node of http://there: {shlex.join(['nas', *words])}" in refused
        assert refused.endswith("of a study on this machine: --address ''")
    for words in (["front", "x"], ["compare", "x", "y"], ["predict", "x", "t.csv"], ["status", "x"], ["delete", "x"]):
        for options in (
            ["--address", "http://a", "--store", "s"],
            ["--storage", "sqlite:///s", "--address", "http://a"],
        ):
            assert "leave the one or the other out" in said(*words, *options)
        assert "http://there" not in said(*words, "--store", "s")


def test_a_server_that_takes_a_question_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_REPLY_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NasError, match=f"nothing answers at {address}"):
            Submissions(address).look()


def test_a_submitted_search_keeps_nothing_beside_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative file would lie in the folder that Ray unpacks the job to, and go with it."""
    monkeypatch.chdir(tmp_path)
    Path("a job.yaml").write_text("data: {source: wine}\n")
    submitted: list[Any] = []

    class Head:
        def submit(self, *_: Any, **given: Any) -> Found:
            submitted.append(given["environment"])
            return Found("wine-1", "wine")

    monkeypatch.setattr("nas.cli._submit.cluster", lambda address: Head())

    def nas(*words: str, **variables: str) -> Any:
        return CliRunner().invoke(_app.app, [*words], env={"COLUMNS": "300", **variables})

    for setting in ("tracking.storage=sqlite:///study.db", "tracking.mlflow_uri=sqlite:///kept/study.db"):
        refused = nas("submit", "a job.yaml", "--set", setting)
        assert refused.exit_code == 2 and not submitted
        assert f"{setting.replace('=', ' is ')}, a file of the folder that a submitted search runs in" in refused.output
        assert "sqlite:////data/study.db" in refused.output
    # Variables of this machine are not those of the head node, where its own are looked at.
    for setting in ("tracking.storage=sqlite:////data/study.db", "tracking.storage=postgresql://me@host/studies"):
        assert nas("submit", "a job.yaml", "--set", setting, NAS_STORAGE="sqlite:///here.db").exit_code == 0
    there = nas("search", "a job.yaml", NAS_STORAGE="sqlite:///x.db", NAS_SUBMITTED_AS=submitted[0]["NAS_SUBMITTED_AS"])
    assert there.exit_code == 2 and "tracking.storage is sqlite:///x.db, a file of the folder" in there.output
    # What continues it is read in any folder and any shell: the job and what it names lie here.
    again = submitted[0]["NAS_SUBMITTED_AS"]
    assert again.startswith(f"cd {shlex.quote(str(tmp_path))} && nas submit 'a job.yaml' --address http://")
