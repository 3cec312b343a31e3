"""How values look."""

import json
import math
from pathlib import Path

import pytest

import nas
from nas.cli.console import command_line, duration, percent, print_json, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (12.34, "12.3 s"),
        (0.00123, "1.23 ms"),
        (0.0999, "99.9 ms"),
        (0.99999, "1.00 s"),
        (9.999e-7, "1.00 µs"),
        (9.99e-7, "999 ns"),
        (3.65e-5, "36.5 µs"),
        (0.0, "0.00 ns"),
    ],
)
def test_seconds(value: float | None, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (math.inf, "-"), (0.4, "0:00"), (59.7, "1:00"), (75, "1:15"), (3725, "1:02:05")]
)
def test_duration(value: float | None, text: str) -> None:
    assert duration(value) == text


def test_percent() -> None:
    assert percent(0.97123) == "97.12 %"
    assert percent(0.5674, 1) == "56.7 %"
    assert percent(None) == "-"


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [math.nan, 1.5], 3: (math.inf,)})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "3": [None]}


def test_commands_are_printed_as_they_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = tmp_path / ".venv" / "bin" / "nas"
    called.parent.mkdir(parents=True)
    called.write_text("#!/bin/sh\n")
    called.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(called)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line("front", "a b") == ".venv/bin/nas front 'a b'"
    monkeypatch.setenv("PATH", str(called.parent))
    assert command_line() == "nas"
    monkeypatch.setattr("sys.argv", [str(Path(nas.__file__).parent / "__main__.py")])
    monkeypatch.setattr("sys.executable", str(tmp_path / "my venv" / "python"))
    assert command_line("ui") == "'my venv/python' -m nas ui"
    monkeypatch.setattr("sys.argv", ["-c"])
    assert command_line() == "nas"
