"""Networks with memory for sequences: DAGs of neurons some of whose outputs are inputs at the next time step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator, model_validator

from nas import graph
from nas.engine import ACTIVATIONS
from nas.errors import GraphError, UnreachableOutputError
from nas.graph import DAG
from nas.recurrent import RecurrentStructure, grow_memory, reach_outputs, remember, shrink_memory
from nas.search import DEFAULT_HYPERPARAMETERS, Choice, Range
from nas.search_spaces._dags import DagOptions, DagSpace
from nas.training import SEQUENCES, Genome

__all__ = ["Recurrent", "RecurrentOptions", "Space"]

_ATTEMPTS = 10  # at a genome within its limits


class RecurrentOptions(DagOptions):
    """Sizes of the first genomes, what their neurons do, and limits. `density` is that of one time step's graph."""

    words: ClassVar[tuple[str, ...]] = (*ACTIVATIONS, "lstm")

    n_computational: tuple[int, int] = Field(
        (5, 40), description="Least and most computational neurons of a first genome (or one number); log-uniform."
    )
    density: tuple[float, float] = Field(
        (0.1, 0.6), description="Least and largest density of a first genome (or one number); log-uniform."
    )
    hyperparameters: dict[str, Range | Choice] = Field(
        default_factory=lambda: DEFAULT_HYPERPARAMETERS,
        description='What is searched beside the structure: dotted paths of the training section, e.g. "batch_size".',
    )
    features: int | None = Field(
        None,
        ge=1,
        description="Numbers that are read a time step; a row of the data is one step after another. Default: "
        "data.period.",
    )
    memory: tuple[int, int] = Field(
        (2, 8), description="Least and most memory slots of a first genome (or one number); 0: feed-forward."
    )
    max_memory: int = Field(32, ge=0, description="No genome has more memory slots than this.")
    memory_mutation: float = Field(
        0.15, ge=0, le=1, description="Probability that a mutation adds or removes a memory slot."
    )
    activation: str = Field("tanh", description="Of computational neurons (nas.engine.ACTIVATIONS).")
    memory_activation: str = Field("tanh", description='Of what is carried over; "identity": no bounds.')
    learn_initial: bool = Field(False, description="Train the memory before the first step, instead of 0.")

    @field_validator("memory", mode="before")
    @classmethod
    def _one_size(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _memory_fits(self) -> RecurrentOptions:
        low, high = self.memory
        if not 0 <= low <= high <= self.max_memory:
            raise ValueError(
                f"memory: 0 <= least <= most <= max_memory ({self.max_memory}) must hold, got {low}, {high}"
            )
        return self


class Recurrent(DagSpace):
    """A DAG that is run once a time step, with its memory; see `nas.recurrent`.

    First genomes are drawn uniformly among the usable cells; each memory slot may also keep its value.
    """

    Options = RecurrentOptions
    kind = SEQUENCES
    options: RecurrentOptions

    first_hyperparameters = ()  # that of DAGs that run once does not suit these

    def large(self, rng: np.random.Generator, *, edges: int | None = None, like: Genome | None = None) -> Genome | None:
        """None: training cannot choose among the edges of a structure."""
        return None

    def initial(self, rng: np.random.Generator, *, size: float | None = None, density: float | None = None) -> Genome:
        """A DAG whose number of neurons and density lie at the given positions; its memory is drawn."""
        options, features = self.options, self._features()
        neurons, share = self._sizes(rng, size, density)
        memory = int(Range(low=options.memory[0], high=options.memory[1], integer=True).sample(rng))
        shape = features + memory, neurons, self.shape.n_outputs + memory
        for _ in range(_ATTEMPTS):
            dag = graph.random_dag(*shape, density=share, rng=rng)
            dag = reach_outputs(remember(dag, memory), memory, rng)
            if options.max_edges is None or dag.n_edges <= options.max_edges:
                break
            share *= 0.9 * options.max_edges / dag.n_edges
        else:
            raise GraphError(
                f"space.options.max_edges {options.max_edges} is too few for a network of {neurons} neurons and "
                f"{memory} memory slots ({dag.n_edges} edges); allow more"
            )
        dag = self._activated(_named(dag, memory), rng)
        structure = RecurrentStructure(
            dag,
            memory,
            time=self.shape.n_inputs // features,
            activation=options.activation,
            memory_activation=options.memory_activation,
            learn_initial=options.learn_initial,
        )
        return Genome(dag, {}, structure)

    def unused_options(self, *, mutates: bool) -> Mapping[str, str]:
        """What is of memory, where no network will have any."""
        options = self.options
        if options.memory[1] > 0 or (mutates and options.max_memory > 0 and options.memory_mutation > 0):
            return {}
        why = "no network has memory here (memory: 0); delete it, or allow memory"
        return dict.fromkeys(("memory_activation", "learn_initial"), why)

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
        """Changes edges and neurons as `neuron_dag` does, and now and then the memory by one slot."""
        before = genome.structure
        assert isinstance(before, RecurrentStructure)
        limit = self.options.max_edges
        for _ in range(_ATTEMPTS):
            dag, memory, description = before.dag, before.memory, ""
            if rng.random() < self.options.memory_mutation:
                dag, memory, description = self._other_memory(dag, memory, rng, growth, next_id)
            if not description:
                child, description = super().mutate(
                    Genome(dag), rng, strength, growth=growth, edge_score=edge_score, next_id=next_id
                )
                dag = child.dag
            dag = reach_outputs(dag, memory, rng)
            if dag != before.dag and (limit is None or dag.n_edges <= limit):
                structure = replace(before, dag=dag, memory=memory)
                return replace(genome, dag=dag, structure=structure), description
        raise GraphError(f"no mutation of {before.dag!r} stays within max_edges ({limit}) and changes it; allow more")

    def _other_memory(
        self, dag: DAG, memory: int, rng: np.random.Generator, growth: float, next_id: int | None
    ) -> tuple[DAG, int, str]:
        """One slot more or less; the last is "" where neither can be."""
        if rng.random() < (1 + growth) / 2:
            if memory < self.options.max_memory:
                edges = max(1, round(dag.n_edges / dag.n))
                return grow_memory(dag, rng, edges=edges, next_id=next_id), memory + 1, "add 1 memory slot"
        elif memory > self.options.memory[0]:
            try:
                return shrink_memory(dag, memory, int(rng.integers(memory))), memory - 1, "remove 1 memory slot"
            except UnreachableOutputError:
                pass
        return dag, memory, ""

    def _features(self) -> int:
        features = self.options.features or self.shape.period
        if features is None:
            raise GraphError(
                "a network with memory must know how many numbers a time step has; say so with "
                "space.options.features (or data.period)"
            )
        if self.shape.n_inputs % features:
            raise GraphError(
                f"rows of {self.shape.n_inputs} numbers cannot be cut into time steps of {features}; correct "
                "space.options.features"
            )
        return features


def _named(dag: DAG, memory: int) -> DAG:
    """Memory told from data in pictures: m0 is the input that has, a time step later, what the output m0' gave."""
    names = [
        *(f"x{k}" for k in range(dag.n_inputs - memory)),
        *(f"m{k}" for k in range(memory)),
        *(f"n{k}" for k in range(dag.n_inputs, dag.first_output)),
        *(f"y{k}" for k in range(dag.n_outputs - memory)),
        *(f"m{k}'" for k in range(memory)),
    ]
    return DAG(*dag.sizes, dag.edges, ids=dag.ids, names=tuple(names), activations=dag.activations)


Space = Recurrent
