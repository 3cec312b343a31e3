"""What "error" means where a job names a scorer: one of scikit-learn's by its name, or a function of its own.

Whatever a scorer says becomes a loss, less of which is better: 1 - score, or for errors, which scorers have negative,
the error itself. Everything that compares networks goes on comparing errors.

A loss need not be a mean over samples (an area under a curve is none), but to say how sure a comparison is takes
something that is. Pseudo-values of the jackknife are (Tukey 1958, "Bias and confidence in not-quite large samples"):
of G groups of samples, each with its share of every class, group g says

    G * loss(all) - (G - 1) * loss(all but g)

whose mean is the loss and whose variance over G that of the loss, as if groups were samples.
"""

from __future__ import annotations

import difflib
import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from nas._named import import_named
from nas._text import said_of
from nas.errors import JobError
from nas.training.quality.scores import against_others, default_scorers, known_outputs, one_class
from nas.training.types import Dataset, Evidence

__all__ = [
    "PLAIN",
    "check_scorer",
    "guess_loss",
    "judged_evidence",
    "score_name",
    "scorer_label",
    "scorer_loss",
    "worst_loss",
]

PLAIN: Final = "error"  # the share of wrong classes, or the mean squared error of scaled targets
GROUPS: Final = 32  # of validation samples
_ROUNDING: Final = 1e-9
# Scorers that are no measure of a prediction, or have no worst value.
_UNFIT: Final = frozenset({
    "adjusted_mutual_info_score", "adjusted_rand_score", "completeness_score", "fowlkes_mallows_score",
    "homogeneity_score", "mutual_info_score", "normalized_mutual_info_score", "positive_likelihood_ratio",
    "rand_score", "v_measure_score",
})  # fmt: skip
# Of these the value lies between 0 and 1, for every class and every kind of mean.
_SHARES: Final = (
    "accuracy", "average_precision", "balanced_accuracy", "f1", "jaccard", "precision", "recall", "roc_auc",
    "top_k_accuracy",
)  # fmt: skip
_USUAL: Final = ("balanced_accuracy", "f1", "roc_auc", "neg_log_loss", "neg_mean_absolute_error", "r2")

Loss = Callable[[np.ndarray, np.ndarray], float]


def check_scorer(name: str) -> None:
    """Whether a job may name this scorer; a function of its own is looked up when the search begins.

    Raises:
        ValueError: there is none of this name.
    """
    from sklearn.metrics import get_scorer_names

    if ":" in name:
        return
    known = [each for each in get_scorer_names() if each not in _UNFIT]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=4, cutoff=0.5) or _USUAL
        raise ValueError(
            f"there is no objective {name!r}; besides costs and error there are module:function and scikit-learn's "
            f"scorers, such as {', '.join(near)}"
        )


def scorer_label(name: str) -> str:
    """What a scorer's loss is called: ``1 - roc_auc``, ``mean_absolute_error``; "error" without one."""
    if name in ("", PLAIN):
        return PLAIN
    scorer, label = one_class(name)
    if label:
        return f"1 - {scorer} of {label}"
    if ":" in name:
        return name.rpartition(":")[2]
    return name.removeprefix("neg_") if name.startswith("neg_") else f"1 - {name}"


def worst_loss(name: str) -> float:
    """The most that the loss of a scorer can be; infinite where it has no bound, or nobody knows of one."""
    scorer, _ = one_class(name)
    if ":" in scorer:  # a function of the user's own, whatever it is called
        return math.inf
    return 1.0 if any(scorer == share or scorer.startswith(f"{share}_") for share in _SHARES) else math.inf


def score_name(name: str) -> str:
    """What a scorer's own value is called among the metrics, beside the error; "": it has none."""
    scorer, _ = one_class(name)
    return "" if ":" in scorer or name.startswith("neg_") else scorer


def scorer_loss(dataset: Dataset, outputs: np.ndarray, y: np.ndarray) -> float:
    """What `Dataset.scorer` says of outputs, as a loss.

    Args:
        outputs: (samples, n_outputs) of a network: scores of classes, or scaled targets.
        y: (samples,) class numbers, or (samples, n_outputs) scaled targets.

    Returns:
        NaN where it is not defined, as of classes that are missing, or of outputs that are not finite.

    Raises:
        JobError: a function of the job's own cannot be imported, or does not give a number of at least 0.
    """
    if dataset.target_scale is not None and dataset.target_mean is not None:
        outputs, y = (values * dataset.target_scale + dataset.target_mean for values in (outputs, y))
    scorer, label = one_class(dataset.scorer)
    if label:
        outputs, y = against_others(outputs, y, dataset.classes.index(label))
    loss = _loss_of(scorer, dataset.task == "classification")(outputs, y)
    if loss < -_ROUNDING:  # scales, trends and intervals are of losses, which are logarithms there
        raise JobError(
            f"search.objectives: {scorer} gave a loss of {loss:.4g}; less is better, and the least is 0: of a gain g "
            "that is G at most return G - g"
        )
    return 0.0 if loss < 0 else loss  # NaN stays


