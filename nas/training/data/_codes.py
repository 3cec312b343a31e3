"""What columns are worth as categories: which whole numbers are names, and how many categories get an input.

Schools, shops, regions and models are numbered by somebody. As one input such a column says next to nothing, as
categories it may say most: of the mathematics of 5,748 children, the number of their school says 1 % of the variance,
its name 19 %, and networks err by 72 % of it instead of 86. They are told apart by what they are worth on the training
part: the target's mean for each category against a smooth curve over the number (a cubic spline by quantiles), both
fitted without the rows that they are judged on. Measurements, years, hours and counts say much of what they say by
their size, and stay numbers: as categories they gained nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import numpy as np

from nas.training.data._raw import RawData

__all__ = ["Worth", "as_categories", "clearly", "folds", "levels_for", "targets_of", "told_apart"]

_FEW_LEVELS, _MANY_LEVELS = 32, 128  # categories with an input of their own, the others sharing one; many if they pay

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


def targets_of(y: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows by which columns are judged, in random order, and their targets (rows, targets), centred.

    Args:
        y: class numbers (rows,) or targets (rows, targets) of the training part.
        n_classes: 0: the targets are numbers.
    """
    rows = np.random.default_rng(0).permutation(len(y))[:_MOST_ROWS]
    targets = np.eye(n_classes)[y[rows]] if n_classes else y[rows].astype(np.float64)
    targets = targets - targets.mean(axis=0)
    if not n_classes:  # several targets count alike
        deviations = targets.std(axis=0)
        targets = targets / np.where(deviations > 0, deviations, 1.0)
    return rows, targets


def levels_for(codes: np.ndarray, targets: np.ndarray) -> int:
    """How many categories of a column get an input of their own: more, where that says clearly more of the targets.

    Args:
        codes: (rows,) a whole number for each category.
        targets: (rows, targets) centred.
    """
    n_codes = int(codes.max(initial=-1)) + 1
    if n_codes <= _FEW_LEVELS:
        return _FEW_LEVELS
    few, many = (_without(codes, targets, n_codes, most) for most in (_FEW_LEVELS, _MANY_LEVELS))
    return _MANY_LEVELS if clearly(few - many, targets) else _FEW_LEVELS


def told_apart(
    raw: RawData, x: np.ndarray, rows: np.ndarray, targets: np.ndarray, stated: Collection[str]
) -> dict[int, Worth]:
    """Columns of numbers that are worth more as categories, by place.

    Args:
        raw: a table.
        x: (rows, columns) the training part.
        rows, targets: see `targets_of`.
        stated: columns of which somebody said what they are.
    """
    if x.shape[1] > _MOST_COLUMNS:
        return {}
    found = {}
    for place, (name, kind) in enumerate(zip(raw.feature_names, raw.kinds, strict=True)):
        # Only numbers that are written alike everywhere, so that those of rows to predict are the same categories.
        written = raw.notations[place] if raw.notations else ""
        if kind not in ("integer", "number") or written or name in stated or name in raw.padded:
            continue
        values = x[rows, place]
        present = ~np.isnan(values)
        if (values[present] % 1 != 0).any():  # whole numbers beside missing ones are floats to whoever reads them
            continue
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
    curve = np.empty_like(targets)
    for out in folds(len(values)):
        curve[out] = _curve(values[~out], targets[~out], values[out])
    lost = ((curve - targets) ** 2).sum(axis=1)
    kept = _without(codes, targets, len(distinct), levels_for(codes, targets))
    whole = float((targets**2).sum())
    if not clearly(lost - kept, targets):
        return None
    found = Worth(1 - float(lost.sum()) / whole, 1 - float(kept.sum()) / whole)
    return found if found.number < _SIZE * found.category else None


def clearly(gain: np.ndarray, targets: np.ndarray, *, least: float = _GAIN, sure: float = _SURE) -> bool:
    """Whether squares of errors that are less by ``gain`` (rows,) are worth speaking of.

    Args:
        targets: (rows, targets) centred.
        least: share of their squares.
        sure: standard errors of the gain.
    """
    whole, total = float((targets**2).sum()), float(gain.sum())
    return whole > 0 and total > least * whole and total > sure * float(gain.std()) * len(gain) ** 0.5


def folds(n_rows: int) -> list[np.ndarray]:
    """Masks of rows, which are in random order."""
    return [np.arange(n_rows) % _FOLDS == fold for fold in range(_FOLDS)]


def _curve(values: np.ndarray, targets: np.ndarray, at: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    model = make_pipeline(SplineTransformer(_KNOTS, knots="quantile", extrapolation="constant"), Ridge(1e-3))
    found: np.ndarray = model.fit(values[:, None], targets).predict(at[:, None]).reshape(len(at), -1)
    return found


def _without(codes: np.ndarray, targets: np.ndarray, n_codes: int, most: int) -> np.ndarray:
    """Squares of errors (rows,) of the categories' means, each row left out of its own; see `_means`."""
    found = np.empty(len(targets))
    for out in folds(len(codes)):
        means = _means(codes[~out], targets[~out], n_codes, most)
        found[out] = ((means[codes[out]] - targets[out]) ** 2).sum(axis=1)
    return found


def _means(codes: np.ndarray, targets: np.ndarray, n_codes: int, most: int) -> np.ndarray:
    """Mean of the targets for each code, drawn to 0 where it is rare; all but the ``most`` frequent share one."""
    counts = np.bincount(codes, minlength=n_codes)
    group = np.full(n_codes, most)
    often = np.argsort(-counts, kind="stable")[:most]
    group[often] = np.arange(len(often))
    groups = group[codes]
    sums = np.stack([np.bincount(groups, target, most + 1) for target in targets.T], axis=1)
    means = sums / (np.bincount(groups, minlength=most + 1) + _PRIOR)[:, None]
    found: np.ndarray = means[group]
    return found
