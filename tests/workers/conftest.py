"""One Ray cluster on this machine for all tests of the workers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import ray

from nas.training import Dataset


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=80 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    return Dataset(
        "toy",
        "classification",
        x[:200],
        y[:200],
        x[200:250],
        y[200:250],
        x[250:],
        y[250:],
        classes=("minus", "plus"),
    )
