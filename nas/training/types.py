"""The values that travel between a search and its workers.

A strategy produces a `Candidate`; a worker turns it into a `TrialResult`; both are plain data, so that they can be
sent between processes, stored, and replayed. Nothing here trains or does I/O.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from nas._text import said_of
from nas.graph import DAG
from nas.manifold import DEFAULT_FAMILY, TERMS, family_named
from nas.training.compression.config import SparsifyConfig
from nas.training.optimisers import OPTIMISERS
from nas.training.structure import Structure

Scalar = float | int | str | bool
Arrays = Mapping[str, np.ndarray]
Task = Literal["classification", "regression"]
OnLostOutput = Literal["restore", "regrow", "fail"]
if TYPE_CHECKING:
    OptimiserName = str
else:
    OptimiserName = Literal[tuple(OPTIMISERS)]


class _LossWeights(BaseModel):
    """Coefficients k of ``L = objective + terms``, each multiplied by its k; the terms are `nas.manifold.TERMS`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: float = Field(1.0, ge=0, description="Factor of the objective (cross-entropy or mean squared error).")


def _loss_weights() -> type[BaseModel]:
    """The model with a field for each entry of the table as it is now."""
    fields: dict[str, Any] = {
        name: (float, Field(term.factor, ge=0, description=term.description)) for name, term in TERMS.items()
    }
    first = "Of the smooth count of live edges at first (see nas.manifold.smooth_edges)."
    last = "The same at the end, reached over the second half of the steps: the true count."
    fields["temperature"] = float, Field(0.5, gt=0, le=1, description=first)
    fields["final_temperature"] = float, Field(0.005, gt=0, le=1, description=last)
    made: type[BaseModel] = create_model(
        "LossWeights", __base__=_LossWeights, __module__=__name__, __doc__=_LossWeights.__doc__, **fields
    )
    return made


if TYPE_CHECKING:

    class LossWeights(_LossWeights):
        def __init__(self, **factors: float) -> None: ...

        def __getattr__(self, name: str) -> float: ...

else:
    LossWeights = _loss_weights()


