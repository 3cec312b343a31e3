"""The one record of a study: an Optuna storage for what happened, a folder for the genomes and weights.

Layout of a store folder::

    optuna.db                               every study's trials (or any other RDB by URL)
    <study>/genomes/000012.safetensors      what trial 12 was asked to train: DAG, inherited weights
    <study>/trials/000012.safetensors       what came out: live DAG, trained weights, history, metrics
    <study>/lock                            held by the driver, so that no two drive one study

What a kill -9 may interrupt, and what `StudyStore.unfinished` makes of it:

    begin   -> RUNNING without a record            the strategy is asked again, for the same number
    record  -> RUNNING with genome file + record   dispatched again under the same number
    finish  -> result file written, still RUNNING  told from the file, nothing trained again
               told                                finished

Each file is written to a temporary name and renamed, each Optuna call is a transaction, and every step may be
repeated, so no trial is lost or counted twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from nas import checkpoint
from nas.errors import CheckpointError, JobError, NasError
from nas.search._config import Objective
from nas.search._errors import StudyError
from nas.search._front import Front, FrontMember
from nas.search._objectives import Objectives
from nas.training._types import Candidate, Genome, TrialResult, TrialStatus

__all__ = ["StudyStore", "TrialRecord"]

_FORMAT: Final = 1  # of the record and result attributes; raised when their meaning changes
_HEADER: Final = "nas:study"
_RECORD: Final = "nas:record"
_RESULT: Final = "nas:result"
_RETIMED: Final = "nas:retimed"
_HISTORY: Final = "history/"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as the storage has it, without arrays."""

    number: int
    state: str  # "running", "complete" or "failed"
    seed: int
    steps: int
    parent: int | None
    mutation: str
    hyperparameters: Mapping[str, Any]
    result: TrialResult | None  # without dag, arrays and history (see `StudyStore.load_result`); None while running


