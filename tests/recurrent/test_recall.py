"""What memory is for: delayed recall is learned with it, and is a matter of luck without."""

from __future__ import annotations

import numpy as np

from nas.graph import random_dag
from nas.recurrent import RecurrentStructure, reach_outputs, remember
from nas.training import DataConfig, Dataset, TrainingConfig, load_data, pinned_threads, train_module
from nas.training import evaluate as metrics_of


def test_the_first_step_decides_recall() -> None:
    data = load_data(DataConfig(source="recall", samples=500))
    assert (data.n_inputs, data.n_outputs, data.period, len(data.feature_names)) == (50, 4, 5, 50)
    steps = data.x_train.reshape(-1, 10, 5)
    np.testing.assert_array_equal(steps[:, 0, :4].argmax(axis=1), data.y_train)
    np.testing.assert_array_equal(steps[:, :, 4], np.tile(np.arange(10) == 0, (len(steps), 1)))
    np.testing.assert_array_equal(steps[:, :, :4].sum(axis=2), 1)
    assert abs(np.mean(steps[:, -1, :4].argmax(axis=1) == data.y_train) - 0.25) < 0.08  # the last tells nothing
    again, other = (load_data(DataConfig(source="recall", samples=500, seed=seed)) for seed in (0, 1))
    np.testing.assert_array_equal(again.x_test, data.x_test)
    assert not np.array_equal(other.x_test, data.x_test)


def test_parity_counts_all_bits_of_rows_that_differ() -> None:
    data = load_data(DataConfig(source="parity"))
    assert (data.n_inputs, data.n_outputs, data.period, data.classes) == (10, 2, 1, ("even", "odd"))
    rows = np.concatenate([data.x_train, data.x_val, data.x_test])
    labels = np.concatenate([data.y_train, data.y_val, data.y_test])
    np.testing.assert_array_equal((rows > 0).sum(axis=1) % 2, labels)
    assert len(np.unique(rows, axis=0)) == len(rows) == 1024
    assert len(load_data(DataConfig(source="parity", samples=100)).x_train) < 100


def accuracy(data: Dataset, memory: int) -> float:
    """On the test part, of a network with so many slots: of its own graph, trained by the trainer of every trial."""
    rng = np.random.default_rng(0)
    dag = random_dag(5 + memory, 24, data.n_outputs + memory, density=0.5, rng=rng)
    dag = reach_outputs(remember(dag, memory), memory, rng)
    module = RecurrentStructure(dag, memory, time=10).build(0)
    config = TrainingConfig(steps=400, batch_size=64, learning_rate=1e-2)
    with pinned_threads(1):
        train_module(module, data, config, seed=0)
    return float(metrics_of(module, data.x_test, data.y_test, data.task)["accuracy"])


def test_recall_needs_memory() -> None:
    data = load_data(DataConfig(source="recall"))
    assert accuracy(data, 6) > 0.9
    assert accuracy(data, 0) < 0.35  # the last step alone; chance is 0.25
