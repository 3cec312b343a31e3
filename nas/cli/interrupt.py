"""Ctrl-C, SIGTERM and SIGHUP: the first asks a search to stop, the second leaves at once.

Before a search has begun, and after it has ended, the first leaves at once, too.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["Stop", "stop_on_signals"]

_GRACE_SECONDS: Final = 10.0  # for running trials to end; afterwards they are left, and run again on --resume
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Whether a search should stop; raises KeyboardInterrupt once running trials have had their time."""

    def __init__(self) -> None:
        self._polite: Callable[[], None] | None = None
        self._since: float | None = None
        self._timed = False  # see `within_grace`

    @property
    def requested(self) -> bool:
        """Whether somebody asked."""
        return self._since is not None

    def __call__(self) -> bool:
        if self._since is not None and time.monotonic() - self._since > _GRACE_SECONDS:
            raise KeyboardInterrupt
        return self.requested

    def check(self) -> None:
        """Raises: KeyboardInterrupt: somebody asked."""
        if self.requested:
            raise KeyboardInterrupt

    def request(self) -> None:
        """Ask to stop; asking twice means at once.

        Raises:
            KeyboardInterrupt: it is the second time, or there is nothing to wait for.
        """
        if self.requested or self._polite is None:
            self._since = self._since or time.monotonic()
            raise KeyboardInterrupt
        self._since = time.monotonic()
        if self._timed:
            signal.setitimer(signal.ITIMER_REAL, _GRACE_SECONDS)
        self._polite()

    @contextlib.contextmanager
    def politely(self, on_request: Callable[[], None]) -> Iterator[None]:
        """Inside, the first request only calls `on_request`: what runs looks whether it should stop."""
        before, self._polite = self._polite, on_request
        try:
            yield
        finally:
            self._polite = before

    @contextlib.contextmanager
    def within_grace(self) -> Iterator[None]:
        """For work that cannot look: KeyboardInterrupt comes wherever it is, ten seconds after the request (in the main
        thread)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def overdue(number: int, frame: Any) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, overdue)
        self._timed = True
        try:
            yield
        finally:
            self._timed = False
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """The signals ask ``stop`` for as long as the block runs (in the main thread; elsewhere nothing changes).

    A signal that this process was started to ignore, as ``nohup`` does with SIGHUP, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: Any) -> None:
        stop.request()

    wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