class StudyStore:
    """One study in a store folder. Only the driver's process may call the methods that write.

    Args:
        folder: the store; made where missing.
        name: the study; letters, digits, "._-".
        storage: URL of an RDB as SQLAlchemy has it; default: `optuna.db` in the folder.
    """

    def __init__(self, folder: Path | str, name: str, study: optuna.Study) -> None:
        self.root = Path(folder)
        self.name = name
        self.study = study
        self.folder = self.root / name
        header = study.user_attrs.get(_HEADER)
        if header is None:
            raise StudyError(f"study {name!r} was not made by this program; choose another name")
        if header.get("format", 0) > _FORMAT:
            raise StudyError(f"study {name!r} has format {header['format']}, newer than {_FORMAT}; upgrade to open it")
        self.header: Mapping[str, Any] = header
        self.objectives = Objectives(tuple(header["objectives"]), float(header["error_reference"]))
        self.seed = int(header["seed"])
        for part in ("genomes", "trials"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        name: str,
        *,
        objectives: tuple[Objective, ...] = ("error", "inference_time"),
        error_reference: float = 1.0,
        seed: int = 0,
        storage: str | None = None,
        job: Mapping[str, Any] | None = None,
    ) -> StudyStore:
        """A new study.

        Args:
            folder: the store; made where missing.
            name: letters, digits and "._-".
            objectives: what to minimise, by name.
            error_reference: see `nas.search.error_reference`.
            seed: decides every random choice of the search.
            storage: URL of an RDB; default: SQLite, `optuna.db` in the folder.
            job: any JSON, kept in `header["job"]` for whoever opens the study later.

        Raises:
            StudyError: the study exists already, or the database cannot be used.
            JobError: a name that cannot be a folder, or an unknown objective.
        """
        if not _NAME.fullmatch(name):
            raise JobError(f'a study\'s name may hold letters, digits and "._-" (at most 200), got {name!r}')
        Objectives(objectives, error_reference)  # refuses unknown ones
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        with _database_errors(root, storage):
            try:
                study = optuna.create_study(
                    storage=_open_storage(root, storage),
                    study_name=name,
                    directions=[optuna.study.StudyDirection.MINIMIZE] * len(objectives),
                    sampler=optuna.samplers.RandomSampler(seed=0),
                )
            except optuna.exceptions.DuplicatedStudyError:
                raise StudyError(
                    f"study {name!r} exists already in {root}; continue it with --resume or choose another name"
                ) from None
            with warnings.catch_warnings():  # "experimental" since 3.2; only labels for Optuna's dashboard
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names(list(objectives))
            # Last, because a study without it does not count as made (see `exists`).
            study.set_user_attr(
                _HEADER,
                {
                    "format": _FORMAT,
                    "objectives": list(objectives),
                    "error_reference": error_reference,
                    "seed": seed,
                    "job": job,
                },
            )
        return cls(root, name, study)

    @classmethod
    def open(cls, folder: Path | str, name: str, *, storage: str | None = None) -> StudyStore:
        """An existing study.

        Raises:
            StudyError: no such store or study, or the database cannot be used.
        """
        root = Path(folder)
        known = cls.studies(root, storage=storage)
        if name not in known:
            raise StudyError(f"no study {name!r} in {root}; there are: {', '.join(known) or 'none'}")
        with _database_errors(root, storage):
            study = optuna.load_study(
                study_name=name, storage=_open_storage(root, storage), sampler=optuna.samplers.RandomSampler(seed=0)
            )
        return cls(root, name, study)

    @classmethod
    def exists(cls, folder: Path | str, name: str, *, storage: str | None = None) -> bool:
        """Whether the store has such a study."""
        return name in cls.studies(folder, storage=storage)

    @classmethod
    def studies(cls, folder: Path | str, *, storage: str | None = None) -> list[str]:
        """Names of the studies in a store, oldest first; empty where there is no store."""
        root = Path(folder)
        if storage is None and not (root / "optuna.db").exists():
            return []
        with _database_errors(root, storage):
            return list(optuna.get_all_study_names(_open_storage(root, storage)))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the study for this process; released by the kernel when the process dies.

        Raises:
            StudyError: another process on this machine drives the study.
        """
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StudyError(
                    f"study {self.name!r} is being driven by another process; wait for it or stop it"
                ) from None
            yield

    # --- writing: the driver only -----------------------------------------------------------------------------------

    def begin(self) -> int:
        """A new trial in state RUNNING; its number."""
        # Not `study.ask`, which looks for trials queued by others first: half of the cost of a begin.
        storage = self.study._storage
        return int(storage.get_trial_number_from_id(storage.create_new_trial(self.study._study_id)))

    def record(self, candidate: Candidate) -> None:
        """Writes down what trial `candidate.number` is asked to train, so that it can be dispatched again.

        The file comes first: a trial with a record always has its genome.
        """
        checkpoint.save_arrays(
            self.genome_path(candidate.number),
            candidate.genome.dag,
            dict(candidate.inherited or {}),
            {"number": candidate.number},
        )
        record = {
            "format": _FORMAT,
            "seed": candidate.seed,
            "steps": candidate.steps,
            "parent": candidate.parent,
            "mutation": candidate.mutation,
            "hyperparameters": dict(candidate.genome.hyperparameters),
            "inherited": candidate.inherited is not None,
        }
        self.study._storage.set_trial_user_attr(self.trial_id(candidate.number), _RECORD, record)

    def finish(self, result: TrialResult) -> TrialResult:
        """Writes down and tells a result; harmless when repeated (the first one counts).

        Returns:
            What was recorded: a complete result whose objectives are missing or not finite becomes a failed one.
        """
        trial = self.study._storage.get_trial(self.trial_id(result.number))
        if trial.state.is_finished():
            return _record_of(trial).result or result
        values = self.objectives.values(result)
        if result.status is TrialStatus.COMPLETE and values is None:
            found = {metric: result.metrics.get(metric) for metric in self.objectives.metrics}
            result = _failed(result, f"objectives must be finite numbers, got {found}")
        if result.status is TrialStatus.COMPLETE and result.dag is not None:
            history = {_HISTORY + name: np.asarray(curve) for name, curve in result.history.items()}
            checkpoint.save_arrays(
                self.result_path(result.number), result.dag, {**result.arrays, **history}, _result_json(result)
            )
        self._tell(result, values)
        return result

    def fail(self, number: int, reason: str) -> TrialResult:
        """Ends a trial as failed for a `reason` that no worker reported."""
        return self.finish(TrialResult(number, TrialStatus.FAILED, reason=reason))

    def set_retimed(self, metrics: Mapping[int, Mapping[str, float]], hardware: Mapping[str, Any]) -> None:
        """Replaces the metrics measured again after the search, by trial number; `front` draws on them.

        Args:
            metrics: of all trials timed side by side. Earlier ones are dropped: they are of another minute.
            hardware: what they were taken on.
        """
        again = {str(number): dict(values) for number, values in metrics.items()}
        self.study.set_user_attr(_RETIMED, {"metrics": again, "hardware": dict(hardware)})

    def _tell(self, result: TrialResult, values: tuple[float, ...] | None) -> None:
        self.study._storage.set_trial_user_attr(self.trial_id(result.number), _RESULT, _result_json(result))
        if result.status is TrialStatus.COMPLETE:
            self.study.tell(result.number, list(values or ()))
        else:
            self.study.tell(result.number, state=TrialState.FAIL)

    # --- reading ----------------------------------------------------------------------------------------------------

    def trial_id(self, number: int) -> int:
        """The storage's own id of a trial, which user attributes are keyed by."""
        return int(self.study._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number))

    def records(self) -> list[TrialRecord]:
        """Every trial that was recorded, by number."""
        return [_record_of(t) for t in self._trials() if _RECORD in t.user_attrs or t.state.is_finished()]

    def counts(self) -> dict[str, int]:
        """Number of trials that are "running", "complete" and "failed"."""
        counts = {"running": 0, "complete": 0, "failed": 0}
        for trial in self._trials():
            counts[_state(trial)] += 1
        return counts

    def recover(self) -> tuple[list[Candidate], list[int]]:
        """Sorts out what a killed driver left RUNNING; to be called once, before a search goes on.

        Trials with a result file are told from it.

        Returns:
            Candidates to dispatch again, and numbers of trials that the strategy has to be asked for again.
        """
        for part in ("genomes", "trials"):
            for left_over in (self.folder / part).glob(".*.tmp"):  # of a file that was being written
                left_over.unlink(missing_ok=True)
        candidates: list[Candidate] = []
        unasked: list[int] = []
        for trial in self._trials():
            if trial.state.is_finished():
                continue
            number = trial.number
            try:
                if self.result_path(number).exists():
                    result = self.load_result(number)
                    self._tell(result, self.objectives.values(result))
                else:
                    candidates.append(self.load_candidate(number))
            except (CheckpointError, KeyError, OSError):  # not recorded, or the file did not survive
                unasked.append(number)
        return candidates, unasked

    def load_candidate(self, number: int) -> Candidate:
        """The candidate of a trial, as it was asked.

        Raises:
            KeyError: the trial has no record.
            CheckpointError: its genome file is damaged.
            OSError: its genome file is missing.
        """
        record = self.study._storage.get_trial(self.trial_id(number)).user_attrs[_RECORD]
        dag, arrays, _ = checkpoint.load_arrays(self.genome_path(number))
        return Candidate(
            number,
            Genome(dag, record["hyperparameters"]),
            seed=record["seed"],
            steps=record["steps"],
            parent=record["parent"],
            mutation=record["mutation"],
            inherited=arrays if record["inherited"] else None,
        )

    def load_result(self, number: int) -> TrialResult:
        """The result of a complete trial with its live DAG, trained arrays and history.

        Raises:
            StudyError: the trial has no result file (it failed, or never finished).
            CheckpointError: the file is damaged.
        """
        path = self.result_path(number)
        if not path.exists():
            raise StudyError(f"trial {number} of study {self.name!r} has no weights at {path}; it did not complete")
        dag, arrays, record = checkpoint.load_arrays(path)
        history = {name.removeprefix(_HISTORY): a for name, a in arrays.items() if name.startswith(_HISTORY)}
        trained = {name: a for name, a in arrays.items() if not name.startswith(_HISTORY)}
        return _result_of(number, record, dag=dag, arrays=trained, history=history)

    def genome_path(self, number: int) -> Path:
        """Where the genome of a trial is."""
        return self.folder / "genomes" / f"{number:06d}.safetensors"

    def result_path(self, number: int) -> Path:
        """Where the weights of a complete trial are."""
        return self.folder / "trials" / f"{number:06d}.safetensors"

    def hyperparameters(self, number: int) -> dict[str, Any]:
        """The overrides of the training section that a recorded trial was asked with."""
        record = self.study._storage.get_trial(self.trial_id(number)).user_attrs[_RECORD]
        return dict(record["hyperparameters"])

    def retimed(self) -> dict[int, dict[str, float]]:
        """Metrics measured again after the search, by trial number."""
        again = self.study.user_attrs.get(_RETIMED, {"metrics": {}})["metrics"]
        return {int(number): metrics for number, metrics in again.items()}

    def front(self) -> Front:
        """The Pareto front of the complete trials, with re-timed metrics where there are any."""
        retimed = self.retimed()
        members = []
        for trial in self._trials():
            if trial.state is not TrialState.COMPLETE:
                continue
            result = _record_of(trial).result
            assert result is not None
            again = retimed.get(trial.number, {})
            metrics = {**result.metrics, **again}
            values = self.objectives.values(TrialResult(trial.number, result.status, metrics)) or tuple(trial.values)
            members.append(FrontMember(trial.number, values, metrics, retimed=bool(again)))
        return Front.of(self.objectives, members)

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)


