"""The curves of one training as a picture: loss terms, live edges and quality over the steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nas.tracking.plots._theme import (
    COMPUTATIONAL,
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
from nas.tracking.points import format_count, format_number
from nas.training.loss_terms import TERMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["curves_png"]

# Names of curves by panel, those of the loss terms after the first; a panel none of whose curves was recorded is left
# out.
_LOSS: Mapping[str, Mapping[str, str]] = {"loss": {"objective": POSITIVE, "val_loss": OUTPUT, "total": COMPUTATIONAL}}
_PANELS: Mapping[str, Mapping[str, str]] = {
    "live edges": {"live_edges": COMPUTATIONAL},
    "accuracy, %": {"train_accuracy": FAINT, "val_accuracy": POSITIVE, "test_accuracy": OUTPUT},
    "error": {"train_mse": FAINT, "val_error": POSITIVE, "test_error": OUTPUT},
}
_PERCENT = ("accuracy, %",)
_LOGARITHMIC = ("loss", "error")
_LABELS: Mapping[str, str] = {"objective": "training", "val_loss": "validation"}
# Of curves with so many points that are of single batches, a mean over so many neighbours is drawn, and they behind it.
_MANY, _NEIGHBOURS = 30, 9
_HEIGHT = 4.7  # of the picture, inches
_ENTRY = 1.4  # what an entry of a legend takes, inches
_OF_BATCHES = ("objective", "total", "train_accuracy", "train_mse")


def _panels() -> dict[str, Mapping[str, str]]:
    return {**_LOSS, **{name: {name: term.colour} for name, term in TERMS.items()}, **_PANELS}


def curves_png(history: Mapping[str, np.ndarray], *, title: str = "") -> bytes | None:
    """Draw a training's curves; returns a PNG file, or None where there is nothing to draw.

    Args:
        history: as in `nas.training.TrialResult`: "step" and arrays of its length; values that are not finite were not
            taken at that step.
        title: first line.
    """
    steps = np.asarray(history.get("step", ()), dtype=float)
    known = {
        name: np.asarray(values, dtype=float)
        for name, values in history.items()
        if np.shape(values) == steps.shape and np.isfinite(np.asarray(values, dtype=float)).any()
    }
    panels = [
        (name, curves)
        for name, curves in _panels().items()
        # Of free weights the terms of the structure say nothing: sparsity is 1, and flow pulls on nothing.
        if any(curve in known for curve in curves) and not (name in TERMS and _free(known))
    ]
    # The error of a classification says what its accuracy does, and that of single batches alone what the loss does.
    if "accuracy, %" in dict(panels) or not known.keys() & {"val_error", "test_error"}:
        panels = [(name, curves) for name, curves in panels if name != "error"]
    if len(steps) < 2 or not panels:
        return None
    figure = new_figure(12.8, _HEIGHT)
    width = 12.2 / len(panels)
    for place, (name, curves) in enumerate(panels):
        box = (0.7 + place * width) / 12.8, 1.2 / _HEIGHT, (width - 0.75) / 12.8, 2.45 / _HEIGHT
        axes = figure.add_axes(box)
        factor = 100.0 if name in _PERCENT else 1.0
        shown = {curve: factor * known[curve] for curve in curves if curve in known}
        if _free(known):
            shown.pop("total", None)
        _draw(axes, name, steps, shown, curves, width)
    heading(figure, title or "Training", f"{format_count(steps[-1])} steps")
    return to_png(figure)


def _smooth(values: np.ndarray) -> np.ndarray:
    """(points,) each the mean of itself and its neighbours, of fewer at the ends."""
    window = np.ones(_NEIGHBOURS)
    found: np.ndarray = np.convolve(values, window, "same") / np.convolve(np.ones_like(values), window, "same")
    return found


def _free(known: Mapping[str, np.ndarray]) -> bool:
    """Whether edges have no closeness that could be anything but open."""
    return bool(np.isclose(known.get("sparsity", np.ones(1)), 1, rtol=0, atol=1e-6).all())


def _draw(
    axes: Axes,
    name: str,
    steps: np.ndarray,
    shown: Mapping[str, np.ndarray],
    colours: Mapping[str, str],
    width: float,
) -> None:
    """One panel, `width` inches wide with its margins."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    plain_axes(axes)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    logarithmic = name in _LOGARITHMIC or (name in TERMS and TERMS[name].logarithmic)
    for curve, values in shown.items():
        taken = np.isfinite(values) & ((values > 0) | (not logarithmic))
        word = _LABELS.get(curve, curve.removesuffix("_accuracy").removesuffix("_error").replace("_", " "))
        if not taken.any() and np.isfinite(values).any():  # a loss of 0 has no place on such an axis
            last = values[np.isfinite(values)][-1]
            axes.plot([], [], color=colours[curve], lw=1.6, label=f"{word} {last:.4g}, below this axis")
        elif taken.any():
            few = taken.sum() < 0.5 * len(values)
            line = values[taken]
            if curve in _OF_BATCHES and taken.sum() >= _MANY:
                axes.plot(steps[taken], line, color=colours[curve], lw=0.8, alpha=0.35)
                line = _smooth(line)
            axes.plot(
                steps[taken], line, color=colours[curve], lw=1.6, marker="o" if few else "", ms=4,
                label=f"{word} {line[-1]:.4g}",
            )  # fmt: skip
    if logarithmic and any(np.size(line.get_xdata()) for line in axes.lines):
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        ticks = round_ticks(low, high, (1,) if high > 300 * low else (1, 3) if high > 10 * low else (1, 2, 5))
        axes.set_yticks(ticks, labels=[format_number(tick) for tick in ticks])
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(low, high)
    if name == "live edges":
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    axes.xaxis.set_major_locator(MaxNLocator(max(1, round(width)), integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    axes.set_title(name, loc="left", fontsize=11, color=INK)
    axes.set_xlabel("step", color=FAINT)
    if axes.lines:
        axes.legend(
            frameon=False, fontsize=9, labelcolor=INK, loc="upper left", bbox_to_anchor=(-0.02, -0.2),
            ncols=max(1, int(width / _ENTRY)),
            handlelength=1.1, columnspacing=0.9, borderpad=0,
        )  # fmt: skip
