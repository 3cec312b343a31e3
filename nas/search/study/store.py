"""The one record of a study: an Optuna storage for what happened, a folder for the genomes and weights.

Layout of a store folder::

    <study>/optuna.journal                  the study and its trials, as Optuna's journal (or an RDB by URL)
    <study>/genomes/000012.safetensors      what trial 12 was asked to train: DAG, inherited weights
    <study>/trials/000012.safetensors       what came out: live DAG, trained weights, history, metrics
    <study>/study.json                      which study the folder belongs to (see `nas.search.study._identity`)
    <study>/lock                            held by the driver, so that no two drive one study

A journal a study, not one a store: what is opened, kept in memory and deleted is the study that is meant.

What a kill -9 may interrupt, and what `StudyStore.recover` makes of it:

    begin   -> nothing                             the strategy is asked again, for the same number
    record  -> RUNNING with genome file + record   dispatched again under the same number
    pause   -> RUNNING, with a rung                the same; the rung's decision stands
    finish  -> result file written                 told from the file, nothing trained again
               RUNNING with a result               has ended, for all readers of this package
               told                                finished

Each file is written to a temporary name and renamed, every step is in the storage when it returns and may be repeated,
so no trial is lost or counted twice. What survives a power cut, and when: see `nas.search.study._trials`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import logging
import math
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from nas._text import counted, plain, redacted
from nas.errors import CheckpointError, JobError
from nas.search.baselines.run import Baselines
from nas.search.errors import StorageError, StudyError
from nas.search.front.constraints import Bound
from nas.search.front.front import Front, FrontMember
from nas.search.front.objectives import Objectives
from nas.search.space import Choice, Range
from nas.search.study._files import StudyFiles
from nas.search.study._hold import held
from nas.search.study._identity import (
    adopt_folder,
    checked_folder,
    checksum,
    former_identity,
    made,
    new_identity,
    refuse_foreign_files,
    write_identity,
)
from nas.search.study._journal import open_journal
from nas.search.study._trials import Trials
from nas.search.study._upgrade import FORMER_JOURNAL, bring_over, former_entries
from nas.search.study.records import (
    FORMAT,
    RECORD,
    RESULT,
    Rung,
    TrialRecord,
    as_failed,
    candidate_json,
    outcome,
    record_of,
    result_json,
    result_of,
    rungs_in,
    state_of,
)
from nas.search.study.sampling import Sampling, params_in
from nas.search.study.storage import (
    DATABASE,
    DATABASE_FAILURES,
    DISK_FAILURES,
    HEADER,
    JOURNAL,
    TOO_MANY_FILES,
    begin_study,
    creating,
    database_errors,
    database_name,
    open_database,
    opened_study,
    said_by,
    study_names,
    to_disk,
)
from nas.training.cost.calibration import PinnedCosts
from nas.training.types import Candidate, Evidence, TrialResult, TrialStatus

__all__ = ["StudyStore"]

_FARTHEST: Final = 1e9  # outside all bounds, as a number that databases hold
_RETIMED: Final = "nas:retimed"
_BASELINES: Final = "nas:baselines"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

_logger = logging.getLogger(__name__)


class StudyStore:
    """One study in a store folder; made by `create` or `open`. Only the driver's process may write.

    Writing methods belong to one thread; reading ones may be called from any.

    Attributes:
        folder: of this study's files, inside the store `root`.
        objectives, seed: as created.
        header: what `create` was given, the `job` included.
    """

    def __init__(self, folder: Path | str, name: str, storage: BaseStorage, study_id: int) -> None:
        if not _NAME.fullmatch(name):  # a database from elsewhere may hold "../../somewhere"
            raise StudyError(f'a study\'s name may hold letters, digits and "._-" (at most 200), got {name!r}')
        self.root = Path(folder)
        self.name = name
        self._storage, self._study_id = storage, study_id
        self.folder = self.root / name
        header = self._attribute(HEADER)
        if header is None:
            raise StudyError(f"study {name!r} was not made by this program; choose another name")
        if header.get("format", 0) > FORMAT:
            raise StudyError(f"study {name!r} has format {header['format']}, newer than {FORMAT}; upgrade to open it")
        self.header: Mapping[str, Any] = header
        self.objectives = Objectives(
            tuple(header["objectives"]),
            float(header["error_reference"]),
            header.get("error_metric", "val_error"),
            tuple(Bound.parse(text) for text in header.get("constraints", ())),
            str(header.get("scorer", "")),
        )
        self.seed = int(header["seed"])
        self._driven: Trials | None = None  # while this process drives
        self._sampling: Sampling | None = None
        self._files = StudyFiles(self.folder, name, self.identity)
        self._front: Front | None = None  # while this process drives: the members, without those near them
        self._held = False  # by this object, see `hold`
        self._verified = False  # the files, since then

    @classmethod
    def create(
        cls,
        folder: Path | str,
        name: str,
        *,
        objectives: tuple[str, ...] = ("error", "inference_time"),
        constraints: tuple[str, ...] = (),
        error_reference: float = 1.0,
        scorer: str = "",
        seed: int = 0,
        storage: str | None = None,
        job: Mapping[str, Any] | None = None,
    ) -> StudyStore:
        """A new study.

        Args:
            folder: the store; made where missing.
            name: letters, digits and "._-".
            objectives: what to minimise, by name.
            constraints: bounds that members of the front keep, as in `nas.search.SearchConfig`.
            error_reference: see `nas.search.error_reference`.
            scorer: what errors are by, as `nas.training.Dataset` has it.
            seed: decides every random choice of the search.
            storage: URL of an RDB; default: Optuna's journal, a file in the study's folder.
            job: any JSON, kept in `header["job"]` for whoever opens the study later; see `costs` for one of its keys.

        Raises:
            StudyError: the study exists already, its folder holds files of another one, or the database cannot be used.
            JobError: a name that cannot be a folder, or an unknown objective.
        """
        if not _NAME.fullmatch(name):
            raise JobError(f'a study\'s name may hold letters, digits and "._-" (at most 200), got {name!r}')
        Objectives(objectives, error_reference)  # refuses unknown ones
        root, identity = Path(folder), new_identity()
        header = {
            "format": FORMAT,
            "id": identity,
            "objectives": list(objectives),
            "error_reference": error_reference,
            "error_metric": "val_score",
            **({"constraints": list(constraints)} if constraints else {}),
            **({"scorer": scorer} if scorer else {}),
            "seed": seed,
            "job": job,
        }
        database = database_name(root / name, storage)
        with database_errors(database, storage):
            root.mkdir(parents=True, exist_ok=True)
        with database_errors(database, storage), creating(root):
            opened = None if storage is None else open_database(root, storage)
            if name in (study_names(opened) if opened is not None else cls.studies(root)):
                raise StudyError(
                    f"study {name!r} exists already in {root}; continue it with --resume or choose another name"
                )
            refuse_foreign_files(root / name, name, database)
            StudyFiles(root / name, name, identity).make_folders()
            write_identity(root / name, identity, name)
            if opened is not None:
                begin_study(opened, name, header)
            else:  # made aside, so that there is either the whole of it or nothing
                temporary = root / name / f".{JOURNAL}.{os.getpid()}.tmp"
                temporary.write_bytes(b"")
                begin_study(open_journal(temporary), name, header)
                to_disk(root / name, [temporary])
                temporary.replace(root / name / JOURNAL)
        return cls.open(root, name, storage=storage)

    @classmethod
    def _there_are(cls, root: Path, storage: str | None) -> str:
        if storage is None and not root.is_dir():
            return "it is a file, and a store is a folder" if root.exists() else "there is no such folder"
        known = ", ".join(cls.studies(root, storage=storage))
        return f"there are: {known}" if known else "there is none yet"

    @classmethod
    def open(cls, folder: Path | str, name: str, *, storage: str | None = None) -> StudyStore:
        """An existing study.

        Raises:
            StudyError: no such store or study, the folder is not that of this study, it is damaged, or the database
                cannot be used.
        """
        root = Path(folder)
        if not _NAME.fullmatch(name):
            raise StudyError(f'a study\'s name may hold letters, digits and "._-" (at most 200), got {name!r}')
        database = database_name(root / name, storage)
        with database_errors(database, storage):
            found = opened_study(root, name, storage)
            if found is None:
                raise StudyError(f"no study {name!r} in {root}; {cls._there_are(root, storage)}")
            store = cls(root, name, *found)
            if (identity := store.identity) is not None:
                checked_folder(store.folder, name, identity, database)
            if former_entries(store.folder / FORMER_JOURNAL):
                # Who drives the study brings them over, or nobody who may only read it.
                with contextlib.suppress(StudyError), store.hold():
                    pass
        return store

    @classmethod
    def exists(cls, folder: Path | str, name: str, *, storage: str | None = None) -> bool:
        """Whether the store has such a study."""
        return name in cls.studies(folder, storage=storage)

    @classmethod
    def studies(cls, folder: Path | str, *, storage: str | None = None) -> list[str]:
        """Names of the studies in a store, oldest first; empty where there is no store. One whose making was
        interrupted does not count."""
        root = Path(folder)
        names: list[str] = []
        if storage is not None or (root / DATABASE).exists():
            with database_errors(database_name(root / DATABASE, storage), storage):
                names = study_names(open_database(root, storage))
        if storage is None:
            folders = [path.parent for path in root.glob(f"*/{JOURNAL}") if _NAME.fullmatch(path.parent.name)]
            names += [each.name for each in sorted(folders, key=lambda each: (made(each), each.name))]
        return names

    @property
    def identity(self) -> str | None:
        """What tells this study from every other, also from one of the same name; None: made before there was one,
        and not driven since."""
        identity = self.header.get("id")
        return None if identity is None else str(identity)

    def delete(self) -> None:
        """Remove the study with all its files; nothing of it can be had back.

        Raises:
            StudyError: another process drives it, or this one does, or the database fails.
        """
        if self._driven is not None:
            raise StudyError(f"study {self.name!r} is being driven by this process")
        with self.hold():  # to the end: whoever drives it meanwhile would lose the files under its trials
            journal = self.folder / JOURNAL
            with database_errors(self.name, None):
                if journal.exists():
                    journal.unlink()  # first: without it there is no study, whatever is left of its files
                else:
                    self._storage.delete_study(self._study_id)
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def costs(self) -> PinnedCosts | None:
        """The calibration that the study began with; None: it was made before studies kept theirs, or from Python."""
        job = self.header.get("job")
        kept = job.get("costs") if isinstance(job, Mapping) else None
        return None if kept is None else PinnedCosts.model_validate(kept)

    @property
    def study(self) -> optuna.Study:
        """Optuna's, with all that happened so far; for its visualisations and other tools, not for writing."""
        self.settle(now=True)
        sampler = optuna.samplers.RandomSampler(seed=0)
        return optuna.load_study(study_name=self.name, storage=self._storage, sampler=sampler)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keeps every other process from driving the study; inside it, this process may `lock` it any number of times.

        The kernel releases it when the process dies.

        Raises:
            StudyError: another process on this machine drives the study, its folder cannot be written, or it is
                another study's.
            StorageError: the disk refuses, for now.
        """
        if self._held:
            yield
            return
        with contextlib.ExitStack() as stack:
            try:
                self._files.make_folders()
                stack.enter_context(held(self.folder / "lock", self.name))
            except OSError as error:
                if error.errno in DISK_FAILURES and error.errno != errno.EROFS:
                    raise self._failed(error) from error
                raise StudyError(
                    f"study {self.name!r} can be read, but not changed: {self.folder} cannot be written "
                    f"({error.strerror})"
                ) from error
            self._files.sweep()
            if self.identity is None:
                self._identify()
            self._bring_over()
            self._held = True
            try:
                yield
            finally:
                self._held = self._verified = False

    def _identify(self) -> None:
        """Gives a study of an earlier version the identity that it would have been made with."""
        with self.reporting():
            first = self._trials().get(0)
            identity = former_identity(self.name, self.header, None if first is None else first.datetime_complete)
            adopt_folder(self.folder, identity, self.name)
            self.header = {**self.header, "id": identity}
            self._files.identity = identity
            self._storage.set_study_user_attr(self._study_id, HEADER, dict(self.header))

    def _bring_over(self) -> None:
        """What an earlier version did, and its database does not have."""
        path = self.folder / FORMER_JOURNAL
        if not path.exists():
            return
        with self.reporting():
            if entries := former_entries(path):
                trials = self._trials()
                trials.drive()
                bring_over(entries, trials, self._files.survived)
            path.unlink()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the study for this process (see `hold`), and knows the states of its trials meanwhile.

        Raises:
            StudyError: another process on this machine drives the study, this one does already, or the database fails
                at the end.
        """
        if self._driven is not None:
            raise StudyError(f"study {self.name!r} is being driven by another process, or by this one already")
        with self.hold(), self.reporting():
            trials = self._trials()
            trials.drive()
            self._driven = trials
            try:
                yield
            except BaseException:
                # The failure that ends the search is the one to be told; the next driver settles what is left.
                with contextlib.suppress(OSError, *DATABASE_FAILURES):
                    trials.settle()
                raise
            else:
                trials.settle()
            finally:
                self._driven = self._front = self._sampling = None

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Turns a failure of the database or the disk into a StorageError that says how to continue."""
        try:
            yield
        except DATABASE_FAILURES as error:
            raise StorageError(
                f"the database of study {self.name!r} failed: {redacted(said_by(error))}; when it is back, "
                "continue with --resume"
            ) from error
        except OSError as error:
            if error.errno not in DISK_FAILURES:
                raise
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StorageError:
        if error.errno in TOO_MANY_FILES:
            return StorageError(
                f"study {self.name!r} cannot open its files: {error}; allow the process more of them (ulimit -n), and "
                "continue with --resume"
            )
        return StorageError(
            f"the disk of study {self.name!r} failed: {error}; make room or repair it, and continue with --resume"
        )

    # --- writing: the driver only -----------------------------------------------------------------------------------

    def begin(self) -> int:
        """The number of the next trial, which is there from `record` on, or from `fail`."""
        return len(self._states())

    def record(self, candidate: Candidate, domains: Mapping[str, Range | Choice] = MappingProxyType({})) -> None:
        """Writes down what trial `candidate.number` is asked to train, so that it can be dispatched again.

        The file comes first: a trial with a record always has its genome.

        Args:
            candidate: its number is that of the next trial, or of one that is RUNNING.
            domains: from which its hyperparameters are, by their paths: these are parameters of Optuna's trial.
        """
        number = candidate.number
        written = self._files.write_candidate(candidate)
        params, distributions = params_in(candidate.genome.hyperparameters, domains)
        of_sampler: Mapping[str, Any] = {}
        with self._driving() as trials:
            if self._sampling is not None and (sampled := self._sampling.sampled(number)) is not None:
                params, distributions = {**params, **sampled.params}, {**distributions, **sampled.distributions}
                of_sampler = sampled.system_attrs
                trials.remember(self._sampling.remembered())
            trials.ask(number, candidate_json(candidate, written), params, distributions, of_sampler)
            if self._sampling is not None:  # pruners look at trials that no sampler was asked for, too
                self._sampling.begin(number)

    def report(self, number: int, share: float, metrics: Mapping[str, float]) -> None:
        """Shows Optuna's pruners what a trial is after a `share` of its steps; see `pause`."""
        if self._sampling is not None:
            self._sampling.report(number, round(100 * share), self._reported(metrics))

    def pause(self, number: int, rung: Rung) -> None:
        """Writes down what a trial was found to be at a rung, and whether it goes on."""
        with self._driving() as trials:
            trials.pause(number, rung, self._reported(rung.metrics))

    def finish(self, result: TrialResult) -> TrialResult:
        """Writes down and tells a result; harmless when repeated (the first one counts).

        Returns:
            What was recorded: a complete result whose objectives are missing or not finite becomes a failed one.
        """
        with self._driving() as trials:
            if trials.states.get(result.number, TrialState.RUNNING).is_finished():
                return self.trial(result.number).result or result
            result = dataclasses.replace(result, reason=plain(result.reason))
            values = self.objectives.values(result)
            if result.status is TrialStatus.COMPLETE and values is None:
                found = self.objectives.measured(result.metrics)
                result = as_failed(result, f"objectives must be finite numbers, got {found}")
            written = None
            if result.status is TrialStatus.COMPLETE and result.dag is not None:
                written = self._files.write_result(result)
            self._tell(trials, result, values, written)
        return result

    def fail(self, number: int, reason: str) -> TrialResult:
        """Ends a trial as failed for a `reason` that no worker reported."""
        return self.finish(TrialResult.failed(number, reason))

    def set_retimed(self, metrics: Mapping[int, Mapping[str, float]], hardware: Mapping[str, Any]) -> None:
        """Replaces the metrics measured again after the search, by trial number; `front` draws on them.

        Args:
            metrics: of all trials timed side by side. Earlier ones are dropped: they are of another minute.
            hardware: what they were taken on.
        """
        again = {str(number): dict(values) for number, values in metrics.items()}
        self._set_attribute(_RETIMED, {"metrics": again, "hardware": dict(hardware)})
        self._front = None

    def set_baselines(self, baselines: Baselines) -> None:
        """Keeps what the search is compared with; no trials, so that nothing counts or picks them."""
        self._set_attribute(_BASELINES, baselines.to_json())

    def settle(self, *, now: bool = False) -> None:
        """Lets trials that have ended be finished in Optuna's words, too, where that is due, or `now`.

        A driver calls this often: a trial that is settled survives a power cut, and Optuna's tools see it.
        """
        if self._driven is not None:
            self._driven.settle(now=now)

    def _attribute(self, name: str) -> Any:
        return self._storage.get_study_user_attrs(self._study_id).get(name)

    def _set_attribute(self, name: str, value: Any) -> None:
        self.settle(now=True)
        self._storage.set_study_user_attr(self._study_id, name, value)

    def _tell(
        self, trials: Trials, result: TrialResult, values: tuple[float, ...] | None, written: str | None = None
    ) -> None:
        """Ends a trial; `written`: the checksum of its file, where it has one."""
        state = outcome(result.status)
        told = values if state is TrialState.COMPLETE and values is not None else ()
        trials.end(result.number, state, told, result_json(result, written, time.time()))
        trials.settle(now=False)
        if self._sampling is not None:
            self._sampling.end(result.number, state, told, self._outside(result.metrics))
        if self._front is not None and told:
            self._front = self._front.with_trial(FrontMember(result.number, told, result.metrics))

    def _trials(self) -> Trials:
        """Of this process while it drives; else anew, as they are now."""
        return self._driven or Trials(self._storage, self._study_id, self._files.to_disk)

    @contextlib.contextmanager
    def _driving(self) -> Iterator[Trials]:
        """The trials of a driven study; of another one for this moment."""
        if self._driven is not None:
            yield self._driven
            return
        trials = self._trials()
        trials.drive()
        yield trials
        trials.settle()

    # --- reading ----------------------------------------------------------------------------------------------------

    def trial(self, number: int) -> TrialRecord:
        """One trial.

        Raises:
            StudyError: there is none with this number.
        """
        found = self._trials().get(number)
        if found is None:
            raise self._no_trial(number)
        return record_of(found)

    def lineage(self, number: int) -> list[int]:
        """A trial, its parent, its parent's parent, …"""
        line = [number]
        while (parent := self.trial(line[-1]).parent) is not None and parent not in line:
            line.append(parent)
        return line

    def records(self) -> list[TrialRecord]:
        """Every trial that was recorded, by number."""
        found = self._trials().all()
        return [record_of(each) for each in found if RECORD in each.user_attrs or outcome(each).is_finished()]

    def counts(self) -> dict[str, int]:
        """Number of trials that are "running", "complete", "stopped" (at a rung) and "failed"."""
        counts = {"running": 0, "complete": 0, "stopped": 0, "failed": 0}
        for state in self._states().values():
            counts[state_of(state)] += 1
        return counts

    def rungs(self, number: int) -> tuple[Rung, ...]:
        """At which a running trial has paused so far, in order."""
        found = self._trials().get(number)
        return () if found is None else rungs_in(found)

    def recover(self) -> tuple[list[Candidate], list[int]]:
        """Sorts out what a killed driver left RUNNING; to be called once, before a search goes on.

        Trials with a result file are told from it; those that a rung stopped are ended.

        Returns:
            Candidates to dispatch again, and numbers of trials that the strategy has to be asked for again.

        Raises:
            StudyError: a file of a trial that has ended is missing or damaged, see `verify`.
        """
        if not self._verified:
            self.verify()
        candidates: list[Candidate] = []
        unasked: list[int] = []
        with self._driving() as trials:
            for trial in [each for each in trials.all() if not each.state.is_finished()]:
                number, rungs, record = trial.number, rungs_in(trial), trial.user_attrs.get(RECORD)
                if (ended := trial.user_attrs.get(RESULT)) is not None:
                    if self._files.survived(number, ended):
                        found = result_of(number, ended)
                        trials.told(number, outcome(found.status), self.objectives.values(found))
                        continue
                    trials.unend(number)
                try:
                    if record is None:
                        raise KeyError(number)
                    if (result := self._files.left_behind(number)) is not None:
                        written = checksum(self.result_path(number))
                        self._tell(trials, result, self.objectives.values(result), written)
                    elif rungs and not rungs[-1].passed:
                        self._tell(trials, stopped(number, rungs), None)
                    else:
                        candidates.append(self._files.candidate(number, record))
                except (CheckpointError, KeyError, FileNotFoundError) as error:
                    if not isinstance(error, KeyError):  # of a trial that was not recorded
                        _logger.warning("the genome of trial %d did not survive; it is asked for again", number)
                    unasked.append(number)
            trials.settle()
        return candidates, unasked

    def verify(self) -> None:
        """Compares every file of the trials that have ended with the checksum that the database has of it.

        Raises:
            StudyError: one is missing, damaged or of another study.
        """
        self.settle(now=True)
        damaged = [
            path
            for trial in self._trials().all()
            if trial.state.is_finished()
            for path in self._files.damaged(
                trial.number, trial.user_attrs.get(RECORD) or {}, trial.user_attrs.get(RESULT) or {}
            )
        ]
        if damaged:
            more = f" (and {len(damaged) - 1} others)" if len(damaged) > 1 else ""
            what = "is not what was written there" if damaged[0].exists() else "is missing"
            raise StudyError(
                f"study {self.name!r} cannot go on: {damaged[0]}{more} {what}; restore it from a copy, or start "
                "another study with --set tracking.experiment=NAME"
            )
        self._verified = self._held

    def _no_trial(self, number: int) -> StudyError:
        return StudyError(f"study {self.name!r} has no trial {number}; it has {counted(len(self._states()), 'trial')}")

    def load_candidate(self, number: int) -> Candidate:
        """The candidate of a trial, as it was asked.

        Raises:
            StudyError: there is no such trial.
            KeyError: the trial has no record.
            CheckpointError: its genome file is damaged.
            NasError: its structure is of a kind that nobody registered in this process.
            OSError: its genome file is missing.
        """
        found = self._trials().get(number)
        if found is None:
            raise self._no_trial(number)
        record = found.user_attrs.get(RECORD)
        if record is None:
            raise KeyError(f"trial {number} of study {self.name!r} was begun, but nothing was asked for it")
        return self._files.candidate(number, record)

    def load_result(self, number: int) -> TrialResult:
        """The result of a complete trial with its live DAG, trained arrays and history.

        Raises:
            StudyError: the trial has no result file (it failed, or never finished).
            CheckpointError: the file is damaged.
            NasError: its structure is of a kind that nobody registered in this process.
        """
        return self._files.result(number)

    def evidence(self, number: int) -> Evidence | None:
        """What the validation part said of a complete trial, sample by sample.

        None: it was trained before this was kept, by an evaluator that does not report it, or its file is gone.
        """
        return self._files.evidence(number)

    def genome_path(self, number: int) -> Path:
        """Where the genome of a trial is."""
        return self._files.genome_path(number)

    def result_path(self, number: int) -> Path:
        """Where the weights of a complete trial are."""
        return self._files.result_path(number)

    def hyperparameters(self, number: int) -> dict[str, Any]:
        """The overrides of the training section that a recorded trial was asked with."""
        return dict(self.trial(number).hyperparameters)

    def retimed(self) -> dict[int, dict[str, float]]:
        """Metrics measured again after the search, by trial number."""
        again = (self._attribute(_RETIMED) or {"metrics": {}})["metrics"]
        return {int(number): metrics for number, metrics in again.items()}

    def baselines(self) -> Baselines | None:
        """What `set_baselines` kept; None: they were not trained (yet), or by a newer version."""
        record = self._attribute(_BASELINES)
        return None if record is None else Baselines.from_json(record)

    def leading(self) -> Front:
        """The members of `front` as they are now, for the driver: kept up to date, at a cost that does not grow with
        the study. Trials `near` the members are not known, so nothing should be picked from it."""
        if self._driven is None:
            return self.front()
        if self._front is None:
            self._front = Front.of(self.objectives, self._complete()).bare()
        return self._front

    def front(self) -> Front:
        """The Pareto front of the complete trials, with re-timed metrics where there are any.

        Its members have metrics that no single trial could have: ``shown_error``, what to expect of them on samples
        that did not choose them, ``shown_error_low``, ``shown_error_high``, ``shown_error_deviation``; for
        classification also ``shown_accuracy`` with its interval (see `nas.search.front._estimates`).
        """
        baselines = self.baselines()
        to_beat = math.inf if baselines is None else baselines.to_beat
        return Front.estimated(self.objectives, self._complete(), self.evidence, to_beat=to_beat)

    def _complete(self) -> list[FrontMember]:
        retimed = self.retimed()
        members = []
        for trial in self._trials().all():
            if outcome(trial) is not TrialState.COMPLETE:
                continue
            result = record_of(trial).result
            assert result is not None
            again = retimed.get(trial.number, {})
            metrics = {**result.metrics, **again}
            values = self.objectives.values(TrialResult(trial.number, result.status, metrics))
            values = tuple(trial.values) if values is None else values
            members.append(FrontMember(trial.number, values, metrics, retimed=bool(again)))
        return members

    def sampling(self) -> Sampling:
        """The study as Optuna's samplers and pruners see it, in memory; for the driver, within `lock`."""
        if self._sampling is None:
            self.settle(now=True)
            trials = self._trials().all()
            reported = {
                each.number: {round(100 * rung.share): self._reported(rung.metrics) for rung in rungs_in(each)}
                for each in trials
            }
            outside = {
                each.number: self._outside((each.user_attrs.get(RESULT) or {}).get("metrics") or {}) for each in trials
            }
            of_study = self._storage.get_study_system_attrs(self._study_id)
            directions = self._storage.get_study_directions(self._study_id)
            self._sampling = Sampling(directions, trials, reported, of_study, outside)
        return self._sampling

    def _outside(self, metrics: Mapping[str, float]) -> float | None:
        """How far outside its bounds a trial is, for samplers; None where there are none."""
        return min(self.objectives.outside(metrics), _FARTHEST) if self.objectives.bounds else None

    def _reported(self, metrics: Mapping[str, float]) -> float:
        """A rung's one number for Optuna: the first objective that is known there, the error if none is."""
        known = [metrics[name] for name in (*self.objectives.metrics, "val_error") if name in metrics]
        return float(known[0]) if known else 0.0

    def _states(self) -> Mapping[int, TrialState]:
        if self._driven is not None:
            return self._driven.states
        return {trial.number: outcome(trial) for trial in self._trials().all()}


def stopped(number: int, rungs: Sequence[Rung], result: TrialResult | None = None) -> TrialResult:
    """The result of a trial that was stopped at the last of `rungs`; `result`: what its worker reported there."""
    last = rungs[-1]
    return TrialResult(
        number,
        TrialStatus.STOPPED,
        metrics=last.metrics,
        reason=f"stopped at rung {len(rungs)} (step {last.step})",
        hardware={} if result is None else result.hardware,
        seconds=0.0 if result is None else result.seconds,
        worker="" if result is None else result.worker,
        steps=last.step,
    )