class TrainingConfig(BaseModel):
    """How every candidate of a job is trained; a genome may override single fields (see `Genome`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(1000, ge=0, description="Optimiser steps a trial.")
    batch_size: int = Field(128, ge=1, description="Samples a step.")
    inference_batch: int = Field(
        1024,
        ge=1,
        description="Samples of the forward pass whose process time is the speed of a candidate: large enough that the "
        "network's own work outweighs the call.",
    )
    optimizer: OptimiserName = "adamw"
    learning_rate: float = Field(5e-3, gt=0, description="Initial learning rate.")
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: float = Field(0.0, ge=0, lt=1, description="Share of the steps in which the learning rate rises from 0.")
    weight_decay: float = Field(0.0, ge=0)
    input_noise: float = Field(0.0, ge=0, description="Deviation of the normal noise on inputs while training.")
    final_input_noise: float | None = Field(
        None, ge=0, description="The same at the end of training; linearly in between (default: it stays)."
    )
    input_shift: float = Field(
        0.0,
        ge=0,
        description="Deviation, in pixels, of how far images are moved while training: down and to the right, anew in "
        "each step, by rounded normal numbers.",
    )
    input_dropout: float = Field(0.0, ge=0, lt=1, description="Share of inputs set to 0 at random while training.")
    activation: str = Field("leaky_relu", description="Activation of computational neurons (nas.engine.ACTIVATIONS).")
    parametrisation: Literal["masked", "manifold", "free"] = Field(
        "masked",
        description="What an edge's weight is: closeness x free weight, closeness alone, or a free weight.",
    )
    closeness: str = Field(
        DEFAULT_FAMILY,
        description="What closeness is: gauss_wave, the published function, or module:NAME of a nas.manifold.Family, "
        "which torch operations train.",
    )
    precision: Literal["float", "int8", "int6", "int5", "int4"] = Field(
        "float",
        description="What networks are finished for: float, or integers of a small chip with weights of 8 to 4 bits. "
        "Then each trained network is rounded and trained on in integers, its integer_val_error and exact flash, ram "
        "and cycles are measured, and `nas export --out net.c` writes those integers.",
    )
    readout: Literal["activated", "linear", "square"] = Field(
        "activated",
        description="What outputs are: a x + b of what reaches them, or, as in the published manifolds, the sum of "
        "what their sources have before the activation (linear), or its square (see nas.manifold).",
    )
    on_lost_output: OnLostOutput = Field(
        "regrow",
        description="Before an output loses its last path from the inputs: take back the step on the strongest paths "
        "(restore); the same, draw the output's closeness anew and open the cutoff (regrow); or fail the trial.",
    )
    structure_until: float = Field(
        1.0, gt=0, le=1, description="Share of the steps that shape the structure; after it closeness stays as it is."
    )
    losses: LossWeights = Field(default_factory=LossWeights)
    sparsify: SparsifyConfig | None = Field(None, description="Cut the DAG down to a budget of edges while training.")
    latency: bool = Field(
        False,
        description="Measure `latency`, nanoseconds of one prediction in compiled C on the worker's machine, which "
        "needs a C compiler; by itself where an objective or a bound names it.",
    )
    log_every: int | None = Field(
        None,
        ge=1,
        description="Steps between two points of the logged curves (default: a hundredth of all, at least 50).",
    )
    evaluate_every: int | None = Field(
        None, ge=1, description="Steps between two evaluations on the validation and test parts, for the curves."
    )
    rungs: tuple[float, ...] = Field(
        (),
        description="Shares of a trial's steps, rising, after which it pauses and is stopped if others are far better "
        "(see search.halving); [] trains every trial to its end.",
    )

    @field_validator("closeness")
    @classmethod
    def _known_family(cls, name: str) -> str:
        if ":" not in name:  # reading a job runs no code of anybody's
            family_named(name)
        return name

    @field_validator("rungs")
    @classmethod
    def _rising(cls, rungs: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < share < 1 for share in rungs) or any(a >= b for a, b in itertools.pairwise(rungs)):
            raise ValueError(f"0 < rungs < 1 must hold, and they must rise, but got {list(rungs)}")
        return rungs

    @model_validator(mode="after")
    def _integers_are_linear(self) -> TrainingConfig:
        if self.precision != "float" and self.readout == "square":
            raise ValueError(f"precision {self.precision} has linear outputs; readout: square needs precision: float")
        return self

    def point_steps(self) -> int:
        """Steps between two points of the logged curves."""
        return self.log_every or max(50, math.ceil(self.steps / 100))

    def look_steps(self) -> int:
        """Steps between two points that have the loss on the validation part too: ten in a training, about."""
        points = self.point_steps()
        return points * max(1, round(self.steps / (10 * points)))

    def rung_steps(self) -> tuple[int, ...]:
        """The steps at which a training with this configuration pauses, in [1, steps), rising."""
        steps = {math.ceil(share * self.steps) for share in self.rungs}
        return tuple(sorted(step for step in steps if 1 <= step < self.steps))

    def with_overrides(self, hyperparameters: Mapping[str, Scalar]) -> TrainingConfig:
        """This configuration with dotted-path overrides, e.g. ``{"learning_rate": 1e-3, "losses.flow": 0.0}``.

        Raises:
            pydantic.ValidationError: a key is unknown or a value out of range.
        """
        values = self.model_dump()
        for path, value in hyperparameters.items():
            *sections, leaf = path.split(".")
            section = values
            for name in sections:
                if section.get(name, ()) is None:  # an optional section that is not set
                    section[name] = {}
                section = section[name]
            section[leaf] = value
        return type(self).model_validate(values)


@dataclass(frozen=True, slots=True)
class Genome:
    """What evolution changes: the DAG of allowed edges, and overrides of the training configuration.

    With a ``structure`` it is that which is built and changed, and ``dag`` is its picture (``structure.dag``).
    """

    dag: DAG
    hyperparameters: Mapping[str, Scalar] = field(default_factory=dict)
    structure: Structure | None = None  # None: neurons, one a node of the DAG
    origin: str = "initial"  # of one that was drawn, one line for people: how


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A training that paused: all it takes to go on anywhere, bit for bit as if it had never paused."""

    step: int  # steps done
    arrays: Arrays  # parameters, what the optimiser remembers, curves so far (see `nas.training.train`)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A genome with a seed and a budget, ready to be trained anywhere."""

    number: int  # trial number in the study, from 0
    genome: Genome
    seed: int  # decides initial weights and the order of the data
    steps: int  # optimiser steps
    parent: int | None = None  # trial number whose weights are inherited
    mutation: str = "initial"  # one line for people: what distinguishes this genome from its parent's
    inherited: Arrays | None = (
        None  # initial parameters on genome.dag (see nas.manifold.inherit); None: drawn from seed
    )
    resume: TrainingState | None = None  # go on from here rather than begin
    pause_at: int | None = None  # a step of `TrainingConfig.rung_steps` at which to pause; None: train to the end


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the validation part said of a network, sample by sample (of a very large part: evenly spaced samples)."""

    error: np.ndarray  # (kept,) float32: 1 where the class is wrong, or the squared error averaged over the outputs
    wrong: np.ndarray | None  # (kept,) float32: probability of all classes but the right one; None: a regression
    samples: int  # of the validation part, of which `kept` are here
    test_samples: int  # of the test part: what a measurement on it can be expected to vary by


class TrialStatus(enum.StrEnum):
    """How a trial ended, or that it has not."""

    COMPLETE = "complete"
    FAILED = "failed"
    STOPPED = "stopped"  # at a rung, because others were better there
    PAUSED = "paused"  # at a rung; whoever asked decides whether it goes on


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a worker reports of a candidate.

    One that paused has the metrics of the validation part and of the structure only: nothing is timed at a rung.

    ``metrics`` (all floats; those of a failed trial may be missing):
        val_error, test_error       1 - accuracy, or mean squared error: always "smaller is better"
        val_accuracy, test_accuracy classification only, in [0, 1]; where a scorer says what the error is
                                    (`Dataset.scorer`), they are called val_correct and test_correct
        val_loss, test_loss         objective (cross-entropy or MSE)
        val_score                   what candidates are compared by: val_error with less luck
                                    (`nas.training.quality.evidence`)
        edges, density, depth, neurons  of the live DAG without the neurons that are on no path input -> output
        flash, ram, cycles          of one prediction, in integers on a small chip: bytes, bytes, and cycles of an 8-bit
                                    processor (`nas.cexport.chip_costs`); networks of neurons without memory only
        integer_val_error, integer_test_error  of the network in integers, where ``training.precision`` asks for them
        latency                     one prediction in compiled C on this machine, nanoseconds, where it is asked for
        flow, smooth_edges          loss terms at the end
        train_step_seconds          process time of one training step at the job's batch size, least of many, of the
                                    network without neurons that are on no path
        train_bytes                 what its trainer's arrays hold, the data apart
        predicted_train_step_seconds, predicted_inference_seconds, predicted_train_bytes
                                    the same by the cost model (`nas calibrate`); hardware["cost_model"] says which
        inference_seconds           process time of a forward pass of ``inference_batch`` samples, least of many
        inference_spread            half the 95 % interval of the same, seconds (`half_interval`)
        reference_seconds           process time of the fixed reference kernel taken in the same minute
    """

    number: int
    status: TrialStatus
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""  # why it failed or was stopped; "" when complete
    history: Arrays = field(default_factory=dict)  # "step" and one array a curve, all of one length
    dag: DAG | None = None  # the live DAG after training (ids kept); None when failed
    arrays: Arrays = field(default_factory=dict)  # trained parameters on `dag` (ManifoldNetwork.to_arrays)
    hardware: Mapping[str, Scalar] = field(default_factory=dict)  # processor, threads, versions
    seconds: float = 0.0  # wall time of the whole trial
    worker: str = ""  # host and process that ran it
    structure: Structure | None = None  # what was built, if not neurons; `arrays` is then its state dictionary
    state: TrainingState | None = None  # of one that paused, to go on with
    steps: int | None = None  # optimiser steps done: 0, or of one that paused; else its candidate's
    evidence: Evidence | None = None  # of a complete one: what each validation sample said

    @classmethod
    def failed(cls, number: int, error: BaseException | str) -> TrialResult:
        """Of a trial that an error ended, or a reason."""
        reason = error if isinstance(error, str) else said_of(error)
        return cls(number, TrialStatus.FAILED, reason=reason)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Training, validation and test parts of one task, as arrays ready for training.

    Structure choices look at the validation part only; the test part is for reporting.
    Inputs are float32 of shape (samples, n_inputs), standardised as ``(raw - mean) / scale``.
    Targets: int64 class numbers (samples,) or float32 (samples, n_outputs).
    """

    name: str
    task: Task
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...] = ()  # label of each class; empty for regression
    feature_names: tuple[str, ...] = ()
    mean: np.ndarray | None = None  # (n_inputs,)
    scale: np.ndarray | None = None  # (n_inputs,)
    target_mean: np.ndarray | None = None  # (n_outputs,), regression only: targets are (raw - mean) / scale
    target_scale: np.ndarray | None = None  # (n_outputs,)
    period: int | None = None  # row width of images, None where inputs have no geometry
    channels: int | None = None  # numbers a pixel, where rows of `period` are rows of images
    scorer: str = (
        ""  # what errors of networks are by, see `nas.training.quality.judged`; "": wrong classes, squared errors
    )

    @property
    def image(self) -> tuple[int, int] | None:
        """Numbers of a row and of a pixel; None where samples are no images."""
        return (self.period, self.channels) if self.period and self.channels else None

    @property
    def n_inputs(self) -> int:
        return int(self.x_train.shape[1])

    @property
    def n_outputs(self) -> int:
        return len(self.classes) if self.task == "classification" else int(self.y_train.shape[1])
