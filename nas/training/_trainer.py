"""Gradient descent on one network: objective plus the structure terms, watched for divergence and lost outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from nas.engine.cuda import GPU
from nas.errors import TrialError
from nas.graph import DAG, usable_cells
from nas.manifold import ManifoldNetwork
from nas.training._pause import allowed_edges, curves_of, optimiser_of, paused, working_network
from nas.training._recorder import Recorder
from nas.training.compression.connectivity import Connectivity, lobotomised, lost_outputs
from nas.training.compression.cuts import Sparsifier
from nas.training.devices import way_on
from nas.training.fused.trainer import FusedTrainer, StepReport
from nas.training.gpu.data import data_on
from nas.training.gpu.trainer import GPUTrainer, Trainer
from nas.training.loss_terms import StructureCosts, structure_costs
from nas.training.plain import PlainTrainer
from nas.training.quality.metrics import evaluate
from nas.training.types import Dataset, TrainingConfig, TrainingState

__all__ = [
    "History", "Stretch", "drive", "history_of", "noise_seed", "quality_of", "train", "train_until", "training_steps",
]  # fmt: skip

# Share of the steps with the initial temperature of the smooth counts. Annealed from the first step on, edges far above
# the cutoff feel nothing of the sparsity term before it could bring them down (benchmarks/results/sparsity.md).
ANNEAL_FROM = 0.5

OnLog = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class History:
    """Curves of one training, all of one length; empty when nothing was trained.

    ``curves``: step (after how many steps), objective, the terms of `nas.manifold.TERMS` that are used or usual (flow,
    sparsity), each without its factor, total (the weighted loss), train_accuracy or
    train_mse (of the batch), live_edges, density (live edges / usable cells), learning_rate, temperature, repairs (how
    often an output was about to be lost so far); each as the step saw it, before its update. With
    ``config.evaluate_every`` also val_accuracy and test_accuracy, or val_error and test_error, after the update; NaN at
    points between.
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
        The curves, one point every ``config.point_steps()`` steps and at the last one.

    Raises:
        TrialError: the loss is no finite number any more, or an output has lost its last path from any input.
        ValueError: the network does not fit the data.
    """
    history, _ = train_until(network, dataset, config, seed, on_log=on_log, recorder=recorder)
    return history


def train_until(
    network: ManifoldNetwork,
    dataset: Dataset,
    config: TrainingConfig,
    seed: int,
    *,
    pause_at: int | None = None,
    resume: TrainingState | None = None,
    on_log: OnLog | None = None,
    recorder: Recorder | None = None,
) -> tuple[History, TrainingState | None]:
    """As `train`, from one rung to another.

    A training that paused and went on, here or elsewhere, is bit for bit the one that never paused.

    Args:
        pause_at: one of ``config.rung_steps()``, at which to pause; None: train to the end.
        resume: of an earlier pause of the same candidate; ``network`` is the candidate's before any training.

    Returns:
        The curves so far, and what to go on with; None at the end.
    """
    points: list[dict[str, float]] = []
    steps = training_steps(
        network, dataset, config, seed, points, on_log=on_log, recorder=recorder, pause_at=pause_at, resume=resume
    )
    state = drive(steps)
    return history_of(points), state


def drive(steps: Generator[Stretch, StepReport, TrainingState | None]) -> TrainingState | None:
    """Run a training to its end or pause, its steps done here, alone; what it returns."""
    report = None
    while True:
        try:
            stretch = next(steps) if report is None else steps.send(report)
        except StopIteration as end:
            state: TrainingState | None = end.value
            return state
        report = stretch.run()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Steps that a training asks for before it goes on."""

    trainer: Trainer
    numbers: np.ndarray | None  # (steps, batch) rows of the training part; a GPU's trainer draws its own
    rates: np.ndarray  # (steps,) learning rates
    temperatures: np.ndarray  # (steps,) of the smooth counts

    def run(self) -> StepReport:
        """Do them here, alone."""
        if not isinstance(self.trainer, FusedTrainer):
            return self.trainer.run(self.numbers, self.rates, self.temperatures)
        assert self.numbers is not None
        return self.trainer.run(self.numbers, self.rates, self.temperatures)


