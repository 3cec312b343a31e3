"""Addresses of SQLite files, for whatever their folders are called."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["sqlite_file", "sqlite_url"]


def sqlite_file(address: str) -> Path | None:
    """The file of an SQLAlchemy address; None: it is of a server, or no address at all."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        return None
    named = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(url.database or "") if named and not url.query.get("uri") else None


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy address of a file, with signs escaped that mean something in one (``?``, ``#``, ``%``).

    Raises:
        ValueError: the installed SQLAlchemy would understand it as another file.
    """
    text = URL.create("sqlite", database=str(path)).render_as_string()
    if make_url(text).database != str(path):
        raise ValueError(f"the installed SQLAlchemy cannot name the file {path}; update it, or rename the folder")
    # MLflow makes the folders of what follows sqlite:/// without undoing the escapes; of a longer name it makes none.
    return text if text == f"sqlite:///{path}" else text.replace("sqlite:", "sqlite+pysqlite:", 1)
