"""Pages whose code, job files and commands are run one after another, in the order of the page."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nas.cli import app


@pytest.fixture(autouse=True)
def own_mlflow_store() -> Iterator[None]:
    """A page may tell MLflow where its store is; no other test is to inherit that."""
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)


DOCS = Path(__file__).parents[2] / "docs" / "how-to"
_BLOCK = re.compile(r"^```(python|sh|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# So that a search takes seconds; the rest of the job is as the page has it.
QUICK = ("training.steps=60", "resources.executor=serial")
QUIET = ("tracking.mlflow=false",)
ALONE = ("search.baselines=false",)


@pytest.mark.parametrize(
    ("page", "job", "settings"),
    [
        ("data.md", "job.yaml", QUICK + QUIET + ALONE),
        ("front.md", "wine.yaml", QUICK + QUIET),
        ("mlflow.md", "wine.yaml", QUICK),
    ],
)
def test_the_page_runs(
    page: str, job: str, settings: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    commands = 0
    for language, text in _BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if language == "yaml":
            Path(job).write_text(text, encoding="utf-8")
        elif language == "python":
            exec(compile(text, page, "exec"), namespace)
        else:
            for line in text.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "nas", f"{page}: {line!r} is not run by this test"
                if arguments[0] == "search":
                    arguments += ["--trials", "5", *(f"--set={each}" for each in settings)]
                done = CliRunner().invoke(app, arguments)
                assert done.exit_code == 0, f"{line}\n{done.output}"
                commands += 1
    assert commands >= 4
