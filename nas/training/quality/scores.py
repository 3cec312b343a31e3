"""What scikit-learn's scorers say of a network, by their names; and of each class."""

from __future__ import annotations

import difflib
import functools
import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from nas.errors import JobError
from nas.training.types import Task

__all__ = [
    "against_others",
    "class_report",
    "default_scorers",
    "known_outputs",
    "of_class",
    "one_class",
    "scorer_values",
]

_TWO: Final = ("balanced_accuracy", "f1", "roc_auc", "average_precision", "neg_log_loss")
_MANY: Final = ("balanced_accuracy", "f1_macro", "roc_auc_ovr", "neg_log_loss")
_NUMBERS: Final = ("neg_mean_absolute_error", "neg_root_mean_squared_error", "r2")

# These judge one class, which scikit-learn calls positive: of the labels 0 and 1 the latter, of others it asks which.
_ONE_CLASS: Final = frozenset({"average_precision", "f1", "jaccard", "precision", "recall"})
_POSITIVE: Final = frozenset({"1", "True"})


def one_class(name: str) -> tuple[str, str]:
    """The scorer and the class that a name such as ``f1:fraud`` means; ``(name, "")`` of any other."""
    scorer, _, label = name.partition(":")
    return (scorer, label) if label and scorer in _ONE_CLASS else (name, "")


def of_class(name: str, classes: Sequence[str], counts: np.ndarray) -> str:
    """A scorer's name with the class that it judges, where it judges one of two and does not say which: as
    scikit-learn has it of 0 and 1, false and true; else the rarer one, or the last.

    Args:
        classes: labels.
        counts: (classes,) samples of each.
    """
    if name not in _ONE_CLASS or len(classes) != 2 or classes[1] in _POSITIVE:
        return name
    return f"{name}:{classes[0 if counts[0] < counts[1] else 1]}"


def against_others(outputs: np.ndarray, y: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and class numbers of two classes: 0 all others, of which the likeliest counts, and 1 that at a place."""
    others = np.delete(outputs, place, axis=1).max(axis=1)
    return np.stack([others, outputs[:, place]], axis=1), (y == place).astype(np.int64)


def default_scorers(task: Task, n_outputs: int) -> tuple[str, ...]:
    """Names of what people ask for: of a classification with so many classes, or of a regression."""
    if task == "regression":
        return _NUMBERS
    return _TWO if n_outputs == 2 else _MANY


def scorer_values(
    names: Sequence[str], outputs: np.ndarray, y: np.ndarray, task: Task, classes: Sequence[str] = ()
) -> dict[str, float | None]:
    """Scores by name, as `sklearn.metrics.get_scorer` has them: higher is better, errors are negative.

    Args:
        names: of scorers; those that judge one class may say which, ``f1:LABEL``.
        outputs: (samples, n_outputs) what a network answers: scores of classes, or targets.
        y: (samples,) class numbers, or (samples, n_outputs) targets in the units of the outputs.
        classes: labels.

    Returns:
        None where a score is not defined, as of a class that the samples lack.

    Raises:
        JobError: there is no scorer or no class of a name.
    """
    from sklearn.metrics import get_scorer, get_scorer_names

    known = known_outputs(task == "classification")
    targets = y if task == "classification" or y.shape[1] > 1 else y[:, 0]
    rows = np.arange(len(outputs))[:, None]
    found: dict[str, float | None] = {}
    counts = np.bincount(y, minlength=len(classes)) if classes else np.zeros(0)
    for name in (of_class(name, classes, counts) for name in names):
        scorer, label = one_class(name)
        if scorer not in get_scorer_names():
            near = difflib.get_close_matches(scorer, get_scorer_names(), n=4, cutoff=0.5)
            some = f"such as {', '.join(near)}" if near else f"which are {', '.join(get_scorer_names())}"
            raise JobError(f"no metric {scorer!r}; there are module:function and scikit-learn's scorers, {some}")
        if label and label not in classes:
            raise JobError(f"{name}: there is no class {label!r}; the classes are {', '.join(classes[:20])}")
        given, wanted = against_others(outputs, y, list(classes).index(label)) if label else (outputs, targets)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of classes without samples: those are None
                value = float(get_scorer(scorer)(known(given), rows, wanted))
        except ValueError:
            value = float("nan")
        found[name] = value if np.isfinite(value) else None
    return found


def class_report(outputs: np.ndarray, y: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Of each class its samples, recall (share of them that are found) and precision (share of what is called so)."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, count = precision_recall_fscore_support(
        y, outputs.argmax(axis=1), labels=np.arange(len(classes)), zero_division=np.nan
    )
    return [
        {
            "class": name,
            "samples": int(count[place]),
            **{
                key: None if np.isnan(values[place]) else float(values[place])
                for key, values in (("recall", recall), ("precision", precision), ("f1", f1))
            },
        }
        for place, name in enumerate(classes)
    ]


def known_outputs(classification: bool) -> type:
    """The class of a scikit-learn estimator whose answers are known already: it is made of (samples, n_outputs), and
    asked for them by their rows (samples, 1)."""
    return _models()[0 if classification else 1]


@functools.cache
def _models() -> tuple[type, type]:
    """Answers that are known already, as the classifier and the regressor that a scorer wants; "samples" are their
    rows. Made here, because importing scikit-learn takes a second, which not every process needs."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    class Known(BaseEstimator):  # type: ignore[misc]
        def __init__(self, outputs: np.ndarray) -> None:
            self.outputs = outputs

        def __sklearn_is_fitted__(self) -> bool:
            return True

    class Classes(ClassifierMixin, Known):  # type: ignore[misc]
        @property
        def classes_(self) -> np.ndarray:
            return np.arange(self.outputs.shape[1])

        def predict(self, rows: np.ndarray) -> np.ndarray:
            chosen: np.ndarray = self.outputs[rows[:, 0]].argmax(axis=1)
            return chosen

        def predict_proba(self, rows: np.ndarray) -> np.ndarray:
            scores = self.outputs[rows[:, 0]].astype(np.float64)
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
            return shares

    class Numbers(RegressorMixin, Known):  # type: ignore[misc]
        def predict(self, rows: np.ndarray) -> np.ndarray:
            found: np.ndarray = self.outputs[rows[:, 0]]
            return found if found.shape[1] > 1 else found[:, 0]

    return Classes, Numbers
