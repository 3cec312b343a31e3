"""What MLflow has not confirmed yet, on disk: finished trials survive an outage of MLflow and the death of the driver.

A file of JSON lines in the study's folder::

    {"format": 1, "search": "5f0c…"}                 first line: the search that the parent run stands for
    {"trial": {"search": "5f0c…", "number": 12, …}}  a trial to be logged
    {"done": ["5f0c…", 12]}                          MLflow has it
    {"champion": ["5f0c…", 12]}                      what this search has published; later in the first line

A line is written by one call, so a killed process leaves at most its last line torn, which is then skipped. Now and
then, when nothing is left to do, the file is cut back to its first line. In memory there is only where each trial's
line is: a search may be thousands of trials ahead of MLflow.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

from nas._files import ordinary

__all__ = ["Journal", "Key"]

_FORMAT = 1
_MOST_LINE = 2**26  # bytes
_MOST_LINES = 500  # of a file with nothing left to do
_LOG = logging.getLogger(__name__)

Key = tuple[str, int]
"""A trial: its search, and its number."""


class Journal:
    """Trials on their way to MLflow. Methods may be called from any thread.

    A disk that refuses (full, read-only) is reported once in the log and then ignored: the trials are still in memory
    and in the study, and a search must not end because of its protocol.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.search: str | None = None  # id of the newest search
        self.champion: int | None = None  # trial whose network that search has published
        # By key: the line's first byte and length, or the record itself where the disk has refused it.
        self._pending: dict[Key, tuple[int, int] | dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._reported = False
        self._lines = self._size = 0
        self._torn = False
        self._read()

    def pending(self) -> list[Key]:
        """Trials that MLflow has not confirmed, in the order in which they finished."""
        with self._lock:
            return list(self._pending)

    def record(self, key: Key) -> dict[str, Any] | None:
        """What `add` was given of a trial that is pending; None: it was not given, or the file has lost it."""
        with self._lock:
            place = self._pending.get(key)
            if place is None:
                return None
            if isinstance(place, dict):
                return place
            try:
                record: dict[str, Any] = json.loads(self._line(place))["trial"]
            except (OSError, ValueError, KeyError, TypeError):
                return None
            return record

    def begin(self, search: str) -> None:
        """Make `search` the current one; what is left of earlier ones stays."""
        with self._lock:
            if search != self.search:
                self.search, self.champion = search, None
            self._rewrite()

    def published(self, number: int) -> None:
        """The current search has published the network of this trial."""
        with self._lock:
            self.champion = number
            self._append({"champion": (self.search, number)})

    def add(self, record: dict[str, Any]) -> None:
        """Keep a trial (with keys "search" and "number") until `done`."""
        with self._lock:
            key = record["search"], record["number"]
            self._pending[key] = record
            if (place := self._append({"trial": record})) is not None:
                self._pending[key] = place

    def done(self, key: Key) -> None:
        """MLflow has this trial."""
        with self._lock:
            if self._pending.pop(key, None) is None:
                return
            if not self._pending and self._lines > _MOST_LINES:
                self._rewrite()
            else:
                self._append({"done": key})

    def _read(self) -> None:
        try:
            with ordinary(self.path) as file:
                while line := file.readline(_MOST_LINE):
                    if len(line) == _MOST_LINE:
                        _LOG.warning("%s: skipped all from byte %d on, a line without end", self.path, self._size)
                        return
                    place = self._size, len(line)
                    self._size += len(line)
                    if not self._take(line.decode(errors="replace").rstrip("\n"), place):
                        return
        except FileNotFoundError:
            return
        except OSError as error:
            self._report(error)

    def _take(self, line: str, place: tuple[int, int]) -> bool:
        """Take over a line of the file; False: no more of them."""
        if line:
            try:
                entry = json.loads(line)
                if entry.get("format", 0) > _FORMAT:
                    _LOG.warning("%s was written by a newer version; what it holds is left alone", self.path)
                    self.path = self.path.with_suffix(".newer-exists.jsonl")
                    self._pending.clear()
                    self._size = 0
                    return False
                if "format" in entry:
                    self.search, self.champion = str(entry["search"]), entry.get("champion")
                elif "trial" in entry:
                    record = entry["trial"]
                    self._pending[str(record["search"]), int(record["number"])] = place
                elif "champion" in entry:
                    self.champion = int(entry["champion"][1])
                elif "done" in entry:
                    search, number = entry["done"]
                    self._pending.pop((search, number), None)
            except (ValueError, KeyError, TypeError, AttributeError):
                _LOG.warning("%s: skipped a line that is not an entry (torn by a crash?): %.60r", self.path, line)
        return True

    def _line(self, place: tuple[int, int]) -> bytes:
        with self.path.open("rb") as file:
            file.seek(place[0])
            return file.read(place[1])

    def _append(self, entry: dict[str, Any]) -> tuple[int, int] | None:
        """Where the entry's line is; None: not on its own (the file was made anew), or not on disk."""
        data = _encoded(entry)
        if self._torn:
            self._rewrite()
            return None
        try:
            # Not fsynced: what the process has written survives its death, and the study itself holds every trial
            # should the machine die. `begin` has removed a line that an earlier crash had torn.
            with self.path.open("ab", buffering=0) as file:
                self._torn = file.write(data) != len(data)
            self._lines += 1
        except OSError as error:
            self._torn = True
            self._report(error)
        if self._torn:
            return None
        self._size += len(data)
        return self._size - len(data), len(data)

    def _rewrite(self) -> None:
        temporary = self.path.with_suffix(".tmp")
        places: dict[Key, tuple[int, int]] = {}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                first = {"format": _FORMAT, "search": self.search}
                file.write(_encoded(first if self.champion is None else {**first, "champion": self.champion}))
                for key, place in self._pending.items():
                    line = _encoded({"trial": place}) if isinstance(place, dict) else self._line(place)
                    places[key] = file.tell(), len(line.rstrip(b"\n")) + 1
                    file.write(line.rstrip(b"\n") + b"\n")  # a crash may have cut the last line's end off
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            self._lines, self._size, self._torn = 1 + len(places), size, False
            self._pending.update(places)
        except OSError as error:
            self._report(error)

    def _report(self, error: OSError) -> None:
        if not self._reported:
            self._reported = True
            _LOG.warning("cannot keep the journal %s (%s); trials wait in memory for MLflow", self.path, error)


def _encoded(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
