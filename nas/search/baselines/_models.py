"""What the three baselines share: a clock, how a fitted model becomes a module, and which of two models is better.

Whatever fitted it, a model here is a torch module from (batch, n_inputs) float32 to (batch, n_outputs): logits, or
predictions. So one function evaluates it and one takes its time, the same as for the members of a front.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from nas.training.quality.evidence import measured
from nas.training.types import Dataset, Scalar

__all__ = ["ABSENT", "ByFunction", "Clock", "Fitted", "dense", "logits_of", "nonzero", "rows_within", "scored"]

ABSENT: Final = -1e3  # logit of a class that the training part does not hold: finite, and never the largest


class Clock:
    """What is left of a time, for which the work of this process counts.

    It goes by process time, shared among threads, because a machine that is busy with other things must not make a
    baseline worse; but at least by half of wall time, because nobody waits for ever.

    Args:
        seconds: until it is over.
        threads: that work.
    """

    def __init__(self, seconds: float, threads: int = 1) -> None:
        self._threads = threads
        self._wall, self._process = time.perf_counter(), time.process_time()
        self._seconds = seconds

    @property
    def gone(self) -> float:
        """Seconds since it began."""
        work = (time.process_time() - self._process) / self._threads
        return max(work, 0.5 * (time.perf_counter() - self._wall))

    @property
    def left(self) -> float:
        """Seconds until it is over; negative after it."""
        return self._seconds - self.gone

    def until(self, share: float) -> Clock:
        """The same clock, over after a share of the time."""
        other = copy.copy(self)
        other._seconds = share * self._seconds
        return other

    def has(self, seconds: float) -> bool:
        """Whether something that takes so long would be done in time."""
        return seconds <= self.left


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model with what it was fitted with and how good it is on the validation part."""

    module: nn.Module
    settings: Mapping[str, Scalar]  # its hyperparameters
    score: tuple[float, float]  # error and loss on the validation part: less is better, the loss decides ties
    structure: Mapping[str, float]  # "edges" and what else is known of its structure, named as metrics of trials are
    notes: tuple[str, ...] = field(default=())  # what the time was not enough for


def scored(module: nn.Module, dataset: Dataset) -> tuple[float, float]:
    """Error and loss of a module on the validation part."""
    found = measured(module, dataset, "val")
    return found["error"], found["loss"]


def dense(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> nn.Sequential:
    """Layers with ReLU between them.

    Args:
        weights: of each layer, (n_inputs, n_outputs) as scikit-learn has them.
        biases: of each layer, (n_outputs,).
    """
    layers: list[nn.Module] = []
    for weight, bias in zip(weights, biases, strict=True):
        layer = nn.Linear(*weight.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.array(weight.T, dtype=np.float32)))
            layer.bias.copy_(torch.from_numpy(np.array(bias, dtype=np.float32)))
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def logits_of(weight: np.ndarray, bias: np.ndarray, present: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """A last layer with one output for each class.

    scikit-learn has one output for two classes, and none for a class that it has not seen.

    Args:
        weight: (n_inputs, outputs), bias: (outputs,).
        present: (seen,) numbers of the classes that it has seen, in the order of its outputs.
        classes: of the data.

    Returns:
        weight (n_inputs, classes) and bias (classes,): the softmax over all is what scikit-learn calls probabilities.
    """
    if weight.shape[1] == 1 and len(present) == 2:  # the sigmoid of z is the softmax of -z/2 and z/2
        weight, bias = np.hstack([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    full_weight = np.zeros((len(weight), classes))
    full_bias = np.full(classes, ABSENT)
    full_weight[:, present], full_bias[present] = weight, bias
    return full_weight, full_bias


def nonzero(weights: Sequence[np.ndarray]) -> float:
    """Weights that are not 0, biases apart: what the edges of a DAG are."""
    return float(sum(np.count_nonzero(weight) for weight in weights))


def rows_within(dataset: Dataset, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """So many samples of the training part, drawn at random; all of them, in their order, where it has no more."""
    x, y = dataset.x_train, dataset.y_train
    if rows >= len(x):
        return x, y
    taken = np.random.default_rng(seed).permutation(len(x))[: max(1, rows)]
    return x[taken], y[taken]


class ByFunction(nn.Module):
    """A module around scores that numpy computes."""

    def scores(self, x: np.ndarray) -> np.ndarray:
        """(batch, n_outputs) of (batch, n_inputs)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.scores(x.numpy()))
