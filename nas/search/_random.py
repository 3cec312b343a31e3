"""Random search: the baseline that every other strategy has to beat."""

from __future__ import annotations

import numpy as np

from nas.search._strategy import Strategy
from nas.training._types import Candidate

__all__ = ["RandomStrategy"]


class RandomStrategy(Strategy):
    """Independent genomes from the space, each trained from fresh weights with the full number of steps."""

    def _ask(self, number: int, rng: np.random.Generator) -> Candidate:
        return self._fresh(number, rng, spread=False)
