"""What a trial keeps of its validation samples, and the score that candidates are compared by."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nas.training import Dataset
from nas.training.quality.evidence import KEPT, PRIOR, blended, evidence_arrays, evidence_from, quality


def classes(samples: int, test: int = 10) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples + test, 3)).astype(np.float32)
    y = (x[:, 0] + rng.standard_normal(samples + test) > 0).astype(np.int64)
    part = x[:samples], y[:samples]
    return Dataset("toy", "classification", *part, *part, x[samples:], y[samples:], classes=("a", "b"))


def numbers(samples: int) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, 3)).astype(np.float32)
    part = x, x[:, :2] + rng.standard_normal((samples, 2)).astype(np.float32)
    return Dataset("toy", "regression", *part, *part, *part)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_the_score_lies_between_the_count_and_what_the_network_says() -> None:
    found = quality(network(), classes(50))
    assert found.evidence is not None and found.evidence.wrong is not None
    count, wrong = found.metrics["val_error"], float(found.evidence.wrong.mean())
    assert min(count, wrong) < found.metrics["val_score"] < max(count, wrong)
    assert found.metrics["val_score"] == pytest.approx((50 * count + PRIOR * wrong) / (50 + PRIOR), abs=1e-3)
    assert float(found.evidence.error.mean()) == pytest.approx(count)
    assert (found.evidence.samples, found.evidence.test_samples) == (50, 10)


def test_with_many_samples_the_count_decides() -> None:
    error, wrong = np.array([0.0, 1.0]), np.array([0.4, 0.9])
    assert np.allclose(blended(error, wrong, 10**7), error, atol=1e-3)
    assert np.allclose(blended(error, wrong, 1), wrong, atol=1e-2)


def test_the_score_of_a_regression_is_its_error() -> None:
    found = quality(network(), numbers(40))
    assert found.metrics["val_score"] == found.metrics["val_error"]
    assert found.evidence is not None and found.evidence.wrong is None


@pytest.mark.parametrize("dataset", [classes(43), numbers(43)])
def test_files_give_back_what_was_kept(dataset: Dataset) -> None:
    evidence = quality(network(), dataset).evidence
    assert evidence is not None
    again, others = evidence_from({**evidence_arrays(evidence), "weight": np.ones(2)})
    assert again is not None and list(others) == ["weight"]
    assert np.array_equal(again.error, evidence.error)
    assert (again.wrong is None) == (evidence.wrong is None)
    if again.wrong is not None:
        assert np.array_equal(again.wrong, evidence.wrong)
    assert (again.samples, again.test_samples) == (evidence.samples, evidence.test_samples)


def test_of_a_very_large_part_some_samples_are_kept() -> None:
    evidence = quality(network(), classes(KEPT + 5000)).evidence
    assert evidence is not None and len(evidence.error) == KEPT and evidence.samples == KEPT + 5000
    assert sum(array.nbytes for array in evidence_arrays(evidence).values()) < 50_000


@pytest.mark.parametrize("damage", ["counts", "error", "wrong"])
def test_damaged_evidence_is_none(damage: str) -> None:
    arrays = evidence_arrays(quality(network(), classes(43)).evidence)
    arrays[f"validation/{damage}"] = arrays[f"validation/{damage}"][:1]
    assert evidence_from(arrays)[0] is None
    assert evidence_from({"weight": np.ones(2)})[0] is None
