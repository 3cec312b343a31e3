"""The Pareto front as people look at it: accuracy against what it costs, interactive (HTML) and still (PNG).

The axis of the accuracy is logarithmic in the error, because from 98 % to 99 % is as far as from 80 % to 90 %: half of
the errors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas._text import format_seconds
from nas.tracking.plots._theme import (
    DOMINATED,
    FAINT,
    GRID,
    INK,
    NEGATIVE,
    POSITIVE,
    heading,
    new_figure,
    plain_axes,
    to_png,
)
from nas.tracking.points import (
    BaselinePoint,
    FrontPoint,
    format_accuracy,
    format_count,
    format_expected,
    format_number,
)
from nas.training.quality.objectives import objective_of

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FrontView", "front_axes", "front_figure", "front_html", "front_png", "round_ticks", "tick_axes"]

# Marker of a baseline in plotly and in matplotlib; others than these three share the last one.
_MARKERS = {"linear": ("diamond", "D"), "mlp": ("square", "s"), "boosting": ("triangle-up", "^"), "": ("cross", "P")}
_LABEL = (0.065, 0.035)  # room of a label, as shares of the axes
_FAR = 5.0  # times what the slowest network takes; beyond lie baselines that would squeeze the front
_BAR = "#c3cad3"  # intervals: lighter than what they belong to
_MOST_DOMINATED = 5_000  # the latest ones; more make the page slow and the plot no clearer


# The root of the MLflow UI is its page's, which a sandboxed page cannot read except through ancestorOrigins.
_ON_CLICK = """
const addresses = %ADDRESSES%;
const note = document.createElement("div");
note.id = "chosen";
note.style.cssText = "font: 14px Inter, Helvetica, Arial, sans-serif; padding: 0 12px; color: #76808d; min-height: 3vh";
note.textContent = Object.keys(addresses).length ? "Click a point for the address of its run." : "";
document.body.appendChild(note);
document.getElementById("{plot_id}").on("plotly_click", (event) => {
  const number = (event.points[0].customdata || [])[1];
  const address = addresses[String(number)];
  if (!address) return;
  const above = location.ancestorOrigins;
  const root = above && above.length ? above[above.length - 1] + "/" : "";
  note.textContent = "trial #" + number + ": ";
  const link = document.createElement("a");
  link.href = link.textContent = root + address;
  link.target = "_blank";
  link.style.userSelect = "all";
  note.appendChild(link);
  const selection = getSelection();
  selection.selectAllChildren(link);
  if (above && above.length) note.append("  (selected: copy it; MLflow's sandbox opens no links)");
});
"""


def front_figure(
    members: Sequence[FrontPoint],
    others: Sequence[FrontPoint] = (),
    *,
    title: str = "Pareto front",
    cost: str = "inference_seconds",
    error: str = "error",
    baselines: Sequence[BaselinePoint] = (),
    picks: Mapping[int, str] | None = None,
) -> go.Figure:
    """The front over all other trials, as a plotly figure; hovering shows a trial's facts.

    Args:
        members: the front.
        others: finished trials off the front, drawn small and grey.
        title: first line above the plot.
        cost: metric of the x axis (logarithmic): inference_seconds, train_step_seconds, edges, density or depth.
        error: what the error is called.
        baselines: what the front is compared with, drawn with its name; as a line where it has no such cost.
        picks: what members are picked as ("best", "knee"), by trial number; they are ringed and say so.

    Points without a finite value on either axis are left out.
    """
    import plotly.graph_objects as go

    view = FrontView(members, others[-_MOST_DOMINATED:], cost, baselines, error)
    figure = go.Figure()
    figure.add_scatter(
        x=view.other_x,
        y=view.other_y,
        mode="markers",
        name="other trials",
        marker={"size": 6, "color": DOMINATED, "opacity": 0.7},
        customdata=[[view.hover(point), point.number] for point in view.others],
        hovertemplate="%{customdata[0]}<extra></extra>",
    )
    picked, labelled = view.labels(picks)
    step_x, step_y = view.outline()
    figure.add_scatter(
        x=step_x,
        y=step_y,
        mode="lines",
        line={"shape": "hv", "color": POSITIVE, "width": 2},
        opacity=0.45,
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=view.x,
        y=view.y,
        mode="markers+text",
        name="front",
        text=[view.name(point, picks) if k in labelled else "" for k, point in enumerate(view.members)],
        textposition=["bottom right" if k in picked[1:] else "top left" for k in range(len(view.members))],
        textfont={"size": 11, "color": FAINT},
        customdata=[[view.hover(point), point.number] for point in view.members],
        hovertemplate="%{customdata[0]}<extra></extra>",
        marker=_edge_colours(view) | {
            "size": 12,
            "line": {
                "width": [2.5 if point.number in (picks or {}) else 1.5 for point in view.members],
                "color": [INK if point.number in (picks or {}) else "white" for point in view.members],
            },
        },
        error_y={
            "type": "data", "symmetric": False, "array": view.above, "arrayminus": view.below,
            "color": _BAR, "thickness": 1, "width": 3,
        },
    )  # fmt: skip
    _add_baselines(figure, view)
    total = f"{len(view.members)} on the front of {format_count(len(members) + len(others))} finished trials"
    figure.update_layout(
        title={
            "text": f"<b>{_escape(title)}</b><br><span style='font-size:13px;color:{FAINT}'>{total}</span>",
            "x": 0.01,
            "xanchor": "left",
            "font": {"size": 18, "color": INK},
        },
        template="plotly_white",
        font={"family": "Inter, Helvetica, Arial, sans-serif", "color": INK},
        # At the foot of the page, for beside the title there is no room in a narrow one.
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom", "yref": "container"},
        margin={"l": 70, "r": 30, "t": 70, "b": 105},
        hoverlabel={"align": "left", "bgcolor": "white", "bordercolor": DOMINATED, "font": {"color": INK, "size": 13}},
        hovermode="closest",
    )
    grid = {"gridcolor": GRID, "zeroline": False, "linecolor": DOMINATED, "ticks": "outside", "tickcolor": DOMINATED}
    for update, label, ticks, text, limits in (
        (figure.update_xaxes, view.x_label, *view.x_ticks(), view.x_limits()),
        (figure.update_yaxes, view.y_label, *view.y_ticks(), view.y_limits()),
    ):
        update(
            title=label, type="log", tickmode="array", tickvals=ticks, ticktext=text,
            range=[math.log10(limit) for limit in limits], **grid,
        )  # fmt: skip
    if view.accuracy:
        figure.update_yaxes(range=[math.log10(limit) for limit in reversed(view.y_limits())])
    return figure


def front_html(
    members: Sequence[FrontPoint],
    others: Sequence[FrontPoint] = (),
    *,
    title: str = "Pareto front",
    cost: str = "inference_seconds",
    error: str = "error",
    link: Callable[[int], str | None] = lambda _: None,
    baselines: Sequence[BaselinePoint] = (),
    picks: Mapping[int, str] | None = None,
) -> str:
    """`front_figure` as one page with plotly.js inside (about 5 MB), so that it also opens without a network.

    Args:
        members, others, title, cost, error, baselines, picks: see `front_figure`.
        link: address of a trial's run within the MLflow UI ("#/experiments/…"). A click on a point shows it below the
            plot, to be copied: MLflow shows pages in a sandbox that may neither open a window nor leave the page.
    """
    figure = front_figure(members, others, title=title, cost=cost, error=error, baselines=baselines, picks=picks)
    # Of every trial that is drawn: a click between two that overlap may hit the grey one.
    addresses = {str(point.number): link(point.number) for point in [*members, *others[-_MOST_DOMINATED:]]}
    page: str = figure.to_html(
        include_plotlyjs=True,
        default_height="92vh",
        post_script=_ON_CLICK.replace("%ADDRESSES%", json.dumps({k: v for k, v in addresses.items() if v})),
        config={
            "displaylogo": False,
            "responsive": True,
            "scrollZoom": True,
            "modeBarButtons": [["toImage", "zoom2d", "pan2d", "resetScale2d"]],  # nothing that talks to a server
        },
    )
    return page


def front_png(
    members: Sequence[FrontPoint],
    others: Sequence[FrontPoint] = (),
    *,
    title: str = "Pareto front",
    cost: str = "inference_seconds",
    error: str = "error",
    baselines: Sequence[BaselinePoint] = (),
    picks: Mapping[int, str] | None = None,
) -> bytes:
    """The same plot as the bytes of a PNG file (matplotlib); arguments as in `front_figure`."""
    view = FrontView(members, others, cost, baselines, error)
    figure, axes = front_axes(view)
    axes.scatter(view.other_x, view.other_y, s=16, c=DOMINATED, alpha=0.7, linewidths=0, zorder=2)
    axes.step(*view.outline(), where="post", color=POSITIVE, alpha=0.45, lw=2, zorder=3)
    if view.above.any() or view.below.any():
        bars = np.stack([view.below, view.above])
        axes.errorbar(view.x, view.y, yerr=bars, fmt="none", ecolor=_BAR, elinewidth=1, capsize=2.5, zorder=3)
    edges = view.log_edges()
    known = bool(np.isfinite(edges).any())
    drawn = axes.scatter(
        view.x, view.y, s=90, c=edges if known else POSITIVE, cmap="viridis_r" if known else None,
        edgecolors="white", linewidths=1.3, zorder=4,
    )  # fmt: skip
    if known:
        bar = figure.colorbar(drawn, ax=axes, pad=0.015, aspect=40)
        bar.set_label("live edges", color=FAINT)
        ticks, labels = view.edge_ticks()
        bar.set_ticks(list(ticks), labels=labels)
        bar.ax.tick_params(colors=FAINT, labelsize=9)
        bar.outline.set_visible(False)
    from matplotlib.patheffects import withStroke

    picked, labelled = view.labels(picks)
    axes.scatter(view.x[picked], view.y[picked], s=150, facecolors="none", edgecolors=INK, linewidths=1.4, zorder=5)
    for k in labelled:
        below = k in picked[1:]
        axes.annotate(
            view.name(view.members[k], picks), (view.x[k], view.y[k]), (7, -13) if below else (-6, 6),
            textcoords="offset points", ha="left" if below else "right", fontsize=9, zorder=6,
            color=INK if k in picked else FAINT, path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
    _draw_baselines(axes, view)
    tick_axes(axes, view)
    total = format_count(len(members) + len(others))
    heading(figure, title, f"{len(view.members)} on the front of {total} finished trials")
    return to_png(figure)


def front_axes(view: FrontView) -> tuple[Figure, Axes]:
    """A figure and its axes, to draw what is in view; `tick_axes` ends them."""
    figure = new_figure(11, 6.6)
    axes = figure.add_axes((0.08, 0.11, 0.89, 0.75))
    plain_axes(axes)
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(view.x_label, color=INK, fontsize=11)
    axes.set_ylabel(view.y_label, color=INK, fontsize=11)
    return figure, axes


def tick_axes(axes: Axes, view: FrontView) -> None:
    """Ticks and limits of what is in view, the more accurate above."""
    from matplotlib.ticker import NullLocator

    for axis, (places, texts), limits in (
        (axes.xaxis, view.x_ticks(), view.x_limits()),
        (axes.yaxis, view.y_ticks(), view.y_limits()),
    ):
        axis.set_ticks(places, labels=texts)
        axis.set_minor_locator(NullLocator())
        (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(*limits)
    if view.accuracy:
        axes.invert_yaxis()


class FrontView:
    """What both pictures draw: the points that can be drawn in order of x, ticks, limits.

    y is the error in both cases, in % where the task has an accuracy (the axis is then turned round and labelled with
    accuracies); x is in µs, ms or s, as suits the networks, in % or a count. Baselines far to the right are put at the
    edge, with their value.
    """

    def __init__(
        self,
        members: Sequence[FrontPoint],
        others: Sequence[FrontPoint],
        cost: str,
        baselines: Sequence[BaselinePoint] = (),
        error: str = "error",
        axis: tuple[str, float] | None = None,
    ) -> None:
        self.cost, self.error = cost, error
        self.accuracy = any("val_accuracy" in point.metrics for point in [*members, *others[:50]])
        self.axis = _axis(cost, [*members, *others]) if axis is None else axis  # of another view: the same unit
        self.x_label, self._factor = self.axis
        estimated = any("shown_error" in point.metrics for point in members)
        self.y_label = f"{'accuracy' if self.accuracy else error} " + (
            "to expect on new samples" if estimated else "on the validation part"
        )
        self.y_label += (", %" if self.accuracy else "") + (" (bars: 95 %)" if estimated else "")
        self.scale = _Scale.of(members)
        self.members, self.x, self.y = self._coordinates(members)
        self.others, self.other_x, self.other_y = self._coordinates(others)
        # Baselines may lack a place on the x axis (x is then NaN), not one on the y axis.
        base_x, base_y = self._places(baselines)
        known = np.flatnonzero(np.isfinite(base_y) & (base_y >= 0 if self.accuracy else base_y > 0))
        self.baselines = [baselines[int(index)] for index in known]
        self.base_x, self.base_y = np.where(base_x > 0, base_x, math.nan)[known], base_y[known]
        networks = np.concatenate([self.x, self.other_x])
        self.far = self.base_x > _FAR * (networks.max() if len(networks) else math.inf)
        if self.accuracy:  # no error at all has no place on the axis; it is put below the least one seen
            seen = np.concatenate([self.y, self.other_y, self.base_y])
            least = float(seen[seen > 0].min()) / 2 if (seen > 0).any() else 0.1
            self.y, self.other_y = np.maximum(self.y, least), np.maximum(self.other_y, least)
            self.base_y = np.maximum(self.base_y, least)
        self.below, self.above = self._bars()

    def _places(self, points: Sequence[FrontPoint] | Sequence[BaselinePoint]) -> tuple[np.ndarray, np.ndarray]:
        """x and y of all points, NaN where unknown."""
        x = self._factor * np.array([point.metrics.get(self.cost, math.nan) for point in points], dtype=float)
        y = np.array([self.scale(point.metrics, self.accuracy) for point in points], dtype=float)
        return x, (100 * y if self.accuracy else y)

    def _bars(self) -> tuple[np.ndarray, np.ndarray]:
        """How far the intervals of the members reach below and above `y`; 0 where there is none."""
        factor = 100.0 if self.accuracy else 1.0
        ends = []
        for end in ("low", "high"):
            known = [point.metrics.get(f"shown_error_{end}", math.nan) for point in self.members]
            ends.append(np.nan_to_num(np.abs(factor * np.array(known, dtype=float) - self.y)))
        # A logarithmic axis has no 0: a bar that would reach it ends at a tenth of its point.
        return np.minimum(ends[0], 0.9 * self.y), ends[1]

    def _coordinates(self, points: Sequence[FrontPoint]) -> tuple[list[FrontPoint], np.ndarray, np.ndarray]:
        x, y = self._places(points)
        usable = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y >= 0 if self.accuracy else y > 0)
        order = [int(index) for index in np.argsort(x, kind="stable") if usable[index]]
        return [points[index] for index in order], x[order], y[order]

    def outline(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners of the staircase of the front; members that are only best in a third objective lie off it."""
        if not len(self.x):
            return self.x, self.y
        best = np.minimum.accumulate(self.y)
        corner = np.concatenate([[True], best[1:] < best[:-1]])
        return self.x[corner], self.y[corner]

    def name(self, point: FrontPoint, picks: Mapping[int, str] | None) -> str:
        """What is written beside a point: its number, and what it is picked as."""
        return f"{(picks or {}).get(point.number, '')} #{point.number}".strip()

    def labels(self, picks: Mapping[int, str] | None) -> tuple[list[int], list[int]]:
        """Places of the picks, the best first, and of all members with a label. Every pick says what it is: the best
        above its left, another, which may be close to it, below its right."""
        picked = [k for k, point in enumerate(self.members) if point.number in (picks or {})]
        picked.sort(key=lambda k: (picks or {})[self.members[k].number] != "best")
        return picked, [*picked, *(k for k in self._apart(picked) if k not in picked)]

    def _apart(self, first: Sequence[int]) -> list[int]:
        """Points whose labels have room beside those of others, `first` those."""
        reach = [abs(math.log(high / low)) or 1.0 for low, high in (self.x_limits(), self.y_limits())]
        if not len(self.x):
            return []
        places = np.stack([np.log(self.x) / reach[0], np.log(self.y) / reach[1]], axis=1)
        chosen: list[int] = []
        for k in [*first, *(k for k in range(len(places)) if k not in first)]:
            away = np.abs(places[k] - places[chosen])
            if not ((away[:, 0] < _LABEL[0]) & (away[:, 1] < _LABEL[1])).any():
                chosen.append(k)
        return chosen

    def hover(self, point: FrontPoint) -> str:
        """What is shown of a point that is pointed at."""
        return _hover(point, self.error)

    def x_limits(self) -> tuple[float, float]:
        shown = np.concatenate([self.x, self.other_x, self.base_x[np.isfinite(self.base_x) & ~self.far]])
        if not len(shown):
            return 0.1, 1.0
        return _widened(shown, 0.12)[0], _widened(shown, 0.06)[1]  # numbers of members stand left of them

    def y_limits(self) -> tuple[float, float]:
        """The front, the baselines and most of the rest, not every hopeless trial."""
        shown = np.concatenate([self.y, self.y - self.below, self.y + self.above, self.base_y])
        if len(self.other_y):
            shown = np.concatenate([shown, self.other_y[self.other_y <= np.quantile(self.other_y, 0.9)]])
        low, high = _widened(shown, 0.08) if len(shown) else (1.0, 100.0)
        return (low, min(high, 100.0)) if self.accuracy else (low, high)

    def x_ticks(self) -> tuple[list[float], list[str]]:
        ticks = round_ticks(*self.x_limits(), (1, 2, 5))
        return ticks, [f"{tick:,.10g}" for tick in ticks]

    def y_ticks(self) -> tuple[list[float], list[str]]:
        ticks = round_ticks(*self.y_limits(), (1, 2, 3, 5, 7))
        return ticks, [f"{100 - tick:.10g}" if self.accuracy else format_number(tick) for tick in ticks]

    def placed(self) -> list[tuple[BaselinePoint, float, float, str]]:
        """Each baseline with its x (NaN: a line over the whole width), its y, and its name in the legend, which says
        how far away one is that lies beyond the edge. Beside the points names would lie over each other."""
        low, high = self.x_limits()
        found = []
        for point, x, y, far in zip(self.baselines, self.base_x.tolist(), self.base_y.tolist(), self.far, strict=True):
            value = point.metrics.get(self.cost, math.nan)
            written = format_seconds(value) if self.cost.endswith("_seconds") else format_number(x)
            found.append((point, high / (high / low) ** 0.015, y, f"{point.label}, {written} →") if far else
                         (point, x, y, point.label))  # fmt: skip
        return found

    def log_edges(self) -> np.ndarray:
        edges = np.array([point.metrics.get("edges", math.nan) for point in self.members], dtype=float)
        logarithms: np.ndarray = np.log10(np.maximum(edges, 1))
        return logarithms

    def edge_ticks(self) -> tuple[np.ndarray, list[str]]:
        """Places on the colour bar (logarithms) and their labels in edges."""
        edges = self.log_edges()
        low, high = float(np.nanmin(edges)), float(np.nanmax(edges))
        ticks = np.unique([round(10**tick, 1 - math.floor(tick)) for tick in np.linspace(low, high, 5)])
        return np.log10(ticks), [format_count(tick) for tick in ticks]


