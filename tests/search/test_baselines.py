"""What a search is compared with: found on data where it is known which one wins, once a study, whatever goes wrong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.search import (
    Baseline,
    Baselines,
    SerialExecutor,
    StudyStore,
    baseline_seconds,
    record_baselines,
    train_baselines,
)
from nas.search.baselines import run as module
from nas.search.baselines._models import Clock, Fitted
from nas.training import Dataset
from tests.search.conftest import TRAINING

NAMES = ("linear", "boosting", "mlp")


def classes(
    x: np.ndarray, y: np.ndarray, count: int, *, train: Callable[[np.ndarray], np.ndarray] | None = None
) -> Dataset:
    """60 % to train, 20 % each to validate and test; `train` says which classes the training part keeps."""
    x, y = x.astype(np.float32), y.astype(np.int64)
    first, second = int(0.6 * len(x)), int(0.8 * len(x))
    kept = np.arange(first) if train is None else np.flatnonzero(train(y[:first]))
    return Dataset(
        "made", "classification", x[kept], y[kept], x[first:second], y[first:second], x[second:], y[second:],
        classes=tuple(map(str, range(count))),
    )  # fmt: skip


def values(x: np.ndarray, y: np.ndarray) -> Dataset:
    x, y = x.astype(np.float32), y.astype(np.float32)
    first, second = int(0.6 * len(x)), int(0.8 * len(x))
    return Dataset(
        "made", "regression", x[:first], y[:first], x[first:second], y[first:second], x[second:], y[second:]
    )  # fmt: skip


def by_name(baselines: Baselines) -> dict[str, Baseline]:
    return {each.name: each for each in baselines.members}


def errors(baselines: Baselines, part: str = "test") -> dict[str, float]:
    return {each.name: each.metrics[f"{part}_error"] for each in baselines.members}


def test_a_linear_model_is_perfect_where_a_plane_separates() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 6))
    score = x @ np.array([2.0, -1.0, 0.5, 0, 0, 0])
    far = np.abs(score) > 0.3
    found = by_name(train_baselines(classes(x[far], score[far] > 0, 2), TRAINING, seconds=10))
    assert found["linear"].metrics["test_accuracy"] == 1.0
    assert found["linear"].label == "logistic regression"
    assert found["linear"].metrics["edges"] == 6  # as one output has, not two
    assert found["boosting"].metrics["test_accuracy"] < 1.0


def test_boosting_wins_on_thresholds_among_noise() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (1000, 30))
    found = errors(
        train_baselines(classes(x, (np.abs(x[:, 0]) < 0.3) ^ (np.abs(x[:, 1]) < 0.5), 2), TRAINING, seconds=10)
    )
    assert found["boosting"] < 0.08
    assert found["boosting"] < found["mlp"] - 0.03
    assert found["linear"] > 0.3


def test_a_perceptron_wins_where_features_multiply() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    y = np.stack([x[:, 0] * x[:, 1], x.sum(axis=1)], axis=1)
    baselines = train_baselines(values(x, y), TRAINING, seconds=10)
    found = errors(baselines)
    assert found["mlp"] < min(found["linear"], found["boosting"])
    for each in baselines.members:
        assert not each.reason
        assert each.metrics["test_r2"] <= 1
        assert {"val_error", "val_loss", "inference_seconds", "edges", "training_seconds"} <= each.metrics.keys()
        assert each.metrics["inference_seconds"] > 0
    assert by_name(baselines)["linear"].metrics["edges"] == 6
    assert by_name(baselines)["linear"].label == "ridge regression"


@pytest.mark.parametrize(
    "dataset",
    [
        classes(np.linspace(-1, 1, 60)[:, None], np.arange(60) % 2, 2),
        classes(np.random.default_rng(0).standard_normal((15, 3)), np.arange(15) % 3, 3),
        values(np.linspace(-1, 1, 40)[:, None], np.linspace(-1, 1, 40)[:, None]),
        values(np.random.default_rng(0).standard_normal((40, 2)), np.zeros((40, 1))),
    ],
    ids=["one feature", "few samples", "one feature, one value", "constant targets"],
)
def test_small_data(dataset: Dataset) -> None:
    for each in train_baselines(dataset, TRAINING, seconds=0.5).members:
        assert not each.reason, each
        assert np.isfinite(list(each.metrics.values())).all()


def test_classes_that_the_training_part_lacks_are_never_predicted() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4))
    y = (x[:, 0] > 0).astype(int) + 2 * (x[:, 1] > 1)
    dataset = classes(x, y, 4, train=lambda y: y != 2)
    share = float((dataset.y_test == 2).mean())
    assert share > 0
    for each in train_baselines(dataset, TRAINING, seconds=2).members:
        assert not each.reason
        assert share - 1e-9 <= each.metrics["test_error"] < share + 0.35


def test_one_class_is_said_to_be_none() -> None:
    x = np.random.default_rng(0).standard_normal((60, 2))
    dataset = classes(x, np.arange(60) % 2, 2, train=lambda y: y == 0)
    found = train_baselines(dataset, TRAINING, seconds=1)
    assert [each.reason for each in found.members] == ["the training part holds samples of one class only"] * 3
    assert found.found == ()


def test_a_failure_is_a_line(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    def broken(data: Dataset, clock: Clock, seed: int) -> tuple[Fitted, int]:
        raise MemoryError("no room\nat all")

    monkeypatch.setattr(module, "_KINDS", {**module._KINDS, "boosting": (broken, 0.5)})
    found = by_name(train_baselines(dataset, TRAINING, seconds=2))
    assert found["boosting"].reason == "no room at all"
    assert found["linear"].metrics["val_accuracy"] >= 0.8
    assert found["mlp"].metrics["edges"] > 0


def test_wide_data_takes_no_longer_than_it_may_and_says_what_was_left_out() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6000, 784))
    y = (x[:, :10] + x[:, 10:20]).argmax(axis=1)
    found = by_name(train_baselines(classes(x, y, 10), TRAINING, seconds=2))
    # Of process time; what cannot be interrupted comes on top, and without a bound it is minutes.
    assert sum(each.metrics["training_seconds"] for each in found.values()) < 30
    assert "of 3,600 samples" in " ".join(found["boosting"].notes)
    assert found["mlp"].notes
    for each in found.values():
        assert each.metrics["test_error"] < 0.9, each


def test_a_budget_of_an_hour_leaves_six_minutes() -> None:
    assert baseline_seconds(60) == 360
    assert baseline_seconds(None) == module._UNBOUNDED_SECONDS
    assert baseline_seconds(0.01) == 2


def test_a_study_trains_them_once(tmp_path: Path, dataset: Dataset) -> None:
    store = StudyStore.create(tmp_path, "study", seed=7)
    assert store.baselines() is None
    calls = []

    class Counting(SerialExecutor):
        def call(self, function: Callable[..., Any], *arguments: Any, **_: object) -> Any:
            calls.append(function)
            return super().call(function, *arguments)

    executor = Counting(dataset, TRAINING)
    first = record_baselines(store, executor, dataset, TRAINING, seconds=0.5)
    assert tuple(each.name for each in first.members) == NAMES
    again = StudyStore.open(tmp_path, "study")
    assert again.baselines() == first
    assert record_baselines(again, executor, dataset, TRAINING) == first
    assert len(calls) == 1
    assert again.counts() == {"running": 0, "complete": 0, "stopped": 0, "failed": 0}
    assert len(again.front()) == 0


def test_a_worker_that_dies_of_them_is_a_line_and_not_asked_again(tmp_path: Path, dataset: Dataset) -> None:
    class Dying(SerialExecutor):
        def call(self, function: Callable[..., Any], *arguments: Any, **_: object) -> Any:
            raise RuntimeError("the worker died 3 times")

    store = StudyStore.create(tmp_path, "study")
    found = record_baselines(store, Dying(dataset, TRAINING), dataset, TRAINING)
    assert {each.reason for each in found.members} == {"the worker died 3 times"}
    assert record_baselines(store, SerialExecutor(dataset, TRAINING), dataset, TRAINING) == found


def test_what_a_newer_version_kept_is_left_alone() -> None:
    kept = Baselines((Baseline("linear", "ridge", {"val_error": 0.5}, {"alpha": 1.0}, ("a", "b")),), 30, {"cores": 2})
    record = json.loads(json.dumps(kept.to_json()))
    assert Baselines.from_json(record) == kept
    assert Baselines.from_json({**record, "format": 2}) is None
    assert dataclasses.replace(kept, members=()).found == ()
