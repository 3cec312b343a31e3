"""``nas stop``: ask a submitted search to stop."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from nas.cli._remote import ADDRESS, LOCAL_ADDRESS, cluster
from nas.cli.console import command_line, say
from nas.errors import NasError

__all__ = ["stop"]


def stop(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the submission, or of its study.")],
    address: str = ADDRESS,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait until it has ended; 0: none.")] = 120.0,
) -> None:
    """Stop a submitted search: no new trials, ten seconds for running ones, every finished one is kept.

    Submitting the job again continues it.
    """
    jobs = cluster(address)
    found = jobs.stop(name)
    if not found.active:
        say(f"{found.name} had ended before: {found.state}")
        return
    deadline = time.monotonic() + wait
    while found.active and time.monotonic() < deadline:
        time.sleep(0.5)
        found = jobs.get(found.name)
    if found.active and wait:
        raise NasError(
            f"{found.name} has not ended within {wait:g} s; look at: "
            + command_line("logs", found.name, *(() if address == LOCAL_ADDRESS else ("--address", address)))
        )
    say(f"{found.name}: {found.state if wait else 'asked to stop'}")
