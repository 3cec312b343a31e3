"""DAGs of layers: convolutions or dense layers with skip connections over any distance, added or concatenated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field, model_validator

from nas import layers
from nas.errors import LayerError
from nas.graph import first_id_of_trial
from nas.layers import INPUT, GlobalPool, LayerSpec, LayerStructure, Linear, MergeKind, Node, Palette
from nas.search import Range, SearchSpace, SpaceOptions
from nas.training import LAYERS, Genome

__all__ = ["LayerDag", "LayerDagOptions", "Space"]

_ATTEMPTS = 10  # at a first genome within its limits


class LayerDagOptions(SpaceOptions):
    """Sizes of the first genomes, what layers are made of, and limits that hold for all genomes."""

    input_shape: tuple[int, ...] | None = Field(
        None,
        min_length=1,
        max_length=3,
        description="Shape of a sample: (features,), (tokens, features) or (channels, height, width). Default: one "
        "channel where the data are images, else features.",
    )
    nodes: tuple[int, int] = Field((2, 8), description="Least and most layers of a first genome, without the output.")
    skips: tuple[float, float] = Field(
        (0.0, 0.5), description="Least and largest share of the possible skip connections that a first genome has."
    )
    widths: tuple[int, int] = Field((4, 32), description="Least and most channels (features) of a layer; log-uniform.")
    kernels: tuple[int, ...] = Field((1, 3, 5), min_length=1, description="Sizes of convolutions.")
    activations: tuple[str, ...] = Field(("relu", "silu", "tanh"), min_length=1)
    norms: tuple[str, ...] = Field(("none", "batch", "layer"), min_length=1)
    merges: tuple[MergeKind, ...] = Field(
        ("add", "concatenate"), min_length=1, description="How layers merge what they read (see nas.layers.Node)."
    )
    max_nodes: int = Field(32, ge=2, description="No genome has more layers than this.")
    max_weights: int = Field(500_000, ge=1, description="No genome has more weights than this.")

    @model_validator(mode="after")
    def _ordered(self) -> LayerDagOptions:
        for name, floor in (("nodes", 1), ("skips", 0), ("widths", 1)):
            low, high = getattr(self, name)
            if not floor <= low <= high:
                raise ValueError(f"{name}: {floor} <= least <= most must hold, but got {low}, {high}")
        if self.nodes[1] + 2 > self.max_nodes or self.skips[1] > 1:
            raise ValueError(f"nodes must leave room for the head below max_nodes ({self.max_nodes}), and skips <= 1")
        return self

    @property
    def palette(self) -> Palette:
        """What random layers are made of."""
        return Palette(
            widths=self.widths,
            kernels=self.kernels,
            activations=self.activations,
            norms=self.norms,
            merges=self.merges,
            max_nodes=self.max_nodes,
            max_weights=self.max_weights,
        )


class LayerDag(SearchSpace):
    """Networks between the data's shape and a linear output; see `nas.layers` for what a node may do.

    A mutation changes a share `strength` of the layers, one at least.
    """

    Options = LayerDagOptions
    kind = LAYERS
    options: LayerDagOptions

    def initial(self, rng: np.random.Generator, *, size: float | None = None, density: float | None = None) -> Genome:
        """A chain of random layers with random skip connections; `size`: of layers, `density`: of skips.

        Raises:
            LayerError: ten of them have more weights than allowed, each of half as many layers as the one before.
        """
        options = self.options
        count = int(Range(low=options.nodes[0], high=options.nodes[1], integer=True).at(_or_drawn(size, rng)))
        share = float(Range(low=options.skips[0], high=options.skips[1]).at(_or_drawn(density, rng)))
        for _ in range(_ATTEMPTS):
            genome = _genome(self._drawn(count, share, rng))
            if genome.structure is not None and genome.structure.measures()["edges"] <= options.max_weights:
                return genome
            count = max(options.nodes[0], count // 2)
        assert genome.structure is not None
        raise LayerError(
            f"space.options.max_weights {options.max_weights} is too few for a network of {count} layers "
            f"({genome.structure.measures()['edges']:.0f} weights); allow more, or lower nodes and widths"
        )

    def unused_options(self, *, mutates: bool) -> Mapping[str, str]:
        """Sizes of convolutions where there is nothing to convolve over."""
        shape = self.options.input_shape or self._usual_shape()
        if len(shape) != 3:
            why = f"samples of shape {shape} have no positions to convolve over; delete it, or say what shape they have"
        elif min(self.options.kernels) > min(shape[1:]):
            sizes = ", ".join(map(str, self.options.kernels))
            why = f"none of {sizes} fits into samples of shape {shape}, so that all are of size 1; delete it"
        else:
            return {}
        return {"kernels": why}

    def _drawn(self, count: int, share: float, rng: np.random.Generator) -> LayerSpec:
        """A chain of so many layers with that share of its possible skips."""
        options, palette = self.options, self.options.palette
        spec = self._smallest()
        shape = spec.input_shape
        for k in range(count):
            last = spec.by_name["head"].inputs[0]
            spec = layers.insert_node(spec, last, "head", palette.node(f"layer{k + 1}", last, shape, rng))
            shape = layers.layer_shapes(spec)[f"layer{k + 1}"]
        names = [INPUT, *(f"layer{k + 1}" for k in range(count)), "head"]
        possible = [(names[a], names[b]) for b in range(2, len(names)) for a in range(b - 1)]
        for place in rng.permutation(len(possible))[: round(share * len(possible))].tolist():
            source, target = possible[place]
            spec = _with_skip(spec, source, target, rng, options.merges)
        return spec

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
        """Adds, removes, widens, narrows and replaces layers, adds and removes skips, changes merges and orders."""
        assert isinstance(genome.structure, LayerStructure)
        spec = genome.structure.spec
        prefix = "new" if next_id is None else f"t{next_id // first_id_of_trial(0) - 1}_"
        mutation = layers.mutate(
            spec,
            rng,
            count=max(1, round(strength * len(spec.nodes))),
            growth=growth,
            palette=self.options.palette,
            prefix=prefix,
        )
        structure = LayerStructure(mutation.spec)
        return replace(genome, dag=structure.dag, structure=structure), mutation.description

    def _smallest(self) -> LayerSpec:
        """The input, a mean over positions where there are any, and the linear output."""
        shape = self.options.input_shape or self._usual_shape()
        if math.prod(shape) != self.shape.n_inputs:
            raise LayerError(
                f"space.options.input_shape {shape} holds {math.prod(shape)} numbers, the data {self.shape.n_inputs}"
            )
        head = Node(name="head", op=GlobalPool()) if len(shape) > 1 else Node(name="head")
        output = Node(name="output", inputs=("head",), op=Linear(features=self.shape.n_outputs))
        return LayerSpec.of(shape, [head, output])

    def _usual_shape(self) -> tuple[int, ...]:
        period, n = self.shape.period, self.shape.n_inputs
        return (1, n // period, period) if period is not None and n % period == 0 and n > period else (n,)


def _with_skip(
    spec: LayerSpec, source: str, target: str, rng: np.random.Generator, merges: Sequence[MergeKind]
) -> LayerSpec:
    """One more skip connection, merged in any of the ways; in a sum where the node cannot read more channels."""
    merge = merges[int(rng.integers(len(merges)))]
    try:
        return layers.add_skip(layers.set_merge(spec, target, merge), source, target)
    except LayerError:  # attention, say, whose heads do not divide them
        if merge == "add":
            raise
    return layers.add_skip(layers.set_merge(spec, target, "add"), source, target)


def _genome(spec: LayerSpec) -> Genome:
    structure = LayerStructure(spec)
    return Genome(structure.dag, {}, structure)


def _or_drawn(position: float | None, rng: np.random.Generator) -> float:
    return float(rng.random()) if position is None else position


Space = LayerDag
