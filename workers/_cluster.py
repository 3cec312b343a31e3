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
_SILENT_SECONDS: Final = 60.0
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # settings, of which none


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
    """Ray tries an address that nobody answers for minutes; this takes seconds, or the minute that a busy head needs.

    A head that stands still is told from one that works by what any server of gRPC says first: its settings (RFC 9113,
    3.4). Connections alone are accepted by the kernel.

    Raises:
        ConnectionError: nothing listens at ``host:port`` or ``ray://host:port``, or says nothing.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        head = socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_SECONDS)
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"nothing answers there ({error}); is the head node up?") from error
    with head:
        if os.environ.get("RAY_USE_TLS") == "1":  # there all is said behind certificates
            return
        head.settimeout(_SILENT_SECONDS)
        try:
            head.sendall(_PREFACE)
            first = head.recv(1)
        except TimeoutError as error:
            raise ConnectionError(
                f"it takes calls, but has said nothing for {_SILENT_SECONDS:.0f} s; does the head node stand still, or "
                "is it overloaded?"
            ) from error
        except OSError as error:
            raise ConnectionError(f"it hangs up ({error}); is the head node up?") from error
    if first != b"\0":  # of the length of the frame of settings
        raise ConnectionError("what listens there is no Ray; the port is that of the head node, by default 6379")


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
