"""What a chosen network will be worth on samples that did not choose it, and how sure that is.

The best of many networks on some hundred samples is mostly the luckiest. Two things are done about it, without training
anything again: every trial keeps what each validation sample said (`nas.training.Evidence`).

**Comparing** (`Steady`). Networks of one cost differ less than their scores do, so each score is drawn towards the
trend of all scores over the costs, by the share of its deviation that is noise:

    log steady = trend + share * (log score - trend),      share = spread / (spread + noise)

(empirical Bayes, Morris 1983, "Parametric empirical Bayes inference"). noise is the variance of the mean over samples
of what tells a network from the others on the same samples; spread, the variance of what networks are truly worth
around the trend, is what is left of the deviations. Without it, one of 60 networks of 4 % beats a larger one of 2 % on
270 samples in 28 of 40 cases by counts, in 12 by scores, in 1 by steady scores.

**Showing** (`estimates`). How much too low the error of the chosen is, is measured by repeating the choice
(Tsamardinos 2018, "Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation"): samples
are drawn with replacement, in each bag the best network within a member's costs is chosen again, and its error in the
bag is compared with its error on the samples that are not in it.

    shown = error on the validation part + SHARE * mean over bags of (error outside - error inside)

where SHARE is that of all samples which a bag holds, 1 - 1/e: a choice among so many fewer is the more optimistic
(Efron 1983, "Estimating the error rate of a prediction rule", whose .632 this is). Members that the samples cannot put
in order share one value: shown errors rise with the scores by which members were chosen (isotonic regression), which
leaves their mean as it is.

The linear model with all its edges is not one of many: no search came upon it, and but for its regulariser there is
one. Its error is shown as the validation part has it, and its score is not drawn to what sparse networks of its size
are worth (`plain` below). On small noisy tables a search must be held against that (benchmarks/search_notes.md).

An interval is where the error of a new sample as large as the test part lies in `CONFIDENCE` of the cases: it has the
luck of the validation part in it and that of the test part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.training.quality.evidence import blended
from nas.training.types import Evidence

__all__ = ["Estimate", "Steady", "estimates"]

_Z: Final = 1.959964  # normal quantile of 95 %, two-sided
SHARE: Final = 1 - math.exp(-1)
_BAGS: Final = 200
_WIDEST: Final = 50.0  # of an interval of logarithms: of a mean of next to nothing it has no bounds
_LEAST: Final = 4  # trials for each parameter of a trend
_ROUNDS: Final = 8  # of fitting trend and spread in turn
_REACH: Final = 4.0  # deviations of a score within which another network may win in some bag
_MOST: Final = 2_000  # networks that take part, and
_MOST_CELLS: Final = 8_000_000  # networks x samples; of more, those with the best scores


@dataclass(frozen=True, slots=True, eq=False)
class Steady:
    """How scores of T trials are drawn towards their trend over the costs; see the module's docstring."""

    trend: np.ndarray  # (T,) logarithm of the score to expect at a trial's costs
    share: np.ndarray  # (T,) of its deviation that is kept; 1: as it is

    @classmethod
    def of(
        cls,
        scores: np.ndarray,
        costs: np.ndarray,
        evidence: Callable[[int], Evidence | None],
        *,
        plain: np.ndarray | None = None,
    ) -> Steady:
        """Of `scores` (T,) at `costs` (T, objectives - 1).

        Trials without evidence, those that are `plain` (T,), and the worst of very many, stay as they are and have no
        say in the trend.
        """
        steady = cls(np.zeros(len(scores)), np.ones(len(scores)))
        order = np.argsort(scores, kind="stable")
        places, rows = _like_each_other(order if plain is None else order[~plain[order]], evidence)
        if len(places) < _LEAST:
            return steady
        logs = np.log(np.maximum(costs[places], 1e-12))
        logs = logs[:, np.ptp(logs, axis=0) > 0]
        if len(places) < _LEAST * (1 + 2 * logs.shape[1]) or not logs.shape[1]:
            return steady  # too few to know a trend, or nothing but the error was asked for: all at one cost
        # By the usual network: of regressions, one that is wild on a single sample must not say what an error is, nor
        # what the others have in common.
        largest = max(float(np.median(rows.max(axis=1))), 1e-12)
        least = np.maximum(scores[places], 0.5 / rows.shape[1] * largest)  # half an error: fewer are not seen
        common = np.minimum(rows, largest).mean(axis=0)
        noise = (rows - common).var(axis=1, dtype=np.float64) / rows.shape[1] / least**2
        x = (logs - logs.mean(axis=0)) / logs.std(axis=0)
        x = np.column_stack([np.ones(len(x)), x, x**2])
        y, spread = np.log(least), 0.05
        for _ in range(_ROUNDS):
            weight = 1 / (spread + noise)
            normal = x.T @ (weight[:, None] * x) + 1e-6 * np.eye(x.shape[1])
            trend = x @ np.linalg.solve(normal, x.T @ (weight * y))
            left = (weight**2 * ((y - trend) ** 2 - noise)).sum() / (weight**2).sum()
            spread = max(float(left), 1e-6)
        steady.trend[places], steady.share[places] = trend, spread / (spread + noise)
        return steady

    def __call__(self, scores: np.ndarray, places: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Steady scores, of trials at `places` (the last axis of `scores`)."""
        share, trend = self.share[places], self.trend[places]
        drawn: np.ndarray = np.exp(trend + share * (np.log(np.maximum(scores, 1e-12)) - trend))
        return np.where(share == 1, scores, drawn)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The error to expect of a network on new samples."""

    error: float
    low: float
    high: float
    deviation: float  # standard error, of the luck of the validation part alone


def estimates(
    scores: np.ndarray,
    costs: np.ndarray,
    members: Sequence[int],
    evidence: Callable[[int], Evidence | None],
    *,
    steady: Steady | None = None,
    chosen: bool = True,
    plain: np.ndarray | None = None,
    most: float = math.inf,
) -> dict[int, Estimate]:
    """Honest errors of members of a front.

    Args:
        scores: (T,) of the T trials of a study, lower is better.
        costs: (T, objectives - 1), their other objectives.
        members: which trials (places in the arrays) are to be shown.
        evidence: of a trial, by its place; None where there is none.
        steady: how the scores were steadied before trials were compared by them; None: they were not.
        chosen: whether the error was an objective; False: nobody chose by it, so it flatters nobody.
        plain: (T,) trials that no choice flatters; None: there are none.
        most: what an error that is no share of wrong samples can be at most.

    Returns:
        By place; members without evidence are missing. Equal arguments give equal estimates.
    """
    known = {k: found for k in members if (found := evidence(k)) is not None}
    if not known:
        return {}
    errors = {k: float(found.error.mean()) for k, found in known.items()}
    certain = {k for k in known if plain is not None and plain[k]}
    if chosen and len(certain) < len(known):
        from scipy.optimize import isotonic_regression  # here, because importing it takes a quarter of a second

        steady = steady or Steady(np.zeros(len(scores)), np.ones(len(scores)))
        scores = steady(scores)
        optimism = _optimism(scores, costs, known, evidence, steady)
        order = sorted(known.keys() - certain, key=lambda k: (scores[k], k))
        raised = [max(errors[k] + optimism[k], 0.0) for k in order]
        risen = isotonic_regression(raised).x
        errors |= {k: float(error) for k, error in zip(order, risen, strict=True)}
    return {k: _interval(errors[k], found, most) for k, found in known.items()}


def _optimism(
    scores: np.ndarray,
    costs: np.ndarray,
    known: dict[int, Evidence],
    evidence: Callable[[int], Evidence | None],
    steady: Steady,
) -> dict[int, float]:
    """How much too low the error of the best within each member's costs is, by place of the member."""
    within = {k: (costs <= costs[k]).all(axis=1) for k in known}
    gap = np.full(len(scores), np.inf)  # in deviations, to the nearest member that a trial could take the place of
    for k, found in known.items():
        deviation = max(float(_compared(found).std()), 1e-12) / math.sqrt(len(found.error))
        gap = np.where(within[k], np.minimum(gap, (scores - scores[k]) / (math.sqrt(2) * deviation)), gap)
    gap[list(known)] = -np.inf  # members first, whatever else takes part
    order = np.argsort(gap, kind="stable")
    places, compared = _like_each_other(order[gap[order] <= _REACH], evidence)
    samples = compared.shape[1]
    error = np.stack([_kept(evidence(int(k))).error for k in places]).astype(np.float32)
    bags = np.random.default_rng(0).multinomial(samples, np.full(samples, 1 / samples), size=_BAGS).astype(np.float32)
    outside = (bags == 0).astype(np.float32)
    if samples < 3 or not outside.any(axis=1).all():  # a bag of everything: too few samples to leave any out
        return dict.fromkeys(known, 0.0)
    inside = bags / samples
    outside /= outside.sum(axis=1, keepdims=True)
    in_bag = steady(inside @ compared.T, places)
    flattery = outside @ error.T - inside @ error.T
    shrunk = SHARE * math.sqrt(samples / next(iter(known.values())).samples)  # of a very large part some are kept
    optimism = {}
    for k in known:
        rivals = np.flatnonzero(within[k][places])
        if not rivals.size:  # so many members that not even all of them take part
            continue
        best = rivals[in_bag[:, rivals].argmin(axis=1)]
        optimism[k] = shrunk * float(flattery[np.arange(_BAGS), best].mean())
    usual = sum(optimism.values()) / len(optimism)
    return {k: optimism.get(k, usual) for k in known}


def _like_each_other(order: np.ndarray, evidence: Callable[[int], Evidence | None]) -> tuple[np.ndarray, np.ndarray]:
    """Places, in this order, of trials that have evidence of the same samples as the first that has any, and what they
    are compared by (places, samples); of very many the first."""
    places: list[int] = []
    rows: list[np.ndarray] = []
    for k in order.tolist():
        found = evidence(k)
        if found is None or (rows and len(found.error) != len(rows[0])) or not np.isfinite(found.error).all():
            continue
        places.append(k)
        rows.append(_compared(found).astype(np.float32))
        if len(places) >= _MOST or len(places) * len(rows[0]) >= _MOST_CELLS:
            break
    return np.array(places, dtype=int), np.stack(rows) if rows else np.zeros((0, 1), np.float32)


def _kept(found: Evidence | None) -> Evidence:
    assert found is not None
    return found


def _compared(found: Evidence) -> np.ndarray:
    """What a trial is compared by, sample by sample."""
    return found.error if found.wrong is None else blended(found.error, found.wrong, found.samples)


def _interval(error: float, found: Evidence, most: float) -> Estimate:
    """Wilson's interval of a count, in logarithms for a mean square: both keep to what an error can be.

    Of a share that is 0 in every group of samples, logarithms say nothing: its upper end is Wilson's of the groups.
    """
    effective = 1 / (1 / found.samples + 1 / max(found.test_samples, 1))
    if found.wrong is None:
        mean = max(float(found.error.mean()), 1e-30)
        spread = float(found.error.std())
        width = min(_Z * spread / mean / math.sqrt(effective), _WIDEST)
        deviation = spread / math.sqrt(found.samples)
        none = math.isfinite(most) and not found.error.any()
        high = most * _Z**2 / (effective + _Z**2) if none else error * math.exp(width)
        return Estimate(error, error * math.exp(-width), max(min(high, most), error), deviation)
    error = min(error, 1.0)
    drawn = (error * found.samples + 1) / (found.samples + 2)  # so that no errors among few samples are no certainty
    deviation = math.sqrt(drawn * (1 - drawn) / found.samples)
    scale = 1 + _Z**2 / effective
    centre = (error + _Z**2 / (2 * effective)) / scale
    half = _Z / scale * math.sqrt(error * (1 - error) / effective + _Z**2 / (4 * effective**2))
    return Estimate(error, max(min(centre - half, error), 0.0), min(max(centre + half, error), 1.0), deviation)
