"""Which hyperparameters decided: a made-up study of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from nas.search import importances
from nas.search.study.records import TrialRecord
from nas.training.types import TrialResult, TrialStatus


def records(count: int = 60, *, noise: float = 0.01) -> list[TrialRecord]:
    """The error is that of the rate (best at 1e-2) and of the activation; the batch does nothing."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        rate = float(10 ** rng.uniform(-4, 0))
        activation = str(rng.choice(["relu", "tanh"]))
        settings = {"rate": rate, "activation": activation, "batch": int(rng.choice([32, 64])), "optimizer": "adamw"}
        error = 0.1 * abs(np.log10(rate) + 2) + 0.15 * (activation == "tanh") + noise * rng.normal()
        metrics = {"val_error": float(error), "edges": float(rng.integers(10, 99))}
        made.append(
            TrialRecord(
                number, "complete", 1, 100, None, "", settings, TrialResult(number, TrialStatus.COMPLETE, metrics)
            )
        )
    return made


def test_what_decides_comes_first_and_what_does_nothing_has_no_share() -> None:
    found = importances(records())
    assert found is not None and found.trials == 60 and found.explained > 0.5
    shares = {each.name: each.share for each in found.members}
    assert {each.name for each in found.members[:2]} == {"rate", "activation"}
    assert min(shares["rate"], shares["activation"]) > 0.1 and shares["batch"] < 0.05
    assert sum(shares.values()) == pytest.approx(1)
    assert "optimizer" not in shares and "steps" not in shares  # all alike
    best = {each.name: each.best for each in found.members}
    low, high = map(float, best["rate"].split(" to "))
    assert 1e-3 < low < high < 0.2 and best["activation"].startswith("relu (")


def test_what_cannot_be_told_is_not_told() -> None:
    assert importances(records(19)) is None
    failed = [TrialRecord(k, "failed", 1, 100, None, "", {"rate": 0.1}, None) for k in range(30)]
    assert importances(failed) is None
    luck = importances(records(noise=100.0))
    assert luck is not None and luck.explained < 0.1
