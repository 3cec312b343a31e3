"""Baselines as a user sees them: below the front, in JSON, in MLflow; once a study; off where they are not wanted."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nas.cli import app
from nas.search import StudyStore
from nas.search.baselines import run as module

JOB = """
data: {source: iris}
space: {name: neuron_dag, options: {n_computational: 5, density: 0.3}}
search: {trials: 3, objectives: [error, edges]}
training: {steps: 20, batch_size: 32, log_every: 10}
resources: {executor: serial}
tracking: {experiment: small}
"""


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "job.yaml").write_text(JOB)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    return tmp_path


def nas(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), prog_name="nas")


def test_a_search_shows_them_and_trains_them_once(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    done = nas("search", "job.yaml")
    assert done.exit_code == 0, done.output
    for label in ("baseline ", "logistic regression ", "gradient boosting ", "dense MLP "):
        assert f"\n{label}" in done.output
    assert "the most accurate member" in done.output.lower()
    assert "3 done, 0 running, 0 failed of 3" in done.output
    found = json.loads(nas("front", "small", "--json").stdout)
    assert [each["name"] for each in found["baselines"]] == ["linear", "boosting", "mlp"]
    assert found["verdict"] and " ".join(found["verdict"].split()) in " ".join(done.output.split())
    assert found["trials"]["complete"] == 3
    table = nas("front", "small").output
    assert "\ngradient boosting " in table

    client = MlflowClient(f"sqlite:///{quick / 'nas-runs' / 'mlflow.db'}")
    (experiment,) = [each for each in client.search_experiments() if each.name == "small"]
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "trial" not in run.data.tags]
    linear = found["baselines"][0]["metrics"]
    assert parent.data.metrics["baseline_linear_test_error"] == pytest.approx(linear["test_error"], rel=1e-5)
    assert "| logistic regression |" in parent.data.tags["mlflow.note.content"]
    assert found["verdict"] in parent.data.tags["mlflow.note.content"]
    assert len(runs) == 4

    def again(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(module, "train_baselines", again)
    resumed = nas("search", "job.yaml", "--resume", "--trials", "4")
    assert resumed.exit_code == 0, resumed.output
    assert "\nlogistic regression " in resumed.output
    assert json.loads(nas("front", "small", "--json").stdout)["baselines"] == found["baselines"]


def test_off_and_on_again(quick: Path) -> None:
    off = nas("search", "job.yaml", "--set", "search.baselines=false", "--set", "tracking.mlflow=false")
    assert off.exit_code == 0, off.output
    assert "logistic regression" not in off.output
    assert StudyStore.open(quick / "nas-runs", "small").baselines() is None
    assert json.loads(nas("front", "small", "--json").stdout)["baselines"] == []
    on = nas("search", "job.yaml", "--resume", "--set", "tracking.mlflow=false")
    assert on.exit_code == 0, on.output
    assert "\nlogistic regression " in on.output


def test_a_failure_ends_no_search(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("no [way] to fit")

    monkeypatch.setattr(module, "_KINDS", {name: (broken, share) for name, (_, share) in module._KINDS.items()})
    done = nas("search", "job.yaml", "--set", "tracking.mlflow=false")
    assert done.exit_code == 0, done.output
    assert "gradient boosting failed: no [way] to fit" in done.output
    assert nas("export", "small", "--out", "best.safetensors").exit_code == 0
