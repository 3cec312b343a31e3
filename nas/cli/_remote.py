"""What the commands that talk to a cluster share: its address, and how its logs read."""

from __future__ import annotations

import importlib
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer

from nas._files import write_whole
from nas.cli.console import ADDRESS_VARIABLE, NOT_BOTH, asking, say, stated, writing
from nas.errors import JobError

__all__ = [
    "ADDRESS",
    "ADDRESS_VARIABLE",
    "ELSEWHERE",
    "LOCAL_ADDRESS",
    "Entry",
    "ask",
    "cluster",
    "entry_of",
    "readable",
    "refuse",
]

LOCAL_ADDRESS: Final = "http://127.0.0.1:8265"  # of a head node on this machine
ADDRESS = typer.Option(
    LOCAL_ADDRESS,
    "--address",
    envvar=ADDRESS_VARIABLE,
    help="Job server of the cluster's head node.",
)


def _meant(context: typer.Context, value: str | None) -> str | None:
    """The address; none where that of the environment meets a store, which is of this machine."""
    if not value or not any(stated(context, name) for name in ("store", "storage")):
        return value
    if stated(context, "address"):
        raise typer.BadParameter(NOT_BOTH)
    return None


ELSEWHERE = typer.Option(
    None,
    "--address",
    envvar=ADDRESS_VARIABLE,
    help="Job server of a cluster on which the study was searched, e.g. http://10.0.0.1:8265; '': look here.",
    callback=_meant,
)

Entry = dict[str, Any]


def ask(address: str, study: str, arguments: Sequence[str], out: Path | None = None) -> None:
    """Run a command about a study where it was searched; print what it says, and keep the file that it writes.

    Args:
        arguments: of `nas`, with the study, without store and without ``out``.
        out: the file here.

    Raises:
        NasError: nobody answers, or the command fails there.
        OSError: the file cannot be written.
    """
    name = None if out is None else f"answer{out.suffix}"
    words = [*arguments, *([] if name is None else ["--out", name])]
    said, files = cluster(address).ask(study, words, () if name is None else (name,), asking(address))
    if out is not None and name is not None:
        with writing(out):
            write_whole(out, files[name])
        said = said.replace(name, shlex.quote(str(out)))
    say(said)


def refuse(address: str, why: str, *words: str) -> None:
    """JobError of a command that needs what is only on the machine of the study; ``words`` are typed there."""
    raise JobError(
        f"{why}; on the head node of {address}: {shlex.join(words)}; of a study on this machine: --address ''"
    )


def cluster(address: str) -> Any:
    """`workers.jobs.ClusterJobs`; by name, because nothing below `nas` may depend on Ray."""
    if "RAY_AUTH_MODE" not in os.environ and (
        "RAY_AUTH_TOKEN" in os.environ
        or Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token").is_file()
    ):
        os.environ["RAY_AUTH_MODE"] = "token"  # before Ray is imported; it would not look for the token by itself
    return importlib.import_module("nas.workers.jobs").ClusterJobs(address)


def entry_of(line: str) -> Entry | None:
    """The log entry on a line, None where it is other text."""
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "level" in entry and "message" in entry else None


def readable(line: str) -> str:
    """A line of a log for people."""
    entry = entry_of(line)
    if entry is None:
        return line
    time = str(entry.get("time", ""))[11:19]
    level = "" if entry["level"] == "info" else f"{entry['level'].upper()} "
    reason = f": {entry['reason']}" if entry.get("reason") else ""
    where = f" [{entry['worker']}]" if entry.get("worker") else ""
    exception = f"\n{entry['exception']}" if entry.get("exception") else ""
    return f"{time} {level}{entry['message']}{reason}{where}{exception}"
