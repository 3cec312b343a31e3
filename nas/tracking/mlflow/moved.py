"""A store folder that was moved or copied finds its artifacts again.

MLflow keeps the absolute address of every run's artifacts in its database. Relative ones are no way out: an address of
the scheme mlflow-artifacts needs a server for every access, and without one (`mlflow.pyfunc.load_model` on the
database itself, a search that writes to it) nothing would be found. So addresses are mended where the store is now.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from typing import Final
from urllib.parse import quote

from nas.tracking.config import TrackingConfig

__all__ = ["mend_addresses"]

_LOG = logging.getLogger(__name__)

# Columns of MLflow's database that hold addresses of artifacts; those that a version of MLflow lacks are skipped.
_COLUMNS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)


def mend_addresses(config: TrackingConfig) -> int:
    """Point a local store's artifacts to where its folder is now; returns how many addresses changed.

    Only addresses of experiments whose folder is here, below `config.artifact_root`, are touched. Nothing is done for
    a store on a server, or one without a database. Must not run while a search writes to the store.
    """
    database = config.store / "mlflow.db"
    if config.mlflow_uri is not None or not database.exists():
        return 0
    changed = 0
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection, connection:
            for name, location in connection.execute("SELECT name, artifact_location FROM experiments").fetchall():
                ending = "/" + quote(str(name))
                here = config.artifact_root / str(name)
                if not str(location or "").endswith(f"/artifacts{ending}") or not here.is_dir():
                    continue
                old, new = str(location), here.as_uri()
                if old == new:
                    continue
                for table, column in _COLUMNS:
                    changed += _replace(connection, table, column, old, new)
    except sqlite3.Error as error:  # busy, or no database of MLflow's: its pictures are missing then, and nothing else
        _LOG.warning("cannot mend the addresses of artifacts in %s (%s)", database, error)
        return 0
    if changed:
        _LOG.info("%s has moved: %d addresses of artifacts mended", config.store, changed)
    return changed


def _replace(connection: sqlite3.Connection, table: str, column: str, old: str, new: str) -> int:
    known = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    if column not in known:
        return 0
    cursor = connection.execute(
        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",
        (new, len(old) + 1, old, len(old) + 1, old + "/"),
    )
    return cursor.rowcount
