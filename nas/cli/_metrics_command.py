"""``nas metrics``: the studies of a store in the text format of Prometheus, for whoever watches many searches.

A process of its own beside the store: it only reads, so it may be started, stopped and scraped as one likes, and it
goes on answering when a search has died, which is when the answer matters.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from nas.cli._remote import ELSEWHERE
from nas.cli.console import STORAGE, STORE, say
from nas.errors import NasError

__all__ = ["metrics"]


def metrics(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A study; default: all of the store.")] = None,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 127.0.0.1: this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 9464,
    once: Annotated[bool, typer.Option("--once", help="Print the metrics and end; nothing listens.")] = False,
) -> None:
    """Serve the state of the searches in a store to Prometheus, at `/metrics`; Ctrl-C ends it.

    Trials by state, rates, failures by reason, workers, and how far MLflow is behind. It reads only, and searches that
    begin later are found by themselves, NAME too; with `--address`, those submitted to a cluster, of each study the
    newest.
    `deploy/grafana.json` is a dashboard of these metrics.

    Examples:

        nas metrics

        nas metrics digits --once
    """
    from prometheus_client import CollectorRegistry, generate_latest, start_http_server

    from nas.cli._metrics import StudyCollector
    from nas.cli._standing import Looks, newest
    from nas.cli._submitted import Submissions

    registry = CollectorRegistry()
    elsewhere = Submissions(address) if address else None
    registry.register(StudyCollector(store, storage, name, cluster=elsewhere))
    if once:
        # What a server waits for is refused here, as by other commands.
        if elsewhere:
            elsewhere.look(name)
        elif name:
            Looks(store, name, storage)()
        else:
            newest(store, storage)
        sys.stdout.write(generate_latest(registry).decode())
        return
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise NasError(f"cannot listen on {host}:{port} ({error.strerror or error}); choose another --port") from error
    where = Text(f"http://{host}:{port}/metrics", "bold")
    say(Text.assemble(f"metrics of {address or store}: ", where, "   (Ctrl-C ends it)"))
    _wait_for_a_signal()
    server.shutdown()
    thread.join()


def _wait_for_a_signal() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
