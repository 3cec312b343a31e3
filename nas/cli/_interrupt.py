"""Ctrl-C: the first asks a search to stop, the second leaves at once."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["Stop", "stop_on_signals"]

_GRACE_SECONDS: Final = 10.0  # for running trials to end; afterwards they are left, and run again on --resume


class Stop:
    """Whether a search should stop; raises KeyboardInterrupt once running trials have had their time."""

    def __init__(self, on_request: Callable[[], None]) -> None:
        self._on_request = on_request
        self._since: float | None = None

    @property
    def requested(self) -> bool:
        """Whether somebody asked."""
        return self._since is not None

    def __call__(self) -> bool:
        if self._since is not None and time.monotonic() - self._since > _GRACE_SECONDS:
            raise KeyboardInterrupt
        return self.requested

    def request(self) -> None:
        """Ask to stop; asking twice means at once.

        Raises:
            KeyboardInterrupt: it is the second time.
        """
        if self.requested:
            raise KeyboardInterrupt
        self._since = time.monotonic()
        self._on_request()


@contextlib.contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """SIGINT and SIGTERM ask ``stop`` for as long as the block runs (in the main thread; elsewhere nothing changes)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: Any) -> None:
        stop.request()

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
