"""Class weights: how often rows of the training part are repeated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import DataError
from nas.training import DataConfig, read_data
from nas.training.data._weights import weighted_rows


@given(st.lists(st.integers(0, 3), min_size=4, max_size=200), st.integers(0, 5))
def test_balanced_classes_count_alike_and_every_row_counts(labels: list[int], seed: int) -> None:
    y = np.array(labels)
    rows = weighted_rows(y, ("a", "b", "c", "d"), "balanced", "t", seed)
    counts = np.bincount(y[rows], minlength=4)[np.bincount(y, minlength=4) > 0]
    assert counts.max() - counts.min() <= 1
    assert {*rows} == {*range(len(y))}


def test_stated_weights_are_ratios() -> None:
    y = np.array([0] * 40 + [1] * 10)
    rows = weighted_rows(y, ("no", "yes"), {"yes": 2.5}, "t", 0)
    assert np.bincount(y[rows]).tolist() == [40, 25]
    least, most = np.bincount(rows, minlength=50)[40:].min(), np.bincount(rows, minlength=50)[40:].max()
    assert (least, most) == (2, 3)


def test_no_class_goes_away_however_little_it_counts() -> None:
    y = np.array([0] * 40 + [1] * 10)
    counts = np.bincount(y[weighted_rows(y, ("no", "yes"), {"yes": 1e4, "no": 1e-4}, "t", 0)])
    assert counts[0] == 1 and counts[1] > 900


def test_the_other_parts_stay_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=400), "kind": ["rare"] * 24 + ["often"] * 376})
    frame.to_csv(tmp_path / "t.csv", index=False)
    plain = read_data(DataConfig(source=str(tmp_path / "t.csv"))).dataset
    found = read_data(DataConfig(source=str(tmp_path / "t.csv"), class_weight="balanced"))
    weighted = found.dataset
    assert np.bincount(weighted.y_train).tolist() == [np.bincount(plain.y_train).max()] * 2
    assert np.array_equal(weighted.x_test, plain.x_test) and np.array_equal(weighted.x_val, plain.x_val)
    assert any(each.about == "class weights" and "balanced" in each.words for each in found.findings)
    with pytest.raises(DataError, match="names 'rar', but the classes are often, rare"):
        read_data(DataConfig(source=str(tmp_path / "t.csv"), class_weight={"rar": 2}))
    with pytest.raises(DataError, match="class_weight is for classification"):
        read_data(DataConfig(source=str(tmp_path / "t.csv"), target="a", class_weight="balanced"))


@pytest.mark.parametrize("key", [1, 1.0, True, np.int64(1), np.float64(1), np.bool_(True), "x"])
def test_labels_may_be_named_by_what_the_target_holds(key: object) -> None:
    names = {1: "1", "x": "x"} | ({True: "True"} if isinstance(key, bool | np.bool_) else {})
    assert DataConfig.model_validate({"source": "digits", "class_weight": {key: 3}}).class_weight == {names[key]: 3}  # type: ignore[index]
    with pytest.raises(ValueError, match="'1' is given twice"):
        DataConfig.model_validate({"source": "digits", "class_weight": {1: 3, "1": 2}})
