"""What a running search says about itself, for `nas status`: a small file beside the study, and lines in the log."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nas._files import contents
from nas._text import redacted
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.search import Executor, Front, Progress, StudyStore, TrialRecord
    from nas.training import Candidate, TrialResult

__all__ = [
    "FORMAT",
    "StatusReport",
    "amend_status",
    "failure_counts",
    "failure_kind",
    "read_status",
    "status_path",
]

FORMAT: Final = 1  # of the record; raised when the meaning of its keys changes
_FILE_SECONDS: Final = 2.0
_LOG_SECONDS: Final = 10.0
_MOST_REASONS: Final = 12
_MOST_WORKERS: Final = 1000

_logger = logging.getLogger(__name__)


class StatusReport:
    """Follows a search and keeps its status where others find it.

    A disk that refuses is ignored: a search must not end because nobody can look at it.

    Args:
        command: see `nas.cli.search.SearchRun`.
    """

    def __init__(self, study: StudyStore, executor: Executor, command: str = "") -> None:
        self._study = study
        self._executor = executor
        self._command = redacted(command)
        self._path = status_path(study.folder)
        self._reasons = failure_counts(study.records())
        self.behind: Callable[[], int] = lambda: 0  # trials that MLflow does not have yet
        self._last: Progress | None = None
        self._next_file = self._next_log = 0.0

    def trial(self, candidate: Candidate, result: TrialResult) -> None:
        """A trial ended."""
        where = {"event": "trial", "study": self._study.name, "trial": result.number, "worker": result.worker}
        if result.reason:
            self._reasons[failure_kind(result.reason)] += 1
            _logger.info("trial %d failed", result.number, extra={**where, "reason": result.reason})
            return
        data = {name: result.metrics[name] for name in _BEST if name in result.metrics}
        _logger.info("trial %d complete", result.number, extra={**where, "data": {**data, "seconds": result.seconds}})

    def progress(self, progress: Progress) -> None:
        """The search stands so."""
        self._last = progress
        now = time.monotonic()
        if now >= self._next_file:
            self._next_file = now + _FILE_SECONDS
            self._write("running")
        if now >= self._next_log:
            self._next_log = now + _LOG_SECONDS
            self._log("running")

    def end(self, state: str, front: Front | None = None) -> None:
        """The search ended: ``finished``, ``stopped`` or ``failed``; with this front, as it was timed again."""
        if self._last is not None:
            if front is not None and front.members:
                best, size = front.members[0].metrics, len(front.members)
                self._last = dataclasses.replace(self._last, best=best, front_size=size, hypervolume=front.hypervolume)
            self._write(state)
            self._log(state)

    def _record(self, state: str) -> dict[str, Any]:
        progress = self._last
        assert progress is not None
        over = state != "running"
        workers = () if over else self._executor.workers()
        return {
            "format": FORMAT,
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "study": self._study.name,
            "state": state,
            "host": os.uname().nodename,
            "process": os.getpid(),
            "trials": progress.trials,
            "complete": progress.complete,
            "failed": progress.failed,
            "stopped": progress.stopped,
            "running": 0 if over else progress.running,
            "seconds": round(progress.seconds, 1),
            "seconds_left": None if over or progress.seconds_left is None else round(progress.seconds_left, 1),
            "trials_per_minute": round(progress.trials_per_minute, 2),
            "front": progress.front_size,
            "hypervolume": progress.hypervolume,
            "saturation": None if progress.saturation is None else dataclasses.asdict(progress.saturation),
            "best": {name: value for name, value in progress.best.items() if name in _BEST},
            "failures": dict(self._reasons.most_common(_MOST_REASONS)),
            "command": self._command,  # and where it was given, for whoever resumes it
            "folder": str(Path.cwd()),
            "error_label": self._study.objectives.error_label,  # what val_error is called
            "mlflow_behind": self.behind(),
            "workers": [
                {"name": each.name, "state": each.state, "trial": each.trial, "seconds": round(each.seconds, 1)}
                for each in workers[:_MOST_WORKERS]
            ],
        }

    def _write(self, state: str) -> None:
        _replace(self._path, self._record(state))

    def _log(self, state: str) -> None:
        record = self._record(state)
        message = f"{record['complete']} complete, {record['failed']} failed of {record['trials']}"
        _logger.info(message, extra={"event": "status", "study": self._study.name, "data": record})


_BEST: Final = ("val_accuracy", "val_error", "inference_seconds", "edges")


def failure_kind(reason: str) -> str:
    """A reason without what differs from trial to trial, so that reasons can be counted."""
    first = (reason.splitlines() or [""])[0]
    return re.sub(r"(?<![\w.])[-+]?\d[\d,.]*(?:e[-+]?\d+)?", "…", first)[:160]


def failure_counts(trials: Iterable[TrialRecord]) -> collections.Counter[str]:
    """How many trials failed for each kind of reason."""
    return collections.Counter(
        failure_kind(trial.result.reason) for trial in trials if trial.state == "failed" and trial.result is not None
    )


def status_path(folder: Path) -> Path:
    """Where the status of the study in `folder` is."""
    return folder / "status.json"


def amend_status(folder: Path, *, log: bool = False, **changes: Any) -> None:
    """Change the status of a search that has ended, where there is one; with `log` it is in the log again, too."""
    try:
        record = read_status(folder)
    except NasError:
        return  # a newer version's
    if record is None:
        return
    if any(record.get(key) != value for key, value in changes.items()):
        record |= changes
        _replace(status_path(folder), record)
    if log:
        what = ", ".join(f"{key} {value}" for key, value in changes.items())
        _logger.info("%s", what, extra={"event": "status", "study": record.get("study"), "data": record})


def _replace(path: Path, record: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_text(json.dumps(record), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_status(folder: Path) -> dict[str, Any] | None:
    """The last status of the study in `folder`, or None where there is none (or it is damaged).

    Raises:
        NasError: a newer version of this program wrote it.
    """
    try:
        record = json.loads(contents(status_path(folder), pipes=False))
    except (OSError, ValueError, RecursionError):
        return None
    return checked(record, str(status_path(folder)))


def checked(record: Any, where: str) -> dict[str, Any] | None:
    """`record` if it is a status that this version reads.

    Raises:
        NasError: a newer version of this program wrote it.
    """
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        return None
    if record["format"] > FORMAT:
        raise NasError(f"{where} has format {record['format']}, this program reads up to {FORMAT}; upgrade it")
    return record
