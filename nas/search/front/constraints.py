"""Bounds that a network must keep to be of use: "at most 2 kB of flash", "at least 95 % accurate".

A bound is written as a pick is: ``flash<=2000``. A network outside is no member of the front, however good; how far
outside it is orders those that are, so that a search can find its way in (Deb 2000, "An efficient constraint handling
method for genetic algorithms").
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from nas.training.quality.metrics import METRICS
from nas.training.quality.objectives import metrics_called, names_of

__all__ = ["Bound", "largest_within", "nearest_miss", "no_such_metric", "violation"]

_WRITTEN: Final = re.compile(r"^\s*([A-Za-z_]\w*)\s*(<=|>=)\s*([-+0-9.eE_]+)\s*$")


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound.

    Attributes:
        name: as it is written; metric: of a trial, behind it.
        sign: "<=" or ">=".
        limit: in the metric's unit (seconds, bytes, cycles, shares).
    """

    name: str
    sign: Literal["<=", ">="]
    limit: float

    @property
    def metric(self) -> str:
        return metrics_called(self.name)[-1]

    @classmethod
    def parse(cls, text: str) -> Bound:
        """The bound that a text says.

        Raises:
            ValueError: it is none.
        """
        match = _WRITTEN.match(text)
        try:
            limit = float(match.group(3)) if match else math.nan
        except ValueError:
            limit = math.nan
        if match is None or not math.isfinite(limit):
            raise ValueError(f'a bound is written as "flash<=2000" or "accuracy>=0.9", but there is {text!r}')
        sign: Literal["<=", ">="] = "<=" if match.group(2) == "<=" else ">="
        return cls(match.group(1), sign, limit)

    def excess(self, metrics: Mapping[str, float]) -> float:
        """By how much of the limit a network is outside; 0 inside, infinite where it has no such metric."""
        value = metrics.get(self.metric, math.nan)
        if not math.isfinite(value):
            return math.inf
        beyond = value - self.limit if self.sign == "<=" else self.limit - value
        return max(beyond, 0.0) / max(abs(self.limit), 1e-12)

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{self.limit:g}"


def violation(bounds: Iterable[Bound], metrics: Mapping[str, float]) -> float:
    """How far outside its bounds a network is in all; 0: within."""
    return sum((bound.excess(metrics) for bound in bounds), 0.0)


def no_such_metric(bounds: Iterable[Bound], metrics: Collection[str]) -> str:
    """What is wrong with bounds of something that networks do not have; "" where there is none.

    Args:
        metrics: of a network, by name.
    """
    wrong = [bound for bound in bounds if bound.metric not in metrics]
    if not wrong:
        return ""
    names = names_of(metrics)
    said = []
    for bound in wrong:
        near = difflib.get_close_matches(bound.name, names, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        said.append(f"{str(bound)!r} bounds what networks do not have{meant}")
    return f"{' '.join(said)} They have {', '.join(names)}"


def nearest_miss(bounds: Sequence[Bound], networks: Iterable[Mapping[str, float]]) -> str:
    """What stands in the way where no network is within all bounds, of the one that is nearest to them.

    Args:
        networks: metrics of each.
    """
    known = [(violation(bounds, metrics), metrics) for metrics in networks]
    if not known:
        return "no trial has finished"
    least, metrics = min(known, key=lambda each: each[0])
    if wrong := no_such_metric(bounds, metrics):
        return wrong
    parts = [
        f"{bound} by {100 * bound.excess(metrics):.3g} % ({metrics[bound.metric]:.6g})"
        for bound in bounds
        if bound.excess(metrics) > 0
    ]
    assert least > 0
    alone = [bound for bound in bounds if all(bound.excess(each) > 0 for _, each in known)]
    never = f"; no network keeps {', '.join(map(str, alone))} at all" if alone and len(bounds) > 1 else ""
    return f"of {len(known)} networks none is within all bounds; the nearest misses {' and '.join(parts)}{never}"


def largest_within(bounds: Iterable[Bound], networks: Sequence[Mapping[str, float]]) -> float:
    """Edges that a network may have at most, as far as upper bounds of costs tell; infinite where none does.

    What a network costs is taken to grow linearly with its edges, as that of those evaluated does.
    """
    most = math.inf
    for bound in bounds:
        if bound.sign == ">=" or bound.name in METRICS:
            continue
        if bound.metric == "edges":
            most = min(most, bound.limit)
            continue
        points = [(each["edges"], each[bound.metric]) for each in networks if {"edges", bound.metric} <= each.keys()]
        if len({edges for edges, _ in points}) < 2:
            continue
        edges, cost = np.array(points, dtype=float).T
        slope, start = np.polyfit(edges, cost, 1)
        if slope > 0:
            most = min(most, max((bound.limit - start) / slope, 1.0))
    return most
