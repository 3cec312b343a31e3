"""The fronts of several studies on the same axes, interactive (HTML) and still (PNG)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from nas.tracking.plots._theme import INK, heading, to_png
from nas.tracking.plots.front import FrontView, front_axes, tick_axes
from nas.tracking.points import FrontPoint

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["compare_html", "compare_png"]

# Told apart by people who see no red and green, too (Okabe 2008, "Color universal design").
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS: Final = (("circle", "o"), ("square", "s"), ("diamond", "D"), ("triangle-up", "^"), ("cross", "P"), ("x", "X"))

Fronts = Mapping[str, Sequence[FrontPoint]]


def compare_png(fronts: Fronts, *, cost: str = "inference_seconds", error: str = "error") -> bytes:
    """Fronts as the bytes of a PNG file.

    Args:
        fronts: members by the name of their study, at most six studies.
        cost: metric of the x axis; error: what the error is called, as for `nas.tracking.front_figure`.
    """
    every, views = _views(fronts, cost, error)
    figure, axes = front_axes(every)
    for (name, view), colour, (_, marker) in zip(views.items(), _COLOURS, _MARKERS, strict=False):
        axes.step(*view.outline(), where="post", color=colour, alpha=0.5, lw=2, zorder=3)
        bars = np.stack([view.below, view.above])
        axes.errorbar(view.x, view.y, yerr=bars, fmt="none", ecolor=colour, alpha=0.4, elinewidth=1, zorder=3)
        axes.scatter(
            view.x, view.y, s=70, c=colour, marker=marker, edgecolors="white", linewidths=1.2, zorder=4, label=name
        )
    axes.legend(frameon=False, fontsize=11, labelcolor=INK)
    tick_axes(axes, every)
    corner = "upper" if every.accuracy else "lower"
    said = f"members of their fronts, with intervals; farther towards the {corner} left is better"
    heading(figure, " and ".join(fronts), said)
    return to_png(figure)


def compare_html(fronts: Fronts, *, cost: str = "inference_seconds", error: str = "error") -> str:
    """The same as a page that needs nothing else; arguments as in `compare_png`."""
    page: str = _figure(fronts, cost, error).to_html(include_plotlyjs=True, config={"displaylogo": False})
    return page


def _views(fronts: Fronts, cost: str, error: str) -> tuple[FrontView, dict[str, FrontView]]:
    every = FrontView([point for members in fronts.values() for point in members], (), cost, (), error)
    return every, {name: FrontView(members, (), cost, (), error, every.axis) for name, members in fronts.items()}


def _figure(fronts: Fronts, cost: str, error: str) -> go.Figure:
    import plotly.graph_objects as go

    every, views = _views(fronts, cost, error)
    figure = go.Figure()
    for (name, view), colour, (marker, _) in zip(views.items(), _COLOURS, _MARKERS, strict=False):
        step_x, step_y = view.outline()
        figure.add_scatter(
            x=step_x, y=step_y, mode="lines", line={"shape": "hv", "color": colour}, opacity=0.5, hoverinfo="skip",
            showlegend=False,
        )  # fmt: skip
        figure.add_scatter(
            x=view.x, y=view.y, mode="markers", name=name,
            marker={"color": colour, "symbol": marker, "size": 11, "line": {"width": 1.5, "color": "white"}},
            error_y={"type": "data", "symmetric": False, "array": view.above, "arrayminus": view.below, "thickness": 1},
            text=[view.hover(point) for point in view.members], hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    for axis, (places, texts), limits, label in (
        (figure.update_xaxes, every.x_ticks(), every.x_limits(), every.x_label),
        (figure.update_yaxes, every.y_ticks(), every.y_limits(), every.y_label),
    ):
        ends = [math.log10(limit) for limit in limits]
        turned = axis == figure.update_yaxes and every.accuracy
        axis(type="log", tickvals=places, ticktext=texts, title=label, range=ends[::-1] if turned else ends)
    figure.update_layout(title=" and ".join(fronts), template="plotly_white")
    return figure
