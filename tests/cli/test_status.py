"""``nas status`` of a study on this machine: running, finished, died."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli import _app
from nas.cli._report import failure_kind
from nas.search import RandomStrategy, SerialExecutor, SpaceConfig, StudyStore, load_space, run_search
from nas.training import DataConfig, load_data
from tests.search.conftest import TRAINING, pretend

JOB = """
data: {source: iris}
space: {options: {n_computational: [2, 4], density: [0.3, 0.6]}}
search: {trials: 4, baselines: false}
training: {steps: 5, batch_size: 16, inference_batch: 16, log_every: 5}
resources: {executor: serial}
tracking: {experiment: mine, mlflow: false}
"""


def run(*words: str) -> str:
    result = CliRunner().invoke(_app.app, list(words))
    assert result.exit_code == 0, (words, result.output, result.exception)
    return result.output


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_STORE", str(tmp_path / "store"))
    path = tmp_path / "mine.yaml"
    path.write_text(JOB)
    return path


def test_status_of_a_search_that_runs_is_killed_and_is_finished(job: Path, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    nas = Path(sys.executable).parent / "nas"
    command = [nas, "--log-format", "json", "--log-level", "info", "search", job, "--trials", "100000"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            status = tmp_path / "store" / "mine" / "status.json"
            deadline = time.monotonic() + 600  # a new clone compiles first, on a busy machine for minutes
            while not status.exists() or json.loads(status.read_text())["complete"] < 2:
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.2)
            found = json.loads(run("status", "mine", *store, "--json"))
            assert found["state"] == "running"
            assert found["trials"] == 100000
            assert found["trials_per_minute"] > 0
            assert [worker["name"].rpartition(":")[2] for worker in found["workers"]] == [str(process.pid)]
            assert "workers" in run("status", *store)
        finally:
            process.kill()
            process.wait()
    found = json.loads(run("status", "mine", *store, "--json"))
    assert found["state"] == "died"
    assert found["workers"] == []
    said = run("status", *store)
    assert "nothing is lost; continue it: " in said and f"nas search {job} --trials 100000 --resume\n" in said
    entries = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    trials = [entry for entry in entries if entry.get("event") == "trial"]
    assert [entry["trial"] for entry in trials] == list(range(len(trials)))
    assert {entry["study"] for entry in trials} == {"mine"}

    study = StudyStore.open(tmp_path / "store", "mine")
    study.fail(study.begin(), "it took longer than 3.5 s")
    study.fail(study.begin(), "it took longer than 4 s")
    total = sum(study.counts().values())
    summary = run("search", str(job), "--resume", "--trials", str(total))
    assert "failed trials: 2, because:" in summary
    assert "2 × it took longer than … s" in summary
    found = json.loads(run("status", "mine", *store, "--json"))
    assert found["state"] == "finished"
    assert (found["complete"], found["failed"], found["running"]) == (total - 2, 2, 0)
    assert found["failures"] == {"it took longer than … s": 2}
    assert "2 × it took longer than … s" in run("status", *store)


def test_status_says_what_is_expected_of_the_next_trials(tmp_path: Path) -> None:
    data = load_data(DataConfig(source="iris"))
    space = load_space(SpaceConfig(options={"n_computational": [2, 4], "density": [0.3, 0.6]}), data)
    store = StudyStore.create(tmp_path, "mine")
    where = ("status", "mine", "--store", str(tmp_path))
    for trials in (59, 60):
        strategy = RandomStrategy(space, TRAINING, store.objectives, 0)
        run_search(strategy, SerialExecutor(data, TRAINING, evaluate=pretend), store, trials=trials)
        said = "in the last 20 trials; the next 20 are expected to add less than" in " ".join(run(*where).split())
        assert said is (trials == 60)
    assert json.loads(run(*where, "--json"))["saturation"]["window"] == 20


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("it took longer than 3.5 s", "it took longer than … s"),
        ("objectives must be finite numbers, got {'val_error': None}", None),
        ("diverged at step 1,200: loss 1e+30\nTraceback", "diverged at step …: loss …"),
        ("layer conv2d has no output", None),
        ("", ""),
    ],
)
def test_reasons_are_counted_without_their_numbers(reason: str, kind: str | None) -> None:
    assert failure_kind(reason) == (reason if kind is None else kind)


def test_an_empty_store_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(_app.app, ["status", "--store", str(tmp_path)])
    assert result.exit_code == 1
    assert "there is no study in" in result.output
