"""What the built-in spaces share: genomes that are one DAG of neurons, mutated by edges and neurons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field, field_validator, model_validator

from nas import graph
from nas.engine import ACTIVATIONS
from nas.graph import DAG
from nas.search import Choice, Range, SearchSpace, SpaceOptions
from nas.training import Genome
from nas.training.types import Scalar

__all__ = ["DagOptions", "DagSpace"]

_ATTEMPTS: Final = 10  # at a mutation that changes something
_ROOT_EDGES: Final = 40  # edges of a root at most, for each that will be left: more take long and gain nothing

_WIDTH: Final = (0.5, 0.7)  # computational neurons of a root: factor and power of the edges that will be left
_OF_WIDTH: Final = 0.35  # deviation of the logarithm of that
_LEAST_WIDTH: Final = 16  # where the space has so many
_INSERTED: Final = 0.3  # least number of inserted neurons for each edge that comes, times the edges of a neuron

_KINDS: Final = {"complete": 0.5, "shallow": 0.2, "two layers": 0.3}  # of dense networks, and how often each is drawn

NOISES: Final = ((0.4, 0.2), (0.02, 0.01), (0.8, 0.4), (0.15, 0.05))
"""Deviations of the noise on the inputs, at first and at the end, that a search tries first: which are right differs
most between data sets."""
_SHIFTS: Final = (0.5, 0.5, 0.1, 0.5)  # of images beside each of these, in pixels; with .1 next to none is moved
"""Single networks of one hidden layer on MNIST, 24,000 steps, validation and test error together, without shifts and
with: 3.2 and 2.9 % at 1,000 edges, 2.2 and 1.8 at 2,000, 1.9 and 1.4 at 3,100. Of 8 x 8 pixels one is too much: digits
at 150 edges goes from 4.7 to 7.1 %."""
_MOVED_FROM: Final = 16  # pixels a side

HYPERPARAMETERS: Final[dict[str, Range | Choice]] = {
    "learning_rate": Range(low=1e-3, high=1e-1, log=True),
    "input_noise": Range(low=0.01, high=1.0, log=True),
    "final_input_noise": Range(low=0.005, high=1.0, log=True),
    "weight_decay": Range(low=1e-3, high=0.2, log=True),
    "activation": Choice(choices=("silu", "tanh", "relu")),
    "batch_size": Choice(choices=(32, 64, 128)),
}

OF_IMAGES: Final[dict[str, Range | Choice]] = {"input_shift": Range(low=0.1, high=1.0, log=True)}
"""What is searched beside these where inputs are images of 16 pixels a side and more."""


class DagOptions(SpaceOptions):
    """Sizes of the first genomes; what mutation makes of them is limited by `max_edges` alone."""

    words: ClassVar[tuple[str, ...]] = ACTIVATIONS  # that `activations` may hold

    n_computational: tuple[int, int] = Field(
        (4, 300), description="Least and most computational neurons of a first genome (or one number); log-uniform."
    )
    density: tuple[float, float] = Field(
        (0.02, 1.0), description="Least and largest density of a first genome (or one number); log-uniform."
    )
    hyperparameters: dict[str, Range | Choice] = Field(
        default_factory=lambda: HYPERPARAMETERS,
        description='What is searched beside the structure: dotted paths of the training section, e.g. "losses.flow". '
        "Of the defaults, those that the training section states are not searched. Images have input_shift, too.",
    )
    max_edges: int | None = Field(None, ge=1, description="No genome has more edges than this.")
    activations: tuple[str, ...] = Field(
        (), description="Activations from which each neuron has one of its own; none: all have that of the training."
    )

    @field_validator("activations")
    @classmethod
    def _known_words(cls, activations: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in activations if name not in cls.words]
        if unknown:
            raise ValueError(f"unknown activation {unknown[0]!r}; use {', '.join(cls.words)}")
        return activations

    @field_validator("n_computational", "density", mode="before")
    @classmethod
    def _one_number(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _ordered(self) -> DagOptions:
        low, high = self.n_computational
        if not 0 <= low <= high:
            raise ValueError(f"n_computational: 0 <= least <= most must hold, but got {low}, {high}")
        least, largest = self.density
        if not 0 < least <= largest <= 1:
            raise ValueError(f"density: 0 < least <= largest <= 1 must hold, but got {least}, {largest}")
        return self


class DagSpace(SearchSpace):
    """A space of single DAGs. Subclasses say how a first DAG is drawn (`_draw`) and may fix training fields."""

    Options = DagOptions
    options: DagOptions

    def initial(self, rng: np.random.Generator, *, size: float | None = None, density: float | None = None) -> Genome:
        """A DAG whose number of neurons and density lie at the given positions of the options' ranges."""
        options = self.options
        neurons, share = self._sizes(rng, size, density)
        dag = self._draw(neurons, share, rng)
        if options.max_edges is not None and dag.n_edges > options.max_edges:
            dag = self._draw(neurons, share * options.max_edges / dag.n_edges, rng)
        return Genome(self._activated(dag, rng), dict(self.fixed))

    @property
    def hyperparameters(self) -> Mapping[str, Range | Choice]:
        """Those of the options; where these say nothing and inputs are images, how far they are moved as well."""
        own = self.options.hyperparameters
        return own if "hyperparameters" in self.options.model_fields_set or not self._moves else {**own, **OF_IMAGES}

    @property
    def _moves(self) -> bool:
        return self.kind is None and self.shape.pixels is not None and min(self.shape.pixels) >= _MOVED_FROM

    @property
    def first_hyperparameters(self) -> tuple[Mapping[str, Scalar], ...]:
        """The recipe of benchmarks/reference.py; the more inputs a neuron sums up, the shorter the steps."""
        rate = min(max(0.16 / math.sqrt(self.shape.n_inputs), 4e-3), 2e-2)
        return tuple(
            {
                "learning_rate": rate,
                "input_noise": noise,
                "final_input_noise": last,
                "weight_decay": 0.05,
                "activation": "silu",
                "batch_size": 64,
                **({"input_shift": shift} if self._moves else {}),
            }
            for (noise, last), shift in zip(NOISES, _SHIFTS, strict=True)
        )

    def large(self, rng: np.random.Generator, *, edges: int | None = None, like: Genome | None = None) -> Genome | None:
        """A dense network, from which training cuts all but ``edges``: wider, the more these are.

        One hidden layer, all neurons of which read each other or none, and edges from the inputs to the outputs too; or
        two hidden layers and no edges past them. Which is best differs: MNIST has 1.3 % error at 3,100 edges from
        layers of 200 and 50, and 1.6 % at 5,776 from one layer of 120; at 1,000 edges one layer of 40 is ahead.

        None where `max_edges` has no room for a hidden neuron beside an edge into each output.
        """
        options, shape = self.options, self.shape
        low, high = options.n_computational
        if not high:
            return None  # a linear model: there is but one
        if edges is None:
            hidden = high
        else:
            hidden = round(_WIDTH[0] * edges ** _WIDTH[1] * math.exp(_OF_WIDTH * rng.standard_normal()))
        hidden = min(max(hidden, low, _LEAST_WIDTH), high)
        most = _ROOT_EDGES * max(edges, shape.n_inputs) if edges is not None else None
        kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values()))) if like is None else _kind(like.dag)
        first, second = max(1, round(0.8 * hidden)), max(1, round(0.2 * hidden))
        if kind == "two layers" and hidden >= 10:
            dag = graph.layered((shape.n_inputs, first, second, shape.n_outputs), density=1.0, shortcuts=0.0)
            origin = f"layers of {first} and {second} neurons"
        else:
            dag = graph.layered((shape.n_inputs, hidden, shape.n_outputs), density=1.0, shortcuts=1.0)
            origin = f"layer of {hidden} neurons and shortcuts"
        # Where inputs are few, layers of so many neurons have too few edges: of 5 inputs and 50 neurons, 360.
        if kind == "complete" or dag.n_edges < (edges or 0):
            dag = graph.complete(shape.n_inputs, hidden, shape.n_outputs)
            origin = f"complete DAG of {hidden} neurons"
        limits = [round(options.density[1] * graph.usable_cells(*dag.sizes)), most, options.max_edges]
        limit = min(limit for limit in limits if limit is not None)
        if dag.n_edges > limit:  # not thinned at random but made narrower, so that every neuron may read everything
            narrower = shallow_within(limit, (shape.n_inputs, hidden, shape.n_outputs), rng)
            if narrower is None:
                return None
            dag, origin = narrower, f"layer of {narrower.n_computational} neurons and shortcuts"
        return Genome(self._activated(dag, rng), dict(self.fixed), origin=origin)

    def accepts(self, genome: Genome) -> bool:
        """Any DAG of neurons that has no more than `max_edges`."""
        most = self.options.max_edges
        return genome.structure is None and (most is None or genome.dag.n_edges <= most)

    def _sizes(self, rng: np.random.Generator, size: float | None, density: float | None) -> tuple[int, float]:
        """Computational neurons and density at those positions of the options' ranges, drawn where None."""
        options = self.options
        low, high = options.n_computational
        neurons = int(Range(low=max(low, 1), high=max(high, 1), log=True, integer=True).at(_or_drawn(size, rng)))
        share = float(Range(low=options.density[0], high=options.density[1], log=True).at(_or_drawn(density, rng)))
        return min(neurons, high), share  # high may be 0: linear models

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
        """Adds, removes and rewires edges, and adds, doubles and removes neurons.

        A share `strength` of the edges changes, and half that share of the neurons (at least some may come): a neuron
        brings or takes many edges. Where neurons have activations of their own, half that share of them draws anew.
        """
        dag = genome.dag
        count = max(1, round(strength * dag.n_edges))
        limit = self.options.max_edges
        if limit is not None and dag.n_edges + count > limit:
            growth = min(growth, -0.5)
        more, less = (1 + growth) / 2, (1 - growth) / 2
        neurons = 0.5 * dag.n_computational / dag.n_edges if dag.n_edges else 1.0
        # Where there are few neurons, or none, they must be able to come all the same.
        usual = dag.n_edges / max(dag.n_computational + dag.n_outputs, 1)
        absent = dag.usable_cells - dag.n_edges
        if growth > 0 and count > absent:  # the rest comes with neurons, each of which brings many
            count = absent + math.ceil((count - absent) / max(1.5 * usual, 2.0))
        inserted = max(neurons, _INSERTED / max(usual, 2.0))
        operators = {
            "add_edges": more,
            "remove_edges": less,
            "rewire_edges": 0.5 * (1 - abs(growth)),
            "add_neurons": 0.25 * neurons * more,
            "insert_neurons": 0.5 * inserted * more,
            "duplicate_neurons": 0.25 * neurons * more,
            "remove_neurons": neurons * less,
        }
        for _ in range(_ATTEMPTS):  # on a graph of a few edges one change may undo another
            mutation = graph.mutate(dag, rng, operators=operators, count=count, edge_score=edge_score, next_id=next_id)
            if mutation.dag != dag:
                break
        child, description = mutation.dag, mutation.description
        if limit is not None and child.n_edges > limit:
            cut = graph.mutate(child, rng, operators={"remove_edges": 1.0}, count=child.n_edges - limit)
            child, description = cut.dag, f"{description}, then {cut.description} (max_edges)"
        if self.options.activations:
            redrawn = int(rng.binomial(child.n_computational, 0.5 * strength))
            child = self._activated(child, rng, redraw=redrawn)
            if redrawn:
                description = f"{description}, redraw {redrawn} activation{'s' if redrawn > 1 else ''}"
        return Genome(child, genome.hyperparameters), description

    def _activated(self, dag: DAG, rng: np.random.Generator, *, redraw: int = 0) -> DAG:
        """`dag` with an activation for each neuron, where the options ask for that."""
        words = self.options.activations
        return graph.draw_activations(dag, words, rng, redraw=redraw) if words else dag

    def _draw(self, neurons: int, density: float, rng: np.random.Generator) -> DAG:
        """A DAG with so many computational neurons and about that density."""
        return graph.random_dag(self.shape.n_inputs, neurons, self.shape.n_outputs, density=density, rng=rng)