class _Scale:
    """Error of a point: the estimate of a member; of any other trial what was counted, but no less than what members
    with its score are worth.

    The plain count of a trial that nobody estimates has its luck in it: the luckiest of hundreds would lie above the
    front that it is not on.
    """

    def __init__(self, scores: np.ndarray, shown: np.ndarray) -> None:
        self._scores, self._shown = scores, shown

    @classmethod
    def of(cls, members: Sequence[FrontPoint]) -> _Scale:
        known = sorted(
            (point.metrics["val_score"], point.metrics["shown_error"])
            for point in members
            if "shown_error" in point.metrics and "val_score" in point.metrics
        )
        return cls(*np.array(known, dtype=float).reshape(-1, 2).T)

    def __call__(self, metrics: Mapping[str, float], accuracy: bool) -> float:
        if "shown_error" in metrics:
            return metrics["shown_error"]
        counted = 1 - metrics.get("val_accuracy", math.nan) if accuracy else metrics.get("val_error", math.nan)
        if "val_score" in metrics and len(self._scores):
            return max(counted, float(np.interp(metrics["val_score"], self._scores, self._shown)))
        return counted


def _add_baselines(figure: go.Figure, view: FrontView) -> None:
    """Each with a marker and an entry of its own in the legend; a line over the whole width where x is unknown."""
    for point, x, y, label in view.placed():
        line = not math.isfinite(x)
        symbol = _MARKERS.get(point.name, _MARKERS[""])[0]
        figure.add_scatter(
            x=list(view.x_limits()) if line else [x],
            y=[y, y] if line else [y],
            mode="lines" if line else "markers",
            name=label,
            hovertext=_hover_baseline(point, view.error),
            hovertemplate="%{hovertext}<extra></extra>",
            line={"color": NEGATIVE, "width": 1.5, "dash": "dot"},
            marker={"size": 12, "color": NEGATIVE, "symbol": symbol, "line": {"width": 1.5, "color": "white"}},
        )


