"""Of all processes of a machine, one drives a study."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from nas._text import plain
from nas.search.errors import StudyError

__all__ = ["held"]

_LOCK_SECONDS: Final = 1.0  # to wait for the lock: `nas status` holds it for a moment, to see whether it is free


@contextlib.contextmanager
def held(path: Path, name: str) -> Iterator[None]:
    """Keeps every other process from holding the lock file; the kernel releases it when the process dies.

    Args:
        path: of the file, which says who holds it.
        name: of the study, for messages.

    Raises:
        StudyError: another process holds it, or has deleted the study in the meantime.
        OSError: the file cannot be written.
    """
    with path.open("a+", encoding="utf-8") as file:
        _lock(file, name)
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise StudyError(f"study {name!r} has just been deleted by another process")
        with contextlib.suppress(OSError):  # a full disk; it is only for people
            os.ftruncate(file.fileno(), 0)  # not by way of a buffer, which would fail once more when it is closed
            os.write(file.fileno(), f"process {os.getpid()} on {os.uname().nodename}\n".encode())
        yield


def _lock(file: TextIO, name: str) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            file.seek(0)
            holder = plain(file.read(200).strip(), 80)
            raise StudyError(
                f"study {name!r} is being driven by another process{f' ({holder})' if holder else ''}; wait for it or "
                "stop it"
            ) from None
