"""The command line: ``nas search``, ``front``, ``export``, ``evaluate``, ``ui``, ``doctor`` and ``schema``.

Commands import what they need when they run, so that ``nas --help`` and a misspelt option answer at once. Nothing is
imported before `main` runs, so that a signal in the first moment ends it in order, too.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from nas.cli._app import app

__all__ = ["app", "main"]

_OF_TYPER: Final = 130  # what it ends with, without a word, when it is interrupted while it reads arguments


def main() -> None:
    """Entry point of the ``nas`` command; SIGTERM and SIGHUP end it as Ctrl-C does, unless they are ignored."""

    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    own, leave = os.getpid(), os._exit

    def stay(status: int) -> NoReturn:
        if os.getpid() != own:  # a child ends as it likes
            leave(status)
        raise RuntimeError(f"os._exit({status}) would end the whole program without a word; raise an error, or return")

    os._exit = stay  # functions, spaces and strategies of the user's own run in this process
    # Python looks for cycles once more when it ends, among all that numba, torch and Ray have made: two seconds.
    atexit.register(gc.freeze)
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, interrupted)
        from nas.cli._app import app

        app(prog_name="nas")
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != _OF_TYPER:
            raise
        sys.stderr.write("interrupted\n")  # before the command itself began, which says more
        sys.exit(1)
    finally:
        os._exit = leave  # whoever called this from a program of their own may leave it as they like


def __getattr__(name: str) -> Any:
    if name == "app":
        from nas.cli._app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
