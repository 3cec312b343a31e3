"""What a network costs on this machine: process time of a training step and of a forward pass, bytes of its trainer."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nas.manifold import ManifoldNetwork
from nas.training.cost.timing import Timing, measure, time_inference
from nas.training.fused.trainer import FusedTrainer
from nas.training.loss_terms import timed_costs
from nas.training.noise import NO_NOISE
from nas.training.plain import PlainTrainer
from nas.training.types import Dataset, TrainingConfig

__all__ = ["inference_timing", "step_timing", "timed_trainer", "trainer_bytes"]

STEPS_TIMED = 10  # in one call, as in training


def timed_trainer(network: ManifoldNetwork, dataset: Dataset, config: TrainingConfig) -> FusedTrainer | PlainTrainer:
    """The trainer whose steps are timed, on the threads torch has now.

    Terms of shares have no factor in it: they hardly change what a step costs. It has no noise: that is drawn
    once a chunk of many steps in training, and in the short chunks that are timed it would outweigh a small network.
    """
    config = config.model_copy(update=NO_NOISE)
    costs = timed_costs(config, network.dag)
    if not network.compiled:
        return PlainTrainer(network, dataset, config, costs, device="cpu")
    return FusedTrainer(network, dataset, config, costs, threads=torch.get_num_threads())


def step_timing(
    trainer: FusedTrainer | PlainTrainer, budget_seconds: float, samples: int = 11, warmup: int = 3
) -> Timing:
    """Process time of one training step: closeness, network and optimiser.

    Raises:
        ValueError: the loss is not finite, so that steps stop early and look fast.
    """
    numbers = np.tile(np.arange(trainer.batch_size), (STEPS_TIMED, 1))
    rates = np.zeros(STEPS_TIMED)  # the learning rate 0 costs what any other does
    if not trainer.run(numbers, rates).finite:
        raise ValueError("the loss must stay finite for a training step to be timed")
    timing = measure(
        lambda: trainer.run(numbers, rates),
        threads=torch.get_num_threads(), samples=samples, budget_seconds=budget_seconds, warmup=warmup,
    )  # fmt: skip
    return Timing(
        timing.seconds / STEPS_TIMED,
        timing.spread / STEPS_TIMED,
        timing.samples,
        timing.calls,
        timing.threads,
        "cpu",
        timing.busy,
    )


def inference_timing(module: nn.Module, dataset: Dataset, config: TrainingConfig, budget_seconds: float) -> Timing:
    """Process time of a forward pass of ``config.inference_batch`` validation samples."""
    rows = np.resize(np.arange(len(dataset.x_val)), config.inference_batch)
    x = torch.from_numpy(dataset.x_val[rows])
    return time_inference(module, x, threads=torch.get_num_threads(), budget_seconds=budget_seconds)


def trainer_bytes(trainer: FusedTrainer | PlainTrainer) -> int:
    """Bytes of the arrays that a trainer holds, those of the data apart."""
    if isinstance(trainer, PlainTrainer):
        return trainer.bytes
    held = {id(array): array.nbytes for group in (trainer._graph, trainer._buffers) for array in group}
    return sum(held.values())
