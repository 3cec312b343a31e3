"""The accuracy benchmark: every method meets its budget, and the table says what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy import METHODS, configuration, run, table
from nas.training import Dataset, pinned_threads


def blobs() -> Dataset:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = (rng.normal(size=(400, 8)) + 3 * np.eye(8)[y]).astype(np.float32)
    return Dataset("blobs", "classification", x, y, x[:50], y[:50], x[50:], y[50:], classes=("a", "b", "c"))


@pytest.mark.parametrize("method", [name for name in METHODS if "teacher" not in name])
def test_every_method_ends_with_the_budget(method: str) -> None:
    with pinned_threads(1):
        record = run(60, method, 0, blobs(), epochs=20, verbose=False)
    assert record["edges"] == 60
    assert 0 < record["test_accuracy"] <= 1
    assert record["seed"] == 0
    assert record["epochs"] == 20


def test_ablations_take_one_thing_away() -> None:
    ours, _ = configuration(5776, "ours", 10, 2)
    bare, _ = configuration(5776, "without noise", 10, 2)
    assert ours.input_noise > 0
    assert bare == ours.model_copy(update={"input_noise": 0.0})


def test_the_table_gives_mean_and_deviation_over_seeds() -> None:
    base = {"edges": 1000, "method": "ours", "epochs": 5, "neurons": 40, "process_seconds": 7.0}
    text = table([base | {"seed": 0, "test_accuracy": 0.97}, base | {"seed": 1, "test_accuracy": 0.96}])
    assert "| 1,000 | ours | 3.50 | 0.71 | 2 | 5 | 40 | 7 | 4 |" in text
