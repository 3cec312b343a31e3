"""``nas metrics`` and ``nas status --watch``: what they say of studies that run, ended, died or cannot be read."""

from __future__ import annotations

import json
import math
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from nas.cli import _app
from nas.cli import _status as status_command
from nas.cli._metrics import METRICS, StudyCollector
from nas.cli._standing import Looks
from nas.search import StudyStore
from nas.search.study._journal import Journal
from tests.search.test_store import candidate

ROOT = Path(__file__).parents[2]
STATUS = {
    "format": 1,
    "time": "2026-11-21T19:17:06+00:00",
    "state": "running",
    "trials": 500,
    "seconds": 62.5,
    "seconds_left": 100.0,
    "trials_per_minute": 31.5,
    "front": 7,
    "hypervolume": 0.75,
    "best": {"val_accuracy": 0.97, "edges": 120.0},
    "failures": {'diverged at step …: loss "…"\\n': 2},
    "mlflow_behind": 4,
    "workers": [
        {"name": "a:1", "state": "busy", "trial": 2, "seconds": 8.5},
        {"name": "a:2", "state": "busy", "trial": 3, "seconds": 1.0},
        {"name": "", "state": "starting", "trial": None, "seconds": 99.0},
    ],
}


def study(folder: Path, name: str = "mine") -> StudyStore:
    """A study with a failed trial, one that runs, and the status of a search in full swing."""
    made = StudyStore.create(folder, name)
    made.fail(made.begin(), "no")
    made.record(candidate(made.begin()))
    (made.folder / "status.json").write_text(json.dumps({"study": name, **STATUS}))
    return made


