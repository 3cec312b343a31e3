"""What a search has to beat: a linear model, a tuned dense perceptron and gradient boosting, trained once a study.

They see the same training part as every trial, are tuned on the same validation part, and their times are process
times of the same batch on as many threads. All are scikit-learn's. What they cost is bounded: a tenth of the search's
budget, see `baseline_seconds`.

Times of inference: a linear model and a perceptron are timed as plain dense torch layers of float32, because that is
how they would be used and how members of a front are timed; through scikit-learn, checks of the input would count for
more than a small model itself. Boosting has no other form than scikit-learn's, so that its time is that of
`decision_function` (`predict` for a regression) with its checks, some tens of microseconds of them, on the processor.

Sizes are counted as edges: the weights that are not 0 (biases apart, as in a DAG); in trees the edges between nodes.
"""

from __future__ import annotations

import functools
import importlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from torch import nn

from nas.search.baselines._boosting import fit_boosting
from nas.search.baselines._linear import fit_linear
from nas.search.baselines._mlp import fit_mlp
from nas.search.baselines._models import Clock, Fitted
from nas.search.executor import HUNG_SECONDS
from nas.search.front.objectives import error_reference
from nas.training import Timing, hardware, reference_kernel_seconds, time_inference
from nas.training.quality.evidence import measured
from nas.training.quality.judged import guess_loss
from nas.training.types import Dataset, Scalar, TrainingConfig

if TYPE_CHECKING:
    from nas.search.executor import Executor
    from nas.search.study.store import StudyStore

__all__ = ["Baseline", "Baselines", "baseline_seconds", "record_baselines", "train_baselines"]

_logger = logging.getLogger(__name__)

_FORMAT: Final = 1  # of what is stored with a study
_SHARE: Final = 0.1  # of the budget of a search
_UNBOUNDED_SECONDS: Final = 20.0  # where it has none
_LEAST_SECONDS: Final = 2.0
_ROUNDS: Final = 21  # of timing, as in `nas.search.time_side_by_side`
_TIMING_SECONDS: Final = 3.0  # for all rounds; what is slow gets fewer

Fit = Callable[[Dataset, Clock, int], tuple[Fitted, int]]
# By name: how it is fitted, and when it has to be done, as a share of the time: what one leaves goes to the next.
_KINDS: Final[Mapping[str, tuple[Fit, float]]] = {
    "linear": (fit_linear, 0.15),
    "boosting": (fit_boosting, 0.6),
    "mlp": (fit_mlp, 1.0),
}


@dataclass(frozen=True, slots=True)
class Baseline:
    """One baseline as it was found; plain data."""

    name: str  # "linear", "mlp", "boosting": in names of metrics
    label: str  # as people read it
    # val_ and test_ metrics as of a trial, edges, inference_seconds, inference_spread, reference_seconds,
    # training_seconds (process time of tuning and all), settings_tried; {} when it failed
    metrics: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Scalar] = field(default_factory=dict)  # its hyperparameters
    notes: tuple[str, ...] = ()  # what the time was not enough for
    reason: str = ""  # why it failed


