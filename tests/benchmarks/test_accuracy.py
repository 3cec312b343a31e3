"""The accuracy benchmark: every method meets its budget, and the table says what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy import METHODS, configuration, run, start_graph, table
from nas.training import Dataset, pinned_threads


def blobs() -> Dataset:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = (rng.normal(size=(400, 8)) + 3 * np.eye(8)[y]).astype(np.float32)
    return Dataset("blobs", "classification", x, y, x[:50], y[:50], x[50:], y[50:], classes=("a", "b", "c"))


@pytest.mark.parametrize("method", METHODS)
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
    assert bare == ours.model_copy(update={"input_noise": 0.0, "final_input_noise": None})
    for method in METHODS.keys() - {"ours"}:
        assert configuration(3100, method, 10, 2) != configuration(3100, "ours", 10, 2), method


def test_sparse_from_the_start_begins_with_the_budget_shared_out_by_layer() -> None:
    for method in ("static random mask", "plain static random mask"):
        dag = start_graph(3000, method, (200, 50), wide(), np.random.default_rng(0))
        assert dag.n_edges == 3000
        into = np.bincount(np.searchsorted([784 + 200, 784 + 250], dag.targets, side="right"))
        # Erdős-Rényi: 984 : 250 : 60; drawn evenly it would be 156,800 : 10,000 : 500
        assert into / 3000 == pytest.approx(np.array([984, 250, 60]) / 1294, abs=0.03)
    config, hidden = configuration(3000, "RigL", 10, 2)
    assert config.sparsify is not None and config.sparsify.initial_edges == 3000
    assert start_graph(3000, "RigL", hidden, wide(), np.random.default_rng(0)).n_edges == 156_800 + 10_000 + 500


def wide() -> Dataset:
    x = np.zeros((10, 784), np.float32)
    y = np.arange(10)
    return Dataset("wide", "classification", x, y, x, y, x, y, classes=tuple("0123456789"))


def test_the_table_gives_mean_and_deviation_over_seeds() -> None:
    base = {"edges": 1000, "method": "ours", "epochs": 5, "neurons": 40, "process_seconds": 7.0}
    text = table([base | {"seed": 0, "test_accuracy": 0.97}, base | {"seed": 1, "test_accuracy": 0.96}])
    assert "| 1,000 | ours | 3.50 | 0.71 | 2 | 5 | 40 | 7 | 4 |" in text
