"""The commands that serve a champion and ask it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from nas.cli._serve import serving_commands
from nas.tracking import TrackingConfig


def test_commands_are_a_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "my venv"
    tools.mkdir()
    (tools / "mlflow").touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(tools / "python"))
    tracking = TrackingConfig(experiment="wine", store=tmp_path / "a b", model="the reds")
    serve, ask, table = serving_commands(tracking, {"it's": [1.5, 2.0], "kind": [None, "x"]}, 8080)
    path, *words = shlex.split(serve)
    assert path == f"PATH={tools}:$PATH"  # MLflow runs others of its folder
    assert words[0].startswith("MLFLOW_TRACKING_URI=sqlite:///") and words[0].endswith("mlflow.db")
    assert words[1:6] == ["mlflow", "models", "serve", "--model-uri", "models:/the reds@champion"]
    body = json.loads(shlex.split(ask)[4])
    assert body == {"dataframe_split": {"columns": ["it's", "kind"], "data": [[1.5, None]]}}
    assert shlex.split(ask)[5] == shlex.split(table)[-1] == "http://127.0.0.1:8080/invocations"
    monkeypatch.setenv("PATH", str(tools))
    serve, ask = serving_commands(tracking, {}, 8080, sample=[0.5, 7.0])
    assert serve.startswith("MLFLOW_TRACKING_URI=")
    assert json.loads(shlex.split(ask)[4]) == {"inputs": [[0.5, 7.0]]}


def test_options_are_those_of_mlflow() -> None:
    from mlflow.models.cli import commands

    known = {option for each in commands.commands["serve"].params for option in each.opts}
    words = shlex.split(serving_commands(TrackingConfig(), {}, 1)[0])
    assert {word for word in words if word.startswith("--")} <= known
