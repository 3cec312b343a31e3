"""The space and the job of docs/how-to/own-space.md, saved as the page says, make a search."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli import app
from nas.search import StudyStore

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "own-space.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small_worlds.py").write_text(block("python"), encoding="utf-8")
    (tmp_path / "job.yaml").write_text(block("yaml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    settings = (
        "training.steps=30",
        "resources.executor=serial",
        "tracking.mlflow=false",
        f"tracking.store={tmp_path / 'store'}",
        "search.options.population=3",
        "search.options.guided=0",  # every child by the page's own mutation
    )
    result = CliRunner().invoke(app, ["search", "job.yaml", "--trials", "6", *(f"--set={each}" for each in settings)])
    assert result.exit_code == 0, result.output
    records = StudyStore.open(tmp_path / "store", "job").records()
    assert [record.state for record in records] == ["complete"] * 6
    children = [record for record in records if record.parent is not None]
    assert children and any("rewire" in record.mutation for record in children)


def test_the_page_stays_short() -> None:
    assert len(PAGE.splitlines()) < 70
