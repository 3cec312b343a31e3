"""Which numbers of a table bend: those of which a line does not say all that they say of the targets.

A neuron has to learn each bend of a curve from the data; trees have them for nothing. A column that also comes as ramps
between its quantiles (Gorishniy, Rubachev and Babenko 2022, "On embeddings for numerical features in tabular deep
learning") gives them to a network, too, and edges that say nothing are cut as ever. On raw tables of thousands of rows
that takes up to a third of the error away; where lines are enough, ramps are only more to search among. So they are
for columns whose ramps say something of what a linear model of all columns leaves, judged on rows that were not fitted;
and where narrower ones say clearly more again (often in tables of many rows), these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from nas.training.data._codes import clearly, folds

__all__ = ["MOST_COLUMNS", "MOST_INPUTS", "RAMPS", "bends", "knots_of"]

RAMPS: Final = (8, 32)  # of a column that bends
_FEWEST: Final = 9  # different numbers: fewer are worth a category each, if anything
MOST_COLUMNS: Final = 512  # that are looked at one by one
MOST_INPUTS: Final = 2_048  # of the linear model: its time grows with their cube
_LEAST_ROWS: Final = 10  # two in each fold
_PENALTY: Final = 1e-2  # of standardised inputs, a row
_GAIN: Final = 0.002  # of the variance that lines leave: what ramps have to say of it, and ...
_SURE: Final = 3.0  # ... how many of its standard errors; and ...
_SURER: Final = 4.0  # ... narrower ramps than the widest: they are many inputs


def knots_of(values: np.ndarray, ramps: int = RAMPS[0]) -> tuple[float, ...]:
    """Ends of the ramps of a column, its quantiles; () where there is nothing between them.

    Args:
        values: (rows,) finite, the training part.
        ramps: how many; fewer where quantiles coincide.
    """
    if len(np.unique(values)) < _FEWEST:
        return ()
    # Exact in float32, which is what C has: ramps begin and end at the same numbers everywhere.
    knots = np.unique(np.quantile(values, np.linspace(0, 1, ramps + 1)).astype(np.float32)).astype(np.float64)
    return tuple(knots.tolist()) if len(knots) > 2 and np.isfinite(knots).all() else ()


def bends(inputs: np.ndarray, columns: Mapping[int, Sequence[np.ndarray]], targets: np.ndarray) -> dict[int, int]:
    """Which of these columns have ramps that say something, and which of their ramps.

    Args:
        inputs: (rows, inputs) what all columns of the table become without ramps, rows in random order.
        columns: by place, what a column becomes without ramps and with some, coarse to fine, each (rows, inputs).
        targets: (rows, targets) centred.

    Returns:
        By place: 1 for the first ramps given, 2 for the next, ….
    """
    if len(targets) < _LEAST_ROWS:
        return {}
    left = targets - _unseen(inputs, targets)
    found: dict[int, int] = {}
    for place, each in columns.items():
        before = _lost(each[0], left)
        for k, ramped in enumerate(each[1:], 1):
            lost = _lost(ramped, left)
            if clearly(before - lost, left, least=_GAIN, sure=_SURE if k == 1 else _SURER):
                found[place], before = k, lost
    return found


def _lost(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Squares of errors (rows,) of a linear model, on rows that were not fitted."""
    lost: np.ndarray = ((_unseen(inputs, targets) - targets) ** 2).sum(axis=1)
    return lost


def _unseen(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What a ridge regression says (rows, targets) of rows that were not fitted.

    The normal equations of each fold are those of all rows less its own, so that the rows are gone through once.
    """
    deviation = inputs.std(axis=0)
    x = np.concatenate(
        [(inputs - inputs.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0), np.ones((len(inputs), 1))], axis=1
    )
    parts = folds(len(x))
    squares, products = [x[out].T @ x[out] for out in parts], [x[out].T @ targets[out] for out in parts]
    found = np.empty_like(targets)
    for k, out in enumerate(parts):
        ridge = _PENALTY * (len(x) - out.sum()) * np.eye(x.shape[1])
        ridge[-1, -1] = 0
        weights = np.linalg.solve(np.sum(squares, axis=0) - squares[k] + ridge, np.sum(products, axis=0) - products[k])
        found[out] = x[out] @ weights
    return found
