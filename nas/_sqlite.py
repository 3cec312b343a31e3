"""Addresses of SQLite files, for whatever their folders are called."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url

__all__ = ["sqlite_url"]


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
