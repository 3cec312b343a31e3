"""Reading a file that anybody may have written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["MOST_TEXT", "contents", "ordinary"]

MOST_TEXT: Final = 2**26
"""Bytes of a file that is read as text at once: far more than a graph or a record has, far less than any memory."""

_PIECE: Final = 2**20  # bytes


def ordinary(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file of a study to read it: what this program writes is neither a pipe, which may never say anything,
    nor a device, which may never end.

    Raises:
        OSError: it cannot be opened, or is one of these (``EINVAL``).
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(number).st_mode):
        return os.fdopen(number, "rb")
    os.close(number)
    raise OSError(errno.EINVAL, "is no ordinary file but a folder, a pipe or a device", os.fspath(path))


def contents(path: str | os.PathLike[str], most: int = MOST_TEXT, *, pipes: bool = True) -> bytes:
    """The bytes of a file.

    Args:
        most: bytes that it may hold; no more is read.
        pipes: whether it may be what only `ordinary` refuses.

    Raises:
        OSError: it cannot be read, holds more (``EFBIG``), or is a device, which may have no end (``EINVAL``).
    """
    with Path(path).open("rb") if pipes else ordinary(path) as file:
        found = os.fstat(file.fileno())
        if stat.S_ISCHR(found.st_mode) and not file.isatty():
            raise OSError(errno.EINVAL, "is a device, not a file", os.fspath(path))
        # A pipe has no size; of a file, memory is taken for what it holds, not for what it may.
        large = found.st_size > most
        data = b"" if large else file.read() if stat.S_ISREG(found.st_mode) else _at_most(file, most + 1)
    if large or len(data) > most:
        raise OSError(errno.EFBIG, f"holds more than the {most:,} bytes that are read of such a file", os.fspath(path))
    return data


def _at_most(file: BinaryIO, most: int) -> bytes:
    pieces = []
    while most > 0 and (piece := file.read(min(_PIECE, most))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)
