"""Hooks of pre-commit are parts of `make test`, by tools that are installed: none fetches anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".pre-commit-config.yaml"


def test_each_hook_runs_what_make_test_runs() -> None:
    (repository,) = yaml.safe_load(CONFIG.read_text("utf-8"))["repos"]
    assert repository["repo"] == "local"
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("$(BIN)", ".venv/bin")
    recipes = {line.strip().lstrip("@") for line in makefile.splitlines() if line.startswith("\t")}
    for hook in repository["hooks"]:
        command = hook["entry"].replace(" --force-exclude", "")
        assert hook["language"] == "system"
        if command.startswith("make "):
            assert re.search(rf"^{command.split()[-1]}:", makefile, re.MULTILINE)
        else:
            assert any(recipe.removesuffix(" .") == command for recipe in recipes), command


def test_pre_commit_takes_the_file() -> None:
    pytest.importorskip("pre_commit", reason="pre-commit is not installed: pip install -e '.[dev]'")
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(CONFIG)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
