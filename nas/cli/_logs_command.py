"""``nas logs``: what a submitted search has printed."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli._remote import ADDRESS, cluster, readable
from nas.cli.console import say

__all__ = ["logs"]


def logs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the submission, or of its study.")],
    address: str = ADDRESS,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the search ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As they were written: log entries as JSON lines.")] = False,
) -> None:
    """Print the log of a submitted search."""
    jobs = cluster(address)
    lines = jobs.follow(name) if follow else jobs.logs(name).splitlines()
    for line in lines:
        say(line if as_json else readable(line))
