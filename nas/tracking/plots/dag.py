"""A picture of a DAG of neurons that can be read from ten to a thousand neurons."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from nas.graph import DAG, Role, keep_neurons
from nas.tracking.plots._layout import Layout, layout
from nas.tracking.plots._theme import (
    COMPUTATIONAL,
    DOMINATED,
    FAINT,
    INK,
    INPUT,
    NEGATIVE,
    NEUTRAL,
    OUTPUT,
    POSITIVE,
    heading,
    input_colours,
    new_figure,
    to_png,
)
from nas.tracking.points import format_accuracy, format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

__all__ = [
    "PAGE",
    "dag_facts",
    "dag_png",
    "draw_inputs",
    "draw_labels",
    "edge_lines",
    "edge_look",
    "neuron_places",
    "without_idle",
]

PAGE = _WIDTH, _HEIGHT = 16.0, 9.0  # inches
_BOTTOM, _TOP = 0.75, 7.95  # where the drawing begins and ends, inches
_MOST_EDGES = 6_000  # more lines than this are only a cloud; the strongest are kept
_BLOCK = 3.7  # side of the block of inputs, inches
_MARGIN = 0.45  # between that block and the first column, inches
_MOST_LABELS = 40


def dag_facts(dag: DAG) -> str:
    """One line: "64 inputs · 120 computational · 10 outputs · 3,120 edges · density 4.1 % · depth 23"."""
    return " · ".join(
        [
            f"{format_count(dag.n_inputs)} inputs",
            f"{format_count(dag.n_computational)} computational",
            f"{format_count(dag.n_outputs)} outputs",
            f"{format_count(dag.n_edges)} edges",
            f"density {format_accuracy(dag.density)}",
            f"depth {dag.depth}",
        ]
    )


def dag_png(
    dag: DAG, weights: np.ndarray | None = None, *, period: int | None = None, title: str = "", labels: bool = True
) -> bytes:
    """Draw `dag`, inputs left, topological levels to the right, outputs at the right edge; returns a PNG file.

    Args:
        dag: the graph; computational neurons on no path from an input to an output are left out, inputs and outputs on
            none are drawn hollow.
        weights: (E,) weight of each edge: blue where positive, orange where negative, the stronger the clearer.
            None: all edges alike.
        period: row width of image data: the inputs are then drawn as that image, each pixel coloured by its fan-out.
            Without it, more than 40 inputs are drawn as a square block.
        title: bold first line; the facts of the graph follow below it.
        labels: write the names (or numbers) of outputs and of up to 40 inputs beside them.
    """
    dag, weights = without_idle(dag, weights)
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(0, _HEIGHT)
    axes.axis("off")
    places = layout(dag, period)
    x, y = neuron_places(dag, places)
    shown = _draw_edges(axes, dag, weights, x, y)
    if draw_inputs(axes, dag, places) is not None:
        _explain_inputs(axes, dag, places)
    _draw_neurons(axes, dag, places, x, y)
    if labels:
        draw_labels(axes, dag, places, x, y)
    _legend(axes, dag, weights is not None, shown, places.columns is not None)
    heading(figure, title or "DAG of neurons", dag_facts(dag))
    return to_png(figure)


def without_idle(dag: DAG, weights: np.ndarray | None) -> tuple[DAG, np.ndarray | None]:
    """What the network is without the neurons that do nothing, as tables count it, with the weights of its edges."""
    keep = dag.useful_neurons() | (dag.roles != Role.COMPUTATIONAL)
    if keep.all():
        return dag, weights
    edges = keep[dag.sources] & keep[dag.targets]
    # Of a picture an output may lack its path, whatever the graph was checked for.
    loose = dataclasses.replace(dag, allow_unreachable=True)
    return keep_neurons(loose, keep), None if weights is None else np.asarray(weights)[edges]


def neuron_places(dag: DAG, places: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Positions x and y, each (n,), on a page of `PAGE` inches; a block of inputs takes a box at the left."""
    named = places.columns is None and dag.names is not None
    left, right = (2.4 if named else 0.9), _WIDTH - (2.2 if dag.names is not None else 1.0)
    inputs = np.arange(dag.n_inputs)
    y = _BOTTOM + 0.1 + (_TOP - _BOTTOM - 0.2) * places.y
    if places.columns is None:
        return left + (right - left) * places.x, y
    x0, _, cell = _block(dag, places)
    start = x0 + cell * places.columns + _MARGIN * 0.5
    x = start + (right - start) * places.x
    rows = -(-dag.n_inputs // places.columns)
    x[inputs] = x0 + cell * places.columns  # edges leave the block at its right side, at the height of their row
    y[inputs] = _block(dag, places)[1] + cell * (rows - inputs // places.columns - 0.5)
    return x, y


def _block(dag: DAG, places: Layout) -> tuple[float, float, float]:
    """Left and bottom edge of the block of inputs, and the side of one cell, in inches."""
    columns = places.columns or 1
    rows = -(-dag.n_inputs // columns)
    cell = min(_BLOCK / columns, 5.2 / rows)
    return 0.45, (_BOTTOM + _TOP - cell * rows) / 2, cell


def _draw_edges(axes: Axes, dag: DAG, weights: np.ndarray | None, x: np.ndarray, y: np.ndarray) -> int:
    """All edges as one collection of lines, weak ones first; returns how many were drawn."""
    from matplotlib.collections import LineCollection

    strength = np.ones(dag.n_edges) if weights is None else np.abs(np.asarray(weights, dtype=float))
    strength = np.nan_to_num(strength)
    chosen = np.argsort(strength, kind="stable")[-_MOST_EDGES:]  # weak first, so that strong ones lie on top
    if not len(chosen):
        return 0
    colours, width = edge_look(None if weights is None else np.asarray(weights)[chosen], len(chosen), strength)
    lines = edge_lines(x, y, dag.sources[chosen], dag.targets[chosen])
    axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=width, zorder=1, capstyle="round"))
    return len(chosen)


def edge_look(
    weights: np.ndarray | None, count: int | None = None, strength: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Colours (k, 4) and widths (k,) of edges: blue positive, orange negative, the stronger the clearer.

    Args:
        weights: (k,) of the edges drawn, None where unknown: all alike.
        count: k, needed without weights.
        strength: magnitudes of all edges, whose 95th percentile counts as strong; None: of those drawn.
    """
    from matplotlib.colors import to_rgb

    count = count if weights is None else len(weights)
    colours = np.empty((count or 0, 4))
    if not count:
        return colours, np.empty(0)
    if weights is None:
        level = np.full(count, 0.6)
        colours[:, :3] = to_rgb(NEUTRAL)
    else:
        size = np.nan_to_num(np.abs(weights.astype(float)))
        scale = float(np.quantile(size if strength is None else strength, 0.95)) or 1.0
        level = np.clip(size / scale, 0, 1)
        colours[:, :3] = np.where((weights < 0)[:, None], to_rgb(NEGATIVE), to_rgb(POSITIVE))
    # Fewer edges are drawn stronger: ink on the page stays about the same.
    ink = float(np.clip(28 / np.sqrt(count), 0.1, 0.9))
    colours[:, 3] = ink * (0.1 + 0.9 * level**1.5)
    return colours, (0.45 + 1.1 * level) * float(np.clip(30 / np.sqrt(count), 0.7, 1.5))


def edge_lines(x: np.ndarray, y: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Points (k, 12, 2) of a gentle curve for each edge; `x`, `y` (n,): places of all neurons."""
    start = np.column_stack([x[sources], y[sources]])
    end = np.column_stack([x[targets], y[targets]])
    steps = np.linspace(0, 1, 12)
    smooth = 0.5 * steps + 0.5 * steps**2 * (3 - 2 * steps)
    lines: np.ndarray = np.stack(
        [
            start[:, None, 0] + (end - start)[:, None, 0] * steps,
            start[:, None, 1] + (end - start)[:, None, 1] * smooth,
        ],
        axis=2,
    )
    return lines


def draw_inputs(axes: Axes, dag: DAG, places: Layout) -> AxesImage | None:
    """The block of inputs, each cell coloured by its fan-out, on top of the edges that leave it, if there is one."""
    if places.columns is None:
        return None
    rows = -(-dag.n_inputs // places.columns)
    fan_out = np.full(rows * places.columns, np.nan)
    fan_out[: dag.n_inputs] = np.bincount(dag.sources, minlength=dag.n)[: dag.n_inputs]
    left, bottom, cell = _block(dag, places)
    right, top = left + cell * places.columns, bottom + cell * rows
    highest = max(float(np.nanmax(fan_out)), 1.0)
    image = axes.imshow(
        fan_out.reshape(rows, places.columns),
        cmap=input_colours(),
        vmin=0,
        vmax=highest,
        extent=(left, right, bottom, top),
        interpolation="nearest",
        zorder=3,
        aspect="auto",
    )
    if places.columns <= 32:
        for offset in range(places.columns + 1):
            axes.plot([left + cell * offset] * 2, [bottom, top], color="white", lw=0.6, zorder=4)
        for offset in range(rows + 1):
            axes.plot([left, right], [bottom + cell * offset] * 2, color="white", lw=0.6, zorder=4)
    return image


def _explain_inputs(axes: Axes, dag: DAG, places: Layout) -> None:
    """What the shades of the block of inputs mean."""
    left, bottom, _ = _block(dag, places)
    highest = max(float(np.bincount(dag.sources, minlength=dag.n)[: dag.n_inputs].max()), 1.0)
    bar = (left, left + 1.6, bottom - 0.38, bottom - 0.26)
    axes.imshow(np.linspace(0, 1, 64)[None], cmap=input_colours(), extent=bar, zorder=3, aspect="auto")
    text = f"fan-out of an input, 0 to {format_count(highest)}"
    axes.text(bar[1] + 0.12, (bar[2] + bar[3]) / 2, text, fontsize=9.5, color=FAINT, va="center")


def _disc(places: Layout, count: int) -> float:
    """Diameter of a computational neuron in points: what its column and the area of the page leave room for."""
    if not count:
        return 10.0
    room = min(0.62 * (_TOP - _BOTTOM) * places.spacing, 0.34 * np.sqrt((_TOP - _BOTTOM) * 10.0 / count))
    return float(np.clip(72 * room, 2.5, 15.0))


def _draw_neurons(axes: Axes, dag: DAG, places: Layout, x: np.ndarray, y: np.ndarray) -> None:
    useful = dag.useful_neurons()
    size = _disc(places, dag.n_computational)
    groups = [(Role.COMPUTATIONAL, COMPUTATIONAL, size), (Role.OUTPUT, OUTPUT, 13.0)]
    if places.columns is None:
        groups.append((Role.INPUT, INPUT, 12.0))
    for role, colour, diameter in groups:
        members = dag.roles == role
        for chosen, face in ((members & useful, colour), (members & ~useful, "white")):
            axes.scatter(
                x[chosen],
                y[chosen],
                s=diameter**2,
                c=face,
                edgecolors="white" if face == colour else DOMINATED,
                linewidths=min(0.7, 0.1 * diameter),
                zorder=5,
            )


def draw_labels(axes: Axes, dag: DAG, places: Layout, x: np.ndarray, y: np.ndarray, *, fontsize: float = 10.5) -> None:
    """The names or numbers of outputs, and the names of inputs, beside them."""
    outputs = np.flatnonzero(dag.roles == Role.OUTPUT)
    if len(outputs) <= _MOST_LABELS:
        for place, neuron in enumerate(outputs.tolist()):
            name = dag.names[neuron] if dag.names is not None else str(place)
            axes.text(x[neuron] + 0.17, y[neuron], _short(name), fontsize=fontsize, color=INK, va="center")
    if places.columns is None and dag.names is not None:
        for neuron in range(dag.n_inputs):
            name = _short(dag.names[neuron])
            axes.text(x[neuron] - 0.17, y[neuron], name, fontsize=fontsize, color=INK, va="center", ha="right")


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _legend(axes: Axes, dag: DAG, signed: bool, shown: int, block: bool) -> None:
    """One line at the bottom: what the colours mean."""
    from matplotlib.lines import Line2D

    disc = {"marker": "o", "markersize": 9, "markeredgecolor": "white", "linestyle": ""}
    square = disc | {"marker": "s"}
    handles = [
        Line2D([], [], color=INPUT, label="input", **(square if block else disc)),  # type: ignore[arg-type]
        Line2D([], [], color=COMPUTATIONAL, label="computational", **disc),  # type: ignore[arg-type]
        Line2D([], [], color=OUTPUT, label="output", **disc),  # type: ignore[arg-type]
    ]
    if not dag.useful_neurons()[dag.n_inputs if block else 0 :].all():  # a block shows unused inputs by their colour
        idle = disc | {"markerfacecolor": "white", "markeredgecolor": DOMINATED}
        handles.append(Line2D([], [], label="on no path to an output", **idle))  # type: ignore[arg-type]
    if signed:
        handles += [
            Line2D([], [], color=POSITIVE, lw=2, label="weight > 0"),
            Line2D([], [], color=NEGATIVE, lw=2, label="weight < 0"),
        ]
    if shown < dag.n_edges:
        label = f"the {format_count(shown)} strongest of {format_count(dag.n_edges)} edges are drawn"
        handles.append(Line2D([], [], color="none", label=label))
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.015, 0.01),
        ncols=len(handles),
        frameon=False,
        fontsize=10.5,
        labelcolor=FAINT,
        handletextpad=0.5,
        columnspacing=1.8,
    )