def _axis(cost: str, points: Sequence[FrontPoint]) -> tuple[str, float]:
    """What the axis of a metric is called, with its unit, and the factor to it. Times are in the unit that suits the
    least, as they are in tables."""
    objective = objective_of(cost)
    if objective is None:
        return cost, 1.0
    known = [value for point in points if (value := point.metrics.get(cost, math.nan)) > 0 and math.isfinite(value)]
    if "ms" not in objective.axis or not known:
        return objective.axis, objective.factor
    unit, factor = next(
        ((unit, factor) for unit, factor in (("s", 1.0), ("ms", 1e3)) if factor * min(known) >= 1), ("µs", 1e6)
    )
    return objective.axis.replace("ms", unit), factor


def _draw_baselines(axes: Axes, view: FrontView) -> None:
    """The same in the still picture."""
    for point, x, y, label in view.placed():
        if math.isfinite(x):
            marker = _MARKERS.get(point.name, _MARKERS[""])[1]
            axes.scatter(
                [x], [y], s=90, c=NEGATIVE, marker=marker, edgecolors="white", linewidths=1.3, zorder=5, label=label
            )  # fmt: skip
        else:
            axes.axhline(y, color=NEGATIVE, lw=1.5, ls=":", zorder=3, label=label)
    if view.baselines:
        legend = axes.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(view.baselines), frameon=False, fontsize=9
        )
        for text in legend.get_texts():
            text.set_color(INK)


