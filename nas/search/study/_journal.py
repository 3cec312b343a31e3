"""What the driver has done and the database may not have yet, on disk the moment it happens.

A file of JSON lines in the study's folder, each appended by one call of the operating system, so that a killed driver
leaves at most its last line torn, which whoever writes next cuts off; any other line that is none is damage. The
database is written in batches, some tenths of a second behind; whoever opens the study reads the database and then
what the journal says beyond it. When the database has everything, the file is cut back to the trials that have not
ended. The first line says the format: ``{"format": 1}``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from nas._text import plain
from nas.search.errors import StudyError

__all__ = ["Journal"]

_FORMAT: Final = 1  # raised when the meaning of an entry changes


class Journal:
    """The journal at `path`; nothing is opened or made before the first entry."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self.lines = 0  # in the file, as far as this object has read or written it

    def read(self) -> list[dict[str, Any]]:
        """The entries, oldest first; the last line is left out where it is torn.

        Raises:
            StudyError: another line is damaged, or a newer version of this program wrote them.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        *lines, _ = text.split(b"\n")  # what follows the last end of a line is being written, or torn
        entries = [self._entry(place, line) for place, line in enumerate(lines, start=1)]
        if entries and "format" in entries[0]:
            found = entries.pop(0)["format"]
            if found != _FORMAT:
                raise StudyError(f"{self.path} has format {found}, this program reads {_FORMAT}; upgrade to open it")
        self.lines = len(entries)
        return entries

    def _entry(self, place: int, line: bytes) -> dict[str, Any]:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                return entry
        raise StudyError(
            f"{self.path}, line {place}, is damaged, so what happened to a trial is not known: "
            f"{plain(line.decode(errors='replace'), 100)}; restore the folder of the study from a copy, or remove that "
            "line: what it said is then taken from the database or done again"
        )

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append an entry: it survives the death of this process when this returns.

        Raises:
            OSError: the disk is full, or the folder is gone.
        """
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                self._cut_torn()
                if not os.fstat(self._file).st_size:
                    self._write_header(_line({"format": _FORMAT}))
            except OSError:
                self.close()
                raise
        data = _line(entry)
        try:
            written = os.write(self._file, data)
        except OSError:
            self.close()
            raise
        if written != len(data):
            self.close()  # the next entry cuts the torn line off
            raise OSError(errno.ENOSPC, f"{self.path} took {written} of {len(data)} bytes; is the disk full?")
        self.lines += 1

    def rewrite(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Replace all entries by these; after a crash the file has either the old ones or the new."""
        self.close()
        kept = [_line(entry) for entry in entries]
        header = [_line({"format": _FORMAT})] if kept else []
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(b"".join(header + kept))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self.lines = len(kept)

    def close(self) -> None:
        """Let go of the file; it is opened again when needed."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write_header(self, data: bytes) -> None:
        assert self._file is not None
        if os.write(self._file, data) != len(data):
            os.ftruncate(self._file, 0)  # a torn first line would hide the format
            raise OSError(errno.ENOSPC, f"{self.path} took a part of {len(data)} bytes; is the disk full?")

    def _cut_torn(self) -> None:
        """Takes away what follows the last whole line: it was never said to be written."""
        assert self._file is not None
        text = self.path.read_bytes()
        if (whole := text.rfind(b"\n") + 1) != len(text):
            os.ftruncate(self._file, whole)


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
