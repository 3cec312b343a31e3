"""The page about C: its table, job, commands and program, one after another."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nas.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "c.md"
_BLOCK = re.compile(r"^```(python|sh|yaml|c)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Five trials however slow the machine is, so that some are within the bounds.
QUICK = (
    "training.steps=60", "search.budget_minutes=60", "resources.executor=serial", "tracking.mlflow=false",
    "search.baselines=false",
)  # fmt: skip


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (cc)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    (Path("main.c")).write_text(next(text for language, text in blocks if language == "c"), encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    said = ""
    for language, text in blocks:
        if language == "yaml":
            Path("wine.yaml").write_text(text, encoding="utf-8")
        elif language == "python":
            exec(compile(text, str(PAGE), "exec"), namespace)
        elif language == "sh":
            assert len(text.splitlines()) <= 10
            for line in text.splitlines():
                said = _run(line)
    assert said.strip() in ("0", "1", "2")  # a grower
    assert (tmp_path / "small.c").is_file()


def _run(line: str) -> str:
    program, *arguments = shlex.split(line)
    if program != "nas":
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout
    if arguments[0] == "search":
        arguments += ["--trials", "5", *(f"--set={each}" for each in QUICK)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result.output
