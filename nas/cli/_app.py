"""The application: which commands there are, and what becomes of an error.

Exit codes: 0 done, 1 failed, 2 bad usage or job file. A `NasError` is a message for the user and prints as one;
anything else is a defect of this program and prints its traceback.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from nas.cli import _doctor, _evaluate, _export, _front, _schema, _search, _ui
from nas.cli._console import errors
from nas.errors import JobError, NasError

__all__ = ["app", "main"]


class _Group(TyperGroup):
    """Turns deliberate errors into a message and an exit code, in one place for all commands."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except NasError as error:
            errors.print(f"[bold red]error:[/] {_escaped(error)}", soft_wrap=True)
            raise typer.Exit(2 if isinstance(error, JobError) else 1) from error
        except KeyboardInterrupt as error:
            errors.print("interrupted")
            raise typer.Exit(1) from error


def _escaped(error: NasError) -> str:
    return str(error).replace("[", r"\[")


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
    epilog="Start with: nas search examples/digits.yaml",
)
app.command("search")(_search.search)
app.command("front")(_front.front)
app.command("export")(_export.export)
app.command("evaluate")(_evaluate.evaluate)
app.command("ui")(_ui.ui)
app.command("doctor")(_doctor.doctor)
app.command("schema")(_schema.schema)


@app.callback()
def _options(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Also print what goes on inside, on standard error."),
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # Search spaces, strategies and data of the user's own are named by import path and live where the user stands.
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))


def main() -> None:
    """Entry point of the ``nas`` command."""
    app(prog_name="nas")
