"""What MLflow has not confirmed yet, on disk: finished trials survive an outage of MLflow and the death of the driver.

A file of JSON lines in the study's folder::

    {"format": 1, "search": "5f0c…"}                 first line: the search that the parent run stands for
    {"trial": {"search": "5f0c…", "number": 12, …}}  a trial to be logged
    {"done": ["5f0c…", 12]}                          MLflow has it

A line is written by one call, so a killed process leaves at most its last line torn, which is then skipped. Now and
then, when nothing is left to do, the file is cut back to its first line.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

__all__ = ["Journal"]

_FORMAT = 1
_MOST_LINES = 500  # of a file with nothing left to do
_LOG = logging.getLogger(__name__)


class Journal:
    """Trials on their way to MLflow. Methods may be called from any thread.

    A disk that refuses (full, read-only) is reported once in the log and then ignored: the trials are still in memory
    and in the study, and a search must not end because of its protocol.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.search: str | None = None  # id of the newest search
        self._pending: dict[tuple[str, int], dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._reported = False
        self._lines = 0
        self._torn = False
        self._read()

    def pending(self) -> list[dict[str, Any]]:
        """Trials that MLflow has not confirmed, in the order in which they finished."""
        with self._lock:
            return list(self._pending.values())

    def begin(self, search: str) -> None:
        """Make `search` the current one; what is left of earlier ones stays."""
        with self._lock:
            self.search = search
            self._rewrite()

    def add(self, record: dict[str, Any]) -> None:
        """Keep a trial (with keys "search" and "number") until `done`."""
        with self._lock:
            self._pending[record["search"], record["number"]] = record
            self._append({"trial": record})

    def done(self, record: dict[str, Any]) -> None:
        """MLflow has this trial."""
        with self._lock:
            key = record["search"], record["number"]
            if self._pending.pop(key, None) is None:
                return
            if not self._pending and self._lines > _MOST_LINES:
                self._rewrite()
            else:
                self._append({"done": key})

    def _read(self) -> None:
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            self._report(error)
            return
        for line in lines:
            try:
                entry = json.loads(line)
                if entry.get("format", 0) > _FORMAT:
                    _LOG.warning("%s was written by a newer version; what it holds is left alone", self.path)
                    self.path = self.path.with_suffix(".newer-exists.jsonl")
                    self._pending.clear()
                    return
                if "format" in entry:
                    self.search = str(entry["search"])
                elif "trial" in entry:
                    record = entry["trial"]
                    self._pending[str(record["search"]), int(record["number"])] = record
                elif "done" in entry:
                    search, number = entry["done"]
                    self._pending.pop((search, number), None)
            except (ValueError, KeyError, TypeError, AttributeError):
                _LOG.warning("%s: skipped a line that is not an entry (torn by a crash?): %.60r", self.path, line)

    def _append(self, entry: dict[str, Any]) -> None:
        data = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        if self._torn:
            self._rewrite()
            return
        try:
            # Not fsynced: what the process has written survives its death, and the study itself holds every trial
            # should the machine die. `begin` has removed a line that an earlier crash had torn.
            with self.path.open("ab", buffering=0) as file:
                self._torn = file.write(data) != len(data)
            self._lines += 1
        except OSError as error:
            self._torn = True
            self._report(error)

    def _rewrite(self) -> None:
        entries: list[dict[str, Any]] = [{"format": _FORMAT, "search": self.search}]
        entries += [{"trial": record} for record in self._pending.values()]
        temporary = self.path.with_suffix(".tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            self._lines, self._torn = len(entries), False
        except OSError as error:
            self._report(error)

    def _report(self, error: OSError) -> None:
        if not self._reported:
            self._reported = True
            _LOG.warning("cannot keep the journal %s (%s); trials wait in memory for MLflow", self.path, error)
