"""What MLflow did not take when a search ended: said, in the status, and logged by the next --resume."""

from __future__ import annotations

import importlib
import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from nas.cli import _patience
from nas.cli import search as _search
from nas.cli.interrupt import Stop
from nas.search import StorageError
from nas.tracking import MlflowTracker, NullTracker
from nas.tracking.mlflow import tracker as _tracker
from nas.tracking.mlflow._session import Session
from nas.tracking.mlflow.writer import MlflowWriter, new_client
from nas.tracking.protocol import Ending
from tests.cli.test_commands import JOB, nas, plain


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    new_client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def job(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of 4 trials with MLflow, for which nothing waits long."""
    store = tmp_path / "store"
    store.mkdir()
    shutil.copy(empty_database, store / "mlflow.db")
    monkeypatch.setenv("NAS_STORE", str(store))
    assert MlflowTracker.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(MlflowTracker.__init__.__kwdefaults__, "flush_seconds", 2.0)
    path = tmp_path / "small.yaml"
    path.write_text(JOB.replace("tracking: {mlflow: false}", ""))
    return path


def runs(job: Path) -> tuple[Run, dict[int, Run]]:
    """The only parent run, and its trials."""
    client = MlflowClient(f"sqlite:///{job.parent / 'store' / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    [parent] = [run for run in found if "trial" not in run.data.tags]
    trials = [run for run in found if "trial" in run.data.tags]
    numbered = {int(run.data.tags["trial"]): run for run in trials}
    assert len(numbered) == len(trials)
    return parent, numbered


def behind(job: Path) -> int:
    status = json.loads((job.parent / "store" / "small" / "status.json").read_text())
    assert status["state"] == "finished"
    return int(status["mlflow_behind"])


def interrupted(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with Ctrl-C as it begins."""

    def call(*arguments: Any, **options: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return function(*arguments, **options)

    return call


def test_a_search_that_is_done_logs_what_mlflow_did_not_take(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise ConnectionError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowWriter, "write_trial", refuse)
        first = nas("search", job)
    assert first.exit_code == 0, first.output
    assert "MLflow does not have 4 trials, the front" in plain(first)
    assert "the champion, the end of the parent run yet; to log them: nas search " in plain(first)
    assert behind(job) == 4
    assert "4 trials behind" in plain(nas("status", "small", "--store", job.parent / "store"))

    monkeypatch.setitem(MlflowTracker.__init__.__kwdefaults__, "flush_seconds", 60.0)  # type: ignore[arg-type]
    published: list[int] = []
    publish = Session.write_champion
    monkeypatch.setattr(
        Session,
        "write_champion",
        lambda self, champion, *rest: (published.append(champion.number), publish(self, champion, *rest)),
    )
    again = nas("search", job, "--resume")
    assert again.exit_code == 0, again.output
    assert "all 4 trials are done" in plain(again)
    assert "does not have" not in plain(again)
    parent, trials = runs(job)
    assert sorted(trials) == [0, 1, 2, 3]
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["champion"] == str(published[0])
    assert behind(job) == 0
    assert nas("search", job, "--resume").exit_code == 0
    assert len(published) == 1, "what has been published is not made again"


def test_ctrl_c_while_mlflow_catches_up_ends_the_run_and_leaves_the_rest(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = MlflowWriter.write_trial
    with monkeypatch.context() as patch:
        patch.setattr(MlflowWriter, "write_trial", lambda *given: (time.sleep(1.0), write(*given))[1])
        patch.setattr(_search, "_caught_up", interrupted(_search._caught_up))
        first = nas("search", job)
    assert first.exit_code == 0, first.output
    assert "trials, the front" in plain(first)
    assert "the end of the parent run" not in plain(first)
    assert "the champion yet; to log them: nas search " in plain(first)
    assert runs(job)[0].info.status == "FINISHED"
    assert behind(job) > 0
    monkeypatch.setitem(MlflowTracker.__init__.__kwdefaults__, "flush_seconds", 60.0)  # type: ignore[arg-type]
    assert nas("search", job, "--resume").exit_code == 0
    assert sorted(runs(job)[1]) == [0, 1, 2, 3]


def test_ctrl_c_while_the_front_is_timed_again_stops(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MlflowTracker.__init__.__kwdefaults__, "flush_seconds", 60.0)  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        patch.setattr(_search.SearchRun, "_retimed", interrupted(_search.SearchRun._retimed))
        first = nas("search", job)
    assert first.exit_code == 1, first.output
    assert "stopping as soon as this is done; Ctrl-C again leaves at once" in plain(first)
    assert "stopped; 4 complete trials are kept" in plain(first)
    assert runs(job)[0].info.status == "KILLED"
    again = nas("search", job, "--resume")
    assert again.exit_code == 0, again.output
    assert "all 4 trials are done" in plain(again)
    parent, _ = runs(job)
    assert parent.info.status == "FINISHED"
    assert "champion" in parent.data.tags
    assert behind(job) == 0


@pytest.mark.timeout(240)  # it would wait for an hour
def test_a_search_that_pauses_says_so_before_mlflow_and_does_not_wait_for_it(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MlflowTracker.__init__.__kwdefaults__, "flush_seconds", 3600.0)  # type: ignore[arg-type]
    module = importlib.import_module("nas.search")  # `nas.search` is also a function
    search_on, caught_up = module.run_search, _search._caught_up
    said: list[tuple[str, str]] = []

    def fail(*given: Any, **options: Any) -> None:
        search_on(*given, **options)
        raise StorageError("the disk of study 'small' failed: no space")

    def refuse(*given: Any) -> None:
        raise ConnectionError("connection refused")

    def then(*given: Any, **how: Any) -> None:
        said.append(("then", ""))
        caught_up(*given, **how)

    with monkeypatch.context() as patch:
        patch.setattr(module, "run_search", fail)
        patch.setattr(MlflowWriter, "write_trial", refuse)
        patch.setattr(_tracker, "_LAST_SECONDS", 0.1)
        patch.setattr(_patience, "_say", lambda text, event: said.append((event, text)))
        caught_up = _search._caught_up
        patch.setattr(
            _search, "_caught_up", lambda *given, **how: (said.append(("then", "")), caught_up(*given, **how))
        )
        first = nas("search", job)
    assert first.exit_code == 1, first.output
    assert said == [("storage_failed", "the disk of study 'small' failed: no space"), ("then", "")]
    assert "MLflow does not have 4 trials" in plain(first)
    assert nas("search", job, "--resume").exit_code == 0
    assert sorted(runs(job)[1]) == [0, 1, 2, 3]


def test_the_status_follows_the_catching_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_search, "_NOTE_SECONDS", 0.0)
    status = tmp_path / "status.json"
    status.write_text(json.dumps({"format": 1, "study": "small", "state": "finished", "mlflow_behind": 9}))

    class Tracker(NullTracker):
        def finish(self, status: Ending = "FINISHED", waiting: Callable[[int], bool] | None = None) -> int:
            assert waiting is not None
            for left in (7, 5):
                assert waiting(left)
                seen.append(json.loads((tmp_path / "status.json").read_text())["mlflow_behind"])
            return 3

    seen: list[int] = []
    _search._caught_up(Tracker(), "FINISHED", Stop(), tmp_path, "nas search x --resume")
    assert seen == [7, 5]
    assert json.loads(status.read_text()) == {"format": 1, "study": "small", "state": "finished", "mlflow_behind": 3}
