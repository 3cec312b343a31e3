"""How a study of this machine stands: its status file, its trials by state, and whether somebody drives it."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas._files import ordinary
from nas.cli._report import read_status, status_path
from nas.cli.console import command_line
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.search import StudyStore

__all__ = ["Looks", "newest", "standing"]


class Looks:
    """How one study stands, again and again.

    A study that is driven stays open, and each look reads on from where the last one ended. Of others only the numbers
    are kept: a store may have many of them, and each takes ten kilobytes of memory a trial.

    Args:
        store: folder of the studies.
        name: of this one.
        storage: their database, if they are not in the store.
    """

    def __init__(self, store: Path, name: str, storage: str | None) -> None:
        self._store, self._name, self._storage = store, name, storage
        self._folder = store / name
        self._study: StudyStore | None = None
        self._seen: object = None  # what was there when nobody drove the study, and its trials were counted
        self._counts: dict[str, int] = {}

    def __call__(self) -> dict[str, Any]:
        """As `standing` has it.

        Raises:
            NasError: likewise; or the study cannot be read (any more).
        """
        try:
            return standing(self._folder, self._counted())
        except BaseException:
            self._study = self._seen = None  # whatever it is, the next look begins anew
            raise

    def study(self) -> StudyStore:
        """The study, as it is now."""
        from nas.search import StudyStore

        return self._study or StudyStore.open(self._store, self._name, storage=self._storage)

    def _counted(self) -> dict[str, int]:
        there = self._there()
        if there is not None and there == self._seen:
            return self._counts
        driven = _driven(self._folder)
        if not driven:
            self._study = None  # whoever drives it next may make it anew
        study = self._study = self.study()
        with study.reporting():
            self._counts = study.counts()
        if not driven:
            self._study, self._seen = None, there
        return self._counts

    def _there(self) -> object:
        """The files that every driver changes, as they are; None: one drives the study, or none ever did."""
        if _driven(self._folder):
            return None
        try:
            found = [(self._folder / name).stat() for name in ("lock", "study.json")]
        except OSError:
            return None
        with contextlib.suppress(OSError):
            found.append(status_path(self._folder).stat())
        return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]


def newest(store: Path, storage: str | None) -> str:
    """The name of the last study of a store.

    Raises:
        NasError: it has none, or cannot be read.
    """
    from nas.search import StudyStore
    from nas.tracking import default_store

    studies = StudyStore.studies(store, storage=storage)
    if not studies:
        where = () if store == default_store() else ("--set", f"tracking.store={store}")
        first = command_line("search", "digits", "--minutes", "2", *where)
        raise NasError(f"there is no study in {store}; a first one: {first}")
    return studies[-1]


def standing(folder: Path, counts: Mapping[str, int]) -> dict[str, Any]:
    """How a study of this machine stands.

    Args:
        folder: of its files.
        counts: of its trials, by state.

    Raises:
        NasError: a newer version wrote its status.
    """
    driven = _driven(folder)
    record: dict[str, Any] = {
        "study": folder.name,
        "state": "not running",
        "workers": [],
        "trials_per_minute": None,
        **(read_status(folder) or {}),
        # The study itself knows better than the file, which may be of an earlier run.
        "complete": counts["complete"],
        "failed": counts["failed"],
        "stopped": counts["stopped"],
        "running": counts["running"],
        "driven": driven,
    }
    if not driven:
        if record["state"] == "running":
            record["state"] = "died"
        record["workers"] = []
    return record


def _driven(folder: Path) -> bool:
    """Whether a process on this machine drives the study in `folder`: it holds the lock."""
    try:
        with ordinary(folder / "lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no file: it was never driven
        return False
    return False
