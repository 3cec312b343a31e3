"""What files of strangers are called, and what is in them, never steers the terminal on which a command names it."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

from nas._logs import configure
from nas.cli import _app
from nas.cli.console import console, errors

ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NAMES = ["\x1b]0;mine\x07", "\x1b[2Jgone", "\x9b5mblink", "\u202eright", "[bold]b[/bold]", "a[/x]b", "\\[/x]", ":zero:"]


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(_app.app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_columns_and_classes(tmp_path: Path) -> None:
    lines = [",".join([*NAMES, "label"])]
    lines += [",".join([*(f"{row * k % 7}.5" for k in range(len(NAMES))), NAMES[row % 8]]) for row in range(160)]
    path = tmp_path / "evil.csv"
    path.write_text("\n".join(lines) + "\n")
    shown = run("data", str(path))
    assert not ACTS.search(shown)
    for name in ("gone", "[bold]b[/bold]", "a[/x]b", "\\[/x]"):
        assert name in shown


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files(name: str, tmp_path: Path) -> None:
    shown = run("evaluate", str(tmp_path / name), code=1)
    assert not ACTS.search(shown)
    if "\x1b" not in name and name.isprintable():
        assert name in shown
    out = tmp_path / re.sub("/", "|", name)
    assert not ACTS.search(run("schema", "--out", str(out)))
    assert out.exists()


def test_both_consoles_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a", "[b]")
    table.add_row("x\x1b[2J", "[/y]")
    for each in (console, errors):
        each.print("a\x1b[31mb", table, "\x1b]8;;http://x\x07c")
    printed = capsys.readouterr()
    for text in printed:
        assert not ACTS.search(text)
        assert "ab" in text and "[b]" in text and "[/y]" in text


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_logs(log_format: str) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    try:
        configure(log_format, "info", stream)  # type: ignore[arg-type]
        logging.getLogger("nas.test").warning("column %s", "a\x1b[2Jb\x9bc", extra={"reason": "\u202ed\x9b"})
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert len(stream.getvalue().splitlines()) == 1
    assert not ACTS.search(stream.getvalue().rstrip("\n"))
