"""MLflow's database in a store: made whole, by one process.

MLflow makes some fifty tables and migrates them one by one, with no lock: two searches that start together on a new
store would do it at the same time, and one that is killed meanwhile would leave a database that MLflow can neither use
nor mend. So it is made under another name, behind a lock that dies with its process, and gets its own name when whole.

MLflow commits several times for each run, and in SQLite's usual mode each commit waits three times for the disk: 200
runs at the end of a search took 16 s of waiting for 2 s of work. Where the disk is this machine's own the database
therefore has a write-ahead log (https://sqlite.org/wal.html) that is not waited for: whoever is killed loses nothing, a
machine that loses power the last moments, which the next `--resume` logs from the study. Between machines that share a
folder the log does not work, so there the mode stays.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import event
from sqlalchemy.engine import Engine

from nas._locks import locked
from nas._sqlite import sqlite_url
from nas.tracking.config import TrackingConfig

__all__ = ["prepare_database"]

_LOG = logging.getLogger(__name__)

_BELONGING: Final = ("", "-journal", "-wal", "-shm")  # endings of the files of one SQLite database
_REQUIRED: Final = frozenset({"experiments", "runs", "tags", "metrics", "alembic_version"})
# File systems that no other machine writes at the same time.
_OWN: Final = frozenset({"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "overlay", "tmpfs", "xfs", "zfs"})
_LEFT_OVER: Final = "_alembic_tmp_"  # a table on its way to a new form; MLflow's migrations fail where one is found

_unwaited: set[Path] = set()  # databases whose commits this process does not wait for


def prepare_database(config: TrackingConfig) -> None:
    """Have MLflow's database in `config.store`, where no server is stated; the folder is there.

    One that an interrupted migration left half-made is mended where it holds runs; else it is set aside as
    ``mlflow.db.broken-…`` and made anew, as a damaged one is.

    Raises: whatever MLflow and the file system raise.
    """
    if config.server is not None:
        return
    path = (config.store / "mlflow.db").absolute()
    with _locked(path.with_name(".mlflow-creating")):
        if path.exists() and (flaw := _flaw(path)):
            _set_aside(path, flaw)
        if not path.exists():
            _make(path)
        if _is_own(path):
            _write_ahead(path)


def _is_own(path: Path) -> bool:
    """Whether a file lies on a disk that only this machine writes, as far as is known."""
    place = path.resolve()
    mounts = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    return next((mounts[each] for each in place.parents if each in mounts), "") in _OWN


def _write_ahead(path: Path) -> None:
    """Commits to this database wait for no disk, in this process from now on; the log itself is for all processes."""
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    _unwaited.add(path.resolve())


def _opened(connection: Any, _record: object) -> None:
    """SQLAlchemy has opened a database; which, only SQLite can tell."""
    if isinstance(connection, sqlite3.Connection):
        files = {Path(row[2]).resolve() for row in connection.execute("PRAGMA database_list") if row[2]}
        if files & _unwaited and connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            connection.execute("PRAGMA synchronous = NORMAL")


event.listen(Engine, "connect", _opened)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        locked(file.fileno(), path)
        yield


def _make(path: Path) -> None:
    from nas.tracking.mlflow.writer import new_client

    new = path.with_name(f".mlflow-{os.getpid()}.db")
    for old in path.parent.glob(".mlflow-*.db*"):  # of a process that died here; only one at a time makes any
        old.unlink()
    new_client(sqlite_url(new)).search_experiments(max_results=1)
    new.rename(path)


def _flaw(path: Path) -> str:
    """Why MLflow can never use the database; "": it can, left-overs removed, or only MLflow can tell.

    All its pages are read, which takes .3 s for 5,000 runs (90 MiB): a damaged one, or the log of another database
    beside it, would fail some of MLflow's queries for good, and others not. What such a log lacks, or what is lost with
    it, is no matter: it is logged again from the study.
    """
    half_made = "half-made"
    for ending in _BELONGING:  # SQLite would wait for what a pipe says, and MLflow for what is a folder
        if (file := Path(f"{path}{ending}")).exists() and not file.is_file():
            return f"damaged ({file} is no file)"
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as connection, connection:
            if (found := connection.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                return f"damaged ({' '.join(found[0].split()[4:])})"
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            left = sorted(name for name in tables if name.startswith(_LEFT_OVER))
            whole = tables >= _REQUIRED and not left
            if whole or "runs" not in tables:
                return "" if whole else half_made
            if not connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone():
                return half_made
            # It holds runs: a newer MLflow was migrating it. Where the old form of a table is still there its copy
            # can go, and MLflow says what it wants to have done next.
            for name in left:
                if name.removeprefix(_LEFT_OVER) in tables:
                    connection.execute(f'DROP TABLE "{name}"')
                    _LOG.warning("%s: removed %s, which an interrupted migration left", path, name)
            return ""
    except sqlite3.DatabaseError as error:
        # Busy: somebody uses it, so it is whole.
        return "" if isinstance(error, sqlite3.OperationalError) else f"damaged ({error})"


def _set_aside(path: Path, flaw: str) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for ending in _BELONGING:
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{path}.broken-{stamp}{ending}")  # noqa: PTH105 - names with endings
    _LOG.warning(
        "%s was %s; it is now %s.broken-%s, and a new one is made; --resume logs the other studies of it again",
        path, flaw, path, stamp,
    )  # fmt: skip
