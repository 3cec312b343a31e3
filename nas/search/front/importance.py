"""Which hyperparameters decided how good trials are: how much worse a model of the trials gets without each.

What decides most is the size of a network, which a search spreads on purpose; so a trial is compared with those of
about its size. A random forest (Breiman 2001) learns that rank from hyperparameters and length of training, and is
asked for trials that it did not see; a hyperparameter's importance is what its answers lose when that one is exchanged
between trials (permutation importance). Trials are no random sample: a search tries mostly what it believes in, and a
hyperparameter that it hardly varies looks unimportant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from nas.search.study.records import TrialRecord

__all__ = ["Importance", "Importances", "importances", "unknown_importances"]

_LEAST_TRIALS: Final = 20
_EXPLAINED: Final = 0.1  # of the variance of ranks, from which on importances say anything
_ENOUGH: Final = 100  # trials that mostly can tell
_FOLDS: Final = 4
_TREES: Final = 40
_ROUNDS: Final = 3  # of exchanging a column
_NEIGHBOURS: Final = 12  # of about a trial's size, that it is compared with
# What a strategy sets to cut a network to its size, which says no more than the size and the steps.
_SIZES: Final = frozenset(f"sparsify.{name}" for name in ("edges", "start", "end", "every", "criterion", "grow"))
_ORDERS: Final = 20.0  # of magnitude between least and largest value, from which on logarithms are what counts


@dataclass(frozen=True, slots=True)
class Importance:
    """One hyperparameter."""

    name: str
    share: float  # of all that is explained, in [0, 1]
    best: str  # what the best quarter of the trials of all sizes had: a range, or the most frequent word
    all: str = ""  # the same of all trials


@dataclass(frozen=True, slots=True)
class Importances:
    """All that varied, the most important first."""

    members: tuple[Importance, ...]
    trials: int
    explained: float  # share of the variance of ranks that is foreseen of unseen trials; at most 1, 0 or less: nothing

    @property
    def told(self) -> bool:
        """Whether the shares say anything."""
        return self.explained >= _EXPLAINED

    @property
    def words(self) -> str:
        """One sentence on what the shares are, or why there are none."""
        if self.told:
            return (
                f"Of {self.trials} trials, each compared with those of about its size: what a random forest foresees "
                f"worse of unseen ones (it explains {100 * self.explained:.0f} % of the differences) when this one is "
                "exchanged between them. A search tries mostly what it believes in; what it hardly varies looks "
                "unimportant."
            )
        more = f"; {_ENOUGH} mostly can" if self.trials < _ENOUGH else ": it varied little, or mattered little"
        return (
            f"Which hyperparameter decided cannot be told from these {self.trials} trials, each compared with those of "
            f"about its size (a random forest foresees nothing of unseen ones){more}. What the best quarter had is no "
            "proof."
        )


def importances(records: Iterable[TrialRecord]) -> Importances | None:
    """Of the complete trials of a study that were trained; None: there are fewer than 20, or nothing varied.

    Args:
        records: of all trials, as `StudyStore.records` gives them.
    """
    settings, scores, sizes = [], [], []
    for record in records:
        metrics = {} if record.result is None else record.result.metrics
        score = metrics.get("val_score", metrics.get("val_error", math.nan))
        if record.state == "complete" and record.steps and math.isfinite(score):  # means of networks have no training
            own = {name: value for name, value in record.hyperparameters.items() if name not in _SIZES}
            settings.append({**own, "steps": record.steps})
            scores.append(score)
            sizes.append(metrics.get("edges", 0.0))
    if len(scores) < _LEAST_TRIALS:
        return None
    names = sorted({name for each in settings for name in each})
    columns = {name: _column([each.get(name) for each in settings]) for name in names}
    varied = {name: column for name, column in columns.items() if len(np.unique(column, axis=0)) > 1}
    if not varied:
        return None
    ranks = _ranks(np.array(scores), np.array(sizes))
    losses, explained = _losses(varied, ranks)
    total = sum(losses.values())
    best = np.argsort(ranks, kind="stable")[: max(5, len(scores) // 4)]
    members = [
        Importance(
            name,
            loss / total if total > 0 else 0.0,
            _words([settings[place].get(name) for place in best]),
            _words([each.get(name) for each in settings]),
        )
        for name, loss in losses.items()
    ]
    return Importances(tuple(sorted(members, key=lambda each: -each.share)), len(scores), explained)


def unknown_importances(records: Iterable[TrialRecord]) -> str:
    """Why `importances` gives None, in one sentence."""
    complete = sum(record.state == "complete" for record in records)
    if complete < _LEAST_TRIALS:
        return (
            f"Which hyperparameters decided needs {_LEAST_TRIALS} complete trials at least, better {_ENOUGH}; there "
            f"{'is' if complete == 1 else 'are'} {complete}."
        )
    return "No hyperparameter was varied: the job or the space states them all."


def _ranks(scores: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(trials,): the share of the trials of about each one's size that are better than it."""
    near = np.argsort(np.abs(np.log1p(sizes)[:, None] - np.log1p(sizes)), axis=1, kind="stable")[:, 1 : _NEIGHBOURS + 1]
    found: np.ndarray = (scores[near] < scores[:, None]).mean(axis=1)
    return found


