"""Labels keep their spelling; what targets are taken for has a reason that is said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas.errors import DataError
from nas.training import DataConfig, Statistics, load_data, read_data

RNG = np.random.default_rng(6)


def write(tmp_path: Path, targets: list[object]) -> str:
    frame = pd.DataFrame({"a": RNG.normal(size=len(targets)), "b": RNG.normal(size=len(targets)), "y": targets})
    frame.to_csv(tmp_path / "t.csv", index=False)
    return str(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["01", "1", "001"], ("001", "01", "1")),
        (["None", "NA", "null", "nan", "NaN"], ("NA", "NaN", "None", "nan", "null")),
        (["1", "NA"], ("1", "NA")),
        ([" a", "a"], (" a", "a")),
        (["True", "false"], ("True", "false")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["1.50", "x"], ("1.50", "x")),
        (["+1", "1"], ("+1", "1")),
    ],
)
def test_labels_keep_their_text(tmp_path: Path, labels: list[object], classes: tuple[str, ...]) -> None:
    source = write(tmp_path, labels * 20)
    data = load_data(DataConfig(source=source))
    assert data.task == "classification"
    assert data.classes == classes
    counts = np.bincount(np.concatenate([data.y_train, data.y_val, data.y_test]))
    assert counts.tolist() == [20] * len(classes)


def test_classes_of_floats_are_as_the_file_has_them(tmp_path: Path) -> None:
    source = write(tmp_path, ["1.0", "2.50"] * 20)
    assert load_data(DataConfig(source=source)).task == "regression"
    assert load_data(DataConfig(source=source, task="classification")).classes == ("1.0", "2.50")


@pytest.mark.parametrize(
    ("targets", "task", "reason"),
    [
        (list(range(18, 79)) * 5, "regression", "61 different integers; up to 20 would be classes"),
        (list(range(20)) * 3, "regression", "20 different integers in 60 samples are too rare"),
        (list(range(20)) * 9, "classification", "20 different integers"),
        ([0.0, 1.0] * 30, "regression", "decimal numbers, although whole"),
        (["01", "02"] * 30, "classification", "such as '01' are codes"),
        ([f"{k:03}" for k in range(30)] * 9, "classification", "such as '000' are codes"),
        (["a", "b"] * 30, "classification", "text"),
    ],
)
def test_the_task_and_its_reason(tmp_path: Path, targets: list[object], task: str, reason: str) -> None:
    source = write(tmp_path, targets)
    found = read_data(DataConfig(source=source))
    assert found.dataset.task == task
    said = next(each for each in found.findings if each.about == "task")
    assert said.words.startswith(f"{task}: ") and reason in said.words
    assert said.key == "data.task"


def test_the_job_overrides_the_task(tmp_path: Path) -> None:
    source = write(tmp_path, list(range(18, 43)) * 9)
    assert len(load_data(DataConfig(source=source, task="classification")).classes) == 25
    with pytest.raises(DataError, match="holds 'x' in row 1 .* regression needs numbers"):
        load_data(DataConfig(source=write(tmp_path, ["1", "x"] * 30), task="regression"))


@pytest.mark.parametrize(
    ("y", "outcome"),
    [
        (np.array([b"ash", b"fir"] * 20), ("ash", "fir")),
        (np.array([True, False] * 20), ("False", "True")),
        (np.array(["a", None] * 20, dtype=object), "label in row 1 .* is empty"),
        (np.array(["a", float("nan")] * 20, dtype=object), "label in row 1 .* is empty"),
        (np.array([1, "1"] * 20, dtype=object), "y holds int, str; give numbers, or text"),
        (np.array([1, 2] * 20, dtype=object), ("1", "2")),
        (np.array(["a", ""] * 20), "label in row 1 .* is empty"),
        (np.array(["2020-01-01", "2020-01-02"] * 20, dtype="datetime64[D]"), "type datetime64"),
        (np.array(3), "one row each"),
    ],
)
def test_labels_of_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, y: np.ndarray, outcome: tuple[str, ...] | str
) -> None:
    import sys
    import types

    module = types.ModuleType("labels_of_arrays")
    module.give = lambda: (np.random.default_rng(0).normal(size=(40, 2)), y)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "labels_of_arrays", module)
    config = DataConfig(source="labels_of_arrays:give")
    if isinstance(outcome, tuple):
        assert load_data(config).classes == outcome
    else:
        with pytest.raises(DataError, match=outcome):
            load_data(config)


def test_a_known_class_is_found_by_text_and_then_by_number(tmp_path: Path) -> None:
    trained = Statistics.of(load_data(DataConfig(source=write(tmp_path, ["1", "2"] * 30))))
    floats = load_data(
        DataConfig(source=write(tmp_path, ["1.0", "2.0"] * 30), task="classification"), statistics=trained
    )
    assert floats.classes == ("1", "2")
    with pytest.raises(DataError, match="label '01' in the train part is unknown"):
        load_data(DataConfig(source=write(tmp_path, ["01", "2"] * 30)), statistics=trained)


def test_large_whole_numbers_are_no_other_writing_of_each_other() -> None:
    from nas.training.data._labels import unlike_labels

    assert unlike_labels(["9007199254740993", "9007199254740992"]) == []
    assert len(unlike_labels(["1", "01", "1.0", "a", "A ", "b"])) == 2
