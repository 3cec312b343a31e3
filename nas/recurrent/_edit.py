"""Changes of a DAG that concern its memory: slots come and go, and outputs stay within reach of the data.

A memory slot is a pair of neurons: one of the last inputs, and the output at the same place among the last outputs.
"""

from __future__ import annotations

from itertools import compress

import numpy as np

from nas.errors import GraphError, UnreachableOutputError
from nas.graph import DAG

__all__ = [
    "check_memory",
    "grow_memory",
    "reach_outputs",
    "remember",
    "shrink_memory",
    "slot_edges",
    "unreached_outputs",
]


def check_memory(dag: DAG, memory: int) -> None:
    """Refuse a memory that leaves no input for data or no output for results, and results that no data reach.

    Raises:
        GraphError: see above.
        UnreachableOutputError: an output has no path from the data, not even over memory.
    """
    for count, role in ((dag.n_inputs, "input"), (dag.n_outputs, "output")):
        if not 0 <= memory < count:
            raise GraphError(
                f"memory must lie in 0…{count - 1}, so that of {count} {role}s one at least is not memory, "
                f"but is {memory}"
            )
    lost = unreached_outputs(dag, memory)
    if lost.size:
        names = ", ".join(dag.label(neuron) for neuron in lost[:10].tolist())
        raise UnreachableOutputError(
            f"every output must have a path from the data, over memory if need be, but there is none to {names}; "
            "add edges (nas.recurrent.reach_outputs does)"
        )


def unreached_outputs(dag: DAG, memory: int) -> np.ndarray:
    """Outputs that are not memory (their numbers) to which no path leads from the data in any number of steps."""
    reached = np.zeros(dag.n, dtype=np.bool_)
    reached[: dag.n_inputs - memory] = True
    while True:
        for neuron in range(dag.n_inputs, dag.n):
            reached[neuron] = reached[dag.sources[dag.in_ptr[neuron] : dag.in_ptr[neuron + 1]]].any()
        carried = reached[dag.n - memory :]
        slots = reached[dag.n_inputs - memory : dag.n_inputs]
        if not (carried & ~slots).any():
            break
        slots |= carried
    found: np.ndarray = np.flatnonzero(~reached[dag.first_output : dag.n - memory]) + dag.first_output
    return found


def reach_outputs(dag: DAG, memory: int, rng: np.random.Generator) -> DAG:
    """`dag`, where need be with an edge more to each output that the data do not reach, from an input at random."""
    lost = unreached_outputs(dag, memory)
    if not lost.size:
        return dag
    sources = rng.integers(dag.n_inputs - memory, size=lost.size)
    return dag.with_edges(np.concatenate([dag.edges, np.stack([sources, lost], axis=1).astype(np.int32)]))


def slot_edges(dag: DAG, memory: int) -> np.ndarray:
    """The number of the edge from each slot's input to its output, (memory,); -1 where there is none."""
    inputs = np.arange(dag.n_inputs - memory, dag.n_inputs)
    outputs = np.arange(dag.n - memory, dag.n)
    found = np.full(memory, -1, dtype=np.int64)
    for slot, (source, target) in enumerate(zip(inputs.tolist(), outputs.tolist(), strict=True)):
        start, end = dag.in_ptr[target : target + 2].tolist()
        place = np.flatnonzero(dag.sources[start:end] == source)
        if place.size:
            found[slot] = start + int(place[0])
    return found


def remember(dag: DAG, memory: int) -> DAG:
    """`dag` with an edge from every slot's input to its output, over which a value may stay as it is."""
    lacking = np.flatnonzero(slot_edges(dag, memory) < 0)
    new = np.stack([dag.n_inputs - memory + lacking, dag.n - memory + lacking], axis=1).astype(np.int32)
    return dag.with_edges(np.concatenate([dag.edges, new])) if lacking.size else dag


def grow_memory(dag: DAG, rng: np.random.Generator, *, edges: int = 2, next_id: int | None = None) -> DAG:
    """`dag` with one more memory slot, the last: an input, an output, the edge between them, and edges to others.

    Args:
        dag: the graph; its last outputs are memory or not.
        rng: draws where the edges lead.
        edges: out of the new input, and as many into the new output, beside the one between them.
        next_id: id of the new input, larger than all others; the output has the next one.

    Raises:
        GraphError: ``next_id`` is not larger than all ids.
    """
    first = int(dag.ids.max()) + 1 if next_id is None else next_id
    if first <= dag.ids.max():
        raise GraphError(f"next_id must be larger than every id of the graph ({dag.ids.max()}), but is {first}")
    source, target = dag.n_inputs, dag.n + 1
    old = dag.edges + (dag.edges >= dag.n_inputs)
    others = np.arange(source + 1, target)
    readers = rng.choice(others, size=min(edges, others.size), replace=False)
    written = np.delete(np.arange(dag.first_output + 1), source)
    writers = rng.choice(written, size=min(edges, written.size), replace=False)
    new = [(source, target), *((source, k) for k in readers.tolist()), *((k, target) for k in writers.tolist())]
    names = None
    if dag.names is not None:
        label = next(name for k in range(dag.n_inputs + 1) if (name := f"m{k}") not in dag.names)
        names = (*dag.names[: dag.n_inputs], label, *dag.names[dag.n_inputs :], f"{label}'")
    return DAG(
        dag.n_inputs + 1,
        dag.n_computational,
        dag.n_outputs + 1,
        np.concatenate([old, np.array(new)]),
        ids=np.concatenate([dag.ids[: dag.n_inputs], [first], dag.ids[dag.n_inputs :], [first + 1]]),
        names=names,
        allow_unreachable=dag.allow_unreachable,
        activations=None if dag.activations is None else ("", *dag.activations, ""),
    )


def shrink_memory(dag: DAG, memory: int, slot: int) -> DAG:
    """`dag` without one of its memory slots (0…memory - 1) and the edges of its two neurons.

    Raises:
        GraphError: there is no such slot.
        UnreachableOutputError: an output would lose its last path.
    """
    if not 0 <= slot < memory:
        raise GraphError(f"a slot must lie in 0…{memory - 1}, but is {slot}")
    keep = np.ones(dag.n, dtype=np.bool_)
    keep[[dag.n_inputs - memory + slot, dag.n - memory + slot]] = False
    number = np.cumsum(keep) - 1
    return DAG(
        dag.n_inputs - 1,
        dag.n_computational,
        dag.n_outputs - 1,
        number[dag.edges[keep[dag.edges].all(axis=1)]],
        ids=dag.ids[keep],
        names=None if dag.names is None else tuple(compress(dag.names, keep)),
        allow_unreachable=dag.allow_unreachable,
        activations=None if dag.activations is None else tuple(compress(dag.activations, keep)),
    )
