"""What "better" means in numbers: the objectives of a study, on scales fixed once for all studies.

A hypervolume can only be compared between studies when its reference point never moves. So each objective has a fixed
scale that maps it to [0, 1]: 0 at ``floor``, 1 at ``reference``, linear for the error, logarithmic for costs (half the
time is worth the same at 1 ms as at 100 us). The reference point is (1, ..., 1); worse values count as nothing.

The one part that depends on the data is the reference of a regression error, because a mean squared error has the
unit of its targets: it is the error of always predicting the mean (`error_reference`), stored with the study.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import moocore
import numpy as np

from nas.errors import JobError
from nas.search.front.constraints import Bound, violation
from nas.training.quality.judged import guess_loss, scorer_label
from nas.training.quality.objectives import OBJECTIVES, ObjectiveScale
from nas.training.types import Dataset, TrialResult

__all__ = ["Objectives", "error_reference"]


_OUTSIDE: Final = 10.0  # times the reference: values of networks outside their bounds


def error_reference(dataset: Dataset) -> float:
    """Error that knowing nothing gives: 1 for classification, that of predicting the training mean for regression; of
    a scorer's loss that of the best answer that looks at no feature.

    Raises:
        JobError: the scorer cannot judge this data.
    """
    if dataset.scorer:
        return max(guess_loss(dataset), 1e-12)
    if dataset.task == "classification":
        return 1.0
    return max(float(np.mean((dataset.y_val - dataset.y_train.mean(axis=0)) ** 2)), 1e-12)


@dataclass(frozen=True, slots=True)
class Objectives:
    """The objectives of one study, all minimised, with the operations that strategies and fronts need."""

    names: tuple[str, ...]
    error_reference: float = 1.0
    # What errors are compared by: the plain count or mean square in studies from before there was anything else, so
    # that one that is continued compares like with like.
    error_metric: Literal["val_score", "val_error"] = "val_score"
    bounds: tuple[Bound, ...] = ()  # what members of the front keep
    scorer: str = ""  # what the error is by, see `nas.training.Dataset`

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in OBJECTIVES]
        if unknown or not self.names:
            raise JobError(f"objectives must be among {', '.join(OBJECTIVES)}, got {list(self.names)}")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metric of a `TrialResult` behind each objective."""
        return tuple(self.error_metric if name == "error" else OBJECTIVES[name].metric for name in self.names)

    @property
    def error_label(self) -> str:
        """What the error is called where people read it: "error", or what a scorer's loss is called."""
        return scorer_label(self.scorer)

    @property
    def error_place(self) -> int | None:
        """Which objective is the error; None: none is."""
        return self.names.index("error") if "error" in self.names else None

    def values(self, result: TrialResult) -> tuple[float, ...] | None:
        """The objective values of a result, or None where one is missing or not finite.

        The error is `val_score`, which has less luck in it than `val_error` where there are few validation samples
        (`nas.training.TrialResult`); a result from elsewhere that has none is taken at its `val_error`.
        """
        values = tuple(math.nan if value is None else float(value) for value in self.measured(result.metrics).values())
        return values if all(math.isfinite(value) for value in values) else None

    def outside(self, metrics: Mapping[str, float]) -> float:
        """How far outside its bounds a network with these metrics is; 0: within."""
        return violation(self.bounds, metrics)

    def ranked(self, result: TrialResult) -> tuple[float, ...] | None:
        """Values by which parents are chosen: as `values`, but those of a network outside its bounds are worse than
        any within, the farther outside the worse."""
        values = self.values(result)
        if values is None or not (beyond := self.outside(result.metrics)):
            return values
        return tuple(scale.reference * (_OUTSIDE + min(beyond, _OUTSIDE)) for scale in self.scales())

    def measured(self, metrics: Mapping[str, float]) -> dict[str, float | None]:
        """What `values` are taken from: the metric of each objective by its name; None where it is missing."""
        names = ("val_error" if name == "val_score" and name not in metrics else name for name in self.metrics)
        return {name: metrics.get(name) for name in names}

    def scales(self) -> tuple[ObjectiveScale, ...]:
        """The scale of each objective."""
        scales = ((name, OBJECTIVES[name].scale) for name in self.names)
        return tuple(
            replace(scale, reference=self.error_reference) if name == "error" else scale for name, scale in scales
        )

    def coordinates(self, values: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """Values (points, objectives) on the fixed scales (see the module's docstring)."""
        array = np.asarray(values, dtype=float).reshape(-1, len(self.names))
        return np.stack([scale(array[:, k]) for k, scale in enumerate(self.scales())], axis=1)

    def logarithms(self, values: np.ndarray) -> np.ndarray:
        """Logarithms of values (points, objectives): errors too, from 4 % to 2 % is as far as from 40 % to 20 %."""
        columns = []
        for k, scale in enumerate(self.scales()):
            floor = scale.floor if scale.log else 1e-3 * scale.reference  # below, differences are noise
            columns.append(np.log(np.maximum(values[:, k], 0) + floor))
        return np.stack(columns, axis=1)

    def hypervolume(self, values: Sequence[Sequence[float]] | np.ndarray) -> float:
        """Share in [0, 1] of the unit cube of `coordinates` that `values` (points, objectives) dominate."""
        points = self.coordinates(values)
        points = points[(points < 1).all(axis=1)]
        if not len(points):
            return 0.0
        if points.shape[1] == 1:
            return float(1 - points.min())
        return float(moocore.hypervolume(points, ref=np.ones(points.shape[1])))

    def relevant(self, values: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """Which points (bool) are within reach of the best error: at most 5 times it, or 10 % of the reference worse.

        A network that guesses at once is on every front of error against time. It must neither attract the search
        nor stretch the scale on which a knee is sought. All True where the error is no objective.
        """
        array = np.asarray(values, dtype=float).reshape(-1, len(self.names))
        if self.error_place is None or not len(array):
            return np.ones(len(array), dtype=bool)
        error = array[:, self.error_place]
        best = error.min()
        relevant: np.ndarray = error <= max(5 * best, best + 0.1 * self.error_reference)
        return relevant
