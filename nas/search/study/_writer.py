"""Writes what the driver does into the database, in batches and behind its back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from nas.search.study._rows import Change

__all__ = ["Writer"]

_SECONDS: Final = 0.25  # between two batches: how far the database may be behind
_MOST: Final = 2000  # trials that may wait; then the driver waits for the database


class Writer:
    """A thread that collects the changes of trials and writes them together.

    Args:
        write: writes changes, of a trial at most one, all or nothing. What it raises ends the thread, and is raised
            again by the next call of any method here.
        name: of the thread.
    """

    def __init__(self, write: Callable[[list[Change]], None], name: str) -> None:
        self._write = write
        self._wake = threading.Condition()
        self._waiting: dict[int, Change] = {}
        self._writing: frozenset[int] = frozenset()
        self._flush = False
        self._closing = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, change: Change) -> None:
        """Hand over a change; waits where too many are waiting."""
        with self._wake:
            self._wake.wait_for(lambda: len(self._waiting) < _MOST or self._error is not None)
            self._check()
            known = self._waiting.get(change.number)
            if known is None:
                self._waiting[change.number] = change
            else:
                known.merge(change)
            self._wake.notify_all()

    def has(self, number: int) -> bool:
        """Whether something of this trial is not written yet."""
        with self._wake:
            self._check()
            return number in self._waiting or number in self._writing

    def flush(self) -> None:
        """Return when all that was handed over is written."""
        with self._wake:
            self._flush = True
            self._wake.notify_all()
            self._wake.wait_for(lambda: not (self._waiting or self._writing) or self._error is not None)
            self._flush = False
            self._check()

    def close(self) -> None:
        """Write what is left and end the thread; what fails is raised."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        last = 0.0
        while True:
            with self._wake:
                self._wake.wait_for(lambda: bool(self._waiting) or self._closing)
                if not self._waiting:
                    return
                due = last + _SECONDS
                while not (self._flush or self._closing or len(self._waiting) >= _MOST // 2):
                    left = due - time.monotonic()
                    if left <= 0 or not self._wake.wait(left):
                        break
                batch, self._waiting = list(self._waiting.values()), {}
                self._writing = frozenset(change.number for change in batch)
                self._wake.notify_all()
            try:
                self._write(batch)
            except Exception as error:  # the driver's to deal with
                with self._wake:
                    self._error, self._writing = error, frozenset()
                    self._wake.notify_all()
                return
            last = time.monotonic()
            with self._wake:
                self._writing = frozenset()
                self._wake.notify_all()
