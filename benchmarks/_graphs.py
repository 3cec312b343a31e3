"""The graphs that are measured: families of random DAGs at given density, and DAGs of one depth, window or width."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from nas.graph import DAG, banded, barabasi_albert, erdos_renyi, random_dag, watts_strogatz

__all__ = ["FAMILIES", "Family", "GraphSpec", "build", "of_depth", "random_of", "within_window"]

Family = Literal["erdos_renyi", "barabasi_albert", "watts_strogatz", "banded"]
FAMILIES: dict[Family, str] = {
    "erdos_renyi": "Erdős–Rényi",
    "barabasi_albert": "Barabási–Albert",
    "watts_strogatz": "Watts–Strogatz",
    "banded": "banded",
}
_INPUTS = {1_000: 64, 5_000: 256, 20_000: 784}
_OUTPUTS = 10


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """A family with a number of computational neurons and a density (live edges / usable cells)."""

    family: Family
    computational: int
    density: float

    @property
    def sizes(self) -> tuple[int, int, int]:
        inputs = _INPUTS.get(self.computational, max(1, self.computational // 16))
        return inputs, self.computational, _OUTPUTS


@lru_cache(maxsize=2)  # neighbours in the grid differ in their batch only
def build(spec: GraphSpec) -> DAG:
    """The DAG of a specification; always the same one."""
    rng = np.random.default_rng([spec.computational, round(1e4 * spec.density)])
    sizes = spec.sizes
    readers = sizes[1] + sizes[2]
    usable = sum(min(i, sizes[0] + sizes[1]) for i in range(sizes[0], sum(sizes)))
    match spec.family:
        case "erdos_renyi":
            return erdos_renyi(*sizes, probability=spec.density, rng=rng)
        case "banded":
            return banded(*sizes, density=spec.density, rng=rng)
        case "barabasi_albert":
            return barabasi_albert(*sizes, fan_in=max(1, round(spec.density * usable / readers)), rng=rng)
        case "watts_strogatz":
            fan_in = max(1, round(spec.density * usable / readers))
            return watts_strogatz(*sizes, fan_in=fan_in, rewiring=0.2, rng=rng)


def random_of(computational: int, n_edges: int, *, inputs: int = 64, outputs: int = 10) -> DAG:
    """Edges drawn uniformly from the usable cells."""
    rng = np.random.default_rng([computational, n_edges])
    return random_dag(inputs, computational, outputs, n_edges=n_edges, rng=rng)


def of_depth(computational: int, depth: int, fan_in: int, *, inputs: int = 64, outputs: int = 10) -> DAG:
    """Computational neurons in ``depth`` layers of equal size: the same edges, neurons and fan-in at any depth.

    Each neuron reads one neuron of the layer before and ``fan_in - 1`` others from any layer before; ``depth`` equal to
    ``computational`` and ``fan_in`` 1 make a chain. Outputs read the last computational neurons.
    """
    rng = np.random.default_rng([computational, depth, fan_in])
    starts = inputs + np.linspace(0, computational, depth + 1).round().astype(np.int64)
    pieces = []
    below, first, end = 0, inputs, inputs  # the layer before is below … first - 1
    for layer in range(depth):
        first, end = int(starts[layer]), int(starts[layer + 1])
        for i in range(first, end):
            spine = int(rng.integers(below, first))
            others = rng.choice(first - 1, fan_in - 1, replace=False) if fan_in > 1 else np.empty(0, np.int64)
            sources = np.append(others + (others >= spine), spine)
            pieces.append(np.stack([sources, np.full(fan_in, i)], axis=1))
        below = first
    for i in range(end, end + outputs):
        pieces.append(np.stack([np.arange(end - fan_in, end), np.full(fan_in, i)], axis=1))
    return DAG(inputs, computational, outputs, np.concatenate(pieces))


def within_window(computational: int, window: int, fan_in: int, *, inputs: int = 64, outputs: int = 10) -> DAG:
    """Each neuron reads ``fan_in`` of the ``window`` neurons before it: the same work in a working set of any size."""
    rng = np.random.default_rng([computational, window, fan_in])
    first_output = inputs + computational
    pieces = []
    for i in range(inputs, first_output + outputs):
        end = min(i, first_output)
        reach = min(window, end)
        sources = end - 1 - rng.choice(reach, min(fan_in, reach), replace=False)
        pieces.append(np.stack([sources, np.full(sources.size, i)], axis=1))
    return DAG(inputs, computational, outputs, np.concatenate(pieces))
