"""Where a DAG is dense: panels of four neurons that read the same runs of sources.

Edge by edge, each edge reads a row of activations from the second-level cache to do one multiply-add on it. Four
neurons in a row that (nearly) all read the sources s₀ … s₁ - 1 can share each of these rows, and their sums stay in
registers, as in a dense matrix product: four times the arithmetic for what is read. Layers that are fully connected,
bands and triangles without holes consist of such runs; few holes are filled with edges of weight 0.

Glossary (the rest is that of `nas.engine._plan`):
    firsts (P,)                 first of the four neurons of each panel, ascending
    run_ptr (P + 1,)            runs of panel p: run_ptr[p] … run_ptr[p + 1] - 1
    starts, ends (R,)           sources of a run: starts[r] … ends[r] - 1, below the first neuron of its panel
    rest                        the edges outside runs, walked one by one
    stored                      rest + 4 · Σ (ends - starts): length of packed weights, and of their gradients
    places (E,)                 for each edge where its weight is packed: the rest in the order of the forward pass,
                                then the runs, ``[source][neuron of the panel]``
    slots (E,)                  the same for gradients, where the rest is in the order of the backward pass
    holes                       places in runs without an edge
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nas.engine._native import address_of

if TYPE_CHECKING:
    from nas.graph import DAG

__all__ = ["PANEL", "Dense", "find_dense"]

PANEL = 4  # neurons: their sums of 64 samples fill half of the 32 vector registers of AVX-512
_CHUNK = 16  # sources: what is judged as dense or not
# Share of a chunk's cells that must be edges. Measured, batch 128: a cell takes half the time of an edge that is walked
# (0.55 to 0.6 break even at 1,074 neurons), and less where the rows of a tile outgrow the second-level cache (at 5,266
# neurons, 50 % of all cells edges: 91 ms in panels, 149 edge by edge; at 25 %: 87 and 69).
_FILL, _FILL_LARGE = 0.55, 0.4
_LARGE = 4_096  # neurons whose rows of 64 samples are 1 MiB
_COVER = 0.5  # of all edges that must be in runs, else packing costs more than it saves


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """The plan of a DAG whose dense runs are walked in panels; see the module's glossary."""

    dag: DAG
    in_ptr: np.ndarray
    sources: np.ndarray
    out_ptr: np.ndarray
    targets: np.ndarray
    out_edges: np.ndarray
    used_inputs: np.ndarray
    slots: np.ndarray
    firsts: np.ndarray
    run_ptr: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    places: np.ndarray
    holes: np.ndarray
    stored: int = field(init=False)
    table: np.ndarray = field(init=False, repr=False)
    table_address: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stored", self.rest + PANEL * int((self.ends - self.starts).sum()))
        arrays = [getattr(self, each.name) for each in fields(self) if each.init and each.name != "dag"]
        sizes = (self.dag.n, self.dag.n_inputs, self.dag.n_outputs, self.rest)
        counts = (self.stored, self.dag.n_edges, self.firsts.size, self.starts.size, self.holes.size)
        table = np.array([*sizes, *map(address_of, arrays), *counts], np.int64)  # as `nas.engine._tables` has them
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "table_address", address_of(table))

    @property
    def rest(self) -> int:
        """Edges outside runs."""
        return int(self.sources.size)


def find_dense(dag: DAG, in_ptr: np.ndarray, sources: np.ndarray, used_inputs: np.ndarray) -> Dense | None:
    """The dense runs of a DAG, or None where too few of its edges are in any.

    Args:
        in_ptr, sources, used_inputs: of the plan; see its glossary.
    """
    firsts, run_ptr, starts, ends, covered = _find_runs(
        in_ptr, sources, dag.n_inputs, _FILL if dag.n <= _LARGE else _FILL_LARGE
    )
    if covered < _COVER * sources.size or covered == 0:
        return None
    # A run covers whole chunks, as wide as blocks of inputs: in the last block, which neurons follow, it may read
    # inputs that no edge reads, and which must be brought in then.
    used_inputs = used_inputs.copy()
    used_inputs[-1:] |= bool(((starts < dag.n_inputs) & (ends > _CHUNK * (used_inputs.size - 1))).any())
    rest_ptr, rest_sources, places, holes = _pack(in_ptr, sources, firsts, run_ptr, starts, ends)
    rest = rest_sources.size
    order = np.argsort(rest_sources, kind="stable")
    out_ptr = np.zeros(dag.n + 1, np.int64)
    np.cumsum(np.bincount(rest_sources, minlength=dag.n), out=out_ptr[1:])
    targets = np.repeat(np.arange(dag.n, dtype=np.int32), np.diff(rest_ptr))[order]
    by_column = np.empty(rest, np.int32)
    by_column[order] = np.arange(rest, dtype=np.int32)
    slots = places.copy()
    outside = places < rest
    slots[outside] = by_column[places[outside]]
    return Dense(
        dag, rest_ptr, rest_sources, out_ptr, targets, order.astype(np.int32), used_inputs, slots, firsts, run_ptr,
        starts, ends, places, holes,
    )  # fmt: skip


