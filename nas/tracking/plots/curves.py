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
from nas.tracking.points import format_count
from nas.training.loss_terms import TERMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["curves_png"]

# Names of curves by panel, those of the loss terms after the first; a panel none of whose curves was recorded is left
# out.
_LOSS: Mapping[str, Mapping[str, str]] = {"loss": {"objective": POSITIVE, "total": COMPUTATIONAL}}
_PANELS: Mapping[str, Mapping[str, str]] = {
    "live edges": {"live_edges": COMPUTATIONAL},
    "accuracy, %": {"train_accuracy": FAINT, "val_accuracy": POSITIVE, "test_accuracy": OUTPUT},
    "error": {"train_mse": FAINT, "val_error": POSITIVE, "test_error": OUTPUT},
}
_PERCENT = ("accuracy, %",)
_LOGARITHMIC = ("loss", "error")


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
    if "accuracy, %" in dict(panels):  # the error of a classification says the same once more
        panels = [(name, curves) for name, curves in panels if name != "error"]
    if len(steps) < 2 or not panels:
        return None
    figure = new_figure(12.8, 4.4)
    width = 12.2 / len(panels)
    for place, (name, curves) in enumerate(panels):
        axes = figure.add_axes(((0.7 + place * width) / 12.8, 0.95 / 4.4, (width - 0.75) / 12.8, 2.45 / 4.4))
        factor = 100.0 if name in _PERCENT else 1.0
        shown = {curve: factor * known[curve] for curve in curves if curve in known}
        if _free(known):
            shown.pop("total", None)
        _draw(axes, name, steps, shown, curves)
    heading(figure, title or "Training", f"{format_count(steps[-1])} steps")
    return to_png(figure)


def _free(known: Mapping[str, np.ndarray]) -> bool:
    """Whether edges have no closeness that could be anything but open."""
    return bool((known.get("sparsity", np.ones(1)) == 1).all())


def _draw(
    axes: Axes, name: str, steps: np.ndarray, shown: Mapping[str, np.ndarray], colours: Mapping[str, str]
) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    plain_axes(axes)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    logarithmic = name in _LOGARITHMIC or (name in TERMS and TERMS[name].logarithmic)
    for curve, values in shown.items():
        taken = np.isfinite(values) & ((values > 0) | (not logarithmic))
        if taken.any():
            few = taken.sum() < 0.5 * len(values)
            label = (
                f"{curve.removesuffix('_accuracy').removesuffix('_error').replace('_', ' ')} {values[taken][-1]:.4g}"
            )
            axes.plot(
                steps[taken], values[taken], color=colours[curve], lw=1.6, marker="o" if few else "", ms=4, label=label
            )
    if logarithmic and axes.lines:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    if name == "live edges":
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    axes.set_title(name, loc="left", fontsize=11, color=INK)
    axes.set_xlabel("step", color=FAINT)
    if axes.lines:
        axes.legend(
            frameon=False, fontsize=9, labelcolor=INK, loc="lower left", bbox_to_anchor=(-0.02, -0.36), ncols=3,
            handlelength=1.1, columnspacing=0.9, borderpad=0,
        )  # fmt: skip
