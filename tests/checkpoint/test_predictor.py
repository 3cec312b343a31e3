"""A checkpoint that takes raw features and gives labels, or targets in their own units."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import nas
from nas.checkpoint import UnlikeTrainingWarning, predicted_columns
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


def saved(path: Path, data: Dataset, /, **changes: Any) -> Path:
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


def test_predictions_are_called_what_the_targets_are() -> None:
    record = {"columns": {"targets": ["price €", "weight"]}}
    assert predicted_columns(record, 2) == ["prediction_price €", "prediction_weight"]
    assert predicted_columns(record, 1) == ["prediction"]
    assert (
        predicted_columns({}, 2)
        == predicted_columns({"columns": {"targets": ["a", "a"]}}, 2)
        == [
            "prediction_0",
            "prediction_1",
        ]
    )


def table(data: Dataset) -> pd.DataFrame:
    return pd.DataFrame(raw(data), columns=list("abcd"))


def test_columns_of_a_table_are_found_by_name(tmp_path: Path) -> None:
    data = dataset("classification")
    columns = {"named": True, "targets": ["tree"], "left_out": ["row"]}
    predictor = nas.Predictor.load(saved(tmp_path / "net.safetensors", data, columns=columns, data={"drop": ["note"]}))
    assert repr(predictor) == "<Predictor: classification, {} from a, b, c, d>".format(", ".join(data.classes))
    expected = predictor.outputs(raw(data))
    frame = table(data)
    for given in (
        frame,
        frame[["d", "b", "a", "c"]],
        frame.assign(tree="ash", row=range(60), note="x")[["note", "d", "tree", "c", "b", "a", "row"]],
        frame.astype("Float64"),
        frame.astype(object),
        frame.to_records(index=False),
        frame.to_dict("list"),
    ):
        np.testing.assert_array_equal(predictor.outputs(given), expected)
    np.testing.assert_array_equal(predictor.predict(frame[["d", "c", "b", "a"]]), predictor.predict(raw(data)))
    np.testing.assert_array_equal(
        predictor.probabilities(frame[["d", "c", "b", "a"]]), predictor.probabilities(raw(data))
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(e=1.0), "has 'e', which the network does not know; the network's inputs are 'a', 'b', 'c'"),
        (lambda f: f.drop(columns=["b", "d"]), "lacks 'b', 'd'; the network's inputs are"),
        (lambda f: f.rename(columns={"a": "A"}), "lacks 'a' and has 'A', which"),
        (lambda f: f.rename(columns=dict(zip("abcd", "wxyz", strict=True))), "lacks 'a', 'b', 'c', 'd' and has 'w'"),
        (lambda f: f.set_axis(range(4), axis=1), "lacks 'a', 'b', 'c', 'd' and has '0'"),
        (lambda f: f.rename(columns={"d": "a"}), "has 'a.1', which the network does not know"),
        (lambda f: f.assign(b=f.b.astype(str)), r"column 'b' must hold numbers, but is str"),
        (lambda f: f.assign(b="x", d="y"), "column 'b' must hold .*\ncolumn 'd' must hold"),  # all at once
        (lambda f: f.assign(b=pd.Timestamp("2020-01-01")), "column 'b' must hold numbers, but is datetime64"),
        (lambda f: f.assign(c=f.c.where(f.index != 3)), r"row 3 has nan in column 2 \('c'\)"),
        (lambda f: f[[]], "the table has no columns"),
        (lambda f: f.iloc[0].to_dict(), "a mapping must have a column of values for each name"),
    ],
)
def test_tables_with_other_columns_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    data = dataset("classification")
    predictor = nas.Predictor.load(saved(tmp_path / "net.safetensors", data))
    with pytest.raises(DataError, match=message):
        predictor.predict(change(table(data)))


def test_a_network_of_arrays_takes_columns_by_place(tmp_path: Path) -> None:
    data = dataset("regression")
    names = ["x0", "x1", "x2", "x3"]
    predictor = nas.Predictor.load(saved(tmp_path / "net.safetensors", data, feature_names=names))
    expected = predictor.predict(raw(data))
    frame = table(data)
    np.testing.assert_array_equal(predictor.predict(frame), expected)
    numbered = frame.set_axis(names, axis=1)
    np.testing.assert_array_equal(predictor.predict(numbered[names[::-1]]), expected)
    with pytest.raises(DataError, match="has some of these, not all"):
        predictor.predict(frame.rename(columns={"a": "x1"}))
    with pytest.raises(DataError, match="must have shape"):
        predictor.predict(frame[["a", "b"]])


def test_other_units_and_kinds_are_noticed(tmp_path: Path) -> None:
    data = dataset("classification")
    x = raw(data)
    columns = {
        "named": True,
        "kinds": ["number", "integer", "boolean", "number"],
        "low": [*x.min(axis=0).tolist()],
        "high": [*x.max(axis=0).tolist()],
    }
    predictor = nas.Predictor.load(saved(tmp_path / "net.safetensors", data, columns=columns))
    frame = table(data).assign(b=np.arange(60) % 3 - 1.0, c=np.arange(60) % 2 == 0)
    predictor.predict(frame)
    predictor.predict(frame[:1])
    for factor in (1e3, 1e-3):
        with pytest.warns(UnlikeTrainingWarning, match="feature 'a' is .* is it in other units"):
            predictor.predict(frame.assign(a=frame.a * factor))
    with pytest.warns(UnlikeTrainingWarning, match="feature 'b' is 0.5 and the like; .* whole numbers"):
        predictor.predict(frame.assign(b=0.5))
    with pytest.raises(DataError, match="feature 'c' was true or false in training, but has 2"):
        predictor.predict(frame.assign(c=2))


@pytest.mark.parametrize("dtype", ["datetime64[s]", "complex128", "U8", "object"])
def test_arrays_that_numpy_would_convert_are_refused(tmp_path: Path, dtype: str) -> None:
    predictor = nas.Predictor.load(saved(tmp_path / "net.safetensors", dataset("classification")))
    values = np.full((2, 4), "1", dtype=object) if dtype == "object" else np.zeros((2, 4), dtype=dtype)
    with pytest.raises(DataError, match="features must be numbers, but are of type"):
        predictor.predict(values)


def test_what_is_behind_a_mask_is_no_feature(tmp_path: Path) -> None:
    data = dataset("classification")
    predictor = nas.Predictor.load(saved(tmp_path / "net.safetensors", data))
    values = raw(data)
    with pytest.raises(DataError, match="3 features are masked"):
        predictor.predict(np.ma.array(values, mask=np.arange(values.size).reshape(values.shape) < 3))
    np.testing.assert_array_equal(predictor.outputs(np.ma.array(values)), predictor.outputs(values))
