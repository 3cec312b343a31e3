"""The search benchmark: methods stop at their budgets and hand over what validation chose; the score is an area."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from benchmarks._search_methods import METHODS
from benchmarks._search_score import hypervolume, interval, pairs, table
from benchmarks._search_tasks import TASKS
from benchmarks.search import _part, report, run, timed
from nas.training import pinned_threads

TINY = dataclasses.replace(TASKS["make_classification"], trial_steps=20, trials=4, seconds=0.0)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_spends_its_budget_and_no_more_than_a_trial_beyond(method: str, tmp_path: Path) -> None:
    with pinned_threads(1):
        record = run(TINY, method, 0, tmp_path)
        record = timed(record, tmp_path)
    assert record["trained"]["steps"] > 0
    assert TINY.steps - TINY.trial_steps <= record["spent"]["steps"] <= TINY.steps + TINY.trial_steps
    front = record["fronts"]["steps"]
    assert front
    errors = [member["val_error"] for member in front]
    assert errors == sorted(errors)  # times need not fall: those that cannot be told apart are equal
    assert record["fronts"]["seconds"] == []  # nothing was ready after no time at all
    assert all(member["seconds"] > 0 for member in front)
    assert record["small"] < record["large"]
    assert 0 <= hypervolume(record, "steps") <= 1


def record(points: list[tuple[float, float]], method: str = "random", seed: int = 0) -> dict[str, object]:
    members = [{"test_error": error, "seconds": seconds} for error, seconds in points]
    fronts = {"seconds": members, "steps": members}
    base = {"task": "t", "method": method, "seed": seed, "nothing": 0.9, "small": 1e-5, "large": 1e-3, "fronts": fronts}
    return base | {"budget": {"seconds": 1.0, "steps": 10}}


def test_hypervolume_is_the_area_between_front_and_corner() -> None:
    assert hypervolume(record([(0.009, 1e-5)]), "steps") == pytest.approx(1)  # a hundredth of the error, no time
    assert hypervolume(record([(0.09, 1e-4)]), "steps") == pytest.approx(0.25)  # half-way in both logarithms
    assert hypervolume(record([(0.09, 1e-4), (0.009, 1e-3 / 10**0.5)]), "steps") == pytest.approx(0.25 + 0.125)
    assert hypervolume(record([(0.95, 1e-5), (0.01, 2e-3)]), "steps") == 0  # worse than nothing; slower than large
    assert hypervolume(record([]), "seconds") == 0


def test_intervals_are_students() -> None:
    mean, half = interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-5)


def test_tables_pair_seeds() -> None:
    records = [record([(0.09, 1e-4)], seed=seed) for seed in range(3)]
    records += [record([(0.09, 1e-5)], "evolution", seed) for seed in range(3)]
    text = table(records, ("evolution", "random"))
    assert "| random | 0.250 ± 0.000 |" in text
    assert "| evolution | +0.250 ± 0.000 * |" in text
    assert "random, seed by seed" in text
    assert "seeds: 3 of t" in report(records)


def test_pairs_are_differences_from_a_method_of_ones_own() -> None:
    records = [record([(0.09, 1e-4)], "random", seed) for seed in range(3)]
    records += [record([(0.09, 1e-5)], "random with rungs", seed) for seed in range(4)]  # the last has no counterpart
    assert "| random with rungs | +0.250 ± 0.000 * |" in pairs(records, {"random with rungs": "random"})
    assert "## Rungs" in report(records)


def test_processes_share_out_every_seed_and_task_once() -> None:
    parts = [_part(("a", "b", "c"), (1, 2, 3), k, 2) for k in range(2)]
    assert sorted(parts[0] + parts[1]) == [(seed, task) for seed in (1, 2, 3) for task in "abc"]
    assert {task for _, task in parts[0]} == {task for _, task in parts[1]} == {"a", "b", "c"}
