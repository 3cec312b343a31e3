"""Optuna's samplers choose the hyperparameters, the parent, and how its structure changes."""

from __future__ import annotations

import math
import warnings
from typing import Final

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nas.search._config import OptunaOptions
from nas.search._guided import cuts_allowed
from nas.search._population import Population
from nas.search._space import Choice, Range, SearchSpace
from nas.search._store import StudyStore
from nas.search._strategy import Inheritance, Strategy
from nas.training._types import Candidate, Scalar, TrainingConfig

__all__ = ["OptunaStrategy"]

PARENT: Final = "parent"
STRENGTH: Final = "strength"
DENSITY: Final = "density"
KEEP: Final = Range(low=0.2, high=1.0, log=True)  # edges that training leaves a child, as a share of its parent's

_STRUCTURE: Final[dict[str, BaseDistribution]] = {
    PARENT: FloatDistribution(0.0, 1.0),  # 0: the most accurate of the population, 1: the least
    STRENGTH: FloatDistribution(0.01, 0.5, log=True),  # share of the parent that changes, where it mutates blindly
    DENSITY: FloatDistribution(0.0, 1.0),  # sparsest to densest start; a child: few edges stay .. all (or more)
}


class OptunaStrategy(Strategy):
    """Any of Optuna's multi-objective samplers, over hyperparameters and three numbers that steer the structure.

    All parameters are suggested for every trial, also where a first candidate has no use for them (parent, strength):
    most samplers model only parameters that all trials have.

    Args:
        store: of the study; samplers learn from its trials, which the driver tells.
        inheritance: where parents and weights come from.
        options: see `OptunaOptions`.
        (others): see `Strategy`.
    """

    def __init__(
        self,
        space: SearchSpace,
        training: TrainingConfig,
        store: StudyStore,
        *,
        inheritance: Inheritance,
        options: OptunaOptions | None = None,
    ) -> None:
        super().__init__(space, training, store.objectives, store.seed)
        self.store = store
        self.inheritance = inheritance
        self.options = options or OptunaOptions()
        self.population = Population(store.objectives, self.options.population)
        self._guided = self.options.guided and cuts_allowed(space, training)
        self._initial = self.options.initial or (1 if self._guided else self.options.population)
        clash = sorted(set(space.hyperparameters) & set(_STRUCTURE))
        if clash:
            raise ValueError(f"hyperparameters must not be called {', '.join(_STRUCTURE)}, got {', '.join(clash)}")
        self._distributions = {
            **{path: _distribution(domain) for path, domain in space.hyperparameters.items()},
            **_STRUCTURE,
        }

    def _ask(self, number: int, rng: np.random.Generator) -> Candidate:
        # A new sampler for each trial: samplers keep what they know in the storage, so this costs nothing, and a
        # resumed search continues the same sequence where a sampler of one seed would start it again.
        sampling = self.store.sampling()
        sampling.study.sampler = _sampler(self.options, self.seed, number)
        trial = sampling.trial(number)
        chosen = {name: trial._suggest(name, domain) for name, domain in self._distributions.items()}
        hyperparameters: dict[str, Scalar] = {path: chosen[path] for path in self.space.hyperparameters}
        enough = len(self.population) >= max(1, min(self._initial, self.options.population) // 2)
        density, strength = float(chosen[DENSITY]), float(chosen[STRENGTH])
        if number < self._initial or not enough:
            return self._fresh(
                number,
                rng,
                spread=True,
                large=self._guided,
                density=None if self._guided else density,
                hyperparameters=hyperparameters,
            )
        ranked = self.population.sorted_by_first_objective()
        parent = self.inheritance.load(ranked[min(int(float(chosen[PARENT]) * len(ranked)), len(ranked) - 1)].number)
        steps = math.ceil(self.options.child_steps * self.training.steps)
        if self._guided and self._cuts(parent):
            return self._cut_child(
                number, rng, parent, self.inheritance, float(KEEP.at(density)), steps=steps,
                hyperparameters=hyperparameters,
            )  # fmt: skip
        return self._child(
            number,
            rng,
            parent,
            self.inheritance,
            strength=strength,
            growth=2 * density - 1,
            steps=steps,
            hyperparameters=hyperparameters,
        )

    def _tell(self, number: int, values: tuple[float, ...]) -> None:
        self.population.add(number, values)


def _distribution(domain: Range | Choice) -> BaseDistribution:
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.choices)
    if domain.integer:
        return IntDistribution(math.ceil(domain.low), math.floor(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _sampler(options: OptunaOptions, seed: int, number: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():  # NSGA-III and QMC have been "experimental" since 3.x
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _make_sampler(options, seed, number)


def _make_sampler(options: OptunaOptions, seed: int, number: int) -> optuna.samplers.BaseSampler:
    once = int(np.random.SeedSequence([seed, number, 1]).generate_state(1)[0])
    samplers = optuna.samplers
    match options.sampler:
        case "tpe":
            return samplers.TPESampler(seed=once, n_startup_trials=options.startup_trials)
        case "nsga2":
            return samplers.NSGAIISampler(seed=once, population_size=options.population)
        case "nsga3":
            return samplers.NSGAIIISampler(seed=once, population_size=options.population)
        case "gp":
            return samplers.GPSampler(seed=once, n_startup_trials=options.startup_trials)
        case "qmc":  # counts its points in the storage, in a sequence that the seed scrambles
            return samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
        case "random":
            return samplers.RandomSampler(seed=once)
