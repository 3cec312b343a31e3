"""How a network came about: its ancestors over all other trials, and what each generation changed."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas._text import format_seconds
from nas.tracking.plots._theme import (
    DOMINATED,
    FAINT,
    GRID,
    INK,
    OUTPUT,
    POSITIVE,
    heading,
    new_figure,
    plain_axes,
    to_png,
)
from nas.tracking.plots.front import round_ticks
from nas.tracking.points import format_accuracy, format_count, format_number

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes

__all__ = ["Ancestor", "lineage_html", "lineage_png", "lineage_rows"]

_MOST_ROWS = 24  # generations that the picture lists; the first and the latest ones
_ROW = 0.27  # inches
_CHARACTERS = 92  # of what changed, in the picture


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A finished trial of a line of descent."""

    number: int  # trial number in the study
    metrics: Mapping[str, float]  # as in TrialResult.metrics
    mutation: str = ""  # one line: what distinguishes it from its parent
    error: str = "error"  # what the error is called (`nas.search.Objectives.error_label`)


def lineage_png(line: Sequence[Ancestor], others: Sequence[Mapping[str, float]] = (), *, title: str = "") -> bytes:
    """Quality against edges and over the generations, and a list of what changed; returns a PNG file.

    Args:
        line: from the first ancestor to the network itself, at least one.
        others: metrics of all other trials, drawn grey.
        title: first line.
    """
    rows = _listed(line)
    table = _ROW * (len(rows) + 1) + 0.35
    height = 5.15 + table
    figure = new_figure(12.8, height)
    view = _View(line, others)
    left = figure.add_axes((0.075, (table + 0.62) / height, 0.41, 3.45 / height))
    right = figure.add_axes((0.565, (table + 0.62) / height, 0.36, 3.45 / height))
    _draw_descent(left, view)
    _draw_generations(right, view)
    page = figure.add_axes((0, 0, 1, table / height))
    page.set_xlim(0, 12.8)
    page.set_ylim(0, table)
    page.axis("off")
    _draw_rows(page, rows, table, view)
    heading(figure, title or f"How trial #{line[-1].number} came about", _summary(line, view))
    return to_png(figure)


def lineage_html(line: Sequence[Ancestor], others: Sequence[Mapping[str, float]] = (), *, title: str = "") -> str:
    """The same as one interactive page with plotly.js inside; arguments as in `lineage_png`."""
    view = _View(line, others)
    figure = _figure(view)
    title = title or f"How trial #{line[-1].number} came about"
    plot: str = figure.to_html(
        include_plotlyjs=True,
        full_html=False,
        default_height="520px",
        config={"displaylogo": False, "responsive": True, "modeBarButtons": [["toImage", "zoom2d", "resetScale2d"]]},
    )
    names, cells = lineage_rows(line)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in reversed(cells)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title><style>'
        f"body{{font:14px/1.45 Inter,Helvetica,Arial,sans-serif;color:{INK};margin:16px 24px}}h1{{font-size:19px;"
        f"margin:0}}p{{color:{FAINT};margin:2px 0 6px}}table{{border-collapse:collapse;width:100%}}"
        f"th,td{{text-align:right;padding:4px 10px;border-bottom:1px solid {GRID};font-variant-numeric:tabular-nums}}"
        f"th{{color:{FAINT};font-weight:600}}td:last-child,th:last-child{{text-align:left}}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(_summary(line, view))}</p>{plot}"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></body></html>"
    )


def lineage_rows(line: Sequence[Ancestor]) -> tuple[list[str], list[list[str]]]:
    """Names of the columns, and a row of text for each generation, the first ancestor first."""
    accuracy = "val_accuracy" in line[-1].metrics
    quality = "accuracy" if accuracy else "error"
    rows = []
    for generation, one in enumerate(line):
        value = one.metrics.get(f"val_{quality}", math.nan)
        before = line[generation - 1].metrics.get(f"val_{quality}", math.nan) if generation else math.nan
        if accuracy:
            change = f"{100 * (value - before):+.2f}" if math.isfinite(value - before) else ""
            shown = f"{100 * value:.2f} %" if math.isfinite(value) else "?"
        else:
            change = f"{value - before:+.2g}" if math.isfinite(value - before) else ""
            shown = format_number(value) if math.isfinite(value) else "?"
        rows.append(
            [
                str(generation),
                f"#{one.number}",
                shown,
                change,
                format_count(one.metrics.get("edges", math.nan)),
                format_seconds(one.metrics.get("inference_seconds", math.nan)),
                one.mutation,
            ]
        )
    return [
        "generation",
        "trial",
        f"{'accuracy' if accuracy else line[-1].error} val",
        "change",
        "edges",
        "inference",
        "what changed",
    ], rows


