"""What a network costs and is worth off this machine: in integers on a small chip, and in compiled C.

`training.precision` finishes every network in integers, in as many steps as it was trained in, at most
`nas.cexport.FINISHING_STEPS`. Nothing of that is kept but what it came to: it depends on nothing but the network, the
training part and the trial's seed, so that `nas export` makes the same integers again.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from nas.cexport import (
    FINISHING_STEPS,
    IntegerNetwork,
    Precision,
    Program,
    c_source,
    chip_costs,
    compiled_loop,
    costs_of_integers,
    integers_of,
)
from nas.engine import DAGModule
from nas.training.cost.timing import measure
from nas.training.data.load import Statistics
from nas.training.types import Dataset, TrainingConfig

__all__ = ["chip_metrics", "finishing_steps", "latencies", "raw_features", "raw_targets"]

_PIXEL_ROWS: Final = 256  # looked at for whether features are pixels
_TIMED_ROWS: Final = 64  # samples that are predicted in turn: branches and tables are those of data, not of one row
_LATENCY_SECONDS: Final = 0.03  # of a round
_COLUMNS: Final = 64  # brought back to their scale at once


def finishing_steps(steps: int) -> int:
    """Steps in integers after so many of training; a network made of trained ones, itself in none, has all of them."""
    return min(steps or FINISHING_STEPS, FINISHING_STEPS)


def raw_features(dataset: Dataset) -> np.ndarray:
    """(samples, inputs) float32: the training part as it was measured; of a table with categories, dates or missing
    values what its columns become, before it is scaled."""
    found = np.empty(dataset.x_train.shape, np.float32)
    for first in range(0, dataset.n_inputs, _COLUMNS):
        part = slice(first, first + _COLUMNS)
        x = dataset.x_train[:, part].astype(np.float64)
        if dataset.mean is not None and dataset.scale is not None:
            x = x * dataset.scale[part] + dataset.mean[part]
        whole = np.rint(x)  # scaled in float32 and back, counts are no longer exactly so
        found[:, part] = np.where(np.abs(x - whole).max(axis=0) < 1e-3, whole, x)
    return found


def raw_targets(dataset: Dataset) -> np.ndarray:
    """(samples,) classes or (samples, outputs) targets of the training part in their own units."""
    if dataset.task == "classification" or dataset.target_mean is None or dataset.target_scale is None:
        return dataset.y_train
    found: np.ndarray = dataset.y_train * dataset.target_scale + dataset.target_mean
    return found


def chip_metrics(module: DAGModule, dataset: Dataset, config: TrainingConfig, seed: int) -> dict[str, float]:
    """Bytes of flash and memory and cycles of one prediction, in integers on a small chip (`nas.cexport`); where
    ``config.precision`` asks for integers, of those that are exported, with their error."""
    classifies = dataset.task == "classification"
    if config.precision == "float":
        costs = chip_costs(Program.of(module, {}), pixels=_pixels(dataset), classifies=classifies)
        return {"flash": float(costs.flash), "ram": float(costs.ram), "cycles": float(costs.cycles)}
    record = {"task": dataset.task, "statistics": dataclasses.asdict(Statistics.of(dataset))}
    program, raw = Program.of(module, record), raw_features(dataset)
    steps = finishing_steps(config.steps)
    integers = integers_of(program, raw, config.precision, raw_targets(dataset), steps, seed)
    costs = costs_of_integers(integers, classifies=classifies)
    return {
        "flash": float(costs.flash),
        "ram": float(costs.ram),
        "cycles": float(costs.cycles),
        "integer_val_error": _error(integers, dataset, dataset.x_val, dataset.y_val),
        "integer_test_error": _error(integers, dataset, dataset.x_test, dataset.y_test),
    }


def latencies(
    modules: Mapping[int, DAGModule], dataset: Dataset, precision: Precision, *, rounds: int = 5
) -> dict[int, float]:
    """Nanoseconds of process time of one prediction, scaling included, of each network as compiled C of ``precision``.

    All are timed in turn, round after round, and the least of each is taken: what else runs only adds to a time.

    Raises:
        ExportError: there is no C compiler, or it fails.
    """
    raw = raw_features(replace(dataset, x_train=dataset.x_train[:_TIMED_ROWS]))
    record = {"task": dataset.task, "statistics": dataclasses.asdict(Statistics.of(dataset))}
    loops = {}
    for number, module in modules.items():
        # Steps in integers change no time, so that none are taken here.
        source = c_source(module, f"net{number}", precision=precision, samples=raw, record=record)
        rows = raw if source.integers is None else source.integers.inputs.fixed(raw)
        loops[number] = compiled_loop(source, rows)
    least = dict.fromkeys(loops, math.inf)
    for _ in range(rounds):
        for number, loop in loops.items():
            timing = measure(functools.partial(loop, 1), samples=3, budget_seconds=_LATENCY_SECONDS, warmup=1)
            least[number] = min(least[number], 1e9 * timing.seconds / len(raw))
    return least


def _error(integers: IntegerNetwork, dataset: Dataset, x: np.ndarray, y: np.ndarray) -> float:
    """As ``val_error``: the share that is wrong, or the mean squared error of targets as they are trained on."""
    raw = x.astype(np.float64)
    if dataset.mean is not None and dataset.scale is not None:
        raw = raw * dataset.scale + dataset.mean
    values = integers.values(raw)
    if dataset.task == "classification":
        return float((values.argmax(axis=1) != y).mean())
    if dataset.target_mean is not None and dataset.target_scale is not None:
        values = (values - dataset.target_mean) / dataset.target_scale
    return float(np.square(values - y).mean())


def _pixels(dataset: Dataset) -> bool:
    """Whether features are whole numbers from 0 to 255, scaled alike."""
    sample = dataset.x_val[:_PIXEL_ROWS].astype(np.float64)
    alike = True
    if dataset.mean is not None and dataset.scale is not None:
        sample = sample * dataset.scale + dataset.mean
        alike = bool(np.max(dataset.scale) <= 2 * np.min(dataset.scale))
    whole = np.rint(sample)
    return alike and bool((np.abs(sample - whole) < 1e-3).all() and whole.min() >= 0 and whole.max() <= 255)
