"""What a study remembers of its job and data, so that later commands need neither the job file nor the data."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from nas._text import counted
from nas.errors import JobError

if TYPE_CHECKING:
    import numpy as np

    from nas.graph import DAG
    from nas.job import Job
    from nas.search import StudyStore
    from nas.training import LoadedData, Statistics, TrialResult

__all__ = [
    "Start",
    "check_resumable",
    "create_study",
    "drawn_network",
    "existing_study",
    "export_network",
    "next_name",
    "statistics_of",
    "study_header",
    "weighted",
    "with_weights_of",
]

Start = Literal["new", "resume", "either"]
"""Whether a study must not be there yet, must be, or may be."""

# Changing any of these would make old and new trials of one study incomparable.
_FIXED: Final = ("data", "space", "search.objectives", "search.constraints", "search.seed", "training")


# Of the training section: a study of an earlier program keeps them although its job file may not have stated them.
_FORMER_DEFAULTS: Final[dict[str, Any]] = {"optimizer": "adam", "log_every": 50}


def study_header(job: Job, data: LoadedData) -> dict[str, Any]:
    """JSON for `StudyStore.create`: the job, how inputs and targets were scaled and labelled, what the data was, and
    the calibration that the time and memory terms and all predictions go by."""
    from nas.training import PinnedCosts, Statistics

    dataset = data.dataset
    return {
        "job": job.to_mapping(complete=True),
        "task": dataset.task,
        "period": dataset.period,
        "feature_names": list(data.features),
        "columns": data.columns,
        "statistics": dataclasses.asdict(Statistics.of(dataset)),
        "fingerprint": data.fingerprint.to_json(),
        "encoding": None if data.encoding is None else data.encoding.to_json(),
        "examples": dict(data.examples),
        "findings": [[each.about, each.words, each.key] for each in data.findings],
        "costs": PinnedCosts.now().model_dump(mode="json"),
    }


def statistics_of(record: Mapping[str, Any]) -> Statistics:
    """The statistics in a study's header or a checkpoint's record; none where it has none."""
    from nas.training import Statistics

    given = record.get("statistics") or {}
    names = {field.name for field in dataclasses.fields(Statistics)}
    return Statistics(**{name: tuple(values) for name, values in given.items() if name in names})


def existing_study(job: Job, *, start: Start, command: str = "") -> StudyStore | None:
    """The study of a job that is there, to be continued; None: there is none yet, and it may be begun.

    Args:
        command: the shell command that runs the job; "" where it was called from Python.

    Raises:
        JobError: it exists and is to be new, or does not and is to be resumed, or it was made by a job of other data or
            another space.
        StudyError: the database cannot be used, or is not that of the store.
    """
    from nas.search import StudyStore

    tracking = job.tracking
    name, database = tracking.experiment, tracking.database
    if not StudyStore.exists(tracking.store, name, storage=database):
        if start == "resume":
            known = StudyStore.studies(tracking.store, storage=database)
            where = f"{tracking.store}" + (" and the database that NAS_STORAGE or the job names" if database else "")
            raise JobError(
                f"there is no study {name!r} to resume in {where} (there are: {', '.join(known) or 'none'}); is "
                "another store or database meant (NAS_STORE, NAS_STORAGE)? To begin it: leave --resume out, or say "
                "--resume-or-start"
            )
        return None
    study = StudyStore.open(tracking.store, name, storage=database)
    counts = study.counts()
    # One that no trial was asked of is as good as new: its search ended before there was a worker.
    if start == "new" and any(counts.values()):
        other = next_name(job)
        raise JobError(
            f"study {name!r} exists in {tracking.store} ({counted(counts['complete'], 'trial')} complete); "
            + (  # each command at the end of a line, to be copied
                f"continue it:\n  {command} --resume\nor start another:\n  {command} --set tracking.experiment={other}"
                if command
                else f"continue it with resume=True, or start another with name={other!r}"
            )
        )
    check_resumable(job, study)
    return study


def create_study(job: Job, data: LoadedData) -> StudyStore:
    """A new study of a job.

    Raises:
        StudyError: the database cannot be used.
    """
    from nas.search import StudyStore, error_reference

    tracking = job.tracking
    return StudyStore.create(
        tracking.store,
        tracking.experiment,
        objectives=job.search.objectives,
        constraints=job.search.constraints,
        error_reference=error_reference(data.dataset),
        scorer=data.dataset.scorer,
        seed=job.search.seed,
        storage=tracking.database,
        job=study_header(job, data),
    )


def check_resumable(job: Job, study: StudyStore) -> None:
    """JobError where ``job`` differs from the job of ``study`` in what makes trials comparable."""
    from nas.training import one_class

    before = _kept_job(study).to_mapping(complete=True)
    job = with_weights_of(job, study)
    now = job.to_mapping(complete=True)
    for field, default in _FORMER_DEFAULTS.items():  # stored whole by earlier programs, whoever stated them
        if field not in job.training.model_fields_set and before["training"].get(field) == default:
            before["training"][field] = now["training"][field]
    for path in _FIXED:
        old, new = _at(before, path), _at(now, path)
        if old != new:
            raise JobError(
                f"{path} differs from that of study {study.name!r} ({_difference(old, new)}), so its trials could not "
                "be compared; restore the job file, or start another study with --set tracking.experiment=NAME"
            )

    if job.search.scorer is not None:
        stated, judged = job.search.scorer, study.objectives.scorer
        stated = "" if stated == "error" else stated
        if stated not in (judged, one_class(judged)[0]):  # f1 has become f1:CLASS
            raise JobError(
                f"networks of study {study.name!r} are judged by {judged or 'error'}, the job says {stated or 'error'} "
                "(search.objectives); restore it, or start another study with --set tracking.experiment=NAME"
            )


def weighted(job: Job, weights: Any) -> Job:
    """The job with these class weights."""
    return job.model_copy(update={"data": job.data.model_copy(update={"class_weight": weights})})


def with_weights_of(job: Job, study: StudyStore) -> Job:
    """The job with the class weights of its study, where it states none; a search may have chosen them."""
    if job.data.class_weight is not None:
        return job
    return weighted(job, _kept_job(study).data.class_weight)


def _kept_job(study: StudyStore) -> Job:
    """The job of a study, read as a job, so that fields which this program has learnt since then get their defaults."""
    from nas.job import stored_job

    stored = (study.header.get("job") or {}).get("job") or {}
    return stored_job(stored, f"the job kept in study {study.name!r}")


def export_network(
    study: StudyStore, number: int, path: Path, *, write: Callable[..., None] | None = None
) -> dict[str, Any]:
    """Write the trained network of a trial as a checkpoint; returns the record in it.

    Of a structure of the user's own it is the state dictionary, for `nas.checkpoint.load_arrays`, and the record has a
    "structure", for `nas.training.structure_of`.

    Args:
        write: writes another format instead, called with path, module and record.

    Raises:
        StudyError: the trial has no weights.
        CheckpointError: its file is damaged.
        OSError: ``path`` cannot be written.
    """
    from nas import checkpoint
    from nas.engine import DAGModule
    from nas.job import stored_job
    from nas.layers import LayerDAG
    from nas.recurrent import RecurrentDAG
    from nas.search import rebuild_module
    from nas.search.study.records import structure_json

    result = study.load_result(number)
    assert result.dag is not None  # load_result raises for trials without weights
    trial = study.trial(number)
    header = dict(study.header.get("job") or {})
    job = header.get("job") or {}
    kept = stored_job(job, f"the job kept in study {study.name!r}")
    config = kept.training.with_overrides(trial.hyperparameters)
    module = rebuild_module(result.dag, result.arrays, config, {}, result.structure)
    metrics = {**result.metrics, **study.retimed().get(number, {})}
    record = {
        "study": study.name,
        "trial": number,
        "lineage": study.lineage(number),
        "mutation": trial.mutation,
        "seed": trial.seed,
        "steps": trial.steps,
        "metrics": {name: value for name, value in metrics.items() if math.isfinite(value)},
        "hardware": dict(result.hardware),
        "training": config.model_dump(mode="json"),
        "data": job.get("data", {}),
        **{key: header.get(key) for key in ("task", "period", "feature_names", "statistics")},
        # What tables are matched by, and what the data was; studies of earlier versions do not keep them.
        **{key: header[key] for key in ("columns", "fingerprint", "encoding") if header.get(key)},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    if write is not None:
        write(path, module, record)
    elif isinstance(module, DAGModule | LayerDAG | RecurrentDAG):
        checkpoint.save(path, module, record)
    else:  # of a user's own structure: its state, and the text that its reader makes it from
        record |= structure_json(result.structure)
        checkpoint.save_arrays(path, result.dag, result.arrays, record)
    return record


def drawn_network(study: StudyStore, result: TrialResult) -> tuple[DAG, np.ndarray | None]:
    """The graph of a trial as pictures have it, inputs and outputs called as the data calls them where that is known,
    and the weight (E,) of each edge; None: layers have no one weight an edge."""
    from nas.manifold import ManifoldNetwork
    from nas.recurrent import RecurrentStructure

    dag = result.dag
    assert dag is not None
    if result.structure is None:
        network = ManifoldNetwork.from_arrays(dag, dict(result.arrays))
        return _named(dag, study.header.get("job") or {}), network.edge_weights().detach().numpy()
    return dag, result.arrays["weight"] if isinstance(result.structure, RecurrentStructure) else None


def _named(dag: DAG, header: Mapping[str, Any]) -> DAG:
    from nas.checkpoint import Encoding

    encoding = Encoding.from_json(header.get("encoding"))
    features = [str(name) for name in header.get("feature_names") or ()] if encoding is None else encoding.inputs
    outputs = [str(name) for name in (header.get("statistics") or {}).get("classes") or ()]
    outputs = outputs or [str(name) for name in (header.get("columns") or {}).get("targets") or ()]
    if dag.names is not None or len(features) != dag.n_inputs or len(outputs) != dag.n_outputs:
        return dag
    between = [f"{place}" for place in range(dag.n_inputs, dag.n_inputs + dag.n_computational)]
    names = [*features, *between, *outputs]
    if len({*names}) < len(names):  # names of a graph are different ones
        return dag
    return dag.with_names(names)


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _difference(old: Any, new: Any, path: str = "") -> str:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                return _difference(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    return f"{path + ': ' if path else ''}{old!r} before, {new!r} now"


def next_name(job: Job) -> str:
    """The name of the job's experiment with the least number after it that no study of the store has."""
    from nas.search import StudyStore

    taken = set(StudyStore.studies(job.tracking.store, storage=job.tracking.database))
    number = 2
    while f"{job.tracking.experiment}-{number}" in taken:
        number += 1
    return f"{job.tracking.experiment}-{number}"
