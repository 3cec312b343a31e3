"""A cheap model of all objectives over encoded genomes, and what a genome is expected to add to the front.

Symbols:

    X    (n, d) encodings of evaluated genomes, each column scaled to [0, 1]
    Y    (n, m) their objectives, on any scale, smaller is better
    K    (n, n) correlation of genomes, Matern 5/2 in their Euclidean distance
    l    length scale, as a multiple of the median distance between rows of X
    s2   variance of an objective that genomes explain; nu * s2: the part that they do not

Each objective is a Gaussian process of its own (Rasmussen & Williams 2006, algorithm 2.1). l and nu are the ones of a
small grid with the greatest marginal likelihood, in which s2 has its best value, a closed form: some hundred
evaluations do not tell more apart, and an optimiser of likelihoods costs more than a short training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import ndtri
from scipy.stats import qmc

__all__ = ["Surrogate", "expected_improvement"]

_LENGTHS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
_NOISES: Final = (1e-4, 1e-3, 1e-2, 1e-1)
_SAMPLES: Final = 32  # of a prediction, a power of 2 for Sobol's sequence
_DIRECTIONS: Final = 128  # into which the dominated volume is resolved
_TINY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class _Fit:
    """One objective's process."""

    length: float  # absolute
    factor: np.ndarray  # (n, n) lower Cholesky factor of K + nu I
    weights: np.ndarray  # (n,) (K + nu I)^-1 y
    variance: float  # s2
    noise: float  # nu
    mean: float
    scale: float


class Surrogate:
    """Gaussian processes of several objectives over the same genomes.

    Args:
        X: (n, d) encodings, in [0, 1]; at least two rows.
        Y: (n, m) objectives.

    Raises:
        ValueError: the shapes do not belong together.
    """

    def __init__(self, X: np.ndarray, Y: np.ndarray) -> None:
        if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y) or len(X) < 2:
            raise ValueError(f"X (n, d) and Y (n, m) must have the same n >= 2 rows, got {X.shape} and {Y.shape}")
        self._X = X
        distance = _distances(X, X)
        apart = distance[distance > 0]
        median = float(np.median(apart)) if apart.size else 1.0
        mean, scale = Y.mean(axis=0), np.maximum(Y.std(axis=0), _TINY)
        targets = (Y - mean) / scale
        best = np.full(Y.shape[1], -np.inf)
        self._fits: list[_Fit] = [None] * Y.shape[1]  # type: ignore[list-item]
        for length in _LENGTHS:
            correlation = _matern(distance / (length * median))
            for noise in _NOISES:
                factor = cholesky(correlation + noise * np.eye(len(X)), lower=True, check_finite=False)
                weights = cho_solve((factor, True), targets, check_finite=False)
                variance = np.maximum((targets * weights).mean(axis=0), _TINY)
                likelihood = -0.5 * len(X) * np.log(variance) - np.log(np.diag(factor)).sum()
                for k in np.flatnonzero(likelihood > best).tolist():
                    best[k] = likelihood[k]
                    self._fits[k] = _Fit(
                        length * median,
                        factor,
                        weights[:, k],
                        float(variance[k]),
                        noise,
                        float(mean[k]),
                        float(scale[k]),
                    )

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations (rows, m) of the objectives that genomes (rows, d) would be measured to have.

        The deviation has the part that encodings do not explain: what counts is the value that will be told.
        """
        distance = _distances(X, self._X)
        means, deviations = [], []
        for fit in self._fits:
            correlation = _matern(distance / fit.length)
            known = solve_triangular(fit.factor, correlation.T, lower=True, check_finite=False)
            left = np.maximum(1.0 - (known**2).sum(axis=0), 0.0) + fit.noise
            means.append(fit.mean + fit.scale * (correlation @ fit.weights))
            deviations.append(fit.scale * np.sqrt(fit.variance * left))
        return np.stack(means, axis=1), np.stack(deviations, axis=1)


def expected_improvement(
    mean: np.ndarray, deviation: np.ndarray, front: np.ndarray, reference: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Hypervolume (rows,) that each prediction is expected to add to a front, up to a common factor.

    The volume that points y dominate below r is, up to a constant, the mean over directions w > 0 of the unit sphere
    of max over y of min_k ((r - y)_k / w_k)^m (Zhang 2020, "Random hypervolume scalarizations"): so an improvement
    needs no decomposition of the front, in any number of objectives.

    Args:
        mean, deviation: (rows, m) independent normal predictions.
        front: (points, m) to be improved; may be empty.
        reference: (m,) worst values that count.
        rng: decides the sample of predictions and directions.
    """
    m = mean.shape[1]
    points = qmc.Sobol(m, rng=rng).random(_SAMPLES)
    normal = ndtri(np.clip(points, 1e-6, 1 - 1e-6))
    directions = np.abs(rng.standard_normal((_DIRECTIONS, m))) + _TINY
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    base = _lengths(front, reference, directions).max(axis=0, initial=0.0)
    gained = np.zeros(len(mean))
    for row in normal:
        drawn = _lengths(mean + deviation * row, reference, directions)
        gained += np.maximum(drawn**m - base**m, 0.0).mean(axis=1)
    return gained / len(normal)


def _lengths(points: np.ndarray, reference: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """How far (points, directions) one can go from the reference along a direction in what each point dominates."""
    room = np.maximum(reference - points, 0.0)
    found = room[:, :1] / directions[None, :, 0]
    for k in range(1, directions.shape[1]):
        found = np.minimum(found, room[:, k : k + 1] / directions[None, :, k])
    result: np.ndarray = found
    return result


def _distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """(rows of A, rows of B) Euclidean."""
    squares = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1)[None] - 2 * A @ B.T
    squares[squares < 1e-9] = 0.0  # what rounding leaves of equal rows
    distances: np.ndarray = np.sqrt(squares)
    return distances


def _matern(distance: np.ndarray) -> np.ndarray:
    scaled = math.sqrt(5.0) * distance
    correlation: np.ndarray = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    return correlation
