"""docs/gallery.md: its code and commands make the pictures that it shows, and every picture is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nas.cli import app

_PAGE = Path(__file__).parents[2] / "docs" / "gallery.md"
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_QUICK = 'trials=2, steps=40, baselines=False, executor="serial", mlflow=False, verbose=False'


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    text = _PAGE.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for language, block in _BLOCK.findall(text):
        if language == "python":
            assert "minutes=2" in block or "search" not in block
            exec(compile(block.replace("minutes=2", _QUICK), str(_PAGE), "exec"), namespace)
            continue
        for line in block.splitlines():
            done = CliRunner().invoke(app, shlex.split(line)[1:])
            assert done.exit_code == 0, f"{line}\n{done.output}"
    for name in ("front.html", "graph.png", "lineage.png", "digits.html"):
        assert (tmp_path / name).stat().st_size > 10_000, name
    for picture in re.findall(r"!\[.+?\]\((.+?)\)", text):
        assert (_PAGE.parent / picture).is_file(), picture
