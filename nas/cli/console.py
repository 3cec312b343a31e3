"""Where commands print: results on standard output, complaints on standard error; and how values look."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import typer
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.text import Text

from nas._text import format_seconds, harmless, redacted_address
from nas.errors import NasError

__all__ = [
    "ADDRESS_VARIABLE",
    "NOT_BOTH",
    "PATIENCE_SECONDS",
    "STORAGE",
    "STORE",
    "SUBMITTED_AS",
    "TARGET",
    "asked_elsewhere",
    "asking",
    "command_line",
    "console",
    "duration",
    "errors",
    "need_writable",
    "one_or_all",
    "path_prefix",
    "percent",
    "print_json",
    "say",
    "seconds",
    "stage",
    "stated",
    "status_line",
    "strict_json",
    "writing",
]

PATIENCE_SECONDS: Final = 3.0  # of a wait that nothing is said of

# A command in a message: what is pasted must be one line.
_COMMAND: Final = re.compile(r"(?:\S+ -m |\S*/)?\bnas [a-z]")

_NOTEBOOK: Final = 100  # columns of a notebook's outputs that are seen without scrolling
_WIDTH: Final = int(os.environ.get("COLUMNS") or 120)  # of files and pipes, for which rich would assume 80


class _Harmless(RenderHook):
    """What is printed may name columns, classes and files of strangers: none of that is to steer the terminal."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_HarmlessRenderable(each) for each in renderables]


class _HarmlessRenderable:
    def __init__(self, shown: ConsoleRenderable) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in console.render(self._shown, options):
            yield part if part.control else Segment(harmless(part.text), part.style)


def _console(*, stderr: bool = False) -> Console:
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    # No markup, no emoji: [a] may be a column, openml:adult: is a name.
    made = Console(stderr=stderr, highlight=False, emoji=False, markup=False, width=None if terminal else _WIDTH)
    made.push_render_hook(_Harmless())
    return made


console, errors = _console(), _console(stderr=True)

ADDRESS_VARIABLE: Final = "RAY_API_SERVER_ADDRESS"  # Ray's own, for every command that asks a cluster
SUBMITTED_AS: Final = "NAS_SUBMITTED_AS"  # the command that submitted a search, and that continues it
_ASKED_AS: Final = "NAS_ASKED_AS"  # how this program is called by somebody who asks from another machine
_ASKED_AT: Final = "NAS_ASKED_AT"  # and which address has to be added there

NOT_BOTH: Final = "--address names a cluster, --store and --storage are of this machine; leave the one or the other out"


def stated(context: typer.Context, name: str) -> bool:
    """Whether a parameter was typed, and is no default or variable."""
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"


