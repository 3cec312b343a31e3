"""Groups of networks on a worker of several threads: is training them together faster than one after the other?"""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from nas.graph import random_dag
from nas.manifold import ManifoldNetwork
from nas.training import DataConfig, Dataset, TrainingConfig, load_data
from nas.training import _population as population
from nas.training._population import Member, Pace, train_population
from nas.training.cost.timing import pinned_threads

__all__ = ["EDGES", "groups"]

EDGES: Final = (50, 300, 1000, 5000)
_SIZE: Final = 4  # of a group: two for each of two threads, the default
_TRIED: Final = 6  # groups on which both ways are tried
_TIMED: Final = 6


class _Always(Pace):
    """All threads, or one, whatever was faster."""

    def __init__(self, together: bool) -> None:
        super().__init__()
        self._together = together

    def choose(self, work: float, threads: int) -> int:
        return threads if self._together else 1


def groups(threads: int = 2) -> list[dict[str, float]]:
    """For networks of `EDGES`: milliseconds of training one alone, and how many times faster a group is trained.

    "together": on all threads always; "kept": as `Pace` has it once it has tried both. The same networks each time.
    """
    data = load_data(DataConfig(source="digits"))
    found = []
    before = population._pace
    try:
        for edges in EDGES:
            taken = {}
            for name, pace in {"alone": _Always(False), "together": _Always(True), "kept": Pace()}.items():
                population._pace = pace
                with pinned_threads(threads):
                    taken[name] = sum([_train(edges, k, data) for k in range(_TRIED + _TIMED)][_TRIED:])
            row = {"edges": float(edges), "alone_ms": 1e3 * taken["alone"] / (_TIMED * _SIZE)}
            found.append(row | {name: taken["alone"] / taken[name] for name in ("together", "kept")})
    finally:
        population._pace = before
    return found


def _train(edges: int, group: int, data: Dataset) -> float:
    config = TrainingConfig(steps=1000, batch_size=64, parametrisation="free")
    members = []
    for k in range(_SIZE):
        rng = np.random.default_rng([edges, group, k])
        dag = random_dag(64, max(8, round(edges**0.5)), 10, n_edges=edges, rng=rng)
        members.append(Member(ManifoldNetwork(dag, parametrisation="free", generator=rng), config, seed=k))
    start = time.perf_counter()
    ended = train_population(members, data)
    seconds = time.perf_counter() - start
    assert not any(isinstance(each, Exception) for each in ended), ended
    return seconds