class _View:
    """The numbers both pictures draw: y is the error, in % where the task has an accuracy, which then labels its axis,
    as in the plot of the front: so no trial is off the axes, and those that matter have most of the room."""

    def __init__(self, line: Sequence[Ancestor], others: Sequence[Mapping[str, float]]) -> None:
        self.line = line
        self.accuracy = "val_accuracy" in line[-1].metrics
        self.label = (
            "accuracy on the validation part, %" if self.accuracy else f"{line[-1].error} on the validation part"
        )
        self.edges, self.quality = self._numbers([one.metrics for one in line])
        self.other_edges, self.other_quality = self._numbers(others)
        known = np.concatenate([self.quality, self.other_quality])
        known = known[np.isfinite(known) & (known > 0)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (1.0, 10.0)
        # No error at all has no place on the axis; it is put below the least one seen.
        self.quality, self.other_quality = (
            np.where(values <= 0, low / 2, values) for values in (self.quality, self.other_quality)
        )
        if (np.concatenate([self.quality, self.other_quality]) < low).any():
            low /= 2
        high = max(high, 1.5 * low)
        margin = (high / low) ** 0.06
        self.limits = low / margin, min(high * margin, 100.0) if self.accuracy else high * margin

    def _numbers(self, metrics: Sequence[Mapping[str, float]]) -> tuple[np.ndarray, np.ndarray]:
        edges = np.array([each.get("edges", math.nan) for each in metrics], dtype=float)
        if self.accuracy:
            return edges, 100 * (1 - np.array([each.get("val_accuracy", math.nan) for each in metrics], dtype=float))
        return edges, np.array([each.get("val_error", math.nan) for each in metrics], dtype=float)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Of the axis of the quality: places and labels."""
        low, high = self.limits
        places = round_ticks(low, high, (1, 2, 5) if high > 30 * low else (1, 2, 3, 5, 7))
        return places, [f"{100 - place:.10g}" if self.accuracy else format_number(place) for place in places]


def _summary(line: Sequence[Ancestor], view: _View) -> str:
    first, last = line[0], line[-1]
    if len(line) == 1:
        return f"no ancestors: {last.mutation or 'drawn at the start'}"
    before, after = (
        format_accuracy(one.metrics.get("val_accuracy", math.nan))
        if view.accuracy
        else format_number(one.metrics.get("val_error", math.nan))
        for one in (first, last)
    )
    return (
        f"{len(line) - 1} generation{'s' if len(line) > 2 else ''} from trial #{first.number}: "
        f"{before} with {format_count(view.edges[0])} edges became {after} with {format_count(view.edges[-1])}"
    )


def _listed(line: Sequence[Ancestor]) -> list[list[str] | None]:
    """Rows of the table; None stands for those left out."""
    _, rows = lineage_rows(line)
    if len(rows) <= _MOST_ROWS:
        return list(rows)
    return [*rows[:4], None, *rows[4 - _MOST_ROWS + 1 :]]


def _draw_descent(axes: Axes, view: _View) -> None:
    """Quality against edges: all trials, and the way from the first ancestor to the network."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    plain_axes(axes)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xscale("log")
    axes.scatter(view.other_edges, view.other_quality, s=14, c=DOMINATED, alpha=0.55, linewidths=0, zorder=2)
    axes.plot(view.edges, view.quality, color=POSITIVE, lw=1.6, alpha=0.7, zorder=3)
    ages = np.linspace(0.25, 1, len(view.line))
    axes.scatter(view.edges, view.quality, s=46, c=ages, cmap="Blues", vmin=0, vmax=1, edgecolors="white", zorder=4)
    axes.scatter(view.edges[-1:], view.quality[-1:], s=130, c=OUTPUT, edgecolors="white", linewidths=1.4, zorder=5)
    for place in {0, len(view.line) - 1}:
        axes.annotate(
            f"#{view.line[place].number}", (view.edges[place], view.quality[place]), (8, 0), fontsize=9,
            textcoords="offset points", ha="left", va="center", color=INK, zorder=6,
        )  # fmt: skip
    shown = np.concatenate([view.edges, view.other_edges])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    if len(shown):
        axes.set_xlim(float(shown.min()) / 1.15, float(shown.max()) * 1.15)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    _quality_axis(axes, view)
    axes.set_xlabel("live edges", color=INK)
    axes.set_ylabel(view.label, color=INK)
    axes.set_title("all trials, and the line of descent", loc="left", fontsize=10, color=FAINT)


def _draw_generations(axes: Axes, view: _View) -> None:
    """Quality and edges, generation by generation."""
    from matplotlib.ticker import MaxNLocator

    plain_axes(axes)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    generations = np.arange(len(view.line))
    twin = axes.twinx()
    plain_axes(twin)
    twin.spines["left"].set_visible(False)
    twin.bar(generations, view.edges, width=0.62, color=DOMINATED, alpha=0.35)
    most = max(float(np.nanmax(view.edges)), 1.0)
    twin.set_ylim(0, 2.2 * most)
    ticks = [float(tick) for tick in MaxNLocator(3, integer=True).tick_values(0, most) if tick <= 1.2 * most]
    twin.set_yticks(ticks, labels=[format_count(tick) for tick in ticks])
    twin.set_ylabel("live edges (bars)", color=FAINT)
    axes.set_zorder(twin.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot(generations, view.quality, color=POSITIVE, lw=2, marker="o", ms=6, markeredgecolor="white")
    axes.plot(generations[-1:], view.quality[-1:], "o", color=OUTPUT, ms=11, markeredgecolor="white")
    _quality_axis(axes, view)
    axes.set_xlim(-0.7, max(len(view.line) - 1, 1) + (0.7 if len(view.line) > 1 else -0.3))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("generation", color=INK)
    axes.set_ylabel(view.label, color=INK)
    axes.set_title("generation by generation", loc="left", fontsize=10, color=FAINT)


def _quality_axis(axes: Axes, view: _View) -> None:
    """A logarithmic axis of errors in plain digits, the more accurate above where it says accuracies."""
    from matplotlib.ticker import NullLocator

    axes.set_yscale("log")
    places, labels = view.ticks()
    axes.set_yticks(places, labels=labels)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(*(view.limits[::-1] if view.accuracy else view.limits))


def _draw_rows(axes: Axes, rows: Sequence[list[str] | None], height: float, view: _View) -> None:
    names = lineage_rows(view.line[-1:])[0]
    places = (0.95, 1.75, 2.85, 3.65, 4.65, 5.75)
    for line, row in enumerate([names, *rows]):
        y = height - 0.2 - _ROW * line
        colour = FAINT if line == 0 else INK
        if row is None:
            axes.text(places[1], y, "⋮", ha="right", va="center", fontsize=10, color=FAINT)
            continue
        weight = "bold" if line == len(rows) else "normal"
        for place, cell in zip(places, row[:-1], strict=True):
            axes.text(place, y, cell, ha="right", va="center", fontsize=9.5, color=colour, fontweight=weight)
        text = row[-1] if len(row[-1]) <= _CHARACTERS else f"{row[-1][: _CHARACTERS - 1]}…"
        axes.text(6.0, y, text, ha="left", va="center", fontsize=9.5, color=colour, fontweight=weight)
        axes.plot([0.2, 12.6], [y - _ROW / 2] * 2, color=GRID, lw=0.7)


def _figure(view: _View) -> go.Figure:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    _, rows = lineage_rows(view.line)
    hover = [
        f"<b>trial {row[1]}</b>, generation {row[0]}<br>{row[2]} {f'({row[3]})' if row[3] else ''}<br>{row[4]} edges, "
        f"{row[5]} a batch<br><i>{html.escape(row[6][:110])}</i>"
        for row in rows
    ]
    figure = make_subplots(1, 2, specs=[[{}, {"secondary_y": True}]], horizontal_spacing=0.11)
    figure.add_trace(
        go.Scatter(
            x=view.other_edges, y=view.other_quality, mode="markers", name="other trials", hoverinfo="skip",
            marker={"size": 5, "color": DOMINATED, "opacity": 0.6},
        ), row=1, col=1,
    )  # fmt: skip
    ages = list(np.linspace(0.3, 1, len(view.line)))
    colours = {"color": ages, "colorscale": "Blues", "cmin": 0, "cmax": 1, "size": 10}
    colours["line"] = {"width": 1, "color": "white"}
    figure.add_trace(
        go.Scatter(
            x=view.edges, y=view.quality, mode="lines+markers", name="ancestors", marker=colours,
            line={"color": POSITIVE, "width": 1.5}, text=hover, hovertemplate="%{text}<extra></extra>",
        ), row=1, col=1,
    )  # fmt: skip
    generations = list(range(len(view.line)))
    figure.add_trace(
        go.Bar(x=generations, y=view.edges, name="edges", marker_color=DOMINATED, opacity=0.4, hoverinfo="skip"),
        row=1, col=2, secondary_y=True,
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=generations, y=view.quality, mode="lines+markers", name="quality", text=hover,
            line={"color": POSITIVE, "width": 2}, marker={"size": 9}, hovertemplate="%{text}<extra></extra>",
        ), row=1, col=2,
    )  # fmt: skip
    figure.update_layout(
        template="plotly_white", showlegend=False, margin={"l": 60, "r": 60, "t": 20, "b": 50}, hovermode="closest",
        font={"family": "Inter, Helvetica, Arial, sans-serif", "color": INK},
        hoverlabel={"align": "left", "bgcolor": "white", "bordercolor": DOMINATED, "font": {"color": INK, "size": 13}},
    )  # fmt: skip
    figure.update_xaxes(title="live edges", type="log", row=1, col=1)
    limits = [math.log10(limit) for limit in (view.limits[::-1] if view.accuracy else view.limits)]
    places, labels = view.ticks()
    quality = {"title": view.label, "type": "log", "range": limits, "tickvals": places, "ticktext": labels}
    figure.update_yaxes(**quality, row=1, col=1)
    figure.update_xaxes(title="generation", tickvals=generations[:: -(-len(generations) // 15)], row=1, col=2)
    figure.update_yaxes(**quality, row=1, col=2, secondary_y=False)
    figure.update_yaxes(
        title="live edges (bars)", range=[0, 2.2 * float(np.nanmax(view.edges))], showgrid=False, row=1, col=2,
        secondary_y=True,
    )  # fmt: skip
    return figure
