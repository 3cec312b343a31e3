"""Gradient descent on one network: objective plus the structure terms, watched for divergence and lost outputs."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from functools import lru_cache

import numpy as np
import torch

from nas.engine.cuda import GPU
from nas.errors import TrialError
from nas.graph import DAG, usable_cells
from nas.manifold import ManifoldNetwork
from nas.training._loop import FAR, History, OnLog, Stretch, drive, history_of, noise_seed, train_on
from nas.training._pause import allowed_edges, optimiser_of, paused, working_network
from nas.training._recorder import Recorder
from nas.training.compression.connectivity import Connectivity, lobotomised, lost_outputs
from nas.training.compression.cuts import Sparsifier
from nas.training.devices import way_on
from nas.training.fused.trainer import FusedTrainer, OptimiserState, StepReport
from nas.training.gpu.data import data_on
from nas.training.gpu.trainer import GPUTrainer, Trainer
from nas.training.loss_terms import StructureCosts, structure_costs
from nas.training.plain import PlainTrainer
from nas.training.types import Dataset, TrainingConfig, TrainingState

__all__ = ["train", "train_until", "training_steps"]

# Share of the steps with the initial temperature of the smooth counts. Annealed from the first step on, edges far above
# the cutoff feel nothing of the sparsity term before it could bring them down (benchmarks/results/sparsity.md).
ANNEAL_FROM = 0.5


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
        course = _Neurons(network, dataset, config, seed, threads, gpu, population, recorder, resume)
        state = yield from train_on(
            course, dataset, config, seed, points, on_log=on_log, pause_at=pause_at, resume=resume
        )
        if state is not None:
            return state
    if (lost := lost_outputs(network.dag, network.live_mask())).size:
        raise lobotomised(network.dag, lost, config.steps)
    return None


class _Neurons:
    """The course of a network of neurons; see `nas.training._loop.Course`. Arguments as of `training_steps`."""

    def __init__(
        self,
        network: ManifoldNetwork,
        dataset: Dataset,
        config: TrainingConfig,
        seed: int,
        threads: int | None,
        gpu: GPU | None,
        population: int,
        recorder: Recorder | None,
        resume: TrainingState | None,
    ) -> None:
        self._given, self._dataset, self._config, self._recorder = network, dataset, config, recorder
        self.draws = gpu is not None
        working, self._sparsifier = network, None
        if config.sparsify is not None:
            working = network.like(network.dag, network.to_arrays())
            self._sparsifier = Sparsifier(
                working, dataset, config, np.random.default_rng([seed, 2]), allowed=allowed_edges(resume)
            )
        state = None
        if resume is not None:
            working = working_network(network, resume, self._sparsifier)
            state = optimiser_of(working, resume)
        self._trainer = _trainer(
            working, dataset, config, noise_seed(seed), threads=threads, gpu=gpu, population=population, state=state
        )
        self.batch_size = self._trainer.batch_size
        self._watch = Connectivity(config.on_lost_output, seed)
        self._temperatures = _temperatures(config)
        self._shaped = math.ceil(config.structure_until * config.steps)
        self._settles = {self._shaped, config.steps, *config.rung_steps()}
        self._cut_due = False
        if resume is not None:
            self._watch.repairs = int(resume.arrays["repairs"])
        if recorder is not None:
            recorder.frame(0 if resume is None else resume.step, working)

    def next_event(self, step: int) -> int:
        events = [FAR] if step >= self._shaped else [self._shaped]
        events += [each.next_event(step) for each in (self._sparsifier, self._recorder) if each is not None]
        return min(events)

    def steps(
        self, step: int, numbers: np.ndarray | None, rates: np.ndarray
    ) -> Generator[Stretch, StepReport, StepReport]:
        trainer, end, done = self._trainer, step + len(rates), 0
        if step >= self._shaped:
            trainer.freeze_structure()
        while True:
            left = None if numbers is None else numbers[done:]
            report = yield Stretch(trainer, left, rates[done:], self._temperatures[step + done : end])
            done += report.steps
            if not report.lost:
                break
            self._watch.repair(trainer)
        _check_finite(report, trainer.costs, step + done, self._config)
        self._cut_due = self._sparsifier is not None and end == self._sparsifier.next_event(step)
        if self._cut_due or end in self._settles:
            self._watch.settle(trainer)
        return report

    def point(self, report: StepReport, step: int, rate: float) -> dict[str, float]:
        network = self._trainer.network
        point = _point(report, self._trainer.costs, step, rate, network, self._dataset)
        return point | {"temperature": network.temperature, "repairs": float(self._watch.repairs)}

    def network(self) -> ManifoldNetwork:
        self._trainer.write_back()
        return self._trainer.network

    def between(self, step: int) -> None:
        if self._sparsifier is not None and self._cut_due:
            self._trainer = self._sparsifier.cut(self._trainer, step)
        if self._recorder is not None and self._recorder.wants(step):
            self._recorder.frame(step, self.network())

    def paused(self, points: list[dict[str, float]], step: int) -> TrainingState:
        self._trainer.write_back()
        state = paused(self._trainer, self._sparsifier, points, self._watch.repairs, step)
        self.finish()
        return state

    def finish(self) -> None:
        network = self.network()
        if network is not self._given:
            self._given.become(network)


def _trainer(
    network: ManifoldNetwork,
    dataset: Dataset,
    config: TrainingConfig,
    key: int,
    *,
    threads: int | None,
    gpu: GPU | None,
    population: int,
    state: OptimiserState | None,
) -> Trainer:
    """Whatever can do the steps of this network there."""
    costs = structure_costs(config, network.dag)
    if not network.compiled or (gpu is not None and not way_on(gpu).right):
        place = "cpu" if gpu is None else gpu.torch_device
        return PlainTrainer(network, dataset, config, costs, device=place, seed=key, state=state, watched=True)
    if gpu is None:
        threads = threads or torch.get_num_threads()
        return FusedTrainer(network, dataset, config, costs, threads=threads, seed=key, watched=True, state=state)
    data = data_on(gpu, dataset)
    return GPUTrainer(network, data, config, costs, seed=key, population=population, state=state, watched=True)


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


def _said(curves: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in curves.items())


def _check_finite(report: StepReport, costs: StructureCosts, step: int, config: TrainingConfig) -> None:
    if not report.finite:
        raise TrialError(
            f"diverged: the loss must stay finite, but is {report.total} at step {step} "
            f"(objective {report.objective:.3g}, {_said(costs.curves(report.values))}); "
            f"lower learning_rate ({config.learning_rate:g}) or the factors of the losses"
        )
