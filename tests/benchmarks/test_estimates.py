from __future__ import annotations

import pytest

from benchmarks.estimates import report, run, score
from nas.training import DataConfig, load_data


def member(shown: float, low: float, high: float, val: float, test: float) -> dict[str, float]:
    return {
        "shown_error": shown, "shown_error_low": low, "shown_error_high": high, "val_error": val, "test_error": test
    }  # fmt: skip


FOUND = {
    "name": "abacus",
    "validation": 100,
    "test": 200,
    "unit": 100.0,
    "members": [member(0.05, 0.03, 0.08, 0.03, 0.06), member(0.10, 0.07, 0.11, 0.08, 0.12)],
    "by_count": [{"val_error": 0.02, "test_error": 0.06}],
}


def test_scores_are_means_over_members_in_points() -> None:
    found = score(FOUND)
    assert found["bias"] == pytest.approx(1.5)
    assert found["plain"] == pytest.approx(3.5)
    assert found["by_count"] == pytest.approx(4.0)
    assert found["inside"] == 0.5
    assert found["width"] == pytest.approx(4.5)


def test_the_table_says_the_mean_over_runs() -> None:
    other = FOUND | {"members": [member(0.05, 0.03, 0.08, 0.03, 0.04)]}
    text = report([FOUND, other])
    assert "| abacus | 100 | 200 | 2 | 1.5 | +0.25 | +2.25 | +4.00 | 75 % |" in text
    assert "Mean of test − shown over 2 runs: +0.25 points, standard error 1.25 (+0.25 where" in text


def test_a_run_is_scored() -> None:
    found = run(load_data(DataConfig(source="wine")), 0, trials=6, steps=30)
    assert found["validation"] == 27 and found["members"]
    assert 0 <= score(found)["inside"] <= 1
