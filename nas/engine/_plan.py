"""A DAG compiled to the arrays that the kernels walk.

Glossary (n neurons, E live edges):
    in_ptr (n + 1,), sources (E,)           in-edges by target: the order of the forward pass
    out_ptr (n + 1,), targets (E,)          out-edges by source: the order of the backward pass
    out_edges (E,)                          for each out-edge its number in the forward order
    edge_numbers (E,)                       for each live edge its number in ``dag.edges``; None when all are live
    slots (E,)                              the inverse: for each in-edge its number in the backward order
    used_inputs (ceil(n_inputs / 16),)      which blocks of 16 inputs have any out-edge; the rest is never read
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numba import njit

from nas.engine._activations import activation_codes, needs_input
from nas.engine._dense import Dense, find_dense
from nas.engine._native import address_of
from nas.engine._tables import EDGES, SLOTS, STORED, WORDS_WITHOUT_RUNS
from nas.graph import DAG

__all__ = ["Plan", "compile_plan", "plan_of"]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Plan:
    """What the engine needs to know of a DAG; see the module's glossary. Read-only, shared between threads."""

    dag: DAG
    in_ptr: np.ndarray
    sources: np.ndarray
    out_ptr: np.ndarray
    targets: np.ndarray
    out_edges: np.ndarray
    used_inputs: np.ndarray
    edge_numbers: np.ndarray | None = None
    name: str = field(init=False, repr=False, default="")  # by which `plan_of` finds it; "" of a restricted one
    # Counts of the DAG and of its edges, live or not, which every pass asks for.
    n_inputs: int = field(init=False, repr=False)
    n_outputs: int = field(init=False, repr=False)
    n_edges: int = field(init=False, repr=False)  # the live ones
    weight_shape: tuple[int] = field(init=False, repr=False)  # of all edges, live or not
    bias_shape: tuple[int] = field(init=False, repr=False)
    slots: np.ndarray = field(init=False, repr=False)
    # For the kernels: the words of `nas.engine._tables`, and where these are.
    table: np.ndarray = field(init=False, repr=False)
    table_address: int = field(init=False, repr=False)
    # The `nas.engine._way.Way`s that passes have taken, by what they depend on; see there.
    ways: dict[tuple[Any, ...], Any] = field(init=False, repr=False, default_factory=dict)
    _codes: dict[str, tuple[int, bool, np.ndarray]] = field(init=False, repr=False, default_factory=dict)
    _dense: list[Dense | None] = field(init=False, repr=False, default_factory=list)  # empty until it is asked for

    def __post_init__(self) -> None:
        dag = self.dag
        object.__setattr__(self, "n_inputs", dag.n_inputs)
        object.__setattr__(self, "n_outputs", dag.n_outputs)
        object.__setattr__(self, "n_edges", self.sources.size)
        object.__setattr__(self, "weight_shape", (dag.n_edges,))
        object.__setattr__(self, "bias_shape", (dag.n - dag.n_inputs,))
        object.__setattr__(self, "slots", _inverse(self.out_edges))
        arrays = (self.in_ptr, self.sources, self.out_ptr, self.targets, self.out_edges, self.used_inputs, self.slots)
        sizes = (dag.n, dag.n_inputs, dag.n_outputs, self.sources.size)
        table = np.zeros(WORDS_WITHOUT_RUNS, np.int64)
        table[: SLOTS + 1] = [*sizes, *map(address_of, arrays)]
        table[STORED] = table[EDGES] = self.sources.size
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "table_address", address_of(table))

    def codes(self, activation: str) -> tuple[int, bool, np.ndarray]:
        """Of the neurons' activations: address of the kernels' codes, whether inputs must be kept, the codes (n,).

        Raises:
            ValueError: no activation of that name.
        """
        found = self._codes.get(activation)
        if found is None:
            array = activation_codes(self.dag, activation)
            found = self._codes[activation] = address_of(array), needs_input(self.dag, activation), array
        return found

    def dense(self) -> Dense | None:
        """How to walk dense parts faster, if there are enough; sought once, and not in a restricted plan."""
        if not self._dense:
            whole = self.edge_numbers is None
            self._dense.append(find_dense(self.dag, self.in_ptr, self.sources, self.used_inputs) if whole else None)
        return self._dense[0]

    def __reduce__(self) -> tuple[Any, ...]:
        if self.edge_numbers is None:
            return compile_plan, (self.dag,)  # cheaper to make again than to send
        return Plan, tuple(getattr(self, each.name) for each in fields(self) if each.init)

    def __deepcopy__(self, memo: dict[int, Any]) -> Plan:
        return self

    def restrict(self, live: np.ndarray) -> Plan:
        """The plan of the live edges only: one pass over the edges, nothing is recompiled.

        Args:
            live: bool (dag.n_edges,), in the order of ``dag.edges``.

        Raises:
            ValueError: the mask has another shape or type.
        """
        if live.shape != (self.dag.n_edges,) or live.dtype != np.bool_:
            raise ValueError(
                f"live must be a bool array of shape ({self.dag.n_edges},), one entry an edge of the DAG, "
                f"but is {live.dtype} of shape {live.shape}"
            )
        if self.edge_numbers is not None:
            raise ValueError("this plan is restricted already; restrict the plan of the whole DAG instead")
        return Plan(
            self.dag,
            *_restrict(self.in_ptr, self.sources, self.out_ptr, self.targets, self.out_edges, live, self.dag.n_inputs),
        )


