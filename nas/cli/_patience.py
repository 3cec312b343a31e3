"""Going on after a database or a disk has failed, when it is back."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from nas.cli._workers import log_format
from nas.cli.console import errors, say

if TYPE_CHECKING:
    from nas.cli.interrupt import Stop
    from nas.cli.study import Start

__all__ = ["is_full", "patiently", "say_paused"]

_WAITS: Final = (2.0, 30.0)  # seconds before the second attempt, and at most
_SETTLED_SECONDS: Final = 60.0  # a run of this length had got somewhere: its failure is a new one

_ROOM_SECONDS: Final = 2.0  # between two looks for room on a full disk
_ROOM_BYTES: Final = 2**20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_SERVER_FULL: Final = "53100"  # PostgreSQL: its own disk is full
_UNSURE_TRIES: Final = 5  # in a row, where it may be want of room or a broken disk

_ADVICE: Final = re.compile(r"; [^;]*\bcontinue with --resume:?$")

_logger = logging.getLogger(__name__)


def patiently(
    run: Callable[[Start], None],
    start: Start,
    minutes: float,
    store: Path,
    stop: Stop,
    *,
    again: str = "",
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Calls ``run(start)`` until it does not fail for want of a database or disk, from the second time with "either".

    A full disk is waited for as long as it takes, and that is said at once: a search of days must not end because of
    it, nor go on without its record.

    The same where a file of its end, the exported network or a table, finds no room.

    Args:
        run: a search, which continues what is recorded unless it is called with "new".
        minutes: from the first failure of a row to the last attempt; 0: no second attempt.
        store: folder of the study, on the disk that may be full.
        stop: no further attempt once it was requested.
        again: the command that continues the search, said to whoever interrupts a wait.

    Raises:
        StorageError: they were not back in time.
        OSError: a file could not be read or written, and not for want of room.
    """
    from nas.search import StorageError

    wait, since, tries = _WAITS[0], None, 0
    while True:
        began = clock()
        try:
            run(start)
            return
        except (StorageError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _FULL:
                raise
            with _continued_by(again):
                stop.check()
                settled = clock() - began > _SETTLED_SECONDS
                tries = 1 if settled else tries + 1
                lacked = _lacked_room(error)
                # The disk of a database may be another; a file that lacked room is on this one, or not of the study.
                full = is_full(store) or (
                    lacked == "yes" and (isinstance(error, StorageError) or tries <= _UNSURE_TRIES)
                )
                if full or (lacked == "perhaps" and tries <= _UNSURE_TRIES):
                    doing = "waiting until there is room" if full else "it may be for want of room: looking again"
                    _say(f"{doing} in {store} ({_what_failed(error)}); Ctrl-C stops", "disk_full")
                    sleep(min(_ROOM_SECONDS * tries, _WAITS[1]))
                    while is_full(store):
                        sleep(_ROOM_SECONDS)
                    _say("there is room again; going on" if full else "going on", "disk_has_room")
                    since, start = None, "either"
                    continue
                if since is None or settled:
                    wait, since = _WAITS[0], clock()
                if clock() - since + wait > 60 * minutes:
                    raise
                _logger.warning("%s; going on in %.0f s", _what_failed(error), wait, extra={"event": "storage_failed"})
        with _continued_by(again):
            sleep(wait)
        wait, start = min(2 * wait, _WAITS[1]), "either"


@contextlib.contextmanager
def _continued_by(again: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if again:
            say(f"resume: {again}")
        raise


def _lacked_room(error: BaseException | None) -> Literal["yes", "perhaps", "no"]:
    """Whether a full disk is what it was: when somebody looks, there may be room again."""
    found: Literal["perhaps", "no"] = "no"
    while error is not None:
        code = getattr(error, "sqlite_errorcode", None)
        if isinstance(error, OSError):
            if error.errno in _FULL:
                return "yes"
            if error.errno == errno.EIO:
                found = "perhaps"
        elif code == sqlite3.SQLITE_FULL:
            return "yes"
        elif code is not None and code & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            # A flush or a new file that lack room come as these, as on a disk that is broken.
            found = "perhaps"
        elif _SERVER_FULL in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None)):
            return "yes"
        error = error.__cause__
    return found


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
    _say(_what_failed(error), "storage_failed")


def _say(text: str, event: str) -> None:
    """At once, to whoever looks: people on a terminal, or a machine in the log."""
    if log_format() == "json":
        _logger.warning("%s", text, extra={"event": event})
    else:
        say(text, output=errors)


def _what_failed(error: Exception) -> str:
    """The first line of a message, without the advice to continue: what waits goes on by itself, or says how in the
    end."""
    return _ADVICE.sub("", str(error).splitlines()[0])