def _column(values: Sequence[Any]) -> np.ndarray:
    """(trials, inputs): numbers as they are or by magnitude, words one-hot."""
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        numbers = np.array([math.nan if value is None else float(value) for value in values])
        known = numbers[np.isfinite(numbers)]
        if len(known) and known.min() > 0 and known.max() > _ORDERS * known.min():
            numbers = np.log(numbers)
        filled: np.ndarray = np.nan_to_num(numbers, nan=-1e3, posinf=1e3)  # absent is a value of its own
        return filled[:, None]
    words = [str(value) for value in values]
    found: np.ndarray = np.array([[word == each for each in sorted({*words})] for word in words], dtype=float)
    return found


def _losses(columns: Mapping[str, np.ndarray], target: np.ndarray) -> tuple[dict[str, float], float]:
    """What unseen trials are foreseen worse without each column, at least 0, and how well they are with all (R²)."""
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(0)
    x = np.concatenate([*columns.values()], axis=1)
    ends = np.cumsum([column.shape[1] for column in columns.values()])
    fold = rng.permutation(len(target)) % _FOLDS
    variance = float(target.var())
    lost, wrong = dict.fromkeys(columns, 0.0), 0.0
    for number in range(_FOLDS):
        seen, unseen = fold != number, fold == number
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=0).fit(x[seen], target[seen])
        whole = float(((forest.predict(x[unseen]) - target[unseen]) ** 2).mean())
        wrong += whole / _FOLDS
        for name, end, column in zip(columns, ends, columns.values(), strict=True):
            place = slice(end - column.shape[1], end)
            for _ in range(_ROUNDS):
                mixed = x[unseen].copy()
                mixed[:, place] = rng.permutation(mixed[:, place])
                worse = float(((forest.predict(mixed) - target[unseen]) ** 2).mean())
                lost[name] += (worse - whole) / (_FOLDS * _ROUNDS)
    return {name: max(0.0, loss) for name, loss in lost.items()}, 1 - wrong / variance if variance else 0.0


def _words(values: Sequence[Any]) -> str:
    """The middle half of numbers as a range, or the most frequent word."""
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values):
        low, high = (f"{end:,.0f}" if abs(end) >= 1000 else f"{end:.3g}" for end in np.quantile(numbers, [0.25, 0.75]))
        return low if low == high else f"{low} to {high}"
    words = [str(value) for value in values]
    word = max(sorted({*words}), key=words.count)
    return f"{word} ({words.count(word)} of {len(words)})"
