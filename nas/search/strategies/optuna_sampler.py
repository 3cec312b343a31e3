"""Optuna's samplers choose hyperparameters, the size to aim at, and how structure changes."""

from __future__ import annotations

import math
import warnings
from typing import Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution

from nas.search.config import OptunaOptions
from nas.search.space import SearchSpace
from nas.search.strategies._steered import SteeredStrategy
from nas.search.strategies.strategy import Inheritance
from nas.search.study.sampling import distribution_of
from nas.search.study.store import StudyStore
from nas.training.types import Candidate, Scalar, TrainingConfig

__all__ = ["OptunaStrategy"]

PARENT: Final = "parent"
STRENGTH: Final = "strength"
SIZE: Final = "size"
GROW: Final = "grow"

_STRUCTURE: Final[dict[str, BaseDistribution]] = {
    PARENT: FloatDistribution(0.0, 1.0),  # of a child that mutates: 0 the most accurate of the population, 1 the least
    STRENGTH: FloatDistribution(0.01, 0.5, log=True),  # share of the parent that a mutation changes
    SIZE: FloatDistribution(0.0, 1.0),  # edges to aim at, smallest to largest; of one that mutates: growth -1 .. 1
    GROW: FloatDistribution(0.2, 1.5, log=True),  # edges that come before a child is cut, as a share of its parent's
}
_STEERED: Final = (SIZE, GROW)  # what a search that steers size has a use for; the rest is for one that mutates
_MUTATED: Final = (PARENT, STRENGTH, SIZE)
_GROWING: Final = 0.7  # share of the children that gain edges or neurons
_BLIND: Final = 0.25  # share of these to which they come anywhere


class OptunaStrategy(SteeredStrategy):
    """Any of Optuna's multi-objective samplers, over hyperparameters and two or three numbers that steer the structure.

    All parameters are suggested for every trial, also where a first candidate has no use for them: most samplers model
    only parameters that all trials have.

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
        options = options or OptunaOptions()
        super().__init__(
            space,
            training,
            store.objectives,
            store.seed,
            inheritance=inheritance,
            population=options.population,
            initial=options.initial,
            grow=_GROWING,
            blind=_BLIND,
            child_steps=options.child_steps,
            guided=options.guided,
        )
        self.options, self.store = options, store
        clash = sorted(set(space.hyperparameters) & set(_STRUCTURE))
        if clash:
            raise ValueError(f"hyperparameters must not be called {', '.join(_STRUCTURE)}, got {', '.join(clash)}")
        self._distributions = {
            **{path: distribution_of(domain) for path, domain in self.domains.items()},
            **{name: _STRUCTURE[name] for name in (_STEERED if self.steered else _MUTATED)},
        }

    def _ask(self, number: int, rng: np.random.Generator) -> Candidate:
        # A new sampler for each trial: samplers keep what they know in the storage, so this costs nothing, and a
        # resumed search continues the same sequence where a sampler of one seed would start it again.
        sampling = self.store.sampling()
        sampling.study.sampler = _sampler(self.options, self.seed, number)
        trial = sampling.trial(number)
        chosen = {name: trial._suggest(name, domain) for name, domain in self._distributions.items()}
        hyperparameters: dict[str, Scalar] = {path: chosen[path] for path in self.domains}
        size = float(chosen[SIZE])
        if not self.steered:
            return self._mutated(number, rng, size, float(chosen[STRENGTH]), float(chosen[PARENT]), hyperparameters)
        edges = self._aim(number, size)
        parent = None
        if number >= self.initial and len(self.ladder) and rng.random() >= self.options.roots:
            parent = self._parent_for(edges, rng, hyperparameters)
        if parent is None:
            return self._root_at(number, rng, edges, hyperparameters)
        return self._child_at(number, rng, edges, parent, hyperparameters, grow=float(chosen[GROW]))

    def _mutated(
        self,
        number: int,
        rng: np.random.Generator,
        size: float,
        strength: float,
        place: float,
        hyperparameters: dict[str, Scalar],
    ) -> Candidate:
        if number < self.initial or len(self.population) < max(1, min(self.initial, self.options.population) // 2):
            return self._fresh(number, rng, spread=True, density=size, hyperparameters=hyperparameters)
        ranked = self.population.sorted_by_first_objective()
        return self._child(
            number,
            rng,
            self.inheritance.load(ranked[min(int(place * len(ranked)), len(ranked) - 1)].number),
            self.inheritance,
            strength=strength,
            growth=2 * size - 1 if rng.random() < 0.5 else float(rng.random()),
            steps=math.ceil(self.options.child_steps * self.pace.full(self.seconds)),
            hyperparameters=hyperparameters,
        )


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
