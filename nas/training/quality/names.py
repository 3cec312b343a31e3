"""Which metrics a finished trial has: known before anything is trained, so that a bound of none is refused then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from nas.training.quality.judged import score_name
from nas.training.quality.metrics import METRICS
from nas.training.quality.objectives import OBJECTIVES
from nas.training.types import Task, TrainingConfig

__all__ = ["metric_names"]

_STRUCTURE: Final = ("neurons", "flow", "smooth_edges")
_TIMES: Final = ("train_step_seconds", "inference_seconds", "inference_spread", "reference_seconds")
_OF_NEURONS: Final = ("train_bytes",)
_PREDICTED: Final = ("predicted_train_step_seconds", "predicted_inference_seconds", "predicted_train_bytes")


def metric_names(
    config: TrainingConfig, tasks: Iterable[Task], scorers: Iterable[str], *, neurons: bool, gpu: bool = False
) -> frozenset[str]:
    """Names of the metrics of a `TrialResult` that is complete, those of the test part included.

    Args:
        config: of the trial.
        tasks: what its data may be.
        scorers: what its error may be by, see `nas.training.Dataset`; "": nothing else.
        neurons: whether it may be a network of neurons. Structures of one's own may have more than is named here.
        gpu: whether it is trained and timed on a GPU.
    """
    costs = (each for name, each in OBJECTIVES.items() if name != "error" and (neurons or not each.of_neurons))
    names = {each.metric for each in costs if not each.setting or getattr(config, each.setting)}
    names.update((*_STRUCTURE, *_TIMES, "val_score"))
    for task in tasks:
        for scorer in scorers:
            names.update(f"{part}_{name}" for part in ("val", "test") for name in _quality(task, scorer))
    if neurons:
        names.update(_OF_NEURONS)
        names.update(() if gpu else _PREDICTED)
        names.update(() if config.precision == "float" else ("integer_val_error", "integer_test_error"))
    return frozenset(names)


def _quality(task: Task, scorer: str) -> Iterator[str]:
    for name, metric in METRICS.items():
        if metric.task in (None, task):
            yield (scorer and metric.beside_scorer) or name
    if score := score_name(scorer):
        yield score  # see nas.training.quality.evidence
