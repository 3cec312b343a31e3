"""``nas serve``: which command serves the network that a study registered, and how it is asked."""

from __future__ import annotations

import contextlib
import csv
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._remote import ELSEWHERE, refuse
from nas.cli.console import STORAGE, STORE, command_line, path_prefix, say
from nas.errors import JobError

if TYPE_CHECKING:
    from nas.tracking import TrackingConfig

__all__ = ["serve"]


def serve(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port that the server will listen on.")] = 5001,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Say which command serves a study's champion over HTTP, with MLflow's own server, and how to ask it.

    Nothing is started: the server is MLflow's, and its options are there to be chosen.
    """
    if address:
        refuse(address, "a champion is served where its store or MLflow's server is", "nas", "serve", experiment)
    from nas.cli.study import statistics_of
    from nas.job import stored_job
    from nas.search import StudyStore

    study = StudyStore.open(store, experiment, storage=storage)
    header = study.header.get("job") or {}
    job = stored_job(header.get("job") or {}, f"the job kept in study {experiment!r}")
    tracking = job.tracking.model_copy(update={"store": store})
    if not tracking.mlflow or tracking.champion is None:
        why = "registers no model (tracking.mlflow, tracking.champion)"
    elif tracking.server is None and not _registered(tracking):  # of a server nobody may be able to wait for an answer
        why = "has registered no model: its search has not ended, or a baseline beats its networks"
    else:
        why = ""
    if why:
        export = command_line("export", experiment, "--out", f"{experiment}.safetensors", store=store, storage=storage)
        raise JobError(f"study {experiment!r} {why}; without MLflow: {export}")
    found = study.front()
    inputs = study.load_result(found.best().number).dag.n_inputs if len(found) else 0  # type: ignore[union-attr]
    means = list(statistics_of(header).mean) or [0.0]
    # An average sample: it is of the right width, and as raw as any.
    sample = [float(f"{value:.4g}") for value in (means if len(means) == inputs else means[:1] * inputs)]
    examples = header.get("examples") or {}
    for line in serving_commands(
        tracking, examples, port, sample=sample, table=_plain_table(job.data.source, examples)
    ):
        say(line)


def _registered(tracking: TrackingConfig) -> bool:
    """Whether a store's registry has the champion, whose files are where the store is now."""
    from nas.tracking import has_champion, mend_addresses

    if not (tracking.store / "mlflow.db").exists():
        return False
    mend_addresses(tracking)
    return has_champion(tracking)


def _plain_table(source: str, columns: Iterable[str]) -> str:
    """The table of the study where it is one that MLflow's server can read, with commas and in UTF-8; else a name that
    stands for any such table."""
    with contextlib.suppress(OSError, UnicodeError, StopIteration):
        if source.lower().endswith(".csv"):
            with Path(source).open(encoding="utf-8", newline="") as file:
                if {*columns} <= {*next(csv.reader(file))}:
                    return source
    return "TABLE.csv"


def serving_commands(
    tracking: TrackingConfig,
    examples: Mapping[str, Sequence[Any]],
    port: int,
    *,
    sample: Sequence[float] = (),
    table: str = "TABLE.csv",
) -> tuple[str, ...]:
    """Shell commands that serve the champion, and that ask it for predictions: of a row; where columns have names, also
    of a table in a file.

    Args:
        tracking: of the study.
        examples: a few rows of the data, by column; {}: its columns have no names.
        port: to listen on.
        sample: features of a sample, for data whose columns have no names.
        table: a CSV file of such rows.
    """
    address = shlex.quote(f"models:/{tracking.model_name}@champion")
    server = f"{path_prefix('mlflow')}MLFLOW_TRACKING_URI={shlex.quote(tracking.tracking_uri)} mlflow models serve"
    row: dict[str, Any]
    if examples:
        row = {"dataframe_split": {"columns": [*examples], "data": [[values[0] for values in examples.values()]]}}
    else:
        row = {"inputs": [list(sample)]}
    asked = shlex.quote(json.dumps(row, ensure_ascii=False))
    where = f"http://127.0.0.1:{port}/invocations"
    whole = f"curl -H 'Content-Type: text/csv' --data-binary {shlex.quote(f'@{table}')} {where}"
    return (
        f"{server} --model-uri {address} --env-manager local --host 127.0.0.1 --port {port}",
        f"curl -H 'Content-Type: application/json' -d {asked} {where}",
        *((whole,) if examples else ()),
    )
