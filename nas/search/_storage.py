"""Opens Optuna's storage, and turns what databases raise into this package's errors."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from nas._sqlite import sqlite_url
from nas.errors import NasError
from nas.search._errors import StorageError, StudyError

__all__ = ["DATABASE", "DATABASE_FAILURES", "DISK_FAILURES", "creating", "database_errors", "open_storage"]

DATABASE = "optuna.db"  # the SQLite file in a store folder
DISK_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE)
# SQLite files that this process has opened: path, device, inode. Their tables need not be looked at again, which takes
# Optuna a third of a second.
_KNOWN: set[tuple[str, int, int]] = set()
DATABASE_FAILURES = (optuna.exceptions.StorageInternalError, SQLAlchemyError)


def open_storage(root: Path, url: str | None) -> optuna.storages.BaseStorage:
    """The RDB at `url`, by default the SQLite file of the store `root`."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would report each study on the terminal
    checked: dict[str, Any] = {}
    own = url is None
    if url is None:
        if _file_of(root) in _KNOWN:
            checked = {"skip_compatibility_check": True, "skip_table_creation": True}
        # Optuna fills {} in addresses.
        url = sqlite_url((root / DATABASE).resolve()).replace("{", "{{").replace("}", "}}")
    # The default of 5 s to wait for another process's write is short on a loaded machine.
    options: dict[str, Any] = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    storage = _patient(lambda: optuna.storages.RDBStorage(url, engine_kwargs=options, **checked))
    if own and (found := _file_of(root)) is not None:
        _KNOWN.add(found)
    if url.startswith("sqlite"):
        event.listen(storage.engine, "connect", _faster_sqlite)
        storage.engine.dispose()  # connections made before
    return optuna.storages.get_storage(storage)


def _file_of(root: Path) -> tuple[str, int, int] | None:
    """Which file the database of a store is; None: there is none."""
    path = (root / DATABASE).resolve()
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path), found.st_dev, found.st_ino


@contextlib.contextmanager
def creating(root: Path) -> Iterator[None]:
    """Held while a store's database and a study in it are made: of two searches on a new store, one waits."""
    with (root / ".creating").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _patient(connect: Callable[[], optuna.storages.RDBStorage]) -> optuna.storages.RDBStorage:
    """Again, some times, where two processes make the tables of a new database at the same moment: one of them fails.

    `creating` keeps processes of one machine apart; those of several machines may share a database server.
    """
    for attempt in range(5):
        try:
            return connect()
        except (ProgrammingError, OperationalError, IntegrityError) as error:
            if attempt == 4 or not re.search(r"already exists|duplicate|unique", str(error), re.IGNORECASE):
                raise
            time.sleep(0.1 * (1 + random.random()))
    raise AssertionError("not reached")


def _faster_sqlite(connection: Any, _: object) -> None:
    """A write-ahead log: readers do not block the driver, and a commit does not wait for the disk.

    What is committed survives the death of the process. A power cut may take the last moments; as in any other crash,
    their trials are found RUNNING or not begun, and are told from their result files or run again. File systems that
    cannot have such a log keep the ordinary one.
    """
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


@contextlib.contextmanager
def database_errors(root: Path, url: str | None) -> Iterator[None]:
    """For opening and creating: whatever goes wrong is a StudyError that names the database, never its password."""
    try:
        yield
    except (optuna.exceptions.OptunaError, SQLAlchemyError, OSError, RuntimeError, ImportError, ValueError) as error:
        if isinstance(error, NasError):
            raise
        where = re.sub(r"//[^@/]*@", "//***@", url) if url else str(root / DATABASE)  # never show a password
        text = str(error).replace(url, where) if url else str(error)
        kind = StorageError if isinstance(error, (OSError, *DATABASE_FAILURES)) else StudyError
        raise kind(f"the study database {where} cannot be used: {text}") from error
