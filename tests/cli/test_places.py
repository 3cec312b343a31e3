"""Where a search runs and what its folders are called: names that a user has may not stand in the program's way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.search import StudyStore
from tests.cli.test_commands import JOB

ROOT = Path(__file__).parents[2]
SPACE = """
from {module} import HIDDEN
from nas.search_spaces.neuron_dag import NeuronDag

class Mine(NeuronDag):
    pass
"""


def nas(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as it is installed: the working directory is nowhere on the path."""
    code = "import sys; sys.path = [p for p in sys.path if p]; from nas.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


BROKEN = "raise SystemExit('this is not the module you want')\n"


def test_folders_of_the_user_hide_nothing_of_ours(tmp_path: Path) -> None:
    names = ["workers", "search_spaces", "mlflow", "optuna", "moocore", "benchmarks", "safetensors"]
    write(tmp_path, {f"{name}/__init__.py": BROKEN for name in names} | {"random.py": BROKEN, "queue.py": BROKEN})
    write(tmp_path, {"workers/pool.py": BROKEN, "search_spaces/neuron_dag.py": BROKEN, "small.yaml": JOB})
    done = nas(tmp_path, "search", "small.yaml", "--set", "search.trials=2")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["mine", "search_spaces.mine", "workers.deep.mine", "utils.mine"])
@pytest.mark.parametrize("package", [True, False])
def test_spaces_of_the_user_are_found_whatever_their_folders_are_called(
    tmp_path: Path, module: str, package: bool
) -> None:
    path = Path(*module.split("."))
    write(tmp_path, {f"{path}.py": SPACE.format(module="beside"), "beside.py": "HIDDEN = 1\n", "small.yaml": JOB})
    if package:
        for parent in list(path.parents)[:-1]:
            write(tmp_path, {f"{parent}/__init__.py": ""})
    change = ["--set", f"space.name={module}:Mine", "--set", "search.trials=2"]
    done = nas(tmp_path, "search", "small.yaml", *change)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_module_that_a_library_hides_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"random.py": SPACE.format(module="beside"), "beside.py": "HIDDEN = 1\n", "small.yaml": JOB})
    refused = nas(tmp_path, "search", "small.yaml", "--set", "space.name=random:Mine")
    assert refused.returncode == 2
    assert "which is also called random; give yours another name" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("name", ["a%20b", "what?", "no#1", "ü 漢 {x}", "a%2Fb", "50 %"])
def test_a_search_in_a_store_of_any_name(tmp_path: Path, name: str) -> None:
    store = tmp_path / "stores" / name
    write(tmp_path, {"small.yaml": JOB.replace("mlflow: false", "experiment: small")})
    done = nas(tmp_path, "search", "small.yaml", "--set", "search.trials=2", NAS_STORE=str(store))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in store.parent.iterdir()] == [name]
    assert {"optuna.db", "mlflow.db", "artifacts", "small"} <= {path.name for path in store.iterdir()}
    assert StudyStore.studies(store) == ["small"]
    shown = nas(tmp_path, "front", "small", NAS_STORE=str(store))
    assert shown.returncode == 0, shown.stderr


def test_status_asks_the_cluster_that_the_other_commands_ask(tmp_path: Path) -> None:
    where = "http://127.0.0.1:1"
    for command in (["status"], ["list"], ["logs", "x"], ["stop", "x"]):
        asked = nas(tmp_path, *command, RAY_API_SERVER_ADDRESS=where)
        assert f"nothing answers at {where}" in " ".join(asked.stderr.split()), command
    here = nas(tmp_path, "status", "--address", "", RAY_API_SERVER_ADDRESS=where)
    assert "there is no study in nas-runs" in here.stderr
