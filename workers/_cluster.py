"""The cluster that this process works on: reaching it, and what its nodes have room for."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError

from nas.training import Dataset
from nas.workers._local import LocalRay, WorkerError, keeping_handlers

__all__ = ["WorkerError", "connect", "probe", "resources", "room"]

_PROBE_SECONDS: Final = 10.0


def connect(dataset: Dataset, cpus: int, address: str | None, code: Path | None) -> LocalRay | None:
    """Connects this process to Ray; gives the Ray that was started for it, where one was.

    Args:
        dataset: what the object store of a Ray that is started here must hold.
        cpus: at least so many are offered to a Ray that is started here.
        address: of a cluster; None: ``$RAY_ADDRESS`` if set, else Ray is started on this machine.
        code: folder with modules that workers on other machines need to import; nodes get it once.

    Raises:
        WorkerError: the cluster cannot be reached.
    """
    if ray.is_initialized():
        return None
    address = address or os.environ.get("RAY_ADDRESS")
    # Ray announces at each start that it guards its ports with a token, which is as it should be.
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)  # in notebooks, of packages for what is not shown
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    try:
        if not address:
            return LocalRay(dataset, cpus, quiet)
        probe(address)
        if code is not None:
            # A submitted job's own package holds the data too, which nodes get through the object store instead.
            os.environ["RAY_OVERRIDE_JOB_RUNTIME_ENV"] = "1"
            quiet["runtime_env"] = {"working_dir": str(code)}
        with keeping_handlers():
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise WorkerError(f"Ray at {address or 'this machine'} cannot be used: {error}") from error
    return None


def probe(address: str) -> None:
    """Ray tries an address that nobody answers for a minute and a half; this takes seconds.

    Raises:
        ConnectionError: nothing listens at ``host:port`` or ``ray://host:port``.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise ConnectionError(f"nothing answers there ({error}); is the head node up?") from error


def resources(ask: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What one of Ray's functions, which are untyped, says of resources."""
    return ask()


def room(threads: int, gpus: float) -> int:
    """How many workers of so many CPUs and GPUs the nodes that are up could hold if nothing else ran there."""
    slots = 0
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        offered = node["Resources"] if node["Alive"] else {}
        fit = int(offered.get("CPU", 0.0)) // threads
        # A GPU may be shared by several workers, but no worker gets its fraction from two of them.
        slots += min(fit, _on_gpus(offered.get("GPU", 0.0), gpus)) if gpus else fit
    return slots


def _on_gpus(offered: float, gpus: float) -> int:
    return int(offered // gpus) if gpus >= 1 else int(offered) * int(1 / gpus + 1e-9)
