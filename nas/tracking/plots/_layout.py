"""Where each neuron of a DAG is drawn: inputs left, topological levels to the right, outputs at the right edge.

All of it is numpy on whole arrays, so that 1,000 neurons and 60,000 edges take some ten milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nas.graph import DAG, Role

__all__ = ["Layout", "input_columns", "layout"]

_MOST_LISTED_INPUTS = 40  # more inputs than this are drawn as a block of cells, fewer as a column of discs
_SWEEPS = 6  # barycentre sweeps; more hardly change the picture
_GOLDEN = 0.6180339887498949  # spreads successive offsets evenly over [0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Positions in a unit box: x from 0 (inputs) to 1 (outputs), y from 0 (bottom) to 1 (top)."""

    x: np.ndarray  # (n,)
    y: np.ndarray  # (n,)
    columns: int | None  # cells in a row of the block of inputs; None: inputs are a column of discs
    spacing: float  # smallest distance between two computational neurons of one column, in y


def input_columns(n_inputs: int, period: int | None = None) -> int | None:
    """Cells in a row if the inputs are to be drawn as a block (an image), None if as a list.

    A `period` that divides the inputs is the row width of an image. Without one, many inputs become a square block:
    64 inputs 8 x 8, 784 inputs 28 x 28.
    """
    if period is not None and period > 1 and n_inputs % period == 0 and n_inputs // period > 1:
        return period
    return math.isqrt(n_inputs - 1) + 1 if n_inputs > _MOST_LISTED_INPUTS else None


def layout(dag: DAG, period: int | None = None) -> Layout:
    """Positions of all neurons of `dag`; `period` is the row width of image data, None where there is none."""
    columns = input_columns(dag.n_inputs, period)
    x, y = np.zeros(dag.n), np.zeros(dag.n)
    inputs = np.arange(dag.n_inputs)
    if columns is None:
        y[inputs] = _spread(dag.n_inputs)
    else:
        rows = -(-dag.n_inputs // columns)
        y[inputs] = 1 - (inputs // columns + 0.5) / rows
    outputs = np.flatnonzero(dag.roles == Role.OUTPUT)
    x[outputs], y[outputs] = 1.0, _spread(len(outputs))
    hidden = np.flatnonzero(dag.roles == Role.COMPUTATIONAL)
    if not len(hidden):
        return Layout(x, y, columns, 1.0)
    slot, depth = _slots(dag.levels()[hidden])
    x[hidden] = (depth + 1) / (depth.max() + 2)
    _order(dag, hidden, slot, y)
    counts = np.bincount(slot)
    return Layout(x, y, columns, float(1 / counts.max()))


def _spread(count: int) -> np.ndarray:
    """`count` heights from top to bottom, evenly, kept together in the middle where they are few."""
    span = min(1.0, 0.12 * (count - 1))
    return 0.5 + span * (0.5 - np.arange(count) / max(count - 1, 1))


def _slots(level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column of each computational neuron: (number of the column, its place along x in units of a column).

    A level with more neurons than fit in a column takes several columns beside each other.
    """
    present, group = np.unique(level, return_inverse=True)
    counts = np.bincount(group)
    capacity = max(14, math.ceil(math.sqrt(0.8 * len(level))))
    widths = -(-counts // capacity)
    first = np.concatenate([[0], np.cumsum(widths)[:-1]])
    rank = np.empty(len(level), dtype=np.int64)
    rank[np.argsort(group, kind="stable")] = np.arange(len(level)) - np.repeat(np.cumsum(counts) - counts, counts)
    slot = first[group] + rank % widths[group]
    assert len(present) == len(counts)
    return slot, slot.astype(float)


def _order(dag: DAG, hidden: np.ndarray, slot: np.ndarray, y: np.ndarray) -> None:
    """Give the computational neurons heights (into `y`) near those of their neighbours, evenly in each column.

    The barycentre heuristic of Sugiyama 1981, sweeping over all columns at once.
    """
    counts = np.bincount(slot)
    starts = np.cumsum(counts) - counts
    ends_x = np.concatenate([dag.sources, dag.targets])
    ends_y = np.concatenate([dag.targets, dag.sources])
    degree = np.maximum(np.bincount(ends_x, minlength=dag.n), 1)
    y[hidden] = 0.5
    # Columns of few neurons would line up in stripes, so each column is shifted a little, differently.
    shift = ((np.arange(len(counts)) * _GOLDEN) % 1 - 0.5) * 0.7
    for _ in range(_SWEEPS):
        mean = np.bincount(ends_x, weights=y[ends_y], minlength=dag.n) / degree
        order = np.lexsort((hidden, -mean[hidden], slot))
        rank = np.empty(len(hidden))
        rank[order] = np.arange(len(hidden)) - np.repeat(starts, counts)
        y[hidden] = 1 - (rank + 0.5 + shift[slot]) / counts[slot]
