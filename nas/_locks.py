"""Waiting for a lock on a file, without a word as long as that is no time at all."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from pathlib import Path
from typing import Final

from nas._text import plain

__all__ = ["SILENT_SECONDS", "locked"]

SILENT_SECONDS: Final = 3.0
"""How long a lock is waited for without a word: whoever works holds one for some milliseconds."""

_log = logging.getLogger(__name__)


def locked(file: int, path: Path) -> None:
    """Returns when this process has the kernel's lock on an open file; closing the file lets go of it.

    Who holds it longer than `SILENT_SECONDS` is named in a warning: a process that was stopped holds it for as long as
    it stands still.

    Raises:
        OSError: the file system has no locks.
    """
    since, pause, told = time.monotonic(), 0.001, False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        if not told and time.monotonic() - since > SILENT_SECONDS:
            _log.warning("%s", _waiting(file, path))
            told = True
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _waiting(file: int, path: Path) -> str:
    process = _holder(os.fstat(file).st_ino)
    if process is None:
        return f"waiting for {path}, which another process holds (lsof {path} names it)"
    words, state = "", ""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
        state = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    name = f"process {process}" + (f" ({plain(words, 80)})" if words else "")
    if state == "T":
        return f"waiting for {path}, which {name} holds, and that stands still; let it go on: kill -CONT {process}"
    return f"waiting for {path}, which {name} holds"


def _holder(inode: int) -> int | None:
    """The process of this machine that holds the lock of a file, where the kernel tells."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, process, place, *_ = line.split()
            if kind == "FLOCK" and place.rpartition(":")[2] == str(inode) and int(process) > 0:
                return int(process)
    return None
