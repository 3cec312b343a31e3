"""The one training loop: how many steps are done in one call, what the curves say, when it pauses and goes on.

Whose steps they are is the business of a `Course`: of networks of neurons on a processor or a GPU
(`nas.training._trainer`), or of modules of torch, recurrent ones among them (`nas.training._modules`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import nn

from nas.training._pause import curves_of
from nas.training.fused.trainer import FusedTrainer, StepReport
from nas.training.gpu.trainer import Trainer
from nas.training.quality.metrics import evaluate
from nas.training.types import Dataset, TrainingConfig, TrainingState

__all__ = ["FAR", "Course", "History", "OnLog", "Stretch", "drive", "history_of", "noise_seed", "train_on"]

FAR = 2**62  # a step that never comes
_LOOKED_AT = 500  # samples of the validation part at a point of the curves

OnLog = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class History:
    """Curves of one training, all of one length; empty when nothing was trained.

    ``curves``: step (after how many steps), objective, the terms of `nas.manifold.TERMS` that are used or usual (flow,
    sparsity), each without its factor, total (the weighted loss), train_accuracy or
    train_mse (of the batch), live_edges, density (live edges / usable cells), learning_rate, temperature, repairs (how
    often an output was about to be lost so far); each as the step saw it, before its update. val_loss, the objective on
    some samples of the validation part after the update, and val_accuracy on them, at about ten points, NaN at the
    others. With ``config.evaluate_every`` val_accuracy and test_accuracy, or val_error and test_error, of the whole
    parts after the update; NaN at points between.
    """

    curves: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Steps that a training asks for before it goes on."""

    trainer: Trainer
    numbers: np.ndarray | None  # (steps, batch) rows of the training part; a GPU's trainer draws its own
    rates: np.ndarray  # (steps,) learning rates
    temperatures: np.ndarray  # (steps,) of the smooth counts

    def run(self) -> StepReport:
        """Do them here, alone."""
        if not isinstance(self.trainer, FusedTrainer):
            return self.trainer.run(self.numbers, self.rates, self.temperatures)
        assert self.numbers is not None
        return self.trainer.run(self.numbers, self.rates, self.temperatures)


class Course(Protocol):
    """One training as the loop drives it; between calls it holds the network and what its optimiser remembers."""

    @property
    def batch_size(self) -> int:
        """Samples a step."""
        ...

    @property
    def draws(self) -> bool:
        """Whether it draws its samples itself."""
        ...

    def next_event(self, step: int) -> int:
        """The next step, after ``step``, at which a call must end for its own sake; `FAR`: none."""
        ...

    def steps(
        self, step: int, numbers: np.ndarray | None, rates: np.ndarray
    ) -> Generator[Stretch, StepReport, StepReport]:
        """Do steps, ``step`` of which are done; those that others may do in one call with theirs are asked for.

        Args:
            numbers: (steps, batch) rows of the training part; None where the course `draws`.
            rates: (steps,) learning rates.

        Raises:
            TrialError: the loss is no finite number any more.
        """
        ...

    def point(self, report: StepReport, step: int, rate: float) -> dict[str, float]:
        """The curves' values, as the last step saw them."""
        ...

    def network(self) -> nn.Module:
        """The network as it is now, to be evaluated."""
        ...

    def between(self, step: int) -> None:
        """What is done after ``step`` steps and their point: cuts, frames."""
        ...

    def paused(self, points: list[dict[str, float]], step: int) -> TrainingState:
        """All it takes to go on; the network is as it is now."""
        ...

    def finish(self) -> None:
        """The steps are done."""
        ...


