"""Evolution: steady-state and multi-objective, so that no worker waits for a generation."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from nas.search._config import EvolutionOptions
from nas.search._guided import cuts_allowed, may_grow
from nas.search._objectives import Objectives
from nas.search._population import Population
from nas.search._proposals import Proposer, encodes
from nas.search._space import SearchSpace
from nas.search._strategy import Inheritance, Parent, Strategy
from nas.training._types import Candidate, TrainingConfig, TrialResult, TrialStatus

__all__ = ["EvolutionStrategy"]

IMPROVING: Final = 0.8  # least share of its parent's edges that a child keeps which is to be better, not smaller
_FRESH_TRIES: Final = 10  # at a first candidate that was not evaluated before, where that can be told
SWAPPED: Final = (0.05, 0.5)  # edges that come before training, as a share of the parent's


class EvolutionStrategy(Strategy):
    """The first candidate is the largest of the space; each later one is a child of a member of the front.

    A child starts from its parent's live DAG and trained weights. Operators (see `nas.search._guided`):

        cut     training leaves as few edges as lie in a gap of the front, or nearly all, so that it gets better
        swap    edges of large gradient come, training leaves as many as there were; free weights only
        mutate  blindly: the strength is log-uniform, the balance between growing and shrinking uniform

    Each has a fixed share: shares that followed what the operators had paid, by hypervolume a second, were built and
    gained nothing on three data sets (commit d92b72d; benchmarks/search_notes.md), fronts being made of some dozens of
    networks. Where training cannot choose edges (layers, a job with its own `training.sparsify`), all children mutate,
    and the first candidates are spread evenly over the space. In a space that encodes its genomes, a model of those
    evaluated chooses among many children (see `nas.search._proposals`).

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
        self._proposer = Proposer(space, objectives, self.options.strength) if encodes(space) else None
        self._guided = self.options.guided > 0 and cuts_allowed(space, training) and self._proposer is None
        self._initial = self.options.initial or (1 if self._guided else self.options.population)

    def _ask(self, number: int, rng: np.random.Generator) -> Candidate:
        # With many workers, numbers beyond the initial ones are asked before enough of these have finished. The first
        # to finish are the smallest networks: to breed from one or two of them would found the search on these alone.
        enough = len(self.population) >= max(1, min(self._initial, self.options.population) // 2)
        if number < self._initial or not enough:
            for attempt in range(_FRESH_TRIES):
                fresh = self._fresh(number, rng, spread=not attempt, large=self._guided)
                if self._proposer is None or not self._proposer.knows(fresh.genome):
                    break
            return fresh
        options = self.options
        steps = math.ceil(options.child_steps * self.training.steps)
        if self._proposer is not None and len(self._proposer):
            return self._proposed(number, rng, self._proposer, self.inheritance, steps)
        if self._guided and rng.random() < options.guided:
            if rng.random() < options.swap:
                parent = self._member(rng)
                if self._cuts(parent) and may_grow(parent.genome, self.training):
                    grow = _log_uniform(SWAPPED, rng)
                    return self._cut_child(number, rng, parent, self.inheritance, 1.0, steps=steps, grow=grow)
            parent, keep = self._gap(rng)
            if self._cuts(parent):
                return self._cut_child(number, rng, parent, self.inheritance, keep, steps=steps)
        parent = self.inheritance.load(self.population.tournament(options.tournament, rng).number)
        return self._child(
            number,
            rng,
            parent,
            self.inheritance,
            strength=_log_uniform(options.strength, rng),
            growth=rng.uniform(-1, 1),
            steps=steps,
        )

    def _member(self, rng: np.random.Generator) -> Parent:
        """Any member of the front."""
        gaps = self.population.gaps()
        member = gaps[rng.integers(len(gaps))].member if gaps else self.population.tournament(2, rng)
        return self.inheritance.load(member.number)

    def _gap(self, rng: np.random.Generator) -> tuple[Parent, float]:
        """A parent, and the share of its edges to keep so that the child lies where the front has a gap."""
        options = self.options
        gaps = self.population.gaps()
        if not gaps or rng.random() < options.improve:
            return self._member(rng), _log_uniform((IMPROVING, 1.0), rng)
        area = np.array([gap.area for gap in gaps])
        gap = gaps[rng.choice(len(gaps), p=area / area.sum())] if area.sum() > 0 else gaps[-1]
        fewer = None if gap.cheaper is None else self.inheritance.load(gap.cheaper.number).genome.dag.n_edges
        parent = self.inheritance.load(gap.member.number)
        if fewer is None:
            return parent, _log_uniform(options.keep, rng)
        least = min(max(fewer / parent.genome.dag.n_edges, options.keep[0]), IMPROVING)
        return parent, _log_uniform((least, 1.0), rng)

    def tell(self, result: TrialResult) -> None:
        super().tell(result)
        if self._proposer is not None and result.status is not TrialStatus.PAUSED:
            genome = self.inheritance.asked(result.number)
            if genome is not None:
                stopped = result.status is TrialStatus.STOPPED
                values = self.objectives.values(result) if result.status is TrialStatus.COMPLETE else None
                self._proposer.add(result.number, genome, values, stopped=stopped)

    def _tell(self, number: int, values: tuple[float, ...]) -> None:
        self.population.add(number, values)


def _log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    low, high = bounds
    return math.exp(rng.uniform(math.log(low), math.log(high)))