def training_steps(
    network: ManifoldNetwork,
    dataset: Dataset,
    config: TrainingConfig,
    seed: int,
    points: list[dict[str, float]],
    *,
    threads: int | None = None,
    gpu: GPU | None = None,
    population: int = 1,
    on_log: OnLog | None = None,
    recorder: Recorder | None = None,
    pause_at: int | None = None,
    resume: TrainingState | None = None,
) -> Generator[Stretch, StepReport, TrainingState | None]:
    """The training of one network as a routine that stops where steps are to be done, and is sent what came of them.

    So many trainings can be driven at once, their steps done in one call (`nas.training.train_population`). Arguments,
    errors and what it returns as of `train_until`; each point of the curves is appended to ``points``.

    Args:
        threads: of the trainer, by default those torch has now.
        gpu: where the steps are done, instead of on the processor. The samples come in another order there.
        population: how many trainings share the GPU.
        pause_at, resume: see `train_until`.
    """
    _check_fits(network.dag, dataset)
    if config.steps:
        working, sparsifier = network, None
        if config.sparsify is not None:
            working = network.like(network.dag, network.to_arrays())
            sparsifier = Sparsifier(
                working, dataset, config, np.random.default_rng([seed, 2]), allowed=allowed_edges(resume)
            )
        state = None
        if resume is not None:
            working = working_network(network, resume, sparsifier)
            state = optimiser_of(working, resume)
        costs = structure_costs(config, working.dag)
        key = noise_seed(seed)
        trainer: Trainer
        if not working.compiled or (gpu is not None and not way_on(gpu).right):
            place = "cpu" if gpu is None else gpu.torch_device
            trainer = PlainTrainer(working, dataset, config, costs, device=place, seed=key, state=state, watched=True)
        elif gpu is None:
            threads = threads or torch.get_num_threads()
            trainer = FusedTrainer(
                working, dataset, config, costs, threads=threads, seed=key, watched=True, state=state
            )
        else:
            data = data_on(gpu, dataset)
            trainer = GPUTrainer(
                working, data, config, costs, seed=key, population=population, state=state, watched=True
            )
        watch = Connectivity(config.on_lost_output, seed)
        shaped = math.ceil(config.structure_until * config.steps)
        batches = _sample_numbers(len(dataset.x_train), trainer.batch_size, np.random.default_rng([seed, 1]))
        rates, temperatures = _rates(config), _temperatures(config)
        step, rungs, point_steps = 0, config.rung_steps(), config.point_steps()
        if resume is not None:
            step = resume.step
            points += curves_of(resume)
            watch.repairs = int(resume.arrays["repairs"])
            for _ in range(step if gpu is None else 0):
                next(batches)
        if recorder is not None:
            recorder.frame(step, working)
        while step < config.steps:
            end = min(config.steps, (step // point_steps + 1) * point_steps)
            if config.evaluate_every is not None:
                end = min(end, (step // config.evaluate_every + 1) * config.evaluate_every)
            if step < shaped:
                end = min(end, shaped)
            else:
                trainer.freeze_structure()
            if sparsifier is not None:
                end = min(end, sparsifier.next_event(step))
            if recorder is not None:
                end = min(end, recorder.next_event(step))
            end = min(end, *(rung for rung in rungs if rung > step), config.steps)
            chunk = rates[step:end]
            numbers = np.stack([next(batches) for _ in chunk]) if gpu is None else None
            done = 0
            while True:
                left = None if numbers is None else numbers[done:]
                report = yield Stretch(trainer, left, chunk[done:], temperatures[step + done : end])
                done += report.steps
                if not report.lost:
                    break
                watch.repair(trainer)
            _check_finite(report, trainer.costs, step + done, config)
            cut_due = sparsifier is not None and end == sparsifier.next_event(step)
            step = end
            last = step == config.steps
            if last or cut_due or step == shaped or step in rungs:
                watch.settle(trainer)
            evaluated = config.evaluate_every is not None and (last or step % config.evaluate_every == 0)
            if last or evaluated or step % point_steps == 0:
                point = _point(report, trainer.costs, step, float(chunk[-1]), trainer.network, dataset)
                point |= {"temperature": trainer.network.temperature, "repairs": float(watch.repairs)}
                if config.evaluate_every is not None:
                    if evaluated:
                        trainer.write_back()
                    point |= quality_of(trainer.network, dataset, evaluated)
                points.append(point)
                if on_log is not None:
                    on_log(step, points[-1])
            if sparsifier is not None and cut_due:
                trainer = sparsifier.cut(trainer, step)
            if recorder is not None and recorder.wants(step):
                trainer.write_back()
                recorder.frame(step, trainer.network)
            if step == pause_at and not last:
                trainer.write_back()
                pause = paused(trainer, sparsifier, points, watch.repairs, step)
                if trainer.network is not network:
                    network.become(trainer.network)
                return pause
        trainer.write_back()
        if trainer.network is not network:
            network.become(trainer.network)
    if (lost := lost_outputs(network.dag, network.live_mask())).size:
        raise lobotomised(network.dag, lost, config.steps)
    return None


def history_of(points: list[dict[str, float]]) -> History:
    """The curves made of their points."""
    return History({name: np.array([point[name] for point in points]) for name in (points[0] if points else ())})


def _check_fits(dag: DAG, dataset: Dataset) -> None:
    if (dag.n_inputs, dag.n_outputs) != (dataset.n_inputs, dataset.n_outputs):
        raise ValueError(
            f"data set {dataset.name} needs {dataset.n_inputs} inputs and {dataset.n_outputs} outputs, "
            f"but the network has {dag.n_inputs} and {dag.n_outputs}"
        )


def _point(
    report: StepReport, costs: StructureCosts, step: int, rate: float, network: ManifoldNetwork, dataset: Dataset
) -> dict[str, float]:
    classifies = dataset.task == "classification"
    return {
        "step": float(step),
        "objective": report.objective,
        **costs.curves(report.values),
        "total": report.total,
        **({"train_accuracy": report.correct} if classifies else {"train_mse": report.objective}),
        "live_edges": float(report.live),
        "density": report.live / usable_cells(*network.dag.sizes),
        "learning_rate": rate,
    }


def noise_seed(seed: int) -> int:
    """Of a training's noise on the inputs and, on a GPU, of the order of its samples; below 2^32."""
    return int(np.random.default_rng([seed, 1]).integers(2**32))


def quality_of(network: nn.Module, dataset: Dataset, evaluated: bool) -> dict[str, float]:
    """Accuracy, or error of a regression, on the validation and test parts; NaN unless ``evaluated``."""
    name = "accuracy" if dataset.task == "classification" else "error"
    parts = {"val": (dataset.x_val, dataset.y_val), "test": (dataset.x_test, dataset.y_test)}
    return {
        f"{part}_{name}": evaluate(network, x, y, dataset.task)[name] if evaluated else math.nan
        for part, (x, y) in parts.items()
    }


def _temperatures(config: TrainingConfig) -> np.ndarray:
    """(steps,) temperature of the smooth counts."""
    k = config.losses
    return _annealed(config.steps, k.temperature, k.final_temperature, config.structure_until)


@lru_cache(maxsize=64)  # most candidates of a search share it, and a power a step takes longer than to prepare a launch
def _annealed(steps: int, first: float, last: float, until: float) -> np.ndarray:
    values = np.empty(steps)
    for step in range(steps):
        progress = min(step / steps / until, 1.0)
        values[step] = first * float((last / first) ** max(0.0, (progress - ANNEAL_FROM) / (1 - ANNEAL_FROM)))
    values.flags.writeable = False
    return values


def _rates(config: TrainingConfig) -> np.ndarray:
    """(steps,) learning rate."""
    progress, cosine = _schedule(config.steps, config.warmup)
    rate = config.learning_rate
    later = rate * 0.5 * (1 + cosine) if config.schedule == "cosine" else np.full(config.steps, rate)
    return np.where(progress < config.warmup, rate * progress / (config.warmup or 1.0), later)


@lru_cache(maxsize=64)
def _schedule(steps: int, warmup: float) -> tuple[np.ndarray, np.ndarray]:
    """(steps,) the share that is done, and the cosine of the angle that belongs to it after the warm-up."""
    progress = np.array([step / steps for step in range(steps)])
    cosine = np.array([math.cos(math.pi * ((share - warmup) / (1 - warmup))) for share in progress.tolist()])
    return progress, cosine


def _sample_numbers(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches of sample numbers without end; every epoch in a new order, its incomplete last batch left out."""
    while True:
        order = rng.permutation(count)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def _said(curves: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in curves.items())


def _check_finite(report: StepReport, costs: StructureCosts, step: int, config: TrainingConfig) -> None:
    if not report.finite:
        raise TrialError(
            f"diverged: the loss must stay finite, but is {report.total} at step {step} "
            f"(objective {report.objective:.3g}, {_said(costs.curves(report.values))}); "
            f"lower learning_rate ({config.learning_rate:g}) or the factors of the losses"
        )
