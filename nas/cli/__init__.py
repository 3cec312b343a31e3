"""The command line: ``nas search``, ``front``, ``export``, ``evaluate``, ``ui``, ``doctor`` and ``schema``.

Commands import what they need when they run, so that ``nas --help`` and a misspelt option answer at once. Nothing is
imported before `main` runs, so that a signal in the first moment ends it in order, too.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from nas.cli._app import app

__all__ = ["app", "main"]

_LEAVING: Final = ("_exit", "execv", "execve")  # by which a process ends at once; others of os call these
_OF_TYPER: Final = 130  # what it ends with, without a word, when it is interrupted while it reads arguments


def main() -> None:
    """Entry point of the ``nas`` command; SIGTERM and SIGHUP end it as Ctrl-C does, unless they are ignored."""

    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    own = os.getpid()
    leaving: dict[str, Any] = {name: getattr(os, name) for name in _LEAVING}

    def staying(name: str) -> Any:
        def stay(*given: Any) -> NoReturn:
            if os.getpid() != own:  # a child ends as it likes
                leaving[name](*given)
            said = f"{given[0]!r}" if name == "_exit" else f"{os.fsdecode(given[0])!r}, …"
            raise RuntimeError(f"os.{name}({said}) would end the program without a word; raise an error, or return")

        return stay

    for name in _LEAVING:  # functions, spaces and strategies of the user's own run in this process
        setattr(os, name, staying(name))
    with contextlib.suppress(OSError, ValueError):  # without a standard error
        faulthandler.enable()  # it names the line of theirs where a library of theirs crashes
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
        for name, leave in leaving.items():  # whoever called this from a program of their own may leave it as they like
            setattr(os, name, leave)


def __getattr__(name: str) -> Any:
    if name == "app":
        from nas.cli._app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
