"""How values look."""

import ast
import importlib
import inspect
import io
import json
import logging
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

import nas
from nas.cli.console import command_line, duration, percent, print_json, say, seconds, status_line


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


def _said(text: str | Text, *, terminal: bool = True) -> str:
    output = Console(file=io.StringIO(), width=30, force_terminal=terminal, color_system=None)
    say(text, output=output)
    assert isinstance(output.file, io.StringIO)
    return output.file.getvalue()


def test_sentences_break_between_words_on_a_terminal_only() -> None:
    text = "accuracy: to expect on samples that did not choose the network"
    lines = _said(text).splitlines()
    assert [line.rstrip() for line in lines] == ["accuracy: to expect on samples", "that did not choose the", "network"]
    assert _said(text, terminal=False) == f"{text}\n"


@pytest.mark.parametrize(
    "command", ["nas front churn --store 'a b' --json --pick x", "/opt/x/bin/nas ui --store here/and/there"]
)
def test_a_command_stays_one_line_however_narrow_the_terminal(command: str) -> None:
    assert _said(f"it was stopped; resume: {command}").splitlines()[-1] == command
    assert command in _said(f"  {command}").splitlines()[0]
    assert _said("run it: nas ui") == "run it: nas ui\n"
    assert _said(Text.assemble("x: ", (command, "bold"))).splitlines()[-1] == command


def test_a_path_wider_than_the_terminal_stays_one_word() -> None:
    path = "/a/very/long/path/of/a/store/that/goes/on/and/on.safetensors"
    assert path in _said(f"exported to {path}; loaded again")


def test_in_a_notebook_sentences_break_and_what_is_waited_for_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Notebook(Console):
        shown: list[str]

        def print(self, text: Text, **_: Any) -> None:  # type: ignore[override]
            self.shown.append(text.plain)

    output = Notebook(file=io.StringIO(), force_jupyter=True)
    output.shown = []
    say("accuracy to expect on samples " * 6, output=output)  # one output: its lines are no paragraphs
    assert [len(line) < 100 for line in output.shown[0].split("\n")] == [True, True] and len(output.shown) == 1
    monkeypatch.setattr("nas.cli.console.console", output)
    with status_line("ending the workers") as change:
        change("still ending them")
    assert len(output.shown) == 1


def test_libraries_do_not_ask_for_what_notebooks_are_not_shown_by() -> None:
    # Optuna imports a bar that complains: what quiets it comes before it.
    first = next(each for each in ast.parse(inspect.getsource(nas.search)).body if _imports_of_nas(each))
    assert ast.unparse(first) == "import nas.search._bars"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        importlib.reload(importlib.import_module("nas.search._bars"))
        warnings.warn("IProgress not found. Please update jupyter and ipywidgets.", stacklevel=1)
    assert not caught and not logging.getLogger("ray.widgets.util").isEnabledFor(logging.INFO)


def _imports_of_nas(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom) and "nas" in ast.unparse(statement)