def train_on(
    course: Course,
    dataset: Dataset,
    config: TrainingConfig,
    seed: int,
    points: list[dict[str, float]],
    *,
    on_log: OnLog | None = None,
    pause_at: int | None = None,
    resume: TrainingState | None = None,
) -> Generator[Stretch, StepReport, TrainingState | None]:
    """A training from its beginning, or from where it paused, to its end or ``pause_at``; see `drive`.

    Args:
        seed: decides the order of the samples.
        points: receives those of the curves.
        resume: what the course itself already went back to.

    Returns:
        What to go on with; None at the end.
    """
    batches = _sample_numbers(len(dataset.x_train), course.batch_size, np.random.default_rng([seed, 1]))
    rates, rungs, point_steps = _rates(config), config.rung_steps(), config.point_steps()
    step = 0
    if resume is not None:
        step = resume.step
        points += curves_of(resume)
        for _ in range(0 if course.draws else step):
            next(batches)
    while step < config.steps:
        end = min(config.steps, (step // point_steps + 1) * point_steps, course.next_event(step))
        if config.evaluate_every is not None:
            end = min(end, (step // config.evaluate_every + 1) * config.evaluate_every)
        end = min(end, *(stop for stop in (*rungs, pause_at or 0) if stop > step), config.steps)
        numbers = None if course.draws else np.stack([next(batches) for _ in range(step, end)])
        report = yield from course.steps(step, numbers, rates[step:end])
        step = end
        last = step == config.steps
        evaluated = config.evaluate_every is not None and (last or step % config.evaluate_every == 0)
        if last or evaluated or step % point_steps == 0:
            point = course.point(report, step, float(rates[step - 1]))
            looked = last or step % config.look_steps() == 0
            point |= _looked_at(course.network() if looked else None, dataset)
            if config.evaluate_every is not None:
                point |= _quality(course.network() if evaluated else None, dataset)
            points.append(point)
            if on_log is not None:
                on_log(step, point)
        course.between(step)
        if step == pause_at and not last:
            return course.paused(points, step)
    course.finish()
    return None


def drive(steps: Generator[Stretch, StepReport, TrainingState | None]) -> TrainingState | None:
    """Run a training to its end or pause, its steps done here, alone; what it returns."""
    report = None
    while True:
        try:
            stretch = next(steps) if report is None else steps.send(report)
        except StopIteration as end:
            state: TrainingState | None = end.value
            return state
        report = stretch.run()


def history_of(points: list[dict[str, float]]) -> History:
    """The curves made of their points."""
    return History({name: np.array([point[name] for point in points]) for name in (points[0] if points else ())})


def noise_seed(seed: int) -> int:
    """Of a training's noise on the inputs and, on a GPU, of the order of its samples; below 2^32."""
    return int(np.random.default_rng([seed, 1]).integers(2**32))


def _looked_at(network: nn.Module | None, dataset: Dataset) -> dict[str, float]:
    """``val_loss``, the objective on at most `_LOOKED_AT` samples of the validation part, and of a classification
    ``val_accuracy`` there; NaN without a network."""
    classifies = dataset.task == "classification"
    if network is None:
        return {"val_loss": math.nan} | ({"val_accuracy": math.nan} if classifies else {})
    every = math.ceil(len(dataset.x_val) / _LOOKED_AT)
    objective = nn.functional.cross_entropy if classifies else nn.functional.mse_loss
    place = next(network.parameters(), torch.zeros(0)).device
    x, y = (torch.from_numpy(part[::every]).to(place) for part in (dataset.x_val, dataset.y_val))
    with torch.no_grad():
        outputs = network(x)
        found = {"val_loss": float(objective(outputs, y))}
        if classifies:
            found["val_accuracy"] = float((outputs.argmax(1) == y).double().mean())
        return found


def _quality(network: nn.Module | None, dataset: Dataset) -> dict[str, float]:
    """Accuracy, or error of a regression, on the validation and test parts; NaN without a network."""
    name = "accuracy" if dataset.task == "classification" else "error"
    parts = {"val": (dataset.x_val, dataset.y_val), "test": (dataset.x_test, dataset.y_test)}
    return {
        f"{part}_{name}": math.nan if network is None else evaluate(network, x, y, dataset.task)[name]
        for part, (x, y) in parts.items()
    }


def _rates(config: TrainingConfig) -> np.ndarray:
    """(steps,) learning rate."""
    progress, cosine = _schedule(config.steps, config.warmup)
    rate = config.learning_rate
    later = rate * 0.5 * (1 + cosine) if config.schedule == "cosine" else np.full(config.steps, rate)
    return np.where(progress < config.warmup, rate * progress / (config.warmup or 1.0), later)


@lru_cache(maxsize=64)
def _schedule(steps: int, warmup: float) -> tuple[np.ndarray, np.ndarray]:
    """(steps,) the share that is done, and the cosine of the angle that belongs to it after the warm-up."""
    progress = np.array([step / steps for step in range(steps)])
    cosine = np.array([math.cos(math.pi * ((share - warmup) / (1 - warmup))) for share in progress.tolist()])
    return progress, cosine


def _sample_numbers(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches of sample numbers without end; every epoch in a new order, its incomplete last batch left out."""
    while True:
        order = rng.permutation(count)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]
