"""How good a network is on one part of a data set. Smaller ``error`` is better for every task.

To add a metric, add an entry to `METRICS`: trials then have it of their validation and test part, films of all parts,
and bounds and picks know it by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import DataError
from nas.training.types import Task

__all__ = ["METRICS", "Judgement", "Metric", "Samples", "evaluate", "judge"]

_BATCH: Final = 4096
_TEMPERATURES: Final = np.geomspace(0.25, 8.0, 21).tolist()
_CALIBRATING: Final = 4096  # samples that choose among them


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What a network answers to some samples, and what it should; all float64 but classes."""

    task: Task
    outputs: Tensor  # (samples, n_outputs) logits, or predictions
    targets: Tensor  # (samples,) int64 class numbers, or (samples, n_outputs)
    loss: Tensor  # (samples,) cross-entropy in nats, or squared error averaged over the outputs
    error: Tensor  # (samples,) 1 where the class is wrong, or the same squared error


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, ``val_NAME`` and ``test_NAME`` of a trial.

    Attributes:
        of: its value; NaN or infinite where the outputs are.
        task: the only one that has it; None: all have.
        beside_scorer: what it is called where a scorer says what the error is (`nas.training.Dataset.scorer`).
    """

    of: Callable[[Samples], float]
    task: Task | None = None
    beside_scorer: str = ""


def _accuracy(samples: Samples) -> float:
    return int((samples.error == 0).sum()) / len(samples.error)


def _error(samples: Samples) -> float:
    return 1.0 - _accuracy(samples) if samples.task == "classification" else float(samples.error.mean())


def _r2(samples: Samples) -> float:
    variance = float(((samples.targets - samples.targets.mean(dim=0)) ** 2).mean())
    return 1.0 - _error(samples) / variance if variance > 0 else 0.0


METRICS: Final[dict[str, Metric]] = {
    "loss": Metric(lambda samples: float(samples.loss.mean())),
    "error": Metric(_error),
    # "correct" there, because it is not what the error is one less.
    "accuracy": Metric(_accuracy, task="classification", beside_scorer="correct"),
    "r2": Metric(_r2, task="regression"),  # pooled over the outputs; 0 where the targets do not vary
}


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
        Its metrics are those of `METRICS` that the task has: ``loss`` (mean cross-entropy in nats, or mean squared
        error) and ``error`` (1 - accuracy, or the same mean squared error); for classification ``accuracy`` in [0, 1];
        for regression ``r2`` (1 - error / variance). Values are NaN or infinite when the outputs are.

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
    samples = _classification(outputs, targets) if task == "classification" else _regression(outputs, targets)
    metrics = {name: metric.of(samples) for name, metric in METRICS.items() if metric.task in (None, task)}
    losses = _calibrated(samples) if calibrate and task == "classification" else samples.loss
    return Judgement(metrics, losses.float().numpy(), samples.error.float().numpy(), outputs.numpy())


def _classification(outputs: Tensor, targets: Tensor) -> Samples:
    targets = targets.cpu().long()
    if outputs.ndim != 2 or int(targets.max()) >= outputs.shape[1] or int(targets.min()) < 0:
        raise DataError(
            f"the network has outputs of shape {tuple(outputs.shape[1:])}, the targets are classes "
            f"{int(targets.min())}..{int(targets.max())}; expected one output a class"
        )
    losses = nn.functional.cross_entropy(outputs, targets, reduction="none")
    # NaN outputs have no largest one: argmax would call the first NaN a prediction and sometimes be "right".
    right = (outputs.argmax(dim=1) == targets) & torch.isfinite(outputs).all(dim=1)
    return Samples("classification", outputs, targets, losses, (~right).double())


def _calibrated(samples: Samples) -> Tensor:
    """The losses with the temperature that suits the samples best."""
    if not bool(torch.isfinite(samples.loss).all()):
        return samples.loss
    some = slice(None, None, max(1, len(samples.loss) // _CALIBRATING))
    fits = [
        float(nn.functional.cross_entropy(samples.outputs[some] / temperature, samples.targets[some]))
        for temperature in _TEMPERATURES
    ]
    suited = samples.outputs / _TEMPERATURES[int(np.argmin(fits))]
    return nn.functional.cross_entropy(suited, samples.targets, reduction="none")


def _regression(outputs: Tensor, targets: Tensor) -> Samples:
    targets = targets.cpu().double()
    targets = targets[:, None] if targets.ndim == 1 else targets
    if outputs.shape != targets.shape:
        raise DataError(
            f"the outputs have shape {tuple(outputs.shape)}, the targets {tuple(targets.shape)}; expected equal shapes"
        )
    errors = ((outputs - targets) ** 2).mean(dim=1)
    return Samples("regression", outputs, targets, errors, errors)
