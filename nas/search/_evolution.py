"""Evolution: steady-state and multi-objective, so that no worker waits for a generation."""

from __future__ import annotations

import math

import numpy as np

from nas.search._config import EvolutionOptions
from nas.search._objectives import Objectives
from nas.search._population import Population
from nas.search._space import SearchSpace
from nas.search._strategy import Inheritance, Strategy
from nas.training._types import Candidate, TrainingConfig

__all__ = ["EvolutionStrategy"]


class EvolutionStrategy(Strategy):
    """The first candidates spread evenly over the space; each later one is a mutated child of a tournament's winner.

    A child starts from its parent's live DAG and trained weights. The strength of its mutation is log-uniform, its
    balance between growing and shrinking uniform, so that both ends of the front are explored all the time.

    Args:
        inheritance: where parents and weights come from.
        options: see `EvolutionOptions`.
        (others): see `Strategy`.
    """

    def __init__(
        self,
        space: SearchSpace,
        training: TrainingConfig,
        objectives: Objectives,
        seed: int,
        *,
        inheritance: Inheritance,
        options: EvolutionOptions | None = None,
    ) -> None:
        super().__init__(space, training, objectives, seed)
        self.options = options or EvolutionOptions()
        self.inheritance = inheritance
        self.population = Population(objectives, self.options.population)
        self._initial = self.options.initial or self.options.population

    def _ask(self, number: int, rng: np.random.Generator) -> Candidate:
        # With many workers, numbers beyond the initial ones are asked before enough of these have finished. The first
        # to finish are the smallest networks: to breed from one or two of them would found the search on these alone.
        enough = len(self.population) >= max(1, min(self._initial, self.options.population) // 2)
        if number < self._initial or not enough:
            return self._fresh(number, rng, spread=True)
        options = self.options
        parent = self.inheritance.load(self.population.tournament(options.tournament, rng).number)
        mate = None
        if rng.random() < options.crossover:
            other = self.population.tournament(options.tournament, rng)
            mate = self.inheritance.load(other.number) if other.number != parent.number else None
        low, high = options.strength
        return self._child(
            number,
            rng,
            parent,
            self.inheritance,
            strength=math.exp(rng.uniform(math.log(low), math.log(high))),
            growth=rng.uniform(-1, 1),
            steps=math.ceil(options.child_steps * self.training.steps),
            mate=mate,
        )

    def _tell(self, number: int, values: tuple[float, ...]) -> None:
        self.population.add(number, values)
