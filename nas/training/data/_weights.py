"""Class weights: rows of the training part, repeated as much as their classes count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np

from nas.errors import DataError

__all__ = ["weighted_rows"]

_MOST: Final = 20  # times as many rows as there were, at most; beyond it, heavy classes push light ones out


def weighted_rows(
    y: np.ndarray, classes: tuple[str, ...], weights: Literal["balanced"] | Mapping[str, float], where: str, seed: int
) -> np.ndarray:
    """Places of rows in the training part, each as often as its class's weight over the least weight.

    Fractions are spread evenly over the rows of a class, in an order that the seed decides. No class goes away, however
    little it counts.

    Args:
        y: (rows,) class numbers of the training part.
        weights: of labels, those that are not named having 1; balanced: all classes count alike.

    Raises:
        DataError: a label is none of the classes, or the target has no classes.
    """
    if not classes:
        raise DataError(f"{where}: data.class_weight is for classification, but the task is regression")
    counts = np.bincount(y, minlength=len(classes))
    if weights == "balanced":
        each = np.where(counts > 0, counts.max() / np.maximum(counts, 1), 1.0)
    else:
        if unknown := [label for label in weights if label not in classes]:
            raise DataError(
                f"{where}: data.class_weight names {unknown[0]!r}, but the classes are {', '.join(classes[:20])}"
            )
        each = np.array([float(weights.get(label, 1.0)) for label in classes])
        each /= each[counts > 0].min()
    total = float((each * counts).sum())
    each = each * min(1.0, _MOST * len(y) / total)
    order = np.random.default_rng(seed).permutation(len(y))
    ends = np.zeros(len(y), dtype=np.int64)
    for number in range(len(classes)):
        rows = order[y[order] == number]
        ends[rows] = np.diff(np.floor(each[number] * np.arange(len(rows) + 1) + 1e-9).astype(np.int64))
        if len(rows) and not ends[rows].any():
            ends[rows[0]] = 1
    repeated: np.ndarray = np.repeat(np.arange(len(y)), ends)
    return repeated
