"""The processes of the compose file really running together: PostgreSQL, the MLflow server, a Ray head, two nodes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from benchmarks.services import (
    MlflowServer,
    Postgres,
    RayNode,
    Secrets,
    postgres_programs,
    wait_for,
    working_folder,
)

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL's server is not installed (apt: postgresql)"),
]

JOB = """
data: {source: iris}
space: {options: {n_computational: [2, 4], density: [0.3, 0.6]}}
search: {trials: 6, options: {initial: 3}, baselines: false}
training: {steps: 10, batch_size: 16, inference_batch: 16, log_every: 10}
tracking: {experiment: together}
"""


def nas(*words: str, environment: dict[str, str]) -> str:
    result = subprocess.run(
        [Path(sys.executable).parent / "nas", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def runs(mlflow: MlflowServer, known: Secrets, password: str) -> list[dict[str, Any]]:
    """The runs of the experiment, as a person with this password sees them."""
    authorization = "Basic " + b64encode(f"{known.mlflow_user}:{password}".encode()).decode()

    def ask(path: str, data: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{mlflow.uri}/api/2.0/mlflow/{path}",
            data=None if data is None else json.dumps(data).encode(),
            headers={"Authorization": authorization, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    experiment = ask("experiments/get-by-name?experiment_name=together")["experiment"]["experiment_id"]
    return list(ask("runs/search", {"experiment_ids": [experiment], "max_results": 100}).get("runs", []))


def test_a_search_on_the_services_of_the_compose_file(tmp_path: Path) -> None:
    known = Secrets()
    with working_folder() as folder, contextlib.ExitStack() as stack:
        postgres = Postgres(folder, known.postgres)
        stack.callback(postgres.close)
        postgres.start()
        postgres.create_databases()
        artifacts = folder / "artifacts"
        mlflow = MlflowServer(folder, postgres, known, artifacts)
        stack.callback(mlflow.close)
        mlflow.start(wait=False)  # it takes a while, as does the cluster
        head = RayNode(
            folder,
            known,
            name="head",
            environment={
                "NAS_STORE": str(folder / "store"),
                "NAS_STORAGE": postgres.url("nas"),
                "NAS_MLFLOW_URI": mlflow.uri,
                "MLFLOW_TRACKING_USERNAME": known.mlflow_user,
                "MLFLOW_TRACKING_PASSWORD": known.mlflow,
            },
        )
        nodes = [head, *(RayNode(folder, known, name=f"node{number}", head=head) for number in (1, 2))]
        for node in nodes:
            stack.callback(node.close)
        head.start()
        for node in nodes[1:]:
            node.start()
        wait_for(mlflow.answers, f"MLflow: {mlflow.log.read_text()[-2000:]}", 180)

        (tmp_path / "job.yaml").write_text(JOB)
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": known.ray}
        printed = nas("submit", str(tmp_path / "job.yaml"), "--address", head.url, "--follow", environment=token)
        assert "exported to" in printed

        status = json.loads(nas("status", "together", "--address", head.url, "--json", environment=token))
        assert (status["state"], status["complete"], status["failed"]) == ("succeeded", 6, 0)
        # The trials are in PostgreSQL, not in a file.
        shown = json.loads(
            nas("status", "together", "--store", str(folder / "store"), "--json",
                environment={"NAS_STORAGE": postgres.url("nas")})
        )  # fmt: skip
        assert shown["complete"] == 6
        assert not list((folder / "store").glob("*.db"))
        # Their runs are on the server, for who knows the password.
        found = runs(mlflow, known, known.mlflow)
        assert len(found) == 7
        assert {run["info"]["status"] for run in found} == {"FINISHED"}
        assert list(artifacts.rglob("network.safetensors"))
        assert list(artifacts.rglob("front.html"))
        with pytest.raises(urllib.error.HTTPError, match="401"):
            runs(mlflow, known, "a wrong password")
        # There was a worker on each node, and no secret was written anywhere.
        events = [json.loads(line) for line in nas("logs", "together", "--address", head.url, "--json",
                  environment=token).splitlines() if line.startswith("{")]  # fmt: skip
        assert max(len(event["data"]["workers"]) for event in events if event.get("event") == "status") == 2
        logs = [path for path in folder.rglob("*.log") if path.name != "server.log"] + list(folder.rglob("*.out"))
        text = printed + "".join(path.read_text(errors="replace") for path in logs if path.is_file())
        for name in ("postgres", "mlflow", "cookies", "ray"):
            assert getattr(known, name) not in text, name
