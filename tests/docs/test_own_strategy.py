"""The strategy and the job of docs/how-to/own-strategy.md, saved as the page says, make a search."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nas.cli import app
from nas.search import StudyStore

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "own-strategy.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "climb.py").write_text(block("python"), encoding="utf-8")
    (tmp_path / "job.yaml").write_text(block("yaml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    yield
    sys.modules.pop("climb", None)


def search(trials: int, *settings: str) -> Result:
    everywhere = [
        "training.steps=20", "resources.executor=serial", "tracking.mlflow=false", "tracking.store=store",
        "search.baselines=false",
    ]  # fmt: skip
    return CliRunner().invoke(
        app,
        ["search", "job.yaml", "--resume-or-start", "--trials", str(trials)]
        + [f"--set={each}" for each in (*everywhere, *settings)],
    )


def test_page(tmp_path: Path) -> None:
    for trials in (6, 8):  # the second goes on with a strategy that is told the first six again
        result = search(trials)
        assert result.exit_code == 0, result.output
    store = StudyStore.open(tmp_path / "store", "job")
    records = store.records()
    assert [record.state for record in records] == ["complete"] * 8
    assert [record.parent for record in records[:4]] == [None] * 4
    for number in range(4, 8):
        told = [(store.objectives.values(each.result), each.number) for each in records[:number] if each.result]
        assert records[number].parent == min(told)[1]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("search.options.frist=3", "search.options.frist: unknown key; did you mean first? the options are first, str"),
        ("search.options.strength=2", "search.options.strength: Input should be less than or equal to 1, got 2"),
        ("search.strategy=climb:Climber", "search.strategy: cannot load 'climb:Climber'"),
        ("search.strategy=climb:Options", "must name a subclass of nas.search.Strategy"),
    ],
)
def test_what_it_does_not_know_is_refused(tmp_path: Path, setting: str, message: str) -> None:
    result = search(6, setting)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_options_may_be_called_as_those_of_others(tmp_path: Path) -> None:
    text = block("python").replace("first", "roots")
    Path("climb.py").write_text(text, encoding="utf-8")
    Path("job.yaml").write_text(block("yaml").replace("first", "roots"), encoding="utf-8")
    assert search(2).exit_code == 0


def test_the_page_stays_short() -> None:
    assert len(PAGE.splitlines()) < 80
