"""Random search: the baseline that every other strategy has to beat."""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from nas.search.front.constraints import Bound, largest_within, violation
from nas.search.front.objectives import Objectives
from nas.search.space import SearchSpace
from nas.search.strategies.strategy import Strategy
from nas.training.quality.objectives import structure_metrics
from nas.training.types import Candidate, Genome, TrainingConfig, TrialResult, TrialStatus

__all__ = ["RandomStrategy"]

_TRIES: Final = 20  # at a genome within the bounds that are known before it is trained
_ANYWHERE: Final = 10  # of these at any size; each further one at smaller sizes and densities
_COSTS: Final = 200  # last networks by which bounds of costs become bounds of edges


class RandomStrategy(Strategy):
    """Independent genomes from the space, each trained from fresh weights with the full number of steps.

    Of a search with bounds, those within all that can be told before a training: of edges, neurons, depth and density,
    and of costs that grow with the edges. Where none is found, the one that is least outside.
    """

    def __init__(self, space: SearchSpace, training: TrainingConfig, objectives: Objectives, seed: int) -> None:
        super().__init__(space, training, objectives, seed)
        self._costs: collections.deque[Mapping[str, float]] = collections.deque(maxlen=_COSTS)

    def tell(self, result: TrialResult) -> None:
        """Learns what networks cost, where there are bounds; else nothing."""
        super().tell(result)
        if self.objectives.bounds and result.status is TrialStatus.COMPLETE:
            self._costs.append(dict(result.metrics))

    def _ask(self, number: int, rng: np.random.Generator) -> Candidate:
        if not self.objectives.bounds:
            return self._fresh(number, rng, spread=False)
        genome = self._within(rng)
        chosen = {path: domain.sample(rng) for path, domain in self.domains.items()}
        return self._from_nothing(number, rng, genome, chosen, self.pace.full(self.seconds))

    def _within(self, rng: np.random.Generator) -> Genome:
        bounds = [*self.objectives.bounds]
        if math.isfinite(most := largest_within(bounds, [*self._costs])):
            bounds.append(Bound("edges", "<=", most))
        found: list[tuple[float, Genome]] = []
        for count in range(_TRIES):
            genome = self._drawn(count, rng)
            known = self._measures(genome)
            found.append((violation([bound for bound in bounds if bound.metric in known], known), genome))
            if not found[-1][0]:
                break
        return min(found, key=lambda each: each[0])[1]

    def _drawn(self, count: int, rng: np.random.Generator) -> Genome:
        """A genome of any size; after some tries a small one."""
        if count < _ANYWHERE:
            return self.space.initial(rng)
        share = 1 - (count - _ANYWHERE + 1) / (_TRIES - _ANYWHERE)
        return self.space.initial(rng, size=share * float(rng.random()), density=share * float(rng.random()))

    def _measures(self, genome: Genome) -> dict[str, float]:
        """What is known of a network before it is trained, by the names of metrics."""
        if genome.structure is not None:
            return dict(genome.structure.measures())
        dag = genome.dag
        known = {"neurons": float(dag.n_computational), **structure_metrics(dag)}
        if self.training.sparsify is not None or any(path.startswith("sparsify.") for path in self.domains):
            return {name: known[name] for name in ("neurons", "depth")}  # training cuts its edges
        return known
