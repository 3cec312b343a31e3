"""What a search may minimise: one entry an objective, from which job files, bounds, scales, tables and plots come.

To add one, add an entry to `OBJECTIVES`; what a DAG alone tells is measured by its ``of``, anything else is a metric
that trials have already (`nas.training.TrialResult`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.graph import DAG
from nas.training.quality.metrics import METRICS

__all__ = [
    "OBJECTIVES",
    "Objective",
    "ObjectiveScale",
    "metrics_called",
    "names_of",
    "objective_of",
    "structure_metrics",
]


@dataclass(frozen=True, slots=True)
class ObjectiveScale:
    """Maps an objective's values to [0, 1]: 0 at `floor` or better, 1 at `reference`, more when worse."""

    floor: float  # unit of the metric; best value that still counts as an improvement
    reference: float  # unit of the metric; values here or worse add nothing to the hypervolume
    log: bool = True

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Coordinates (same shape) of metric `values`; monotone, not clipped above 1."""
        values = np.maximum(np.asarray(values, dtype=float), self.floor)
        if not self.log:
            return (values - self.floor) / (self.reference - self.floor)
        return np.log(values / self.floor) / math.log(self.reference / self.floor)


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective; smaller is better.

    Attributes:
        metric: of a `TrialResult` that it minimises.
        scale: fixed for all studies, because hypervolumes can be compared only on one scale.
        axis: what an axis of it is called, with its unit.
        factor: from the metric's unit to the axis's.
        timed: a process time: values that differ by less than a tie are equal, and at a rung, where nothing is timed,
            edges stand in for it.
        of_neurons: known of networks of neurons only; a job with others is refused.
        setting: of the training section, true where it is measured; a job that names the objective gets it.
        of: measures it of a DAG without idle neurons; None: something else puts the metric into the result.
    """

    metric: str
    scale: ObjectiveScale
    axis: str
    factor: float = 1.0
    timed: bool = False
    of_neurons: bool = False
    setting: str = ""
    of: Callable[[DAG], float] | None = None


_TIME: Final = ObjectiveScale(1e-6, 1.0)  # seconds

OBJECTIVES: Final[dict[str, Objective]] = {
    "error": Objective("val_error", ObjectiveScale(0.0, 1.0, log=False), "error"),
    "inference_time": Objective(
        "inference_seconds", _TIME, "process time of inference, ms a batch", factor=1e3, timed=True
    ),
    "training_time": Objective(
        "train_step_seconds", _TIME, "process time of a training step, ms", factor=1e3, timed=True
    ),
    "edges": Objective("edges", ObjectiveScale(1.0, 1e6), "live edges", of=lambda dag: dag.n_edges),
    "density": Objective(
        "density", ObjectiveScale(1e-6, 1.0), "density, %", factor=100.0, of=lambda dag: dag.density
    ),
    "depth": Objective(
        "depth", ObjectiveScale(1.0, 1e4), "depth, edges on the longest path", of=lambda dag: dag.depth
    ),
    "latency": Objective(
        "latency", ObjectiveScale(10.0, 1e9), "a prediction in compiled C, ns", timed=True, of_neurons=True,
        setting="latency",
    ),
    "flash": Objective(
        "flash", ObjectiveScale(100.0, 1e6), "flash as integers on a Cortex-M0, bytes", of_neurons=True
    ),
    "ram": Objective("ram", ObjectiveScale(10.0, 1e6), "memory as integers, bytes", of_neurons=True),
    "cycles": Objective("cycles", ObjectiveScale(1e3, 1e9), "cycles of an 8-bit processor", of_neurons=True),
}  # fmt: skip


def objective_of(metric: str) -> Objective | None:
    """The objective that minimises a metric; None: there is none."""
    return next((each for each in OBJECTIVES.values() if each.metric == metric), None)


def structure_metrics(dag: DAG) -> dict[str, float]:
    """Metrics that a DAG without idle neurons tells, by their names."""
    return {each.metric: float(each.of(dag)) for each in OBJECTIVES.values() if each.of is not None}


def metrics_called(name: str) -> tuple[str, ...]:
    """The metrics that people may mean by a name, in a bound or a pick, the first that a network has.

    Choosing by the test part would spoil it as a report, so ``accuracy`` means the estimate from the validation part,
    or what that part counted where there is none.
    """
    quality, _, end = name.rpartition("_")
    if name in METRICS:
        return f"shown_{name}", f"val_{name}"
    if quality in METRICS and end in ("low", "high"):
        return (f"shown_{name}",)
    return (OBJECTIVES[name].metric if name in OBJECTIVES else name,)


def names_of(metrics: Collection[str]) -> list[str]:
    """Names by which what a network has may be called: its metrics, and the short names of some."""
    short = (name for name in (*OBJECTIVES, *METRICS) if metrics_called(name)[-1] in metrics)
    return sorted({*metrics, *short})