def _widened(values: np.ndarray, share: float) -> tuple[float, float]:
    """Limits around positive `values` on a logarithmic axis, `share` of their span wider, at least by a tenth."""
    low, high = math.log10(float(values.min())), math.log10(float(values.max()))
    margin = max(share * (high - low), 0.05)
    return float(10 ** (low - margin)), float(10 ** (high + margin))


def round_ticks(low: float, high: float, digits: tuple[float, ...]) -> list[float]:
    """Ticks that begin with one of `digits`, between the limits; finer ones where hardly any of them fit."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for wanted in (digits, (1, 1.5, 2, 3, 5, 7)):
        ticks = [float(f"{digit}e{decade}") for decade in decades for digit in wanted]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            return ticks
    return [float(f"{value:.3g}") for value in np.geomspace(low, high, 5)]


def _edge_colours(view: FrontView) -> dict[str, object]:
    """Marker colours by the logarithm of the number of edges, with a colour bar in edges."""
    edges = view.log_edges()
    if not np.isfinite(edges).any():
        return {"color": POSITIVE}
    ticks, labels = view.edge_ticks()
    return {
        "color": edges,
        "colorscale": "Viridis",
        "reversescale": True,
        "colorbar": {
            "title": {"text": "live edges", "side": "right"},
            "tickvals": ticks,
            "ticktext": labels,
            "thickness": 14,
            "outlinewidth": 0,
        },
    }


def _hover(point: FrontPoint, error: str) -> str:
    """What a person wants to know of a point, a line a fact."""
    lines = [f"<b>trial #{point.number}</b>" + (f" · child of #{point.parent}" if point.parent is not None else "")]
    lines += _hover_facts(point.metrics, error)
    if point.mutation:
        lines.append(f"<i>{_escape(point.mutation[:90])}</i>")
    return "<br>".join(lines)


def _hover_baseline(point: BaselinePoint, error: str) -> str:
    return "<br>".join([f"<b>{_escape(point.label)}</b>, a baseline", *_hover_facts(point.metrics, error)])


def _hover_facts(metrics: Mapping[str, float], error: str) -> list[str]:
    lines = []
    if "shown_error" in metrics:
        quality, name = ("accuracy", "accuracy") if "shown_accuracy" in metrics else ("error", _escape(error))
        lines.append(f"{name}, to expect: <b>{format_expected(metrics, quality)}</b>")
    for part in ("validation", "test"):
        prefix = part[:3] if part == "validation" else part
        if f"{prefix}_accuracy" in metrics:
            lines.append(f"accuracy, {part}: <b>{format_accuracy(metrics[f'{prefix}_accuracy'])}</b>")
        elif f"{prefix}_error" in metrics:
            lines.append(f"{_escape(error)}, {part}: <b>{format_number(metrics[f'{prefix}_error'])}</b>")
    if "inference_seconds" in metrics:
        spread = metrics.get("inference_spread")
        more = f" ± {format_seconds(spread)}" if spread is not None else ""
        lines.append(f"inference: <b>{format_seconds(metrics['inference_seconds'])}</b>{more} a batch")
    if "train_step_seconds" in metrics:
        lines.append(f"training step: {format_seconds(metrics['train_step_seconds'])}")
    if "edges" in metrics:
        density = f" · density {format_accuracy(metrics['density'])}" if "density" in metrics else ""
        depth = f" · depth {format_count(metrics['depth'])}" if "depth" in metrics else ""
        lines.append(f"{format_count(metrics['edges'])} edges{density}{depth}")
    return lines


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
