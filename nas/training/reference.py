"""One optimiser step in plain torch: the specification of the fused loop, which is tested against it.

Some hundred framework calls a step, so it is not what trains candidates; see `nas.training.fused.trainer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.manifold import TERMS, CostModel, LossTerms, ManifoldNetwork
from nas.training.compression.connectivity import Connectivity, closeness_of, lost_outputs, set_closeness_of
from nas.training.fused.trainer import ClosenessStep
from nas.training.loss_terms import JobNetwork
from nas.training.optimisers import OPTIMISERS
from nas.training.types import Task, TrainingConfig

__all__ = ["StepValues", "reference_step", "torch_optimiser"]


@dataclass(frozen=True, slots=True)
class StepValues:
    """What one step saw, before its update."""

    objective: Tensor
    total: Tensor
    terms: LossTerms
    live: Tensor
    outputs: Tensor
    targets: Tensor


def reference_step(
    network: ManifoldNetwork,
    task: Task,
    config: TrainingConfig,
    *,
    time_cost: CostModel | None = None,
    memory_cost: CostModel | None = None,
    seed: int = 0,
) -> Callable[..., StepValues]:
    """A function that does one optimiser step on a batch: ``step(x, y, learning_rate, temperature, shaping)``.

    ``temperature``: of the smooth counts, the network's when None; ``shaping``: False leaves the closeness as it is
    (see `TrainingConfig.structure_until`). An output that the step has cut off is dealt with at
    once, as `TrainingConfig.on_lost_output` says; the fused loop does so before the next step, which is the same.

    Args:
        time_cost: seconds a step, for the time term; None: as calibrated (see `nas.training.cost.costs`).
        memory_cost: bytes of the trainer, for the memory term; None: likewise.
        seed: of the training, for what a lost output draws.
    """
    optimiser = torch_optimiser(network.parameter_groups(config.learning_rate, config.weight_decay), config)
    factors = [group["lr"] / config.learning_rate for group in optimiser.param_groups]
    objective_of = nn.functional.cross_entropy if task == "classification" else nn.functional.mse_loss
    weights = config.losses
    priced = JobNetwork(config, network.dag, (time_cost, memory_cost))
    pulling = [(k, term, term.coefficients(priced)) for name, term in TERMS.items() if (k := getattr(weights, name))]
    watch = Connectivity(config.on_lost_output, seed)
    done = 0
    if network.closeness is not None and lost_outputs(network.dag, network.live_mask()).size:
        set_closeness_of(network, watch.repaired(network, ClosenessStep(None, closeness_of(network)), 0)[0])

    def step(
        x: Tensor, y: Tensor, learning_rate: float, temperature: float | None = None, shaping: bool = True
    ) -> StepValues:
        nonlocal done
        if temperature is not None:
            network.temperature = temperature
        for place, (group, factor) in enumerate(zip(optimiser.param_groups, factors, strict=True)):
            group["lr"] = learning_rate * factor if shaping or place < 2 else 0.0  # the others are closeness
        outputs, terms, live = network.forward_with_terms(x)
        objective = objective_of(outputs, y)
        total = weights.objective * objective
        for k, term, coefficients in pulling:
            for measure, coefficient in zip(term.measures, coefficients, strict=False):
                total = total + k * coefficient * terms.value(measure)
            total = total + k * sum(coefficients[len(term.measures) :])
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        before = None if network.closeness is None else closeness_of(network)
        optimiser.step()
        done += 1
        if before is not None and lost_outputs(network.dag, network.live_mask()).size:
            values, changed = watch.repaired(network, ClosenessStep(before, closeness_of(network)), done)
            set_closeness_of(network, values)
            _forget(optimiser, network, changed, OPTIMISERS[config.optimizer].remembers)
        return StepValues(objective.detach(), total.detach(), terms.detach(), live, outputs.detach(), y)

    return step


def _forget(optimiser: torch.optim.Optimizer, network: ManifoldNetwork, changed: np.ndarray, remembers: str) -> None:
    """Set the mean gradients (``remembers``) of the closeness parameters ``changed`` (7 m + 1,) to 0."""
    assert network.closeness is not None
    at = 0
    for parameter in (*network.closeness.neuron_parameters(), network.closeness.cutoff):
        part = torch.from_numpy(changed[at : at + parameter.numel()]).reshape(parameter.shape)
        moment = optimiser.state[parameter].get(remembers)
        if moment is not None:
            moment[part] = 0
        at += parameter.numel()


def torch_optimiser(groups: list[dict[str, Any]], config: TrainingConfig) -> torch.optim.Optimizer:
    """The job's optimiser of groups of parameters, which say whether they decay."""
    return OPTIMISERS[config.optimizer].torch(groups, config.learning_rate)
