"""Where commands print: results on standard output, complaints on standard error; and how values look."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console

from nas.errors import NasError

__all__ = [
    "PATIENCE_SECONDS",
    "STORAGE",
    "STORE",
    "console",
    "duration",
    "errors",
    "need_writable",
    "percent",
    "print_json",
    "program",
    "seconds",
    "stage",
    "strict_json",
]

PATIENCE_SECONDS: Final = 3.0  # of a wait that nothing is said of

_WIDTH: Final = int(os.environ.get("COLUMNS") or 120)  # of files and pipes, for which rich would assume 80

# No emoji: openml:adult: is a name.
console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _WIDTH)
errors = Console(stderr=True, highlight=False, emoji=False, width=None if sys.stderr.isatty() else _WIDTH)

STORE = typer.Option(
    "nas-runs", "--store", envvar="NAS_STORE", help="Folder with the studies (tracking.store of the job)."
)
STORAGE = typer.Option(
    None,
    "--storage",
    envvar="NAS_STORAGE",
    help="Database of the studies (tracking.storage of the job), if not SQLite.",
)


def program() -> str:
    """What to type for this program: ``nas``, or its path where the shell would not find it (no activated .venv)."""
    called = Path(sys.argv[0])
    if called.name != "nas" or not called.exists():
        return "nas"
    found = shutil.which("nas")
    if found is not None and called.samefile(found):
        return "nas"
    return min((str(called.absolute()), os.path.relpath(called)), key=len)


def need_writable(path: Path | None) -> None:
    """Before work whose result goes to ``path`` (None: nowhere): whether a file can be written there.

    Raises:
        NasError: it is a folder, its folder is not there, or one of them may not be written.
    """
    if path is None:
        return
    if path.is_dir():
        raise NasError(f"{path}: cannot be written, because it is a folder; name a file in it")
    if not path.absolute().parent.is_dir():
        raise NasError(f"{path}: cannot be written, because there is no folder {path.parent}; make it, or name another")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise NasError(f"{path}: cannot be written (no permission); name another place")


@contextlib.contextmanager
def stage(doing: str) -> Iterator[None]:
    """Says what is waited for: on a terminal while it lasts, elsewhere in a line; and how long a long one took."""
    started = time.monotonic()
    if not console.is_terminal:
        console.print(f"{doing} …", markup=False, soft_wrap=True)
    with console.status(doing):
        yield
    took = time.monotonic() - started
    if took > PATIENCE_SECONDS:
        console.print(f"{doing}: {duration(took)}", markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """``value`` as JSON on standard output; numbers that are not finite become null, which JSON has."""
    sys.stdout.write(json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def strict_json(value: Any) -> str:
    """``value`` as JSON on one line, likewise without numbers that are not finite."""
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def percent(share: float | None, digits: int = 2) -> str:
    """0.9712 -> "97.12 %"."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def seconds(value: float | None) -> str:
    """A short time with its unit and three digits: 0.00123 -> "1.23 ms"."""
    if value is None or not math.isfinite(value):
        return "-"
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")):
        scaled = value / factor
        if abs(scaled) >= 0.9995 or unit == "ns":
            break
    return f"{scaled:.{2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0}f} {unit}"


def duration(value: float | None) -> str:
    """A long time: 3725 -> "1:02:05"."""
    if value is None or not math.isfinite(value):
        return "-"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
