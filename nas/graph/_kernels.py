"""The loops over edges that numpy cannot express, compiled once and cached on disk.

All of them rely on the order of a DAG's edges (by target, then source, and source < target): when the edges of
target t are visited, everything before t is already final, so one pass over the edges is enough whatever the depth.
``topological_order`` and ``group`` are the exceptions: they take edges in any order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba  # type: ignore[import-untyped,unused-ignore]
import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """``numba.njit`` that keeps the signature for the type checker."""
    return cast(Function, numba.njit(cache=True)(function))


@_compiled
def reached(sources: Int32Array, targets: Int32Array, seeds: BoolArray) -> BoolArray:
    """Which neurons have a path from any neuron of ``seeds`` (n,), the seeds included."""
    flags = seeds.copy()
    for edge in range(sources.size):
        if flags[sources[edge]]:
            flags[targets[edge]] = True
    return flags


@_compiled
def leading(sources: Int32Array, targets: Int32Array, seeds: BoolArray) -> BoolArray:
    """Which neurons have a path to any neuron of ``seeds`` (n,), the seeds included."""
    flags = seeds.copy()
    for edge in range(sources.size - 1, -1, -1):
        if flags[targets[edge]]:
            flags[sources[edge]] = True
    return flags


@_compiled
def longest_paths(sources: Int32Array, targets: Int32Array, n: int) -> Int32Array:
    """Length in edges of the longest path that ends in each neuron, (n,)."""
    level = np.zeros(n, dtype=np.int32)
    for edge in range(sources.size):
        candidate = level[sources[edge]] + 1
        if candidate > level[targets[edge]]:
            level[targets[edge]] = candidate
    return level


@_compiled
def group(keys: Int32Array, n: int) -> tuple[Int64Array, Int64Array]:
    """Counting sort: ``order[pointer[k]:pointer[k + 1]]`` are the positions of key k in ``keys``, ascending."""
    pointer = np.zeros(n + 1, dtype=np.int64)
    for position in range(keys.size):
        pointer[keys[position] + 1] += 1
    for key in range(n):
        pointer[key + 1] += pointer[key]
    free = pointer[:-1].copy()
    order = np.empty(keys.size, dtype=np.int64)
    for position in range(keys.size):
        key = keys[position]
        order[free[key]] = position
        free[key] += 1
    return pointer, order


@_compiled
def topological_order(sources: Int32Array, targets: Int32Array, rank: Int64Array) -> Int64Array:
    """Kahn's algorithm that always takes the ready neuron of smallest ``rank`` (a permutation of 0..n-1).

    Returns the neurons in order; shorter than n when there is a cycle (the missing ones are on or behind it).
    With rank = 0..n-1 an order that is already topological comes back unchanged.
    """
    n = rank.size
    pointer, order = group(sources, n)
    waiting = np.zeros(n, dtype=np.int64)
    for edge in range(targets.size):
        waiting[targets[edge]] += 1
    neuron_of = np.empty(n, dtype=np.int64)
    for neuron in range(n):
        neuron_of[rank[neuron]] = neuron
    ready = [np.int64(0) for _ in range(0)]
    for place in range(n):  # ascending, hence a heap already
        if waiting[neuron_of[place]] == 0:
            ready.append(np.int64(place))
    result = np.empty(n, dtype=np.int64)
    count = 0
    while len(ready) > 0:
        neuron = neuron_of[heapq.heappop(ready)]
        result[count] = neuron
        count += 1
        for position in range(pointer[neuron], pointer[neuron + 1]):
            target = targets[order[position]]
            waiting[target] -= 1
            if waiting[target] == 0:
                heapq.heappush(ready, rank[target])
    return result[:count]


@_compiled
def supporting_edges(
    sources: Int32Array, targets: Int32Array, reach: BoolArray, n_inputs: int, first_output: int, key: FloatArray
) -> BoolArray:
    """A set of edges (E,) that alone keeps every reached output reachable: one in-edge for each neuron it needs.

    ``reach`` (n,) says which neurons have a path from an input; of the usable in-edges that of smallest ``key`` (E,)
    is taken, so random keys give a random set in which any dispensable edge may be missing.
    """
    n = reach.size
    best = np.full(n, -1, dtype=np.int64)
    for edge in range(sources.size):
        if reach[sources[edge]]:
            target = targets[edge]
            if best[target] < 0 or key[edge] < key[best[target]]:
                best[target] = edge
    needed = np.zeros(n, dtype=np.bool_)
    chosen = np.zeros(sources.size, dtype=np.bool_)
    for neuron in range(n - 1, n_inputs - 1, -1):
        if best[neuron] >= 0 and (neuron >= first_output or needed[neuron]):
            chosen[best[neuron]] = True
            needed[sources[best[neuron]]] = True
    return chosen
