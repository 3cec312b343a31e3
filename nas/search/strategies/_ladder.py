"""Complete networks by size: who may be a parent of a network with so many edges, and which sizes are worth a try.

A strategy that steers size aims at a number of edges and needs parents near it. Edges stand in for whatever cost the
job names: they are exact, and process times follow them.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["Ladder", "Network"]

_STEPS: Final = 3  # bins of the ladder in an octave of edges
_KEPT: Final = 4  # networks of a bin that may be parents beside the front
# Networks with an error beyond these are not worth a search: so many times the best, or so much of the reference worse;
# nor are those beyond half of knowing nothing, where the search then still spans so many times its smallest size.
_TIMES, _WORSE = 10.0, 0.1
_HALF, _WIDE = 0.5, 50.0
_FLOOR: Final = 0.01  # of the reference: differences between errors far below it are no reason to prefer a size
_LEAST_ERROR: Final = 0.002  # of the reference: few samples have errors of 0, of which there is no logarithm
_STEEPEST: Final = -2.0  # slope of a straight trend
_BENDS: Final = 3  # greatest degree of a trend ...
_POINTS: Final = 3  # ... and networks on the front for each
# What distance in size takes from a promise, for each factor e in edges. In two searches on MNIST children of a parent
# that was cut came as near to the front as the parent had been, whatever the distance (0.03 +- 0.03 of the logarithm of
# the error), those of one that grew stayed behind by 0.20; a parent's own distance to the front counted 0.57.
_CUT, _GREW = 0.05, 0.4
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

    def span(self, small: float = math.inf) -> tuple[int, int]:
        """Edges between which networks are worth a try.

        Args:
            small: sizes down to this are, however much better larger ones have become, where networks are expected to
                be better than half of knowing nothing.

        Raises:
            IndexError: there is no network yet.
        """
        best = self._front[-1].error
        near, half = best + _WORSE * self._reference, _HALF * self._reference
        # Larger ones that are hardly better are mostly luckier.
        enough = next(network for network in self._front if network.error <= _AS_GOOD * best)
        most = _BEYOND * enough.edges
        bound = max(_TIMES * best, near)
        least, good = self._least(bound), self._least(max(half, near))
        if half < bound:
            least = max(least, min(good, most / _WIDE))
        least = min(least, max(good, small))
        return max(1, math.floor(least)), math.ceil(most)

    def _least(self, bound: float) -> float:
        """Edges from which on errors of at most ``bound`` may be found."""
        best = self._front[-1].error
        smallest = next(network for network in self._front if network.error <= bound)
        # As long as the smallest is nearly as good as the best, far smaller ones are worth a try too.
        good = (bound - smallest.error) / (bound - best) if bound > best else 1.0
        return smallest.edges / (_BEYOND + (_FAR_BELOW - _BEYOND) * good)

    def trend(self, edges: Sequence[float]) -> np.ndarray:
        """Logarithm of the error to expect at each of these numbers of edges: a polynomial through the front.

        Raises:
            IndexError: there is no network yet.
        """
        known = np.log([network.edges for network in self._front])
        errors = np.array([self._log(network.error) for network in self._front])
        at = np.log(edges).clip(known[0], known[-1])
        degree = min(_BENDS, len(known) // _POINTS)
        if degree < 2:
            spread = known - known.mean()
            slope = float(spread @ errors / (spread @ spread)) if degree else -1.0
            line: np.ndarray = errors.mean() + min(max(slope, _STEEPEST), 0.0) * (at - known.mean())
            return line
        fitted: np.ndarray = np.polynomial.Polynomial.fit(known, errors, degree)(at)
        return fitted

    def _log(self, error: float) -> float:
        return math.log(max(error, 0.0) + _LEAST_ERROR * self._reference)

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

        What a network promises is how its error compares with the trend of the front at its own size; from farther away
        it is less sure to hold, above all if it has to grow.

        Args:
            edges: of the child.
            low, high: bounds of the parent's edges, as multiples of ``edges``.
            rng: draws which ones are compared.
        """
        least, most = low * edges, high * edges
        some = [
            network
            for position in range(_bin(least), _bin(most) + 1)
            for network in self._bins.get(position, ())
            if least <= network.edges <= most
        ]
        return self._most_promising(some, edges, _COMPARED, rng) if some else None

    def gap(self, tried: Sequence[int], rng: np.random.Generator) -> tuple[int, Network] | None:
        """A size between two neighbours on the front, and the larger of these, which may be cut to it.

        Chosen is a gap that is worth filling: one that is wide, in error times the logarithm of the edges (a network in
        its middle adds at most a quarter of that to the hypervolume), and in which few sizes were tried before.

        Args:
            tried: edges of all networks so far.
            rng: decides between gaps of about the same worth: several workers ask before one of them has ended.

        Returns:
            None where no two neighbours leave room for another.
        """
        sizes = np.sort(tried)
        best: tuple[float, int, Network] | None = None
        for smaller, larger in itertools.pairwise(self._front):
            middle = math.floor(math.sqrt(smaller.edges * larger.edges))
            if middle == smaller.edges:
                continue
            # Those of the smaller one's size count but for itself: cuts may end there, however little they aim below.
            inside = np.searchsorted(sizes, larger.edges) - np.searchsorted(sizes, smaller.edges) - 1
            wide = (smaller.error - larger.error) * math.log(larger.edges / smaller.edges)
            worth = wide / (1 + inside) * rng.random()
            if best is None or worth > best[0]:
                best = worth, middle, larger
        return None if best is None else best[1:]

    def best(self, most: float = math.inf) -> list[Network]:
        """Networks with at most so many edges that are kept here, the best first."""
        everyone = {network.number: network for found in (*self._bins.values(), self._front) for network in found}
        small = [network for network in everyone.values() if network.edges <= most]
        return sorted(small, key=lambda network: (network.error, network.edges, network.number))

    def exemplar(self, edges: int, rng: np.random.Generator) -> Network:
        """A network whose error is good for its size, near ``edges`` rather than far from it: the best of some.

        Raises:
            ValueError: there is no network yet.
        """
        everyone = [network for _, networks in sorted(self._bins.items()) for network in networks]
        if not everyone:
            raise ValueError("there is no network yet to take hyperparameters from; add one first")
        return self._most_promising(everyone, edges, 2 * _COMPARED, rng)

    def _most_promising(self, some: Sequence[Network], edges: int, compared: int, rng: np.random.Generator) -> Network:
        drawn = [some[int(k)] for k in rng.choice(len(some), min(compared, len(some)), replace=False)]
        expected = self.trend([network.edges for network in drawn]).tolist()

        def promise(k: int) -> float:
            far = math.log(edges / drawn[k].edges)
            return self._log(drawn[k].error) - float(expected[k]) + max(_GREW * far, -_CUT * far)

        return drawn[min(range(len(drawn)), key=promise)]


def _bin(edges: float) -> int:
    return math.floor(_STEPS * math.log2(max(edges, 1)))
