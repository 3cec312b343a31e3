"""Reading a file that anybody may have written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["MOST_TEXT", "contents"]

MOST_TEXT: Final = 2**26
"""Bytes of a file that is read as text at once: far more than a graph or a record has, far less than any memory."""


def contents(path: str | os.PathLike[str], most: int = MOST_TEXT) -> bytes:
    """The bytes of a file, which may be a pipe.

    Args:
        most: bytes that it may hold; no more is read, so that one without end (``/dev/zero``) takes no memory.

    Raises:
        OSError: it cannot be read, or holds more (``EFBIG``).
    """
    with Path(path).open("rb") as file:
        found = os.fstat(file.fileno())
        # A pipe has no size; of a file, memory is taken for what it holds, not for what it may.
        large = stat.S_ISREG(found.st_mode) and found.st_size > most
        data = b"" if large else file.read() if stat.S_ISREG(found.st_mode) else file.read(most + 1)
    if large or len(data) > most:
        raise OSError(errno.EFBIG, f"holds more than the {most:,} bytes that are read of such a file", os.fspath(path))
    return data
