"""Reading a file that anybody may have written, and writing one that is whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["MOST_TEXT", "contents", "ordinary", "write_together", "write_whole", "written_whole"]

MOST_TEXT: Final = 2**26
"""Bytes of a file that is read as text at once: far more than a graph or a record has, far less than any memory."""

_PIECE: Final = 2**20  # bytes
_NAME: Final = 50  # characters of a file's name in that of its temporary one: together they must be a name, too


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


def write_whole(path: str | os.PathLike[str], data: bytes | str, *, flush: bool = True) -> None:
    """Write a file, or leave what was there untouched: a temporary file beside it, flushed to disk, then renamed.

    What is no ordinary file, a pipe or a device, is written as it is; of a link, what it points to is replaced.

    Args:
        data: text is written as UTF-8.
        flush: False: leave it to the system when it reaches the disk; after a power cut it may be empty or damaged.

    Raises:
        OSError: the folder is missing or not writeable, or the disk is full; it names ``path``.
    """
    write_together({path: data}, flush=flush)


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """`write_whole` of what is too large to be held as bytes: written to the file that the block gets.

    Raises:
        OSError: see `write_whole`; also what the block raises, which then leaves what was there.
    """
    target = Path(os.path.realpath(path))
    temporary = _aside(target)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # of the temporary file, or of none
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    _flush_folder(target.parent)


def write_together(files: Mapping[str | os.PathLike[str], bytes | str], *, flush: bool = True) -> None:
    """`write_whole` of files that belong together: none is renamed before all are on the disk."""
    aside: dict[Path, Path] = {}
    path: str | os.PathLike[str] = ""
    try:
        for path, data in files.items():
            kept = data.encode() if isinstance(data, str) else data
            mode = _mode(path)
            if mode is not None and not stat.S_ISREG(mode):
                Path(path).write_bytes(kept)
                continue
            target = Path(os.path.realpath(path))
            aside[target] = temporary = _aside(target)
            with temporary.open("xb") as file:
                if mode is not None:
                    os.fchmod(file.fileno(), stat.S_IMODE(mode))
                file.write(kept)
                if flush:
                    file.flush()
                    os.fsync(file.fileno())
        for path, temporary in aside.items():
            temporary.replace(path)
    except BaseException as error:
        for temporary in aside.values():
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # of the temporary file, or of none
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    if flush:
        for folder in {target.parent for target in aside}:
            _flush_folder(folder)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name[:_NAME]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


def _mode(path: str | os.PathLike[str]) -> int | None:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - a path of any kind
    except FileNotFoundError:
        return None


def _flush_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system can flush a folder
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
