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

__all__ = ["cache_home", "own_folder", "scratch"]

_PREFIX: Final = "nas-run-"
_HELD: Final = ".held"
_DRAWN: Final = 8  # characters that `tempfile` adds to a prefix

_lock = threading.Lock()
# By process, so that a forked child does not take its parent's, and by the folder that it is in.
_made: dict[tuple[int, Path], tuple[Path, IO[bytes]]] = {}


def own_folder(most: int | None = None) -> Path:
    """This process's folder of temporary files, of mode 0700; made when it is first asked for.

    Args:
        most: bytes that its path may have, for whoever puts sockets into it; where the user's folder of temporary files
            has a longer one, it is made in /tmp.

    Raises:
        TemporaryFilesError: there is no folder in which one can be made; the message names it.
    """
    try:
        return _own_folder(most)
    except OSError as error:
        from nas.errors import TemporaryFilesError  # here, because this file is also used by itself

        raise TemporaryFilesError(
            f"a folder for temporary files is needed, and none can be used ({error}); name another with TMPDIR"
        ) from error


def _own_folder(most: int | None) -> Path:
    base = Path(tempfile.gettempdir())
    if most is not None and len(os.fsencode(base)) + 1 + len(_PREFIX) + _DRAWN > most:
        base = Path("/tmp")
    with _lock:
        known = _made.get((os.getpid(), base))
        if known is None or not known[0].is_dir():
            _sweep(base)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
            held = (folder / _HELD).open("wb")
            fcntl.flock(held, fcntl.LOCK_EX)
            _made[os.getpid(), base] = known = folder, held
            atexit.register(_remove, os.getpid())
        return known[0]


def cache_home() -> Path:
    """``$XDG_CACHE_HOME``, by default ``~/.cache``; of a user who has no home, a folder in `own_folder`."""
    if stated := os.environ.get("XDG_CACHE_HOME"):
        return Path(stated)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # as in a container whose user has no name
        return own_folder() / "cache"


@contextlib.contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """A folder inside it, removed in the end; `kind` is for whoever looks."""
    with tempfile.TemporaryDirectory(prefix=f"{kind}-", dir=own_folder(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _remove(process: int) -> None:
    if process != os.getpid():
        return
    for key in [key for key in _made if key[0] == process]:
        folder, held = _made.pop(key)
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def _sweep(base: Path) -> None:
    """Removes what processes of this user have left that are no more."""
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.geteuid() or folder.is_symlink():
                continue
            with (folder / _HELD).open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