def guess_loss(dataset: Dataset, part: str = "val") -> float:
    """The loss of the best answer that looks at no feature: the classes' shares in the training part, or its mean.

    Raises:
        JobError: the scorer cannot judge this task.
    """
    y = dataset.y_val if part == "val" else dataset.y_test
    if (label := one_class(dataset.scorer)[1]) and label not in dataset.classes:
        raise JobError(
            f"search.objectives: {dataset.scorer!r} judges class {label!r}, but "
            + (f"the classes are {', '.join(dataset.classes[:20])}" if dataset.classes else "the task is regression")
        )
    if dataset.task == "classification" and _of_numbers(dataset.scorer):  # the places of classes are no quantities
        raise JobError(
            f"search.objectives: {dataset.scorer!r} compares numbers, but {dataset.name} has classes; {_other(dataset)}"
        )
    if dataset.task == "classification":
        counts = np.bincount(dataset.y_train, minlength=dataset.n_outputs)
        answer = np.log(np.maximum(counts, 0.5) / counts.sum())
    else:
        answer = dataset.y_train.mean(axis=0)
    loss = scorer_loss(dataset, np.tile(answer.astype(np.float64), (len(y), 1)), y)
    if not math.isfinite(loss):
        raise JobError(
            f"search.objectives: {dataset.scorer!r} says nothing of {dataset.name}, a {dataset.task} with "
            f"{dataset.n_outputs} outputs; {_other(dataset)}"
        )
    return loss


def _of_numbers(name: str) -> bool:
    """Whether scikit-learn has a scorer for regression."""
    from sklearn.metrics import get_scorer

    function = None if ":" in name else getattr(get_scorer(name), "_score_func", None)
    return str(getattr(function, "__module__", "")).endswith("_regression")


def _other(dataset: Dataset) -> str:
    """Scorers that can judge a task, in words."""
    return f"name another scorer, such as {', '.join(default_scorers(dataset.task, dataset.n_outputs))}"


def judged_evidence(dataset: Dataset, outputs: np.ndarray, y: np.ndarray, loss: float) -> Evidence:
    """What groups of the validation samples say of a network, see the module's docstring.

    Args:
        outputs, y: as for `scorer_loss`.
        loss: of all.
    """
    samples = len(y)
    groups = max(1, min(GROUPS, samples // 2))
    group = np.empty(samples, dtype=int)
    group[np.argsort(y if y.ndim == 1 else y[:, 0], kind="stable")] = np.arange(samples) % groups
    without = np.array([scorer_loss(dataset, outputs[group != g], y[group != g]) for g in range(groups)])
    values = groups * loss - (groups - 1) * np.where(np.isfinite(without), without, loss)
    test = max(1, round(groups * len(dataset.x_test) / samples))
    return Evidence((values + loss - values.mean()).astype(np.float32), None, groups, test)


@functools.lru_cache(maxsize=8)
def _loss_of(name: str, classification: bool) -> Loss:
    """The loss of outputs (samples, n_outputs) and targets in their own units."""
    scorer, sign = _scorer(name)
    if sign is not None:
        return functools.partial(_by_scorer, name, scorer, sign, known_outputs(classification), classification)
    return functools.partial(_by_function, name, scorer, classification)


def _scorer(name: str) -> tuple[Any, int | None]:
    """What a name stands for; with its sign where it is a scorer of scikit-learn's kind."""
    from sklearn.metrics import get_scorer

    if ":" not in name:
        return get_scorer(name), -1 if name.startswith("neg_") else 1
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_named(module), attribute)
    except (ImportError, AttributeError) as error:
        raise JobError(f"search.objectives: {name!r} cannot be imported: {error}") from error
    if not callable(found):
        raise JobError(f"search.objectives: {name!r} is no function")
    return found, getattr(found, "_sign", None)


def _by_scorer(
    name: str, scorer: Any, sign: int, model: type, classification: bool, outputs: np.ndarray, y: np.ndarray
) -> float:
    targets = y if classification or y.shape[1] > 1 else y[:, 0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes without samples: the value says so
            value = float(scorer(model(outputs), np.arange(len(outputs))[:, None], targets))
    except ValueError:  # e.g. the area under a curve where there is one class
        return math.nan
    except (TypeError, AttributeError) as error:  # e.g. probabilities of a regression
        if ":" not in name:
            return math.nan
        raise JobError(f"search.objectives: {name} failed: {said_of(error)}") from error
    return 1.0 - value if sign > 0 else -value


def _by_function(name: str, function: Any, classification: bool, outputs: np.ndarray, y: np.ndarray) -> float:
    answers = "probabilities" if classification else "predictions"
    if classification:
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs = powers / powers.sum(axis=1, keepdims=True)
    elif y.shape[1] == 1:
        outputs, y = outputs[:, 0], y[:, 0]
    try:
        return float(function(y, outputs))
    except (Exception, SystemExit) as error:
        raise JobError(
            f"search.objectives: {name} failed: {said_of(error)}; it is called with "
            f"{'class numbers' if classification else 'targets'} {y.shape} and {answers} {outputs.shape}, and "
            "returns a number, less of which is better"
        ) from error
