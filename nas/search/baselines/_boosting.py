"""The baseline of trees: scikit-learn's histogram gradient boosting, tuned and stopped early on the validation part.

It fits a tree for each class in each round and cannot be interrupted, so short fits on few samples tell first how long
others will take. What does not fit into the time is left out in this order: further settings, rounds, samples.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from nas.search.baselines._models import ABSENT, ByFunction, Clock, Fitted, rows_within, scored
from nas.training.types import Dataset

__all__ = ["fit_boosting"]

# Learning rate, leaves of a tree.
_SETTINGS: Final = ((0.1, 31), (0.1, 8), (0.05, 15), (0.2, 63))
_HASTY: Final = ((0.3, 15), (0.3, 31))  # where there is time for few rounds only
_ROUNDS: Final = (20, 50, 100, 200, 400)  # at which it is looked at
_HASTY_ROUNDS: Final = (20, 40, 80, 160)
_PILOT_CELLS: Final = 200_000  # samples x features of the first short fit
_PILOT_ROWS: Final = 100  # at least
_PILOT_ROUNDS: Final = 3
_LEAF_SAMPLES: Final = 20  # scikit-learn's least; fewer where that would leave no room for a split
_WIDE: Final = 100  # features from which on 63 bins do instead of 255: their histograms would cost most of the time


def fit_boosting(dataset: Dataset, clock: Clock, seed: int) -> tuple[Fitted, int]:
    """The best ensemble that was found in time, and how many settings were tried.

    Raises:
        ValueError: scikit-learn cannot fit it.
    """
    everything = len(dataset.x_train)
    pace, least = _pace(dataset, clock, seed)
    hasty = pace.seconds(everything, _ROUNDS[2], looks=3) > 0.5 * clock.left
    settings, looks = (_HASTY, _HASTY_ROUNDS) if hasty else (_SETTINGS, _ROUNDS)
    x, y = rows_within(dataset, max(least, pace.rows(0.8 * clock.left, looks[1], looks=2)), seed)
    best: Fitted | None = None
    tried, cut = 0, hasty
    for rate, leaves in settings:
        if best is not None and not clock.has(pace.seconds(len(x), looks[1], looks=2)):
            cut = True
            break
        ensemble = _Ensemble(dataset, rate, leaves, len(x), seed)
        found, ended = _stopped_early(ensemble, x, y, looks, pace, clock)
        tried, cut = tried + 1, cut or not ended
        if best is None or found.score < best.score:
            best = found
    assert best is not None
    notes = [f"{len(x):,} of {everything:,} samples"] if len(x) < everything else []
    notes += [f"{tried} of {len(_SETTINGS)} settings"] if cut else []
    return Fitted(best.module, best.settings, best.score, best.structure, tuple(notes)), tried


@dataclass(slots=True)
class _Pace:
    """How long fits take: rounds x (a + b x rows), and c x rows for each look, at which the data is binned anew."""

    a: float
    b: float
    c: float

    def seconds(self, rows: int, rounds: int, *, looks: int) -> float:
        return rounds * (self.a + self.b * rows) + looks * self.c * rows

    def rows(self, seconds: float, rounds: int, *, looks: int) -> int:
        """How many of them fit into so many seconds."""
        each = rounds * self.b + looks * self.c
        return max(0, int((seconds - rounds * self.a) / each)) if each > 0 else 2**31


def _pace(dataset: Dataset, clock: Clock, seed: int) -> tuple[_Pace, int]:
    """From two short fits, on few samples and on four times as many; and how few the few were."""
    few = min(len(dataset.x_train), max(_PILOT_ROWS, _PILOT_CELLS // dataset.n_inputs))
    _fitting_seconds(
        dataset, clock, min(few, _PILOT_ROWS), 1, seed
    )  # the first fit of a process takes longer than others
    taken = []
    for rows in (few, min(len(dataset.x_train), 4 * few)):
        first = _fitting_seconds(dataset, clock, rows, 1, seed)
        each = max((_fitting_seconds(dataset, clock, rows, 1 + _PILOT_ROUNDS, seed) - first) / _PILOT_ROUNDS, 1e-6)
        taken.append((rows, each, max(first - each, 0.0)))
    (few, a, c), (many, more, more_c) = taken
    b = max((more - a) / (many - few), 0.0) if many > few else 0.0
    return _Pace(max(a - b * few, 0.0), b, max(c / few, more_c / many)), few


def _fitting_seconds(dataset: Dataset, clock: Clock, rows: int, rounds: int, seed: int) -> float:
    ensemble = _Ensemble(dataset, *_SETTINGS[0], rows, seed)
    x, y = rows_within(dataset, rows, seed)
    began = clock.gone
    ensemble.grow(x, y, rounds)
    return clock.gone - began


def _stopped_early(
    ensemble: _Ensemble, x: np.ndarray, y: np.ndarray, looks: tuple[int, ...], pace: _Pace, clock: Clock
) -> tuple[Fitted, bool]:
    """The ensemble at its best look, and whether it had all the time that it wanted."""
    best: Fitted | None = None
    least_loss, done, slower = float("inf"), 0, 1.0
    for rounds in looks:
        expected = pace.seconds(len(x), rounds - done, looks=1)
        if best is not None and not clock.has(slower * expected):
            return best, False
        began = clock.gone
        ensemble.grow(x, y, rounds)
        score = scored(ensemble, ensemble.dataset)
        slower, done = (clock.gone - began) / expected, rounds
        better = best is None or score < best.score
        if better:
            best = Fitted(copy.deepcopy(ensemble), {**ensemble.settings, "rounds": rounds}, score, ensemble.structure())
        if not better and score[1] >= least_loss:
            break
        least_loss = min(least_loss, score[1])
    assert best is not None
    return best, True


class _Ensemble(ByFunction):
    """One classifier, or a regressor for each output, as a module."""

    def __init__(self, dataset: Dataset, rate: float, leaves: int, rows: int, seed: int) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        super().__init__()
        self.dataset = dataset
        self.settings = {"learning_rate": rate, "leaves": leaves}
        classification = dataset.task == "classification"
        make = HistGradientBoostingClassifier if classification else HistGradientBoostingRegressor
        self._models: list[Any] = [
            make(
                learning_rate=rate,
                max_leaf_nodes=leaves,
                max_bins=255 if dataset.n_inputs <= _WIDE else 63,
                min_samples_leaf=max(1, min(_LEAF_SAMPLES, rows // 20)),
                early_stopping=False,  # on the validation part, see above, and not on some of the training part
                warm_start=True,
                random_state=seed,
            )
            for _ in range(1 if classification else dataset.n_outputs)
        ]

    def __deepcopy__(self, memo: dict[int, Any]) -> _Ensemble:
        twin = copy.copy(self)  # the data is not copied
        twin._models = copy.deepcopy(self._models, memo)
        return twin

    def grow(self, x: np.ndarray, y: np.ndarray, rounds: int) -> None:
        """Goes on until it has so many rounds."""
        for index, model in enumerate(self._models):
            model.set_params(max_iter=rounds)
            model.fit(x, y if self.dataset.task == "classification" else y[:, index])

    def scores(self, x: np.ndarray) -> np.ndarray:
        if self.dataset.task == "regression":
            return np.stack([model.predict(x) for model in self._models], axis=1)
        (model,) = self._models
        found = model.decision_function(x)
        if found.ndim == 1:
            found = np.stack([-found / 2, found / 2], axis=1)
        if len(model.classes_) == self.dataset.n_outputs:
            return np.asarray(found)
        full = np.full((len(x), self.dataset.n_outputs), ABSENT)
        full[:, model.classes_] = found
        return full

    def structure(self) -> dict[str, float]:
        """Trees, and the edges in them: those of a tree of k leaves are 2 k - 2.

        scikit-learn has no public way to count leaves. Where the one that it has had since 0.21 is missing, the most
        that the trees may have are counted.
        """
        trees = leaves = 0
        for model in self._models:
            rounds = getattr(model, "_predictors", None)
            if rounds is None:
                per_round = int(model.n_trees_per_iteration_)
                trees += model.n_iter_ * per_round
                leaves += model.n_iter_ * per_round * int(self.settings["leaves"])
            else:
                trees += sum(map(len, rounds))
                leaves += sum(tree.get_n_leaf_nodes() for each in rounds for tree in each)
        return {"edges": float(2 * (leaves - trees)), "trees": float(trees)}
