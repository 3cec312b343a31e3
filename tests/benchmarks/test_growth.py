"""The benchmark of growth: XOR grows from nothing, and pages say what was found."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.growth import TASKS, grow, report
from nas.training import pinned_threads


def test_xor_is_solved_from_an_empty_network() -> None:
    """No linear model is right on more than three of the four rows."""
    with pinned_threads(1):
        record = grow(TASKS["xor"], 0, 60.0, until_solved=True, steps=1500)
    assert record["first"] is not None, record
    assert record["first"]["neurons"] >= 1
    assert record["with_neurons"] >= 1
    assert record["failed"] == 0
    assert "| xor | 1 of 1 |" in report([record])


@pytest.mark.parametrize("name", TASKS)
def test_no_linear_model_is_near(name: str) -> None:
    data = TASKS[name].dataset()
    x = np.c_[data.x_train, np.ones(len(data.x_train))]
    weights, *_ = np.linalg.lstsq(x, 2.0 * data.y_train - 1, rcond=None)
    right = (np.c_[data.x_test, np.ones(len(data.x_test))] @ weights > 0) == data.y_test
    assert right.mean() < 0.8


def test_seeds_that_solved_nothing_are_counted() -> None:
    unsolved = {"task": "parity", "seed": 0, "budget_seconds": 1.0, "first": None, "smallest": None}
    page = report([unsolved])
    assert "| parity | 0 of 1 | — | — | — | — | — | 15 edges, 2 neurons |" in page
    assert "xor |" not in page
