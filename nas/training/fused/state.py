"""What the ranks of the fused training loop share; see `nas.training.fused._kernels`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Buffers", "Data", "Graph", "Settings"]

Array = np.ndarray

# Random numbers for the noise on the inputs: how many bits number the places where stretches of them begin, and how
# many samples share a stretch. Tiles are never wider, and begin at multiples of their width.
NOISE_BITS, NOISE_GROUP = 16, 64
SHIFT_PLACE = 2**31  # what stands for the input where places of images are drawn: no input has this number

# What a chunk of steps reports of its last step: these, then the totals of the measures.
OBJECTIVE, TOTAL, CORRECT, LIVE, STEPS_DONE, FINITE, LOST, TOTALS = range(8)


class Graph(NamedTuple):
    """The allowed edges; never changed. See `nas.engine._plan`."""

    in_ptr: Array
    sources: Array
    out_ptr: Array
    targets: Array
    out_edges: Array
    p: Array  # (E,) displacement of each edge; empty without closeness
    flow_signs: Array  # (E,)
    codes: Array  # (n,) activation codes


class Data(NamedTuple):
    """Training samples."""

    x: Array  # (samples * n_inputs,) float32
    classes: Array  # (samples,) int64; empty for regression
    values: Array  # (samples * n_outputs,) float32; empty for classification
    factor: Array  # (TABLE_SIZE,) float32, by which inputs are multiplied; empty without noise
    offset: Array  # the same, what is added to them, in units of the step's deviation
    shifts: Array  # (TABLE_SIZE * 2,) int32, by how many pixels images are moved, down and right; empty: they are not


class Settings(NamedTuple):
    """Scalars of a run."""

    n_inputs: int
    n_outputs: int
    closeness: bool  # W = c ...
    weighted: bool  # ... times a free weight
    gained: bool  # ... times the target's gain
    period: float
    optimizer: int  # its code, see `nas.training.optimisers`
    weight_decay: float
    closeness_rate: float  # learning rates relative to the weights'
    length_rate: float
    k_objective: float
    terms: np.dtype[np.void]  # which measures there are, see `nas.training.loss_terms.terms_type`
    factors: tuple[float, ...]  # (Q,) of the measures
    refresh: int  # steps between looks at dead edges; between them only live ones are evaluated
    by_rows: bool  # walk backward by rows; only without closeness
    k_constant: float  # what the terms add whatever the structure
    linear: bool  # outputs read what their sources have before their activation ...
    squared: bool  # ... and emit the square of the sum
    watched: bool  # stop before a step in which some output has no path from any input
    width: int  # numbers of a row of an image, and ...
    channels: int  # ... of a pixel; 1 where the inputs are no image


class Buffers(NamedTuple):
    """What changes. T leading rows where each rank has its own."""

    theta: Array  # parameters, one vector
    gradient: Array  # of theta
    moment_1: Array
    moment_2: Array
    d: Array  # (E,)
    c: Array  # (E,)
    weight: Array  # (E,) W of every allowed edge
    saved: Array  # (4, E) gauss, wave, log of its base, slope
    derived: Array  # (DERIVED, m)
    sums: Array  # (7, m)
    alive: Array  # (E,) uint8, whether c != 0
    chunk_ptr: Array  # (n + 1,) first chunk of each row: a chunk is up to 16 edges of one row
    chunks: Array  # (chunks,) uint8, NEAR and LIVE bits
    ones: Array  # (16,)
    dirty: Array  # (n,) uint8, columns in which an edge died or came alive
    in_end: Array  # (n,)
    live_sources: Array  # (E,)
    live_weight: Array  # (E,)
    out_end: Array  # (n,)
    live_targets: Array  # (E,)
    live_edges: Array  # (E,)
    used: Array  # (blocks of inputs,)
    moved: Array  # (T, size * n_inputs) images of a tile in other places; (T, 0) where none are moved
    in_order: Array  # (size,) 0, 1, 2, ...
    values: Array  # (T, n * size)
    kept_z: Array  # (T, n * size or 0)
    grads: Array  # (T, (n + 2) * size)
    grad_weight: Array  # (T, E)
    grad_bias: Array  # (T, m)
    partial: Array  # (T, columns) float64: sums a rank hands to the others
    rows: Array  # (T + 1,) first neuron of each rank's rows
    columns: Array  # (T + 1,) first neuron of each rank's columns
    before: Array  # (7 m + 1,) closeness parameters and cutoff of the step before; (0,) where nobody watches
    reached: Array  # (n,) uint8, neurons that an input reaches over live edges
    absent: Array  # (Q, m), see `row_prices`; (Q, 0) where no measure over neurons has a factor


# A chunk is near when its edges' closeness matters to the loss, live when one of its edges is.
NEAR, LIVE_CHUNK = 1, 2
# Edges whose share of the smooth count is below this are as good as absent: it is under a float32's resolution. Where
# the count is only reported, a coarser one will do.
NEGLIGIBLE_SHARE, NEGLIGIBLE_IN_REPORT = 1e-8, 1e-4

# Columns of ``partial``, then the totals of the measures; whole cache lines a rank.
P_LIVE, P_CHANGED, P_LOSS, P_CORRECT, P_CUTOFF, P_LOST, P_TOTALS = range(7)
