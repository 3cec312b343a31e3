"""The application: which commands there are, and what becomes of an error.

Exit codes: 0 done, 1 failed, 2 bad usage or job file. A `NasError` is a message for the user and prints as one, and so
does what the operating system says of a file, a folder or a disk, wherever that is met, and what code of the user's own
raises, with its place; anything else is a defect of this program and prints its traceback.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, Final, TextIO, cast, get_args

import typer
from rich.text import Text
from typer.core import TyperGroup

import nas
from nas._logs import Level, LogFormat, configure
from nas._named import offer_user_folders
from nas._text import plain, said_of
from nas.cli import (
    _calibrate,
    _compare,
    _data,
    _doctor,
    _evaluate,
    _init,
    _lineage,
    _list,
    _logs_command,
    _metrics_command,
    _predict,
    _replay,
    _report_command,
    _schema,
    _serve,
    _status,
    _stop,
    _studies,
    _submit,
    _ui,
    _watch,
)
from nas.cli import export as _export
from nas.cli import front as _front
from nas.cli import search as _search
from nas.cli.console import errors, say
from nas.errors import JobError, NasError

__all__ = ["app"]

_logger = logging.getLogger(__name__)

_DENIED: Final = "name another place, or have its permissions changed"
_FULL: Final = "make room there, or name another place"
_FAILING: Final = "the disk or the connection to it fails; try again when it is back, or name another place"
_FILES: Final = "this account may not have more files open; raise that limit (ulimit -n)"
_NO_MEMORY: Final = "this takes more memory than this process may have; give it more, or less to read and to do"
_REMEDIES: Final = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "name a place that can be written",
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "name another",
    errno.EIO: _FAILING,
    errno.ESTALE: _FAILING,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOENT: "make it, or name another",
    errno.ENOTDIR: "part of its path is a file; name another",
    errno.EISDIR: "name a file in it",
    errno.ENAMETOOLONG: "name a shorter one",
    errno.ELOOP: "a link leads back to itself; name another",
}
"""What to do about an error of the operating system that is of a file; no other is taken for one."""


_MOST_ERROR: Final = 10_000  # characters; code of the user's own may raise megabytes


class _Group(TyperGroup):
    """Turns deliberate errors into a message and an exit code, in one place for all commands."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _warned
                return super().invoke(ctx)
        except typer.BadParameter as error:
            raise _in_plain_words(error) from error
        except NasError as error:
            raise _failed(str(error), 2 if isinstance(error, JobError) else 1) from error
        except OSError as error:
            if error.errno not in _REMEDIES:
                raise
            _logger.debug("the operating system refused", exc_info=error)
            raise _failed(_of_a_file(error)) from error
        except MemoryError as error:
            _logger.debug("no memory", exc_info=error)
            raise _failed(_NO_MEMORY) from error
        except KeyboardInterrupt as error:
            errors.print("interrupted")
            raise typer.Exit(1) from error
        except (Exception, SystemExit) as error:  # of the program's own commands, none leaves it like that
            if (place := _place_in_own_code(error)) is None:
                raise
            _logger.debug("code of the user's own failed", exc_info=error)
            raise _failed(f"{place}: {said_of(error)}") from error


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Says our own warnings as messages; where others come from is all that helps with them."""
    if category.__module__.startswith("nas."):
        say(Text.assemble(("warning:", "bold yellow"), " ", str(message)), output=errors)
    else:
        (file or sys.stderr).write(warnings.formatwarning(message, category, filename, lineno, line))


def _failed(why: str, code: int = 1) -> typer.Exit:
    """Says why, in no more characters than anybody reads; the exit with this code."""
    say(Text.assemble(("error:", "bold red"), " ", plain(why, _MOST_ERROR)), output=errors)
    return typer.Exit(code)


def _place_in_own_code(error: BaseException) -> str | None:
    """Where in a space, strategy or function of the user's own something was raised; None: it was not in any."""
    installed = [Path(nas.__file__).parent, *(Path(each) for each in {sys.prefix, sys.base_prefix})]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not any(path.is_relative_to(each) for each in installed):
            return f"{path}, line {frame.lineno}, in {frame.name}"
    return None


def _in_plain_words(error: typer.BadParameter) -> typer.BadParameter:
    """The value and what it must be, where the parser quotes the library that it checks values with."""
    from pydantic import ValidationError

    from nas.job import plain_words

    if isinstance(error.__cause__, ValidationError):
        problem = error.__cause__.errors()[0]
        error.message = f"{problem['input']!r}: {plain_words(problem['msg'])}"
    return error


def _of_a_file(error: OSError) -> str:
    """Which file or folder it is, what is wrong with it, and what to do."""
    assert error.errno is not None
    what = error.strerror or os.strerror(error.errno)
    named = [str(each) for each in (error.filename, error.filename2) if each is not None]
    where = f"{' or '.join(named)}: " if named else ""
    return f"{where}{what[0].lower()}{what[1:]}; {_REMEDIES[error.errno]}"


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # paragraphs are filled to the terminal's width, whatever their lines in the source
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=(
        "Evolve neural networks whose structure is any directed acyclic graph, and see what each costs in measured "
        "process time.\n\nExit codes: 0 done, 1 failed, 2 bad usage or job file."
    ),
    epilog="Start with: nas search TABLE.csv --target COLUMN --minutes 5",
)
app.command("search")(_search.search)
app.command("init")(_init.init)
app.command("data")(_data.data)
app.command("front")(_front.front)
app.command("compare")(_compare.compare)
app.command("export")(_export.export)
app.command("predict")(_predict.predict)
app.command("studies")(_studies.studies)
app.command("delete")(_studies.delete)
app.command("report")(_report_command.report)
app.command("evaluate")(_evaluate.evaluate)
app.command("lineage")(_lineage.lineage)
app.command("replay")(_replay.replay)
app.command("watch")(_watch.watch)
app.command("serve")(_serve.serve)
app.command("ui")(_ui.ui)
app.command("submit")(_submit.submit)
app.command("status")(_status.status)
app.command("metrics")(_metrics_command.metrics)
app.command("logs")(_logs_command.logs)
app.command("stop")(_stop.stop)
app.command("list")(_list.list_submissions)
app.command("doctor")(_doctor.doctor)
app.command("calibrate")(_calibrate.calibrate)
app.command("schema")(_schema.schema)


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise typer.BadParameter(f"expected one of {', '.join(allowed)}, got {value!r}")
    return value


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nas {nas.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what goes on inside: --log-level info."),
    log_level: str = typer.Option(
        "warning",
        "--log-level",
        envvar="NAS_LOG_LEVEL",
        help="Least level that is logged on standard error, here and by workers: debug, info, warning, error.",
        callback=lambda value: _one_of(value, get_args(Level)),
    ),
    log_format: str = typer.Option(
        "text",
        "--log-format",
        envvar="NAS_LOG_FORMAT",
        help="text for people, json for machines: an object a line, with trial and worker.",
        callback=lambda value: _one_of(value, get_args(LogFormat)),
    ),
    _version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
    ),
) -> None:
    level = "info" if verbose and log_level == "warning" else log_level
    configure(cast(LogFormat, log_format), cast(Level, level))
    # For everything this process starts, and for the executor, which hands it on to workers elsewhere.
    os.environ["NAS_LOG_FORMAT"], os.environ["NAS_LOG_LEVEL"] = log_format, level
    # Search spaces, strategies and data of the user's own are named by import path and live where the user stands, or
    # for a submitted job in a folder of their own.
    offer_user_folders()
