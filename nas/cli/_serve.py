"""``nas serve``: which command serves the network that a study registered, and how it is asked."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nas._text import redacted, redacted_address
from nas.cli._remote import ELSEWHERE, refuse
from nas.cli.console import STORAGE, STORE, command_line, errors, path_prefix, say
from nas.errors import JobError

if TYPE_CHECKING:
    from nas.tracking import TrackingConfig

__all__ = ["serve"]

_ANY: Final = "TABLE.csv"  # stands for a table that MLflow's server can read
_WAIT_SECONDS: Final = "5"  # for a server that may not be there
_MOST_NUMBERS: Final = 64  # of a sample, in a command


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
    elif not _registered(tracking):
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
    table = _plain_table(job.data.source, examples)
    for line in serving_commands(tracking, examples, port, sample=sample, table=table):
        say(line)
    if examples and table == _ANY:
        say(f"# {_ANY}: those columns, cells separated by commas, numbers with points, in UTF-8")


def _registered(tracking: TrackingConfig) -> bool:
    """Whether the registry has the champion, of a store with its files where the store is now.

    A server that gives no answer may have it: this is said.
    """
    from nas.tracking import has_champion, mend_addresses

    if tracking.server is not None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _WAIT_SECONDS)
        try:
            return has_champion(tracking)
        except Exception as error:  # of the network, of MLflow, of what else answers there
            why = redacted(f"{error}").partition("\n")[0][:200]  # MLflow quotes addresses with their passwords
            server = redacted_address(tracking.server)
            say(f"{server} does not say whether it has the champion: {why}", output=errors)
            return True
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
    return _ANY


def serving_commands(
    tracking: TrackingConfig,
    examples: Mapping[str, Sequence[Any]],
    port: int,
    *,
    sample: Sequence[float] = (),
    table: str = _ANY,
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
    asked = f"-d {shlex.quote(json.dumps(row, ensure_ascii=False))}"
    where = f"http://127.0.0.1:{port}/invocations"
    made = ""
    if not examples and len(sample) > _MOST_NUMBERS and len({*sample}) == 1:  # images: nobody reads a thousand numbers
        row_of = f"import json; print(json.dumps({{'inputs': [[{sample[0]}] * {len(sample)}]}}))"
        made, asked = f"{shlex.quote(sys.executable)} -c {shlex.quote(row_of)} | ", "-d @-"
    whole = f"curl -H 'Content-Type: text/csv' --data-binary {shlex.quote(f'@{table}')} {where}"
    return (
        f"{server} --model-uri {address} --env-manager local --host 127.0.0.1 --port {port}",
        f"{made}curl -H 'Content-Type: application/json' {asked} {where}",
        *((whole,) if examples else ()),
    )
