"""What is logged of a trial, and what must never be."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nas.graph import random_dag
from nas.tracking.mlflow._record import CURVE_POINTS, parameters, readable, trial_record
from nas.training.types import Candidate, Genome, TrialResult, TrialStatus

DAG = random_dag(6, 8, 3, n_edges=40, rng=np.random.default_rng(0))
CANDIDATE = Candidate(12, Genome(DAG, {"learning_rate": 0.005}), seed=3, steps=200, parent=4, mutation="add 2 edges")
JOB = {"training.learning_rate": 0.002, "training.activation": "relu", "search.trials": 5}


def result(**changes: object) -> TrialResult:
    steps = np.arange(0, 201)
    history = {"step": steps, "loss": np.exp(-steps / 50), "bad": np.full(201, np.nan), "odd": np.ones(3)}
    done = TrialResult(12, TrialStatus.COMPLETE, {"val_accuracy": 0.5, "edges": 7.0}, history=history, seconds=2.0)
    return replace(done, **changes)


def test_parameters_are_the_jobs_with_the_genomes_over_them() -> None:
    params = trial_record("s", CANDIDATE, result(), JOB)["params"]
    expected = {"learning_rate": "0.005", "activation": "relu", "steps": "200", "seed": "3"}
    assert params == expected | {"inputs": "6", "outputs": "3"}


def test_curves_are_thin_and_finite() -> None:
    curves = trial_record("s", CANDIDATE, result(), JOB)["curves"]
    assert set(curves) == {"curve/loss"}
    points = curves["curve/loss"]
    assert len(points) == CURVE_POINTS and points[0][0] == 0 and points[-1][0] == 200
    assert points[-1][1] == pytest.approx(np.exp(-4), rel=1e-5)


def test_metrics_without_a_number_are_left_out() -> None:
    metrics = {"val_loss": float("nan"), "edges": float("inf"), "depth": 3.0}
    assert trial_record("s", CANDIDATE, result(metrics=metrics), JOB)["metrics"] == {"depth": 3.0}


def test_hardware_is_told_where_it_differs() -> None:
    done = result(hardware={"processor": "abacus", "threads": 1, "torch": "2.13", "cores": 4})
    usual = {"processor": "abacus", "threads": "1", "torch": "2.13", "cores": "2"}
    tags = trial_record("s", CANDIDATE, done, JOB, usual)["tags"]
    hardware = {key: value for key, value in tags.items() if key.startswith("hardware.")}
    assert hardware == {"hardware.processor": "abacus", "hardware.threads": "1", "hardware.cores": "4"}


def test_failure_is_told() -> None:
    failed = result(status=TrialStatus.FAILED, reason="loss became NaN", metrics={}, history={})
    record = trial_record("s", CANDIDATE, failed, JOB)
    assert record["failed"] and record["name"] == "#012 failed: loss became NaN"
    assert record["tags"]["reason"] == "loss became NaN"
    assert "loss became NaN" in record["tags"]["mlflow.note.content"]


def test_record_is_json_and_stays_the_same() -> None:
    record = trial_record("s", CANDIDATE, result(hardware={"threads": 1, "gpu": False}), JOB)
    again = json.loads(json.dumps(record))
    assert again["metrics"] == record["metrics"] and again["tags"] == record["tags"]
    assert record["tags"]["hardware.threads"] == "1" and record["tags"]["parent_trial"] == "4"


@pytest.mark.parametrize(
    "secret",
    [
        {"uri": "postgresql+psycopg2://me:hunter2@db:5432/x"},
        {"uri": "http://me:hun@ter2/hunter2@host/x"},
        {"deep": {"password": "hunter2"}},
        {"AWS_SECRET_ACCESS_KEY": "hunter2"},
        {"uri": "https://host/x?user=me&password=hunter2&z=1"},
        {"list": ["http://me:hunter2@host"]},
    ],
)
def test_secrets_are_not_logged(secret: dict[str, object]) -> None:
    assert "hunter2" not in str(parameters(secret))


def test_names_and_values_suit_mlflow() -> None:
    assert parameters({"a$b": "x" * 99_999, "unset": None}) == {"a_b": "x" * 6000}


@pytest.mark.parametrize(("value", "shown"), [(0.97611252, 0.976113), (1234567.0, 1234567.0), (3.2e-4 / 3, 1.06667e-4)])
def test_six_digits(value: float, shown: float) -> None:
    assert readable(value) == shown
