"""Temporary files: in one folder of this process, for its user alone, and gone with it.

A process that is killed cannot remove its folder: the next one that needs one does. Whose process lives is told by a
lock that the kernel releases with it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

__all__ = ["own_folder", "scratch"]

_PREFIX: Final = "nas-run-"
_HELD: Final = ".held"

_lock = threading.Lock()
_made: dict[int, tuple[Path, IO[bytes]]] = {}  # by process, so that a forked child does not take its parent's


def own_folder() -> Path:
    """This process's folder of temporary files, of mode 0700; made when it is first asked for.

    Raises:
        OSError: there is no folder in which one can be made; the message names it.
    """
    with _lock:
        known = _made.get(os.getpid())
        if known is None or not known[0].is_dir():
            base = Path(tempfile.gettempdir())
            _sweep(base)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
            held = (folder / _HELD).open("wb")
            fcntl.flock(held, fcntl.LOCK_EX)
            _made[os.getpid()] = known = folder, held
            atexit.register(_remove, os.getpid())
        return known[0]


@contextlib.contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """A folder inside it, removed in the end; `kind` is for whoever looks."""
    with tempfile.TemporaryDirectory(prefix=f"{kind}-", dir=own_folder(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _remove(process: int) -> None:
    if process == os.getpid() and (known := _made.pop(process, None)) is not None:
        shutil.rmtree(known[0], ignore_errors=True)
        known[1].close()


def _sweep(base: Path) -> None:
    """Removes what processes of this user have left that are no more."""
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.geteuid() or folder.is_symlink():
                continue
            with (folder / _HELD).open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
