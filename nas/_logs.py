"""Logs for people or for machines, on standard error.

A record says where it belongs by ``extra``: ``_logger.info("…", extra={"trial": 12})``; or by `bound`, which adds
fields to everything that is logged inside its block. As JSON, a record is one line::

    {"time": "2026-11-21T19:03:12.345+00:00", "level": "info", "logger": "nas.search", "message": "…", "trial": 12}

with ``exception`` where there is one. Only the fields of `FIELDS` are written, so that nothing is
logged by accident.
"""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TextIO

from nas._text import harmless

__all__ = ["FIELDS", "Level", "LogFormat", "bound", "configure"]

LogFormat = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

FIELDS: Final = ("event", "study", "trial", "worker", "reason", "data")
"""What a record may carry beside its message; ``data`` is any JSON."""

_bound: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar("nas_log_fields", default=None)


@contextlib.contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Adds `fields` (see `FIELDS`) to every record of this thread of control inside the block."""
    token = _bound.set({**(_bound.get() or {}), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def configure(log_format: LogFormat = "text", level: Level = "warning", stream: TextIO | None = None) -> None:
    """Makes the root logger write in this format to `stream` (standard error); replaces what it had."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    given = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    return {**(_bound.get() or {}), **given}


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return harmless(json.dumps(entry, default=str, ensure_ascii=False))


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        fields = _fields(record)
        shown = " ".join(f"{name}={fields[name]}" for name in ("study", "trial", "worker") if name in fields)
        return harmless(super().formatMessage(record)) + (f" [{shown}]" if shown else "")