@dataclass(frozen=True, slots=True)
class Baselines:
    """All baselines of a study."""

    members: tuple[Baseline, ...]
    samples: int  # of the test part
    hardware: Mapping[str, Scalar] = field(default_factory=dict)  # what their times were taken on
    # On the validation part, of always answering the most frequent class of the training part, or its mean; None: of a
    # study from before it was kept.
    guess_error: float | None = None

    @property
    def to_beat(self) -> float:
        """The error on the validation part that a network must be below to be worth anything: that of guessing or of
        the linear model, whichever is less; infinite where neither is known."""
        linear = [each.metrics["val_error"] for each in self.found if each.name == "linear"]
        return min([*linear, *([] if self.guess_error is None else [self.guess_error])], default=math.inf)

    @property
    def found(self) -> tuple[Baseline, ...]:
        """Those that did not fail, the best on the validation part first."""
        return tuple(
            sorted((each for each in self.members if not each.reason), key=lambda each: each.metrics["val_error"])
        )

    @classmethod
    def failed(cls, dataset: Dataset, reason: str) -> Baselines:
        """None could be trained."""
        return cls(
            tuple(Baseline(name, label_of(name, dataset), reason=reason) for name in _KINDS), len(dataset.x_test)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the study's record."""
        members = [
            {
                "name": each.name,
                "label": each.label,
                "metrics": dict(each.metrics),
                "settings": dict(each.settings),
                "notes": list(each.notes),
                "reason": each.reason,
            }
            for each in self.members
        ]
        return {
            "format": _FORMAT,
            "samples": self.samples,
            "hardware": dict(self.hardware),
            "members": members,
            "guess_error": self.guess_error,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Baselines | None:
        """What `to_json` made; None where a newer version made it."""
        if record["format"] > _FORMAT:
            return None
        members = tuple(Baseline(**{**each, "notes": tuple(each["notes"])}) for each in record["members"])
        return cls(members, record["samples"], record["hardware"], record.get("guess_error"))


def baseline_seconds(budget_minutes: float | None) -> float:
    """Seconds that all baselines together may take: a tenth of a search's budget, 20 where it has none."""
    return _UNBOUNDED_SECONDS if budget_minutes is None else max(_LEAST_SECONDS, _SHARE * 60 * budget_minutes)


def label_of(name: str, dataset: Dataset) -> str:
    """A baseline's name as people read it."""
    linear = "logistic regression" if dataset.task == "classification" else "ridge regression"
    return {"linear": linear, "mlp": "dense MLP", "boosting": "gradient boosting"}[name]


def train_baselines(
    dataset: Dataset,
    config: TrainingConfig,
    *,
    seconds: float = _UNBOUNDED_SECONDS,
    threads: int = 1,
    device: str = "cpu",
    seed: int = 0,
) -> Baselines:
    """Fits, tunes, evaluates and times all baselines in this process.

    Args:
        dataset: the training part is fitted, the validation part tunes, the test part only reports.
        config: gives the samples of a forward pass that is timed.
        seconds: for fitting, of work on `threads` threads (twice as much wall time on a busy machine, at most); about,
            because some fits cannot be interrupted. Timing comes on top, a few seconds.
        threads: CPU threads.
        device: "cuda": those that are torch modules are timed there.
        seed: of what is random.

    Returns:
        All of them; one that failed says why.
    """
    from threadpoolctl import threadpool_limits

    if dataset.task == "classification" and len(np.unique(dataset.y_train)) < 2:
        return Baselines.failed(dataset, "the training part holds samples of one class only")
    for part in ("ensemble", "linear_model", "neural_network"):  # a second or two, which is not the first one's
        importlib.import_module(f"sklearn.{part}")
    clock = Clock(seconds, threads)
    fits: dict[str, tuple[Fitted, dict[str, float]]] = {}
    failures: dict[str, str] = {}
    with threadpool_limits(threads):  # scikit-learn's trees and BLAS, of which torch's own pinning does not know
        for name, (fit, share) in _KINDS.items():
            start = time.process_time()
            try:
                fitted, tried = fit(dataset, clock.until(share), seed)
                metrics = _quality(fitted.module, dataset)
                metrics |= {"training_seconds": time.process_time() - start, "settings_tried": float(tried)}
                fits[name] = fitted, {**metrics, **fitted.structure}
            except Exception as error:  # whatever is wrong with one is a line in the table
                _logger.info("baseline %s failed", name, exc_info=error)
                failures[name] = _reason(error)
        times = _times({name: fitted.module for name, (fitted, _) in fits.items()}, dataset, config, threads, device)
    members = []
    for name in _KINDS:
        if name in failures:
            members.append(Baseline(name, label_of(name, dataset), reason=failures[name]))
            continue
        fitted, metrics = fits[name]
        settings = dict(fitted.settings)
        members.append(Baseline(name, label_of(name, dataset), metrics | times[name], settings, fitted.notes))
    return Baselines(tuple(members), len(dataset.x_test), hardware(threads), _guess_error(dataset))


def record_baselines(
    store: StudyStore,
    executor: Executor,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    seconds: float = _UNBOUNDED_SECONDS,
    threads: int = 1,
    device: str = "cpu",
) -> Baselines:
    """The baselines of a study: those that it has, else trained now, on one worker, and kept with it.

    Whatever goes wrong with them, and be it that their worker dies of them, ends in a line of the table.

    Args:
        store: the study; must not be driven by another process.
        executor: its worker trains them; no trial should be running.
        dataset, config: of the job.
        seconds, threads, device: see `train_baselines`.
    """
    known = store.baselines()
    if known is not None:
        return known
    train = functools.partial(train_baselines, seconds=seconds, threads=threads, device=device, seed=store.seed)
    try:
        found: Baselines = executor.call(train, dataset, config, within=HUNG_SECONDS + 20 * seconds)
    except Exception as error:
        _logger.warning("the baselines could not be trained: %s", error)
        found = Baselines.failed(dataset, _reason(error))
    store.set_baselines(found)
    return found


def _guess_error(dataset: Dataset) -> float:
    """Of the best answer that looks at no feature."""
    if dataset.scorer:
        return guess_loss(dataset)
    if dataset.task == "regression":
        return error_reference(dataset)
    frequent = np.bincount(dataset.y_train).argmax()
    return float((dataset.y_val != frequent).mean())


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _quality(module: nn.Module, dataset: Dataset) -> dict[str, float]:
    found = {
        f"{part}_{name}": value for part in ("val", "test") for name, value in measured(module, dataset, part).items()
    }
    if bad := [f"{name} = {value}" for name, value in found.items() if not np.isfinite(value)]:
        raise ValueError(f"every metric must be finite, but {', '.join(bad)}")
    return found


def _times(
    modules: Mapping[str, nn.Module], dataset: Dataset, config: TrainingConfig, threads: int, device: str
) -> dict[str, dict[str, float]]:
    """As `nas.search.time_side_by_side` takes those of members: the least of the medians of some rounds."""
    rows = np.resize(np.arange(len(dataset.x_val)), config.inference_batch)
    batch = np.ascontiguousarray(dataset.x_val[rows])
    taken: dict[str, list[float]] = {name: [] for name in modules}
    references: list[float] = []
    for module in modules.values():
        module.to(device)
    clock = Clock(_TIMING_SECONDS)
    last: dict[str, Timing] = {}
    for round_number in range(_ROUNDS):
        if round_number >= 3 and not clock.has(0):
            break
        references.append(reference_kernel_seconds(threads, device))
        for name in list(modules)[:: -1 if round_number % 2 else 1]:
            last[name] = time_inference(
                modules[name], batch, threads=threads, samples=3, budget_seconds=0.1, like=last.get(name)
            )
            taken[name].append(last[name].seconds)
    return {
        name: {
            "inference_seconds": min(seconds),
            "inference_spread": float(np.subtract(*np.percentile(seconds, [75, 25]))),
            "reference_seconds": min(references),
        }
        for name, seconds in taken.items()
    }
