"""Gradient descent on one network: objective plus the structure terms, watched for divergence and lost outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from nas.errors import TrialError
from nas.graph import DAG
from nas.manifold import ManifoldNetwork
from nas.training._fused import FusedTrainer, StepReport, structure_costs
from nas.training._recorder import Recorder
from nas.training._sparsify import Sparsifier
from nas.training._types import Dataset, TrainingConfig

__all__ = ["History", "Stretch", "history_of", "train", "training_steps"]

OnLog = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class History:
    """Curves of one training, all of one length; empty when nothing was trained.

    ``curves``: step (after how many steps), objective, flow, sparsity, total (the weighted loss), train_accuracy or
    train_mse (of the batch), live_edges, learning_rate; each as the step saw it, before its update.
    """

    curves: Mapping[str, np.ndarray]


def train(
    network: ManifoldNetwork,
    dataset: Dataset,
    config: TrainingConfig,
    seed: int,
    on_log: OnLog | None = None,
    recorder: Recorder | None = None,
) -> History:
    """Train ``network`` in place on the training part for ``config.steps`` steps, on the threads torch has now.

    Args:
        network: changed in place, at the end, its DAG too if ``config.sparsify`` cuts it; after an error it is as it
            was.
        seed: decides the order of the samples.
        on_log: called with the step and the values of the curves whenever a point is logged.
        recorder: takes its frames; the training is the same with and without it.

    Returns:
        The curves, one point every ``config.log_every`` steps and at the last one.

    Raises:
        TrialError: the loss is no finite number any more, or an output has lost its last path from any input.
        ValueError: the network does not fit the data.
    """
    points: list[dict[str, float]] = []
    steps = training_steps(network, dataset, config, seed, points, on_log=on_log, recorder=recorder)
    report = None
    while True:
        try:
            stretch = next(steps) if report is None else steps.send(report)
        except StopIteration:
            break
        report = stretch.run()
    return history_of(points)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Steps that a training asks for before it goes on."""

    trainer: FusedTrainer
    numbers: np.ndarray  # (steps, batch) rows of the training part
    rates: np.ndarray  # (steps,) learning rates

    def run(self) -> StepReport:
        """Do them here, alone."""
        return self.trainer.run(self.numbers, self.rates)


def training_steps(
    network: ManifoldNetwork,
    dataset: Dataset,
    config: TrainingConfig,
    seed: int,
    points: list[dict[str, float]],
    *,
    threads: int | None = None,
    on_log: OnLog | None = None,
    recorder: Recorder | None = None,
) -> Generator[Stretch, StepReport, None]:
    """The training of one network as a routine that stops where steps are to be done, and is sent what came of them.

    So many trainings can be driven at once, their steps done in one call (`nas.training.train_population`). Arguments
    and errors as of `train`; each point of the curves is appended to ``points``; ``threads``: of the trainer, by
    default those torch has now.
    """
    _check_fits(network.dag, dataset)
    if config.steps:
        working, sparsifier = network, None
        if config.sparsify is not None:
            working = ManifoldNetwork.from_arrays(network.dag, network.to_arrays(), activation=network.activation)
            sparsifier = Sparsifier(working, dataset, config, np.random.default_rng([seed, 2]))
        costs = structure_costs(config, working.dag)
        trainer = FusedTrainer(working, dataset, config, costs, threads=threads or torch.get_num_threads())
        batches = _sample_numbers(len(dataset.x_train), trainer.batch_size, np.random.default_rng([seed, 1]))
        rates = np.array([_rate(config, step / config.steps) for step in range(config.steps)])
        step = 0
        if recorder is not None:
            recorder.frame(step, working)
        while step < config.steps:
            end = min(config.steps, (step // config.log_every + 1) * config.log_every)
            if sparsifier is not None:
                end = min(end, sparsifier.next_event(step))
            if recorder is not None:
                end = min(end, recorder.next_event(step))
            chunk = rates[step:end]
            report = yield Stretch(trainer, np.stack([next(batches) for _ in chunk]), chunk)
            _check_finite(report, step + report.steps, config)
            cut_due = sparsifier is not None and end == sparsifier.next_event(step)
            step = end
            if step % config.log_every == 0 or step == config.steps:
                _check_outputs(trainer.network, trainer.live_mask(), step)
                points.append(_point(report, step, float(chunk[-1]), trainer.network, dataset))
                if on_log is not None:
                    on_log(step, points[-1])
            if sparsifier is not None and cut_due:
                trainer = sparsifier.cut(trainer, step)
            if recorder is not None and recorder.wants(step):
                trainer.write_back()
                recorder.frame(step, trainer.network)
        trainer.write_back()
        if trainer.network is not network:
            network.become(trainer.network)
    _check_outputs(network, network.live_mask(), config.steps)


def history_of(points: list[dict[str, float]]) -> History:
    """The curves made of their points."""
    return History({name: np.array([point[name] for point in points]) for name in (points[0] if points else ())})


def _check_fits(dag: DAG, dataset: Dataset) -> None:
    if (dag.n_inputs, dag.n_outputs) != (dataset.n_inputs, dataset.n_outputs):
        raise ValueError(
            f"data set {dataset.name} needs {dataset.n_inputs} inputs and {dataset.n_outputs} outputs, "
            f"but the network has {dag.n_inputs} and {dag.n_outputs}"
        )


def _point(report: StepReport, step: int, rate: float, network: ManifoldNetwork, dataset: Dataset) -> dict[str, float]:
    classifies = dataset.task == "classification"
    return {
        "step": float(step),
        "objective": report.objective,
        "flow": report.flow,
        "sparsity": report.smooth_edges / max(network.dag.n_edges, 1),
        "total": report.total,
        **({"train_accuracy": report.correct} if classifies else {"train_mse": report.objective}),
        "live_edges": float(report.live),
        "learning_rate": rate,
    }


def _rate(config: TrainingConfig, progress: float) -> float:
    """Learning rate when the share ``progress`` of the steps is done."""
    if progress < config.warmup:
        return config.learning_rate * progress / config.warmup
    progress = (progress - config.warmup) / (1 - config.warmup)
    if config.schedule == "cosine":
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate


def _sample_numbers(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches of sample numbers without end; every epoch in a new order, its incomplete last batch left out."""
    while True:
        order = rng.permutation(count)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def _check_finite(report: StepReport, step: int, config: TrainingConfig) -> None:
    if not report.finite:
        raise TrialError(
            f"diverged: the loss must stay finite, but is {report.total} at step {step} "
            f"(objective {report.objective:.3g}, flow {report.flow:.3g}); "
            f"lower learning_rate ({config.learning_rate:g}) or the factors of the losses"
        )


def _check_outputs(network: ManifoldNetwork, live: np.ndarray, step: int) -> None:
    dag = network.dag.with_edges(live, allow_unreachable=True)
    if lost := dag.unreachable_outputs():
        raise TrialError(
            f"lobotomised: at step {step} no live path from any input reaches output "
            f"{', '.join(map(dag.label, lost))}; "
            "lower the factors of the sparsity, flow, time and memory losses, or the learning rate"
        )
