"""A plan as a block of GPU threads walks it: neurons by level, levels merged into groups, edges by kind.

The numbering is another than the DAG's: neurons that are no inputs are 0 … m - 1, by level, outputs last; the inputs
that anything reads are slots 0 … n_slots - 1. ``neuron_order`` and ``edge_order`` lead back. How the groups are walked
is told in ``source/walk.cuh``.

A level of its own barrier for every neuron of a deep graph would leave the multiprocessor idle, so levels are merged
until the edges inside a group, which one warp walks alone, cost about as much as the barrier they save.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit

from nas.graph import DAG

__all__ = ["INNER_BUDGET", "Schedule", "schedule_of"]

INNER_BUDGET = 128  # of a group, in edges
_NEURON_COST = 6  # edges in whose time a neuron of the serial walk is finished (its activation, store and load)


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """What the kernels need to know of a DAG; all arrays int32, read-only. E edges, m neurons that are no inputs."""

    neuron_order: np.ndarray  # (m,) old number - n_inputs of each
    edge_order: np.ndarray  # (E,) number in dag.edges of each
    slot_input: np.ndarray  # (n_slots,) input of each slot
    group_ptr: np.ndarray  # (n_groups + 1,) first neuron of each group
    group_ahead: np.ndarray  # (n_groups,) its first neuron with an in-edge from inside it
    group_back: np.ndarray  # (n_groups,) behind its last neuron with an out-edge to inside it
    row_ptr: np.ndarray  # (m + 1,) in-edges by target
    sources: np.ndarray  # (E,) slot, or n_slots + neuron; ascending in each row
    outer_ptr: np.ndarray  # (m,) behind the row's last edge from an input
    earlier_ptr: np.ndarray  # (m,) behind its last edge from an earlier group
    column_ptr: np.ndarray  # (m + 1,) out-edges by source, inputs not among them
    column_targets: np.ndarray  # ascending in each column
    column_edges: np.ndarray  # their numbers as in-edges
    inner_ptr: np.ndarray  # (m,) behind the column's last edge to its own group
    later_ptr: np.ndarray  # (m,) behind its last edge to a later group but the outputs
    input_ptr: np.ndarray  # (n_slots + 1,) out-edges of the inputs
    input_targets: np.ndarray
    input_edges: np.ndarray

    @property
    def m(self) -> int:
        """Neurons that are no inputs."""
        return int(self.neuron_order.size)

    @property
    def n_slots(self) -> int:
        """Inputs that some edge reads."""
        return int(self.slot_input.size)

    @property
    def n_groups(self) -> int:
        """Groups of neurons, that of the outputs included."""
        return int(self.group_ahead.size)


@njit(cache=True, nogil=True)
def _groups(in_ptr, sources, first_output, budget, neuron_cost):  # type: ignore[no-untyped-def]
    """First neuron of each group of 0 … first_output - 1; rows as in the schedule, sources below 0 are inputs."""
    starts = np.empty(first_output + 1, np.int32)
    count, first, cost, waiting = 0, 0, 0, False
    for i in range(first_output):
        inner = 0
        for e in range(in_ptr[i], in_ptr[i + 1]):
            inner += sources[e] >= first
        waiting = waiting or inner > 0
        more = inner + neuron_cost if waiting else 0
        if cost + more > budget:
            starts[count] = first
            count += 1
            first, cost, waiting = i, 0, False
        else:
            cost += more
    if first_output > 0:
        starts[count] = first
        count += 1
    return starts[:count]


@njit(cache=True, nogil=True)
def _sorted_by(keys, order, count):  # type: ignore[no-untyped-def]
    """``order`` sorted by the keys of its elements, equal ones as they were; where each key's begin. Keys < count."""
    pointer = np.zeros(count + 1, np.int32)
    for key in keys:
        pointer[key + 1] += 1
    pointer = np.cumsum(pointer).astype(np.int32)
    filled, result = pointer[:-1].copy(), np.empty(order.size, np.int32)
    for e in order:
        result[filled[keys[e]]] = e
        filled[keys[e]] += 1
    return result, pointer


