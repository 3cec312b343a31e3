"""Features that may say the target without being a measurement: copies of it, and places in a sorted table.

Nothing is left out for these: a measurement may be as good, and a table may be sorted by one. It is said.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

__all__ = ["copies_of_target", "like_ids", "like_missing", "rising", "rising_with_rows", "rows_by_date"]

_MOST_FEATURES: Final = 512  # that are looked at one by one
_MOST_VALUES: Final = 20  # of a feature that may be a copy of classes
_SAMPLE: Final = 2000  # rows by which most features are told from copies
_EACH: Final = 5  # rows of each value, on average: fewer say the class by chance
_SAME: Final = 1e-9  # of 1, how far the correlation of a copy in other units is from it
_EXACT: Final = 2**53  # whole numbers up to it are exact as float64
_STAND_INS: Final = (-9, -99, -999, -9999, -99999, 99, 999, 9999, 99999)  # what people write for a missing number
_FEWEST_GONE: Final = 3  # rows with one of these
_FEWEST_STEPS: Final = 20  # places in a row at which a feature rises: fewer are classes in order, or chance


def copies_of_target(names: Sequence[str], x: np.ndarray, y: np.ndarray) -> list[str]:
    """Notes on features that are the target in another writing or other units.

    Args:
        names: of the features.
        x: (rows, features) as the source has them; NaN where missing.
        y: (rows,) class numbers, or (rows, targets) numbers.
    """
    if x.shape[1] > _MOST_FEATURES or len(x) < 2 * _EACH:
        return []
    found = []
    for name, values in zip(names, x.T, strict=True):
        if y.ndim == 1:
            copy = _names_classes(values, y)
        else:
            copy = any(_is_linear(values, target) for target in y.T.astype(np.float64))
        if copy:
            found.append(
                f"feature {name} says the target in every row; if it is known no earlier than the target, leave it "
                f"out: data.drop: [{name}]"
            )
    return found


def like_missing(names: Sequence[str], x: np.ndarray) -> list[str]:
    """Notes on numbers that may stand for missing values: -999 and the like, farther from all other values than these
    are from each other.

    Args:
        names: of the features that are numbers.
        x: (rows, features); NaN where missing.
    """
    found = []
    for name, values in zip(names, x.T, strict=True):
        for number in _STAND_INS:
            same = values == number
            count = int(same.sum())
            if count < _FEWEST_GONE:  # nearly always: no more is looked at then
                continue
            others = values[~same & np.isfinite(values)]
            if not len(others):
                continue
            low, high = float(others.min()), float(others.max())
            if max(low - number, number - high) > high - low > 0:
                found.append(
                    f"column {name} is {number} in {count:,} rows and {low:.6g} to {high:.6g} in the others; if that "
                    f"stands for a missing value, data.missing: [{number}] says so"
                )
    return found


def rising_with_rows(names: Sequence[str], x: np.ndarray, dates: Collection[str] = ()) -> list[str]:
    """Notes on features by which the rows of the source are sorted: batches, sessions, times of recording.

    Args:
        names: of the features.
        x: (rows, features) in the order of the source; NaN where missing.
        dates: names of those that are dates.
    """
    if x.shape[1] > _MOST_FEATURES:
        return []
    found = []
    for name, values in zip(names, x.T, strict=True):
        if rising(values):
            found.append(
                rows_by_date(name)
                if name in dates
                else f"the rows are sorted by feature {name}; if it counts them (batches, sessions, times), leave it "
                f"out: data.drop: [{name}]"
            )
    return found


def rising(values: np.ndarray) -> bool:
    """Whether numbers (rows,) rise, or fall, from row to row, at many places."""
    steps = np.diff(values.astype(np.float64))
    return bool(((steps >= 0).all() or (steps <= 0).all()) and np.count_nonzero(steps) >= _FEWEST_STEPS)


def rows_by_date(name: str) -> str:
    """What is said of a table whose rows are sorted by a column of dates, be it a feature or left out."""
    return (
        f"the rows are sorted by date {name}; if the network is for later ones, data.time: {name} makes the latest "
        "rows the test part"
    )


def like_ids(names: Sequence[str], x: np.ndarray, measured: Collection[str] = ()) -> list[str]:
    """Notes on features of whole numbers that are all different and spread too far to say that they were counted.

    Args:
        names: of the features.
        x: (rows, features) as the source has them; NaN where missing.
        measured: names of those that are none all the same: dates, amounts of money, durations.
    """
    if x.shape[1] > _MOST_FEATURES or len(x) < _FEWEST_STEPS:
        return []
    return [
        f"feature {name} is a whole number that differs in every row; if it is an id, leave it out: data.drop: [{name}]"
        for name, values in zip(names, x.T, strict=True)
        if name not in measured
        and (values == np.round(values)).all()
        and np.abs(values).max() <= _EXACT  # beyond it every float is whole
        and len(np.unique(values)) == len(values)
    ]


def _names_classes(values: np.ndarray, classes: np.ndarray) -> bool:
    """Whether each value of a feature that has few stands for one class."""
    for part in (slice(_SAMPLE), slice(None)):  # few rows say of most features that they are none
        cells, labels = values[part], classes[part]
        if np.isnan(cells).any():
            return False
        known, places = np.unique(cells, return_inverse=True)
        if len(known) < 2 or len(known) > _MOST_VALUES or len(labels) < _EACH * len(known):
            return False
        if len(np.unique(np.stack([places, labels]), axis=1).T) != len(known):
            return False
    return True


def _is_linear(values: np.ndarray, target: np.ndarray) -> bool:
    """Whether a feature is the target times a number plus another."""
    values, target = values - values.mean(), target - target.mean()
    size = float(np.linalg.norm(values) * np.linalg.norm(target))
    return size > 0 and bool(np.isfinite(size)) and abs(float(values @ target)) > (1 - _SAME) * size
