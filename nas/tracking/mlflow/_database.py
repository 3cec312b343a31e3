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


def _flaw(path: Path) -> str:
    """Why MLflow can never use the database; "": it can, left-overs removed, or only MLflow can tell."""
    half_made = "half-made"
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as connection, connection:
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
    _LOG.warning("%s was %s; it is now %s.broken-%s, and a new one is made", path, flaw, path, stamp)
