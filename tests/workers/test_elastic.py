"""Clusters whose nodes differ, join and leave: several raylets on this machine, killed without warning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import ray
from ray._private.internal_api import node_stats
from ray.cluster_utils import Cluster

from nas.graph import random_dag
from nas.search import Evaluate
from nas.training import Candidate, Dataset, Genome, TrainingConfig, TrialResult, TrialStatus
from nas.workers import RayExecutor
from nas.workers._cluster import room

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]

AddNode = Callable[..., Any]
MakePool = Callable[..., RayExecutor]


@pytest.fixture
def make_pool(dataset: Dataset) -> Iterator[MakePool]:
    pools: list[RayExecutor] = []

    def make(evaluate: Evaluate, data: Dataset = dataset, **options: Any) -> RayExecutor:
        pools.append(RayExecutor(data, TrainingConfig(), evaluate=evaluate, **options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def candidate(number: int) -> Candidate:
    return Candidate(number, Genome(random_dag(4, 3, 2, density=0.5, rng=np.random.default_rng(number))), number, 1)


def where(seconds: float) -> Evaluate:
    """An evaluation that takes so long and reports its node; a closure, so that Ray sends it by value."""

    def evaluate(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
        import time

        import ray

        time.sleep(seconds)
        context = ray.get_runtime_context()
        gpus = len(context.get_accelerator_ids()["GPU"])
        metrics = {"gpus": float(gpus), "first": float(dataset.x_train[0, 0])}
        return TrialResult(candidate.number, TrialStatus.COMPLETE, metrics, worker=context.get_node_id())

    return evaluate


def until(pool: RayExecutor, done: Callable[[], bool], results: list[TrialResult], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{len(results)} results, {pool.workers()}"
        results += pool.wait(0.2)
        time.sleep(0.02)  # `wait` returns at once where nothing is out


def test_nodes_that_join_are_used_and_nodes_that_leave_lose_nothing(
    head: Cluster, add_node: AddNode, make_pool: MakePool
) -> None:
    pool = make_pool(where(0.15), workers=None)
    results: list[TrialResult] = []
    submitted = 0

    def keep_busy(done: Callable[[], bool]) -> None:
        """As a search does: never more trials out than there are workers."""
        nonlocal submitted
        deadline = time.monotonic() + 240
        while not done():
            assert time.monotonic() < deadline, f"{len(results)} results, {pool.workers()}"
            while submitted - len(results) < pool.capacity:
                pool.submit(candidate(submitted))
                submitted += 1
            results.extend(pool.wait(0.2))

    keep_busy(lambda: pool.capacity == 2)
    node = add_node(num_cpus=2)
    keep_busy(lambda: pool.capacity == 4)
    keep_busy(lambda: sum(result.worker == node.node_id for result in results) >= 4)
    assert sum(view.state == "busy" for view in pool.workers()) >= 2
    head.remove_node(node, allow_graceful=False)
    keep_busy(lambda: pool.capacity == 2 and len(pool.workers()) == 2)
    until(pool, lambda: len(results) >= submitted, results)
    assert sorted(result.number for result in results) == list(range(submitted))
    assert {result.status for result in results} == {TrialStatus.COMPLETE}
    assert pool.wait(0.3) == []


def test_more_workers_than_fit_wait_for_nodes(add_node: AddNode, make_pool: MakePool) -> None:
    pool = make_pool(where(0.05), workers=3)
    results: list[TrialResult] = []
    for number in range(4):
        pool.submit(candidate(number))
    until(pool, lambda: len(results) == 4 and pool.capacity == 2, results)
    assert [view.state for view in pool.workers()].count("starting") == 1
    add_node(num_cpus=1)
    until(pool, lambda: pool.capacity == 3, results)


def test_workers_go_where_their_cpus_and_gpus_are(add_node: AddNode, make_pool: MakePool) -> None:
    assert room(1, 0.0) == 2
    assert room(2, 0.0) == 1
    assert room(1, 1.0) == 0
    add_node(num_cpus=1)  # too small for two threads
    gpu = add_node(num_cpus=5, num_gpus=1)
    assert room(1, 0.0) == 8
    assert room(2, 0.0) == 3
    assert room(1, 1.0) == 1
    assert room(1, 0.5) == 2
    assert room(3, 0.5) == 1
    pool = make_pool(where(0.05), workers=None, threads=2, gpus=0.5)
    results: list[TrialResult] = []
    for number in range(6):
        pool.submit(candidate(number))
    until(pool, lambda: len(results) == 6, results)
    assert {result.worker for result in results} == {gpu.node_id}
    assert {result.metrics["gpus"] for result in results} == {1.0}
    assert len(pool.workers()) == 2


def test_data_reaches_each_node_once(
    head: Cluster,
    add_node: AddNode,
    make_pool: MakePool,
    make_toy: Callable[[int, int], Dataset],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = make_toy(1024, 3 * 1024)  # 12 MiB
    other = add_node(num_cpus=2)
    put, puts = ray.put, []
    monkeypatch.setattr("nas.workers.pool.ray.put", lambda value: puts.append(value) or put(value))
    before = stored(head, other)
    pool = make_pool(where(0.2), data, workers=4)
    results: list[TrialResult] = []
    until(pool, lambda: pool.capacity == 4, results)
    for number in range(12):
        pool.submit(candidate(number))
    until(pool, lambda: len(results) == 12, results)
    assert sum(value is data for value in puts) == 1
    assert {result.worker for result in results} == {head.head_node.node_id, other.node_id}
    assert {result.metrics["first"] for result in results} == {float(data.x_train[0, 0])}
    size = sum(getattr(data, f"{kind}_{part}").nbytes for kind in "xy" for part in ("train", "val", "test"))
    for was, now in zip(before, stored(head, other), strict=True):
        # Two workers a node: a copy for each, or one a trial, would be twice the bytes or more.
        assert size <= now - was < 1.2 * size


def stored(*nodes: Any) -> list[int]:
    """Bytes in the object store of each node."""
    nodes = tuple(getattr(node, "head_node", node) for node in nodes)
    ports = {each["NodeID"]: each["NodeManagerPort"] for each in ray.nodes()}  # type: ignore[no-untyped-call]
    return [
        int(node_stats("127.0.0.2", ports[node.node_id], include_memory_info=False).store_stats.object_store_bytes_used)
        for node in nodes
    ]
