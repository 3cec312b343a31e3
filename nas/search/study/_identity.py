"""Which study a folder belongs to, and whether a file is as it was written.

A study has an identity, drawn when it is made: in the database with the rest of what `StudyStore.create` is given, in
the folder as ``study.json``, and in each file's record. So a database that was forgotten (another ``NAS_STORAGE``),
deleted or restored from an older copy is noticed before a trial of it overwrites a file of another study. Of every
file that a finished trial needs, the database has the checksum.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nas import checkpoint
from nas._files import contents
from nas.search.errors import StudyError

__all__ = [
    "adopt_folder",
    "checked_folder",
    "checksum",
    "former_identity",
    "made",
    "new_identity",
    "refuse_foreign_files",
    "write_identity",
]

_FILE: Final = "study.json"
_FORMAT: Final = 1


def new_identity() -> str:
    """Of a study that is being made."""
    return uuid.uuid4().hex


def former_identity(name: str, header: Mapping[str, Any], ended: datetime.datetime | None) -> str:
    """Of a study that was made before there were identities: the same whenever it is asked for, so that a driver which
    is killed while it writes it down is no matter.

    Args:
        name: of the study.
        header: what it was made with.
        ended: when its first trial ended; None: it has not.
    """
    told = json.dumps([name, header, str(ended)], sort_keys=True, default=str)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def adopt_folder(folder: Path, identity: str, name: str) -> None:
    """Makes the folder that of a study which had no identity.

    Raises:
        StudyError: it is another's.
        OSError: it cannot be written.
    """
    found = _identity(folder)
    if found is None:
        write_identity(folder, identity, name)
    elif found != identity:
        raise StudyError(
            f"{folder} holds the files of another study (id {found}) than the {name!r} in the database, which is of an "
            "earlier version; name the database or the store that belongs to it (NAS_STORAGE, NAS_STORE)"
        )


def checksum(path: Path) -> str | None:
    """Of a file, as `nas.checkpoint.save_arrays` returns it; None: there is none that it could have written."""
    if not path.is_file() or path.stat().st_size > checkpoint.MAX_BYTES:  # a device may have no end, a hole a far one
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_identity(folder: Path, identity: str, name: str) -> None:
    """Makes the folder that of this study."""
    temporary = folder / f".{_FILE}.{os.getpid()}.tmp"
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump({"format": _FORMAT, "study": name, "id": identity, "made": time.time()}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / _FILE)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def made(folder: Path) -> float:
    """When the study was made, in seconds since 1970; 0: nobody knows."""
    try:
        return float(json.loads(contents(folder / _FILE, pipes=False))["made"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def checked_folder(folder: Path, name: str, identity: str, database: str) -> None:
    """Whether the folder is that of the study which the database has.

    Raises:
        StudyError: it is another's, or missing.
    """
    found = _identity(folder)
    if found is None:
        raise StudyError(
            f"study {name!r} is in the database {database}, but its files are not in {folder}; name the store that has "
            "them (--store, NAS_STORE, or tracking.store of the job), or restore it from a copy"
        )
    if found != identity:
        raise StudyError(
            f"{folder} holds the files of another study than the {name!r} in the database {database} (id {found} "
            f"there, {identity} here); name the database or the store that belongs to it (NAS_STORAGE, NAS_STORE)"
        )


def refuse_foreign_files(folder: Path, name: str, database: str) -> None:
    """Before a study is made: its folder must not hold what another one has written.

    Raises:
        StudyError: it does.
    """
    if any(any((folder / part).glob("*.safetensors")) for part in ("genomes", "trials")):
        raise StudyError(
            f"{folder} holds files of a study {name!r} that the database {database} does not know; if it is kept "
            "in another database, name that (NAS_STORAGE, or none); if the database is lost, restore it from a copy, "
            "or choose another name with --set tracking.experiment=NAME"
        )


def _identity(folder: Path) -> str | None:
    path = folder / _FILE
    try:
        record = json.loads(contents(path, pipes=False))
        identity, version = record["id"], int(record["format"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StudyError(
            f"{path} is damaged: it is no JSON object with an id and a format; restore it from a copy of the store"
        ) from error
    if version != _FORMAT:
        raise StudyError(f"{path} has format {version}, this program reads {_FORMAT}; upgrade to open it")
    return str(identity)
