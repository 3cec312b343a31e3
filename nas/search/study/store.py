"""The one record of a study: an Optuna storage for what happened, a folder for the genomes and weights.

Layout of a store folder::

    optuna.db                               every study's trials (or any other RDB by URL)
    <study>/genomes/000012.safetensors      what trial 12 was asked to train: DAG, inherited weights
    <study>/trials/000012.safetensors       what came out: live DAG, trained weights, history, metrics
    <study>/journal.jsonl                   what the driver did last, and the database may not have yet
    <study>/study.json                      which study the folder belongs to (see `nas.search.study._identity`)
    <study>/lock                            held by the driver, so that no two drive one study

What a kill -9 may interrupt, and what `StudyStore.recover` makes of it:

    begin   -> RUNNING without a record            the strategy is asked again, for the same number
    record  -> RUNNING with genome file + record   dispatched again under the same number
    pause   -> RUNNING, with a rung                the same; the rung's decision stands
    finish  -> result file written, still RUNNING  told from the file, nothing trained again
               told                                finished

Each file is written to a temporary name and renamed, every step is in the journal when it returns and may be repeated,
so no trial is lost or counted twice. While a study is driven (`lock`), a thread writes the database in batches, a
quarter of a second behind: see `nas.search.study._live`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import logging
import math
import os
import re
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import optuna
from optuna.trial import TrialState

from nas import checkpoint
from nas._text import plain
from nas.errors import CheckpointError, JobError
from nas.search.baselines.run import Baselines
from nas.search.errors import StorageError, StudyError
from nas.search.front.constraints import Bound
from nas.search.front.front import Front, FrontMember
from nas.search.front.objectives import Objectives
from nas.search.study._identity import (
    adopt_folder,
    checked_folder,
    checksum,
    former_identity,
    new_identity,
    refuse_foreign_files,
    write_identity,
)
from nas.search.study._journal import Journal
from nas.search.study._live import Live, overlaid
from nas.search.study._rows import Change, Row, Rows
from nas.search.study.records import (
    CHECKSUM,
    FORMAT,
    Rung,
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
from nas.search.study.sampling import Sampling
from nas.search.study.storage import (
    DATABASE,
    DATABASE_FAILURES,
    DISK_FAILURES,
    TOO_MANY_FILES,
    creating,
    database_errors,
    database_name,
    open_storage,
)
from nas.training.cost.calibration import PinnedCosts
from nas.training.quality.evidence import EVIDENCE, evidence_arrays, evidence_from
from nas.training.types import Candidate, Evidence, Genome, TrialResult, TrialStatus

__all__ = ["StudyStore"]

_FARTHEST: Final = 1e9  # outside all bounds, as a number that databases hold
_HEADER: Final = "nas:study"
_RETIMED: Final = "nas:retimed"
_BASELINES: Final = "nas:baselines"
_HISTORY: Final = "history/"
_JOURNAL: Final = "journal.jsonl"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PARTS: Final = ("genomes", "trials")
_LOCK_SECONDS: Final = 1.0  # to wait for the lock: `nas status` holds it for a moment, to see whether it is free

_logger = logging.getLogger(__name__)

_STATES: Final = {
    TrialStatus.COMPLETE: TrialState.COMPLETE,
    TrialStatus.STOPPED: TrialState.PRUNED,
    TrialStatus.FAILED: TrialState.FAIL,
}


class StudyStore:
    """One study in a store folder; made by `create` or `open`. Only the driver's process may write.

    Writing methods belong to one thread; reading ones may be called from any.

    Attributes:
        folder: of this study's files, inside the store `root`.
        objectives, seed: as created.
        header: what `create` was given, the `job` included.
    """

    def __init__(self, folder: Path | str, name: str, study: optuna.Study) -> None:
        if not _NAME.fullmatch(name):  # a database from elsewhere may hold "../../somewhere"
            raise StudyError(f'a study\'s name may hold letters, digits and "._-" (at most 200), got {name!r}')
        self.root = Path(folder)
        self.name = name
        self._study = study
        self.folder = self.root / name
        header = study.user_attrs.get(_HEADER)
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
        self._rows = Rows(study._storage, study._study_id)
        self._live: Live | None = None  # while this process drives
        self._sampling: Sampling | None = None
        self._evidence: dict[int, Evidence | None] = {}  # as read so far
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
            storage: URL of an RDB; default: SQLite, `optuna.db` in the folder.
            job: any JSON, kept in `header["job"]` for whoever opens the study later; see `costs` for one of its keys.

        Raises:
            StudyError: the study exists already, its folder holds files of another one, or the database cannot be used.
            JobError: a name that cannot be a folder, or an unknown objective.
        """
        if not _NAME.fullmatch(name):
            raise JobError(f'a study\'s name may hold letters, digits and "._-" (at most 200), got {name!r}')
        Objectives(objectives, error_reference)  # refuses unknown ones
        root, identity = Path(folder), new_identity()
        with database_errors(root, storage):
            root.mkdir(parents=True, exist_ok=True)
        with database_errors(root, storage), creating(root):
            refuse_foreign_files(root / name, name, database_name(root, storage))
            study = _made(open_storage(root, storage), root, name, len(objectives))
            for part in _PARTS:
                (root / name / part).mkdir(parents=True, exist_ok=True)
            write_identity(root / name, identity, name)
            with warnings.catch_warnings():  # "experimental" since 3.2; only labels for Optuna's dashboard
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names(list(objectives))
            # Last, because a study without it does not count as made (see `studies`).
            study.set_user_attr(
                _HEADER,
                {
                    "format": FORMAT,
                    "id": identity,
                    "objectives": list(objectives),
                    "error_reference": error_reference,
                    "error_metric": "val_score",
                    **({"constraints": list(constraints)} if constraints else {}),
                    **({"scorer": scorer} if scorer else {}),
                    "seed": seed,
                    "job": job,
                },
            )
        return cls(root, name, study)

    @classmethod
    def open(cls, folder: Path | str, name: str, *, storage: str | None = None) -> StudyStore:
        """An existing study.

        Raises:
            StudyError: no such store or study, the folder is not that of this study, or the database cannot be used.
        """
        root = Path(folder)
        if storage is None and not (root / DATABASE).exists():
            raise StudyError(f"no study {name!r} in {root}; there are: none")
        with database_errors(root, storage):
            opened = open_storage(root, storage)
            found = _loaded(opened, name)
            known = _names(opened) if found is None else []
        if found is None:
            raise StudyError(f"no study {name!r} in {root}; there are: {', '.join(known) or 'none'}")
        store = cls(root, name, found)
        if (identity := store.identity) is not None:
            checked_folder(store.folder, name, identity, database_name(root, storage))
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
        if storage is None and not (root / DATABASE).exists():
            return []
        with database_errors(root, storage):
            return _names(open_storage(root, storage))

    @property
    def identity(self) -> str | None:
        """What tells this study from every other, also from one of the same name; None: made before there was one,
        and not driven since."""
        identity = self.header.get("id")
        return None if identity is None else str(identity)

    def delete(self) -> None:
        """Remove the study with all its files; nothing of it can be had back.

        Raises:
            StudyError: another process drives it, or the database fails.
        """
        with self.lock():
            pass
        with database_errors(self.root, None), warnings.catch_warnings():
            optuna.delete_study(study_name=self.name, storage=self._study._storage)
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
        self.flush()
        return self._study

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
        try:
            for part in _PARTS:
                (self.folder / part).mkdir(parents=True, exist_ok=True)
            file = (self.folder / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            if error.errno in DISK_FAILURES and error.errno != errno.EROFS:
                raise self._failed(error) from error
            raise StudyError(
                f"study {self.name!r} can be read, but not continued: {self.folder} cannot be written "
                f"({error.strerror})"
            ) from error
        with file:
            self._take_lock(file)
            self._sweep()
            if self.identity is None:
                self._identify()
            self._held = True
            try:
                yield
            finally:
                self._held = self._verified = False

    def _sweep(self) -> None:
        """Removes what a driver that was killed left of files that it was writing."""
        with contextlib.suppress(OSError):  # it is only for tidiness
            for pattern in (".*.tmp", *(f"{part}/.*.tmp" for part in _PARTS)):
                for left_over in self.folder.glob(pattern):
                    left_over.unlink(missing_ok=True)

    def _identify(self) -> None:
        """Gives a study of an earlier version the identity that it would have been made with."""
        with self.reporting():
            first = self._rows.read([0])
            identity = former_identity(self.name, self.header, first[0].ended if first else None)
            adopt_folder(self.folder, identity, self.name)
            self.header = {**self.header, "id": identity}
            self._study.set_user_attr(_HEADER, dict(self.header))

    def _take_lock(self, file: TextIO) -> None:
        """Locks the open lock file, which then says who holds it."""
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                file.seek(0)
                holder = plain(file.read(200).strip(), 80)
                raise StudyError(
                    f"study {self.name!r} is being driven by another process{f' ({holder})' if holder else ''}; "
                    "wait for it or stop it"
                ) from None
        with contextlib.suppress(OSError):  # a full disk; it is only for people
            os.ftruncate(file.fileno(), 0)  # not by way of a buffer, which would fail once more when it is closed
            os.write(file.fileno(), f"process {os.getpid()} on {os.uname().nodename}\n".encode())

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the study for this process (see `hold`), and writes its database in batches meanwhile.

        Raises:
            StudyError: another process on this machine drives the study, this one does already, or the database fails
                at the end.
        """
        if self._live is not None:
            raise StudyError(f"study {self.name!r} is being driven by another process, or by this one already")
        with self.hold(), self.reporting():
            self._live = self._new_live(behind=True)
            try:
                yield
            finally:
                live, self._live, self._front, self._sampling = self._live, None, None, None
                live.close()

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Turns a failure of the database or the disk into a StorageError that says how to continue."""
        try:
            yield
        except DATABASE_FAILURES as error:
            raise StorageError(
                f"the database of study {self.name!r} failed: {error}; when it is back, continue with --resume"
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
        """A new trial in state RUNNING; its number."""
        with self._driving() as live:
            number = live.begun()
            if self._sampling is not None:
                self._sampling.begin(number)
            return number

    def record(self, candidate: Candidate) -> None:
        """Writes down what trial `candidate.number` is asked to train, so that it can be dispatched again.

        The file comes first: a trial with a record always has its genome.
        """
        number = candidate.number
        self.result_path(number).unlink(missing_ok=True)  # of a life that a power cut made undone
        written = checkpoint.save_arrays(
            self.genome_path(number),
            candidate.genome.dag,
            dict(candidate.inherited or {}),
            {"number": number, "study": self.identity, **structure_json(candidate.genome.structure)},
            flush=False,  # before the database says that the trial has ended, see _write
        )
        with self._driving() as live:
            sampled = self._sampling.sampled(number) if self._sampling is not None else {}
            live.asked(number, candidate_json(candidate, written), sampled)

    def report(self, number: int, share: float, metrics: Mapping[str, float]) -> None:
        """Shows Optuna's pruners what a trial is after a `share` of its steps; see `pause`."""
        if self._sampling is not None:
            self._sampling.report(number, round(100 * share), self._reported(metrics))

    def pause(self, number: int, rung: Rung) -> None:
        """Writes down what a trial was found to be at a rung, and whether it goes on."""
        with self._driving() as live:
            live.paused(number, rung, self._reported(rung.metrics))

    def finish(self, result: TrialResult) -> TrialResult:
        """Writes down and tells a result; harmless when repeated (the first one counts).

        Returns:
            What was recorded: a complete result whose objectives are missing or not finite becomes a failed one.
        """
        with self._driving() as live:
            if live.states.get(result.number, TrialState.RUNNING).is_finished():
                return self.trial(result.number).result or result
            result = dataclasses.replace(result, reason=plain(result.reason))
            values = self.objectives.values(result)
            if result.status is TrialStatus.COMPLETE and values is None:
                found = self.objectives.measured(result.metrics)
                result = as_failed(result, f"objectives must be finite numbers, got {found}")
            written = None
            if result.status is TrialStatus.COMPLETE and result.dag is not None:
                history = {_HISTORY + name: np.asarray(curve) for name, curve in result.history.items()}
                record = result_json(result, live.rungs(result.number)) | structure_json(result.structure)
                written = checkpoint.save_arrays(
                    self.result_path(result.number),
                    result.dag,
                    {**result.arrays, **history, **evidence_arrays(result.evidence)},
                    {**record, "study": self.identity},
                    flush=False,
                )
            self._tell(live, result, values, written)
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
        self.study.set_user_attr(_RETIMED, {"metrics": again, "hardware": dict(hardware)})
        self._front = None

    def set_baselines(self, baselines: Baselines) -> None:
        """Keeps what the search is compared with; no trials, so that nothing counts or picks them."""
        self.study.set_user_attr(_BASELINES, baselines.to_json())

    def flush(self) -> None:
        """Return when the database has all that this process has written."""
        live = self._live
        if live is not None:
            live.flush()

    def _tell(
        self, live: Live, result: TrialResult, values: tuple[float, ...] | None, written: str | None = None
    ) -> None:
        """Ends a trial; `written`: the checksum of its file, where it has one."""
        state = _STATES[result.status]
        told = values if state is TrialState.COMPLETE and values is not None else ()
        live.ended(result.number, state, told, result_json(result, live.rungs(result.number), written))
        if self._sampling is not None:
            self._sampling.end(result.number, state, told, self._outside(result.metrics))
        if self._front is not None and told:
            self._front = self._front.with_trial(FrontMember(result.number, told, result.metrics))

    def _new_live(self, *, behind: bool) -> Live:
        journal = Journal(self.folder / _JOURNAL)
        return Live(self._rows, journal, self._write, behind=behind, name=self.name, survived=self._survived)

    def _survived(self, number: int, result: Mapping[str, Any]) -> bool:
        """Whether the file of a trial that only the journal says has ended is as it was written. A power cut may take
        a file that was not flushed yet, and leave the journal: the trial is then run again."""
        wanted = result.get(CHECKSUM)
        if wanted is None or checksum(self.result_path(number)) == wanted:
            return True
        _logger.warning("the weights of trial %d did not reach the disk; it is run again", number)
        self.result_path(number).unlink(missing_ok=True)
        return False

    @contextlib.contextmanager
    def _driving(self) -> Iterator[Live]:
        """The live view of a driven study; of another one for this moment, which writes the database at once."""
        if self._live is not None:
            yield self._live
            return
        live = self._new_live(behind=False)
        try:
            yield live
        finally:
            live.close()

    def _write(self, changes: list[Change]) -> None:
        """Files of ended trials to the disk first: what the database says has ended survives a power cut."""
        ended = [change.number for change in changes if change.state.is_finished()]
        for path in (path(number) for number in ended for path in (self.genome_path, self.result_path)):
            with contextlib.suppress(FileNotFoundError):  # failed trials leave no result
                _flush_to_disk(path)
        if ended:
            for part in _PARTS:
                with contextlib.suppress(OSError):  # not every file system can flush a folder
                    _flush_to_disk(self.folder / part)
        self._rows.write(changes)

    # --- reading ----------------------------------------------------------------------------------------------------

    def trial(self, number: int) -> TrialRecord:
        """One trial.

        Raises:
            StudyError: there is none with this number.
        """
        live = self._live
        if live is not None and live.unwritten(number):
            live.flush()
        found = self._read([number])
        if not found:
            raise StudyError(f"study {self.name!r} has no trial {number}; it has {len(self._states())} trials")
        return record_of(found[0])

    def lineage(self, number: int) -> list[int]:
        """A trial, its parent, its parent's parent, …"""
        line = [number]
        while (parent := self.trial(line[-1]).parent) is not None and parent not in line:
            line.append(parent)
        return line

    def records(self) -> list[TrialRecord]:
        """Every trial that was recorded, by number."""
        self.flush()
        return [record_of(row) for row in self._read() if row.record is not None or row.state.is_finished()]

    def counts(self) -> dict[str, int]:
        """Number of trials that are "running", "complete", "stopped" (at a rung) and "failed"."""
        counts = {"running": 0, "complete": 0, "stopped": 0, "failed": 0}
        for state in self._states().values():
            counts[state_of(state)] += 1
        return counts

    def rungs(self, number: int) -> tuple[Rung, ...]:
        """At which a running trial has paused so far, in order."""
        with self._driving() as live:
            return live.rungs(number)

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
        with self._driving() as live:
            live.flush()
            open_ones = [n for n in range(live.next) if not live.states.get(n, TrialState.RUNNING).is_finished()]
            rows = {row.number: row for row in self._rows.read(open_ones)} if open_ones else {}
            for number in open_ones:
                try:
                    record = rows[number].record
                    if record is None:
                        raise KeyError(number)
                    rungs = live.rungs(number)
                    if (result := self._left_behind(number)) is not None:
                        written = checksum(self.result_path(number))
                        self._tell(live, result, self.objectives.values(result), written)
                    elif rungs and not rungs[-1].passed:
                        self._tell(live, stopped(number, rungs), None)
                    else:
                        candidates.append(self._candidate(number, record))
                except (CheckpointError, KeyError, FileNotFoundError) as error:
                    if not isinstance(error, KeyError):  # of a trial that was not recorded
                        _logger.warning("the genome of trial %d did not survive; it is asked for again", number)
                    unasked.append(number)
        return candidates, unasked

    def verify(self) -> None:
        """Compares every file of the trials that have ended with the checksum that the database has of it.

        Raises:
            StudyError: one is missing, damaged or of another study.
        """
        self.flush()
        damaged = []
        for row in self._read():
            if not row.state.is_finished():
                continue
            for attribute, path in ((row.record, self.genome_path), (row.result, self.result_path)):
                wanted = (attribute or {}).get(CHECKSUM)
                if wanted is not None and checksum(path(row.number)) != wanted:
                    damaged.append(path(row.number))
        if damaged:
            more = f" (and {len(damaged) - 1} others)" if len(damaged) > 1 else ""
            what = "is not what was written there" if damaged[0].exists() else "is missing"
            raise StudyError(
                f"study {self.name!r} cannot go on: {damaged[0]}{more} {what}; restore it from a copy, or start "
                "another study with --set tracking.experiment=NAME"
            )
        self._verified = self._held

    def _left_behind(self, number: int) -> TrialResult | None:
        """The result of a trial that was not told; None where there is none, or a power cut has damaged it."""
        path = self.result_path(number)
        if not path.exists():
            return None
        try:
            found = checkpoint.load_arrays(path)[2].get("study")
            if found in (None, self.identity):  # None: written before the study had one
                return self.load_result(number)
        except CheckpointError:
            pass
        path.unlink()
        return None

    def load_candidate(self, number: int) -> Candidate:
        """The candidate of a trial, as it was asked.

        Raises:
            StudyError: there is no such trial.
            KeyError: the trial has no record.
            CheckpointError: its genome file is damaged.
            NasError: its structure is of a kind that nobody registered in this process.
            OSError: its genome file is missing.
        """
        self.flush()
        found = self._read([number])
        if not found:
            raise StudyError(f"study {self.name!r} has no trial {number}; it has {len(self._states())} trials")
        if found[0].record is None:
            raise KeyError(f"trial {number} of study {self.name!r} was begun, but nothing was asked for it")
        return self._candidate(number, found[0].record)

    def _candidate(self, number: int, record: Mapping[str, Any]) -> Candidate:
        path = self.genome_path(number)
        dag, arrays, asked = checkpoint.load_arrays(path)
        if record.get(CHECKSUM) not in (None, checksum(path)):
            raise CheckpointError(f"{path} is not what was written there; restore it from a copy")
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
        evidence, arrays = evidence_from(arrays)
        history = {name.removeprefix(_HISTORY): a for name, a in arrays.items() if name.startswith(_HISTORY)}
        trained = {name: a for name, a in arrays.items() if not name.startswith(_HISTORY)}
        structure = structure_in(record)
        return result_of(
            number, record, dag=dag, arrays=trained, history=history, structure=structure, evidence=evidence
        )

    def evidence(self, number: int) -> Evidence | None:
        """What the validation part said of a complete trial, sample by sample.

        None: it was trained before this was kept, by an evaluator that does not report it, or its file is gone.
        """
        if number not in self._evidence:
            try:
                arrays = checkpoint.load_some(self.result_path(number), EVIDENCE)
            except (OSError, CheckpointError):
                arrays = {}
            self._evidence[number] = evidence_from(arrays)[0]
        return self._evidence[number]

    def genome_path(self, number: int) -> Path:
        """Where the genome of a trial is."""
        return self.folder / "genomes" / f"{number:06d}.safetensors"

    def result_path(self, number: int) -> Path:
        """Where the weights of a complete trial are."""
        return self.folder / "trials" / f"{number:06d}.safetensors"

    def hyperparameters(self, number: int) -> dict[str, Any]:
        """The overrides of the training section that a recorded trial was asked with."""
        live = self._live
        known = None if live is None else live.records.get(number)  # a parent's, mostly: no word with the database
        return dict(known["hyperparameters"] if known is not None else self.trial(number).hyperparameters)

    def retimed(self) -> dict[int, dict[str, float]]:
        """Metrics measured again after the search, by trial number."""
        again = self._study.user_attrs.get(_RETIMED, {"metrics": {}})["metrics"]
        return {int(number): metrics for number, metrics in again.items()}

    def baselines(self) -> Baselines | None:
        """What `set_baselines` kept; None: they were not trained (yet), or by a newer version."""
        record = self._study.user_attrs.get(_BASELINES)
        return None if record is None else Baselines.from_json(record)

    def leading(self) -> Front:
        """The members of `front` as they are now, for the driver: kept up to date, at a cost that does not grow with
        the study. Trials `near` the members are not known, so nothing should be picked from it."""
        if self._live is None:
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
        self.flush()
        retimed = self.retimed()
        members = []
        for row in self._read():
            if row.state is not TrialState.COMPLETE:
                continue
            result = record_of(row).result
            assert result is not None
            again = retimed.get(row.number, {})
            metrics = {**result.metrics, **again}
            values = self.objectives.values(TrialResult(row.number, result.status, metrics)) or row.values
            members.append(FrontMember(row.number, values, metrics, retimed=bool(again)))
        return members

    def sampling(self) -> Sampling:
        """The study as Optuna's samplers and pruners see it, in memory; for the driver, within `lock`."""
        if self._sampling is None:
            self.flush()
            rows = self._rows.read()
            reported = {
                row.number: {round(100 * each.share): self._reported(each.metrics) for each in record_of(row).rungs}
                for row in rows
            }
            outside = {row.number: self._outside(dict((row.result or {}).get("metrics") or {})) for row in rows}
            self._sampling = Sampling(
                self._study.directions, rows, self._rows.params(), reported, self._rows.system(), outside
            )
        return self._sampling

    def _outside(self, metrics: Mapping[str, float]) -> float | None:
        """How far outside its bounds a trial is, for samplers; None where there are none."""
        return min(self.objectives.outside(metrics), _FARTHEST) if self.objectives.bounds else None

    def _reported(self, metrics: Mapping[str, float]) -> float:
        """A rung's one number for Optuna: the first objective that is known there, the error if none is."""
        known = [metrics[name] for name in (*self.objectives.metrics, "val_error") if name in metrics]
        return float(known[0]) if known else 0.0

    def _states(self) -> Mapping[int, TrialState]:
        live = self._live
        if live is not None:
            return live.states
        beyond = overlaid(Journal(self.folder / _JOURNAL))
        states = self._rows.states()
        for number, change in beyond.items():
            if not states.get(number, TrialState.RUNNING).is_finished():
                states[number] = change.state
        return states

    def _read(self, numbers: list[int] | None = None) -> list[Row]:
        """Rows of the database, with what the journal says beyond it where another process drives the study."""
        if self._live is not None:
            return self._rows.read(numbers)
        beyond = overlaid(Journal(self.folder / _JOURNAL))  # first, for the driver moves entries the other way
        rows = {row.number: row for row in self._rows.read(numbers)}
        for number, change in beyond.items():
            if numbers is not None and number not in numbers:
                continue
            row = rows.setdefault(number, Row(number, TrialState.RUNNING))
            if row.state.is_finished():
                continue
            row.state, row.values = change.state, change.values
            row.record = change.record if change.record is not None else row.record
            row.result = change.result
        return [rows[number] for number in sorted(rows)]


def _names(storage: optuna.storages.BaseStorage) -> list[str]:
    return [study.study_name for study in storage.get_all_studies() if _HEADER in study.user_attrs]


def _loaded(storage: optuna.storages.BaseStorage, name: str) -> optuna.Study | None:
    """The study of this name; None: there is none."""
    try:
        return optuna.load_study(study_name=name, storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    except KeyError:
        return None


def _made(storage: optuna.storages.BaseStorage, root: Path, name: str, objectives: int) -> optuna.Study:
    """A new study without header; one whose making was interrupted is made anew.

    Raises:
        StudyError: it is there already.
    """
    found = _loaded(storage, name)
    if found is not None and not found.user_attrs and not found.get_trials(deepcopy=False):
        storage.delete_study(found._study_id)
    try:
        return optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[optuna.study.StudyDirection.MINIMIZE] * objectives,
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
    except optuna.exceptions.DuplicatedStudyError:
        raise StudyError(
            f"study {name!r} exists already in {root}; continue it with --resume or choose another name"
        ) from None


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


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