def _open_storage(root: Path, url: str | None) -> optuna.storages.BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would report each study on the terminal
    if url is None:
        url = f"sqlite:///{(root / 'optuna.db').resolve()}"
    # The default of 5 s to wait for another process's write is short on a loaded machine.
    options: dict[str, Any] = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    return optuna.storages.get_storage(optuna.storages.RDBStorage(url, engine_kwargs=options))


@contextlib.contextmanager
def _database_errors(root: Path, url: str | None) -> Iterator[None]:
    try:
        yield
    except (optuna.exceptions.OptunaError, SQLAlchemyError, OSError, RuntimeError, ImportError, ValueError) as error:
        if isinstance(error, NasError):
            raise
        where = re.sub(r"//[^@/]*@", "//***@", url) if url else str(root / "optuna.db")  # never show a password
        raise StudyError(f"the study database {where} cannot be used: {error}") from error


def _state(trial: FrozenTrial) -> str:
    if trial.state is TrialState.COMPLETE:
        return "complete"
    return "failed" if trial.state.is_finished() else "running"


def _failed(result: TrialResult, reason: str) -> TrialResult:
    return TrialResult(
        result.number,
        TrialStatus.FAILED,
        result.metrics,
        reason,
        hardware=result.hardware,
        seconds=result.seconds,
        worker=result.worker,
    )


