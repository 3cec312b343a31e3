"""The example of docs/how-to/search.md runs, and stops trials at rungs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_page(run_page: Callable[[str], dict[str, Any]], capsys) -> None:  # type: ignore[no-untyped-def]
    found = run_page("how-to/search.md")
    counts = found["store"].counts()
    assert counts["stopped"] >= 1 and sum(counts.values()) == 12
    assert "stopped at rung" in capsys.readouterr().out
