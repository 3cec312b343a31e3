"""Numbers as people read them."""

import doctest
import math

import pytest

from nas import _text
from nas._text import format_seconds
from nas.tracking import points as _points
from nas.tracking import run_name
from nas.tracking.mlflow import _record
from nas.tracking.points import facts


@pytest.mark.parametrize("module", [_points, _record, _text])
def test_examples(module: object) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.2e-9, "4.20 ns"), (0.000021, "21.0 µs"), (0.0009999, "1.00 ms"), (0.21, "210 ms"), (75, "75.0 s")],
)
def test_seconds(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_unknown_seconds() -> None:
    assert format_seconds(math.nan) == "?"


def test_names_say_what_is_known() -> None:
    assert run_name(7, {"val_error": 0.01234, "edges": 1e6}) == "#007 error 0.01234 · 1,000,000 edges"
    assert run_name(12345, {}) == "#12345"
    assert run_name(3, {"val_accuracy": 0.9}, "out of memory\nTraceback …") == "#003 failed: out of memory"


def test_facts_prefer_accuracy_to_error() -> None:
    assert facts({"val_error": 0.1, "val_accuracy": 0.9}) == ["90.0 %"]
