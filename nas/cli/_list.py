"""``nas list``: the searches that were submitted to a cluster."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer
from rich.table import Table

from nas.cli._remote import ADDRESS, cluster
from nas.cli.console import console, duration, print_json

__all__ = ["list_submissions"]


def list_submissions(
    address: str = ADDRESS,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the searches that were submitted to a cluster, the newest last."""
    found = cluster(address).list()
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "study": each.study,
                    "trials": each.trials,
                    "state": each.state,
                    "started": each.started.isoformat() if each.started else None,
                    "ended": each.ended.isoformat() if each.ended else None,
                }
                for each in found
            ]
        )
        return
    if not found:
        console.print(f"nothing was submitted to {address} yet")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("name", "study", "trials", "state", "started", "time"):
        table.add_column(heading, justify="right" if heading in ("trials", "time") else "left", no_wrap=True)
    for each in found:
        started = each.started.astimezone().strftime("%Y-%m-%d %H:%M") if each.started else "-"
        now = datetime.datetime.now(datetime.UTC)
        took = duration(((each.ended or now) - each.started).total_seconds()) if each.started else "-"
        table.add_row(each.name, each.study, str(each.trials), each.state, started, took)
    console.print(table)
