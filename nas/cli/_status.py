"""``nas status``: how searches are doing, on this machine or on a cluster."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import functools
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nas._text import counted
from nas.cli._remote import ELSEWHERE
from nas.cli._standing import Looks, newest
from nas.cli._submitted import Submissions
from nas.cli.console import STORAGE, STORE, console, duration, percent, print_json, seconds, strict_json

__all__ = ["status"]

_STALE_SECONDS: Final = 60.0  # a search that lives writes every two seconds
_GOES_ON: Final = ("pending", "running")


def status(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A study, or with --address a submission; default: the last.")
    ] = None,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the status as JSON.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on until the search has ended; with --json an object a line.")
    ] = False,
    every: Annotated[float, typer.Option("--every", min=0.5, help="Seconds between two looks of --watch.")] = 2.0,
) -> None:
    """Show how a search is doing: trials, rates, workers, failures by reason.

    Without `--address` it looks at the store on this machine; with it, at what was submitted to a cluster.

    Examples:

        nas status digits

        nas status digits --watch

        nas status digits --address http://127.0.0.1:8265
    """
    read = functools.partial(Submissions(address).look, name) if address else _Local(name, store, storage)
    if watch:
        _follow(read, as_json=as_json, pause=lambda: time.sleep(every))
    elif as_json:
        print_json(read())
    else:
        _print(_shown(read()))


def _follow(read: Callable[[], dict[str, Any]], *, as_json: bool, pause: Callable[[], None]) -> None:
    """Shows what `read` gives, again and again, until the search has ended."""
    live = Live(console=console, auto_refresh=False) if console.is_terminal and not as_json else None
    with live or contextlib.nullcontext():
        while True:
            record = read()
            if as_json:
                typer.echo(strict_json(record))
            elif live is not None:
                live.update(Group(*_shown(record)), refresh=True)
            else:
                _print(_shown(record))
            if record["state"] not in _GOES_ON:
                return
            pause()


class _Local:
    """How a study of this machine stands, the last one where none is named."""

    def __init__(self, name: str | None, store: Path, storage: str | None) -> None:
        self._looks = Looks(store, name or newest(store, storage), storage)

    def __call__(self) -> dict[str, Any]:
        from nas.cli._report import failure_counts
        from nas.search import AnytimeCurve

        record = self._looks()
        if record["driven"] and "failures" in record:
            return record  # the search itself says the rest, and knows it without a look at every trial
        study = self._looks.study()
        records = study.records()
        found = AnytimeCurve(study.objectives, (each.result for each in records if each.result is not None))
        saturation = found.saturation()
        record["saturation"] = None if saturation is None else dataclasses.asdict(saturation)
        record["failures"] = dict(failure_counts(records).most_common())
        return record


def _print(parts: list[RenderableType]) -> None:
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))


def _shown(record: dict[str, Any]) -> list[RenderableType]:
    """A status for people: texts and tables."""
    from nas.search import Saturation

    submission = f" ({record['submission']})" if record.get("submission") else ""
    title = Text.assemble((str(record["study"]), "bold"), f": {record['state']}{submission}{_age(record)}")
    parts: list[RenderableType] = [title]
    if record["state"] == "died":
        parts.append(Text(f"its process died; nothing is lost; {_continued(record)}"))
    if record.get("message"):
        parts.append(Text(str(record["message"]).splitlines()[0]))
    grid = Table.grid(padding=(0, 2))
    if "complete" in record:
        of = f" of {record['trials']}" if record.get("trials") else ""
        grid.add_row(
            "trials",
            f"{record['complete']} complete, {record['running']} running, {record['failed']} failed"
            + (f", {record['stopped']} stopped early" if record.get("stopped") else "")
            + of,
        )
    if record.get("trials_per_minute") is not None:
        left = f", {duration(record['seconds_left'])} left" if record.get("seconds_left") is not None else ""
        grid.add_row("rate", f"{record['trials_per_minute']:.1f} trials a minute{left}")
    if best := record.get("best"):
        quality = (
            f"accuracy {percent(best['val_accuracy'])}"
            if "val_accuracy" in best
            else f"{record.get('error_label', 'error')} {best.get('val_error', float('nan')):.4g}"
        )
        grid.add_row(
            "best", f"{quality} at {seconds(best.get('inference_seconds'))}, {best.get('edges', 0):,.0f} edges"
        )
        grid.add_row("front", f"{counted(record['front'], 'network')}, hypervolume {record['hypervolume']:.4f}")
    if saturation := record.get("saturation"):
        grid.add_row("", str(Saturation(**saturation)))
    if record.get("mlflow_behind"):
        grid.add_row("MLflow", f"{counted(record['mlflow_behind'], 'trial')} behind")
    workers = record["workers"]
    if workers:
        states = collections.Counter(each["state"] for each in workers)
        grid.add_row("workers", ", ".join(f"{states[state]} {state}" for state in sorted(states)))
    parts.append(grid)
    if workers:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="dim")
        for heading in ("worker", "state", "trial", "since"):
            table.add_column(heading, justify="right" if heading in ("trial", "since") else "left")
        for each in workers:
            trial = "-" if each["trial"] is None else str(each["trial"])
            table.add_row(each["name"] or "-", each["state"], trial, duration(each["seconds"]))
        parts.append(table)
    if record.get("failures"):
        parts.append(Text("failed because:"))
        parts += [Text(f"  {count:>5} × {reason}") for reason, count in record["failures"].items()]
    return parts


def _continued(record: dict[str, Any]) -> str:
    """How a search is continued, where its process is gone."""
    if not record.get("command"):
        return "resume continues it, with the same job"
    folder = str(record.get("folder") or "")
    where = "" if folder == str(Path.cwd()) else f"cd {shlex.quote(folder)} && "
    return f"continue it: {where}{record['command']} --resume"


def _age(record: dict[str, Any]) -> str:
    """A hint where a search that should be running has not been heard of lately."""
    if record["state"] != "running" or not record.get("time"):
        return ""
    age = (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(record["time"])).total_seconds()
    return f", last heard of {duration(age)} ago" if age > _STALE_SECONDS else ""
