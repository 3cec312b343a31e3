"""``nas ui``: MLflow's web interface on the store of the searches."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from nas.cli.console import STORE, console, say
from nas.errors import NasError

__all__ = ["ui"]

_PATIENCE_SECONDS: Final = 5.0  # for the server to end by itself


def ui(
    store: Path = STORE,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 127.0.0.1: this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 5000,
    allowed_hosts: Annotated[
        str | None,
        typer.Option("--allowed-hosts", help="Host names browsers may use, comma-separated (default: MLflow's own)."),
    ] = None,
) -> None:
    """Open the MLflow UI on the runs of all searches in the store; Ctrl-C ends it.

    In it: Experiments, the name of the study, and there the runs. The parent run of a search holds the front as an
    interactive plot under Artifacts; the members of the front carry the tag pareto.
    """
    from nas.tracking import TrackingConfig, front_addresses, mend_addresses

    config = TrackingConfig(store=store)
    database = store / "mlflow.db"
    if not database.exists():
        raise NasError(f"{database}: no such file, so nothing to show; run a search first, or say where with --store")
    if unwritable := next((path for path in (database, store) if not _writable(path)), None):
        raise NasError(
            f"{unwritable} cannot be written, and MLflow writes to a database even to show it; copy the store, and "
            "name the copy with --store"
        )
    if not _is_free(host, port):
        raise NasError(f"port {port} on {host} is in use; end what listens there or choose another with --port")
    if mended := mend_addresses(config):
        console.print(f"{store} has moved since it was written; {mended} addresses of artifacts were mended")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", config.tracking_uri]
    command += ["--artifacts-destination", config.artifact_root.as_uri(), "--host", host, "--port", str(port)]
    command += ["--workers", "1"]
    if allowed_hosts:
        command += ["--allowed-hosts", allowed_hosts]
    where = Text(f"http://{host}:{port}", "bold")
    console.print(f"MLflow UI on {store}:", where, "  (Ctrl-C ends it)")
    for experiment, address in front_addresses(config).items():
        say(f"  front of {experiment}: http://{host}:{port}/{address}")
    # Jobs are for judging language models; their dozen processes would only take memory.
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    raise typer.Exit(0 if _run_until_interrupted(command, environment) else 1)


def _run_until_interrupted(command: list[str], environment: dict[str, str]) -> bool:
    """Runs a server until it ends or SIGINT or SIGTERM arrives; False where it ended by itself, in error.

    The server has processes of its own, which a signal to the first of them may leave behind: it gets a process group,
    and the group is ended as a whole.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return process.wait() == 0
    except KeyboardInterrupt:
        return True
    finally:
        _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_SECONDS)


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
