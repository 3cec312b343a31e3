"""What the person at the terminal sees while it runs, and how much time is left."""

from __future__ import annotations

import sys
import time

__all__ = ["Progress"]


class Progress:
    """Lines with the time since the start; `detail` overwrites itself on a terminal and is silent elsewhere."""

    def __init__(self, limit_seconds: float) -> None:
        self.start = time.perf_counter()
        self.deadline = limit_seconds
        self._terminal = sys.stderr.isatty()

    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.start

    def say(self, line: str) -> None:
        """Print a line."""
        self._clear()
        minutes, seconds = divmod(int(self.seconds()), 60)
        print(f"{minutes:2d}:{seconds:02d}  {line}", flush=True)

    def detail(self, text: str) -> None:
        """Show what is going on right now."""
        if self._terminal:
            self._clear()
            print(f"       … {text}", end="", file=sys.stderr, flush=True)

    def out_of_time(self) -> bool:
        """Whether no further cell should be started."""
        return self.seconds() > self.deadline

    def _clear(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
