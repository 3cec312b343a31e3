"""Going on after a database or a disk has failed, when it is back."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nas.cli._workers import log_format
from nas.cli.console import errors

if TYPE_CHECKING:
    from nas.cli.interrupt import Stop
    from nas.cli.study import Start

__all__ = ["is_full", "patiently", "say_paused"]

_WAITS: Final = (2.0, 30.0)  # seconds before the second attempt, and at most
_SETTLED_SECONDS: Final = 60.0  # a run of this length had got somewhere: its failure is a new one

_ROOM_SECONDS: Final = 2.0  # between two looks for room on a full disk
_ROOM_BYTES: Final = 2**20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)

_logger = logging.getLogger(__name__)


def patiently(
    run: Callable[[Start], None],
    start: Start,
    minutes: float,
    store: Path,
    stop: Stop,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Calls ``run(start)`` until it does not fail for want of a database or disk, from the second time with "either".

    A full disk is waited for as long as it takes, and that is said at once: a search of days must not end because of
    it, nor go on without its record.

    Args:
        run: a search, which continues what is recorded unless it is called with "new".
        minutes: from the first failure of a row to the last attempt; 0: no second attempt.
        store: folder of the study, on the disk that may be full.
        stop: no further attempt once it was requested.

    Raises:
        StorageError: they were not back in time.
    """
    from nas.search import StorageError

    wait, since = _WAITS[0], None
    while True:
        began = clock()
        try:
            run(start)
            return
        except StorageError as error:
            stop.check()
            if is_full(store) or _ran_out_of_room(error):
                _say(f"waiting until there is room in {store} ({_first_line(error)}); Ctrl-C stops", "disk_full")
                sleep(_ROOM_SECONDS)
                while is_full(store):
                    sleep(_ROOM_SECONDS)
                _say("there is room again; going on", "disk_has_room")
                since, start = None, "either"
                continue
            if since is None or clock() - began > _SETTLED_SECONDS:
                wait, since = _WAITS[0], clock()
            if clock() - since + wait > 60 * minutes:
                raise
            _logger.warning("%s; going on in %.0f s", _first_line(error), wait, extra={"event": "storage_failed"})
        sleep(wait)
        wait, start = min(2 * wait, _WAITS[1]), "either"


def _ran_out_of_room(error: BaseException | None) -> bool:
    """Whether a full disk is what it was: when somebody looks, there may be room again."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if isinstance(error, sqlite3.Error) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__
    return False


def is_full(folder: Path) -> bool:
    """Whether there is no room for a file of a megabyte."""
    folder = next((each for each in (folder, *folder.absolute().parents) if each.is_dir()), folder)
    path = folder / f".room-{os.getpid()}.tmp"
    try:
        with path.open("wb") as file:
            file.write(bytes(_ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in _FULL
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return False


def say_paused(error: Exception) -> None:
    """Why a search pauses, before it ends what it has begun."""
    _say(_first_line(error), "storage_failed")


def _say(text: str, event: str) -> None:
    """At once, to whoever looks: people on a terminal, or a machine in the log."""
    if log_format() == "json":
        _logger.warning("%s", text, extra={"event": event})
    else:
        errors.print(text, markup=False, soft_wrap=True)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
