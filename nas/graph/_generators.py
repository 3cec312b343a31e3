"""Start graphs: complete, random, and the classic families, turned into DAGs by an order of their neurons.

Every generator takes a ``numpy.random.Generator`` where chance is involved, leaves no output unreachable, and gives
exactly the number of edges that was asked for.
"""

from __future__ import annotations

import numpy as np

from nas.errors import GraphError
from nas.graph._cells import cells_of_edges, edges_of_cells, sample_missing, usable_cells
from nas.graph._check import checked_count
from nas.graph._dag import DAG
from nas.graph._kernels import supporting_edges


def complete(n_inputs: int, n_computational: int, n_outputs: int) -> DAG:
    """Every usable cell is an edge. Memory grows with the square of the neurons."""
    sizes = checked_sizes(n_inputs, n_computational, n_outputs)
    return DAG(*sizes, edges_of_cells(np.arange(usable_cells(*sizes)), sizes))


def random_dag(
    n_inputs: int,
    n_computational: int,
    n_outputs: int,
    *,
    n_edges: int | None = None,
    density: float | None = None,
    rng: np.random.Generator,
) -> DAG:
    """Edges drawn uniformly from the usable cells, then as few as possible moved to reach every output.

    Args:
        n_inputs: at least 1.
        n_computational: at least 0.
        n_outputs: at least 1.
        n_edges: exact number of edges, from n_outputs to the usable cells; or
        density: the same as a share of the usable cells, in [0, 1], rounded (and raised to n_outputs edges).
        rng: source of chance.

    Raises:
        GraphError: neither or both of n_edges and density, or out of range.
    """
    sizes = checked_sizes(n_inputs, n_computational, n_outputs)
    total = usable_cells(*sizes)
    count = edge_count(n_edges, density, minimum=n_outputs, total=total)
    cells = sample_missing(np.empty(0, dtype=np.int64), total, count, rng)
    dag = DAG(*sizes, edges_of_cells(cells, sizes), allow_unreachable=True)
    edges = _reach_outputs(dag, rng)
    return DAG(*sizes, edges)


def _reach_outputs(dag: DAG, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Edges of ``dag`` with a new in-edge for each unreached output, in place of as many others."""
    lost = np.array(dag.unreachable_outputs(), dtype=np.int32)
    if not lost.size:
        return dag.edges
    candidates = np.flatnonzero(dag.reached_neurons()[: dag.first_output])
    # A lost output may have in-edges, but only from unreached neurons, so these edges are new.
    repaired = dag.with_edges(np.concatenate([dag.edges, np.stack([rng.choice(candidates, lost.size), lost], axis=1)]))
    keep = supporting_edges(
        repaired.sources,
        repaired.targets,
        repaired.reached_neurons(),
        dag.n_inputs,
        dag.first_output,
        rng.random(repaired.n_edges),
    )
    spare = np.flatnonzero(~keep)
    if spare.size >= lost.size:
        keep[:] = True
        keep[rng.choice(spare, lost.size, replace=False)] = False
        return repaired.edges[keep]
    # So few edges that the paths need all of them: every output reads an input, the rest is drawn anew.
    outputs = np.arange(dag.first_output, dag.n)
    direct = np.stack([rng.integers(dag.n_inputs, size=dag.n_outputs), outputs], axis=1)
    taken = np.sort(cells_of_edges(direct[:, 0], direct[:, 1], dag.sizes))
    rest = sample_missing(taken, dag.usable_cells, dag.n_edges - dag.n_outputs, rng)
    return edges_of_cells(np.concatenate([taken, rest]), dag.sizes)


def checked_sizes(n_inputs: int, n_computational: int, n_outputs: int) -> tuple[int, int, int]:
    return (
        checked_count("n_inputs", n_inputs, 1),
        checked_count("n_computational", n_computational, 0),
        checked_count("n_outputs", n_outputs, 1),
    )


def edge_count(n_edges: int | None, density: float | None, *, minimum: int, total: int) -> int:
    """The number of edges that a caller asks for as a number or a share, checked."""
    if (n_edges is None) == (density is None):
        raise GraphError(f"give either n_edges or density, but got n_edges={n_edges} and density={density}")
    if n_edges is not None:
        if not minimum <= n_edges <= total:
            raise GraphError(f"n_edges must lie in {minimum}…{total} for these neurons, but is {n_edges}")
        return int(n_edges)
    assert density is not None
    if not 0 <= density <= 1:
        raise GraphError(f"density must lie in [0, 1], but is {density}")
    return max(minimum, round(density * total))
