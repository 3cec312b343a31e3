"""Section 3: a whole training step (closeness, network, loss terms, Adam), fused, against the same step in torch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks._measure import summary
from benchmarks._progress import Progress
from nas.errors import NasError
from nas.graph import complete
from nas.manifold import ManifoldNetwork
from nas.training import DataConfig, Dataset, LossWeights, TrainingConfig, load_data
from nas.training.fused.trainer import FusedTrainer
from nas.training.loss_terms import structure_costs
from nas.training.reference import reference_step

__all__ = ["Schedule", "measure_schedule", "training"]

_PUBLISHED_SECONDS = 39_333.0  # what the published MNIST run took for its 50,000 steps


@dataclass(frozen=True, slots=True)
class Schedule:
    """A published training run."""

    name: str
    sizes: tuple[int, int, int]
    batch: int
    steps: int  # of the schedule
    learning_rate: float
    losses: LossWeights
    target_seconds: float


_MNIST = Schedule("MNIST manifold", (784, 206, 10), 50, 50_000, 1e-3, LossWeights(flow=1e-10, sparsity=0.1), 120.0)
_TOY = Schedule("toy manifold", (5, 16, 4), 50, 5_000, 2e-3, LossWeights(flow=1e-4, sparsity=0.01), 0.5)


def training(progress: Progress, quick: bool) -> dict[str, Any]:
    """The schedules, each as far as time allows: MNIST by a stretch of it, the toy whole."""
    rows = []
    for schedule, steps in ((_TOY, 5_000), (_MNIST, 50 if quick else 1_000)):
        progress.detail(schedule.name)
        row = measure_schedule(schedule, steps, torch_steps=20 if quick else 100)
        rows.append(row)
        if "fused" in row:
            progress.say(
                f"      {schedule.name}: {1e3 * row['fused']['median']:.3g} ms a step fused, "
                f"{1e3 * row['torch']['median']:.3g} ms in torch; "
                f"{schedule.steps:,} steps: {row['whole_seconds']:.3g} s"
            )
        else:
            progress.say(f"      {schedule.name}: {row['status']}")
    return {"schedules": rows, "published_seconds": _PUBLISHED_SECONDS}


def measure_schedule(schedule: Schedule, steps: int, *, torch_steps: int) -> dict[str, Any]:
    """Seconds a step, fused and in torch, from the published initial values on.

    Args:
        schedule: what to train.
        steps: fused ones to measure; times for the whole schedule are extrapolated when it is longer.
        torch_steps: the same in torch.
    """
    row: dict[str, Any] = {
        "name": schedule.name,
        "sizes": list(schedule.sizes),
        "batch": schedule.batch,
        "steps": schedule.steps,
        "target_seconds": schedule.target_seconds,
    }
    data, source = _data(schedule)
    config = TrainingConfig(
        steps=schedule.steps,
        batch_size=schedule.batch,
        learning_rate=schedule.learning_rate,
        schedule="constant",
        parametrisation="manifold",
        losses=schedule.losses,
    )
    torch_seconds = _torch_steps(_network(schedule, data), data, config, torch_steps)
    network = _network(schedule, data)
    trainer = FusedTrainer(network, data, config, structure_costs(config, network.dag), threads=torch.get_num_threads())
    chunk = max(1, steps // 10)
    numbers = np.random.default_rng(1).integers(0, len(data.x_train), (chunk, trainer.batch_size))
    rates = np.full(chunk, schedule.learning_rate)
    start = time.perf_counter()
    trainer.run(numbers[:1], rates[:1])  # loads the kernels
    first = time.perf_counter() - start
    seconds, lives = [], []
    for _ in range(10):
        start = time.perf_counter()
        report = trainer.run(numbers, rates)
        seconds.append((time.perf_counter() - start) / report.steps)
        lives.append(report.live)
    done = 10 * chunk
    return row | {
        "status": "measured",
        "data": source,
        "cells": network.dag.n_edges,
        "live": lives,
        "first_step_seconds": first,
        "measured_steps": done,
        "fused": summary(seconds).to_json(),
        "torch": summary(torch_seconds).to_json(),
        "whole_seconds": sum(seconds) * chunk * (schedule.steps / done),
        "extrapolated": done < schedule.steps,
        "finite": report.finite,
    }


def _network(schedule: Schedule, data: Dataset) -> ManifoldNetwork:
    return ManifoldNetwork(
        complete(*schedule.sizes),
        parametrisation="manifold",
        period=data.period,
        generator=np.random.default_rng(0),
    )


def _torch_steps(network: ManifoldNetwork, data: Dataset, config: TrainingConfig, steps: int) -> list[float]:
    step = reference_step(network, data.task, config)
    x, y = torch.from_numpy(data.x_train[: config.batch_size]), torch.from_numpy(data.y_train[: config.batch_size])
    seconds = []
    for number in range(steps + 3):
        start = time.perf_counter()
        step(x, y, config.learning_rate)
        if number >= 3:
            seconds.append(time.perf_counter() - start)
    return seconds


def _data(schedule: Schedule) -> tuple[Dataset, str]:
    """MNIST or the toy when they can be had, else noise of the same shape: the cost does not look at the values."""
    n_inputs, _, n_outputs = schedule.sizes
    if n_inputs == 784:
        try:
            return load_data(DataConfig(source="mnist")), "MNIST"
        except (NasError, OSError):
            pass
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5_000, n_inputs)).astype(np.float32)
    if n_inputs == 784:
        classes = tuple(map(str, range(n_outputs)))
        y = rng.integers(n_outputs, size=len(x))
        return Dataset("noise", "classification", x, y, x, y, x, y, classes=classes, period=28), "noise (no MNIST here)"
    y = (x[:, :n_outputs] + x[:, 1 : n_outputs + 1]).astype(np.float32)
    return Dataset("sums", "regression", x, y, x, y, x, y), "sums of neighbours"