@njit(cache=True, nogil=True)
def _arranged(n_inputs, computational, levels, old_sources, old_targets, budget, neuron_cost):  # type: ignore[no-untyped-def]
    m, n_edges = levels.size, old_sources.size
    place = np.empty(m, np.int32)
    neuron_order = np.arange(m).astype(np.int32)
    neuron_order[:computational] = _sorted_by(
        levels[:computational], np.arange(computational).astype(np.int32), m + n_inputs + 1
    )[0]
    for i in range(m):
        place[neuron_order[i]] = i
    slot_of = np.full(n_inputs, -1, np.int32)
    for source in old_sources:
        if source < n_inputs:
            slot_of[source] = 0
    slot_input = np.flatnonzero(slot_of == 0).astype(np.int32)
    slots = slot_input.size
    slot_of[slot_input] = np.arange(slots).astype(np.int32)
    sources, targets = np.empty(n_edges, np.int32), np.empty(n_edges, np.int32)
    for e in range(n_edges):
        source = old_sources[e]
        sources[e] = slot_of[source] if source < n_inputs else slots + place[source - n_inputs]
        targets[e] = place[old_targets[e] - n_inputs]
    edge_order = _sorted_by(sources, np.arange(n_edges).astype(np.int32), slots + m)[0]
    edge_order, row_ptr = _sorted_by(targets, edge_order, m)
    sources, targets = sources[edge_order], targets[edge_order]
    starts = _groups(row_ptr, sources - slots, computational, budget, neuron_cost)
    n_groups = starts.size + 1
    group_ptr = np.empty(n_groups + 1, np.int32)
    group_ptr[: starts.size] = starts
    group_ptr[starts.size], group_ptr[n_groups] = computational, m
    group = np.empty(m, np.int32)
    for k in range(n_groups):
        group[group_ptr[k] : group_ptr[k + 1]] = k
    ahead, back = group_ptr[1:].copy(), group_ptr[:-1].copy()
    outer_ptr, earlier_ptr = row_ptr[:-1].copy(), row_ptr[:-1].copy()
    for e in range(n_edges):
        source, target = sources[e] - slots, targets[e]
        outer_ptr[target] += source < 0
        if source >= 0 and group[source] == group[target]:
            ahead[group[target]] = min(ahead[group[target]], target)
            back[group[target]] = max(back[group[target]], source + 1)
        else:
            earlier_ptr[target] += 1
    by_source, pointer = _sorted_by(sources, np.arange(n_edges).astype(np.int32), slots + m)
    from_input = pointer[slots]
    input_edges, column_edges = by_source[:from_input].copy(), by_source[from_input:].copy()
    column_ptr = pointer[slots:] - from_input
    column_targets = targets[column_edges]
    inner_ptr, later_ptr = column_ptr[:-1].copy(), column_ptr[:-1].copy()
    for j in range(m):
        for q in range(column_ptr[j], column_ptr[j + 1]):
            inner_ptr[j] += group[column_targets[q]] == group[j]
            later_ptr[j] += column_targets[q] < computational
    return (
        neuron_order, edge_order, slot_input, group_ptr, ahead, back, row_ptr, sources, outer_ptr, earlier_ptr,
        column_ptr, column_targets, column_edges, inner_ptr, later_ptr, pointer[: slots + 1].copy(),
        targets[input_edges], input_edges,
    )  # fmt: skip


def _make(dag: DAG, budget: int) -> Schedule:
    levels, sources, targets = dag.levels()[dag.n_inputs :], dag.sources, dag.targets
    arrays = _arranged(dag.n_inputs, dag.n_computational, levels, sources, targets, budget, _NEURON_COST)
    return Schedule(*arrays)


_schedules: WeakKeyDictionary[DAG, Schedule] = WeakKeyDictionary()


def schedule_of(dag: DAG, budget: int | None = None) -> Schedule:
    """The schedule of a DAG; made once for equal DAGs while one of them is alive.

    Args:
        budget: edges inside a group, where it is not the usual one (`INNER_BUDGET`); then made anew.
    """
    if budget is not None:
        return _make(dag, budget)
    schedule = _schedules.get(dag)
    if schedule is None:
        schedule = _schedules[dag] = _make(dag, INNER_BUDGET)
    return schedule
