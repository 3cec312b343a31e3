"""Opens Optuna's databases, and turns what databases and disks raise into this package's errors."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
import re
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from nas._locks import locked
from nas._sqlite import sqlite_file, sqlite_url
from nas._text import SECRET, redacted, redacted_address
from nas.errors import NasError
from nas.search.errors import StorageError, StudyError
from nas.search.study._journal import open_journal

__all__ = [
    "DATABASE",
    "DATABASE_FAILURES",
    "DISK_FAILURES",
    "HEADER",
    "JOURNAL",
    "TOO_MANY_FILES",
    "begin_study",
    "creating",
    "database_errors",
    "database_name",
    "open_database",
    "opened_study",
    "said_by",
    "study_names",
    "to_disk",
]

HEADER = "nas:study"  # attribute of a study: what it was made with
JOURNAL = "optuna.journal"  # in the folder of a study, see `nas.search.study._journal`
DATABASE = "optuna.db"  # the SQLite file in the folder of a store of an earlier version
TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
# No trial's fault: the search pauses, and the trial is run when they are over.
DISK_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, *TOO_MANY_FILES)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)  # Linux
DATABASE_FAILURES = (optuna.exceptions.StorageInternalError, SQLAlchemyError)


def open_database(root: Path, url: str | None) -> RDBStorage:
    """The RDB at `url`; None: the SQLite file in which earlier versions kept the studies of the store `root`."""
    path = (root / DATABASE).resolve()
    if url is None and not (_writable(path) and _writable(path.parent)):
        return _readable(path)
    address = _address(path) if url is None else url
    # The default of 5 s to wait for another process's write is short on a loaded machine.
    sqlite = address.startswith("sqlite")
    if url is not None and (file := sqlite_file(url)) is not None:
        _refuse_place(file, redacted_address(url))
    options: dict[str, Any] = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}
    storage = _patient(lambda: RDBStorage(address, engine_kwargs=options))
    if sqlite:
        event.listen(storage.engine, "connect", _faster_sqlite)
        storage.engine.dispose()  # connections made before
    return storage


def _refuse_place(file: Path, database: str) -> None:
    """Raises: StudyError: SQLite could not open the file, of which it would say nothing else: no waiting helps."""
    folder = file.absolute().parent
    if not folder.is_dir():
        why = f"there is no folder {folder}; make it, or name another database"
    elif file.is_dir():
        why = f"{file} is a folder; name a file in it"
    elif not (_writable(folder) and (_writable(file) or not file.exists())):
        why = f"{folder} cannot be written, where SQLite keeps more than one file; name another place, or have its "
        why += "permissions changed"
    else:
        return
    raise StudyError(f"the study database {database} cannot be used: {why}")


def study_names(database: BaseStorage) -> list[str]:
    """Those of this program, made whole, oldest first."""
    return [study.study_name for study in database.get_all_studies() if HEADER in study.user_attrs]


def opened_study(root: Path, name: str, url: str | None) -> tuple[BaseStorage, int] | None:
    """The storage that has a study, and its id there; None: there is no such study.

    Raises:
        StudyError: its journal is damaged, or another's.
    """
    journal = root / name / JOURNAL
    if url is None and journal.exists():
        storage: BaseStorage = open_journal(journal)
        found = [study.study_name for study in storage.get_all_studies()]
        if found != [name]:
            raise StudyError(
                f"{journal} holds {f'the study {found[0]!r}' if found else 'no study'}, not {name!r}: a folder has the "
                "name of its study; restore it from a copy"
            )
    elif url is None and not (root / DATABASE).exists():
        return None
    else:
        storage = optuna.storages.get_storage(open_database(root, url))  # reads trials that are settled only once
    try:
        return storage, storage.get_study_id_from_name(name)
    except KeyError:
        return None


def begin_study(storage: BaseStorage, name: str, header: Mapping[str, Any]) -> None:
    """Makes the study in its storage; one whose making was interrupted is made anew.

    Raises:
        StudyError: it is there already, made by another program.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would report each study on the terminal
    for known in storage.get_all_studies():
        if known.study_name == name and not known.user_attrs and not storage.get_n_trials(known._study_id):
            storage.delete_study(known._study_id)
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[optuna.study.StudyDirection.MINIMIZE] * len(header["objectives"]),
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
    except optuna.exceptions.DuplicatedStudyError:
        raise StudyError(f"the database has a study {name!r} of another program; choose another name") from None
    with warnings.catch_warnings():  # "experimental" since 3.2; only labels for Optuna's dashboard
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(list(header["objectives"]))
    study.set_user_attr(HEADER, dict(header))  # last, because a study without it does not count as made


