"""The commands that serve a champion and ask it."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from nas.cli._rows import rows_of
from nas.cli._serve import _plain_table, _registered, serving_commands
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
    assert _plain_table("t.csv", ["a", "b"]) == "TABLE.csv"  # there is none
    for text, found in (("a,b,y\n1,2,3\n", "t.csv"), ("a;b;y\n1;2;3\n", "TABLE.csv"), ("", "TABLE.csv")):
        (tmp_path / "t.csv").write_text(text)
        assert Path(_plain_table(str(tmp_path / "t.csv"), ["a", "b"])).name == found
    whole = serving_commands(tracking, {"a": [1.0]}, 80, table="my table's.csv")[2]
    assert "@my table's.csv" in shlex.split(whole)
    monkeypatch.setenv("PATH", str(tools))
    serve, ask = serving_commands(tracking, {}, 8080, sample=[0.5, 7.0])
    assert serve.startswith("MLFLOW_TRACKING_URI=")
    assert json.loads(shlex.split(ask)[4]) == {"inputs": [[0.5, 7.0]]}


def test_options_are_those_of_mlflow() -> None:
    from mlflow.models.cli import commands

    known = {option for each in commands.commands["serve"].params for option in each.opts}
    words = shlex.split(serving_commands(TrackingConfig(), {}, 1)[0])
    assert {word for word in words if word.startswith("--")} <= known


def test_a_sample_of_a_thousand_numbers_is_made_by_a_command() -> None:
    _, ask = serving_commands(TrackingConfig(), {}, 8080, sample=[0.5] * 784)
    made, asked = ask.split(" | ")
    answer = subprocess.run(["bash", "-c", made], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == {"inputs": [[0.5] * 784]} and len(ask) < 400
    assert shlex.split(asked)[-2:] == ["@-", "http://127.0.0.1:8080/invocations"]


def test_a_server_is_asked_for_the_champion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tracking = TrackingConfig(mlflow_uri="http://me:secret@127.0.0.1:9")  # where nobody answers
    assert _registered(tracking)
    said = " ".join(capsys.readouterr().err.split())
    assert "127.0.0.1:9 does not say whether it has the champion" in said and "secret" not in said
    monkeypatch.setattr("nas.tracking.has_champion", lambda config: False)
    assert not _registered(tracking)


def test_the_report_names_what_can_be_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("my table.csv", "pictures/a.png", "digits/t10k-images-idx3-ubyte.gz"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert rows_of("my table.csv") == str(tmp_path / "my table.csv")
    assert rows_of("images:pictures") == str(tmp_path / "pictures")
    assert rows_of("idx:digits") == str(tmp_path / "digits" / "t10k-images-idx3-ubyte.gz")
    assert rows_of("plant:readings") == "plant:readings"
    assert {rows_of(each) for each in ("digits.csv", "wine", "openml:adult", "idx:gone", "")} == {"TABLE.csv"}
