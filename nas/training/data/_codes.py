"""Whole numbers that are names: schools, shops, regions, models, numbered by somebody.

As one input such a column says next to nothing, as categories it may say most: of the mathematics of 5,748 children,
the number of their school says 1 % of the variance, its name 11 %, and networks err by 78 % of it instead of 86. They
are told apart by what they are worth on the training part: the target's mean for each category against a smooth curve
over the number (a cubic spline by quantiles), both fitted without the rows that they are judged on. Measurements,
years, hours and counts say much of what they say by their size, and stay numbers: as categories they gained nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import numpy as np

from nas.training.data._encode import MOST_LEVELS
from nas.training.data._raw import RawData

__all__ = ["Worth", "as_categories", "told_apart"]

_FEWEST: Final = 9  # different numbers: a curve through fewer meets them all
_EACH: Final = 5  # rows of a number, on average
_MOST_COLUMNS: Final = 512  # that are looked at one by one
_MOST_ROWS: Final = 20_000  # by which they are judged
_KNOTS: Final = 6
_FOLDS: Final = 5
_PRIOR: Final = 5.0  # rows that a category's mean is worth before any is seen
_GAIN: Final = 0.05  # of the target's variance: what categories have to say beyond a curve, and ...
_SURE: Final = 4.0  # ... how many of its standard errors
_SIZE: Final = 0.5  # of what the categories say, from which on the size of the numbers says enough


class Worth(NamedTuple):
    """Shares of the target's variance that a column says, on rows that were not fitted."""

    number: float
    category: float


def told_apart(raw: RawData, x: np.ndarray, y: np.ndarray, n_classes: int, stated: Collection[str]) -> dict[int, Worth]:
    """Columns of numbers that are worth more as categories, by place.

    Args:
        raw: a table.
        x, y: (rows, columns) and class numbers (rows,) or targets (rows, targets), the training part.
        n_classes: 0: the targets are numbers.
        stated: columns of which somebody said what they are.
    """
    if x.shape[1] > _MOST_COLUMNS:
        return {}
    rows = np.random.default_rng(0).permutation(len(x))[:_MOST_ROWS]
    targets = np.eye(n_classes)[y[rows]] if n_classes else y[rows].astype(np.float64)
    targets = targets - targets.mean(axis=0)
    if not n_classes:  # several targets count alike
        deviations = targets.std(axis=0)
        targets = targets / np.where(deviations > 0, deviations, 1.0)
    found = {}
    for place, (name, kind) in enumerate(zip(raw.feature_names, raw.kinds, strict=True)):
        # Only numbers that are written alike everywhere, so that those of rows to predict are the same categories.
        if kind != "integer" or name in stated or name in raw.padded:
            continue
        values = x[rows, place]
        present = ~np.isnan(values)
        if (worth := _worth(values[present], targets[present])) is not None:
            found[place] = worth
    return found


def as_categories(raw: RawData, found: Mapping[int, Worth]) -> RawData:
    """The table with these columns as categories, and a note on each."""
    kinds, levels, notes = list(raw.kinds), list(raw.levels or ((),) * len(raw.kinds)), list(raw.notes)
    parts = {name: part.copy() for name in ("x", "x_val", "x_test") if (part := getattr(raw, name)) is not None}
    for place, worth in found.items():
        name = raw.feature_names[place]
        known = np.unique(np.concatenate([part[:, place] for part in parts.values()]))
        known = known[~np.isnan(known)]
        texts = [str(int(value)) for value in known]
        levels[place] = tuple(sorted(texts))
        places = {text: k for k, text in enumerate(levels[place])}
        codes = np.array([places[text] for text in texts], dtype=np.float64)
        for part in parts.values():
            part[:, place] = _recoded(part[:, place], known, codes)
        kinds[place] = "category"
        notes.append(
            f"column {name} holds whole numbers that say more of the target as categories "
            f"({100 * worth.category:.0f} % of its variance) than by their size ({100 * max(worth.number, 0):.0f} %), "
            f"as codes do; data.kinds: {{{name}: number}} keeps numbers"
        )
    return dataclasses.replace(raw, kinds=tuple(kinds), levels=tuple(levels), notes=tuple(notes), **parts)


def _recoded(values: np.ndarray, known: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """``codes`` in place of the numbers ``known``, which are sorted; NaN stays."""
    gone = np.isnan(values)
    found: np.ndarray = np.where(gone, np.nan, codes[np.searchsorted(known, np.where(gone, known[0], values))])
    return found


def _worth(values: np.ndarray, targets: np.ndarray) -> Worth | None:
    """What a column says as numbers and as categories; None: the numbers will do.

    Args:
        values: (rows,) whole numbers.
        targets: (rows, targets) centred.
    """
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) < _FEWEST or len(values) < _EACH * len(distinct):
        return None
    folds = np.arange(len(values)) % _FOLDS  # the rows are in random order
    curve, steps = np.empty_like(targets), np.empty_like(targets)
    for fold in range(_FOLDS):
        out = folds == fold
        curve[out] = _curve(values[~out], targets[~out], values[out])
        steps[out] = _steps(codes[~out], targets[~out], len(distinct))[codes[out]]
    lost, kept = (((each - targets) ** 2).sum(axis=1) for each in (curve, steps))
    whole = float((targets**2).sum())
    gain = lost - kept
    error = float(gain.std()) * len(gain) ** 0.5
    if not whole or gain.sum() < _GAIN * whole or gain.sum() < _SURE * error:
        return None
    found = Worth(1 - float(lost.sum()) / whole, 1 - float(kept.sum()) / whole)
    return found if found.number < _SIZE * found.category else None


def _curve(values: np.ndarray, targets: np.ndarray, at: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    model = make_pipeline(SplineTransformer(_KNOTS, knots="quantile", extrapolation="constant"), Ridge(1e-3))
    found: np.ndarray = model.fit(values[:, None], targets).predict(at[:, None]).reshape(len(at), -1)
    return found


def _steps(codes: np.ndarray, targets: np.ndarray, n_codes: int) -> np.ndarray:
    """Mean of the targets for each code, drawn to 0 where it is rare; rare ones share one, as their input will."""
    counts = np.bincount(codes, minlength=n_codes)
    group = np.full(n_codes, MOST_LEVELS)
    often = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    group[often] = np.arange(len(often))
    groups = group[codes]
    sums = np.stack([np.bincount(groups, target, MOST_LEVELS + 1) for target in targets.T], axis=1)
    means = sums / (np.bincount(groups, minlength=MOST_LEVELS + 1) + _PRIOR)[:, None]
    found: np.ndarray = means[group]
    return found
