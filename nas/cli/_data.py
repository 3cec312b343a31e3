"""``nas data``: what a job would take from its data; and whether the data of a study are still those."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from nas.cli.console import TARGET, console, errors, one_or_all, print_json, say
from nas.errors import DataError, JobError

if TYPE_CHECKING:
    from nas.search import StudyStore
    from nas.training import DataConfig, Dataset, Finding, LoadedData

__all__ = ["as_trained", "data", "data_of_study", "data_table", "recorded_data", "training_part"]


def data(
    source: Annotated[
        str,
        typer.Argument(
            metavar="JOB.yaml|DATA",
            help="A job, or data: a .csv/.tsv/.parquet/.npz file, digits, idx:FOLDER, openml:NAME or module:function.",
        ),
    ],
    target: list[str] | None = TARGET,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="data.key=value", help="Replace a value of the job; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Show what would be made of data, without training: columns, task, classes, parts, scaling, and doubts.

    `nas search` prints the same before it begins. Everything in it can be said in the job instead, by the key beside
    it.

    Examples:

        nas data examples/digits.yaml

        nas data measurements.csv --target yield
    """
    from nas.job import Job
    from nas.training import read_data

    stated = [f"data.target={json.dumps(one_or_all(target), ensure_ascii=False)}"] if target else []
    job = Job.from_source(source, [*(settings or ()), *stated], options={"data.target": "--target"} if target else {})
    loaded = read_data(job.data, twice=True)
    if as_json:
        print_json([{"about": each.about, "found": each.words, "key": each.key} for each in loaded.findings])
        return
    console.print(data_table(loaded.findings))


def data_table(findings: Iterable[Finding]) -> Table:
    """What was found out about data, with the keys of the job that say otherwise."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(style="dim", overflow="fold", max_width=36)
    for each in findings:
        words = Text(each.words, style="yellow" if each.about == "note" else "")
        table.add_row(each.about, words, Text(each.key))
    return table


def recorded_data(config: DataConfig, named: str | None, whose: str, **how: Any) -> LoadedData:
    """Data that a file names, read. No command reads such data in another way, so that none runs code unasked.

    Args:
        config: as a study or a checkpoint has it.
        named: the source that whoever runs the command names, with ``--data`` or in a job; None: none.
        whose: e.g. "the network in x.safetensors was trained on", for the message.
        **how: of `nas.training.read_data`.

    Raises:
        JobError: the data is code, and was not named.
        DataError: it cannot be read.
    """
    from nas.training import read_data

    if config.is_code and named != config.source:
        raise JobError(
            f"{whose} {config.source}, which is code: it runs only where you name it yourself; if you trust it: "
            f"--data {config.source}"
        )
    return read_data(config, **how)


def data_of_study(config: DataConfig, study: StudyStore, *, named: str | None, remedy: str) -> LoadedData:
    """The data that a study was made with, read again. Says so where that cannot be checked.

    Args:
        config: of the study's job.
        named: see `recorded_data`.
        remedy: what to do where it is other data, for the message.

    Raises:
        JobError: it is code that nobody named.
        DataError: it is other data now, or cannot be read.
    """
    from nas.training import Fingerprint

    header, whose = study.header.get("job") or {}, f"study {study.name!r} was made with"
    before = Fingerprint.from_json(header.get("fingerprint"))
    if before is not None:
        loaded = recorded_data(config, named, whose, knots=_knots_then(header))
        difference = before.difference(loaded.fingerprint)
    else:
        known = tuple(header.get("feature_names") or ())
        loaded = recorded_data(as_trained(config, header), named, whose, features=known)
        difference = _known_difference(header, loaded.dataset)
    if difference is not None:
        raise DataError(f"{config.source}: not the data of study {study.name!r}: {difference}; {remedy}")
    if before is None:
        say(
            f"study {study.name!r} was begun before studies kept a fingerprint of their data, so whether the data are "
            "still the same cannot be checked in full",
            output=errors,
        )
    return dataclasses.replace(loaded, dataset=dataclasses.replace(loaded.dataset, scorer=study.objectives.scorer))


def _knots_then(header: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Ends of the ramps that a study's inputs have: an earlier program may have found others, or none."""
    from nas.checkpoint import Encoding

    encoding = Encoding.from_json(header.get("encoding"))
    return {} if encoding is None else {column.name: column.knots for column in encoding.columns}


def as_trained(config: DataConfig, record: Mapping[str, Any]) -> DataConfig:
    """How an earlier version read data: what it inferred is in the record, and this version may infer otherwise.

    Args:
        record: of a checkpoint, or the header of a study.
    """
    from nas.training import TEXT_SUFFIXES

    changes: dict[str, Any] = {}
    if config.task == "auto" and record.get("task") in ("classification", "regression"):
        changes["task"] = record["task"]
    if config.header == "auto" and ":" not in config.source and config.source.lower().endswith(TEXT_SUFFIXES):
        changes["header"] = True
    return config.model_copy(update=changes)


def training_part(record: Mapping[str, Any], named: str | None, whose: str) -> Dataset:
    """The data that a network was trained on, prepared as for it.

    Args:
        record: of a checkpoint.
        named, whose: see `recorded_data`.

    Raises:
        JobError: the data is code that nobody named.
        DataError: the data cannot be loaded, is other data now, or its source is not known.
    """
    from pydantic import ValidationError

    from nas.checkpoint import Encoding
    from nas.cli.study import statistics_of
    from nas.training import DataConfig, Fingerprint

    try:
        config = DataConfig.model_validate(record.get("data") or {})
    except ValidationError as error:
        raise DataError(f"the record does not say which data the network was trained on: {error}") from None
    columns = record.get("columns") or {}
    loaded = recorded_data(
        as_trained(config, record),
        named,
        whose,
        statistics=statistics_of(record),
        features=record.get("feature_names") or (),
        spare={*columns.get("left_out", ()), *columns.get("targets", ())} - {*config.drop},
        encoding=Encoding.from_json(record.get("encoding")),
    )
    before = Fingerprint.from_json(record.get("fingerprint"))
    if before is not None and (difference := before.difference(loaded.fingerprint)) is not None:
        raise DataError(f"{config.source}: no longer what the network was trained on: {difference}; restore it")
    return loaded.dataset


def _known_difference(header: Mapping[str, Any], dataset: Dataset) -> str | None:
    """What differs from the data of a study without a fingerprint, as far as it tells."""
    import numpy as np

    from nas.training import Statistics

    names = tuple(header.get("feature_names") or ())
    if names and names != dataset.feature_names:
        return f"its columns were {', '.join(names[:12])}, and are {', '.join(dataset.feature_names[:12])}"
    then, now = header.get("statistics") or {}, Statistics.of(dataset)
    if then.get("classes") is not None and tuple(then["classes"]) != now.classes:
        return f"its classes were {', '.join(then['classes'][:12])}, and are {', '.join(now.classes[:12])}"
    for name in ("mean", "scale", "target_mean", "target_scale"):
        if then.get(name) is None:
            continue
        # Kept as float32 by then.
        before, after = (np.asarray(each, dtype=np.float32) for each in (then[name], getattr(now, name)))
        if before.shape != after.shape or not np.allclose(before, after, rtol=1e-6, atol=0):
            return "its values or its split differ (means and deviations are others)"
    return None
