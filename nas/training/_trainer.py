"""Gradient descent on one network: objective plus the structure terms, watched for divergence and lost outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import TrialError
from nas.manifold import MEMORY_COST, TIME_COST, CostModel, LossTerms, ManifoldNetwork, cost
from nas.training._types import Dataset, Task, TrainingConfig

__all__ = ["History", "train", "training_step"]

OnLog = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class History:
    """Curves of one training, all of one length; empty when nothing was trained.

    ``curves``: step (after how many steps), objective, flow, sparsity, total (the weighted loss), train_accuracy or
    train_mse (of the batch), live_edges, learning_rate.
    """

    curves: Mapping[str, np.ndarray]


def train(
    network: ManifoldNetwork, dataset: Dataset, config: TrainingConfig, seed: int, on_log: OnLog | None = None
) -> History:
    """Train ``network`` in place on the training part for ``config.steps`` steps, on the threads torch has now.

    Args:
        network: changed in place; after an error it holds what it had then.
        seed: decides the order of the samples.
        on_log: called with the step and the values of the curves whenever a point is logged.

    Returns:
        The curves, one point every ``config.log_every`` steps and at the last one.

    Raises:
        TrialError: the loss is no finite number any more, or an output has lost its last path from any input.
        ValueError: the network does not fit the data.
    """
    dag = network.dag
    if (dag.n_inputs, dag.n_outputs) != (dataset.n_inputs, dataset.n_outputs):
        raise ValueError(
            f"data set {dataset.name} needs {dataset.n_inputs} inputs and {dataset.n_outputs} outputs, "
            f"but the network has {dag.n_inputs} and {dag.n_outputs}"
        )
    points: list[dict[str, float]] = []
    step = training_step(network, dataset.task, config)
    batches = _batches(dataset, config.batch_size, np.random.default_rng([seed, 1]))
    for number in range(1, config.steps + 1):
        rate = _rate(config, (number - 1) / config.steps)
        values = step(*next(batches), rate)
        total = float(values.total)
        if not math.isfinite(total):
            raise TrialError(
                f"diverged: the loss must stay finite, but is {total} at step {number} "
                f"(objective {float(values.objective):.3g}, flow {float(values.terms.flow):.3g}); "
                f"lower learning_rate ({config.learning_rate:g}) or the factors of the losses"
            )
        if number % config.log_every == 0 or number == config.steps:
            point = values.point(number, dataset.task) | {"learning_rate": rate}
            _check_outputs(network, number)
            points.append(point)
            if on_log is not None:
                on_log(number, point)
    _check_outputs(network, config.steps)
    return History({name: np.array([point[name] for point in points]) for name in (points[0] if points else ())})


@dataclass(frozen=True, slots=True)
class StepValues:
    """What one step saw, before its update."""

    objective: Tensor
    total: Tensor
    terms: LossTerms
    live: Tensor
    outputs: Tensor
    targets: Tensor

    def point(self, step: int, task: Task) -> dict[str, float]:
        """The values of the curves."""
        if task == "classification":
            quality = {"train_accuracy": float((self.outputs.argmax(dim=1) == self.targets).float().mean())}
        else:
            quality = {"train_mse": float(self.objective)}
        return {
            "step": float(step),
            "objective": float(self.objective),
            "flow": float(self.terms.flow),
            "sparsity": float(self.terms.sparsity),
            "total": float(self.total),
            **quality,
            "live_edges": float(self.live.sum()),
        }


def training_step(
    network: ManifoldNetwork,
    task: Task,
    config: TrainingConfig,
    *,
    time_cost: CostModel = TIME_COST,
    memory_cost: CostModel = MEMORY_COST,
) -> Callable[[Tensor, Tensor, float], StepValues]:
    """A function that does one optimiser step on a batch: ``step(x, y, learning_rate)``.

    Args:
        time_cost: seconds a step, for the time term.
        memory_cost: bytes of the network, for the memory term.
    """
    optimiser = _optimiser(network, config)
    factors = [group["lr"] / config.learning_rate for group in optimiser.param_groups]
    objective_of = nn.functional.cross_entropy if task == "classification" else nn.functional.mse_loss
    weights = config.losses

    def step(x: Tensor, y: Tensor, learning_rate: float) -> StepValues:
        for group, factor in zip(optimiser.param_groups, factors, strict=True):
            group["lr"] = learning_rate * factor
        outputs, terms, live = network.forward_with_terms(x)
        objective = objective_of(outputs, y)
        total = weights.objective * objective + weights.flow * terms.flow + weights.sparsity * terms.sparsity
        if weights.time > 0:
            total = total + weights.time * 1e3 * cost(terms, network.dag, time_cost)
        if weights.memory > 0:
            total = total + weights.memory * 2.0**-20 * cost(terms, network.dag, memory_cost)
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return StepValues(objective.detach(), total.detach(), terms.detach(), live, outputs.detach(), y)

    return step


def _optimiser(network: ManifoldNetwork, config: TrainingConfig) -> torch.optim.Optimizer:
    groups = network.parameter_groups(config.learning_rate, config.weight_decay)
    match config.optimizer:
        case "adam":
            return torch.optim.Adam(groups, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=True)


MOMENTUM = 0.9


def _rate(config: TrainingConfig, progress: float) -> float:
    """Learning rate when the share ``progress`` of the steps is done."""
    if config.schedule == "cosine":
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate


def _batches(dataset: Dataset, size: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end; every epoch in a new order, the incomplete last batch of each left out."""
    x, y = torch.from_numpy(dataset.x_train), torch.from_numpy(dataset.y_train)
    size = min(size, len(x))
    while True:
        order = torch.from_numpy(rng.permutation(len(x)))
        for start in range(0, len(x) - size + 1, size):
            chosen = order[start : start + size]
            yield x[chosen], y[chosen]


def _check_outputs(network: ManifoldNetwork, step: int) -> None:
    dag = network.dag.with_edges(network.live_mask(), allow_unreachable=True)
    if lost := dag.unreachable_outputs():
        raise TrialError(
            f"lobotomised: at step {step} no live path from any input reaches output "
            f"{', '.join(map(dag.label, lost))}; "
            "lower the factors of the sparsity, flow, time and memory losses, or the learning rate"
        )
