"""What people hold in memory or have functions return, in the forms that they have it in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse
import torch
from sklearn.datasets import load_diabetes, load_wine
from torch.utils.data import TensorDataset

from nas._given_data import GivenData, data_section
from nas.errors import DataError
from nas.training import DataConfig, LoadedData, read_data
from nas.training.data.held import rows_to_predict

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = (X[:, 0] > 0).astype(int)
NAMES = np.array(["no", "yes"])[Y]
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(kind=np.where(X[:, 1] > 0, "u", "v"))
WHOLE = FRAME.assign(churn=NAMES)
TORCH = torch.tensor(X, dtype=torch.float32)
TABLE = (4, ["churn"], ("no", "yes"), 24)
BESIDE = (4, ["target"], ("no", "yes"), 24)
HALVES = {"train": slice(80), "test": slice(80, 120)}
OWN_PART = (4, ["churn"], ("no", "yes"), 40)
PLACES: tuple[Any, ...] = (3, [], ("0", "1"), 24)
COLUMNS = {name: WHOLE[name].to_numpy() for name in WHOLE}


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], LoadedData]:
    """Reads data as a function of somebody's returns it."""

    def read(data: Any) -> LoadedData:
        module = ModuleType("held_data")
        module.data = lambda: data  # type: ignore[attr-defined]
        monkeypatch.setitem(__import__("sys").modules, "held_data", module)
        return read_data(DataConfig(source="held_data:data", ramps=False), twice=True)

    return read


def searched(data: Any, folder: Path) -> LoadedData:
    """Reads data as it is kept where somebody gives it to `nas.search`."""
    return read_data(DataConfig(**data_section(GivenData(data), folder), ramps=False))


@pytest.mark.parametrize(
    ("data", "expected"),  # columns, target, classes, rows of the test part
    [
        # Columns that pandas numbers have no names: those of X and of y are two.
        ((pd.DataFrame(X), pd.DataFrame(Y)), (3, ["target"], ("0", "1"), 24)),
        ((pd.DataFrame(X), pd.DataFrame(Y)[0]), (3, ["target"], ("0", "1"), 24)),
        ((pd.DataFrame(X), pd.DataFrame(Y, columns=[3])), (3, ["3"], ("0", "1"), 24)),
        (WHOLE, TABLE),
        (pyarrow.Table.from_pandas(WHOLE), TABLE),
        (COLUMNS, TABLE),
        (WHOLE.to_dict("list"), TABLE),
        (WHOLE.to_dict("records"), TABLE),
        (WHOLE.to_records(index=False), TABLE),
        ({"train": WHOLE}, TABLE),
        ((FRAME, NAMES), BESIDE),
        ((FRAME.to_dict("list"), NAMES), BESIDE),
        ({"X": FRAME, "y": NAMES}, BESIDE),
        ({"train": WHOLE[:80], "test": WHOLE[80:]}, OWN_PART),
        ({"train": WHOLE[:60], "Validation": WHOLE[60:80], "test": WHOLE[80:]}, OWN_PART),
        ({"train": WHOLE[:80].to_dict("records"), "test": WHOLE[80:].to_dict("list")}, OWN_PART),
        ({"train": (FRAME[:80], NAMES[:80]), "test": (FRAME[80:], NAMES[80:])}, (*BESIDE[:3], 40)),
        ({"X_train": FRAME[:80], "y_train": NAMES[:80], "X_test": FRAME[80:], "y_test": NAMES[80:]}, (*BESIDE[:3], 40)),
        (((X[:80], Y[:80]), (X[80:], Y[80:])), (*PLACES[:3], 40)),
        ((scipy.sparse.csr_matrix(X), Y), PLACES),
        ((TORCH.clone().requires_grad_(), torch.tensor(Y)), PLACES),
        (TensorDataset(TORCH, torch.tensor(Y)), PLACES),
        ({part: TensorDataset(TORCH[at], torch.tensor(Y)[at]) for part, at in HALVES.items()}, (*PLACES[:3], 40)),
        ({"y": X[:, 0] ** 2, "x": X[:, 0]}, (1, ["y"], (), 24)),
        ({"x": X[:, 0], "y": X[:, 1], "z": X[:, 0] + X[:, 1]}, (2, ["z"], (), 24)),
        (load_wine(), (13, ["target"], ("0", "1", "2"), 36)),
        (load_diabetes(as_frame=True), (10, ["target"], (), 88)),
    ],
)  # fmt: skip
def test_functions_and_searches_take_the_same_forms(
    data: Any, expected: tuple[Any, ...], returned: Callable[[Any], LoadedData], tmp_path: Path
) -> None:
    for read in (returned(data), searched(data, tmp_path / "kept")):
        found = (len(read.features), [*read.columns["targets"]], read.dataset.classes, len(read.dataset.x_test))  # type: ignore[misc]
        assert found == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        # Of two columns that are called alike and are alike, one was forgotten.
        ((pd.DataFrame(np.c_[X, Y]), pd.Series(Y, name=3)), "the target '3' is a column of X, too"),
        ((FRAME, pd.Series(NAMES, name="kind")), "the target 'kind' is a column of X, too"),
        (
            {"train": WHOLE[:80], "test": FRAME[80:]},
            "column 'churn' is in one part only, train; give all",
        ),
        ({"train": WHOLE[:80], "holdout": WHOLE[80:]}, "no part 'holdout'; parts are train, val and test"),
        (
            {"train": X[:80], "test": X[80:]},
            "the part 'train' is ndarray; give a table for each part",
        ),
        ({"train": WHOLE[:80], "test": (FRAME[80:], NAMES[80:])}, "give a table for each part"),
        ({"features": FRAME, "labels": NAMES}, "no array 'x_train', only 'features', 'labels'; expected x and y, or"),
        ({"a": 1, "b": 2}, "no array 'x_train'"),
        ({}, "only none"),
        ((X, [[1, 2], [3]]), "y cannot be an array"),
        (X, r"got ndarray; expected a pair \(X, y\), a table with the targets among its columns"),
        ((X[:80], X[80:], Y[:80], Y[80:]), "got tuple of 4; expected .* x_train, y_train, x_test, y_test"),
    ],
)
def test_what_is_none_of_them_is_refused_with_what_is_expected(
    data: Any, message: str, returned: Callable[[Any], LoadedData], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=f"held_data:data: .*{message}"):
        returned(data)
    with pytest.raises(DataError, match=message):
        searched(data, tmp_path / "kept")


