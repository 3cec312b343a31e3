"""How good a network is on one part of a data set. Smaller ``error`` is better for every task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import DataError
from nas.training._types import Task

__all__ = ["Judgement", "evaluate", "judge"]

_BATCH: Final = 4096
_TEMPERATURES: Final = np.geomspace(0.25, 8.0, 21).tolist()
_CALIBRATING: Final = 4096  # samples that choose among them


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What a network is on some samples: the metrics of `evaluate`, and what each sample said."""

    metrics: dict[str, float]
    loss: np.ndarray  # (samples,) float32: cross-entropy in nats, or squared error averaged over the outputs
    error: np.ndarray  # (samples,) float32: 1 where the class is wrong, or the same squared error
    outputs: np.ndarray  # (samples, n_outputs) float64


def evaluate(
    module: nn.Module,
    x: np.ndarray | Tensor,
    y: np.ndarray | Tensor,
    task: Task,
    *,
    batch_size: int = _BATCH,
) -> dict[str, float]:
    """Metrics of ``module`` on samples ``x`` with targets ``y``; see `judge`."""
    return judge(module, x, y, task, batch_size=batch_size).metrics


def judge(
    module: nn.Module,
    x: np.ndarray | Tensor,
    y: np.ndarray | Tensor,
    task: Task,
    *,
    batch_size: int = _BATCH,
    calibrate: bool = False,
) -> Judgement:
    """How good ``module`` is on samples ``x`` with targets ``y``, on average and sample by sample.

    Args:
        module: maps (batch, n_inputs) float32 to (batch, n_outputs): logits, or predictions of a regression.
        x: (samples, n_inputs) float32.
        y: (samples,) class numbers, or (samples, n_outputs) float32.
        task: what y means.
        batch_size: samples a call, to bound memory; the result does not depend on it.
        calibrate: the losses of the samples are those of the outputs divided by the temperature that suits them best
            (Guo 2017, "On calibration of modern neural networks"). A network that was trained with much noise is less
            sure of itself than one trained with little, and no worse for it. Metrics stay those of the outputs.

    Returns:
        Its metrics are ``loss`` (mean cross-entropy in nats, or mean squared error) and ``error`` (1 - accuracy, or the
        same mean squared error); for classification ``accuracy`` in [0, 1]; for regression ``r2`` (1 - error /
        variance, pooled over the outputs; 0 where the targets do not vary). Values are NaN or infinite when the outputs
        are.

    Raises:
        DataError: there are no samples, x and y differ in length, or outputs and targets in width.
    """
    if len(x) == 0 or len(x) != len(y):
        raise DataError(f"expected as many inputs as targets and at least one, got {len(x)} and {len(y)}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    parameter = next(iter(module.parameters()), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    inputs, targets = torch.as_tensor(x), torch.as_tensor(y)
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            chunks = [
                module(inputs[start : start + batch_size].to(device)).double().cpu()
                for start in range(0, len(inputs), batch_size)
            ]
    finally:
        module.train(was_training)
    outputs = torch.cat(chunks)
    return _classification(outputs, targets, calibrate) if task == "classification" else _regression(outputs, targets)


def _classification(outputs: Tensor, targets: Tensor, calibrate: bool) -> Judgement:
    targets = targets.cpu().long()
    if outputs.ndim != 2 or int(targets.max()) >= outputs.shape[1] or int(targets.min()) < 0:
        raise DataError(
            f"the network has outputs of shape {tuple(outputs.shape[1:])}, the targets are classes "
            f"{int(targets.min())}..{int(targets.max())}; expected one output a class"
        )
    losses = nn.functional.cross_entropy(outputs, targets, reduction="none")
    # NaN outputs have no largest one: argmax would call the first NaN a prediction and sometimes be "right".
    right = (outputs.argmax(dim=1) == targets) & torch.isfinite(outputs).all(dim=1)
    accuracy = int(right.sum()) / len(targets)
    metrics = {"loss": float(losses.mean()), "error": 1.0 - accuracy, "accuracy": accuracy}
    if calibrate and bool(torch.isfinite(losses).all()):
        some = slice(None, None, max(1, len(targets) // _CALIBRATING))
        fits = [
            float(nn.functional.cross_entropy(outputs[some] / temperature, targets[some]))
            for temperature in _TEMPERATURES
        ]
        losses = nn.functional.cross_entropy(outputs / _TEMPERATURES[int(np.argmin(fits))], targets, reduction="none")
    return Judgement(metrics, losses.float().numpy(), (~right).float().numpy(), outputs.numpy())


def _regression(outputs: Tensor, targets: Tensor) -> Judgement:
    targets = targets.cpu().double()
    targets = targets[:, None] if targets.ndim == 1 else targets
    if outputs.shape != targets.shape:
        raise DataError(
            f"the outputs have shape {tuple(outputs.shape)}, the targets {tuple(targets.shape)}; expected equal shapes"
        )
    errors = ((outputs - targets) ** 2).mean(dim=1)
    error = float(errors.mean())
    variance = float(((targets - targets.mean(dim=0)) ** 2).mean())
    metrics = {"loss": error, "error": error, "r2": 1.0 - error / variance if variance > 0 else 0.0}
    return Judgement(metrics, errors.float().numpy(), errors.float().numpy(), outputs.numpy())
