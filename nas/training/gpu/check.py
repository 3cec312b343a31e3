"""The check of the training kernel on a GPU: three steps of each parametrisation beside plain torch operations.

See `nas.engine.cuda._verdict`. The plain steps are those that take the kernel's place where it is wrong.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from nas.engine.cuda import GPU, gpu_of, report
from nas.graph import complete, random_dag
from nas.manifold import EDGES, FLOW, NEURONS, ManifoldNetwork, Parametrisation, Readout
from nas.training.gpu.data import GPUData
from nas.training.gpu.trainer import GPUTrainer
from nas.training.loss_terms import StructureCosts
from nas.training.plain import PlainTrainer
from nas.training.types import Dataset, LossWeights, Task, TrainingConfig

__all__ = ["training_problems"]

_KINDS: tuple[tuple[Parametrisation, Readout, str], ...] = (
    ("free", "activated", "silu"), ("masked", "activated", "leaky_relu"), ("manifold", "activated", "tanh"),
    ("manifold", "linear", "relu"), ("manifold", "square", "leaky_relu"),
)  # fmt: skip
_STEPS = 3
_TOLERANCE = 0.01  # of the largest change of a parameter's elements
_ROUNDINGS = 8  # of its largest element


def training_problems(gpu: GPU) -> list[str]:
    """What training on this GPU gets wrong: objectives, loss terms and parameters after some steps."""
    problems = []
    for task in ("classification", "regression"):
        data = _samples(task)
        for parametrisation, readout, activation in _KINDS:
            for wrong in _apart(gpu, data, parametrisation, readout, activation):
                problems.append(f"{parametrisation} ({readout}, {task}): {wrong}")
    return problems


def _apart(gpu: GPU, data: Dataset, parametrisation: Parametrisation, readout: Readout, activation: str) -> list[str]:
    def network() -> ManifoldNetwork:
        rng = np.random.default_rng(1)
        dag = complete(12, 24, 3) if parametrisation == "manifold" else random_dag(12, 24, 3, density=0.5, rng=rng)
        made = ManifoldNetwork(
            dag, parametrisation=parametrisation, activation=activation, readout=readout, generator=rng, period=4
        )
        if made.closeness is not None:
            with torch.no_grad():  # some edges dead, every output with a path
                made.closeness.cutoff.fill_(-3.0 if parametrisation == "manifold" else 0.0)
        return made

    losses = LossWeights(objective=1.0, flow=1e-4)
    # Momentum, so that steps depend on each other; Adam's first steps are of one length whatever the gradient.
    config = TrainingConfig(
        batch_size=48, losses=losses, learning_rate=1e-4, optimizer="sgd", parametrisation=parametrisation,
        activation=activation, readout=readout, weight_decay=0.01,
    )  # fmt: skip
    costs = StructureCosts({FLOW: losses.flow, EDGES: 1e-3, NEURONS: 0.05})
    start, slow, fast = network(), network(), network()
    one = PlainTrainer(slow, data, config, costs, device="cpu", seed=3, watched=True)
    two = GPUTrainer(fast, GPUData(gpu, data), config, costs, seed=3, watched=True)
    rates = np.full(_STEPS, config.learning_rate)
    wanted, found = one.run(None, rates), two.run(None, rates)
    one.write_back()
    two.write_back()
    wrong = []
    for name in ("steps", "objective", "flow", "smooth_edges", "total", "correct", "live", "finite", "lost"):
        value, other = float(getattr(wanted, name)), float(getattr(found, name))
        if not abs(value - other) <= _TOLERANCE * max(abs(value), 1e-3):
            wrong.append(f"{name} is {other:.4g} in place of {value:.4g}")
    for (name, a), b, begin in zip(slow.named_parameters(), fast.parameters(), start.parameters(), strict=True):
        with torch.no_grad():
            change, apart, size = (float(each.abs().max()) for each in (a - begin, a - b, a))
        if not apart <= _TOLERANCE * change + _ROUNDINGS * torch.finfo(a.dtype).eps * size:
            wrong.append(f"{name} is wrong by {apart:.2g}, where it changed by {change:.2g}")
    return wrong


def _samples(task: Task) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 12)).astype(np.float32)
    y = rng.integers(3, size=160) if task == "classification" else (x[:, :3] * x[:, 3:6]).astype(np.float32)
    classes = ("a", "b", "c") if task == "classification" else ()
    return Dataset("check", task, x, y, x, y, x, y, classes=classes)


if __name__ == "__main__":
    report(lambda: training_problems(gpu_of(int(sys.argv[1]))))
