"""Complete networks by size: who may be a parent of a network with so many edges, and which sizes are worth a try.

A strategy that steers size aims at a number of edges and needs parents near it. Edges stand in for whatever cost the
job names: they are exact, and process times follow them.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["Ladder", "Network"]

_STEPS: Final = 3  # bins of the ladder in an octave of edges
_KEPT: Final = 4  # networks of a bin that may be parents beside the front
# Networks with an error beyond these are not worth a search: so many times the best, or so much of the reference worse.
_TIMES, _WORSE = 8.0, 0.25
_BEYOND: Final = 1.5  # a search also looks so far below the smallest and above the largest network of the front


@dataclass(frozen=True, slots=True)
class Network:
    """A complete trial as a possible parent."""

    number: int
    error: float  # what the strategy goes by; smaller is better
    edges: int


class Ladder:
    """The best networks of every size.

    Args:
        reference: error of knowing nothing, the scale on which an error is far from the best.
    """

    def __init__(self, reference: float = 1.0) -> None:
        self._reference = reference
        self._bins: dict[int, list[Network]] = {}
        self._front: list[Network] = []  # by edges, rising; errors fall

    def __len__(self) -> int:
        return sum(len(networks) for networks in self._bins.values())

    def add(self, network: Network) -> None:
        """Takes a network in; adding a number twice changes nothing."""
        found = self._bins.setdefault(_bin(network.edges), [])
        if any(other.number == network.number for other in found):
            return
        found.append(network)
        found.sort(key=lambda other: (other.error, other.edges, other.number))
        del found[_KEPT:]
        front = self._front
        at = bisect.bisect_right(front, network.edges, key=lambda other: other.edges)
        if at and front[at - 1].error <= network.error:
            return
        last = at
        while last < len(front) and front[last].error >= network.error:
            last += 1
        first = at - 1 if at and front[at - 1].edges == network.edges else at
        front[first:last] = [network]

    @property
    def front(self) -> tuple[Network, ...]:
        """Networks that none with as few edges beats, from the smallest to the largest."""
        return tuple(self._front)

    def span(self) -> tuple[int, int]:
        """Edges between which networks are worth a try.

        Raises:
            IndexError: there is no network yet.
        """
        best = self._front[-1].error
        bound = max(_TIMES * best, best + _WORSE * self._reference)
        smallest = next(network for network in self._front if network.error <= bound)
        return max(1, math.floor(smallest.edges / _BEYOND)), math.ceil(self._front[-1].edges * _BEYOND)

    def near(self, edges: int, low: float, high: float, rng: np.random.Generator, *, others: float) -> Network | None:
        """A parent with between ``low`` and ``high`` times ``edges``; of the front, those near in size rather.

        Args:
            edges: of the child.
            others: share of the parents that come from beside the front, for variety.
        """
        least, most = low * edges, high * edges
        if rng.random() < others:
            beside = [
                network
                for position in range(_bin(least), _bin(most) + 1)
                for network in self._bins.get(position, ())
                if least <= network.edges <= most
            ]
            if beside:
                return beside[int(rng.integers(len(beside)))]
        members = [network for network in self._front if least <= network.edges <= most]
        if not members:
            return None
        far = np.array([abs(math.log2(network.edges / edges)) for network in members])
        weight = np.exp2(-2.0 * far)
        return members[int(rng.choice(len(members), p=weight / weight.sum()))]

    def nearest(self, edges: int) -> Network:
        """The member of the front whose size is nearest.

        Raises:
            ValueError: there is no network yet.
        """
        return min(self._front, key=lambda network: abs(math.log(network.edges / edges)))


def _bin(edges: float) -> int:
    return math.floor(_STEPS * math.log2(max(edges, 1)))
