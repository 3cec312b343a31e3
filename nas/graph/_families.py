"""The classic families of random graphs as DAGs: each edge points from the earlier to the later neuron.

Every non-input neuron gets at least one in-edge from an earlier one, so each chain of them starts at an input: no
output is unreachable, and no repair changes the number of edges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.errors import GraphError
from nas.graph._cells import first_cells, sample_missing, usable_cells
from nas.graph._check import checked_count
from nas.graph._dag import DAG
from nas.graph._generators import checked_sizes, edge_count, random_dag
from nas.graph._kernels import Int64Array


def erdos_renyi(
    n_inputs: int, n_computational: int, n_outputs: int, *, probability: float, rng: np.random.Generator
) -> DAG:
    """Each usable cell is an edge with the same probability, independently (Erdős and Rényi 1959, G(n, p)).

    Exact but for outputs that no input reaches: those get an edge in place of another one (see `random_dag`).
    """
    sizes = checked_sizes(n_inputs, n_computational, n_outputs)
    _check_share("probability", probability)
    count = int(rng.binomial(usable_cells(*sizes), probability))
    return random_dag(*sizes, n_edges=max(count, n_outputs), rng=rng)


def barabasi_albert(
    n_inputs: int, n_computational: int, n_outputs: int, *, fan_in: int, rng: np.random.Generator
) -> DAG:
    """Preferential attachment (Barabási and Albert 1999): neurons arrive in order and read ``fan_in`` earlier ones.

    An earlier neuron is chosen with probability proportional to its degree + 1. Neurons with fewer candidates than
    ``fan_in`` read all of them. Time grows with the square of the neurons.
    """
    sizes = checked_sizes(n_inputs, n_computational, n_outputs)
    fan_in = checked_count("fan_in", fan_in, 1)
    degree = np.zeros(sum(sizes))
    chosen = []
    for target, available in _readers(sizes):
        take = min(fan_in, available)
        # The largest keys draw without replacement, proportional to degree + 1 (Gumbel-top-k).
        key = np.log(degree[:available] + 1) + rng.gumbel(size=available)
        sources = np.argpartition(key, available - take)[available - take :]
        degree[sources] += 1
        degree[target] += take
        chosen.append(_pairs(sources, target))
    return DAG(*sizes, np.concatenate(chosen))


def watts_strogatz(
    n_inputs: int,
    n_computational: int,
    n_outputs: int,
    *,
    fan_in: int,
    rewiring: float,
    rng: np.random.Generator,
) -> DAG:
    """A small world (Watts and Strogatz 1998): neurons read the ``fan_in`` nearest predecessors, some rewired.

    Args:
        n_inputs: at least 1.
        n_computational: at least 0.
        n_outputs: at least 1.
        fan_in: in-edges of a neuron; neurons with fewer candidates read all of them.
        rewiring: probability of each edge to come from a uniformly drawn earlier neuron instead, in [0, 1].
        rng: source of chance.
    """
    sizes = checked_sizes(n_inputs, n_computational, n_outputs)
    fan_in = checked_count("fan_in", fan_in, 1)
    _check_share("rewiring", rewiring)
    chosen = []
    for target, available in _readers(sizes):
        take = min(fan_in, available)
        near = np.arange(available - take, available)
        stay = near[rng.random(take) >= rewiring]
        other = sample_missing(stay, available, take - stay.size, rng)
        chosen.append(_pairs(np.concatenate([stay, other]), target))
    return DAG(*sizes, np.concatenate(chosen))


def layered(
    sizes: Sequence[int], *, density: float = 1.0, shortcuts: float = 0.0, rng: np.random.Generator | None = None
) -> DAG:
    """The ordinary multilayer network, perhaps thinned out and with edges that skip layers.

    Args:
        sizes: neurons of each layer, inputs first, outputs last; at least two layers.
        density: share of the cells between consecutive layers that are edges, in [0, 1] (each neuron keeps at least
            one in-edge).
        shortcuts: share of the cells between layers further apart that are edges, in [0, 1].
        rng: source of chance; needed unless density is 1 and shortcuts 0 or 1.
    """
    layers = [checked_count(f"sizes[{number}]", size, 1) for number, size in enumerate(sizes)]
    if len(layers) < 2:
        raise GraphError(f"sizes must hold at least two layers, inputs and outputs, but is {list(sizes)}")
    _check_share("density", density)
    _check_share("shortcuts", shortcuts)
    if rng is None and (density < 1 or 0 < shortcuts < 1):
        raise GraphError("a thinned-out network is random: pass rng")
    generator = rng if rng is not None else np.random.default_rng(0)  # draws everything or nothing
    start = np.concatenate([[0], np.cumsum(layers)])
    nothing = np.empty(0, dtype=np.int64)
    pieces = []
    for layer in range(1, len(layers)):
        width, height = layers[layer - 1], layers[layer]
        cells = width * height  # cell = target * width + source, both within their layers
        first = np.arange(height) * width + generator.integers(width, size=height)
        rest = sample_missing(first, cells, max(round(density * cells), height) - height, generator)
        chosen = np.concatenate([first, rest])
        pieces.append(np.stack([start[layer - 1] + chosen % width, start[layer] + chosen // width], axis=1))
    pairs = [(a, b) for b in range(2, len(layers)) for a in range(b - 1)]
    ends = np.cumsum([layers[a] * layers[b] for a, b in pairs], dtype=np.int64)
    if ends.size:
        total = int(ends[-1])
        chosen = sample_missing(nothing, total, round(shortcuts * total), generator)
        block = np.searchsorted(ends, chosen, side="right")
        within = chosen - np.concatenate([[0], ends])[block]
        low, high = np.array(pairs)[block].T
        width_of = np.array(layers)[low]
        pieces.append(np.stack([start[low] + within % width_of, start[high] + within // width_of], axis=1))
    return DAG(layers[0], sum(layers[1:-1]), layers[-1], np.concatenate(pieces))


def banded(
    n_inputs: int,
    n_computational: int,
    n_outputs: int,
    *,
    n_edges: int | None = None,
    density: float | None = None,
    period: int | None = None,
    jitter: float | None = None,
    rng: np.random.Generator,
) -> DAG:
    """Each neuron reads the cells nearest to a centre that moves along with it: the locality of the manifold.

    The displacement of neuron i from source j is p = j - i + offset_i - mu_i with offset_i going linearly from n_inputs
    (first computational neuron) to n_outputs (last output), as in the closeness function, so the first neurons read the
    first inputs and the last output the last computational neuron. With a ``period``, p = dx + period * dy, and
    distance is measured in the plane: receptive fields in images of that width.

    Args:
        n_inputs: at least 1.
        n_computational: at least 0.
        n_outputs: at least 1.
        n_edges: exact number of edges, at least one a non-input neuron, shared out evenly; or
        density: the same as a share of the usable cells, in [0, 1].
        period: row width of the data, None without geometry.
        jitter: standard deviation of mu_i; half a period by default, or 0 without period.
        rng: source of chance.
    """
    sizes = checked_sizes(n_inputs, n_computational, n_outputs)
    readers = n_computational + n_outputs
    total = usable_cells(*sizes)
    count = edge_count(n_edges, density, minimum=readers, total=total)
    if period is not None:
        period = checked_count("period", period, 1)
    spread = (0.0 if period is None else period / 2) if jitter is None else jitter
    if not 0 <= spread < np.inf:
        raise GraphError(f"jitter must be finite and >= 0, but is {jitter}")
    take = _shared_out(count, np.diff(first_cells(*sizes)), rng)
    centre = np.arange(readers) + n_inputs - np.linspace(n_inputs, n_outputs, readers)
    centre = centre + rng.normal(0, 1, readers) * spread
    chosen = []
    for (target, available), k, middle in zip(_readers(sizes), take.tolist(), centre, strict=True):
        p = np.arange(available) - min(max(middle, 0), available - 1)
        row = np.zeros(available) if period is None else np.round(p / period)
        distance = (p - row * (period or 0)) ** 2 + row**2
        chosen.append(_pairs(np.argpartition(distance, k - 1)[:k], target))
    return DAG(*sizes, np.concatenate(chosen))


def _readers(sizes: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Each non-input neuron with the number of neurons that it may read (these are 0, 1, …)."""
    first_output = sizes[0] + sizes[1]
    return [(neuron, min(neuron, first_output)) for neuron in range(sizes[0], sum(sizes))]


def _pairs(sources: Int64Array, target: int) -> Int64Array:
    return np.stack([sources, np.full(sources.size, target)], axis=1)


def _shared_out(count: int, available: Int64Array, rng: np.random.Generator) -> Int64Array:
    """``count`` over neurons as evenly as ``available`` (each) permits; who gets the odd one is drawn."""
    low, high = 1, int(available.max())
    while low < high:  # the largest equal share that count covers
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(available, middle).sum() <= count else (low, middle - 1)
    result = np.minimum(available, low)
    open_ = np.flatnonzero(available > low)
    result[rng.choice(open_, size=count - int(result.sum()), replace=False)] += 1
    return result


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise GraphError(f"{name} must lie in [0, 1], but is {value}")
