"""A network of layers as the structure of a genome: what a search mutates, a worker builds and a store keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from nas.errors import LayerError
from nas.graph import DAG
from nas.layers._inherit import Arrays, inherit_layers
from nas.layers._layer_dag import LayerDAG
from nas.layers._spec import LayerSpec

__all__ = ["LayerStructure"]


@dataclass(frozen=True, slots=True)
class LayerStructure:
    """See `nas.training.Structure`. Every `Module` in the specification has a path.

    Raises:
        LayerError: the specification has several outputs, and a search trains one.
    """

    spec: LayerSpec

    kind: ClassVar[str] = "layers"

    def __post_init__(self) -> None:
        if not isinstance(self.spec.output, str):
            raise LayerError(f"a structure that is searched has one output, but this has {list(self.spec.output)}")

    @property
    def dag(self) -> DAG:
        """The layers as a graph."""
        return self.spec.dag

    def to_json(self) -> str:
        """Text for `from_json`."""
        return self.spec.to_json()

    @classmethod
    def from_json(cls, text: str) -> LayerStructure:
        """See `LayerSpec.from_json`."""
        return cls(LayerSpec.from_json(text))

    def build(self, seed: int) -> LayerDAG:
        """The network with weights drawn from `seed`."""
        return LayerDAG(self.spec, seed=seed, flat=True)

    def inherit(self, parent: Any, arrays: Arrays, seed: int) -> dict[str, np.ndarray] | None:
        """See `inherit_layers`; None where the parent is no network of layers."""
        return inherit_layers(parent.spec, arrays, self.spec, seed) if isinstance(parent, LayerStructure) else None

    def measures(self) -> dict[str, float]:
        """Edges (weights in matrices and kernels), density (of the graph of layers), depth (layers with weights on the
        longest path) and neurons (numbers that all nodes but the output emit for a sample).
        """
        with torch.device("meta"):
            network = LayerDAG(self.spec)
        return {
            "edges": float(network.n_weights),
            "density": self.dag.density,
            "depth": float(network.depth),
            "neurons": float(network.n_units),
        }
