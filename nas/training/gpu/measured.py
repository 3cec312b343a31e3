"""What a network costs on a GPU: device time between events of a training step and of a forward pass, bytes.

As on the processor (`nas.training.cost.measured`): warm, least of samples, alone on the GPU as far as this process
knows; workers that share a GPU disturb each other's times, which the reference kernel beside each shows.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from nas.engine.cuda import GPU
from nas.manifold import ManifoldNetwork
from nas.training.cost.timing import measure, reference_kernel_seconds, time_inference
from nas.training.devices import way_on
from nas.training.gpu.data import data_on
from nas.training.gpu.trainer import GPUTrainer, Steps, prepare
from nas.training.loss_terms import timed_costs
from nas.training.noise import NO_NOISE
from nas.training.plain import PlainTrainer
from nas.training.types import Dataset, TrainingConfig

__all__ = ["gpu_times"]

STEPS_TIMED = 50  # in one launch, as in training
REFERENCE_EVERY = 15.0  # seconds

_references: dict[str, tuple[float, float]] = {}  # by device: when it was taken last, and what it took


def gpu_times(
    final: ManifoldNetwork, small: ManifoldNetwork, dataset: Dataset, config: TrainingConfig, gpu: GPU, budget: float
) -> dict[str, float]:
    """The metrics of a trial that are times and bytes.

    Args:
        final: its folded form is timed on ``config.inference_batch`` validation samples.
        small: its training steps are timed.
        budget: wall seconds for each of the two.

    Raises:
        ValueError: the loss is not finite, so that steps stop early and look fast.
    """
    device, threads = gpu.torch_device.type, torch.get_num_threads()
    if not (way_on(gpu).right and small.compiled):
        return _plain_times(final, small, dataset, config, gpu, budget)
    quiet = config.model_copy(update=NO_NOISE)
    trainer = GPUTrainer(small, data_on(gpu, dataset), quiet, timed_costs(config, small.dag))
    rates = np.zeros(STEPS_TIMED)  # the learning rate 0 costs what any other does
    if not trainer.run(None, rates).finite:
        raise ValueError("the loss must stay finite for a training step to be timed")
    # Only the launch: between events a GPU's clock runs on while it waits for the processor.
    (launch,) = prepare([Steps(trainer, None, rates, None)])
    step = measure(launch.start, threads=threads, device=device, samples=5, budget_seconds=budget, warmup=1)
    return {
        "train_step_seconds": step.seconds / STEPS_TIMED,
        "train_bytes": float(trainer.bytes),
        **_inference(final, dataset, config, gpu, budget),
    }


def _plain_times(
    final: ManifoldNetwork, small: ManifoldNetwork, dataset: Dataset, config: TrainingConfig, gpu: GPU, budget: float
) -> dict[str, float]:
    """The same where no kernels are used: of steps as they are done there."""
    trainer = PlainTrainer(small, dataset, config, timed_costs(config, small.dag), device=gpu.torch_device)
    rates = np.zeros(1)
    if not trainer.run(None, rates).finite:
        raise ValueError("the loss must stay finite for a training step to be timed")
    step = measure(
        lambda: trainer.run(None, rates),
        threads=torch.get_num_threads(), device=gpu.torch_device.type, samples=5, budget_seconds=budget, warmup=1,
    )  # fmt: skip
    return {
        "train_step_seconds": step.seconds,
        "train_bytes": float(trainer.bytes),
        **_inference(final, dataset, config, gpu, budget),
    }


def _inference(
    final: ManifoldNetwork, dataset: Dataset, config: TrainingConfig, gpu: GPU, budget: float
) -> dict[str, float]:
    threads = torch.get_num_threads()
    rows = np.resize(np.arange(len(dataset.x_val)), config.inference_batch)
    module = final.fold().to(gpu.torch_device)
    inference = time_inference(module, dataset.x_val[rows], threads=threads, budget_seconds=budget)
    return {
        "inference_seconds": inference.seconds,
        "inference_spread": inference.spread,
        "reference_seconds": _reference_seconds(str(gpu.torch_device), threads),
    }


def _reference_seconds(device: str, threads: int) -> float:
    now = time.monotonic()
    if device not in _references or now - _references[device][0] > REFERENCE_EVERY:
        _references[device] = now, reference_kernel_seconds(threads, device)
    return _references[device][1]
