"""Topological order of arbitrary edges, and the cycle that makes it impossible."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from nas.errors import CycleError
from nas.graph._kernels import Int32Array, Int64Array, group, topological_order

SHOWN = 8  # neurons named in full by a message; longer lists and cycles are cut


def sorted_neurons(sources: Int32Array, targets: Int32Array, n: int, label: Callable[[int], str] = str) -> Int64Array:
    """Neurons (n,) in the topological order that is nearest to their numbering.

    Raises:
        CycleError: the edges have a cycle; the message names it with ``label``.
    """
    order = topological_order(sources, targets, np.arange(n, dtype=np.int64))
    if order.size < n:
        raise cycle_error(find_cycle(sources, targets, n, order), label)
    return order


def find_cycle(sources: Int32Array, targets: Int32Array, n: int, order: Int64Array) -> list[int]:
    """A cycle [a, b, …, a] among the neurons that Kahn's algorithm could not place in ``order``."""
    left = np.ones(n, dtype=np.bool_)
    left[order] = False
    inside = left[sources] & left[targets]
    pointer, grouped = group(np.ascontiguousarray(targets[inside]), n)
    inner_sources = sources[inside]
    # Every neuron left over has an in-edge from another one, so walking backwards must meet itself.
    neuron = int(np.flatnonzero(left)[0])
    seen: dict[int, int] = {}
    walk: list[int] = []
    while neuron not in seen:
        seen[neuron] = len(walk)
        walk.append(neuron)
        neuron = int(inner_sources[grouped[pointer[neuron]]])
    cycle = walk[seen[neuron] :][::-1]
    return [cycle[-1], *cycle]


def find_path(sources: Int32Array, targets: Int32Array, n: int, start: int, end: int) -> list[int] | None:
    """A shortest path [start, …, end], or None."""
    pointer, grouped = group(sources, n)
    came_from = {start: start}
    queue = deque([start])
    while queue:
        neuron = queue.popleft()
        if neuron == end:
            path = [end]
            while path[-1] != start:
                path.append(came_from[path[-1]])
            return path[::-1]
        for edge in grouped[pointer[neuron] : pointer[neuron + 1]]:
            target = int(targets[edge])
            if target not in came_from:
                came_from[target] = neuron
                queue.append(target)
    return None


def cycle_error(cycle: Sequence[int], label: Callable[[int], str] = str) -> CycleError:
    """The error for a cycle [a, b, …, a]."""
    if len(cycle) == 2:
        return CycleError(
            f"a graph must be acyclic, but neuron {label(cycle[0])} has an edge to itself; remove that edge"
        )
    shown = [label(neuron) for neuron in cycle]
    if len(shown) > 2 * SHOWN:
        shown = [*shown[:SHOWN], "…", *shown[-2:]]
    return CycleError(
        f"a graph must be acyclic, but {len(cycle) - 1} edges close the cycle {'->'.join(shown)}; remove one of them"
    )


def listed(names: Sequence[str]) -> str:
    """Names for a message, cut after a few."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
