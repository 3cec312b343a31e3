"""Whatever command is printed works when it is pasted: odd stores and files, ``--set``, bounds, stopped searches."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nas.cli import app
from nas.cli.console import asking, command_line
from nas.cli.search import next_commands
from nas.job import Job
from nas.search import StorageError

# A command ends with its line; a prompt such as "export one:" may stand before it.
_COMMAND = re.compile(r"(?:^|: )\s*(nas [a-z]+ .*|nas [a-z]+)$", re.MULTILINE)
_QUICK = {
    "training.steps": 20,
    "search.baselines": "false",
    "resources.executor": "serial",
    "tracking.mlflow": "false",
    "search.objectives": "[error, edges]",
}


def nas(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], prog_name="nas", env={"COLUMNS": "80"})


def pasted(line: str) -> Result:
    words = shlex.split(line)
    assert words[0] == "nas"
    done = nas(*words[1:])
    assert done.exit_code == 0, f"{line}\n{done.output}"
    return done


def commands(text: str) -> list[str]:
    return _COMMAND.findall(text)


def test_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    job = Path("it's my [bold]job.yaml")
    job.write_text("data: {source: diabetes}\ntracking: {experiment: odd.Name_1-}\n")
    settings = {**_QUICK, "tracking.store": "a store's [red]$HOME", "search.trials": 2}
    line = shlex.join(["nas", "search", str(job), *(f"--set={key}={value}" for key, value in settings.items())])

    found = commands(pasted(line).output)
    assert [shlex.split(each)[1] for each in found] == ["front", "report", "export"]  # no nas ui: nothing is in MLflow
    said = [pasted(each).output for each in found]
    assert "odd.Name_1-: 2 trials complete" in said[0].replace("\n", " ") and Path("odd.Name_1-.html").is_file()
    assert Path("network.safetensors").is_file()
    for each in [*commands(said[0]), *commands(said[2])]:
        pasted(each)
    page = Path("odd.Name_1-.html").read_text(encoding="utf-8")
    code, shell = (html.unescape(each) for each in re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL))
    for each in (each for each in shell.splitlines() if " predict " not in each):  # there is no table of one's own
        pasted(each)
    exec(compile(code.replace("network.predict(rows)", "network.module"), "report", "exec"), {})

    refused = nas(*shlex.split(line)[1:])
    assert refused.exit_code == 2
    resume, another = commands(refused.output)
    (more,) = commands(pasted(resume).output)[:1]
    assert "all 2 trials are done" in pasted(resume).output and "4 done" in pasted(more).output
    with monkeypatch.context() as patch:
        patch.setattr("nas.search.run_search", _interrupted)
        stopped = nas(*shlex.split(another)[1:])
    assert stopped.exit_code == 1 and "stopped" in stopped.output
    (resume,) = commands(stopped.output)
    assert "odd.Name_1--2" in resume and "2 done" in pasted(resume).output


def test_what_ends_a_search_that_can_be_continued_says_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = [f"--set={key}={value}" for key, value in {**_QUICK, "search.trials": 2}.items()]

    def failing(*_: Any, **__: Any) -> None:
        raise StorageError("the disk failed; continue with --resume")

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for name, how, said in (("a", failing, "continue with --resume: "), ("b", stopped, "resume: ")):
        with monkeypatch.context() as patch:
            patch.setattr("nas.search.run_search", how)
            ended = nas("search", "wine", *quick, f"--set=tracking.experiment={name}")
            (line,) = commands(ended.output)
            assert ended.exit_code == 1 and f"{said}{line}" in " ".join(ended.output.split())
            # Of one that was submitted, the command that continues it is that which submitted it.
            patch.setenv("NAS_SUBMITTED_AS", "nas submit my.yaml --address http://there")
            ended = nas("search", "wine", *quick, f"--set=tracking.experiment={name}-2")
            assert commands(ended.output) == ["nas submit my.yaml --address http://there"]
        assert "2 done" in pasted(line).output
    bound = nas("search", "wine", *quick, '--set=search.constraints=["edges<=0"]', "--set=tracking.experiment=c")
    (line,) = commands(bound.output)[-1:]
    assert bound.exit_code == 1 and line.endswith("--resume --trials 4")


def _interrupted(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_written_job_is_run_and_a_pick_that_no_member_is_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{k % 7},{k % 5},{'yes' if k % 7 > 3 else 'no'}" for k in range(60))
    Path("my table.csv").write_text(f"a,b,kept\n{rows}\n")
    pasted("nas init 'my table.csv' --target b --target a --out two.yaml")
    assert "target:\n  - b\n  - a\n" in Path("two.yaml").read_text()
    (line,) = commands(pasted("nas init 'my table.csv' --out 'my job.yaml'").output)
    quick = shlex.join(f"--set={key}={value}" for key, value in {**_QUICK, "search.trials": 1}.items())
    found = commands(pasted(f"{line} {quick}").output)
    assert "accuracy>=" in found[-1]
    refused = nas(*shlex.split(re.sub(r">=[0-9.]+", ">=2", found[-1]))[1:])
    assert refused.exit_code == 1 and "no member of the front has accuracy >= 2" in " ".join(refused.output.split())


def test_mlflow_is_offered_where_it_is_in_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_STORE", raising=False)
    monkeypatch.delenv("NAS_MLFLOW_URI", raising=False)
    tracking = {"store": "a b", "experiment": "x"}
    for more, first in (({}, "ui"), ({"mlflow": False}, "front"), ({"mlflow_uri": "http://host:5000"}, "front")):
        job = Job.from_mapping({"data": {"source": "wine"}, "tracking": {**tracking, **more}}, where="here")
        words = shlex.split(next_commands(job, "x", {"val_accuracy": 0.9777})[0])
        assert words[:2] == ["nas", first] and words[-2:] == ["--store", "a b"]


def test_what_is_asked_elsewhere_is_said_for_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in asking("http://10.0.0.1:8265").items():
        monkeypatch.setenv(name, value)
    assert command_line("export", "x", store=Path("/there")) == "nas export x --address http://10.0.0.1:8265"
    assert command_line("evaluate", "x.safetensors") == "nas evaluate x.safetensors"
    lines = next_commands(Job.from_mapping({"data": {"source": "wine"}}), "x", {"val_accuracy": 0.97})
    assert [line.split()[1] for line in lines] == ["front", "report", "export"]  # nas ui has no --address
    assert all(line.endswith("--address http://10.0.0.1:8265") for line in lines)


def test_passwords_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_STORAGE", raising=False)
    line = command_line("front", "x", storage="postgresql://me:secret@host/db")
    assert "secret" not in line and "--storage" in line
    monkeypatch.setenv("NAS_STORAGE", "postgresql://me:secret@host/db")
    assert command_line("front", "x", storage="postgresql://me:secret@host/db") == "nas front x"
