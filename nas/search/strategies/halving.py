"""Which trials go on when they reach a rung: asynchronous successive halving (Li 2020, arXiv:1810.05934).

A trial pauses after some shares of its steps and is compared with those that paused there before it; it goes on if it
is among the best of them, and nobody waits for anybody. Two deviations. Several objectives are compared at once, by
non-domination rank, then hypervolume contribution, where Optuna refuses to prune studies with several objectives. And a
trial is compared with the last so many only, because in an evolution later ones are better: among all that ever came
by, everyone would pass.

Nothing is timed at a rung: a timing costs as much as many steps of training, and would make the decision a matter of
luck. The number of edges stands in for times there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping

import moocore
import numpy as np
import optuna

from nas.search.config import HalvingConfig
from nas.search.front.objectives import Objectives
from nas.search.study.sampling import Sampling
from nas.training.quality.objectives import OBJECTIVES
from nas.training.types import TrialResult, TrialStatus

__all__ = ["Halving"]


class Halving:
    """The decisions of one study.

    Args:
        config: see `HalvingConfig`.
        objectives: of the study.
        sampling: gives the study as Optuna's pruners see it; only needed with `config.pruner`.
    """

    def __init__(
        self, config: HalvingConfig, objectives: Objectives, sampling: Callable[[], Sampling] | None = None
    ) -> None:
        self.config = config
        names = tuple(dict.fromkeys("edges" if OBJECTIVES[name].timed else name for name in objectives.names))
        names = names if config.rule == "rank" else names[:1]
        self.objectives = Objectives(names, objectives.error_reference)
        self._seen: dict[int, deque[tuple[int, tuple[float, ...]]]] = {}  # by rung: trial and values, oldest first
        self._sampling = sampling
        self._pruner = _pruner(config) if config.pruner is not None else None

    def seen(self, number: int, rung: int, metrics: Mapping[str, float]) -> None:
        """A trial has been at a rung (counted from 0) before this object was made."""
        values = self.objectives.values(TrialResult(number, TrialStatus.PAUSED, metrics))
        if values is not None:
            self._at(rung).append((number, values))

    def passes(self, number: int, rung: int, metrics: Mapping[str, float]) -> bool:
        """Whether a trial that has come to a rung goes on; to be asked once, after `StudyStore.report`."""
        self.seen(number, rung, metrics)
        at = self._at(rung)
        if not at or at[-1][0] != number:  # its values are not finite
            return False
        if len(at) <= self.config.startup:
            return True
        if self._pruner is not None and self._sampling is not None:
            sampling = self._sampling()
            return not self._pruner.prune(sampling.study, sampling.frozen(number))
        place = int(np.flatnonzero(self._order(np.array([values for _, values in at])) == len(at) - 1)[0])
        return place < math.ceil(self.config.keep * len(at))

    def _order(self, values: np.ndarray) -> np.ndarray:
        """Indices of trials (N,) by their values (N, objectives), best first.

        The order of `Population.order`, but for what that does to networks that are far from the best error: early in a
        training these are all small ones, and they would never get beyond a rung.
        """
        points = self.objectives.coordinates(values)
        span = np.ptp(points, axis=0)
        points = (points - points.min(axis=0)) / np.where(span > 0, span, 1.0)
        if points.shape[1] == 1:
            return np.argsort(points[:, 0], kind="stable")
        rank = moocore.pareto_rank(points)
        contribution = np.zeros(len(points))
        for level in np.unique(rank):
            front = rank == level
            contribution[front] = moocore.hv_contributions(points[front], ref=np.full(points.shape[1], 1.1))
        return np.lexsort((-contribution, rank))

    def _at(self, rung: int) -> deque[tuple[int, tuple[float, ...]]]:
        return self._seen.setdefault(rung, deque(maxlen=self.config.window))


def _pruner(config: HalvingConfig) -> optuna.pruners.BasePruner:
    """Optuna's; the steps it sees are per cents of a trial's own steps."""
    match config.pruner:
        case "median":
            return optuna.pruners.MedianPruner(n_startup_trials=config.startup)
        case "percentile":
            return optuna.pruners.PercentilePruner(100 * config.keep, n_startup_trials=config.startup)
        case "successive_halving":
            return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=_factor(config))
        case _:
            return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=100, reduction_factor=_factor(config))


def _factor(config: HalvingConfig) -> int:
    return max(2, round(1 / config.keep))
