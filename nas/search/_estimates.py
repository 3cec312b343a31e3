"""What a chosen network will be worth on samples that did not choose it, and how sure that is.

The best of many networks on some hundred samples is mostly the luckiest, so its error there is too low. How much too
low is measured by repeating the choice (Tsamardinos 2018, "Bootstrapping the out-of-sample predictions for efficient
and accurate cross-validation"): validation samples are drawn with replacement, in each bag the best network within a
member's costs is chosen again, by the same score, and its error in the bag is compared with its error on the samples
that are not in it. Nothing is trained: every trial keeps what each sample said (`nas.training.Evidence`).

    shown = error on the validation part + SHARE * mean over bags of (error outside - error inside)

where SHARE is that of all samples which a bag holds, 1 - 1/e: a choice among so many fewer is the more optimistic
(Efron 1983, "Estimating the error rate of a prediction rule", whose .632 this is). Members that the samples cannot put
in order share one value: shown errors rise with the scores by which members were chosen (isotonic regression), which
leaves their mean as it is.

An interval is where the error of a new sample as large as the test part lies in `CONFIDENCE` of the cases: it has the
luck of the validation part in it and that of the test part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.training._evidence import blended
from nas.training._types import Evidence

__all__ = ["CONFIDENCE", "Estimate", "estimates"]

CONFIDENCE: Final = 0.95
_Z: Final = 1.959964  # normal quantile of it, two-sided
SHARE: Final = 1 - math.exp(-1)
_BAGS: Final = 200
_REACH: Final = 4.0  # deviations of a score within which another network may win in some bag
_MOST_CELLS: Final = 8_000_000  # networks x samples that take part; of more, those with the best scores


@dataclass(frozen=True, slots=True)
class Estimate:
    """The error to expect of a network on new samples."""

    error: float
    low: float
    high: float


def estimates(
    scores: np.ndarray,
    costs: np.ndarray,
    members: Sequence[int],
    evidence: Callable[[int], Evidence | None],
    *,
    chosen: bool = True,
) -> dict[int, Estimate]:
    """Honest errors of members of a front.

    Args:
        scores: (T,), by which the T trials of a study were compared, lower is better.
        costs: (T, objectives - 1), their other objectives.
        members: which trials (places in the arrays) are to be shown.
        evidence: of a trial, by its place; None where there is none.
        chosen: whether the error was an objective; False: nobody chose by it, so it flatters nobody.

    Returns:
        By place; members without evidence are missing. Equal arguments give equal estimates.
    """
    known = {k: found for k in members if (found := evidence(k)) is not None}
    if not known:
        return {}
    errors = {k: float(found.error.mean()) for k, found in known.items()}
    if chosen:
        from scipy.optimize import isotonic_regression  # here, because importing it takes a quarter of a second

        optimism = _optimism(scores, costs, known, evidence)
        order = sorted(known, key=lambda k: (scores[k], k))
        raised = [max(errors[k] + optimism[k], 0.0) for k in order]
        risen = isotonic_regression(raised).x
        errors = {k: float(error) for k, error in zip(order, risen, strict=True)}
    return {k: _interval(errors[k], found) for k, found in known.items()}


def _optimism(
    scores: np.ndarray, costs: np.ndarray, known: dict[int, Evidence], evidence: Callable[[int], Evidence | None]
) -> dict[int, float]:
    """How much too low the error of the best within each member's costs is, by place of the member."""
    within = {k: (costs <= costs[k]).all(axis=1) for k in known}
    gap = np.full(len(scores), np.inf)  # in deviations, to the nearest member that a trial could take the place of
    for k, found in known.items():
        deviation = max(float(_compared(found).std()), 1e-12) / math.sqrt(len(found.error))
        gap = np.where(within[k], np.minimum(gap, (scores - scores[k]) / (math.sqrt(2) * deviation)), gap)
    samples = len(next(iter(known.values())).error)
    order = [int(k) for k in np.argsort(gap, kind="stable") if gap[k] <= _REACH or int(k) in known]
    most = max(_MOST_CELLS // samples, len(known))
    places: list[int] = []
    rows: list[Evidence] = []
    for k in sorted(known) + [k for k in order if k not in known]:
        found = known[k] if k in known else evidence(k)
        if found is not None and len(found.error) == samples:
            places.append(k)
            rows.append(found)
        if len(places) >= most:
            break
    error = np.stack([found.error for found in rows]).astype(np.float32)
    compared = np.stack([_compared(found) for found in rows]).astype(np.float32)
    bags = np.random.default_rng(0).multinomial(samples, np.full(samples, 1 / samples), size=_BAGS).astype(np.float32)
    outside = (bags == 0).astype(np.float32)
    if samples < 3 or not outside.any(axis=1).all():  # a bag of everything: too few samples to leave any out
        return dict.fromkeys(known, 0.0)
    inside = bags / samples
    outside /= outside.sum(axis=1, keepdims=True)
    in_bag = inside @ compared.T
    flattery = outside @ error.T - inside @ error.T
    found_at = np.array(places)
    shrunk = SHARE * math.sqrt(samples / rows[0].samples)  # of a very large part only some samples are kept
    optimism = {}
    for k in known:
        rivals = np.flatnonzero(within[k][found_at])
        best = rivals[in_bag[:, rivals].argmin(axis=1)]
        optimism[k] = shrunk * float(flattery[np.arange(_BAGS), best].mean())
    return optimism


def _compared(found: Evidence) -> np.ndarray:
    """What a trial is compared by, sample by sample."""
    return found.error if found.wrong is None else blended(found.error, found.wrong, found.samples)


def _interval(error: float, found: Evidence) -> Estimate:
    """Wilson's interval of a count, in logarithms for a mean square: both keep to what an error can be."""
    effective = 1 / (1 / found.samples + 1 / max(found.test_samples, 1))
    if found.wrong is None:
        mean = max(float(found.error.mean()), 1e-30)
        width = _Z * float(found.error.std()) / mean / math.sqrt(effective)
        return Estimate(error, error * math.exp(-width), error * math.exp(width))
    error = min(error, 1.0)
    scale = 1 + _Z**2 / effective
    centre = (error + _Z**2 / (2 * effective)) / scale
    half = _Z / scale * math.sqrt(error * (1 - error) / effective + _Z**2 / (4 * effective**2))
    return Estimate(error, max(min(centre - half, error), 0.0), min(max(centre + half, error), 1.0))
