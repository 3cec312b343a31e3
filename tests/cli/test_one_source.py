"""The study is the one record: whoever comes second touches nothing, and MLflow is put right at each start."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from nas.cli import _workers
from nas.errors import NasError
from nas.search import StudyStore
from nas.tracking.mlflow import tracker as _tracker
from tests.cli.test_catch_up import behind, empty_database, job, runs  # noqa: F401 - fixtures
from tests.cli.test_commands import nas, plain
from tests.search.test_identity import as_it_is, flip

_HOLDER = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"


@contextmanager
def driven(folder: Path) -> Iterator[None]:
    """Another process holds the study."""
    command = [sys.executable, "-S", "-c", _HOLDER, str(folder / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def test_resume_while_a_search_runs_disturbs_nothing(job: Path) -> None:  # noqa: F811
    assert nas("search", job).exit_code == 0
    store = job.parent / "store"
    with driven(store / "small"):
        before = {**as_it_is(store / "small"), "mlflow.db": (store / "mlflow.db").read_bytes()}
        refused = nas("search", job, "--resume", "--trials", "8")
        assert refused.exit_code == 1
        assert "study 'small' is being driven by another process" in plain(refused)
        assert "wait for it or stop it" in plain(refused)
        assert {**as_it_is(store / "small"), "mlflow.db": (store / "mlflow.db").read_bytes()} == before


def test_mlflow_is_put_right_at_the_next_start(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """A trial that MLflow lost (kill -9 between study and journal), and a value that the study has dropped."""
    assert nas("search", job).exit_code == 0
    store = job.parent / "store"
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    parent, trials = runs(job)
    study = StudyStore.open(store, "small")
    assert parent.data.tags["study_id"] == study.identity
    client.delete_run(trials[1].info.run_id)
    client.log_metric(trials[2].info.run_id, "inference_seconds", 99.0, step=10**9)
    number = study.begin()  # begun, and its ask fails
    study.fail(number, "not asked: GraphError: no such graph")
    again = nas("search", job, "--resume", "--trials", "5")
    assert again.exit_code == 0, again.output
    _, found = runs(job)
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert found[1].data.metrics["edges"] == trials[1].data.metrics["edges"]
    assert found[1].data.params == trials[1].data.params
    assert abs(found[1].info.end_time - trials[1].info.end_time) < 2000
    assert found[2].data.metrics["inference_seconds"] < 1.0
    assert found[4].info.status == "FAILED"
    assert found[4].data.tags["reason"] == "not asked: GraphError: no such graph"
    assert behind(job) == 0


def test_a_damaged_page_of_mlflows_database_is_found_and_all_is_logged_again(job: Path) -> None:  # noqa: F811
    def search(*options: str) -> str:
        command = [sys.executable, "-m", "nas", "search", str(job), *options]
        found = subprocess.run(command, cwd=job.parent, capture_output=True, text=True)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stderr

    search()
    database = job.parent / "store" / "mlflow.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'metrics'").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    said = search("--resume")
    assert "mlflow.db was damaged (" in said
    assert len([*database.parent.glob("mlflow.db.broken-*")]) >= 1
    parent, trials = runs(job)
    assert sorted(trials) == [0, 1, 2, 3]
    assert all(trial.data.metrics["edges"] for trial in trials.values())
    assert parent.info.status == "FINISHED"


def test_another_study_of_the_same_name_gets_a_parent_run_of_its_own(job: Path) -> None:  # noqa: F811
    assert nas("search", job).exit_code == 0
    store = job.parent / "store"
    for path in (store / "small").rglob("*.*"):
        path.unlink()
    assert nas("search", job, "--resume-or-start").exit_code == 0
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    parents = [run for run in found if "trial" not in run.data.tags]
    assert len({run.data.tags["study_id"] for run in parents}) == 2


def test_resume_wants_a_study_and_a_damaged_one_is_refused(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    refused = nas("search", job, "--resume")
    assert refused.exit_code == 2
    assert "there is no study 'small' to resume in" in plain(refused)
    assert "--resume-or-start" in plain(refused)
    both = nas("search", job, "--resume", "--resume-or-start")
    assert both.exit_code == 2
    off = ["--set", "tracking.mlflow=false"]
    assert nas("search", job, "--resume-or-start", *off).exit_code == 0
    store = job.parent / "store"
    monkeypatch.setenv("NAS_STORAGE", f"sqlite:///{store / 'another.db'}")
    before = as_it_is(store / "small")
    for how, said in (("--resume", "there is no study 'small'"), ("--resume-or-start", "holds files of a study")):
        forgotten = nas("search", job, how, *off)
        assert forgotten.exit_code in (1, 2)
        assert said in plain(forgotten)
    assert as_it_is(store / "small") == before
    monkeypatch.delenv("NAS_STORAGE")
    flip(store / "small" / "trials" / "000001.safetensors")
    # Found before workers are started and MLflow is asked, which both take their time.
    monkeypatch.setattr(_workers, "make_executor", lambda *given: pytest.fail("it went on"))
    for trials in ("4", "6"):  # done, and not done
        damaged = nas("search", job, "--resume", "--trials", trials, *off)
        assert damaged.exit_code == 1
        assert "trials/000001.safetensors is not what was written there" in plain(damaged)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tracker, "_BACKOFF", (0.01, 0.05))
    assert _tracker.MlflowTracker.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(_tracker.MlflowTracker.__init__.__kwdefaults__, "flush_seconds", 30.0)


def test_a_search_that_found_no_worker_may_be_typed_again(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def no_workers(*_: object) -> None:
        raise NasError("no cluster answers")

    off = ("--set", "tracking.mlflow=false")
    with monkeypatch.context() as patch:
        patch.setattr(_workers, "make_executor", no_workers)
        failed = nas("search", job, *off)
    assert failed.exit_code == 1 and "no cluster answers" in plain(failed)
    assert StudyStore.exists(job.parent / "store", "small")
    other = nas("search", job, *off, "--set", "training.steps=3")  # not the same study
    assert (other.exit_code == 1 and "training.steps: " in plain(other)) or "differs from that of study" in plain(other)
    assert nas("search", job, *off).exit_code == 0
    again = nas("search", job, *off)
    assert again.exit_code == 2 and "study 'small' exists" in plain(again)