def _address(path: Path) -> str:
    return sqlite_url(path).replace("{", "{{").replace("}", "}}")  # Optuna fills {} in addresses


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _readable(path: Path) -> RDBStorage:
    """The SQLite file of a store that this process may only read.

    SQLite itself wants to write beside a database with a write-ahead log. Where there is a log, somebody drives the
    study, and his index of it is shared; where there is none, nobody does, and the file is as good as constant.
    """
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    address = f"file:{quote(str(path))}?{mode}"
    options = {"creator": lambda: sqlite3.connect(address, uri=True, timeout=60, check_same_thread=False)}
    return RDBStorage(_address(path), engine_kwargs=options)


@contextlib.contextmanager
def creating(root: Path) -> Iterator[None]:
    """Held while a store's database and a study in it are made: of two searches on a new store, one waits."""
    with (root / ".creating").open("w") as file:
        locked(file.fileno(), root / ".creating")
        yield


def _patient(connect: Callable[[], RDBStorage]) -> RDBStorage:
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


def database_name(folder: Path, url: str | None) -> str:
    """Where the study with this folder is kept, for messages: without a password."""
    if url:
        return redacted_address(url)
    former = folder.parent / DATABASE
    return str(former if former.exists() and not (folder / JOURNAL).exists() else folder / JOURNAL)


def to_disk(folder: Path, files: Iterable[Path]) -> None:
    """Returns when files in a folder survive a power cut, with their names.

    Raises:
        OSError: the disk is full or broken.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        # One call for the whole file system takes as long as flushing two or three files, of which there may be many.
        if _syncfs is not None:
            if _syncfs(handle) == 0:
                return
            if (code := ctypes.get_errno()) not in (errno.ENOSYS, errno.EINVAL):
                raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(handle)
    folders = set()
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # failed trials leave no result
            _flush(path)
            folders.add(path.parent)
    for each in folders:
        with contextlib.suppress(OSError):  # not every file system can flush a folder
            _flush(each)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def said_by(error: BaseException) -> str:
    """What the database's driver says, one line: Optuna's own words for a failed commit blame the data for all of it,
    SQLAlchemy adds the statement and its values."""
    if isinstance(error, optuna.exceptions.StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    return " ".join(str(error).split()).rstrip(". ")


@contextlib.contextmanager
def database_errors(database: str, url: str | None) -> Iterator[None]:
    """For opening and creating: whatever goes wrong is a StudyError that names the database, never its password.

    Args:
        database: its name, see `database_name`.
    """
    try:
        yield
    except (optuna.exceptions.OptunaError, SQLAlchemyError, OSError, RuntimeError, ImportError, ValueError) as error:
        if isinstance(error, NasError):
            raise
        kind = StorageError if isinstance(error, (OSError, *DATABASE_FAILURES)) else StudyError
        denied = isinstance(error, OSError) and error.errno in _DENIED
        remedy = "; name another folder with NAS_STORE, or have its permissions changed" if denied else ""
        raise kind(f"the study database {database} cannot be used: {_safe(error, url)}{remedy}") from error


def _safe(error: Exception, url: str | None) -> str:
    """What an error says, without the password of the address, which some drivers quote decoded."""
    text = said_by(error)
    if url:
        text = text.replace(url, redacted_address(url))
        with contextlib.suppress(SQLAlchemyError, ValueError):
            parsed = make_url(url)
            hidden = [parsed.password, *(v for k, v in parsed.query.items() if SECRET.search(k))]
            for word in (str(each) for each in hidden if each):  # as a word: it may be a letter
                for written in {word, quote(word, safe="")}:
                    text = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", "***", text)
    return redacted(text)
