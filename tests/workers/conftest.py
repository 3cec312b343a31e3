"""One Ray cluster on this machine for all tests of the workers: a head with a job server; tests add nodes."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray._private.authentication.authentication_token_setup import (
    enable_token_auth_by_default,
    ensure_token_if_auth_enabled,
)
from ray.cluster_utils import Cluster

from nas.training import Dataset

STORE_BYTES = 80 * 2**20  # of each node's object store
# On loopback, but not 127.0.0.1, for which Ray takes the address of the machine.
ADDRESS = "127.0.0.2"
# A node that dies is missed after five seconds, not fifteen.
HEALTH = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}

_open = contextlib.ExitStack()  # the cluster, while tests of this folder run


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the last test of a file here, not of the session: other tests of this process have no cluster."""
    if nextitem is None or nextitem.path.parent != item.path.parent:
        _open.close()


@pytest.fixture(scope="session")
def head(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A head node of two CPUs that wants a token, this process connected to it."""
    patch = pytest.MonkeyPatch()
    _open.callback(patch.undo)
    changed = {
        # The head runs the command `nas` of this environment when a job is submitted.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NAS_STORE": str(tmp_path_factory.mktemp("store")),
        "RAY_DISABLE_MEMORY_MONITOR": "1",
    }
    for name, value in changed.items():
        patch.setenv(name, value)
    # As `ray.init` and `ray start --head` do: ports are guarded by the token of this user, made where there is none.
    enable_token_auth_by_default()
    ensure_token_if_auth_enabled(None, create_token_if_missing=True)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 2,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": True,
            "dashboard_host": "127.0.0.1",
            "dashboard_port": free_port(),
            "node_ip_address": ADDRESS,
            "_system_config": HEALTH,
        },
    )
    _open.callback(cluster.shutdown)
    ray.init(address=cluster.address, _node_ip_address=ADDRESS, log_to_driver=False)
    _open.callback(ray.shutdown)
    return cluster


@pytest.fixture(scope="session")
def cluster(head: Cluster) -> None:
    """For tests that only need Ray to be there."""


@pytest.fixture
def add_node(head: Cluster) -> Iterator[Callable[..., Any]]:
    """Adds a node with its own raylet and object store; nodes that a test leaves are removed."""
    added = []

    def add(**options: Any) -> Any:
        node = head.add_node(object_store_memory=STORE_BYTES, node_ip_address=ADDRESS, **options)
        added.append(node)
        return node

    yield add
    for node in added:
        if node in head.worker_nodes:
            head.remove_node(node, allow_graceful=False)
    deadline = time.monotonic() + 60
    while sum(node["Alive"] for node in ray.nodes()) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return toy(4)


@pytest.fixture(scope="session")
def make_toy() -> Callable[[int, int], Dataset]:
    """`toy`, which tests cannot import."""
    return toy


def toy(n_inputs: int, samples: int = 300) -> Dataset:
    """Two classes that the first two inputs decide; two thirds of the samples for training."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, n_inputs), dtype=np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    train, val = samples * 2 // 3, samples * 5 // 6
    return Dataset(
        "toy",
        "classification",
        x[:train],
        y[:train],
        x[train:val],
        y[train:val],
        x[val:],
        y[val:],
        classes=("minus", "plus"),
    )
