"""A Ray of one search on this machine: for its user alone, on loopback, and gone with the search.

Ray's own ways would let every account of the machine in: its token lies in a file that all may read, its sockets, logs
and the pickled classes that workers run in a folder that all may enter. Here the token is drawn for each process and
handed on in the environment, which only the user's own processes can read, and the folder has mode 0700.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import psutil
import ray
from ray._private import services, utils
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]
from ray.exceptions import RayError

from nas._scratch import own_folder
from nas.errors import NasError
from nas.training import Dataset

__all__ = ["LocalRay", "WorkerError", "keeping_handlers", "shut_down"]

_logger = logging.getLogger(__name__)

_LOOPBACK: Final = "127.0.0.1"
_STORE_BYTES: Final = 256 * 2**20  # object store beyond the data: candidates and results on their way
# Of the folder's path, in bytes: the address of a socket has 107, and Ray makes its sockets in
# ray/session_2026-11-30_01-07-00_114170_4194304/sockets/plasma_store (and a raylet of the same length).
_MOST_FOLDER: Final = 107 - len("/ray/session_2026-11-30_01-07-00_114170_4194304/sockets/plasma_store")
_STARTS: Final = 3  # of a local Ray; it gives a node 30 s to start, which a busy machine may need
_TOKEN: Final = secrets.token_hex(32)
_TOKEN_NAME: Final = "RAY_AUTH_TOKEN"
_MODE_NAME: Final = "RAY_AUTH_MODE"
_ENDING_SECONDS: Final = 3.0  # for its processes to end by themselves


class WorkerError(NasError, RuntimeError):
    """Workers cannot be started at all."""


class LocalRay:
    """Ray on this machine, started here.

    Args:
        dataset: what the object store must hold.
        cpus: at least so many are offered.
        quiet: options of ``ray.init`` about its logs.

    Raises:
        WorkerError: it does not start.
        RayError, RuntimeError, ValueError: Ray refuses.
    """

    def __init__(self, dataset: Dataset, cpus: int, quiet: dict[str, Any]) -> None:
        try:
            self.folder = own_folder(_MOST_FOLDER) / "ray"
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise WorkerError(
                f"Ray needs a folder for temporary files, and none can be made ({error.__cause__ or error}); name one "
                "with TMPDIR, or use resources.executor=serial"
            ) from error
        self._others = {child.pid for child in psutil.Process().children()}
        # So Ray writes none into a file. It goes with this Ray: a cluster that is met later has a token of its own, or
        # none, and Ray itself sets the variable of the mode where there is none.
        self._own_token = os.environ.setdefault(_TOKEN_NAME, _TOKEN) == _TOKEN
        self._own_mode = _MODE_NAME not in os.environ
        _read_again()
        try:
            self._start(dataset, cpus, quiet)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends Ray and all its processes, and removes its files; may be called twice.

        Ray lets its agents find out by themselves that their node is gone, which takes them up to a minute.
        """
        processes = self._processes()
        shut_down()
        _, alive = psutil.wait_procs(processes, timeout=_ENDING_SECONDS if processes else 0)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=_ENDING_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._own_token and os.environ.get(_TOKEN_NAME) == _TOKEN:
            del os.environ[_TOKEN_NAME]
            if self._own_mode:
                os.environ.pop(_MODE_NAME, None)
            _read_again()

    def _processes(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for child in psutil.Process().children():
            if child.pid not in self._others:
                with contextlib.suppress(psutil.Error):
                    found += [child, *child.children(recursive=True)]
        return found

    def _check_folder(self) -> None:
        """Raises: WorkerError: nothing can be written where Ray needs to, for which no busy machine is to be blamed."""
        try:
            probe = self.folder / "probe"
            probe.write_bytes(bytes(2**20))
            probe.unlink()
        except OSError as error:
            raise WorkerError(
                f"Ray cannot start on this machine: it keeps sockets and logs in {self.folder}, and nothing can be "
                f"written there ({error.strerror}); name another folder with TMPDIR, or use resources.executor=serial"
            ) from error

    def _start(self, dataset: Dataset, cpus: int, quiet: dict[str, Any]) -> None:
        self._check_folder()
        values = (getattr(dataset, name) for name in dataset.__slots__)
        size = sum(value.nbytes for value in values if isinstance(value, np.ndarray))
        for attempt in range(1, 1 + _STARTS):
            try:
                with _on_loopback(), keeping_handlers():
                    ray.init(
                        address="local",
                        num_cpus=max(cpus, os.cpu_count() or 1),
                        object_store_memory=int(min(2 * size + _STORE_BYTES, 0.5 * psutil.virtual_memory().available)),
                        include_dashboard=False,
                        _node_ip_address=_LOOPBACK,
                        _temp_dir=str(self.folder),
                        **quiet,
                    )
                return
            except OSError as error:
                if isinstance(error, ConnectionError):
                    raise
                raise WorkerError(f"Ray cannot start on this machine: {error}") from error
            except (RuntimeError, ValueError, RayError):
                raise
            except Exception as error:  # Ray raises no other class when a node does not start in time
                shut_down()
                self._check_folder()  # it may be full now
                if attempt == _STARTS:
                    raise WorkerError(
                        f"Ray did not start on this machine in {_STARTS} attempts ({error}); it needs some seconds of "
                        "a processor: try again when the machine is less busy, or use resources.executor=serial"
                    ) from error
                _logger.warning("Ray did not start in time; attempt %d of %d follows", attempt + 1, _STARTS)


def _read_again() -> None:
    """A process keeps the first token that Ray has read, from variable or file, and whether any is asked for, as the
    environment said when Ray was imported, until it is told to look again.

    The mode comes first: where tokens are still asked for, a thread of Ray's that finds none ends the process.
    """
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def shut_down() -> None:
    """Disconnects this process from Ray, which would leave it without its handler for SIGTERM."""
    with keeping_handlers():
        ray.shutdown()


@contextlib.contextmanager
def keeping_handlers() -> Iterator[None]:
    """``ray.init`` puts two handlers of its own for SIGTERM in the place of this process's: one of Python's, and one of
    the operating system's that aborts; ``ray.shutdown`` sets the latter to the system's default, of which Python knows
    nothing. Where this process has a handler, it keeps it.

    There is no setting for that (Ray 2.60): the function that sets the first is replaced meanwhile, and afterwards
    Python's handler is handed to the system once more.
    """
    ours = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(ours):
        yield
        return
    theirs = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = theirs
        signal.signal(signal.SIGTERM, ours)


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
