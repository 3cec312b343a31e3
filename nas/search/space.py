"""What a search space is: where genomes come from and how one becomes another.

A strategy decides *which* genome changes and how strongly; a space knows what its genomes look like. Users add a
space by writing a subclass of `SearchSpace` and naming it in the job file as ``module:Class``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nas.graph import DAG
from nas.training.acting import NetworkKind
from nas.training.types import Dataset, Genome, Scalar, Task, TrainingConfig

__all__ = [
    "DEFAULT_HYPERPARAMETERS",
    "Choice",
    "Range",
    "SearchSpace",
    "SpaceOptions",
    "TaskShape",
    "searched_domains",
    "stable_ids",
    "states",
]


class Range(BaseModel):
    """An interval that a numeric hyperparameter is drawn from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float
    log: bool = Field(False, description="Draw the logarithm uniformly.")
    integer: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"`low <= high` must hold, but got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range must start above 0, but got low={self.low}")
        return self

    def at(self, position: float) -> float | int:
        """The value at `position` in [0, 1] of the interval, on its own (log or linear) scale."""
        if self.log:
            value = math.exp(math.log(self.low) + position * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + position * (self.high - self.low)
        value = min(max(value, self.low), self.high)
        return round(value) if self.integer else value

    def position(self, value: float) -> float:
        """Inverse of `at`, clipped to [0, 1]."""
        if self.high == self.low:
            return 0.5
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)

    def nearest(self, value: Scalar | None) -> float | int:
        """`value` brought into the range; its middle where there is none."""
        return self.at(0.5 if isinstance(value, str | None) else self.position(float(value)))

    def sample(self, rng: np.random.Generator) -> float | int:
        """A value drawn uniformly on the range's own scale."""
        return self.at(rng.random())

    def perturb(self, value: Scalar, rng: np.random.Generator, scale: float = 0.15) -> float | int:
        """`value` moved by a normal step of `scale` times the width of the range, reflected at its ends."""
        if not isinstance(value, int | float):
            return self.sample(rng)
        moved = abs(self.position(float(value)) + scale * rng.standard_normal()) % 2
        return self.at(2 - moved if moved > 1 else moved)


class Choice(BaseModel):
    """A finite set that a hyperparameter is drawn from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choices: Annotated[tuple[Scalar, ...], Field(min_length=1)]

    def nearest(self, value: Scalar | None) -> Scalar:
        """`value` if it is one of the choices, else the first."""
        return value if value is not None and value in self.choices else self.choices[0]

    def sample(self, rng: np.random.Generator) -> Scalar:
        """One of the choices, all equally likely."""
        return self.choices[int(rng.integers(len(self.choices)))]

    def perturb(self, value: Scalar, rng: np.random.Generator, scale: float = 0.15) -> Scalar:
        """`value`, or with probability `scale` any choice."""
        return self.sample(rng) if rng.random() < scale or value not in self.choices else value


DEFAULT_HYPERPARAMETERS: Final[dict[str, Range | Choice]] = {"learning_rate": Range(low=5e-4, high=1e-2, log=True)}


class SpaceOptions(BaseModel):
    """Options that every space has; a space adds its own in a subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hyperparameters: dict[str, Range | Choice] = Field(
        default_factory=lambda: DEFAULT_HYPERPARAMETERS,
        description='What is searched beside the structure: dotted paths of the training section, e.g. "losses.flow".',
    )

    @model_validator(mode="after")
    def _training_paths(self) -> SpaceOptions:
        for path, domain in self.hyperparameters.items():
            values = domain.choices if isinstance(domain, Choice) else (domain.at(0.0), domain.at(1.0))
            for value in values:
                try:
                    TrainingConfig().with_overrides({path: value})
                except ValidationError as error:
                    raise ValueError(f"hyperparameter {path!r} = {value!r}: {error.errors()[0]['msg']}") from None
                except (KeyError, TypeError, AttributeError):
                    raise ValueError(f"hyperparameter {path!r} is not a field of the training section") from None
        return self


@dataclass(frozen=True, slots=True)
class TaskShape:
    """What a space may know of the data: its shape, never its values."""

    n_inputs: int
    n_outputs: int
    task: Task = "classification"
    period: int | None = None  # row width of images, None where inputs have no geometry
    channels: int | None = None  # numbers a pixel, None where inputs are no images
    samples: int = 0  # of the training part; 0: not known

    @property
    def pixels(self) -> tuple[int, int] | None:
        """Height and width of images; None where inputs are none."""
        if not self.period or not self.channels:
            return None
        return self.n_inputs // self.period, self.period // self.channels

    @classmethod
    def of(cls, dataset: Dataset) -> TaskShape:
        """The shape of `dataset`."""
        return cls(
            dataset.n_inputs, dataset.n_outputs, dataset.task, dataset.period, dataset.channels, len(dataset.x_train)
        )


