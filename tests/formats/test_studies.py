"""Studies of every strategy, space, storage and executor, as former programs kept them, and as this one does."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

import nas
from nas.cli._standing import standing
from nas.search import StudyStore
from tests.formats.layout import new_and_gone, of_mlflow, of_study
from tests.formats.write import ROWS, STUDIES, run, write_study

ALL = Path(__file__).parent / "studies"
LABELS = sorted(path.name for path in ALL.iterdir())
KEPT = [(label, path.name) for label in LABELS for path in sorted((ALL / label).iterdir())]


def laid(label: str, name: str, folder: Path) -> None:
    """The study `name` as it was kept, with its databases, in `folder`."""
    shutil.copytree(ALL / label / name, folder, dirs_exist_ok=True)
    for text in folder.rglob("*.sql"):
        with closing(sqlite3.connect(text.with_suffix(".db"))) as database:
            database.executescript(text.read_text())


def opened(name: str, folder: Path) -> StudyStore:
    return StudyStore.open(folder / "nas-runs", name, storage=STUDIES[name]["tracking"].get("storage"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where nothing that this machine or its user has set reaches."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("NAS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("NAS_CALIBRATION", str(tmp_path / "none.json"))
    return tmp_path


@pytest.mark.parametrize(("label", "name"), KEPT)
def test_a_study_of_every_kind_is_whole_and_goes_on(label: str, name: str, here: Path) -> None:
    laid(label, name, here)
    study = opened(name, here)
    study.verify()
    trials = STUDIES[name]["search"]["trials"]
    assert study.counts() == {"running": 0, "complete": trials, "stopped": 0, "failed": 0}
    for record in study.records():
        result = study.load_result(record.number)
        assert record.result is not None and dict(result.metrics) == dict(record.result.metrics)
        assert study.load_candidate(record.number).seed == record.seed
        assert study.evidence(record.number) is not None
    shown = standing(study.folder, study.counts())
    assert (shown["state"], shown["complete"], shown["front"]) == ("finished", trials, len(study.front()))
    job = json.loads(Path(f"{name}.yaml").read_text())
    Path(f"{name}.yaml").write_text(json.dumps({**job, "resources": {"executor": "serial"}}))
    front = set(study.front().numbers)
    run("search", f"{name}.yaml", "--resume", "--trials", str(trials + 1))
    again = opened(name, here)
    again.verify()
    assert again.identity == study.identity
    assert [record.number for record in again.records()] == list(range(trials + 1))
    assert front & set(again.front().numbers) or trials in again.front().numbers
    where = ["--storage", storage] if (storage := STUDIES[name]["tracking"].get("storage")) else []
    run("export", name, "--out", "network.safetensors", *where)
    assert nas.load("network.safetensors").record["study"] == name


@pytest.mark.parametrize("label", LABELS)
def test_runs_and_registered_model_of_every_version_are_gone_on_with(label: str, here: Path) -> None:
    laid(label, "sampled", here)
    address = f"sqlite:///{here}/nas-runs/mlflow.db"

    def runs() -> dict[str, dict[str, str]]:
        client = MlflowClient(address)
        experiment = client.get_experiment_by_name("sampled")
        assert experiment is not None
        return {run.info.run_id: run.data.tags for run in client.search_runs([experiment.experiment_id])}

    before = runs()
    run("search", "sampled.yaml", "--resume", "--trials", "5")
    after = runs()
    assert before.keys() <= after.keys() and len(after) == len(before) + 1  # the trial that is new
    default = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(address)
    try:
        model = mlflow.pyfunc.load_model("models:/sampled@champion")
    finally:
        mlflow.set_tracking_uri(default)
    assert len(model.predict(pd.DataFrame(ROWS))) == 3


@pytest.mark.parametrize(
    "name", [name for name in STUDIES if STUDIES[name].get("resources", {}).get("executor") != "ray"]
)
def test_what_is_kept_today_is_among_what_is_kept_here(name: str, here: Path) -> None:
    (here / "then").mkdir()
    (here / "now").mkdir()
    laid(LABELS[-1], name, here / "then")
    os.chdir("now")
    write_study(name, here / "now")
    storage = STUDIES[name]["tracking"].get("storage")
    found = []
    for folder in (here / "then", here / "now"):
        os.chdir(folder)
        found.append(of_study(folder / "nas-runs", name, storage))
        if STUDIES[name]["tracking"].get("mlflow", True):
            found[-1] |= of_mlflow(folder / "nas-runs", name)
    new, gone = new_and_gone(*found)
    assert not new and not gone, (
        f"formats have changed: new {new}, gone {gone}; read what was written before, then keep what is written now: "
        "python -m tests.formats.write studies VERSION-WHAT"
    )
