"""How long large graphs take to be made, read and changed: process time, the least of five, in seconds.

python -m benchmarks.graphs          # a table as Markdown; half a minute on one quiet core

read      a DAG of 784/5,000/10 neurons and a million edges in any order: checks, out-edges, depth, useful neurons
change    500 random changes at once to a parent of 784/2,000/10 neurons and 200,000 edges
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks._tables import table
from nas.graph import DAG, mutate, random_dag

__all__ = ["changing", "main", "reading", "seconds_of"]

_TIMES: Final = 5


def reading(sizes: tuple[int, int, int], n_edges: int) -> Callable[[], object]:
    """What makes a DAG from its edges and looks at all of it."""
    rng = np.random.default_rng(0)
    edges = random_dag(*sizes, n_edges=n_edges, rng=rng).edges
    shuffled = edges[rng.permutation(len(edges))]

    def read() -> object:
        dag = DAG(*sizes, shuffled)
        return dag.csc(), dag.depth, dag.useful_neurons()

    return read


def changing(sizes: tuple[int, int, int], n_edges: int, count: int) -> Callable[[], object]:
    """What makes a child by ``count`` changes."""
    rng = np.random.default_rng(0)
    parent = random_dag(*sizes, n_edges=n_edges, rng=rng)
    score = np.ones(n_edges)
    return lambda: mutate(parent, rng, count=count, edge_score=score)


def seconds_of(call: Callable[[], object], times: int = _TIMES) -> float:
    """The least process time of a call, seconds; what it has to compile or load is done before."""
    call()
    taken = []
    for _ in range(times):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    """Print the table."""
    calls = {
        "read, 1,000,000 edges": reading((784, 5000, 10), 1_000_000),
        "change, 11,453 edges, 300 at once": changing((64, 1000, 10), 11_453, 300),
        "change, 200,000 edges, 500 at once": changing((784, 2000, 10), 200_000, 500),
    }
    print(table(["what", "seconds"], [[name, f"{seconds_of(call):.3f}"] for name, call in calls.items()]))


if __name__ == "__main__":
    main()
