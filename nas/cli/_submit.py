"""``nas submit``: a search on a cluster, which goes on when this machine is switched off."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from nas._text import redacted
from nas.cli._remote import ADDRESS, ADDRESS_VARIABLE, LOCAL_ADDRESS, cluster, readable
from nas.cli.console import SUBMITTED_AS, asking, command_line, say

__all__ = ["submit"]


def submit(
    job_file: Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The job.")],
    address: str = ADDRESS,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="path.to.key=value", help="Replace a value of the job; may be repeated."),
    ] = None,
    remote_data: Annotated[
        bool, typer.Option("--remote-data", help="data.source names a file that the head node sees: copy nothing.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Then print what it logs, until it ends.")] = False,
) -> None:
    """Send a search to a Ray cluster: the job, the local modules and the local data that it names.

    The head node runs `nas search JOB.yaml --resume-or-start`, so that submitting a job again continues its study.
    Results are kept on the head node: in `tracking.store` where that is absolute, else in its `$NAS_STORE`, else below
    its home. Without `resources.workers` every node is used, also those that join later.

    The program must be installed on the nodes (see deploy/). Ray's token is taken from `RAY_AUTH_TOKEN` or the file
    `RAY_AUTH_TOKEN_PATH` names. Ctrl-C while following leaves the search running.

    Example:

        nas submit examples/digits.yaml --address http://127.0.0.1:8265 --follow
    """
    from nas.job import Job

    job = Job.from_yaml(job_file, settings or [], environment=False)
    job.tracking.refuse_relative(stated=True)
    jobs = cluster(address)
    where = () if address == os.environ.get(ADDRESS_VARIABLE, LOCAL_ADDRESS) else ("--address", address)
    again = [word for setting in settings or () for word in ("--set", setting)]
    again += ["--remote-data"] if remote_data else []
    continued = command_line("submit", job_file, "--address", address, *again)
    found = jobs.submit(
        job,
        Path.cwd(),
        copy_data=not remote_data,
        # The commands that it prints at its end are for here, too, but perhaps for another shell.
        environment=asking(address) | {SUBMITTED_AS: redacted(f"cd {shlex.quote(str(Path.cwd()))} && {continued}")},
        on_wait=lambda why: say(f"{why} …"),
    )
    say(Text.assemble("submitted as ", (found.name, "bold")))
    for command in (("status",), ("logs", "-f"), ("stop",)):
        say(f"  {command_line(*command, found.name, *where)}")
    if follow:
        for line in jobs.follow(found.name):
            say(readable(line))
        ended = jobs.get(found.name)
        if ended.state != "succeeded":
            raise typer.Exit(1)
