"""The dense baseline: scikit-learn's multilayer perceptron, tuned on the validation part by successive halving.

Eight settings train for some passes over the data; the better half goes on for twice as many, and so on; the last one
trains until it gets no better. Where a pass takes so long that this does not fit into the time, there are fewer
settings from the beginning (one, if need be: the first is a sound choice for most data). Each setting is judged, and
kept, as it was at its best pass.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from nas.graph import usable_cells
from nas.search.baselines._models import Clock, Fitted, dense, logits_of, nonzero, scored
from nas.training.types import Dataset, Scalar

__all__ = ["fit_mlp"]

_logger = logging.getLogger(__name__)

# Widths of the hidden layers, penalty, learning rate.
_SETTINGS: Final[tuple[tuple[tuple[int, ...], float, float], ...]] = (
    ((128,), 1e-4, 1e-3),
    ((256,), 1e-2, 1e-3),
    ((64,), 1e-3, 3e-3),
    ((128, 64), 1e-3, 1e-3),
    ((256, 128), 1e-1, 1e-3),
    ((32,), 1e-1, 3e-3),
    ((64, 64), 1e-5, 3e-3),
    ((16,), 1e-2, 1e-2),
)
_FIRST_PASSES: Final = 16
_MOST_PASSES: Final = 400
_PATIENCE: Final = 30  # passes without a better score
_MOST_CELLS: Final = 4_000_000  # samples x features between two looks at the clock: some tenths of a second
_FEWER: Final = ((500, 8), (150, 4), (50, 2))  # passes that fit into the time, and settings to begin with


def fit_mlp(dataset: Dataset, clock: Clock, seed: int) -> tuple[Fitted, int]:
    """The best perceptron that was found in time, and how many settings were tried.

    Raises:
        ValueError: scikit-learn cannot fit it, or no setting stayed finite.
    """
    alive = [_Contender(dataset, 0, seed)]
    alive[0].train(1, clock)  # the first pass of a process takes longer than others
    began, before = clock.gone, alive[0].passes
    alive[0].train(2, clock)
    each = max(clock.gone - began, 1e-6) / max(alive[0].passes - before, 0.1)
    affordable = clock.left / each
    alive += [
        _Contender(dataset, index, seed)
        for index in range(1, next((count for passes, count in _FEWER if affordable >= passes), 1))
    ]
    tried = len(alive)
    passes = _FIRST_PASSES
    while True:
        for contender in alive:
            contender.train(passes if len(alive) > 1 else _MOST_PASSES, clock)
        alive = sorted((one for one in alive if one.best is not None), key=lambda one: one.best.score)  # type: ignore[union-attr]
        if len(alive) <= 1 or not clock.has(0):
            break
        alive = alive[: (len(alive) + 1) // 2]
        passes *= 2
    if not alive or (best := alive[0].best) is None:
        raise ValueError("no setting of the perceptron stayed finite")
    notes = [] if tried == len(_SETTINGS) else [f"{tried} of {len(_SETTINGS)} settings"]
    if not alive[0].done:
        notes.append(f"{alive[0].passes:.3g} passes over the data")
    return Fitted(best.module, best.settings, best.score, best.structure, tuple(notes)), tried


@dataclass(eq=False)
class _Contender:
    """One setting in training."""

    dataset: Dataset
    index: int
    seed: int
    best: Fitted | None = None
    done: bool = False  # it gets no better, or is not finite any more
    passes: float = 0.0  # over the training part
    _since: float = 0.0  # passes at the best score
    _model: Any = field(init=False)
    _random: np.random.Generator = field(init=False)
    _order: np.ndarray = field(init=False)  # what is left of this pass

    def __post_init__(self) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        hidden, penalty, rate = _SETTINGS[self.index]
        rows = len(self.dataset.x_train)
        make = MLPClassifier if self.dataset.task == "classification" else MLPRegressor
        self._model = make(
            hidden_layer_sizes=hidden,
            alpha=penalty,
            learning_rate_init=rate,
            batch_size=min(rows, 32 if rows < 2000 else 128),
            random_state=self.seed,
        )
        self._random = np.random.default_rng([self.seed, self.index])
        self._order = np.empty(0, dtype=np.int64)

    def train(self, passes: int, clock: Clock) -> None:
        """Goes on for so many passes, until it gets no better or the time is over, after a piece of a pass at least."""
        until = min(self.passes + passes, _MOST_PASSES)
        while not self.done and self.passes < until - 1e-9:
            try:
                self._step()
                if not len(self._order) or self.best is None or not clock.has(0):
                    self._judge()
            except ValueError as error:  # the weights are not finite any more
                if self.passes == 0:
                    raise
                _logger.info("a perceptron %s is given up: %s", _SETTINGS[self.index], error)
                self.done = True
            self.done |= self.passes - self._since >= _PATIENCE or self.passes >= _MOST_PASSES - 1e-9
            if not clock.has(0):
                return

    def _step(self) -> None:
        """One piece of a pass."""
        data = self.dataset
        rows = len(data.x_train)
        if not len(self._order):
            self._order = self._random.permutation(rows)
        part = max(1, _MOST_CELLS // data.n_inputs)
        taken, self._order = self._order[:part], self._order[part:]
        x, y = data.x_train[taken], data.y_train[taken]
        if data.task == "classification":
            self._model.partial_fit(x, y, classes=np.arange(data.n_outputs))
        else:
            self._model.partial_fit(x, y[:, 0] if y.shape[1] == 1 else y)
        self.passes += len(taken) / rows

    def _judge(self) -> None:
        data, model = self.dataset, self._model
        weights, biases = list(model.coefs_), list(model.intercepts_)
        edges = nonzero(weights)
        if data.task == "classification":
            present = np.arange(data.n_outputs)
            weights[-1], biases[-1] = logits_of(weights[-1], biases[-1], present, data.n_outputs)
        module = dense(weights, biases)
        score = scored(module, data)
        if not np.isfinite(score).all():
            raise ValueError(f"its validation error is {score[0]}")
        if self.best is None or score < self.best.score:
            hidden, penalty, rate = _SETTINGS[self.index]
            cells = usable_cells(data.n_inputs, sum(hidden), data.n_outputs)
            structure = {
                "edges": edges,
                "density": edges / cells,
                "depth": float(len(weights)),
                "neurons": float(sum(hidden)),
            }
            settings: dict[str, Scalar] = {
                "hidden": "-".join(map(str, hidden)),
                "alpha": penalty,
                "learning_rate": rate,
            }
            self.best, self._since = Fitted(module, settings, score, structure), self.passes
