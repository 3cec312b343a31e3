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

    dag: DAG
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


def _make(dag: DAG, budget: int) -> Schedule:
    n_inputs, computational, m = dag.n_inputs, dag.n_computational, dag.n - dag.n_inputs
    levels = dag.levels()[n_inputs : dag.first_output]
    neuron_order = np.concatenate([np.argsort(levels, kind="stable"), np.arange(computational, m)])
    place = np.empty(m, np.int64)
    place[neuron_order] = np.arange(m)
    old_sources, old_targets = dag.sources.astype(np.int64), dag.targets.astype(np.int64)
    read = np.zeros(n_inputs, bool)
    read[old_sources[old_sources < n_inputs]] = True
    slot_input = np.flatnonzero(read)
    slots = slot_input.size
    name = np.concatenate([np.cumsum(read) - 1, slots + place])  # of every old neuron
    targets, sources = place[old_targets - n_inputs], name[old_sources]
    edge_order = np.lexsort((sources, targets))
    targets, sources = targets[edge_order], sources[edge_order]
    row_ptr = np.searchsorted(targets, np.arange(m + 1))
    starts = _groups(row_ptr, sources - slots, computational, budget, _NEURON_COST)
    group_ptr = np.concatenate([starts, [computational, m]] if computational else [[0, m]])
    group = np.searchsorted(group_ptr, np.arange(m), side="right") - 1
    inner = (sources >= slots) & (group[np.maximum(sources - slots, 0)] == group[targets])
    earlier_ptr = row_ptr[1:] - np.bincount(targets[inner], minlength=m)
    outer_ptr = row_ptr[:-1] + np.bincount(targets[sources < slots], minlength=m)
    ahead, back = group_ptr[1:].copy(), group_ptr[:-1].copy()
    np.minimum.at(ahead, group[targets[inner]], targets[inner])
    np.maximum.at(back, group[targets[inner]], sources[inner] - slots + 1)
    by_source = np.lexsort((targets, sources))
    from_input = int((sources < slots).sum())
    input_edges, column_edges = by_source[:from_input], by_source[from_input:]
    column_sources, column_targets = sources[column_edges] - slots, targets[column_edges]
    column_ptr = np.searchsorted(column_sources, np.arange(m + 1))
    same = group[column_sources] == group[column_targets]
    inner_ptr = column_ptr[:-1] + np.bincount(column_sources[same], minlength=m)
    later_ptr = column_ptr[:-1] + np.bincount(column_sources[column_targets < computational], minlength=m)
    arrays = [
        neuron_order, edge_order, slot_input, group_ptr, ahead, back, row_ptr, sources, outer_ptr, earlier_ptr,
        column_ptr, column_targets, column_edges, inner_ptr, later_ptr,
        np.searchsorted(sources[input_edges], np.arange(slots + 1)), targets[input_edges], input_edges,
    ]  # fmt: skip
    return Schedule(dag, *(np.ascontiguousarray(array, np.int32) for array in arrays))


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
