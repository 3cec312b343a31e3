"""The facts of one trial as people read them: a point of the plot of the front, and how its numbers are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nas._text import format_seconds
from nas.graph import DAG

__all__ = [
    "BaselinePoint",
    "CurveCorner",
    "FrontPoint",
    "expected",
    "facts",
    "format_accuracy",
    "format_count",
    "format_expected",
    "format_number",
    "run_name",
]


CurveCorner = tuple[int, float, float]
"""Trials that had ended, the seconds that they had taken on workers, the hypervolume of the front by then."""


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """One trial on the Pareto front (or beside it), with what is needed to draw it and to hand it out.

    Only `number` and `metrics` are needed for the plot of the front; a member without `dag` gets no pictures, one
    without `checkpoint` no file.
    """

    number: int  # trial number in the study
    metrics: Mapping[str, float]  # as in TrialResult.metrics
    dag: DAG | None = None  # live DAG, for the pictures
    weights: np.ndarray | None = None  # (E,) effective weight of each edge of `dag`; None: drawn without sign
    checkpoint: Path | Callable[[Path], object] | None = None  # a file, or a function that writes one to the given path
    history: Mapping[str, np.ndarray] = field(default_factory=dict)  # curves, as in TrialResult.history
    parent: int | None = None  # trial number whose weights were inherited
    mutation: str = ""  # one line: what distinguishes it from its parent
    # Makes this point with dag, weights and checkpoint; called by the tracker's thread when it is about to draw them,
    # so that nobody has to load them for members that leave the front again.
    details: Callable[[], FrontPoint] | None = None


@dataclass(frozen=True, slots=True)
class BaselinePoint:
    """What a search is compared with, e.g. logistic regression on the same data: no trial, only drawn beside them."""

    name: str  # in names of metrics: "linear"
    label: str  # as people read it
    metrics: Mapping[str, float] = field(default_factory=dict)  # as in TrialResult.metrics; {}: it failed
    reason: str = ""  # why it failed


def format_count(count: float) -> str:
    """A whole number with thousands separated: ``3120`` is "3,120"."""
    return f"{count:,.0f}" if math.isfinite(count) else "?"


def format_accuracy(accuracy: float) -> str:
    """A share as a percentage with one digit after the point: ``0.978`` is "97.8 %"."""
    return f"{100 * accuracy:.1f} %" if math.isfinite(accuracy) else "?"


def format_number(value: float) -> str:
    """Four significant digits, without an exponent where none is needed."""
    return f"{value:.4g}"


def expected(metrics: Mapping[str, float], quality: str) -> float | None:
    """The accuracy or error (`quality`) to expect of a network on new samples: the estimate of a member of the front
    (see `nas.search.StudyStore.front`), else what the validation part counted, if anything."""
    return metrics.get(f"shown_{quality}", metrics.get(f"val_{quality}"))


def format_expected(metrics: Mapping[str, float], quality: str) -> str:
    """`expected` with its interval, where it has one.

    >>> shown = {"shown_accuracy": 0.961, "shown_accuracy_low": 0.94, "shown_accuracy_high": 0.9752}
    >>> format_expected(shown, "accuracy")
    '96.1 % (94.0–97.5)'
    >>> format_expected({"val_accuracy": 0.961}, "accuracy")
    '96.1 %'
    """
    value = expected(metrics, quality)
    if value is None:
        return ""
    write = format_accuracy if quality == "accuracy" else _three_digits
    low, high = (metrics.get(f"shown_{quality}_{end}") for end in ("low", "high"))
    if low is None or high is None:
        return write(value)
    return f"{write(value)} ({write(low).removesuffix(' %')}–{write(high).removesuffix(' %')})"


def _three_digits(value: float) -> str:
    return f"{value:.3g}"


def facts(metrics: Mapping[str, float], error: str = "error") -> list[str]:
    """Quality, inference time and edges, as far as known: ``["97.8 %", "210 µs", "3,120 edges"]``.

    Args:
        error: what the error is called (`nas.search.Objectives.error_label`).
    """
    found = []
    if (accuracy := expected(metrics, "accuracy")) is not None:
        found.append(format_accuracy(accuracy))
    elif (value := expected(metrics, "error")) is not None:
        found.append(f"{error} {format_number(value)}")
    if "inference_seconds" in metrics:
        found.append(format_seconds(metrics["inference_seconds"]))
    if "edges" in metrics:
        found.append(f"{format_count(metrics['edges'])} edges")
    return found


def run_name(number: int, metrics: Mapping[str, float], failure: str = "", error: str = "error") -> str:
    """The name of a trial's run: all that the run table shows at first sight; for ``error`` see `facts`.

    >>> run_name(12, {"val_accuracy": 0.978, "inference_seconds": 0.00021, "edges": 3120.0})
    '#012 97.8 % · 210 µs · 3,120 edges'
    """
    if failure:
        first_line = (failure.splitlines() or [""])[0]
        return f"#{number:03d} failed: {first_line[:80]}"
    return " ".join([f"#{number:03d}", " · ".join(facts(metrics, error))]).strip()
