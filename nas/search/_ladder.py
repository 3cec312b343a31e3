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
_TIMES, _WORSE = 10.0, 0.1
_FLOOR: Final = 0.01  # of the reference: differences between errors far below it are no reason to prefer a size
_STEEPEST: Final = -2.0  # slope of a trend
_DOUBT: Final = 0.2  # what distance in size takes from a promise, for each factor e
_COMPARED: Final = 4  # networks of which the best becomes a parent
_AS_GOOD: Final = 1.15  # times the best error: as good as the best
_BEYOND: Final = 1.5  # a search also looks so far below the smallest and above the largest network of the front
_FAR_BELOW: Final = 5.0  # so far below a smallest that is as good as the best


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
        # Larger ones that are hardly better are mostly luckier.
        enough = next(network for network in self._front if network.error <= _AS_GOOD * best)
        # As long as the smallest is nearly as good as the best, far smaller ones are worth a try too.
        good = (bound - smallest.error) / (bound - best) if bound > best else 1.0
        least = smallest.edges / (_BEYOND + (_FAR_BELOW - _BEYOND) * good)
        return max(1, math.floor(least)), math.ceil(enough.edges * _BEYOND)

    def trend(self) -> tuple[float, float]:
        """Level and slope (at most 0) of the logarithm of the front's errors against that of its edges."""
        edges = np.log([network.edges for network in self._front])
        errors = np.log([max(network.error, 1e-9) for network in self._front])
        spread = edges - edges.mean()
        slope = float(spread @ errors / (spread @ spread)) if len(edges) > 2 else -1.0
        slope = min(max(slope, _STEEPEST), 0.0)
        return float(errors.mean() - slope * edges.mean()), slope

    def worth(self, edges: float) -> float:
        """How good networks of a size are beside the best, in (0, 1]: by the front, between its members by their logs.

        Raises:
            IndexError: there is no network yet.
        """
        floor = _FLOOR * self._reference
        known = [math.log(network.edges) for network in self._front]
        errors = [math.log(network.error + floor) for network in self._front]
        return math.exp(errors[-1] - float(np.interp(math.log(edges), known, errors)))

    def parent(self, edges: int, low: float, high: float, rng: np.random.Generator) -> Network | None:
        """A parent with between ``low`` and ``high`` times ``edges``: the most promising of some.

        What a network promises at another size is its error, moved along the trend of the front; from farther away it
        is less sure to hold.

        Args:
            edges: of the child.
            rng: draws which ones are compared.
        """
        least, most = low * edges, high * edges
        some = [
            network
            for position in range(_bin(least), _bin(most) + 1)
            for network in self._bins.get(position, ())
            if least <= network.edges <= most
        ]
        if not some:
            return None
        _, slope = self.trend()

        def promise(network: Network) -> float:
            far = math.log(edges / network.edges)
            return math.log(max(network.error, 1e-9)) + slope * far + _DOUBT * abs(far)

        drawn = rng.choice(len(some), min(_COMPARED, len(some)), replace=False)
        compared: list[int] = drawn.tolist()
        return min((some[k] for k in compared), key=promise)

    def exemplar(self, rng: np.random.Generator) -> Network:
        """A network whose error is good for its size, whatever that is: the best of some.

        Raises:
            ValueError: there is no network yet.
        """
        everyone = [network for _, networks in sorted(self._bins.items()) for network in networks]
        if not everyone:
            raise ValueError("there is no network yet to take hyperparameters from; add one first")
        drawn = rng.choice(len(everyone), min(2 * _COMPARED, len(everyone)), replace=False)
        compared: list[int] = drawn.tolist()
        level, slope = self.trend()
        return min(
            (everyone[k] for k in compared),
            key=lambda network: math.log(max(network.error, 1e-9)) - level - slope * math.log(network.edges),
        )


def _bin(edges: float) -> int:
    return math.floor(_STEPS * math.log2(max(edges, 1)))
