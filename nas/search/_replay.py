"""A trial trained once more from its record, to see that it comes out as it did."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.errors import CheckpointError
from nas.search.errors import StudyError
from nas.search.executor import Evaluate
from nas.search.study.records import TrialRecord
from nas.search.study.store import StudyStore
from nas.training import hardware, pinned_costs, pinned_threads, run_trial
from nas.training.types import Dataset, Scalar, TrainingConfig, TrialResult, TrialStatus

__all__ = ["Replay", "replay"]

# What may change the sums of a training, of all that `nas.training.hardware` says.
_DECISIVE: Final = ("processor", "threads", "gpu", "device", "torch", "numba", "numpy", "cost_model")


# How far a trial that was trained on a GPU may come out from what it was, as a share of the value (accuracies: of 1).
# Its sums are added in an order that depends on how many were trained in the same group, and steps amplify roundings.
_GPU_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Replay:
    """A trial as it was recorded and as it came out again."""

    record: TrialRecord
    again: TrialResult
    steps: int  # trained again
    compared: Mapping[str, tuple[float, float]]
    """Every metric that the clock has no part in: as recorded, and now."""
    weights: bool | None  # whether DAG and weights are bit for bit the same; None: none were kept (it was stopped)
    hardware: Mapping[str, tuple[Scalar, Scalar]]
    """What differs of what may change the sums: then, and now."""

    @property
    def exact(self) -> bool:
        """Whether the trial must come out bit for bit; one of a GPU only about the same."""
        recorded = self.record.result
        return recorded is None or str(recorded.hardware.get("device", "cpu")) == "cpu"

    def agrees(self, metric: str) -> bool:
        """Whether a metric came out as it was, bit for bit or, for a GPU, about."""
        before, now = self.compared[metric]
        if self.exact or before == now:
            return before == now
        scale = 1.0 if metric.endswith("accuracy") else max(abs(before), abs(now))
        return abs(before - now) <= _GPU_SHARE * scale

    @property
    def same(self) -> bool:
        """Whether all that can be compared is the same, about so where the trial was trained on a GPU."""
        recorded = self.record.result
        if recorded is None or recorded.status is TrialStatus.FAILED:
            return recorded is not None and self.again.reason == recorded.reason
        judged = list(self.compared)
        if not self.exact:
            accuracies = [name for name in self.compared if name.endswith("accuracy")]
            judged = accuracies or [name for name in self.compared if name.endswith("error")]
        numbers = bool(judged) and all(self.agrees(name) for name in judged)
        return numbers and (self.weights is not False or not self.exact)


def replay(
    store: StudyStore,
    number: int,
    dataset: Dataset,
    training: TrainingConfig,
    *,
    evaluate: Evaluate = run_trial,
) -> Replay:
    """Trains a trial again from what the study keeps: its genome with the weights it inherited, its seed, its steps.

    On as many threads as then, by the calibration that the study keeps. A trial that was stopped at a rung is trained
    to that rung; pauses before it change nothing (see `nas.training.train`), so they are left out.

    Args:
        store: the study; it is only read.
        number: of a trial that has ended.
        dataset, training: of the study's job.
        evaluate: as the search had it.

    Raises:
        StudyError: no such trial, it is running, or the study does not keep what it was asked to train (any more).
    """
    record = store.trial(number)
    recorded = record.result
    if recorded is None:
        raise StudyError(f"trial {number} of study {store.name!r} has not ended; replay one that has")
    try:
        candidate = store.load_candidate(number)
    except (KeyError, OSError, CheckpointError) as error:
        raise StudyError(f"trial {number} of study {store.name!r} cannot be replayed: {_plain(error)}") from error
    stop = record.rungs[-1].step if recorded.status is TrialStatus.STOPPED and record.rungs else None
    threads = int(recorded.hardware.get("threads", 1))
    with pinned_threads(threads), pinned_costs(store.costs):
        again = evaluate(dataclasses.replace(candidate, pause_at=stop), dataset, training)
        now = {**hardware(threads), **again.hardware}
    weights: bool | None = None
    if recorded.status is TrialStatus.COMPLETE:
        kept = store.load_result(number)
        weights = again.dag == kept.dag and _equal(again.arrays, kept.arrays)
    compared = {
        name: (value, again.metrics[name])
        for name, value in recorded.metrics.items()
        if name in again.metrics and not _timed(name)
    }
    differs = {
        key: (then, now[key])
        for key, then in recorded.hardware.items()
        if key in now and now[key] != then and any(key.startswith(word) for word in _DECISIVE)
    }
    return Replay(record, again, stop or candidate.steps, compared, weights, differs)


def _timed(name: str) -> bool:
    return name.endswith(("_seconds", "_spread")) or name.startswith("predicted_")


def _equal(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def _plain(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"its genome {error.filename} is missing; restore the study's folder"
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
