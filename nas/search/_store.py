"""The one record of a study: an Optuna storage for what happened, a folder for the genomes and weights.

Layout of a store folder::

    optuna.db                               every study's trials (or any other RDB by URL)
    <study>/genomes/000012.safetensors      what trial 12 was asked to train: DAG, inherited weights
    <study>/trials/000012.safetensors       what came out: live DAG, trained weights, history, metrics
    <study>/lock                            held by the driver, so that no two drive one study

What a kill -9 may interrupt, and what `StudyStore.recover` makes of it:

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
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from nas import checkpoint
from nas.errors import CheckpointError, JobError
from nas.search._config import Objective
from nas.search._errors import StudyError
from nas.search._front import Front, FrontMember
from nas.search._objectives import Objectives
from nas.search._records import (
    FORMAT,
    RECORD,
    RESULT,
    TrialRecord,
    as_failed,
    candidate_json,
    record_of,
    result_json,
    result_of,
    state_of,
    structure_in,
    structure_json,
)
from nas.search._storage import DATABASE, database_errors, open_storage
from nas.training._types import Candidate, Genome, TrialResult, TrialStatus

__all__ = ["StudyStore"]

_HEADER: Final = "nas:study"
_RETIMED: Final = "nas:retimed"
_HISTORY: Final = "history/"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class StudyStore:
    """One study in a store folder; made by `create` or `open`. Only the driver's process may write.

    Attributes:
        study: Optuna's, e.g. for its visualisations.
        folder: of this study's files, inside the store `root`.
        objectives, seed: as created.
        header: what `create` was given, the `job` included.
    """

    def __init__(self, folder: Path | str, name: str, study: optuna.Study) -> None:
        self.root = Path(folder)
        self.name = name
        self.study = study
        self.folder = self.root / name
        header = study.user_attrs.get(_HEADER)
        if header is None:
            raise StudyError(f"study {name!r} was not made by this program; choose another name")
        if header.get("format", 0) > FORMAT:
            raise StudyError(f"study {name!r} has format {header['format']}, newer than {FORMAT}; upgrade to open it")
        self.header: Mapping[str, Any] = header
        self.objectives = Objectives(tuple(header["objectives"]), float(header["error_reference"]))
        self.seed = int(header["seed"])
        self._open: set[int] = set()  # trials that this process began or found RUNNING
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
        with database_errors(root, storage):
            try:
                study = optuna.create_study(
                    storage=open_storage(root, storage),
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
                    "format": FORMAT,
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
        with database_errors(root, storage):
            study = optuna.load_study(
                study_name=name, storage=open_storage(root, storage), sampler=optuna.samplers.RandomSampler(seed=0)
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
        if storage is None and not (root / DATABASE).exists():
            return []
        with database_errors(root, storage):
            return list(optuna.get_all_study_names(open_storage(root, storage)))

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

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Turns a failure of the database into a StudyError that says how to continue."""
        try:
            yield
        except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
            raise StudyError(
                f"the database of study {self.name!r} failed: {error}; when it is back, continue with --resume"
            ) from error

    # --- writing: the driver only -----------------------------------------------------------------------------------

    def begin(self) -> int:
        """A new trial in state RUNNING; its number."""
        # Not `study.ask`, which looks for trials queued by others first: half of the cost of a begin.
        storage = self.study._storage
        number = int(storage.get_trial_number_from_id(storage.create_new_trial(self.study._study_id)))
        self._open.add(number)
        return number

    def record(self, candidate: Candidate) -> None:
        """Writes down what trial `candidate.number` is asked to train, so that it can be dispatched again.

        The file comes first: a trial with a record always has its genome.
        """
        self.result_path(candidate.number).unlink(missing_ok=True)  # of a life that a power cut made undone
        checkpoint.save_arrays(
            self.genome_path(candidate.number),
            candidate.genome.dag,
            dict(candidate.inherited or {}),
            {"number": candidate.number, **structure_json(candidate.genome.structure)},
        )
        record = candidate_json(candidate)
        self.study._storage.set_trial_user_attr(self.trial_id(candidate.number), RECORD, record)

    def finish(self, result: TrialResult) -> TrialResult:
        """Writes down and tells a result; harmless when repeated (the first one counts).

        Returns:
            What was recorded: a complete result whose objectives are missing or not finite becomes a failed one.
        """
        if result.number not in self._open:  # else nobody but this process can have finished it
            trial = self.study._storage.get_trial(self.trial_id(result.number))
            if trial.state.is_finished():
                return record_of(trial).result or result
        values = self.objectives.values(result)
        if result.status is TrialStatus.COMPLETE and values is None:
            found = {metric: result.metrics.get(metric) for metric in self.objectives.metrics}
            result = as_failed(result, f"objectives must be finite numbers, got {found}")
        if result.status is TrialStatus.COMPLETE and result.dag is not None:
            history = {_HISTORY + name: np.asarray(curve) for name, curve in result.history.items()}
            checkpoint.save_arrays(
                self.result_path(result.number),
                result.dag,
                {**result.arrays, **history},
                {**result_json(result), **structure_json(result.structure)},
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
        self.study._storage.set_trial_user_attr(self.trial_id(result.number), RESULT, result_json(result))
        if result.status is TrialStatus.COMPLETE:
            self.study.tell(result.number, list(values or ()))
        else:
            self.study.tell(result.number, state=TrialState.FAIL)
        self._open.discard(result.number)

    # --- reading ----------------------------------------------------------------------------------------------------

    def trial_id(self, number: int) -> int:
        """The storage's own id of a trial, which user attributes are keyed by."""
        return int(self.study._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number))

    def records(self) -> list[TrialRecord]:
        """Every trial that was recorded, by number."""
        return [record_of(t) for t in self._trials() if RECORD in t.user_attrs or t.state.is_finished()]

    def counts(self) -> dict[str, int]:
        """Number of trials that are "running", "complete" and "failed"."""
        counts = {"running": 0, "complete": 0, "failed": 0}
        for trial in self._trials():
            counts[state_of(trial)] += 1
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
            NasError: its structure is of a kind that nobody registered in this process.
            OSError: its genome file is missing.
        """
        record = self.study._storage.get_trial(self.trial_id(number)).user_attrs[RECORD]
        dag, arrays, asked = checkpoint.load_arrays(self.genome_path(number))
        return Candidate(
            number,
            Genome(dag, record["hyperparameters"], structure_in(asked)),
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
            NasError: its structure is of a kind that nobody registered in this process.
        """
        path = self.result_path(number)
        if not path.exists():
            raise StudyError(f"trial {number} of study {self.name!r} has no weights at {path}; it did not complete")
        dag, arrays, record = checkpoint.load_arrays(path)
        history = {name.removeprefix(_HISTORY): a for name, a in arrays.items() if name.startswith(_HISTORY)}
        trained = {name: a for name, a in arrays.items() if not name.startswith(_HISTORY)}
        return result_of(number, record, dag=dag, arrays=trained, history=history, structure=structure_in(record))

    def genome_path(self, number: int) -> Path:
        """Where the genome of a trial is."""
        return self.folder / "genomes" / f"{number:06d}.safetensors"

    def result_path(self, number: int) -> Path:
        """Where the weights of a complete trial are."""
        return self.folder / "trials" / f"{number:06d}.safetensors"

    def hyperparameters(self, number: int) -> dict[str, Any]:
        """The overrides of the training section that a recorded trial was asked with."""
        record = self.study._storage.get_trial(self.trial_id(number)).user_attrs[RECORD]
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
            result = record_of(trial).result
            assert result is not None
            again = retimed.get(trial.number, {})
            metrics = {**result.metrics, **again}
            values = self.objectives.values(TrialResult(trial.number, result.status, metrics)) or tuple(trial.values)
            members.append(FrontMember(trial.number, values, metrics, retimed=bool(again)))
        return Front.of(self.objectives, members)

    def _trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)
