"""The cluster that this process works on: reaching it, and what its nodes have room for."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import ray
from ray._private import services
from ray.exceptions import RayError

from nas.errors import NasError
from nas.training import Dataset

__all__ = ["WorkerError", "connect", "probe", "resources", "room"]

_logger = logging.getLogger(__name__)

_LOOPBACK: Final = "127.0.0.1"
_STORE_BYTES: Final = 256 * 2**20  # object store beyond the data: candidates and results on their way
_PROBE_SECONDS: Final = 10.0
_STARTS: Final = 3  # of a local Ray; it gives a node 30 s to start, which a busy machine may need


class WorkerError(NasError, RuntimeError):
    """Workers cannot be started at all."""


def connect(dataset: Dataset, cpus: int, address: str | None, code: Path | None) -> bool:
    """Connects this process to Ray; True where Ray was started for it.

    Args:
        dataset: what the object store of a Ray that is started here must hold.
        cpus: at least so many are offered to a Ray that is started here.
        address: of a cluster; None: ``$RAY_ADDRESS`` if set, else Ray is started on this machine.
        code: folder with modules that workers on other machines need to import; nodes get it once.

    Raises:
        WorkerError: the cluster cannot be reached.
    """
    if ray.is_initialized():
        return False
    address = address or os.environ.get("RAY_ADDRESS")
    # Ray announces at each start that it guards its ports with a token, which is as it should be.
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    try:
        if not address:
            _start(dataset, cpus, quiet)
            return True
        probe(address)
        if code is not None:
            # A submitted job's own package holds the data too, which nodes get through the object store instead.
            os.environ["RAY_OVERRIDE_JOB_RUNTIME_ENV"] = "1"
            quiet["runtime_env"] = {"working_dir": str(code)}
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise WorkerError(f"Ray at {address or 'this machine'} cannot be used: {error}") from error
    return False


def _start(dataset: Dataset, cpus: int, quiet: dict[str, Any]) -> None:
    """Starts Ray on this machine, on loopback."""
    size = sum(value.nbytes for name in dataset.__slots__ if isinstance(value := getattr(dataset, name), np.ndarray))
    for attempt in range(1, 1 + _STARTS):
        try:
            with _on_loopback():
                ray.init(
                    address="local",
                    num_cpus=max(cpus, os.cpu_count() or 1),
                    object_store_memory=int(min(2 * size + _STORE_BYTES, 0.5 * psutil.virtual_memory().available)),
                    include_dashboard=False,
                    _node_ip_address=_LOOPBACK,
                    **quiet,
                )
            return
        except (ConnectionError, RuntimeError, ValueError, RayError):
            raise
        except Exception as error:  # Ray raises no other class when a node does not start in time
            ray.shutdown()
            if attempt == _STARTS:
                raise WorkerError(
                    f"Ray did not start on this machine in {_STARTS} attempts ({error}); it needs some seconds of a "
                    "processor: try again when the machine is less busy, or use resources.executor=serial"
                ) from error
            _logger.warning("Ray did not start in time; attempt %d of %d follows", attempt + 1, _STARTS)


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Ray takes 127.0.0.1 for "some address of this machine", and its processes then listen on all of them.

    Where it takes the address as it is they listen on loopback only. There is no setting for that (Ray 2.60), so its
    function is replaced while a node starts.
    """
    resolve = services.resolve_ip_for_localhost
    services.resolve_ip_for_localhost = lambda host: host
    try:
        yield
    finally:
        services.resolve_ip_for_localhost = resolve


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
