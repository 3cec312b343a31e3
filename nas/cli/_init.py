"""``nas init``: a commented job file for a table."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import yaml

from nas._files import write_whole
from nas.cli.console import TARGET, command_line, one_or_all, say, writing
from nas.errors import JobError, NasError

if TYPE_CHECKING:
    from nas.training import Finding

__all__ = ["init"]

_REST: Final = """\
search:
  budget_minutes: 5
  # objectives: [error, inference_time]   # also training_time, edges, density, depth
  # strategy: evolution                   # or optuna, random
# space: {name: neuron_dag}               # or manifold, families, layer_dag, recurrent, module:Class
# training: {}                            # what is stated here is not searched: steps, batch_size, …
# resources: {workers: 2, threads: 1}     # default: a worker for each physical core
# tracking: {store: nas-runs}             # where everything is kept
"""


def init(
    source: Annotated[
        str, typer.Argument(metavar="DATA", help="A .csv/.tsv/.parquet/.npz file, digits, idx:FOLDER, openml:NAME, …")
    ],
    target: list[str] | None = TARGET,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write (default: NAME.yaml).")] = None,
) -> None:
    """Write a job file for data, with what was inferred of it as comments; `nas search` runs it."""
    from nas.job import Job, data_name, experiment_name
    from nas.training import read_data

    stated: dict[str, Any] = {"source": source} | ({"target": one_or_all(target)} if target else {})
    job = Job.from_mapping({"data": stated}, where=source)
    path = Path(f"{experiment_name(data_name(source))}.yaml") if out is None else out
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise JobError(f"--out must end in .yaml or .yml, but is {path}")
    text = _job_file(stated, read_data(job.data).findings)
    if path.exists():
        raise NasError(f"{path} exists already; --out names another file")
    with writing(path):
        write_whole(path, text)
    say(f"wrote {path}; run it: {command_line('search', path)}")


def _job_file(stated: dict[str, Any], findings: tuple[Finding, ...]) -> str:
    lines = []
    for each in findings:
        key = f"  ({each.key})" if each.key else ""
        lines += textwrap.wrap(f"{each.about}: {each.words}{key}", 100, subsequent_indent="    ")
    data = textwrap.indent(yaml.safe_dump(stated, allow_unicode=True, sort_keys=False), "  ")
    said = "".join(f"  # {line}\n" for line in lines)
    return f"# What was found is in comments, with the key that says otherwise.\ndata:\n{data}{said}{_REST}"
