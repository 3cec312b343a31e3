"""MLflow's database in a store: made whole, by one process.

MLflow makes some fifty tables and migrates them one by one, with no lock: two searches that start together on a new
store would do it at the same time, and one that is killed meanwhile would leave a database that MLflow can neither use
nor mend. So it is made under another name, behind a lock that dies with its process, and gets its own name when whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nas._sqlite import sqlite_url
from nas.tracking.config import TrackingConfig

__all__ = ["prepare_database"]

_LOG = logging.getLogger(__name__)

_BELONGING: Final = ("", "-journal", "-wal", "-shm")  # endings of the files of one SQLite database
_REQUIRED: Final = frozenset({"experiments", "runs", "tags", "metrics", "alembic_version"})
_LEFT_OVER: Final = "_alembic_tmp_"  # a table on its way to a new form; MLflow's migrations fail where one is found


def prepare_database(config: TrackingConfig) -> None:
    """Have MLflow's database in `config.store`, where no server is stated; the folder is there.

    One that an interrupted migration left half-made is mended where it holds runs, else set aside as
    ``mlflow.db.broken-…`` and made anew.

    Raises: whatever MLflow and the file system raise.
    """
    if config.server is not None:
        return
    path = (config.store / "mlflow.db").absolute()
    with _locked(path.with_name(".mlflow-creating")):
        if path.exists() and not _is_whole(path):
            _set_aside(path)
        if not path.exists():
            _make(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(path: Path) -> None:
    from nas.tracking.mlflow.writer import new_client

    new = path.with_name(f".mlflow-{os.getpid()}.db")
    for old in path.parent.glob(".mlflow-*.db*"):  # of a process that died here; only one at a time makes any
        old.unlink()
    new_client(sqlite_url(new)).search_experiments(max_results=1)
    new.rename(path)


def _is_whole(path: Path) -> bool:
    """Whether MLflow can use the database, left-overs removed; True also where only MLflow can tell."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as connection, connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            left = sorted(name for name in tables if name.startswith(_LEFT_OVER))
            whole = tables >= _REQUIRED and not left
            if whole or "runs" not in tables:
                return whole
            if not connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone():
                return False
            # It holds runs: a newer MLflow was migrating it. Where the old form of a table is still there its copy
            # can go, and MLflow says what it wants to have done next.
            for name in left:
                if name.removeprefix(_LEFT_OVER) in tables:
                    connection.execute(f'DROP TABLE "{name}"')
                    _LOG.warning("%s: removed %s, which an interrupted migration left", path, name)
            return True
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # busy: somebody uses it, so it is whole
            return True
        _LOG.warning("%s is no SQLite database (%s)", path, error)
        return False


def _set_aside(path: Path) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for ending in _BELONGING:
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{ending}", f"{path}.broken-{stamp}{ending}")  # noqa: PTH105 - names with endings
    _LOG.warning("%s was half-made; it is now %s.broken-%s, and a new one is made", path, path, stamp)
