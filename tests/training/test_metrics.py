"""Metrics against scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score
from torch import nn

from nas.errors import DataError
from nas.training import evaluate
from nas.training.quality.metrics import judge


class Table(nn.Module):
    """Answers row i with outputs[i], inputs being row numbers."""

    def __init__(self, outputs: np.ndarray) -> None:
        super().__init__()
        self.outputs = nn.Parameter(torch.as_tensor(outputs, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.outputs[x[:, 0].long()]


def rows(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32)[:, None]


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_classification_agrees_with_scikit_learn(batch_size: int) -> None:
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    found = evaluate(Table(logits), rows(50), y, "classification", batch_size=batch_size)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found["accuracy"] == pytest.approx(accuracy_score(y, logits.argmax(axis=1)))
    assert found["error"] == pytest.approx(1 - found["accuracy"])
    assert found["loss"] == pytest.approx(log_loss(y, shares), rel=1e-5)


def test_regression_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    predicted, y = rng.normal(size=(40, 1)), rng.normal(size=(40, 1)).astype(np.float32)
    found = evaluate(Table(predicted), rows(40), y, "regression")
    assert found["error"] == pytest.approx(mean_squared_error(y, predicted), rel=1e-5)
    assert found["loss"] == found["error"]
    assert found["r2"] == pytest.approx(r2_score(y, predicted), rel=1e-5)


def test_nan_outputs_are_never_right() -> None:
    found = evaluate(Table(np.full((4, 2), np.nan)), rows(4), np.zeros(4, dtype=np.int64), "classification")
    assert found["accuracy"] == 0
    assert np.isnan(found["loss"])


def test_the_mode_of_the_module_is_restored() -> None:
    module = Table(np.zeros((2, 2))).train()
    evaluate(module, rows(2), np.zeros(2, dtype=np.int64), "classification")
    assert module.training


def test_misfits_are_refused() -> None:
    module = Table(np.zeros((4, 2)))
    with pytest.raises(DataError, match="expected one output a class"):
        evaluate(module, rows(4), np.full(4, 2), "classification")
    with pytest.raises(DataError, match=r"outputs have shape \(4, 2\), the targets \(4, 3\)"):
        evaluate(module, rows(4), np.zeros((4, 3), dtype=np.float32), "regression")
    with pytest.raises(DataError, match="got 4 and 3"):
        evaluate(module, rows(4), np.zeros(3), "classification")


@pytest.mark.parametrize("scale", [0.5, 2.0, 4.0])
def test_calibrated_losses_do_not_depend_on_how_sure_a_network_is_of_itself(scale: float) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    logits = rng.normal(size=(400, 3)) + 1.5 * np.eye(3)[y]

    def judged(factor: float, *, calibrate: bool) -> np.ndarray:
        return judge(Table(factor * logits), rows(400), y, "classification", calibrate=calibrate).loss

    plain, scaled = judged(1.0, calibrate=True), judged(scale, calibrate=True)
    np.testing.assert_allclose(scaled.mean(), plain.mean(), rtol=2e-3)  # up to the grid of temperatures
    assert plain.mean() <= judged(1.0, calibrate=False).mean()
    assert abs(judged(scale, calibrate=False).mean() / judged(1.0, calibrate=False).mean() - 1) > 0.02
    found = [judge(Table(logits), rows(400), y, "classification", calibrate=c) for c in (False, True)]
    assert found[0].metrics == found[1].metrics  # those are of the outputs
    np.testing.assert_array_equal(found[0].error, found[1].error)
