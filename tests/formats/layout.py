"""What files hold, without the values: which keys, of which types. Two programs that agree in it write one format.

A layout is a set of lines such as ``trials/N.safetensors metadata.metrics.edges: number``. Numbers in file names are N,
elements of a list are ``[]``, and null says nothing, for it may stand for any type.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend

from nas.layers import Node

__all__ = ["new_and_gone", "of_mlflow", "of_study"]

_KINDS = {bool: "truth", int: "number", float: "number", str: "text"}
# Keys below these are names from the data, of what a search tried (which luck may choose), or of what a machine has.
_NAMED_BY_DATA = ("failures", "hyperparameters", "options", "examples", "calibration")
_SOMETIMES = ("ids[]", "notes[]", "lineage[]", "findings[][]")  # there for some graphs and some baselines
# What a job states: a setting that is new has a default, so files without it are read as before.
_SETTINGS = re.compile(r"\.(job\.(data|space|search|training|resources|tracking)|record\.(data|training))\.")


def _of_value(value: object, at: str) -> Iterator[str]:
    """The layout of JSON."""
    if isinstance(value, dict):
        if at.rpartition(".")[2] in _NAMED_BY_DATA:
            yield f"{at}: names and values"
            return
        for key, below in value.items():
            yield from _of_value(below, f"{at}.{key}" if at else key)
    elif isinstance(value, list | tuple):
        if not f"{at}[]".endswith(_SOMETIMES):
            for below in value:
                yield from _of_value(below, f"{at}[]")
    elif isinstance(value, str) and value[:1] in ("{", "["):  # JSON in JSON
        yield from _of_value(json.loads(value), at)
    elif value is not None:
        yield f"{at}: {_KINDS[type(value)]}"


def _of_arrays(path: Path) -> Iterator[str]:
    """The layout of a safetensors file."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
    yield from _of_value(header.pop("__metadata__", {}), "metadata")
    for name, array in header.items():
        if name.startswith("nodes."):  # of layers: which there are is the network's, and which is best is luck
            yield "arrays of nodes"
            continue
        yield f"array {name}: {array['dtype']}, {len(array['shape'])} axes"


def _of_optuna(storage: BaseStorage, name: str) -> Iterator[str]:
    """The layout of what is in Optuna's storage."""
    study = storage.get_study_id_from_name(name)
    yield from _of_value(storage.get_study_user_attrs(study), "study")
    yield from _of_value(storage.get_study_system_attrs(study), "study system")
    for trial in storage.get_all_trials(study):
        yield from _of_value(trial.user_attrs, "trial")
        yield f"trial {trial.state.name}: {len(trial.values or ())} values"
        for step in trial.intermediate_values:
            yield f"trial rung: {_KINDS[type(step)]}"


def of_study(store: Path, name: str, storage: str | None = None) -> set[str]:
    """The layout of a study.

    Args:
        store: the store folder.
        name: of the study.
        storage: URL of its database; None where it has a journal of its own.
    """
    folder = store / name
    lines: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name == "lock":
            continue
        file = re.sub(r"\d+", "N", path.relative_to(folder).as_posix())
        if path.suffix == ".safetensors":
            lines |= {f"{file} {line}" for line in _of_arrays(path)}
        elif path.suffix in (".json", ".jsonl"):
            for entry in path.read_text().splitlines():
                lines |= {f"{file} {line}" for line in _of_value(json.loads(entry), "")}
        else:
            lines.add(file)
    backend = get_storage(storage or JournalStorage(JournalFileBackend(str(folder / "optuna.journal"))))
    return lines | {f"optuna {line}" for line in _of_optuna(backend, name)}


def new_and_gone(then: set[str], now: set[str]) -> tuple[list[str], list[str]]:
    """What a layout has that a former one had not, settings of jobs aside, and what it has not any more."""
    gone = {line for line in then - now if not _left_out(line)}
    return sorted(line for line in now - then if not _SETTINGS.search(line)), sorted(gone)


def _left_out(line: str) -> bool:
    """Whether it is of a field of a layer that there still is: files leave out those that have their defaults, and
    which network is the best, luck of its times decides."""
    found = re.search(r"layers\.nodes\[\]\.(\w+)", line)
    return found is not None and found[1] in Node.model_fields


def of_mlflow(store: Path, name: str) -> set[str]:
    """The layout of the runs, the registered model and the artifacts of an experiment in the store's own MLflow."""
    client = MlflowClient(f"sqlite:///{store}/mlflow.db")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    lines = {f"experiment tag {key}" for key in experiment.tags}
    for run in client.search_runs([experiment.experiment_id]):
        kind = run.data.tags.get("role") or ("child" if "mlflow.parentRunId" in run.data.tags else "parent")
        lines |= {f"{kind} tag {key}" for key in run.data.tags}
        lines |= {f"{kind} parameter {key}" for key in run.data.params}
        lines |= {f"{kind} metric {key}" for key in run.data.metrics}
    for version in client.search_model_versions():
        lines |= {f"version tag {key}" for key in version.tags} | {f"version alias {key}" for key in version.aliases}
    return lines
