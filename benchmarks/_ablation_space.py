"""A space of one family and one width, for a search that chooses nothing but hyperparameters and size."""

from __future__ import annotations

from typing import Final

import numpy as np

from nas import graph
from nas.search_spaces.neuron_dag import NeuronDag
from nas.training import Genome

__all__ = ["OneFamily"]

_WIDTH: Final = 40  # hidden neurons; the recipe's best at most sizes (benchmarks/_reference_recipe.py)


class OneFamily(NeuronDag):
    """One hidden layer of so many neurons, complete, with edges from the inputs to the outputs: always the same."""

    def large(self, rng: np.random.Generator, *, edges: int | None = None, like: Genome | None = None) -> Genome:
        """That network, however many ``edges`` will be left of it."""
        sizes = self.shape.n_inputs, _WIDTH, self.shape.n_outputs
        origin = f"layer of {_WIDTH} neurons and shortcuts"
        return Genome(graph.layered(sizes, density=1.0, shortcuts=1.0), dict(self.fixed), origin=origin)