def test_parts_that_say_categories_in_other_orders_are_one_table(
    returned: Callable[[Any], LoadedData], tmp_path: Path
) -> None:
    shop = RNG.integers(0, 4, 120)
    train, test = ({"shop": pd.Categorical(shop[at])} for at in (slice(80), slice(80, 120)))
    train["shop"] = train["shop"].set_categories([3, 2, 1, 0])
    data = {
        "train": pd.DataFrame(train | WHOLE[:80].to_dict("list")),
        "test": WHOLE[80:].assign(**test),  # the same columns in another order
    }
    for read in (returned(data), searched(data, tmp_path)):
        inputs = dict(zip(read.dataset.feature_names, read.dataset.x_test.T, strict=True))
        assert ((inputs["shop = 2"] > 0) == (shop[80:] == 2)).all()


def test_data_that_is_kept_with_a_study_is_known_again_with_its_parts_and_notes(tmp_path: Path) -> None:
    frame = WHOLE.copy()
    frame.attrs["by"] = object()  # which no file could hold
    given = {"train": frame[:80], "test": frame[80:]}
    GivenData(given).write(tmp_path)
    GivenData(given).refuse_other(tmp_path)
    for other in (frame, {"train": frame[:70], "test": frame[70:]}):
        with pytest.raises(DataError, match="begun with other data"):
            GivenData(other).refuse_other(tmp_path)
    read = searched({"X": FRAME, "y": NAMES, "weights": X[:, 0]}, tmp_path)
    assert any("'weights' is not used" in f"{finding}" for finding in read.findings)
    table = pd.read_parquet(tmp_path / "data.parquet")
    table.attrs["nas"]["rows"] = [100, None, 30]
    table.to_parquet(tmp_path / "data.parquet")
    with pytest.raises(DataError, match="has parts of .*, but has 120 rows"):
        read_data(DataConfig(source=str(tmp_path / "data.parquet")))


def test_rows_to_predict_are_features_and_those_of_the_test_part() -> None:
    for data in (FRAME, (FRAME, NAMES), {"X": FRAME, "y": NAMES}, FRAME.to_dict("list"), {"x": FRAME}):
        assert rows_to_predict(data).equals(FRAME)
    assert rows_to_predict({"train": WHOLE[:80], "test": WHOLE[80:]}).equals(WHOLE[80:])
    assert rows_to_predict((X, Y)) is X and rows_to_predict(3) == 3