@njit(nogil=True)
def _sort(values, count):
    """Sort the first ones in place (Shell 1959); numpy's own way takes seconds to compile."""
    gap = count // 2
    while gap > 0:
        for k in range(gap, count):
            value = values[k]
            place = k
            while place >= gap and values[place - gap] > value:
                values[place] = values[place - gap]
                place -= gap
            values[place] = value
        gap = 1 if gap == 2 else gap * 5 // 11


@njit(nogil=True)
def _longer(values, size):
    longer = np.empty(size, values.dtype)
    for k in range(values.size):
        longer[k] = values[k]
    return longer


@njit(cache=True, nogil=True)
def _find_runs(in_ptr, sources, n_inputs, fill):
    n = in_ptr.size - 1
    counts = np.zeros(n // _CHUNK + 1, np.int32)
    touched = np.empty(n // _CHUNK + 1, np.int32)
    firsts = np.empty(n // PANEL + 1, np.int32)
    run_ptr = np.zeros(n // PANEL + 2, np.int64)
    capacity = 64
    starts = np.empty(capacity, np.int32)
    ends = np.empty(capacity, np.int32)
    panels = 0
    runs = 0
    covered = 0
    i = n_inputs
    while i + PANEL <= n:
        n_touched = 0
        edges = in_ptr[i + PANEL] - in_ptr[i]
        for e in range(in_ptr[i], in_ptr[i + PANEL]):
            if sources[e] < i:
                chunk = sources[e] // _CHUNK
                if counts[chunk] == 0:
                    touched[n_touched] = chunk
                    n_touched += 1
                counts[chunk] += 1
        _sort(touched, n_touched)
        runs_before = runs
        inside = 0
        for chunk in touched[:n_touched]:
            width = min(_CHUNK, i - _CHUNK * chunk)
            if counts[chunk] >= fill * PANEL * width:
                inside += counts[chunk]
                if runs > runs_before and ends[runs - 1] == _CHUNK * chunk:
                    ends[runs - 1] = _CHUNK * chunk + width
                else:
                    if runs == capacity:
                        capacity *= 2
                        starts = _longer(starts, capacity)
                        ends = _longer(ends, capacity)
                    starts[runs] = _CHUNK * chunk
                    ends[runs] = _CHUNK * chunk + width
                    runs += 1
            counts[chunk] = 0
        if inside > 0 and 2 * inside >= edges:
            firsts[panels] = i
            panels += 1
            run_ptr[panels] = runs
            covered += inside
            i += PANEL
        else:  # perhaps a panel starts one neuron later, as layers do
            runs = runs_before
            i += 1
    return firsts[:panels].copy(), run_ptr[: panels + 1].copy(), starts[:runs].copy(), ends[:runs].copy(), covered


@njit(cache=True, nogil=True)
def _pack(in_ptr, sources, firsts, run_ptr, starts, ends):
    n = in_ptr.size - 1
    places = np.empty(sources.size, np.int32)
    rest_ptr = np.zeros(n + 1, np.int64)
    rest_sources = np.empty(sources.size, np.int32)
    rest = 0
    panel = 0
    at = 0  # of the panel's first run, counted from the end of the rest
    for i in range(n):
        if panel < firsts.size and i == firsts[panel] + PANEL:
            for r in range(run_ptr[panel], run_ptr[panel + 1]):
                at += PANEL * (ends[r] - starts[r])
            panel += 1
        row = i - firsts[panel] if panel < firsts.size else -1
        if row >= 0:
            r = run_ptr[panel]
            last = run_ptr[panel + 1]
            before = at  # of run r
        else:
            r = 0
            last = 0
            before = 0
        for e in range(in_ptr[i], in_ptr[i + 1]):
            source = sources[e]
            while r < last and source >= ends[r]:
                before += PANEL * (ends[r] - starts[r])
                r += 1
            if r < last and source >= starts[r]:
                places[e] = -1 - (before + PANEL * (source - starts[r]) + row)
            else:
                places[e] = rest
                rest_sources[rest] = source
                rest += 1
        rest_ptr[i + 1] = rest
    if panel < firsts.size:  # the last panel ends with the last neuron
        for r in range(run_ptr[panel], run_ptr[panel + 1]):
            at += PANEL * (ends[r] - starts[r])
    filled = np.zeros(at, np.bool_)
    for e in range(places.size):
        if places[e] < 0:
            filled[-1 - places[e]] = True
            places[e] = rest - 1 - places[e]
    holes = np.flatnonzero(~filled) + rest
    return rest_ptr, rest_sources[:rest].copy(), places, holes.astype(np.int32)
