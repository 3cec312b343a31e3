"""The linear baseline: logistic regression, or ridge regression, with its penalty chosen on the validation part."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Final

import numpy as np

from nas.search.baselines._models import Clock, Fitted, dense, logits_of, nonzero, rows_within, scored
from nas.training.types import Dataset

__all__ = ["fit_linear"]

# C of logistic regression, those first that are tried where there is time for few; and alpha of a ridge regression.
_PENALTIES: Final = (1e-1, 1.0, 1e-2, 1e1, 1e-3, 1e2, 1e4)
_ALPHAS: Final = (1e-3, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4)
_PILOT: Final = 5  # iterations that tell how long one takes
_MOST_ITERATIONS: Final = 1000
_LEAST_ITERATIONS: Final = 20
_PATIENCE: Final = 2  # penalties in a row that may be worse before the path ends
_RATE: Final = 2e9  # multiply-adds a second that a modest core does while it solves a ridge regression


def fit_linear(dataset: Dataset, clock: Clock, seed: int) -> tuple[Fitted, int]:
    """The best linear model that was found in time, and how many penalties were tried.

    Classification: logistic regression (L-BFGS) along a path of penalties, from strong to weak, each from the
    coefficients of the one before. It ends when the validation error got worse twice, or the time is over.
    Regression: ridge regressions, solved exactly.

    Raises:
        ValueError: scikit-learn cannot fit it, e.g. because the training part holds one class only.
    """
    return _logistic(dataset, clock) if dataset.task == "classification" else _ridge(dataset, clock, seed)


def _logistic(dataset: Dataset, clock: Clock) -> tuple[Fitted, int]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    x, y = dataset.x_train, dataset.y_train
    best: Fitted | None = None
    tried = worse = 0
    cut = False
    with warnings.catch_warnings():  # the clock ends some fits early, which the notes say
        warnings.simplefilter("ignore", ConvergenceWarning)
        LogisticRegression(max_iter=1).fit(x, y)  # the first fit of a process takes longer than others
        began = clock.gone
        LogisticRegression(max_iter=_PILOT).fit(x, y)
        each = max(clock.gone - began, 1e-6) / _PILOT
        affordable = max(1, int(clock.left / (_LEAST_ITERATIONS * each)))
        path = sorted(_PENALTIES[:affordable])
        model = LogisticRegression(warm_start=True)
        for index, penalty in enumerate(path):
            # An even share of what is left, for a path that is cut off says nothing of weak penalties.
            most = int(clock.left / (each * (len(path) - index)))
            if most < 1 and best is not None:
                cut = True
                break
            model.set_params(C=penalty, max_iter=min(_MOST_ITERATIONS, max(_LEAST_ITERATIONS, most)))
            model.fit(x, y)
            tried += 1
            cut |= int(np.max(model.n_iter_)) >= model.max_iter < _MOST_ITERATIONS
            weight, bias = logits_of(model.coef_.T, model.intercept_, model.classes_, dataset.n_outputs)
            module = dense([weight], [bias])
            structure = {"edges": nonzero([model.coef_]), "depth": 1.0}
            found = Fitted(module, {"C": penalty}, scored(module, dataset), structure)
            worse += 1
            if best is None or found.score < best.score:
                best, worse = found, 0
            if worse >= _PATIENCE:
                break
    assert best is not None
    notes = [f"{len(path)} of {len(_PENALTIES)} penalties"] if len(path) < len(_PENALTIES) else []
    return replace(best, notes=(*notes, *(["not all until they converged"] if cut else []))), tried


def _ridge(dataset: Dataset, clock: Clock, seed: int) -> tuple[Fitted, int]:
    from scipy.linalg import LinAlgWarning
    from sklearn.linear_model import Ridge

    features = dataset.n_inputs
    affordable = _RATE * max(clock.left, 0.1) / len(_ALPHAS) / (features * min(features, len(dataset.x_train)))
    x, y = rows_within(dataset, max(int(affordable), 100), seed)
    best: Fitted | None = None
    tried, took = 0, 0.0
    for alpha in _ALPHAS:
        if best is not None and not clock.has(took):
            break
        began = clock.gone
        with warnings.catch_warnings():  # an ill-conditioned one loses to those with a larger alpha
            warnings.simplefilter("ignore", LinAlgWarning)
            model = Ridge(alpha=alpha).fit(x, y)
        weight = np.atleast_2d(model.coef_).T
        module = dense([weight], [np.atleast_1d(model.intercept_)])
        found = Fitted(module, {"alpha": alpha}, scored(module, dataset), {"edges": nonzero([weight]), "depth": 1.0})
        if best is None or found.score < best.score:
            best = found
        tried, took = tried + 1, clock.gone - began
    assert best is not None
    notes = [f"{len(x):,} of {len(dataset.x_train):,} samples"] if len(x) < len(dataset.x_train) else []
    notes += [f"{tried} of {len(_ALPHAS)} penalties"] if tried < len(_ALPHAS) else []
    return replace(best, notes=tuple(notes)), tried