def samples(text: str) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels, in the order of their names."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_say_how_a_running_search_stands(tmp_path: Path) -> None:
    made = study(tmp_path)
    registry = CollectorRegistry()
    registry.register(StudyCollector(tmp_path))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        with (
            made.lock(),
            urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=30) as answer,
        ):
            assert answer.headers["Content-Type"].startswith("text/plain")
            found = samples(answer.read().decode())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    expected = {
        ("nas_study_readable", "mine"): 1,
        ("nas_search_running", "mine"): 1,
        ("nas_search_state", "running", "mine"): 1,
        ("nas_search_reported_timestamp_seconds", "mine"): 1795288626,
        ("nas_trials", "failed", "mine"): 1,
        ("nas_trials", "running", "mine"): 1,
        ("nas_trials", "complete", "mine"): 0,
        ("nas_trials_asked", "mine"): 500,
        ("nas_trials_per_minute", "mine"): 31.5,
        ("nas_trials_failed", 'diverged at step …: loss "…"\\n', "mine"): 2,
        ("nas_workers", "busy", "mine"): 2,
        ("nas_workers", "idle", "mine"): 0,
        ("nas_workers", "starting", "mine"): 1,
        ("nas_trial_longest_seconds", "mine"): 8.5,
        ("nas_mlflow_backlog", "mine"): 4,
        ("nas_front_networks", "mine"): 7,
        ("nas_best", "val_accuracy", "mine"): 0.97,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert {key[0] for key in found} == METRICS.keys()


def test_a_study_that_died_or_cannot_be_read_is_said_and_hides_no_other(tmp_path: Path) -> None:
    study(tmp_path, "dead")
    new = study(tmp_path, "new")
    (new.folder / "status.json").write_text(json.dumps({"format": 999}))  # of a later version
    study(tmp_path, "quiet").folder.joinpath("status.json").unlink()
    found = CliRunner().invoke(_app.app, ["metrics", "--once", "--store", str(tmp_path)])
    assert found.exit_code == 0, found.output
    shown = samples(found.stdout)
    assert found.stderr.count("cannot be read") == 1
    assert shown["nas_search_state", "died", "dead"] == 1
    assert shown["nas_search_running", "dead"] == 0
    assert shown["nas_workers", "busy", "dead"] == 0
    assert shown["nas_study_readable", "new"] == 0
    assert ("nas_search_running", "new") not in shown
    assert shown["nas_search_state", "not running", "quiet"] == 1
    one = CliRunner().invoke(_app.app, ["metrics", "quiet", "--once", "--store", str(tmp_path)])
    assert "dead" not in one.output


@pytest.mark.parametrize(
    ("words", "said"),
    [(["other"], "no study 'other' in"), (["new"], "has format 999"), (["--store", "nothing"], "there is no study in")],
)
def test_once_it_refuses_what_a_server_waits_for(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study(tmp_path / "store", "new").folder / "status.json").write_text(json.dumps({"format": 999}))
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(_app.app, ["metrics", "--once", "--store", "store", *words])
    assert found.exit_code == 1 and said in found.stderr.replace("\n", " ")
    assert not found.stdout


def test_a_server_finds_a_study_that_begins_later(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(StudyCollector(tmp_path, None, "mine"))
    assert samples(generate_latest(registry).decode())["nas_study_readable", "mine"] == 0
    study(tmp_path)
    assert samples(generate_latest(registry).decode())["nas_study_readable", "mine"] == 1


@pytest.mark.parametrize(
    "status",
    [
        {"time": "yesterday"},
        {"best": {"edges": "many"}},
        {"workers": [{"state": "busy"}]},
        {"failures": 3},
        {"workers": None},
    ],
    ids=str,
)
def test_a_damaged_status_hides_no_other(status: dict[str, Any], tmp_path: Path) -> None:
    bad = study(tmp_path, "bad")
    (bad.folder / "status.json").write_text(json.dumps({**STATUS, **status}))
    study(tmp_path, "good")
    collector = StudyCollector(tmp_path)
    registry = CollectorRegistry()
    registry.register(collector)
    with bad.lock():
        shown = samples(generate_latest(registry).decode())
    assert shown["nas_study_readable", "bad"] == 0
    assert shown["nas_study_readable", "good"] == 1


def test_reasons_that_no_metric_can_hold(tmp_path: Path) -> None:
    made = study(tmp_path)
    reasons = {"half a \ud800 sign": 1, 'two\nlines "and" \\ marks': 2, "\x1b[2J": 3}
    (made.folder / "status.json").write_text(json.dumps({**STATUS, "failures": reasons}))
    found = CliRunner().invoke(_app.app, ["metrics", "--once", "--store", str(tmp_path)])
    shown = {key[1] for key in samples(found.stdout) if key[0] == "nas_trials_failed"}
    assert shown == {"half a ? sign", 'two\nlines "and" \\ marks', ""}


def test_a_database_that_is_away_is_said_and_found_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/place/there.db"
    registry = CollectorRegistry()
    registry.register(StudyCollector(tmp_path, url))
    assert samples(generate_latest(registry).decode())["nas_store_readable",] == 0
    (tmp_path / "place").mkdir()
    made = StudyStore.create(tmp_path, "mine", storage=url)
    made.fail(made.begin(), "no")
    for _ in range(2):
        shown = samples(generate_latest(registry).decode())
        assert shown["nas_store_readable",] == 1
        assert shown["nas_trials", "failed", "mine"] == 1
    with made.lock():
        for count in (2, 3):
            made.fail(made.begin(), "no")
            made.settle(now=True)
            assert samples(generate_latest(registry).decode())["nas_trials", "failed", "mine"] == count


def test_each_look_reads_on_from_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(tmp_path)
    for _ in range(20):
        made.fail(made.begin(), "no")
    read: list[int] = []
    real = Journal._operation

    def operation(journal: Journal, line: bytes) -> dict[str, Any]:
        read.append(len(line))
        return real(journal, line)

    monkeypatch.setattr(Journal, "_operation", operation)
    looks = Looks(tmp_path, "mine", None)
    with made.lock():
        assert looks()["failed"] == 21
        read.clear()
        assert looks()["failed"] == 21
        assert not read
        made.fail(made.begin(), "no")
        made.settle(now=True)
        read.clear()
        assert looks()["failed"] == 22
        assert 0 < len(read) < 10
    ended = looks()
    assert (ended["failed"], ended["driven"], ended["state"]) == (22, False, "died")
    read.clear()
    assert looks() == ended  # nobody drives it, so there is nothing new
    assert not read
    made.delete()
    again = StudyStore.create(tmp_path, "mine")
    again.fail(again.begin(), "no")
    assert looks()["failed"] == 1


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    server, thread = start_http_server(0, "127.0.0.1", CollectorRegistry())
    try:
        port = str(server.server_port)
        found = CliRunner().invoke(_app.app, ["metrics", "--store", str(tmp_path), "--port", port])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert found.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use); choose another --port" in found.output


def test_the_page_and_the_dashboard_speak_of_the_metrics_that_there_are() -> None:
    page = (ROOT / "docs" / "how-to" / "operate.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(nas_\w+)`", page, re.MULTILINE))
    assert documented == METRICS.keys()
    board = json.loads((ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    asked += [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    names = {name for expression in asked for name in re.findall(r"nas_\w+", expression)}
    assert names <= METRICS.keys()
    for expression in asked:  # by labels that there are
        for name, selected in re.findall(r"(nas_\w+)\{(.*?)\}", expression):
            assert set(re.findall(r"(\w+)=", selected)) <= {"study", *METRICS[name][1]}, expression
        for by, name in re.findall(r"by \((\w+)\) \((nas_\w+)", expression):
            assert by in METRICS[name][1], expression
    assert {"nas_trials", "nas_trials_per_minute", "nas_trials_failed", "nas_mlflow_backlog", "nas_workers"} <= names


def test_watch_goes_on_until_the_search_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records: list[dict[str, Any]] = [
        {"study": "mine", "state": state, "workers": [], "hypervolume": math.nan}
        for state in ("pending", "running", "finished", "never read")
    ]
    waits: list[float] = []
    monkeypatch.setattr(status_command, "_Local", lambda *_: lambda: records.pop(0))
    monkeypatch.setattr("time.sleep", waits.append)
    for options in ([], ["--json"]):
        left = list(records)
        found = CliRunner().invoke(_app.app, ["status", "--store", str(tmp_path), "--watch", "--every", "7", *options])
        assert found.exit_code == 0, found.output
        lines = found.output.splitlines()
        if options:
            assert [json.loads(line)["state"] for line in lines] == ["pending", "running", "finished"]
        else:
            assert [line for line in lines if line] == ["mine: pending", "mine: running", "mine: finished"]
        assert waits == [7.0, 7.0]
        assert len(records) == 1
        records, waits[:] = left, []
