"""Which way of making a child comes next: by what each has paid lately.

Probability matching (Goldberg 1990; Thierens 2005, "An adaptive pursuit strategy for allocating operator
probabilities"): an operator is chosen in proportion to its prior share times its credit, never below a floor. Credit is
the hypervolume that its children added to the front for each second that they cost, older children counting less. The
seconds are predicted, not measured, so that a search without measured objectives repeats itself bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import moocore
import numpy as np

from nas.search._objectives import Objectives

__all__ = ["Gains", "Operators"]

_FLOOR: Final = 0.05  # of the probability is shared out equally
_MEMORY: Final = 0.85  # what a child counts for after the next one


class Operators:
    """Operators with their shares and credit.

    Args:
        shares: prior share of each, at least 0, not all 0; one of 0 is never chosen.
        adapt: whether credit counts.
    """

    def __init__(self, shares: Mapping[str, float], *, adapt: bool = True) -> None:
        self.names = tuple(name for name, share in shares.items() if share > 0)
        self._prior = np.array([shares[name] for name in self.names])
        self._prior /= self._prior.sum()
        self._adapt = adapt
        self._gain = np.zeros(len(self.names))
        self._cost = np.zeros(len(self.names))

    def probabilities(self) -> np.ndarray:
        """Of each operator, (operators,), float64, in the order of `names`."""
        tried = self._cost > 0
        if not self._adapt or not tried.any() or self._gain.sum() <= 0:
            return self._prior
        # Half an average operator's worth of the common rate keeps one lucky or unlucky child from deciding.
        rate = self._gain.sum() / self._cost.sum()
        believed = 0.5 * self._cost.sum() / tried.sum()
        credit = self._prior * (self._gain + believed * rate) / (self._cost + believed)
        probabilities: np.ndarray = _FLOOR / len(credit) + (1 - _FLOOR) * credit / credit.sum()
        return probabilities

    def choose(self, rng: np.random.Generator) -> str:
        """One of `names`."""
        return self.names[int(rng.choice(len(self.names), p=self.probabilities()))]

    def reward(self, name: str, gain: float, cost: float) -> None:
        """A child of operator ``name`` has added ``gain`` to the front's hypervolume for ``cost`` seconds."""
        self._gain *= _MEMORY
        self._cost *= _MEMORY
        if name in self.names:
            place = self.names.index(name)
            self._gain[place] += gain
            self._cost[place] += cost


class Gains:
    """The front of all that was told, and what each result adds to it: hypervolume of the objectives' logarithms.

    The point of reference is the error of knowing nothing, and the largest cost so far.
    """

    def __init__(self, objectives: Objectives) -> None:
        self.objectives = objectives
        self._front = np.empty((0, len(objectives.names)))
        self._worst = np.full(len(objectives.names), -np.inf)

    def add(self, values: tuple[float, ...]) -> float:
        """The gain in hypervolume by a result with these objective values, at least 0."""
        point = self.objectives.logarithms(np.array([values]))
        self._worst = np.maximum(self._worst, point[0])
        reference = self._worst.copy()
        if "error" in self.objectives.names:
            error = self.objectives.names.index("error")
            reference[error] = np.log(self.objectives.error_reference)
        before, front = self._front, np.vstack([self._front, point])
        keep = np.asarray(moocore.is_nondominated(front, keep_weakly=False))
        self._front = front[keep]
        if not keep[-1]:
            return 0.0
        return max(_volume(self._front, reference) - _volume(before, reference), 0.0)


def _volume(points: np.ndarray, reference: np.ndarray) -> float:
    points = np.minimum(points, reference)
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    return float(moocore.hypervolume(points, ref=reference))
