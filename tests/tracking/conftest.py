"""A migrated, empty MLflow database (making one takes seconds), and trackers that do not wait."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.tracking import MlflowTracker, TrackingConfig
from nas.tracking.mlflow import tracker as _tracker
from nas.tracking.mlflow.writer import new_client

JOB = {
    "training": {"learning_rate": 0.002, "activation": "relu", "losses": {"flow": 1e-4}},
    "search": {"strategy": "evolution", "trials": 9},
}


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    new_client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def config(tmp_path: Path, empty_database: Path) -> TrackingConfig:
    store = tmp_path / "store"
    store.mkdir()
    shutil.copy(empty_database, store / "mlflow.db")
    return TrackingConfig(experiment="study", store=store)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once, and draw the front only when the search ends."""
    monkeypatch.setattr(_tracker, "_BACKOFF", (0.01, 0.05))
    monkeypatch.setattr(_tracker, "_FRONT_SECONDS", 1e6)


@pytest.fixture
def tracker(config: TrackingConfig) -> Callable[..., MlflowTracker]:
    def make(**kwargs: object) -> MlflowTracker:
        settings = {"job_params": JOB, "hardware": {"processor": "abacus", "threads": 1}} | kwargs
        return MlflowTracker(config, **settings)

    return make
