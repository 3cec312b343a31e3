"""A picture of a DAG's adjacency matrix: rows read, columns are read; strictly lower triangular by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.graph import DAG
from nas.tracking.plots._theme import (
    COMPUTATIONAL,
    FAINT,
    INK,
    INPUT,
    NEGATIVE,
    NEUTRAL,
    OUTPUT,
    POSITIVE,
    heading,
    new_figure,
    to_png,
)
from nas.tracking.plots.dag import dag_facts, without_idle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["adjacency_png", "decorate_matrix", "matrix_image"]

_BOX = (9.2, 7.2)  # largest width and height of the matrix, inches
_DPI = 100


def adjacency_png(dag: DAG, weights: np.ndarray | None = None, *, period: int | None = None, title: str = "") -> bytes:
    """Draw who reads whom: row i, column j is edge j->i; returns a PNG file.

    Rows are computational and output neurons, columns input and computational ones: the other cells cannot hold an
    edge. Bars at the right and at the top are the fan-in of each row and the fan-out of each column. Where a pixel
    stands for several cells it shows the strongest edge among them, so no edge is lost.

    Args:
        dag: the graph; computational neurons on no path from an input to an output are left out.
        weights: (E,) weight of each edge: blue where positive, orange where negative. None: all edges alike.
        period: row width of image data, marked by ticks on the columns of inputs.
        title: bold first line; the facts of the graph follow below it.
    """
    dag, weights = without_idle(dag, weights)
    rows, columns = dag.n - dag.n_inputs, dag.n - dag.n_outputs
    cell = min(_BOX[0] / columns, _BOX[1] / rows, 0.7)
    # A long thin matrix keeps its whole width and height; only nearly square ones get square cells.
    stretch = columns > 4 * rows or rows > 4 * columns
    width = _BOX[0] if stretch else cell * columns
    height = _BOX[1] * 0.75 if stretch else cell * rows
    width, height = max(width, 4.5), max(height, 2.0)
    figure = new_figure(max(width + 2.6, 9.6), height + 2.75, _DPI)
    total_width, total_height = figure.get_size_inches()
    left, bottom = 1.05 / total_width, 0.85 / total_height
    box = (left, bottom, width / total_width, height / total_height)
    axes = figure.add_axes(box)
    image = matrix_image(dag, weights, round(width * _DPI), round(height * _DPI))
    axes.imshow(image, extent=(0, columns, rows, 0), aspect="auto", interpolation="nearest", zorder=1)
    decorate_matrix(axes, dag, period)
    gap = 0.1
    top = figure.add_axes((left, box[1] + box[3] + gap / total_height, box[2], 0.55 / total_height))
    right = figure.add_axes((left + box[2] + gap / total_width, bottom, 0.75 / total_width, box[3]))
    _bars(top, right, dag)
    _legend(axes, weights is not None, height)
    heading(figure, title or "Adjacency matrix", dag_facts(dag), left=0.25 / total_width)
    return to_png(figure)


def matrix_image(
    dag: DAG, weights: np.ndarray | None, width: int, height: int, *, scale: float | None = None
) -> np.ndarray:
    """(rows, columns, 3) colours, at most one element a pixel; impossible cells grey, empty ones white.

    Args:
        dag, weights: see `adjacency_png`.
        width, height: of the picture in pixels.
        scale: the weight that has the full colour; None: the 95th percentile.
    """
    from matplotlib.colors import to_rgb

    rows, columns = dag.n - dag.n_inputs, dag.n - dag.n_outputs
    # A few edges in many cells would be lost as single pixels, so these are drawn in pixels of double side.
    side = 2 if dag.n_edges < 0.03 * min(rows, height) * min(columns, width) else 1
    down, across = min(rows, height // side), min(columns, width // side)
    strength = np.ones(dag.n_edges) if weights is None else np.nan_to_num(np.abs(np.asarray(weights, dtype=float)))
    if scale is None:
        scale = float(np.quantile(strength, 0.95)) if dag.n_edges else 1.0
    scale = scale or 1.0
    level = 0.3 + 0.7 * np.clip(strength / scale, 0, 1)  # the weakest edge is still seen
    sign = np.ones(dag.n_edges) if weights is None else np.where(np.asarray(weights) < 0, -1.0, 1.0)
    i = (dag.targets.astype(np.int64) - dag.n_inputs) * down // rows
    j = dag.sources.astype(np.int64) * across // columns
    signed = np.zeros((down, across))
    order = np.argsort(level, kind="stable")  # the strongest edge of a pixel is written last
    signed[i[order], j[order]] = (level * sign)[order]
    row_neuron = dag.n_inputs + (np.arange(down) + 1) * rows // down - 1
    column_neuron = np.arange(across) * columns // across
    possible = column_neuron[None, :] < np.minimum(row_neuron, dag.n - dag.n_outputs)[:, None]
    white, grey = np.ones(3), np.array(to_rgb("#eceff3"))
    picture = np.where(possible[:, :, None], white, grey)
    positive = np.array(to_rgb(NEUTRAL if weights is None else POSITIVE))
    colour = np.where((signed < 0)[:, :, None], np.array(to_rgb(NEGATIVE)), positive)
    amount = np.abs(signed)[:, :, None]
    mixed: np.ndarray = picture * (1 - amount) + colour * amount
    return mixed


def decorate_matrix(axes: Axes, dag: DAG, period: int | None, *, small: bool = False) -> None:
    """Lines between the roles, their names along the sides, ticks each `period` inputs; `small`: smaller and less."""
    size = 8.5 if small else 11.0
    rows, columns = dag.n - dag.n_inputs, dag.n - dag.n_outputs
    axes.axvline(dag.n_inputs, color=INK, lw=0.8, zorder=3)
    axes.axhline(dag.n_computational, color=INK, lw=0.8, zorder=3)
    axes.set_xticks(range(0, dag.n_inputs + 1, period) if period else [])
    axes.set_yticks([])
    axes.set_xticklabels([])
    axes.tick_params(color=FAINT, length=4)
    for side in axes.spines.values():
        side.set_color(FAINT)
    bands = [
        (dag.n_inputs / 2 / columns, "inputs", INPUT, dag.n_inputs / columns),
        ((dag.n_inputs + dag.n_computational / 2) / columns, "computational", COMPUTATIONAL, 1.0),
    ]
    for place, name, colour, share in bands:
        if (name == "inputs" or dag.n_computational) and share > 0.02:
            axes.annotate(
                name, (place, 0), (0, -10), "axes fraction", "offset points",
                ha="center", va="top", color=colour, fontsize=size, fontweight="bold",
            )  # fmt: skip
    if period and not small:
        axes.annotate(
            f"one tick: {period} inputs, a row of the image", (0, 0), (0, -27), "axes fraction", "offset points",
            ha="left", va="top", color=FAINT, fontsize=9,
        )  # fmt: skip
    if dag.n_computational:
        axes.annotate(
            "computational", (0, 1 - dag.n_computational / 2 / rows), (-10, 0), "axes fraction", "offset points",
            ha="right", va="center", color=COMPUTATIONAL, fontsize=size, fontweight="bold", rotation=90,
        )  # fmt: skip
    middle = dag.n_outputs / 2 / rows
    aside = (-30 if middle < 0.1 else -10) * (0.75 if small else 1.0)
    axes.annotate(
        "outputs", (0, middle), (aside, 0), "axes fraction", "offset points",
        ha="right", va="center", color=OUTPUT, fontsize=size, fontweight="bold", rotation=90,
    )  # fmt: skip


def _bars(top: Axes, right: Axes, dag: DAG) -> None:
    """Fan-out above the columns, fan-in beside the rows."""
    rows, columns = dag.n - dag.n_inputs, dag.n - dag.n_outputs
    fan_out = np.bincount(dag.sources, minlength=dag.n)[:columns]
    fan_in = np.bincount(dag.targets, minlength=dag.n)[dag.n_inputs :]
    edges = np.arange(columns + 1)
    top.stairs(fan_out, edges, fill=True, color=FAINT)
    top.set_xlim(0, columns)
    right.stairs(fan_in, np.arange(rows + 1), fill=True, color=FAINT, orientation="horizontal")
    right.set_ylim(rows, 0)
    for axes in (top, right):
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(False)
    most_out, most_in = int(fan_out.max(initial=0)), int(fan_in.max(initial=0))
    top.set_ylim(0, max(most_out, 1))
    right.set_xlim(0, max(most_in, 1))
    top.annotate(
        f"fan-out\nup to {most_out:,}", (1, 0.5), (12, 0), "axes fraction", "offset points",
        va="center", fontsize=9, color=FAINT,
    )  # fmt: skip
    right.annotate(
        f"fan-in\nup to {most_in:,}", (0.5, 0), (0, -8), "axes fraction", "offset points",
        ha="center", va="top", fontsize=9, color=FAINT,
    )  # fmt: skip


def _legend(axes: Axes, signed: bool, height: float) -> None:
    from matplotlib.patches import Patch

    edges = (
        [Patch(color=POSITIVE, label="weight > 0"), Patch(color=NEGATIVE, label="weight < 0")]
        if signed
        else [Patch(color=NEUTRAL, label="edge")]
    )
    axes.legend(
        handles=[*edges, Patch(facecolor="#eceff3", edgecolor=FAINT, lw=0.5, label="no edge possible")],
        loc="upper right",
        bbox_to_anchor=(1, -0.38 / height),
        ncols=3,
        frameon=False,
        fontsize=10,
        labelcolor=FAINT,
        handlelength=1.1,
        borderaxespad=0,
    )
