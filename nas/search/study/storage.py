"""Opens Optuna's storage, and turns what databases raise into this package's errors."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
from sqlalchemy import event, make_url
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from nas._sqlite import sqlite_url
from nas._text import SECRET, redacted, redacted_address
from nas.errors import NasError
from nas.search.errors import StorageError, StudyError

__all__ = [
    "DATABASE",
    "DATABASE_FAILURES",
    "DISK_FAILURES",
    "TOO_MANY_FILES",
    "creating",
    "database_errors",
    "database_name",
    "open_storage",
]

DATABASE = "optuna.db"  # the SQLite file in a store folder
TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
# No trial's fault: the search pauses, and the trial is run when they are over.
DISK_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, *TOO_MANY_FILES)
# SQLite files that this process has opened: path, device, inode. Their tables need not be looked at again, which takes
# Optuna a third of a second.
_KNOWN: set[tuple[str, int, int]] = set()
DATABASE_FAILURES = (optuna.exceptions.StorageInternalError, SQLAlchemyError)


def open_storage(root: Path, url: str | None) -> optuna.storages.BaseStorage:
    """The RDB at `url`, by default the SQLite file of the store `root`."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would report each study on the terminal
    path = (root / DATABASE).resolve()
    if url is None and path.exists() and not (_writable(path) and _writable(path.parent)):
        return _readable(path)
    checked: dict[str, Any] = {}
    own = url is None
    if url is None:
        if _file_of(root) in _KNOWN:
            checked = {"skip_compatibility_check": True, "skip_table_creation": True}
        # Optuna fills {} in addresses.
        url = sqlite_url(path).replace("{", "{{").replace("}", "}}")
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


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _readable(path: Path) -> optuna.storages.BaseStorage:
    """The SQLite file of a store that this process may only read.

    SQLite itself wants to write beside a database with a write-ahead log. Where there is a log, somebody drives the
    study, and his index of it is shared; where there is none, nobody does, and the file is as good as constant.
    """
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    address = f"file:{quote(str(path))}?{mode}"
    options = {"creator": lambda: sqlite3.connect(address, uri=True, timeout=60, check_same_thread=False)}
    storage = optuna.storages.RDBStorage(sqlite_url(path).replace("{", "{{").replace("}", "}}"), engine_kwargs=options)
    return optuna.storages.get_storage(storage)


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


def database_name(root: Path, url: str | None) -> str:
    """Which database that is, for messages: without its password."""
    return redacted_address(url) if url else str(root / DATABASE)


@contextlib.contextmanager
def database_errors(root: Path, url: str | None) -> Iterator[None]:
    """For opening and creating: whatever goes wrong is a StudyError that names the database, never its password."""
    try:
        yield
    except (optuna.exceptions.OptunaError, SQLAlchemyError, OSError, RuntimeError, ImportError, ValueError) as error:
        if isinstance(error, NasError):
            raise
        kind = StorageError if isinstance(error, (OSError, *DATABASE_FAILURES)) else StudyError
        raise kind(f"the study database {database_name(root, url)} cannot be used: {_safe(error, url)}") from error


def _safe(error: Exception, url: str | None) -> str:
    """What an error says, without the password of the address, which some drivers quote decoded."""
    text = str(error)
    if url:
        text = text.replace(url, redacted_address(url))
        with contextlib.suppress(SQLAlchemyError, ValueError):
            parsed = make_url(url)
            hidden = [parsed.password, *(v for k, v in parsed.query.items() if SECRET.search(k))]
            for word in (str(each) for each in hidden if each):
                text = text.replace(word, "***").replace(quote(word, safe=""), "***")
    return redacted(text)
