"""The commands that serve a champion and ask it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from nas.cli._serve import serving_commands
from nas.tracking import TrackingConfig


def test_commands_are_a_shells(tmp_path: Path) -> None:
    tracking = TrackingConfig(experiment="wine", store=tmp_path / "a b", model="the reds")
    serve, ask = serving_commands(tracking, {"it's": [1.5, 2.0], "kind": [None, "x"]}, 8080)
    words = shlex.split(serve)
    assert words[0].startswith("MLFLOW_TRACKING_URI=sqlite:///") and words[0].endswith("mlflow.db")
    assert words[1:6] == ["mlflow", "models", "serve", "--model-uri", "models:/the reds@champion"]
    body = json.loads(shlex.split(ask)[4])
    assert body == {"dataframe_split": {"columns": ["it's", "kind"], "data": [[1.5, None]]}}
    assert shlex.split(ask)[5] == "http://127.0.0.1:8080/invocations"


def test_options_are_those_of_mlflow() -> None:
    from mlflow.models.cli import commands

    known = {option for each in commands.commands["serve"].params for option in each.opts}
    words = shlex.split(serving_commands(TrackingConfig(), {}, 1)[0])
    assert {word for word in words if word.startswith("--")} <= known