def _of_this_machine(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    typed = [stated(context, name) for name in ("address", parameter.name or "")]
    if all(typed) and context.params.get("address"):
        raise typer.BadParameter(NOT_BOTH)
    return value


STORE = typer.Option(
    "nas-runs",
    "--store",
    envvar="NAS_STORE",
    help="Folder with the studies (tracking.store of the job).",
    callback=_of_this_machine,
)
TARGET = typer.Option(
    None, "--target", help="Target column of a table (data.target; default: the last); of several targets, once each."
)
STORAGE = typer.Option(
    None,
    "--storage",
    envvar="NAS_STORAGE",
    help="Database of the studies (tracking.storage of the job), if they are not in the store.",
    callback=_of_this_machine,
)


def command_line(*words: str | Path, store: Path | None = None, storage: str | None = None) -> str:
    """A command of this program as it can be pasted into the shell it was called from, whatever its words contain.

    Args:
        words: the command and its arguments.
        store: folder of the study that the command is about; said only where it is not what the program would take.
        storage: its database, likewise. One with a password is named without it: then ``NAS_STORAGE`` has to be set.
    """
    from nas.tracking import default_store

    found = [*_program(), *(str(word) for word in words)]
    if store is not None and (asked_at := os.environ.get(_ASKED_AT)):
        return shlex.join([*found, "--address", asked_at])
    if store is not None and store != default_store():
        found += ["--store", str(store)]
    if storage and storage != os.environ.get("NAS_STORAGE"):
        found += ["--storage", redacted_address(storage)]
    return shlex.join(found)


def asked_elsewhere() -> bool:
    """Whether what is printed is for somebody on another machine, see `asking`."""
    return _ASKED_AT in os.environ


def asking(address: str) -> dict[str, str]:
    """Variables for a command that answers elsewhere: the commands that it prints are for the shell here, and it does
    not ask a cluster in turn, whatever its machine is set to (itself, for ever)."""
    return {_ASKED_AS: shlex.join(_program()), _ASKED_AT: address, ADDRESS_VARIABLE: ""}


def _program() -> list[str]:
    """What to type for this program: ``nas``, or its path where the shell would not find it (no activated .venv)."""
    if asked_as := os.environ.get(_ASKED_AS):
        return shlex.split(asked_as)
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "nas":
        return [_shortest(Path(sys.executable)), "-m", "nas"]
    if called.name != "nas" or not called.exists():
        return ["nas"]
    found = shutil.which("nas")
    if found is not None and called.samefile(found):
        return ["nas"]
    return [_shortest(called)]


def path_prefix(name: str) -> str:
    """What stands before a shell command that runs a program of the package ``name``, which is installed beside this
    one, and whatever that runs in turn: nothing where the shell finds it, else a place to look for it."""
    found = shutil.which(name)
    folder = Path(sys.executable).parent
    beside = folder / name
    if found is not None and beside.exists() and beside.samefile(found):
        return ""
    return f'PATH={shlex.quote(str(folder.absolute()))}:"$PATH" '


def _shortest(path: Path) -> str:
    return min((str(path.absolute()), os.path.relpath(path)), key=len)


def one_or_all(given: list[str] | None) -> str | list[str] | None:
    """What an option that may be repeated says: one value as such, several as a list."""
    return given[0] if given and len(given) == 1 else given or None


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
    folder = Path(os.path.realpath(path)).parent
    # A file is written aside in its folder, then renamed; but a pipe or a device as it is.
    asked = [path] * path.exists() + [folder] * (path.is_file() or not path.exists())
    if not all(os.access(each, os.W_OK) for each in asked):
        raise NasError(f"{path}: cannot be written (no permission); name another place")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors of writing ``path`` name it, as those of opening it do by themselves."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def stage(doing: str) -> Iterator[None]:
    """Says what is waited for: on a terminal while it lasts, elsewhere in a line; and how long a long one took."""
    started = time.monotonic()
    if not console.is_terminal:
        say(f"{doing} …")
    with status_line(doing):
        yield
    took = time.monotonic() - started
    if took > PATIENCE_SECONDS:
        say(f"{doing}: {duration(took)}")


@contextlib.contextmanager
def status_line(doing: str) -> Iterator[Callable[[str], None]]:
    """Shows what is done while it lasts, on a terminal; calling what is given changes it. Elsewhere nothing is shown:
    notebooks would keep an empty output of it."""
    if not console.is_terminal:
        yield lambda doing: None
        return
    with console.status(doing) as shown:
        yield shown.update


def say(text: str | Text, *, output: Console = console) -> None:
    """Prints sentences: broken between words on a terminal, each in one line elsewhere. A command of this program that
    they end with stays whole, however wide the terminal is; it begins a line where it does not fit into the last. In a
    notebook, whose lines do not break by themselves, they are broken, too."""
    shown = Text(text) if isinstance(text, str) else text
    if output.is_jupyter:
        broken = shown.divide(_line_starts(shown.plain, _NOTEBOOK))
        for line in broken:
            line.rstrip()
        output.print(Text("\n").join(broken), soft_wrap=True)
        return
    if not output.is_terminal:
        output.print(shown, soft_wrap=True)
        return
    command = _COMMAND.search(shown.plain)
    at = len(shown) if command is None else command.start()
    prose, rest = shown[:at], shown[at:]
    starts = _line_starts(prose.plain, output.width)
    begun = cell_len(prose.plain[max(starts, default=0) :].rsplit("\n", 1)[-1])
    fits = begun + cell_len(rest.plain.split("\n", 1)[0]) <= output.width
    alone = bool(prose.plain.strip()) and bool(rest) and not fits
    if alone:
        prose.rstrip()
    if prose:
        *lines, last = prose.divide(starts)
        for line in lines:
            line.rstrip()
            output.print(line, soft_wrap=True)
        output.print(last, soft_wrap=True, end="\n" if alone or not rest else "")
    if rest:
        output.print(rest, soft_wrap=True)


def _line_starts(text: str, width: int) -> list[int]:
    """Where lines begin after the first. Not rich's own: it cuts a path that is wider than the terminal, or breaks no
    line at all."""
    starts, used = [], 0
    for word in re.finditer(r"\n|[^\S\n]*[^\s]+", text):
        if word[0] == "\n":
            used = 0
            continue
        if used and used + cell_len(word[0]) > width:
            starts.append(word.end() - len(word[0].lstrip()))
            used = cell_len(word[0].lstrip())
        else:
            used += cell_len(word[0])
    return starts


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
    return format_seconds(math.nan if value is None else value, unknown="-")


def duration(value: float | None) -> str:
    """A long time: 3725 -> "1:02:05"."""
    if value is None or not math.isfinite(value):
        return "-"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
