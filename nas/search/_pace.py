"""How long to train: so many steps that a search of its budget has some hundred trainings, and none is cut short.

A job that states `training.steps` gets these. Otherwise a full training takes a fixed share of the budget, by what
steps have cost so far: with too few trainings nothing evolves, and with very many each is too short to be accurate.
"""

from __future__ import annotations

from typing import Final

from nas.training._types import TrainingConfig, TrialResult

__all__ = ["Pace"]

_TRAININGS: Final = 50  # full ones in a budget; children are shorter
_LEAST, _MOST = 8_000, 60_000  # steps of a full training: fewer leave a cut network unfinished, more add nothing
_USUAL: Final = 10_000  # where there is no budget of time, or nothing is known of the cost yet
_FORGETS: Final = 0.9  # weight of what is known when a trial ends


class Pace:
    """Steps of a full training.

    Args:
        training: the job's section.
    """

    def __init__(self, training: TrainingConfig) -> None:
        self._stated = training.steps if "steps" in training.model_fields_set else None
        self._asked: dict[int, int] = {}
        self._seconds = self._steps = 0.0  # weighted sums

    def asked(self, number: int, steps: int) -> None:
        """A trial was given so many steps."""
        self._asked[number] = steps

    def told(self, result: TrialResult) -> None:
        """A trial has ended."""
        steps = self._asked.pop(result.number, None)
        if steps and result.seconds > 0:
            self._seconds = _FORGETS * self._seconds + result.seconds
            self._steps = _FORGETS * self._steps + steps

    def full(self, seconds: float | None) -> int:
        """Steps of a full training in a search that has ``seconds`` of its workers in all; None: without a limit."""
        if self._stated is not None:
            return self._stated
        if seconds is None or not self._steps:
            return _USUAL
        fitting = seconds / _TRAININGS * self._steps / self._seconds
        return round(min(max(fitting, _LEAST), _MOST))
