"""Searches submitted to a cluster with the commands that a person types."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.cluster_utils import Cluster
from ray.job_submission import JobStatus
from typer.testing import CliRunner

from nas import Predictor
from nas.cli import _app
from nas.cli.console import asking
from nas.errors import NasError
from nas.job import Job
from nas.search import StudyStore
from nas.workers import jobs
from nas.workers.jobs import ClusterError, ClusterJobs, _answer, _entrypoint, _plain_database, _question

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SPACE = """
from my_helper import SIZES
from nas.search_spaces.neuron_dag import NeuronDag


class Mine(NeuronDag):
    def initial(self, rng, **wanted):
        import time
        time.sleep(SIZES["sleep"])
        return super().initial(rng, **wanted)
"""


@pytest.fixture
def address(head: Cluster) -> str:
    return f"http://{head.webui_url}"


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(_app.app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def work(folder: Path, trials: int, sleep: float) -> Path:
    """A job with a space, a helper and data of its own."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 3))
    rows = [f"{a:.3f},{b:.3f},{c:.3f},{'plus' if a + b > 0 else 'minus'}" for a, b, c in x]
    (folder / "toy.csv").write_text("\n".join(["a,b,c,label", *rows]))
    (folder / "my_space.py").write_text(SPACE)
    (folder / "my_helper.py").write_text(f"SIZES = {{'sleep': {sleep}}}\n")
    (folder / "mine.yaml").write_text(
        f"""
data: {{source: toy.csv}}
space: {{name: "my_space:Mine", options: {{n_computational: [2, 4], density: [0.3, 0.6]}}}}
search: {{trials: {trials}, options: {{initial: 3}}, baselines: false}}
training: {{steps: 10, batch_size: 16, inference_batch: 16, log_every: 10, parametrisation: free}}
tracking: {{mlflow: false, store: results}}
"""
    )
    return folder / "mine.yaml"


