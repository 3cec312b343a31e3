"""Runs the code of a page of docs/, so that no example in it can rot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

RunPage = Callable[[str], dict[str, Any]]


def python_blocks(text: str) -> list[tuple[int, str]]:
    """Each block fenced as ``python`` with the number of its first line."""
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in _BLOCK.finditer(text)]


@pytest.fixture
def run_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPage:
    """``run_page("how-to/structures.md")`` runs the page's python blocks one after another in one namespace, in an
    empty folder; returns the namespace. Tracebacks show file and line of the page.
    """

    def run(name: str) -> dict[str, Any]:
        page = ROOT / "docs" / name
        blocks = python_blocks(page.read_text(encoding="utf-8"))
        assert blocks, f"{page} has no python block"
        monkeypatch.chdir(tmp_path)
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for line, code in blocks:
            exec(compile("\n" * (line - 1) + code, str(page), "exec"), namespace)
        return namespace

    return run
