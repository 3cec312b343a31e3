"""Which hyperparameters decided: a made-up study of which it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nas.search import importances, unknown_importances
from nas.search.study.records import TrialRecord
from nas.study import StudyImportance
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
    assert luck is not None and luck.explained < 0.1 and not luck.told
    assert "cannot be told from these 60 trials" in luck.words and "100 mostly can" in luck.words
    assert "needs 20 complete trials at least, better 100; there are 19." in unknown_importances(records(19))
    one = [replace(each, hyperparameters={"rate": 0.1}) for each in records()]
    assert importances(one) is None and unknown_importances(one).startswith("No hyperparameter was varied")


def test_a_person_sees_a_table_or_why_there_is_none() -> None:
    found = importances(records())
    assert found is not None
    shown = StudyImportance(found, found.words)
    assert shown.shares.sum() == pytest.approx(1) and list(shown.to_frame().columns) == [
        "importance",
        "best quarter",
        "all",
    ]
    assert "%" in repr(shown) and "best quarter" in repr(shown) and found.words in repr(shown)
    assert shown._repr_html_().count("<tr>") == 1 + sum(each.share >= 0.01 for each in found.members)
    luck = importances(records(noise=100.0))
    assert luck is not None
    unsure = StudyImportance(luck, luck.words)
    assert unsure.shares.empty and unsure.to_frame()["importance"].isna().all()
    assert "best quarter" in repr(unsure) and "importance" not in repr(unsure).splitlines()[0]
    assert "importance</th>" not in unsure._repr_html_() and "cannot be told" in unsure._repr_html_()
    none = StudyImportance(None, unknown_importances(records(3)))
    assert repr(none) == none.words and none.words in none._repr_html_()
    assert none.to_frame().empty
