"""Evolution: steady-state and multi-objective, so that no worker waits for a generation."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from nas.search.config import EvolutionOptions
from nas.search.front.objectives import Objectives
from nas.search.space import SearchSpace
from nas.search.strategies._proposals import Proposer, encodes
from nas.search.strategies._steered import SteeredStrategy, log_uniform
from nas.search.strategies.strategy import Inheritance
from nas.training.types import Candidate, TrainingConfig, TrialResult, TrialStatus

__all__ = ["EvolutionStrategy"]

_FRESH_TRIES: Final = 10  # at a first candidate that was not evaluated before, where that can be told


class EvolutionStrategy(SteeredStrategy):
    """Networks of all sizes that the front spans, each bred from others near its size.

    The first candidates are roots: dense networks, each cut to another size while it is trained. Each later one aims at
    a size, log-uniform over those that are worth a try, and is a root (`options.roots`) or a child: of a member of the
    front that is about as large, larger or smaller, with its live DAG and trained weights. Most children gain edges or
    neurons first, which leaves the function as it is, and all are cut to the size while they are trained (see
    `nas.search.strategies.guided`). Hyperparameters are inherited and move a little. At the end of a budget, brief cuts
    of the front's members fill the gaps between them, and networks are tried that are several side by side, whose
    outputs are the mean of theirs.

    Where training cannot choose edges (layers, a job with its own `training.sparsify`), all children mutate blindly,
    the strength log-uniform, at least half of them by growing, and the first candidates are spread over the space. In a
    space that encodes its genomes, a model of those evaluated chooses among many children (see
    `nas.search.strategies._proposals`).

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
        options = options or EvolutionOptions()
        super().__init__(
            space,
            training,
            objectives,
            seed,
            inheritance=inheritance,
            population=options.population,
            initial=options.initial,
            grow=options.grow,
            blind=options.blind,
            child_steps=options.child_steps,
            guided=options.guided and not encodes(space),
        )
        self.options = options
        self._proposer = Proposer(space, objectives, options.strength) if encodes(space) else None

    def tell(self, result: TrialResult) -> None:
        """Learns from a result."""
        super().tell(result)
        if self._proposer is not None and result.status is not TrialStatus.PAUSED:
            genome = self.inheritance.asked(result.number)
            if genome is not None:
                stopped = result.status is TrialStatus.STOPPED
                values = self.objectives.values(result) if result.status is TrialStatus.COMPLETE else None
                self._proposer.add(result.number, genome, values, stopped=stopped)

    def _ask(self, number: int, rng: np.random.Generator) -> Candidate:
        if not self.steered:
            return self._mutated(number, rng)
        if self.options.roots < 1 and (last := self._at_the_end(number, rng)) is not None:
            return last
        edges = self._aim_where_rare(number, rng)
        # Early, what serves roots is still to be found out; late, nothing is left that could follow one.
        roots = 2 * self.options.roots * (1 - self.spent) if self.options.roots < 1 else 1.0
        if number < self.initial or not len(self.ladder) or rng.random() < roots:
            return self._root_at(number, rng, edges)
        parent = self._parent_for(edges, rng)
        return self._root_at(number, rng, edges) if parent is None else self._child_at(number, rng, edges, parent)

    def _at_the_end(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """What the last of a budget goes into: gaps of the front, and at the very end means of networks."""
        if self.options.inherit and self.spent > 1 - self.options.means:
            mean = self._joined(number, rng)
            if mean is not None:
                return mean
        gap = self._gap(rng)
        return None if gap is None else self._filling(number, rng, *gap)

    def _mutated(self, number: int, rng: np.random.Generator) -> Candidate:
        options = self.options
        # With many workers, numbers beyond the initial ones are asked before enough of these have finished. The first
        # to finish are the smallest networks: to breed from one or two of them would found the search on these alone.
        if number < self.initial or len(self.population) < max(1, min(self.initial, options.population) // 2):
            for attempt in range(_FRESH_TRIES):
                fresh = self._fresh(number, rng, spread=not attempt)
                if self._proposer is None or not self._proposer.knows(fresh.genome):
                    break
            return fresh
        steps = math.ceil(options.child_steps * self.pace.full(self.seconds))
        if self._proposer is not None and len(self._proposer):
            return self._proposed(number, rng, self._proposer, self.inheritance, steps)
        return self._child(
            number,
            rng,
            self.inheritance.load(self.population.tournament(options.tournament, rng).number),
            self.inheritance,
            strength=log_uniform(options.strength, rng),
            growth=rng.uniform(-1, 1),
            steps=steps,
        )
