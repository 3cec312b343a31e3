"""The methods of the search benchmark: each spends a budget through one meter, that is one trainer and one clock."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna

from benchmarks._search_tasks import HYPERPARAMETERS, Task
from nas.graph import DAG, layered
from nas.search import SearchConfig, SerialExecutor, StudyStore, error_reference, make_strategy, run_search
from nas.training import Candidate, Dataset, Genome, TrainingConfig, TrialResult, TrialStatus, run_trial

__all__ = ["ABLATIONS", "ALTERNATIVES", "METHODS", "SPARSE", "WITH_RUNGS", "Meter", "Network", "wanted"]

_LEVELS: Final = 8  # densities at which the methods without a search leave a network
_TRUNK: Final = 0.5  # share of the budget for the large network while it is cut; the rest fine-tunes the snapshots


@dataclass(frozen=True, slots=True)
class Network:
    """A trained network and what had been spent when it was ready."""

    result: TrialResult
    hyperparameters: dict[str, Any]
    steps: int
    seconds: float


@dataclass(slots=True)
class Meter:
    """Trains candidates and adds up what that costs; a method goes on until both budgets are spent."""

    task: Task
    dataset: Dataset
    seed: int
    config: TrainingConfig
    networks: list[Network] = field(default_factory=list)
    steps: int = 0
    started: float = field(default_factory=time.process_time)
    paused: dict[int, int] = field(default_factory=dict)  # steps done by trials that wait at a rung

    @property
    def seconds(self) -> float:
        """Process time since the method started: training, timing, asking, bookkeeping."""
        return time.process_time() - self.started

    @property
    def spent(self) -> bool:
        """Whether no further candidate may be started."""
        return self.steps >= self.task.steps and self.seconds >= self.task.seconds

    def evaluate(self, candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
        """`run_trial` with the bill."""
        result = run_trial(candidate, dataset, config)
        done = candidate.steps if result.steps is None else result.steps
        self.steps += done - self.paused.pop(candidate.number, 0)
        if result.status is TrialStatus.PAUSED:
            self.paused[candidate.number] = done
        if result.status is TrialStatus.COMPLETE:
            entry = Network(result, dict(candidate.genome.hyperparameters), self.steps, self.seconds)
            self.networks.append(entry)
        return result

    def train(
        self,
        dag: DAG,
        steps: int,
        hyperparameters: Mapping[str, Any] | None = None,
        start: TrialResult | None = None,
    ) -> TrialResult | None:
        """One network of a method that is no search; None where it failed.

        Args:
            start: go on from its weights, on its edges.
        """
        number = len(self.networks)
        candidate = Candidate(
            number,
            Genome(dag if start is None or start.dag is None else start.dag, dict(hyperparameters or {})),
            seed=1000 * self.seed + number,
            steps=steps,
            inherited=None if start is None else start.arrays,
        )
        result = self.evaluate(candidate, self.dataset, self.config)
        return result if result.status is TrialStatus.COMPLETE else None


def _search(
    strategy: str, *, rungs: tuple[float, ...] = (), density: float = 1.0, **options: Any
) -> Callable[[Meter], None]:
    """A search of the product.

    Args:
        rungs: shares of a trial's steps at which the worse half is stopped.
        density: largest of the networks that the space draws.
    """

    def run(meter: Meter) -> None:
        training = meter.config.model_copy(update={"rungs": rungs})
        space = meter.task.space(meter.dataset, density)
        with tempfile.TemporaryDirectory() as folder:
            store = StudyStore.create(
                Path(folder), "study", seed=meter.seed, error_reference=error_reference(meter.dataset)
            )
            config = SearchConfig(strategy=strategy, options=options)
            searcher = make_strategy(config, space, training, store)
            executor = SerialExecutor(meter.dataset, training, evaluate=meter.evaluate)
            meter.started = time.process_time()  # an empty database costs 0.3 s, once
            run_search(searcher, executor, store, trials=10**6, stop=lambda: meter.spent)

    return run


def _levels(large: DAG) -> list[int]:
    """Numbers of edges from all down to few, evenly on a logarithmic scale."""
    least = 3 * large.n_outputs + 5
    return [round(edges) for edges in np.geomspace(large.n_edges, least, _LEVELS)]


def _pruned(criterion: str) -> Callable[[Meter], None]:
    """One large network cut while it trains; a snapshot at every level is fine-tuned by itself.

    Planned for the budget in steps. Where time is left it is spent on a second, longer plan.
    """

    def run(meter: Meter) -> None:
        _plan(meter, meter.task.steps, criterion)
        left = (meter.task.seconds - meter.seconds) / meter.seconds
        if left > 0.2:
            _plan(meter, round(left * meter.task.steps), criterion)

    return run


def _plan(meter: Meter, steps: int, criterion: str) -> None:
    large = meter.task.large(meter.dataset)
    piece = steps / _LEVELS
    trunk: TrialResult | None = None
    for level, edges in enumerate(_levels(large)):
        section = _cut(edges, round(_TRUNK * piece), end=0.9, criterion=criterion) if level else {}
        trunk = meter.train(large, round(_TRUNK * piece), {"schedule": "constant"} | section, trunk)
        if trunk is None:
            return
        meter.train(large, round((1 - _TRUNK) * piece), start=trunk)


def _masks(meter: Meter) -> None:
    """Random masks of the large network with one density for all layers, kept as they are."""
    large = meter.task.large(meter.dataset)
    sizes = (meter.dataset.n_inputs, *meter.task.hidden, meter.dataset.n_outputs)
    for run in itertools.count():
        for edges in _levels(large):
            rng = np.random.default_rng([meter.seed, run, edges])
            meter.train(layered(sizes, density=edges / large.n_edges, rng=rng), round(meter.task.steps / _LEVELS))
            if meter.spent:
                return


def _rigl(meter: Meter) -> None:
    """Masks that drop their weakest edges and grow those of largest gradient while they train (Evci 2020)."""
    large, steps = meter.task.large(meter.dataset), round(meter.task.steps / _LEVELS)
    while True:
        for edges in _levels(large):
            section = _cut(edges, steps, start=0.0, end=0.75, criterion="magnitude")
            meter.train(large, steps, section | {"sparsify.initial_edges": edges, "sparsify.regrow": 0.3})
            if meter.spent:
                return


def _cut(edges: int, steps: int, *, end: float, criterion: str, start: float = 0.0) -> dict[str, Any]:
    section = {"edges": edges, "start": start, "end": end, "every": max(1, steps // 20), "criterion": criterion}
    return {f"sparsify.{name}": value for name, value in section.items()}


def _mlp(meter: Meter) -> None:
    """Widths, depth and hyperparameters of an ordinary multilayer perceptron, by Optuna's TPE on both objectives."""
    widest = sum(meter.task.hidden)
    sampler = optuna.samplers.TPESampler(seed=meter.seed)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    while not meter.spent:
        trial = study.ask()
        widths = [
            trial.suggest_int(f"width{layer}", 1, widest, log=True) for layer in range(trial.suggest_int("depth", 1, 2))
        ]
        chosen = {
            path: trial.suggest_float(path, domain.low, domain.high, log=domain.log)
            for path, domain in HYPERPARAMETERS.items()
        }
        dag = layered((meter.dataset.n_inputs, *widths, meter.dataset.n_outputs))
        result = meter.train(dag, meter.task.trial_steps, chosen)
        if result is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            # The logarithms, as the searches here see them.
            values = [max(result.metrics["val_error"], 1e-4), result.metrics["inference_seconds"]]
            study.tell(trial, [float(np.log(value)) for value in values])


