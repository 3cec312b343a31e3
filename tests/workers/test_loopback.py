"""A Ray that is started here is for this machine alone."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ray
from ray._private import services
from ray.cluster_utils import Cluster

from nas.training import Dataset
from nas.workers import WorkerError
from nas.workers._local import LocalRay

pytestmark = pytest.mark.ray

# In a process of its own, because the tests' own process is connected to a cluster already.
LISTENING = '''
import contextlib, json, os, signal, subprocess, sys, time
from pathlib import Path
import numpy as np, psutil, ray
from nas._scratch import own_folder
from nas.cli.interrupt import Stop, stop_on_signals
from nas.training import Dataset, TrainingConfig
from nas.workers import RayExecutor
from nas.workers import _local

def pool_folder():
    return own_folder(_local._MOST_FOLDER)

ATTACK = """
import json, os, sys
from ray._raylet import GcsClient
os.setgroups([]), os.setgid(65534), os.setuid(65534)
token, stolen = sys.stdin.read().encode(), []
for process in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            with open(f"/proc/{process}/{name}", "rb") as file:
                if token in file.read():
                    stolen.append(name)
        except OSError:
            pass
try:
    GcsClient(address=sys.argv[1]).get_all_node_info()
    asked = "answered"
except Exception as error:
    asked = type(error).__name__
print(json.dumps([stolen, asked]))
"""

stop = Stop()
held = contextlib.ExitStack()
held.enter_context(stop.politely(lambda: None))
held.enter_context(stop_on_signals(stop))
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
folder = pool_folder()
mode = oct(folder.stat().st_mode & 0o777)  # Ray opens its own folder inside to all, who cannot get there
home = Path.home() / ".ray" / "auth_token"
entered = None
if os.geteuid() == 0:  # with a second account
    command = "import os, sys; os.setuid(65534); os.listdir(sys.argv[1])"
    entered = subprocess.run([sys.executable, "-S", "-c", command, folder], capture_output=True).returncode == 0
stolen = asked = None
if os.geteuid() == 0:
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    command = [sys.executable, "-c", ATTACK, ray.get_runtime_context().gcs_address]
    token = os.environ["RAY_AUTH_TOKEN"]
    told = subprocess.run(command, input=token, capture_output=True, text=True, env=environment)
    stolen, asked = json.loads(told.stdout.splitlines()[-1])
processes = psutil.Process().children(recursive=True)
os.kill(os.getpid(), signal.SIGTERM)  # the handler that this process had before Ray
pool.close()
(caught,) = (int(line.split()[1], 16) for line in open("/proc/self/status") if line.startswith("SigCgt"))
print("LISTENING " + json.dumps({
    "found": found, "mode": mode, "token on disk": home.exists(), "entered": entered, "asked": stop.requested,
    "left": [each.name() for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE],
    "stolen": stolen, "refused": asked, "folder left": (folder / "ray").exists(),
    "catches SIGTERM": bool(caught >> (signal.SIGTERM - 1) & 1),
}))
'''


@pytest.mark.slow
def test_a_local_ray_is_for_its_user_alone_and_goes_with_the_search(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment["HOME"] = str(tmp_path)
    temporary = tmp_path / "temporary" / ("of-a-long-path-" * 5)  # longer than the path of a socket may be
    temporary.mkdir(parents=True)
    environment["TMPDIR"] = str(temporary)
    result = subprocess.run(
        [sys.executable, "-c", LISTENING], capture_output=True, text=True, env=environment, timeout=280
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("LISTENING ")]
    told = json.loads(line.removeprefix("LISTENING "))
    found = told.pop("found")
    assert list(temporary.iterdir()) == []
    entered = False if os.geteuid() == 0 else None
    assert told == {
        "stolen": None if entered is None else [], "refused": None if entered is None else "AuthenticationError",
        "mode": "0o700", "token on disk": False, "entered": entered, "asked": True, "left": [],
        "folder left": False, "catches SIGTERM": True,
    }  # fmt: skip
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
        LocalRay(dataset, 1, {})
    assert [options["_node_ip_address"] for options in attempts] == ["127.0.0.1"] * 3
    assert services.resolve_ip_for_localhost is resolve


def test_a_folder_in_which_nothing_can_be_written_is_named_not_a_busy_machine(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**options: Any) -> None:
        Path(options["_temp_dir"]).rmdir()  # as on a disk that is full
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with pytest.raises(
        WorkerError, match=r"keeps sockets and logs in /.*/ray, and nothing can be written there .*TMPDIR"
    ):
        LocalRay(dataset, 1, {})


@pytest.mark.slow
def test_a_process_goes_from_a_cluster_to_a_ray_of_its_own_and_back(head: Cluster, dataset: Dataset) -> None:
    """Each has its own token, and Ray keeps the first one that a process has read."""
    ray.shutdown()
    try:
        local = LocalRay(dataset, 1, {"log_to_driver": False})
        try:
            assert ray.get(ray.remote(lambda: 2).remote()) == 2
        finally:
            local.close()
    finally:
        ray.init(address=head.address, _node_ip_address="127.0.0.2", log_to_driver=False)
    assert ray.get(ray.remote(lambda: 2).remote()) == 2


LATE_MODE = """
import os
import numpy as np
import ray
from nas.training import Dataset
from nas.workers._local import LocalRay

os.environ["RAY_AUTH_MODE"] = "token"  # as whoever asks a cluster sets it, after Ray has read that there is none
x, y = np.zeros((10, 2), np.float32), np.zeros(10, np.int64)
local = LocalRay(Dataset("t", "classification", x, y, x, y, x, y, classes=("a", "b")), 1, {"log_to_driver": False})
print("ANSWER", ray.get(ray.remote(lambda: 2).remote()))
local.close()
print("LEFT", sorted(name for name in os.environ if name.startswith("RAY_AUTH")))
"""


@pytest.mark.slow
@pytest.mark.parametrize("late", [True, False], ids=["set late", "never set"])
def test_a_local_ray_starts_whatever_a_process_has_read_of_tokens(late: bool, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    script = LATE_MODE if late else LATE_MODE.replace("os.environ[", "{}[")
    environment["HOME"] = str(tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=280
    )
    assert "ANSWER 2" in result.stdout, result.stdout + result.stderr
    assert f"LEFT {['RAY_AUTH_MODE'] if late else []}" in result.stdout  # what it has set is gone with it
    assert not (tmp_path / ".ray").exists()