def _result_json(result: TrialResult) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "status": result.status.value,
        "reason": result.reason,
        # Numbers that JSON has no word for are as good as missing.
        "metrics": {name: float(value) for name, value in result.metrics.items() if math.isfinite(value)},
        "hardware": dict(result.hardware),
        "seconds": float(result.seconds),
        "worker": result.worker,
    }


def _result_of(number: int, record: Mapping[str, Any], **parts: Any) -> TrialResult:
    return TrialResult(
        number,
        TrialStatus(record["status"]),
        record["metrics"],
        record["reason"],
        hardware=record["hardware"],
        seconds=record["seconds"],
        worker=record["worker"],
        **parts,
    )


def _record_of(trial: FrozenTrial) -> TrialRecord:
    record = trial.user_attrs.get(_RECORD, {})
    result = None
    if trial.state.is_finished():
        stored = trial.user_attrs.get(_RESULT)
        result = (
            _result_of(trial.number, stored)
            if stored is not None
            else TrialResult(trial.number, TrialStatus.FAILED, reason="ended outside this program")
        )
    return TrialRecord(
        number=trial.number,
        state=_state(trial),
        seed=int(record.get("seed", 0)),
        steps=int(record.get("steps", 0)),
        parent=record.get("parent"),
        mutation=str(record.get("mutation", "")),
        hyperparameters=record.get("hyperparameters", {}),
        result=result,
    )
