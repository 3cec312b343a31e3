"""What a running search shows."""

import io

import pytest
from rich.console import Console

from nas.cli import _progress
from nas.cli._progress import CompilingDisplay, ProgressDisplay
from nas.search import Progress, Saturation


def progress(complete: int = 3, **changes: object) -> Progress:
    values = {
        "trials": 10,
        "complete": complete,
        "failed": 1,
        "running": 2,
        "seconds": 75.0,
        "trials_per_minute": 3.2,
        "seconds_left": 120.0,
        "best": {"val_accuracy": 0.9712, "inference_seconds": 1.5e-4, "edges": 1234.0},
        "front_size": 2,
        "hypervolume": 0.7123,
    }
    return Progress(**{**values, **changes})  # type: ignore[arg-type]


FACTS = ("3 done", "2 running", "1 failed", "3.2 trials a minute", "97.12 %", "0.7123", "2:00 left", "1,234 edges")


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    with ProgressDisplay("title", Console(file=output, width=200)) as display:
        display(progress())
        display(progress(complete=4))  # too soon for another line
        display(progress(complete=5))
    lines = output.getvalue().splitlines()
    assert len(lines) == 2
    for fact in FACTS:
        assert fact in lines[0]
    assert "5 done" in lines[1]


@pytest.mark.parametrize(("behind", "shown"), [(0, False), (5, False), (1203, True)])
def test_says_how_far_mlflow_is_behind(behind: int, shown: bool) -> None:
    for terminal in (False, True):
        output = io.StringIO()
        with ProgressDisplay("title", Console(file=output, width=200, force_terminal=terminal)) as display:
            display.behind = lambda: behind
            display(progress())
        assert (f"{behind:,} trials behind" in output.getvalue()) is shown


def test_says_what_is_expected_of_the_next_trials() -> None:
    for terminal in (False, True):
        output = io.StringIO()
        with ProgressDisplay("title", Console(file=output, width=200, force_terminal=terminal)) as display:
            display(progress(saturation=Saturation(60, 0.002, 0.00294)))
        assert "grown by 0.20 % in the last 60 trials; the next 60 are expected to add less than 0.30 %" in (
            output.getvalue()
        )


def test_the_last_line_is_not_repeated() -> None:
    output = io.StringIO()
    with ProgressDisplay("title", Console(file=output, width=200)) as display:
        display(progress())
    assert output.getvalue().count("3 done") == 1


def test_a_line_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_progress, "_LINE_SECONDS", 0.0)
    output = io.StringIO()
    with ProgressDisplay("title", Console(file=output, width=200)) as display:
        for complete in range(4):
            display(progress(complete))
    assert len(output.getvalue().splitlines()) == 4


def test_a_panel_on_a_terminal() -> None:
    output = io.StringIO()
    terminal = Console(file=output, width=100, force_terminal=True, color_system=None)
    with ProgressDisplay("my search", terminal) as display:
        display(progress())
    for fact in (*FACTS, "my search", "Ctrl-C stops"):
        assert fact in output.getvalue()


def test_nothing_known_yet() -> None:
    output = io.StringIO()
    with ProgressDisplay("title", Console(file=output, width=200)) as display:
        display(progress(0, best={}, seconds_left=None, running=0, failed=0, hypervolume=0.0))
    assert "best -;" in output.getvalue()
    assert "- left" in output.getvalue()


def test_what_is_compiled_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    done = [0, 7, 30, 90]
    monkeypatch.setattr("nas._stamps.compiled_since", lambda began: done[0])
    lines, screen = io.StringIO(), io.StringIO()
    plain, live = Console(file=lines, width=200), Console(file=screen, width=200, force_terminal=True)
    with CompilingDisplay(plain) as said, CompilingDisplay(live) as shown:
        for waited in (1.0, 5.0, 15.0, 30.0):  # the first is too soon for a line, the third too soon after the second
            said(waited)
            shown(waited)
            shown._bar.refresh()
            done = done[1:]
    assert [line.rpartition(": ")[2] for line in lines.getvalue().splitlines()] == [
        "7 of about 55 functions …",
        "90 of about 55 functions …",
    ]
    assert "30 of about 55 functions" in screen.getvalue() and "about a minute" in screen.getvalue()
    assert shown._bar.tasks[0].percentage < 100
