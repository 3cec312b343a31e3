"""A checkpoint that takes raw features and gives labels, or targets in their own units."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nas
from nas.engine import DAGModule
from nas.errors import CheckpointError, DataError
from nas.graph import random_dag
from nas.training import Dataset, Statistics


def dataset(task: str) -> Dataset:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    classifies = task == "classification"
    y = rng.integers(0, 3, 60) if classifies else rng.normal(size=(60, 3)).astype(np.float32)
    return Dataset(
        "made up", task, x, y, x, y, x, y,  # type: ignore[arg-type]
        classes=("ash", "birch", "cedar") if classifies else (),
        feature_names=("a", "b", "c", "d"),
        mean=np.array([10.0, 0.0, -3.0, 2.0]),
        scale=np.array([2.0, 1.0, 0.1, 5.0]),
        target_mean=None if classifies else np.array([1.0, 2.0, 3.0]),
        target_scale=None if classifies else np.array([10.0, 1.0, 0.5]),
    )  # fmt: skip


def saved(path: Path, data: Dataset, **changes: Any) -> Path:
    dag = random_dag(4, 6, 3, n_edges=30, rng=np.random.default_rng(2))
    record = {
        "task": data.task,
        "feature_names": data.feature_names,
        "statistics": dataclasses.asdict(Statistics.of(data)),
        **changes,
    }
    nas.save(path, DAGModule(dag, generator=torch.Generator().manual_seed(3)), record)
    return path


def raw(data: Dataset) -> np.ndarray:
    assert data.mean is not None and data.scale is not None
    values: np.ndarray = data.x_test.astype(np.float64) * data.scale + data.mean
    return values


def test_labels_and_probabilities(tmp_path: Path) -> None:
    data = dataset("classification")
    path = saved(tmp_path / "net.safetensors", data)
    predictor = nas.Predictor.load(path)
    expected = nas.load(path)(torch.from_numpy(data.x_test)).detach().numpy()
    np.testing.assert_allclose(predictor.outputs(raw(data)), expected, atol=1e-5)
    labels = predictor.predict(raw(data))
    assert list(labels) == [data.classes[place] for place in expected.argmax(axis=1)]
    shares = predictor.probabilities(raw(data))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert [predictor.classes[place] for place in shares.argmax(axis=1)] == list(labels)
    assert predictor.feature_names == ("a", "b", "c", "d")
    assert predictor.predict(np.zeros((0, 4))).shape == (0,)


def test_targets_have_their_own_units(tmp_path: Path) -> None:
    data = dataset("regression")
    predictor = nas.Predictor.load(saved(tmp_path / "net.safetensors", data))
    outputs = predictor.outputs(raw(data))
    np.testing.assert_allclose(predictor.predict(raw(data)), outputs * [10.0, 1.0, 0.5] + [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="a regression has no classes"):
        predictor.probabilities(raw(data))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros(4), r"shape \(samples, 4\), but have \(4,\)"),
        (np.zeros((2, 5)), r"shape \(samples, 4\), but have \(2, 5\)"),
        (np.array([[1.0, 2.0, np.nan, 0.0]]), "row 0 has nan in column 2"),
        (np.array([["a", "b", "c", "d"]]), "must be numbers"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, features: np.ndarray, message: str) -> None:
    predictor = nas.Predictor.load(saved(tmp_path / "net.safetensors", dataset("classification")))
    with pytest.raises(DataError, match=message):
        predictor.predict(features)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"statistics": None}, "does not say how its data was scaled"),
        ({"task": "guessing"}, "does not say how its data was scaled"),
        ({"statistics": {"mean": [1.0], "classes": ["a", "b", "c"]}}, "mean .* must be 4 finite numbers"),
        ({"statistics": {"mean": ["x"] * 4, "classes": ["a", "b", "c"]}}, "must be numbers"),
        ({"statistics": {"scale": [1, 0, 1, 1], "classes": ["a", "b", "c"]}}, "scale .* must be positive"),
        ({"statistics": {"classes": ["a", "b"]}}, "names 2 classes for 3 outputs"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = saved(tmp_path / "net.safetensors", dataset("classification"), **changes)
    with pytest.raises(CheckpointError, match=message):
        nas.Predictor.load(path)
