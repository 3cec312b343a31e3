"""The tasks of the search benchmark: data, the budget, and the recipe that every method trains with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from nas.graph import DAG, layered
from nas.search import Range, SearchSpace, SpaceConfig, load_space
from nas.training import DataConfig, Dataset, TrainingConfig, load_data

__all__ = ["HYPERPARAMETERS", "TASKS", "Task", "classes_data", "friedman1_data"]

HYPERPARAMETERS: Final[dict[str, Range]] = {
    # Around the recipe; searched by every method that searches hyperparameters at all.
    "learning_rate": Range(low=1e-3, high=1e-2, log=True),
    "weight_decay": Range(low=1e-3, high=1e-1, log=True),
}


@dataclass(frozen=True, slots=True)
class Task:
    """One data set with its budget."""

    name: str
    hidden: tuple[int, ...]  # of the large network that pruning starts from
    trial_steps: int  # of a candidate that is trained from nothing
    trials: int  # the budget in steps is that of so many of them
    seconds: float  # the budget in process time, timing and bookkeeping included
    batch_size: int
    noise: float  # deviation of the noise on the inputs while training, chosen on the validation part
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The budget in training steps."""
        return self.trial_steps * self.trials

    def load(self, seed: int) -> Dataset:
        """The data; the split is the seed's, but for a ready-made test part."""
        return load_data(DataConfig.model_validate({"source": self.name, "seed": seed} | self.data))

    def training(self) -> TrainingConfig:
        """The recipe, the same for every method."""
        return TrainingConfig(
            steps=self.trial_steps,
            batch_size=self.batch_size,
            optimizer="adamw",
            learning_rate=3e-3,
            weight_decay=0.02,
            input_noise=self.noise,
            activation="leaky_relu",
            parametrisation="free",
            losses={"flow": 0.0, "sparsity": 0.0},
            log_every=self.trial_steps,
        )

    def large(self, dataset: Dataset) -> DAG:
        """The large network: complete between consecutive layers."""
        return layered((dataset.n_inputs, *self.hidden, dataset.n_outputs))

    def space(self, dataset: Dataset, density: float = 1.0) -> SearchSpace:
        """The search space: layered and any other DAGs, of at most as many neurons as the large network."""
        neurons = sum(self.hidden)
        options = {
            "n_computational": [max(2, neurons // 20), neurons],
            "density": [0.01, density],
            "families": ["layered", "erdos_renyi"],
            "hyperparameters": HYPERPARAMETERS,
        }
        return load_space(SpaceConfig(name="families", options=options), dataset)


TASKS: Final = {
    task.name: task
    for task in (
        Task("digits", (100,), 1200, 40, 8.0, 64, 0.5),
        Task("mnist", (100,), 1200, 24, 12.0, 128, 0.5, {"validation": 1 / 12}),
        Task("make_classification", (60,), 800, 40, 4.0, 64, 0.1, {"source": "benchmarks._search_tasks:classes_data"}),
        Task("friedman1", (60, 30), 1200, 40, 6.0, 64, 0.05, {"source": "benchmarks._search_tasks:friedman1_data"}),
    )
}


def friedman1_data() -> tuple[np.ndarray, np.ndarray]:
    """Friedman 1991's first function: ten inputs of which five matter, normal noise of deviation 1."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(n_samples=3000, noise=1.0, random_state=0)
    return x, y


def classes_data() -> tuple[np.ndarray, np.ndarray]:
    """Guyon 2003's classes: two clusters each of three classes in eight of 20 features, 1 % of the labels wrong."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        n_samples=4000,
        n_features=20,
        n_informative=8,
        n_redundant=4,
        n_classes=3,
        n_clusters_per_class=2,
        class_sep=1.5,
        flip_y=0.01,
        random_state=0,
    )
    return x, y