@njit(cache=True, nogil=True)
def _restrict(in_ptr, sources, out_ptr, targets, out_edges, live, n_inputs):  # type: ignore[no-untyped-def]
    n = in_ptr.size - 1
    rank = np.empty(live.size, np.int32)
    count = 0
    for e in range(live.size):
        rank[e] = count
        if live[e]:
            count += 1
    new_in_ptr = np.empty(n + 1, np.int64)
    new_out_ptr = np.empty(n + 1, np.int64)
    new_sources = np.empty(count, np.int32)
    new_targets = np.empty(count, np.int32)
    new_out_edges = np.empty(count, np.int32)
    edge_numbers = np.empty(count, np.int32)
    k = 0
    for i in range(n):
        new_in_ptr[i] = k
        for e in range(in_ptr[i], in_ptr[i + 1]):
            if live[e]:
                new_sources[k] = sources[e]
                edge_numbers[k] = e
                k += 1
    new_in_ptr[n] = k
    k = 0
    for j in range(n):
        new_out_ptr[j] = k
        for q in range(out_ptr[j], out_ptr[j + 1]):
            e = out_edges[q]
            if live[e]:
                new_targets[k] = targets[q]
                new_out_edges[k] = rank[e]
                k += 1
    new_out_ptr[n] = k
    used = _used_blocks(new_out_ptr, n_inputs)
    return new_in_ptr, new_sources, new_out_ptr, new_targets, new_out_edges, used, edge_numbers


@njit(cache=True, nogil=True)
def _inverse(order):  # type: ignore[no-untyped-def]
    inverse = np.empty_like(order)
    for k in range(order.size):
        inverse[order[k]] = k
    return inverse


@njit(cache=True, nogil=True)
def _used_blocks(out_ptr, n_inputs):  # type: ignore[no-untyped-def]
    blocks = (n_inputs + 15) // 16
    used = np.empty(blocks, np.bool_)
    for block in range(blocks):
        used[block] = out_ptr[min(16 * block + 16, n_inputs)] > out_ptr[16 * block]
    return used


# A plan keeps its DAG alive, so it is the plan that must not be kept alive here.
_plans: WeakValueDictionary[DAG, Plan] = WeakValueDictionary()


def compile_plan(dag: DAG) -> Plan:
    """The plan of a DAG; compiled once for equal DAGs while it is in use."""
    plan = _plans.get(dag)
    if plan is None:
        out_ptr, order = dag.csc()
        plan = Plan(
            dag=dag,
            # Copies: read-only arrays are another type to numba, for which every kernel would be compiled again.
            in_ptr=np.array(dag.in_ptr, np.int64),
            sources=np.array(dag.sources, np.int32),
            out_ptr=np.array(out_ptr, np.int64),
            targets=dag.targets[order],
            out_edges=np.array(order, np.int32),
            used_inputs=_used_blocks(out_ptr, dag.n_inputs),
        )
        object.__setattr__(plan, "name", str(next(_names)))
        _plans[dag] = _named[plan.name] = plan
    return plan


_names = count()
_named: WeakValueDictionary[str, Plan] = WeakValueDictionary()


def plan_of(name: str) -> Plan:
    """The plan that has this name, in this process, while it is in use."""
    return _named[name]
