"""A small task and a stand-in for training that takes no time: what the search does with results needs no real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nas.graph import mutate
from nas.manifold import ManifoldNetwork, inherit
from nas.search import (
    EvolutionOptions,
    EvolutionStrategy,
    OptunaOptions,
    OptunaStrategy,
    RandomStrategy,
    SearchSpace,
    SpaceConfig,
    Strategy,
    StudyStore,
    load_space,
    store_inheritance,
)
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus
from nas.training.compression.cuts import strongest

STRATEGIES = ("random", "evolution", "optuna-tpe", "optuna-nsga2", "optuna-nsga3", "optuna-qmc", "optuna-random")
TRAINING = TrainingConfig(steps=100)


def pretend(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
    """A result that depends on the candidate alone: more edges are more accurate and slower, luck is the seed's."""
    dag = candidate.genome.dag
    luck = np.random.default_rng(candidate.seed).random()
    arrays = candidate.inherited
    if grow := float(candidate.genome.hyperparameters.get("sparsify.grow", 0.0)):
        rng = np.random.default_rng(candidate.seed)
        grown = mutate(dag, rng, operators={"add_edges": 1.0}, count=max(1, round(grow * dag.n_edges))).dag
        arrays = None if arrays is None else inherit(dag, dict(arrays), grown, rng)
        dag = grown
    if (edges := int(candidate.genome.hyperparameters.get("sparsify.edges", dag.n_edges))) < dag.n_edges:
        kept = strongest(dag, np.random.default_rng(candidate.seed).random(dag.n_edges), edges)
        arrays = None if arrays is None else {**arrays, "weight": arrays["weight"][kept]}
        dag = dag.with_edges(kept)
    if arrays is None:
        network = ManifoldNetwork(dag, parametrisation="free", generator=np.random.default_rng(candidate.seed))
        arrays = network.to_arrays()
    error = (0.02 + 0.9 / (1 + dag.n_edges / 30)) * (0.8 + 0.2 * luck)
    metrics = {
        "val_error": float(error),
        "val_accuracy": float(1 - error),
        "test_error": float(error),
        "inference_seconds": 1e-5 + 1e-7 * dag.n_edges,
        "train_step_seconds": 3e-5 + 3e-7 * dag.n_edges,
        "edges": float(dag.n_edges),
        "density": dag.density,
        "depth": float(dag.depth),
    }
    history = {"step": np.arange(3), "val_error": np.array([0.9, 0.5, error])}
    steps = None if candidate.steps else 0
    return TrialResult(
        candidate.number, TrialStatus.COMPLETE, metrics, history=history, dag=dag, arrays=arrays, steps=steps
    )


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    return Dataset(
        "toy", "classification", x[:40], y[:40], x[40:50], y[40:50], x[50:], y[50:], classes=("minus", "plus")
    )


@pytest.fixture
def space(dataset: Dataset) -> SearchSpace:
    return load_space(
        SpaceConfig(name="neuron_dag", options={"n_computational": [3, 20], "density": [0.1, 0.6]}), dataset
    )


@pytest.fixture
def store(tmp_path: Path) -> StudyStore:
    return StudyStore.create(tmp_path, "study", seed=7)


MakeStrategy = Callable[[str, StudyStore], Strategy]


@pytest.fixture
def make(space: SearchSpace) -> MakeStrategy:
    """Builds a strategy with a small population by the names of `STRATEGIES`."""

    def build(name: str, store: StudyStore) -> Strategy:
        inheritance = store_inheritance(store, TRAINING)
        if name == "random":
            return RandomStrategy(space, TRAINING, store.objectives, store.seed)
        if name == "evolution":
            options = EvolutionOptions(population=6, initial=4)
            return EvolutionStrategy(
                space, TRAINING, store.objectives, store.seed, inheritance=inheritance, options=options
            )
        sampler = OptunaOptions.model_validate(
            {"sampler": name.removeprefix("optuna-"), "population": 6, "initial": 4, "startup_trials": 4}
        )
        return OptunaStrategy(space, TRAINING, store, inheritance=inheritance, options=sampler)

    return build