_PARTS: Final[dict[str, Callable[[Meter], None]]] = {
    "fresh weights": _search("evolution", inherit=False),
    "cuts only": _search("evolution", grow=0.0),
    "growth by gradient only": _search("evolution", blind=0.0),
    "blind mutation only": _search("evolution", guided=False),
}
_RUNGS: Final = (0.1, 0.3)
METHODS: Final[dict[str, Callable[[Meter], None]]] = {
    "evolution": _search("evolution"),
    "optuna": _search("optuna"),
    "random": _search("random"),
    "pruned by magnitude": _pruned("magnitude"),
    "static masks": _masks,
    "RigL": _rigl,
    "MLP search": _mlp,
    **_PARTS,
    "sparse space": _search("evolution", density=0.1),
    "sparse space, cuts only": _search("evolution", density=0.1, grow=0.0),
    "evolution with rungs": _search("evolution", rungs=_RUNGS),
    "optuna with rungs": _search("optuna", rungs=_RUNGS),
    "random with rungs": _search("random", rungs=_RUNGS),
}
ALTERNATIVES: Final = ("evolution", "optuna", "random", "pruned by magnitude", "static masks", "RigL", "MLP search")
ABLATIONS: Final = ("evolution", *_PARTS)
SPARSE: Final = {"sparse space, cuts only": "sparse space"}
WITH_RUNGS: Final = {f"{search} with rungs": search for search in ("evolution", "optuna", "random")}


def wanted(task: str, method: str) -> bool:
    """Whether the comparison has this cell: not MNIST, the dearest, for what parts are worth."""
    return task != "mnist" or method in ALTERNATIVES or method in WITH_RUNGS
