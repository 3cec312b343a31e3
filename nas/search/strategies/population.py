"""The individuals that may become parents: a bounded set kept good and diverse, one result at a time."""

from __future__ import annotations

from dataclasses import dataclass

import moocore
import numpy as np

from nas.search.front.objectives import Objectives

__all__ = ["Individual", "Population"]


@dataclass(frozen=True, slots=True)
class Individual:
    """A complete trial."""

    number: int
    values: tuple[float, ...]


class Population:
    """Steady-state selection by non-domination rank, then hypervolume contribution (Beume 2007, SMS-EMOA).

    Each new individual goes in and the worst goes out: of the last front, the one whose removal costs the least
    hypervolume. Our deviations: it is measured in logarithms of all objectives (errors too: from 4 % to 2 % is as far
    as from 40 % to 20 %), and individuals whose error is far from the best (`Objectives.relevant`) come last, so that
    the search does not spend itself on tiny networks that guess.
    """

    def __init__(self, objectives: Objectives, capacity: int) -> None:
        self.objectives = objectives
        self.capacity = capacity
        self._members: list[Individual] = []

    def __len__(self) -> int:
        return len(self._members)

    def add(self, number: int, values: tuple[float, ...]) -> None:
        """Takes an individual in; adding a number twice changes nothing."""
        if any(member.number == number for member in self._members):
            return
        self._members.append(Individual(number, values))
        self._members.sort(key=lambda member: member.number)
        if len(self._members) > self.capacity:
            del self._members[int(self.order()[-1])]

    def order(self) -> np.ndarray:
        """Indices of the members, best first."""
        values = np.array([member.values for member in self._members])
        irrelevant = ~self.objectives.relevant(values)
        points = self._points(values)
        rank = moocore.pareto_rank(points) if points.shape[1] > 1 else np.argsort(np.argsort(points[:, 0]))
        contribution = np.zeros(len(points))
        if points.shape[1] > 1:
            reference = np.full(points.shape[1], 1.1)  # a little beyond the worst, so that extremes contribute
            for level in np.unique(rank):
                front = rank == level
                contribution[front] = moocore.hv_contributions(points[front], ref=reference)
        numbers = np.array([member.number for member in self._members])
        # Equal points contribute nothing each; the older is as good as the newer, so the order stays reproducible.
        return np.lexsort((numbers, -contribution, rank, irrelevant))

    def tournament(self, size: int, rng: np.random.Generator) -> Individual:
        """The best of `size` members drawn with replacement.

        Raises:
            IndexError: there is no member.
        """
        if not self._members:
            raise IndexError("a tournament needs at least one individual, but the population is empty")
        return self._members[int(self.order()[rng.integers(len(self._members), size=size).min()])]

    def sorted_by_first_objective(self) -> list[Individual]:
        """The members, best (lowest) first objective first."""
        return sorted(self._members, key=lambda member: (member.values, member.number))

    def _points(self, values: np.ndarray) -> np.ndarray:
        """Logarithmic coordinates, each objective scaled to [0, 1] over the relevant members (more beyond)."""
        points = np.empty_like(values, dtype=float)
        relevant = self.objectives.relevant(values)
        for k, column in enumerate(self.objectives.logarithms(values).T):
            low, high = column[relevant].min(), column[relevant].max()
            points[:, k] = (column - low) / (high - low) if high > low else column - low
        return points
