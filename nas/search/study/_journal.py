"""The file of a study: Optuna's journal of operations, safe from whatever ends a process or fills a disk.

The format is that of Optuna's `JournalFileBackend`, a line of JSON an operation, so that Optuna, its dashboard and any
tool of its own open the file. What is added, all within Optuna's public interface of a journal's backend:

    a line that a dying process, or a full disk, left torn is cut off before the next is written
    a lock of the kernel's, which no dead process leaves behind
    a damaged line is refused with its number, wherever it is
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from nas._files import ordinary
from nas._locks import locked
from nas._text import plain
from nas.search.errors import StudyError

__all__ = ["MOST_LINE", "Journal", "open_journal"]

MOST_LINE: Final = 2**26  # bytes of an operation; the longest, which says what the data is, has some millions


class Journal(BaseJournalBackend):
    """The journal at `path`, which exists.

    Appending is safe from other processes that append by this class; reading needs no lock. When `append_logs` returns,
    the lines survive the death of the process; what makes them survive a power cut is up to the caller (see
    `nas.search.study._trials`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0  # up to which all are read
        self._next = 0  # byte at which the line after that begins

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The operations from that line on, counted from 0.

        Raises:
            StudyError: a line is damaged.
        """
        if log_number_from < self.line:
            self.line = self._next = 0
        with ordinary(self.path) as file:
            file.seek(self._next)
            while line := file.readline(MOST_LINE):
                if len(line) == MOST_LINE:
                    self.line += 1
                    raise self.damaged(f"it is longer than {MOST_LINE:,} bytes")
                if not line.endswith(b"\n"):  # is being written, or torn
                    return
                self.line, self._next = self.line + 1, self._next + len(line)
                if self.line > log_number_from:
                    yield self._operation(line)

    def _operation(self, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line, object_pairs_hook=_shared)
            if isinstance(found, dict):
                return found
        except ValueError:
            pass
        raise self.damaged(line.decode(errors="replace").rstrip("\n"))

    def damaged(self, what: str) -> StudyError:
        """Says that the line read last is `what`, so that nothing after it can be understood."""
        return StudyError(
            f"{self.path}, line {self.line}, is damaged: {plain(what, 100)}; restore the folder of the study from a "
            "copy"
        )

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Adds operations, all or none.

        Raises:
            OSError: the disk is full, or the file is gone.
        """
        data = b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in logs)
        file = os.open(self.path, os.O_RDWR | os.O_APPEND)
        try:
            locked(file, self.path)
            size = _without_torn_line(file)
            try:
                written = os.write(file, data)
                if written != len(data):
                    raise OSError(errno.ENOSPC, f"{self.path} took {written} of {len(data)} bytes; is the disk full?")
            except OSError:
                with contextlib.suppress(OSError):  # whoever writes next cuts it off
                    os.ftruncate(file, size)
                raise
        finally:
            os.close(file)  # lets go of the lock


def open_journal(path: Path) -> JournalStorage:
    """Optuna's storage on the journal at `path`, as it is now.

    Raises:
        StudyError: the journal is damaged.
        OSError: it cannot be read.
    """
    journal = Journal(path)
    try:
        return JournalStorage(journal)
    except (KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise journal.damaged(f"{type(error).__name__}: {error}") from error


def _without_torn_line(file: int) -> int:
    """The size of an open journal, after what follows its last whole line has been cut off."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        size = os.pread(file, size, 0).rfind(b"\n") + 1
        os.ftruncate(file, size)
    return size


def _shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary whose names, and texts of one word, are the same objects in all trials: a third of the memory."""
    return {
        sys.intern(name): sys.intern(value) if type(value) is str and len(value) < 80 else value
        for name, value in pairs
    }
