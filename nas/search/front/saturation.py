"""When a search has stopped paying: the hypervolume as it grew, and what the next trials may be expected to add.

Symbols:

    n    trials that have ended, whichever way
    w    trials looked back at, and ahead: a third of n
    k    how often the front grew in the last w trials
    g    by how much it grew at a time, lately

The front of a search grows in jumps that become rarer and smaller. Were they neither, the next w trials would bring a
Poisson number of jumps, with the mean that the last w show: at most `chi2(0.95; 2k + 2) / 2`, 3 where there was no jump
at all (Garwood 1936). Times the mean size of the latest jumps, with its own error added, this is the most that the next
w trials are expected to add, and too much rather than too little, as jumps do become rarer and smaller. A plateau soon
after the start ends nothing: the jumps before it were large, and a third of few trials is no evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import chi2

from nas.search.front.front import Front, FrontMember
from nas.search.front.objectives import Objectives
from nas.training.types import TrialResult, TrialStatus

__all__ = ["AnytimeCurve", "CurvePoint", "Saturation", "saturation"]

_LEAST: Final = 60  # trials before anything is said
_SHARE: Final = 1 / 3  # of the trials that are looked back at
_CONFIDENCE: Final = 0.95  # of the bound on the number of jumps, and of that on their size
_QUANTILE: Final = 1.645  # of the normal distribution, for that confidence
_JUMPS: Final = 5  # that tell how large jumps are lately, at least


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Where a search stood when a trial had ended."""

    trials: int  # that had ended
    seconds: float  # that they had taken on workers, summed: process time where a worker has one thread to itself
    hypervolume: float  # of the front, see `nas.search.Objectives.hypervolume`


@dataclass(frozen=True, slots=True)
class Saturation:
    """An estimate of what a search still has to give."""

    window: int  # trials looked back at, and ahead
    grown: float  # share by which the hypervolume grew in the last `window` trials
    # Share by which the next `window` trials are expected to let it grow, at most; infinite where the bound says
    # nothing: a front cannot dominate more than all there is, and of one that may double nothing is known.
    expected: float

    def __str__(self) -> str:
        ahead = f"what the next {self.window} add cannot be told yet"
        if math.isfinite(self.expected):
            ahead = f"the next {self.window} are expected to add less than {_percent(self.expected, up=True)}"
        return f"the front has grown by {_percent(self.grown)} in the last {self.window} trials; {ahead}"


def saturation(hypervolumes: np.ndarray) -> Saturation | None:
    """What the next trials are expected to add.

    Args:
        hypervolumes: (n,) of the front after each trial.

    Returns:
        None: there are too few trials to say, or no front yet.
    """
    n = len(hypervolumes)
    best = np.maximum.accumulate(hypervolumes)  # one that falls, because members were timed again, is no jump
    if n < _LEAST or best[-1] <= 0:
        return None
    window = math.ceil(_SHARE * n)
    jumps = np.diff(best, prepend=0.0)
    count = int((jumps[-window:] > 0).sum())
    sizes = jumps[jumps > 0][-max(count, _JUMPS) :]
    size = sizes.mean() + (_QUANTILE * sizes.std(ddof=1) / math.sqrt(len(sizes)) if len(sizes) > 1 else 0.0)
    most = float(chi2.ppf(_CONFIDENCE, 2 * (count + 1))) / 2
    grown = (best[-1] - best[-window - 1]) / best[-1]
    expected, room = float(most * size / best[-1]), float((1 - best[-1]) / best[-1])
    return Saturation(window, float(grown), expected if expected < min(room, 1.0) else math.inf)


class AnytimeCurve:
    """The hypervolume of a study's front after each of its trials.

    Args:
        objectives: of the study.
        results: of trials that have ended already; those of a resumed study in the order of their numbers.
    """

    def __init__(self, objectives: Objectives, results: Iterable[TrialResult] = ()) -> None:
        self._front = Front(objectives, (), 0.0)
        self._points: list[CurvePoint] = []
        self._known: tuple[int, Saturation | None] = (0, None)  # of so many trials
        for result in results:
            self.add(result)

    def __len__(self) -> int:
        return len(self._points)

    def add(self, result: TrialResult) -> None:
        """A trial has ended."""
        values = self._front.objectives.values(result) if result.status is TrialStatus.COMPLETE else None
        if values is not None:
            self._front = self._front.with_trial(FrontMember(result.number, values, result.metrics))
        before = self._points[-1].seconds if self._points else 0.0
        self._points.append(CurvePoint(len(self._points) + 1, before + result.seconds, self._front.hypervolume))

    def saturation(self) -> Saturation | None:
        """See `saturation`; may be asked often."""
        if self._known[0] != len(self):
            self._known = len(self), saturation(np.array([point.hypervolume for point in self._points]))
        return self._known[1]

    def corners(self) -> list[CurvePoint]:
        """The points at which the front grew, and the last one: all of the curve, for it is level in between."""
        points = self._points
        grew = [new for old, new in zip([None, *points], points, strict=False) if old is None or _above(new, old)]
        return grew if not points or grew[-1] is points[-1] else [*grew, points[-1]]


def _above(new: CurvePoint, old: CurvePoint) -> bool:
    return new.hypervolume > old.hypervolume


def _percent(share: float, *, up: bool = False) -> str:
    """In percent with two digits; `up`: rounded so that it is no less."""
    percent = 100 * share
    if percent <= 0:
        return "0 %"
    digits = max(0, 1 - math.floor(math.log10(percent)))
    factor = 10**digits
    rounded = math.ceil(percent * factor) / factor if up else percent
    return f"{rounded:.{min(digits, 3)}f} %" if rounded >= 0.0005 else "0.001 %"
