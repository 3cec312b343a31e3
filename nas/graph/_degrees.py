"""Random DAGs whose neurons have at most so many in-edges and so many out-edges."""

from __future__ import annotations

import numpy as np
from numba import njit

from nas.errors import GraphError
from nas.graph._cells import edges_of_cells, first_cells, usable_cells
from nas.graph._check import checked_count
from nas.graph._dag import DAG
from nas.graph._generators import checked_sizes, edge_count
from nas.graph._kernels import Int64Array

_ATTEMPTS = 20  # a random choice may block the last edges; another one seldom does
_PASSES = 20


def degree_limited(
    n_inputs: int,
    n_computational: int,
    n_outputs: int,
    *,
    n_edges: int | None = None,
    density: float | None = None,
    max_fan_in: int | None = None,
    max_fan_out: int | None = None,
    rng: np.random.Generator,
) -> DAG:
    """Edges drawn from the usable cells in random order, each taken if both its neurons have room for it.

    Every computational and output neuron gets at least one in-edge first, so that no output is unreachable. Memory
    grows with the square of the neurons.

    Args:
        n_inputs: at least 1.
        n_computational: at least 0.
        n_outputs: at least 1.
        n_edges: exact number of edges, at least one a non-input neuron; or
        density: the same as a share of the usable cells, in [0, 1].
        max_fan_in: in-edges that a neuron may have at most; None: no limit.
        max_fan_out: out-edges that a neuron may have at most; None: no limit.
        rng: source of chance.

    Raises:
        GraphError: the limits leave no room for so many edges; the message says for how many.
    """
    sizes = checked_sizes(n_inputs, n_computational, n_outputs)
    n, readers = sum(sizes), n_computational + n_outputs
    total = usable_cells(*sizes)
    count = edge_count(n_edges, density, minimum=readers, total=total)
    fan_in = n if max_fan_in is None else checked_count("max_fan_in", max_fan_in, 1)
    fan_out = n if max_fan_out is None else checked_count("max_fan_out", max_fan_out, 1)
    room_in = int(np.minimum(np.diff(first_cells(*sizes)), fan_in).sum())
    room_out = _room_out(sizes, fan_out)
    limits = f"max_fan_in={max_fan_in}, max_fan_out={max_fan_out}"
    if count > min(room_in, room_out):
        raise GraphError(
            f"{count} edges must fit into the limits {limits}, but {room_in} in-edges and {room_out} out-edges do; "
            "raise a limit or lower n_edges"
        )
    best = 0
    for _ in range(_ATTEMPTS):
        first = _first_edges(sizes, fan_out, rng)
        chosen = _accept(rng.permutation(total), first_cells(*sizes), first, sizes[0], n, fan_in, fan_out, count)
        if chosen.size == count:
            return DAG(*sizes, edges_of_cells(chosen, sizes))
        best = max(best, int(chosen.size))
    raise GraphError(
        f"{count} edges must fit into the limits {limits}, but {_ATTEMPTS} random choices found room for {best}; "
        "raise a limit or lower n_edges"
    )


def _room_out(sizes: tuple[int, int, int], fan_out: int) -> int:
    n_inputs, n_computational, n_outputs = sizes
    later = np.concatenate([np.full(n_inputs, n_computational), np.arange(n_computational)[::-1]]) + n_outputs
    return int(np.minimum(later, fan_out).sum())


def _first_edges(sizes: tuple[int, int, int], fan_out: int, rng: np.random.Generator) -> Int64Array:
    """The cell of one in-edge of every non-input neuron, (n - n_inputs,)."""
    n_inputs, n_computational, _ = sizes
    spare = np.full(n_inputs + n_computational, fan_out)
    first = first_cells(*sizes)[:-1]
    cells = np.empty(first.size, dtype=np.int64)
    for place in range(first.size):
        open_ = np.flatnonzero(spare[: n_inputs + min(place, n_computational)])
        # Some source is open: each neuron before took one out-edge and brought at least one, and there is room for
        # all outputs because room for all edges was checked.
        if not open_.size:
            raise GraphError(
                f"every neuron needs an in-edge, but max_fan_out={fan_out} is used up before neuron "
                f"{n_inputs + place}; raise it"
            )
        source = int(rng.choice(open_))
        spare[source] -= 1
        cells[place] = first[place] + source
    return cells


@njit(cache=True, nogil=True)
def _accept(order, first, chosen_first, n_inputs, n, fan_in, fan_out, count):  # type: ignore[no-untyped-def]
    """Take cells in ``order`` while there is room; then move edges so that the last room comes together.

    A pass over the cells fills nearly all room, but may leave a target with room and a source with room that are
    joined already. So in later passes a cell with room at one end only takes the place of another edge of its full
    end, which moves the room of the other end elsewhere.
    """
    spare_in = np.full(n, fan_in)
    spare_out = np.full(n, fan_out)
    in_degree = np.ones(n, np.int64)
    taken = np.zeros(order.size, np.bool_)
    readers = chosen_first.size
    for row in range(readers):
        cell = chosen_first[row]
        taken[cell] = True
        spare_in[n_inputs + row] -= 1
        spare_out[cell - first[row]] -= 1
    k = readers
    for attempt in range(_PASSES):
        for cell in order:
            if k == count:
                return np.flatnonzero(taken)
            if taken[cell]:
                continue
            row = np.searchsorted(first, cell, side="right") - 1
            source = cell - first[row]
            target = n_inputs + row
            if spare_in[target] > 0 and spare_out[source] > 0:
                k += 1
            elif attempt == 0:
                continue
            elif spare_in[target] > 0:
                found = -1
                for step in range(readers):
                    other = (cell + step) % readers
                    reads = source < first[other + 1] - first[other] and taken[first[other] + source]
                    if reads and in_degree[n_inputs + other] > 1:
                        found = other
                        break
                if found < 0:
                    continue
                taken[first[found] + source] = False
                spare_in[n_inputs + found] += 1
                in_degree[n_inputs + found] -= 1
                spare_out[source] += 1
            elif spare_out[source] > 0:
                width = first[row + 1] - first[row]
                found = -1
                for step in range(width):
                    other = (cell + step) % width
                    if taken[first[row] + other]:
                        found = other
                        break
                taken[first[row] + found] = False
                spare_out[found] += 1
                spare_in[target] += 1
                in_degree[target] -= 1
            else:
                continue
            taken[cell] = True
            spare_in[target] -= 1
            spare_out[source] -= 1
            in_degree[target] += 1
    return np.flatnonzero(taken)