class SearchSpace(ABC):
    """A set of genomes with a way to draw one and a way to change one.

    Methods must be deterministic in their arguments and the state of `rng`, and must not keep state of their own, so
    that any trial can be replayed. They raise `nas.errors.NasError` where a genome cannot be made; that trial then
    fails with the message as its reason.

    Class attributes:
        Options: pydantic model of the ``space.options`` section of the job file.
        kind: what its networks are to a trainer, which says what of a job's training section acts; None: networks of
            neurons. A space whose genomes have a structure takes `nas.training.MODULES`, or declares its own.
        fixed: fields of the training section, by dotted path, that all of its genomes override.
    """

    Options: ClassVar[type[SpaceOptions]] = SpaceOptions
    kind: ClassVar[NetworkKind | None] = None
    fixed: ClassVar[Mapping[str, Scalar]] = {}

    def __init__(self, options: SpaceOptions, shape: TaskShape) -> None:
        self.options = options
        self.shape = shape

    @property
    def hyperparameters(self) -> Mapping[str, Range | Choice]:
        """Domains of the training fields that strategies choose for every genome, by dotted path."""
        return self.options.hyperparameters

    @abstractmethod
    def initial(self, rng: np.random.Generator, *, size: float | None = None, density: float | None = None) -> Genome:
        """A genome from nothing.

        Args:
            rng: source of all randomness.
            size, density: positions in [0, 1] of the wanted genome in the space's own ranges, so that a strategy can
                spread its first genomes evenly; None: drawn from `rng`.
        """

    @property
    def first_hyperparameters(self) -> tuple[Mapping[str, Scalar], ...]:
        """Values of hyperparameters that a search tries first, one after the other, where the job states none."""
        return ()

    def large(self, rng: np.random.Generator, *, edges: int | None = None, like: Genome | None = None) -> Genome | None:
        """A large genome for training to cut down (see `nas.search.strategies.guided`), the root of a line of networks.

        Args:
            rng: source of all randomness.
            edges: that will be left of it; a space may make it as large as suits these. None: the largest there is.
            like: a genome that proved good; where a space has several kinds of large genomes, this one's is taken.

        None (the default): `initial` draws one at the upper ends of the space's ranges.
        """
        return None

    def linear(self) -> tuple[Genome, ...]:
        """Networks in which every output reads every input and nothing else, with hyperparameters that serve these.

        A strategy that steers sizes trains these first, so that no search ends below a linear model that its space
        holds. None of them (the default): the space has no such network.
        """
        return ()

    @abstractmethod
    def mutate(
        self,
        genome: Genome,
        rng: np.random.Generator,
        strength: float,
        *,
        growth: float = 0.0,
        edge_score: np.ndarray | None = None,
        next_id: int | None = None,
    ) -> tuple[Genome, str]:
        """A changed copy of `genome` and one line for people that says what changed.

        Args:
            genome: of this space; its DAG is the trained parent's live one.
            rng: source of all randomness.
            strength: share in (0, 1] of the genome to change.
            growth: in [-1, 1]; -1 changes only by removing, +1 only by adding.
            edge_score: (E,) importance of each edge of `genome.dag` where known; low ones should go first.
            next_id: smallest id for new neurons, so that no other trial's new neurons have the same.
        """

    def unused_options(self, *, mutates: bool) -> Mapping[str, str]:
        """Options that do nothing for this data or beside the others, by name, with the reason and what to do; a job
        that states one is refused. None (the default): all act.

        Args:
            mutates: whether the search changes genomes.
        """
        return {}

    def cross(self, first: Genome, second: Genome, rng: np.random.Generator) -> Genome | None:
        """A genome made of parts of two; None (the default) where the space has no way to."""
        return None

    def accepts(self, genome: Genome) -> bool:
        """Whether a genome that was not drawn here may be a candidate of the space: a network of several of its own,
        side by side (`nas.manifold.mean_of`). No (the default) where the space does not say so.
        """
        return False

    def encode(self, genome: Genome) -> np.ndarray | None:
        """(d,) numbers that describe the structure of `genome`, always as many, equal where networks are equal.

        For spaces whose candidates are trained from nothing: an evolution then models what it was told by these
        numbers, evaluates no genome twice, and draws many children for each that it trains
        (`nas.search.strategies._proposals`).
        Close genomes should have close encodings; each number's scale is free. Hyperparameters are added elsewhere.
        None (the default): children are drawn blindly.
        """
        return None


def searched_domains(
    options: SpaceOptions, training: TrainingConfig, domains: Mapping[str, Range | Choice] | None = None
) -> dict[str, Range | Choice]:
    """What is searched in a job: what its space's options name, or of their defaults what its training section leaves
    open.

    Args:
        domains: of a space that has others than its options.
    """
    chosen = "hyperparameters" in options.model_fields_set
    return {
        path: domain
        for path, domain in (options.hyperparameters if domains is None else domains).items()
        if chosen or not states(training, path)
    }


def states(training: TrainingConfig, path: str) -> bool:
    """Whether whoever wrote the job's training section gave the field at a dotted path."""
    section: object = training
    for name in path.split("."):
        if not isinstance(section, BaseModel) or name not in section.model_fields_set:
            return False
        section = getattr(section, name)
    return True


def stable_ids(dag: DAG, first_id: int) -> DAG:
    """`dag` with ids that mean the same in every genome of a study; unchanged where it has ids of its own.

    Inputs and outputs are known by their number. Computational neurons of genomes that were drawn independently have
    nothing in common, and as weights are matched by id, theirs start at `first_id` (see
    `nas.graph.first_id_of_trial`).
    """
    if not np.array_equal(dag.ids, np.arange(dag.n)):
        return dag
    inputs = np.arange(dag.n_inputs)
    ids = np.concatenate([inputs, first_id + np.arange(dag.n_computational), dag.n_inputs + np.arange(dag.n_outputs)])
    return DAG(
        dag.n_inputs,
        dag.n_computational,
        dag.n_outputs,
        dag.edges,
        ids=ids,
        names=dag.names,
        allow_unreachable=dag.allow_unreachable,
        activations=dag.activations,
    )
