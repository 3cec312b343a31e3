"""A Ray that is started here is for this machine alone."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from typing import Any

import pytest
import ray
from ray._private import services

from nas.training import Dataset
from nas.workers._cluster import WorkerError, _start

pytestmark = pytest.mark.ray

# In a process of its own, because the tests' own process is connected to a cluster already.
LISTENING = """
import json, time
import numpy as np, psutil
from nas.training import Dataset, TrainingConfig
from nas.workers import RayExecutor

x, y = np.zeros((10, 2), np.float32), np.zeros(10, np.int64)
pool = RayExecutor(Dataset("t", "classification", x, y, x, y, x, y, classes=("a", "b")), TrainingConfig(), workers=1)
while pool.workers()[0].state == "starting":
    pool.wait(0.1)
    time.sleep(0.1)
found = []
for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
    for each in process.net_connections(kind="inet"):
        if each.status == psutil.CONN_LISTEN:
            found.append([process.name(), each.laddr.ip])
pool.close()
print("LISTENING " + json.dumps(found))
"""


@pytest.mark.slow
def test_nothing_listens_beyond_loopback() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    result = subprocess.run(
        [sys.executable, "-c", LISTENING], capture_output=True, text=True, env=environment, timeout=280
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("LISTENING ")]
    found = json.loads(line.removeprefix("LISTENING "))
    assert {"gcs_server", "raylet"} <= {name for name, _ in found}
    for name, address in found:
        parsed = ipaddress.ip_address(address)
        assert (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback, f"{name} listens on {address}"


def test_a_start_that_takes_too_long_is_tried_again_and_then_said(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve, attempts = services.resolve_ip_for_localhost, []

    def init(**options: Any) -> None:
        assert services.resolve_ip_for_localhost("127.0.0.1") == "127.0.0.1"
        attempts.append(options)
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with pytest.raises(WorkerError, match=r"did not start .* in 3 attempts .*timed out.*; .* less busy, or use"):
        _start(dataset, 1, {})
    assert [options["_node_ip_address"] for options in attempts] == ["127.0.0.1"] * 3
    assert services.resolve_ip_for_localhost is resolve
