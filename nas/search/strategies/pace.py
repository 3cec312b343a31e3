"""How long to train: what a search's budget has room for, and what is left of it.

A job that states `training.steps` gets these. Otherwise a full training grows with the square root of the budget: of
twice as much time, half goes into longer trainings and half into more of them. With too few trainings nothing evolves,
and with very many each is too short to be accurate. At the end of a budget no training is longer than what is left.

The time of a training is predicted by its work: steps, times the edges that it has in the mean and some for what a
step costs without any. What a unit of work takes is learned from the trials so far, as a median (of two, the lower):
the first on a worker may have compiled.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median_low
from typing import Final

from nas.training.types import TrainingConfig, TrialResult

__all__ = ["Pace", "work_of"]

_LEAST, _MOST = 8_000, 60_000  # steps of a full training: fewer leave a cut network unfinished, more add nothing
_TRAININGS: Final = 50  # of the least length: with a budget for no more of them, none is longer
_USUAL: Final = 10_000  # where there is no budget of time, or nothing is known of the cost yet
_LATELY: Final = 15  # trials of which the cost is remembered
_STEP: Final = 100_000  # edges, times samples of a batch, that take as long as all that a step does beside
_LONGEST: Final = 0.04  # of the budget of all workers: no training takes longer, if it has the least steps
_BRIEF: Final = 1_000  # steps that a training has at least, however little time is left
_SURE: Final = 0.9  # share of the time left that a prediction may fill
_CUT: Final = 1 / 8  # of the edges that are cut, as many are there in the mean: cubic, done after half of the steps


class Pace:
    """Steps of a training.

    Args:
        training: the job's section.
    """

    def __init__(self, training: TrainingConfig) -> None:
        self._stated = training.steps if "steps" in training.model_fields_set else None
        self._asked: dict[int, tuple[int, float]] = {}  # steps and work of trials that run
        self._costs: deque[tuple[float, float]] = deque(maxlen=_LATELY)  # seconds of a step and of a unit of work

    def asked(self, number: int, steps: int, work: float = 1.0) -> None:
        """A trial was given so many steps, each of so much work (see `work_of`)."""
        self._asked[number] = steps, steps * work

    def told(self, result: TrialResult) -> None:
        """A trial has ended."""
        steps, work = self._asked.pop(result.number, (0, 0.0))
        if steps and result.seconds > 0:
            self._costs.append((result.seconds / steps, result.seconds / work))

    def full(self, seconds: float | None) -> int:
        """Steps of a full training in a search that has ``seconds`` of its workers in all; None: without a limit."""
        if self._stated is not None:
            return self._stated
        if seconds is None or not self._costs:
            return _USUAL
        fitting = seconds / median_low(step for step, _ in self._costs) / _LEAST
        return round(min(_LEAST * math.sqrt(max(fitting / _TRAININGS, 1.0)), _MOST))

    def fitting(self, steps: int, work: float, seconds: float | None, left: float | None) -> int:
        """At most ``steps``: as many as fit into what one training may take, and into the time that is left.

        Args:
            steps: wanted.
            work: of a step (see `work_of`).
            seconds: of its workers that the search has in all; None: no such limit.
            left: until the budget ends; None: it does not.
        """
        if self._stated is not None or not self._costs:
            return steps
        each = median_low(unit for _, unit in self._costs) * work
        if seconds is not None:
            steps = min(steps, max(math.floor(_LONGEST * seconds / each), _LEAST))
        if left is not None:
            steps = min(steps, max(math.floor(_SURE * left / each), _BRIEF))
        return steps


def work_of(before: int, after: int, batch_size: int) -> float:
    """Of a training step, in edges times samples.

    Args:
        before: edges with which the training begins.
        after: edges with which it ends.
        batch_size: samples of a step.
    """
    return _STEP + batch_size * (after + _CUT * max(before - after, 0))
