"""``nas serve``: which command serves the network that a study registered, and how it is asked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.console import STORAGE, STORE, path_prefix, say
from nas.errors import JobError

if TYPE_CHECKING:
    from nas.tracking import TrackingConfig

__all__ = ["serve"]


def serve(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port that the server will listen on.")] = 5001,
    store: Path = STORE,
    storage: str | None = STORAGE,
) -> None:
    """Say which command serves a study's champion over HTTP, with MLflow's own server, and how to ask it.

    Nothing is started: the server is MLflow's, and its options are there to be chosen.
    """
    from nas.cli.study import statistics_of
    from nas.job import stored_job
    from nas.search import StudyStore

    study = StudyStore.open(store, experiment, storage=storage)
    header = study.header.get("job") or {}
    job = stored_job(header.get("job") or {}, f"the job kept in study {experiment!r}")
    tracking = job.tracking.model_copy(update={"store": store})
    if not tracking.mlflow or tracking.champion is None:
        raise JobError(
            f"study {experiment!r} registers no model (tracking.mlflow, tracking.champion); `nas export {experiment}` "
            "and `nas predict` do without"
        )
    found = study.front()
    inputs = study.load_result(found.best().number).dag.n_inputs if len(found) else 0  # type: ignore[union-attr]
    means = list(statistics_of(header).mean) or [0.0]
    # An average sample: it is of the right width, and as raw as any.
    sample = [float(f"{value:.4g}") for value in (means if len(means) == inputs else means[:1] * inputs)]
    for line in serving_commands(tracking, header.get("examples") or {}, port, sample=sample):
        say(line)


def serving_commands(
    tracking: TrackingConfig, examples: Mapping[str, Sequence[Any]], port: int, *, sample: Sequence[float] = ()
) -> tuple[str, ...]:
    """Shell commands that serve the champion, and that ask it for predictions: of a row; where columns have names, also
    of a table in a file.

    Args:
        tracking: of the study.
        examples: a few rows of the data, by column; {}: its columns have no names.
        port: to listen on.
        sample: features of a sample, for data whose columns have no names.
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
    table = f"curl -H 'Content-Type: text/csv' --data-binary @TABLE.csv {where}"
    return (
        f"{server} --model-uri {address} --env-manager local --host 127.0.0.1 --port {port}",
        f"curl -H 'Content-Type: application/json' -d {asked} {where}",
        *((table,) if examples else ()),
    )
