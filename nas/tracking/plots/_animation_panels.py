"""The panels of an animation of a training; each draws what stays, and then changes with every frame.

A panel has ``update(frame)`` and lists in ``moving`` the artists that this changes, so that only these are drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.graph import DAG
from nas.tracking.plots._layout import layout
from nas.tracking.plots._theme import (
    COMPUTATIONAL,
    DOMINATED,
    FAINT,
    GRID,
    INK,
    INPUT,
    NEGATIVE,
    OUTPUT,
    POSITIVE,
    plain_axes,
)
from nas.tracking.plots.adjacency import decorate_matrix, matrix_image
from nas.tracking.plots.dag import PAGE, draw_inputs, draw_labels, edge_lines, edge_look, neuron_places
from nas.tracking.points import format_accuracy, format_count, format_number

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from nas.training import Recording

__all__ = ["AdjacencyPanel", "ClosenessPanel", "CurvePanel", "GraphPanel", "Scene"]

_MOST_EDGES = 1_200  # lines in a frame; the strongest are kept, for more are a cloud that no codec makes small
_IDLE = "#d5dae1"  # a neuron on no path from an input to an output


class Scene:
    """A recording with what several panels need of a frame."""

    def __init__(self, seen: Recording) -> None:
        self.seen = seen
        self.quality = "accuracy" if "test_accuracy" in seen.curves else "error"
        self._frame: int | None = None
        self._dag = seen.dag

    def dag(self, frame: int) -> DAG:
        """The live edges of a frame; outputs may have no path."""
        if frame != self._frame:  # making one of 200,000 edges takes as long as drawing it
            self._dag = self.seen.dag.with_edges(self.seen.weight[frame] != 0, allow_unreachable=True)
            self._frame = frame
        return self._dag


class AdjacencyPanel:
    """Rows read, columns are read; blue positive, orange negative."""

    def __init__(self, axes: Axes, scene: Scene, period: int | None, pixels: tuple[int, int]) -> None:
        self._scene, self._pixels = scene, pixels
        seen, dag = scene.seen, scene.seen.dag
        rows, columns = dag.n - dag.n_inputs, dag.n - dag.n_outputs
        last = np.abs(seen.weight[-1][seen.weight[-1] != 0].astype(float))
        self._scale = float(np.quantile(last, 0.95)) if len(last) else 1.0
        self._image = axes.imshow(
            self._picture(0), extent=(0, columns, rows, 0), aspect="auto", interpolation="nearest", zorder=1
        )
        decorate_matrix(axes, dag, period, small=True)
        self.moving: Sequence[Artist] = [self._image]

    def update(self, frame: int) -> None:
        """Show a frame."""
        self._image.set_data(self._picture(frame))

    def _picture(self, frame: int) -> np.ndarray:
        weight = self._scene.seen.weight[frame]
        return matrix_image(self._scene.dag(frame), weight[weight != 0].astype(float), *self._pixels, scale=self._scale)


class GraphPanel:
    """The network, every neuron where it is in the picture of the trained network."""

    def __init__(self, axes: Axes, scene: Scene, period: int | None, scale: float) -> None:
        """`scale`: inches of the panel to one of the page that `dag_png` draws."""
        from matplotlib.collections import LineCollection

        self._scene = scene
        dag = scene.seen.dag
        places = layout(scene.dag(len(scene.seen.steps) - 1), period)
        axes.set_xlim(0, PAGE[0])
        axes.set_ylim(0, PAGE[1])
        axes.axis("off")
        x, y = neuron_places(dag, places)
        self._x, self._y = x, y
        self._lines = LineCollection([], zorder=1, capstyle="round")
        axes.add_collection(self._lines)
        self._inputs = draw_inputs(axes, dag, places)
        hidden, outputs = np.arange(dag.n_inputs, dag.first_output), np.arange(dag.first_output, dag.n)
        groups = [(hidden, COMPUTATIONAL, 7.0), (outputs, OUTPUT, 11.0)]
        if self._inputs is None:
            groups.append((np.arange(dag.n_inputs), INPUT, 11.0))
        room = 72 * scale * 7.2 * places.spacing
        self._groups = []
        for members, colour, diameter in groups:
            if len(members):
                size = float(np.clip(0.7 * room, 1.6, diameter)) if members is hidden else diameter
                drawn = axes.scatter(x[members], y[members], s=size**2, linewidths=min(0.6, 0.12 * size), zorder=5)
                self._groups.append((members, colour, size, drawn))
        draw_labels(axes, dag, places, x, y, fontsize=8.5)
        self.moving: list[Artist] = [self._lines, *(group[-1] for group in self._groups)]
        if self._inputs is not None:
            self.moving.insert(1, self._inputs)

    def update(self, frame: int) -> None:
        """Show a frame."""
        seen = self._scene.seen
        live = np.flatnonzero(seen.weight[frame])
        weight = seen.weight[frame][live].astype(float)
        if len(live) > _MOST_EDGES:
            keep = np.argpartition(np.abs(weight), -_MOST_EDGES)[-_MOST_EDGES:]
            live, weight = live[keep], weight[keep]
        order = np.argsort(np.abs(weight), kind="stable")
        live, weight = live[order], weight[order]
        sources, targets = seen.dag.sources[live], seen.dag.targets[live]
        colours, widths = edge_look(weight)
        self._lines.set_segments(list(edge_lines(self._x, self._y, sources, targets)))
        self._lines.set_color([tuple(colour) for colour in colours])
        self._lines.set_linewidth((0.75 * widths).tolist())
        dag = self._scene.dag(frame)
        useful = dag.useful_neurons()
        for members, colour, size, drawn in self._groups:
            drawn.set_facecolor([colour if useful[neuron] else _IDLE for neuron in members])
            drawn.set_edgecolor(["white" if useful[neuron] else _IDLE for neuron in members])
            drawn.set_sizes(np.where(useful[members], size, 0.4 * size) ** 2)
        if self._inputs is not None:
            rows, columns = np.asarray(self._inputs.get_array()).shape
            fan_out = np.full(rows * columns, np.nan)
            fan_out[: dag.n_inputs] = np.bincount(dag.sources, minlength=dag.n)[: dag.n_inputs]
            self._inputs.set_data(fan_out.reshape(rows, columns))
            self._inputs.set_clim(0, max(float(np.nanmax(fan_out)), 1.0))


class ClosenessPanel:
    """What a few neurons read, before training and now: the closeness of their edges, or the weights of a free network.

    Args:
        axes: two rows of axes: as many columns as neurons fit (pictures), or one wide one each (curves).
    """

    def __init__(self, cells: Sequence[Sequence[Axes]], scene: Scene, period: int | None) -> None:
        seen = scene.seen
        self._values = seen.closeness if seen.closeness is not None else seen.weight
        self._dag = seen.dag
        self.moving: list[Artist] = []
        self._now: list[tuple[Any, np.ndarray]] = []
        pictures = period is not None
        neurons = _telling_neurons(scene, len(cells[0]) if pictures else len(cells), inputs_only=pictures)
        for place, neuron in enumerate(neurons):
            edges = np.arange(seen.dag.in_ptr[neuron], seen.dag.in_ptr[neuron + 1])
            if pictures:
                self._picture_pair(cells[0][place], cells[1][place], neuron, edges, int(period or 1))
            else:
                self._profile(cells[place][0], neuron, edges)

    def update(self, frame: int) -> None:
        """Show a frame."""
        for artist, edges in self._now:
            values = self._values[frame][edges].astype(float)
            if hasattr(artist, "set_ydata"):
                artist.set_ydata(values)
            else:
                artist.set_data(self._field(values, edges, artist.get_array().shape))

    def _name(self, neuron: int) -> str:
        if neuron >= self._dag.first_output:
            return f"output {self._dag.names[neuron] if self._dag.names else neuron - self._dag.first_output}"
        return f"neuron {neuron}"

    def _field(self, values: np.ndarray, edges: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        field = np.zeros(shape)
        field.reshape(-1)[self._dag.sources[edges]] = values
        return field

    def _picture_pair(self, before: Axes, now: Axes, neuron: int, edges: np.ndarray, period: int) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("sign", [NEGATIVE, "#ffffff", POSITIVE])
        edges = edges[self._dag.sources[edges] < self._dag.n_inputs]
        shape = (-(-self._dag.n_inputs // period), period)
        high = max(float(np.abs(self._values[[0, -1]][:, edges].astype(float)).max(initial=0.0)), 1e-6)
        for axes, frame in ((before, 0), (now, -1)):
            values = self._values[frame][edges].astype(float)
            image = axes.imshow(self._field(values, edges, shape), cmap=colours, vmin=-high, vmax=high)
            axes.set_xticks([])
            axes.set_yticks([])
            for side in axes.spines.values():
                side.set_color(GRID)
            if axes is now:
                self._now.append((image, edges))
                self.moving.append(image)
        before.set_title(self._name(neuron), fontsize=7.5, color=FAINT, pad=2.5)

    def _profile(self, axes: Axes, neuron: int, edges: np.ndarray) -> None:
        plain_axes(axes)
        axes.tick_params(labelsize=7, length=2)
        sources = self._dag.sources[edges]
        low, high = self._values[:, edges].min(), self._values[:, edges].max()
        margin = 0.08 * max(float(high - low), 1e-3)
        axes.set_ylim(float(low) - margin, float(high) + margin)
        axes.axhline(0, color=GRID, lw=0.8, zorder=0)
        axes.axvline(self._dag.n_inputs - 0.5, color=GRID, lw=0.8, zorder=0)
        axes.plot(sources, self._values[0][edges].astype(float), color=DOMINATED, lw=1.2, marker=".", ms=3)
        (line,) = axes.plot(sources, self._values[-1][edges].astype(float), color=POSITIVE, lw=1.6, marker=".", ms=4)
        axes.text(
            0.99, 0.96, self._name(neuron), transform=axes.transAxes, ha="right", va="top", fontsize=7.5, color=FAINT
        )
        self._now.append((line, edges))
        self.moving.append(line)


def _telling_neurons(scene: Scene, count: int, *, inputs_only: bool) -> list[int]:
    """The neurons that read most at the end, in order of their numbers; first those that read inputs, if asked."""
    seen, dag = scene.seen, scene.seen.dag
    strength = np.abs(seen.weight[-1].astype(float))
    if inputs_only:
        strength = np.where(dag.sources < dag.n_inputs, strength, 0.0)
    useful = scene.dag(len(seen.steps) - 1).useful_neurons()
    total = np.bincount(dag.targets, weights=strength, minlength=dag.n) * (1 + 1e3 * useful)
    chosen = np.argsort(-total[dag.n_inputs :], kind="stable")[:count] + dag.n_inputs
    return sorted(int(neuron) for neuron in chosen)


class CurvePanel:
    """Curves over the steps (logarithmic): the whole way faint, what is done so far clear, with its last values."""

    def __init__(
        self, axes: Axes, steps: np.ndarray, curves: Sequence[tuple[str, str, np.ndarray]], *, title: str, form: str
    ) -> None:
        """`curves`: name, colour, values. `form`: "share" (percent), "count", or "log"."""
        plain_axes(axes)
        axes.tick_params(labelsize=7.5, length=2.5)
        axes.set_title(title, fontsize=9.5, color=INK, loc="left", pad=4, fontweight="bold")
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        self._x = np.maximum(steps.astype(float), 0.8)
        axes.set_xscale("log")
        axes.set_xlim(0.75, 1.15 * self._x[-1])
        axes.minorticks_off()
        self._form = form
        self._parts = []
        self.moving: list[Artist] = []
        for place, (name, colour, values) in enumerate(curves):
            values = np.where(values > 0, values, np.nan) if form == "log" else values
            axes.plot(self._x, values, color=colour, lw=1.0, alpha=0.25)
            (line,) = axes.plot([], [], color=colour, lw=1.7)
            (dot,) = axes.plot([], [], "o", color=colour, ms=4.5, markeredgecolor="white", markeredgewidth=0.7)
            label = axes.annotate(
                "", (1, 1), (0, 2 + 11 * (len(curves) - 1 - place)), "axes fraction", "offset points",
                ha="right", va="bottom", fontsize=8, color=colour,
            )  # fmt: skip
            self._parts.append((name, values, line, dot, label))
            self.moving += [line, dot, label]
        least, most = min(float(v.min()) for _, _, v in curves), max(float(v.max()) for _, _, v in curves)
        if form == "log" or (form == "count" and 0 < 20 * least < most):
            from matplotlib.ticker import NullLocator

            axes.set_yscale("log")
            axes.yaxis.set_minor_locator(NullLocator())
        else:
            from matplotlib.ticker import FuncFormatter, MaxNLocator

            write = (lambda v, _: f"{100 * v:.0f} %") if form == "share" else (lambda v, _: format_count(v))
            axes.yaxis.set_major_formatter(FuncFormatter(write))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.set_ylim(bottom=0)

    def update(self, frame: int) -> None:
        """Show a frame."""
        until = slice(0, frame + 1)
        for name, values, line, dot, label in self._parts:
            line.set_data(self._x[until], values[until])
            dot.set_data(self._x[frame : frame + 1], values[frame : frame + 1])
            label.set_text(f"{name} {self._text(float(values[frame]))}")

    def _text(self, value: float) -> str:
        if not np.isfinite(value):
            return "0"
        return {"share": format_accuracy, "count": format_count, "log": format_number}[self._form](value)
