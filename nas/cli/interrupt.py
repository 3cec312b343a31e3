"""Ctrl-C, SIGTERM and SIGHUP: the first asks a search to stop, the second leaves at once.

Before a search has begun, and after it has ended, the first leaves at once, too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

__all__ = ["Stop", "stop_on_signals"]

_GRACE_SECONDS: Final = 10.0  # for running trials to end; afterwards they are left, and run again on --resume
_PUT_OFF_SECONDS: Final = 0.02
_MOST_PUT_OFF: Final = 100  # times: a database that does not answer must not hold a stop up
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Whether a search should stop; raises KeyboardInterrupt once running trials have had their time."""

    def __init__(self) -> None:
        self._polite: Callable[[], None] | None = None
        self._since: float | None = None
        self._timed = False  # see `within_grace`
        self._timer: tuple[float, float] | None = None  # what a timer of the caller had left, and since when

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
            self._timer = signal.setitimer(signal.ITIMER_REAL, _GRACE_SECONDS)[0], time.monotonic()
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
        thread). A timer of whoever called runs on meanwhile, but for those seconds."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        before = signal.getsignal(signal.SIGALRM)

        def overdue(number: int, frame: FrameType | None) -> None:
            if self._timer is None and callable(before):
                before(number, frame)
            elif _would_be_lost(frame):
                signal.setitimer(signal.ITIMER_REAL, _PUT_OFF_SECONDS)
            else:
                raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, overdue)
        self._timed = True
        try:
            yield
        finally:
            self._timed = False
            signal.signal(signal.SIGALRM, before)
            if self._timer is not None:
                left, since = self._timer
                signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - since), 1e-3) if left else 0.0)
                self._timer = None


@contextlib.contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """The signals ask ``stop`` for as long as the block runs (in the main thread; elsewhere nothing changes).

    A signal that this process was started to ignore, as ``nohup`` does with SIGHUP, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    put_off = 0

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal put_off
        try:
            stop.request()
        except KeyboardInterrupt:
            if put_off < _MOST_PUT_OFF and _would_be_lost(frame):
                put_off += 1
                _again_soon(number)
                return
            raise

    def unraisable(lost: Any) -> None:
        if lost.exc_type is not None and issubclass(lost.exc_type, KeyboardInterrupt):
            _again_soon(signal.SIGINT)  # it came while something was being collected, which only prints a traceback
        else:
            hook(lost)

    wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in wanted}
    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, old in before.items():
            signal.signal(number, old)


def _would_be_lost(frame: FrameType | None) -> bool:
    """Whether what a signal's handler raises here ends up as a printed traceback: amid a finaliser, or while SQLAlchemy
    puts a connection away."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_globals.get("__name__", "").startswith("sqlalchemy.pool"):
            return True
        frame = frame.f_back
    return False


def _again_soon(number: int) -> None:
    """The same signal once more, when what runs now has probably ended."""
    timer = threading.Timer(_PUT_OFF_SECONDS, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