@pytest.mark.timeout(600)
def test_a_search_is_submitted_followed_and_found_again(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the commands of docs/how-to/cluster.md, on a job of the same name that ends sooner."""
    monkeypatch.chdir(tmp_path)
    where = ("--address", address)
    (tmp_path / "examples").mkdir()
    work(tmp_path, trials=5, sleep=0.0).rename(tmp_path / "examples" / "digits.yaml")
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "cluster.md").read_text()
    commands = [line.replace("http://127.0.0.1:8265", address) for line in re.findall("^nas (.*)$", page, re.M)]
    assert [command.split()[0] for command in commands] == ["submit", "list", "status", "logs", "stop"]
    submit, list_, status_, logs, stop = (command.split() for command in commands)
    if StudyStore.exists(os.environ["NAS_STORE"], "digits"):  # of a first try of this test
        StudyStore.open(os.environ["NAS_STORE"], "digits").delete()
    submitted = re.search(r"submitted as (digits-\S+)", run(*submit))
    assert submitted is not None
    assert "digits" in run(*list_)
    assert "digits: " in run(*status_)
    printed = run(*logs)
    assert "trial 4 complete" in printed
    assert "exported to" in printed
    assert "had ended before: succeeded" in run(*stop)
    known = json.loads(run("list", *where, "--json"))
    (listed,) = [each for each in known if each["name"] == submitted.group(1).rstrip(",;.")]
    assert listed["study"] == "digits"
    assert listed["state"] == "succeeded"
    assert listed["trials"] == 5
    status = json.loads(run("status", "digits", *where, "--json"))
    assert (status["state"], status["complete"], status["failed"]) == ("succeeded", 5, 0)
    assert status["failures"] == {}
    assert "5 complete, 0 running, 0 failed of 5" in run("status", listed["name"], *where)
    entries = [
        json.loads(line) for line in run("logs", "digits", "--json", *where).splitlines() if line.startswith("{")
    ]
    trials = [entry for entry in entries if entry.get("event") == "trial"]
    assert sorted(entry["trial"] for entry in trials) == list(range(5))
    assert all(entry["worker"] and entry["study"] == "digits" and entry["data"]["edges"] > 0 for entry in trials)
    assert "trial 0 complete" in run("logs", listed["name"], *where)
    # The same commands as about a study on this machine, and the files that they write.
    assert [row["trial"] for row in json.loads(run("front", "digits", "--json", *where))["front"]]
    assert "wrote here.safetensors: trial" in run("export", "digits", "--out", "here.safetensors", *where)
    assert Predictor.load(tmp_path / "here.safetensors").classes == ("minus", "plus")
    assert run("predict", "digits", "toy.csv", "--out", "said.csv", *where) == "wrote said.csv: 120 rows\n"
    assert "digits" in [each["name"] for each in json.loads(run("studies", "--json", *where))]
    with pytest.raises(ClusterError, match="^cannot pick 'nothing'"):
        ClusterJobs(address).ask("digits", ["export", "digits", "--pick", "nothing"])
    # Results are where the head node keeps them, not in the package, which Ray throws away.
    study = StudyStore.open(os.environ["NAS_STORE"], "digits")
    assert study.counts()["complete"] == 5


@pytest.mark.timeout(600)
def test_a_search_is_stopped_and_continued_by_submitting_it_again(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where = ("--address", address)
    job = work(tmp_path, trials=1000, sleep=0.2)
    run("submit", str(job), *where)
    deadline = time.monotonic() + 400
    while (status := json.loads(run("status", "mine", *where, "--json"))).get("complete", 0) < 2:
        assert time.monotonic() < deadline, status
        time.sleep(1)
    assert status["state"] == "running"
    assert {each["state"] for each in status["workers"]} <= {"starting", "idle", "busy"}
    assert status["trials_per_minute"] > 0
    with pytest.raises(NasError, match=r"study 'mine' is running on this cluster as mine-"):
        ClusterJobs(address).submit(Job.from_yaml(job), tmp_path)
    assert "stopped" in run("stop", "mine", *where)
    # Trials that could not end in their ten seconds are found running, and run again.
    counts = StudyStore.open(os.environ["NAS_STORE"], "mine").counts()
    assert 2 <= counts["complete"] < 1000
    total = sum(counts.values()) + 1
    run("submit", str(job), *where, "--follow", "--set", f"search.trials={total}")
    counts = StudyStore.open(os.environ["NAS_STORE"], "mine").counts()
    assert (counts["running"], sum(counts.values())) == (0, total)


def test_what_cannot_be_reached_or_is_not_there_is_said(address: str) -> None:
    with pytest.raises(ClusterError, match=r"nothing answers at http://127\.0\.0\.1:1; is the head node up"):
        ClusterJobs("http://127.0.0.1:1")
    with pytest.raises(ClusterError, match="no search 'nowhere' on"):
        ClusterJobs(address).get("nowhere")


def test_a_wrong_token_is_refused_and_the_message_says_which_variables(address: str) -> None:
    jobs = ClusterJobs(address)
    headers = jobs._client._headers
    assert any("bearer" in str(value).lower() for value in headers.values())
    for name in headers:
        headers[name] = "Bearer " + "0" * 64
    with pytest.raises(ClusterError, match="asks for a token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"):
        jobs.list()


def test_results_never_lie_in_the_package() -> None:
    relative = Job.from_mapping({"tracking": {"store": "runs"}})
    absolute = Job.from_mapping({"tracking": {"store": "/data/runs"}})
    assert _entrypoint(relative, "info").startswith('NAS_STORE=${NAS_STORE:-"$HOME"/runs} exec nas ')
    # The head's own variable would replace what the job states in full, and questions would look elsewhere.
    assert _entrypoint(absolute, "info").startswith("NAS_STORE=/data/runs exec nas ")


@pytest.mark.parametrize("store", ["runs", "a 'b\" $(touch x) }", "/tmp/a 'b"])
def test_a_question_is_asked_of_the_store_of_its_search_and_leaves_nothing(store: str, tmp_path: Path) -> None:
    program = tmp_path / "nas"
    program.write_text(
        '#!/bin/sh\necho "$NAS_STORE,$NAS_STORAGE,$RAY_API_SERVER_ADDRESS"; echo made > a.txt; exit $1\n'
    )
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/home/me", "TMPDIR": str(tmp_path)}
    environment |= {"RAY_API_SERVER_ADDRESS": "http://the-head-itself"} | asking("http://there")
    for code in ("0", "1"):
        question = _question(store, [code], ["a.txt"], "sqlite:///x y.db")
        asked = subprocess.run(["sh", "-c", question], env=environment, capture_output=True, text=True, cwd=tmp_path)
        where = store if store.startswith("/") else f"/home/me/{store}"
        files = {} if code == "1" else {"a.txt": b"made\n"}
        assert _answer(asked.stdout) == (f"{where},sqlite:///x y.db,", files), asked.stderr
        assert asked.returncode == int(code)
        assert [*tmp_path.iterdir()] == [program]


def test_a_database_that_a_job_states_is_asked_and_a_password_is_not_shown_around() -> None:
    def shown(storage: str) -> dict[str, str]:
        return _plain_database(Job.from_mapping({"tracking": {"storage": storage}}))

    for storage in ("postgresql://me@host/db", "sqlite:////data/studies.db"):
        assert shown(storage) == {"nas.storage": storage}
    assert shown("postgresql://me:pw@host/db") == shown("postgresql://host/db?password=pw") == {}
    assert _plain_database(Job()) == {}


@dataclass
class Head:
    """What Ray's client says of a search whose package Ray has thrown away, or of none."""

    searches: list[SimpleNamespace]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def list_jobs(self) -> list[Any]:
        return self.searches

    def get_job_info(self, name: str) -> Any:
        (found,) = [each for each in self.searches if each.submission_id == name] or [
            SimpleNamespace(driver_exit_code=None, message="runtime_env setup failed: no package\nTraceback")
        ]
        return found

    def submit_job(self, **question: Any) -> str:
        self.asked.append(question)
        return str(question["submission_id"])

    def get_job_status(self, name: str) -> JobStatus:
        return JobStatus.FAILED if self.gone() else JobStatus.SUCCEEDED

    def get_job_logs(self, name: str) -> str:
        return "" if self.gone() else "nas-answer:\nsaid\n"

    def gone(self) -> bool:
        return bool({"working_dir", "pip"} & {*self.asked[-1]["runtime_env"]})


def of_head(*searches: SimpleNamespace) -> tuple[ClusterJobs, Head]:
    made, head = ClusterJobs.__new__(ClusterJobs), Head([*searches])
    made.address, made._client = "http://there:8265", head  # type: ignore[assignment]
    return made, head


def search_of(study: str, **more: Any) -> SimpleNamespace:
    metadata = {"nas.study": study, "nas.store": f"/of/{study}", **more.pop("metadata", {})}
    times = {"start_time": 1, "end_time": 2, "status": JobStatus.SUCCEEDED}
    return SimpleNamespace(submission_id=f"{study}-1", metadata=metadata, **times, **{"runtime_env": {}, **more})


def test_a_study_is_asked_about_when_ray_has_thrown_its_package_away() -> None:
    """Which it does ten minutes after the search, at the earliest."""
    made, head = of_head(search_of("digits", runtime_env={"working_dir": "gcs://x", "env_vars": {"A": "1"}}))
    assert made.ask("digits", ["front", "digits"], environment={"B": "2"}) == ("said", {})
    assert [sorted(each["runtime_env"]) for each in head.asked] == [["env_vars", "working_dir"], ["env_vars"]]
    assert head.asked[-1]["runtime_env"]["env_vars"] == {"A": "1", "B": "2", "PYTHONUNBUFFERED": "1"}
    assert "NAS_STORE=/of/digits " in head.asked[-1]["entrypoint"]
    made, head = of_head(search_of("digits", runtime_env={"pip": ["x"]}))
    with pytest.raises(ClusterError, match=r"^http://there:8265 could not be asked: runtime_env setup failed: no"):
        made.ask("digits", ["front", "digits"])


def test_a_study_of_an_earlier_head_node_is_looked_for_in_the_store() -> None:
    made, head = of_head()
    assert made.ask("digits", ["front", "digits"]) == ("said", {})
    assert 'NAS_STORE=${NAS_STORE:-"$HOME"/nas-runs}' in head.asked[-1]["entrypoint"]
    assert made.places() == []
    database = {"metadata": {"nas.storage": "sqlite:///x"}}
    assert of_head(search_of("a"), search_of("a"), search_of("b", **database))[0].places() == ["a-1", "b-1"]


def test_a_node_whose_agent_does_not_listen_is_said_at_once_with_the_port(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ray's agent goes without its port where another process has that, and the head then runs nothing."""
    now = [0.0]

    class Head:
        def list_jobs(self) -> list[Any]:
            return []

        def submit_job(self, **_: Any) -> None:
            raise RuntimeError(
                "Request failed with status code 500: No available agent to submit job, try again later."
            )

    made = ClusterJobs.__new__(ClusterJobs)
    made.address, made._client = "http://there:8265", Head()  # type: ignore[assignment]
    monkeypatch.setattr(
        jobs, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=lambda s: now.append(now.pop() + s))
    )
    monkeypatch.setattr(jobs, "write_package", lambda job, *_, **__: job)
    said: list[tuple[float, str]] = []
    with pytest.raises(ClusterError, match=r"another process there has port 52365, .*--dashboard-agent-listen-port"):
        made.submit(Job(), tmp_path, on_wait=lambda why: said.append((now[0], why)))
    [(moment, why)] = said
    assert 5 < moment < 10 and "port 52365" in why and why.endswith("trying for 2 minutes")
    assert 120 < now[0] < 130
