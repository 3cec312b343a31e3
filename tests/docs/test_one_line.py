"""docs/how-to/one-line.md and the first code of README: code and commands, with few short trials and no Ray."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from nas.cli import app

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "one-line.md"
_README = _PAGE.parents[2] / "README.md"
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Few short trials, however long a minute is on the machine that runs this.
_QUICK = 'trials=4, steps=60, baselines=False, executor="serial", mlflow=False, verbose=False'
_FLAGS = ("search.trials", 4), ("training.steps", 60), ("search.baselines", False), ("resources.executor", "serial")


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for language, text in _BLOCK.findall(_PAGE.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(text.replace("minutes=5", _QUICK), str(_PAGE), "exec"), namespace)
            continue
        for line in text.splitlines():
            words = shlex.split(line)[1:]
            if words[0] == "search":
                words += [*(f"--set={key}={value}" for key, value in _FLAGS), "--set=tracking.mlflow=false"]
            done = CliRunner().invoke(app, words)
            assert done.exit_code == 0, f"{line}\n{done.output}"
    assert list(pd.read_csv("predictions.csv").columns) == ["prediction", "probability_no", "probability_yes"]
    first = next(text for _, text in _BLOCK.findall(_README.read_text(encoding="utf-8")) if "nas.search(" in text)
    exec(compile(first.replace("minutes=5", _QUICK), str(_README), "exec"), namespace)
    assert namespace["study"].name == "churn-2" and Path("churn.onnx").exists()
    assert Path("churn.html").exists() and namespace["small"].module.dag.n_edges > 0