def _kind(dag: DAG) -> str:
    """Which of the dense networks it is, or comes nearest to."""
    from_inputs, into_outputs = dag.sources < dag.n_inputs, dag.targets >= dag.first_output
    if not np.any(~from_inputs & ~into_outputs):
        return "shallow"
    return "complete" if np.any(from_inputs & into_outputs) else "two layers"


def shallow_within(limit: int, layers: tuple[int, int, int], rng: np.random.Generator) -> DAG | None:
    """One hidden layer with shortcuts of exactly `limit` edges, or all there are; None where not one neuron fits.

    The layer is narrower than asked for where its neurons would have fewer than two edges each. Every hidden neuron has
    an edge in and one out, and every output one in; which, and where the other edges are, is chance.
    """
    inputs, hidden, outputs = layers
    hidden = min(hidden, limit // 2 if limit >= 2 * outputs else limit - outputs)
    if hidden < 1:
        return None
    reached = np.concatenate([rng.permutation(outputs), rng.integers(outputs, size=max(hidden - outputs, 0))])
    lone = reached[hidden:]  # outputs for which there is no hidden neuron
    # Cells of the three blocks, one after the other; in each target * width + source.
    starts = np.cumsum([inputs * hidden, hidden * outputs, inputs * outputs])
    needed = np.concatenate(
        [
            np.arange(hidden) * inputs + rng.integers(inputs, size=hidden),
            starts[0] + reached[:hidden] * hidden + np.arange(hidden),
            starts[1] + lone * inputs + rng.integers(inputs, size=len(lone)),
        ]
    )
    free = np.delete(np.arange(starts[2]), needed)
    rest = rng.choice(free, min(limit - len(needed), len(free)), replace=False)
    cells = np.concatenate([needed, rest])
    block = np.searchsorted(starts, cells, side="right")
    within = cells - np.concatenate([[0], starts])[block]
    ends = np.array([(0, inputs, inputs), (inputs, hidden, inputs + hidden), (0, inputs, inputs + hidden)])
    source, width, target = ends[block].T
    return DAG(inputs, hidden, outputs, np.stack([source + within % width, target + within // width], axis=1))


def _or_drawn(position: float | None, rng: np.random.Generator) -> float:
    return float(rng.random()) if position is None else position
