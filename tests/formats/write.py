"""Writes what the program of today keeps into a folder, for the programs after it to read.

``python -m tests.formats.write``, once a release, into folders of that version, which are never written again
(``-journal``: within one release, studies moved from a database to Optuna's journal; ``kinds``: only the networks;
``studies NAME``: only the studies, where a format changed within a release; ``exports``: only what networks are
exported as); the tests beside it read them all.

* a store with a study of a raw table (five trials that ended, one that was begun), its network, and what that network
  says of three rows;
* in kinds/ a network of each kind, and what it says of three samples;
* in exports/ a checkpoint, and what it was exported as: ONNX, torch's program (packed), C in floats and in integers,
  with what each says of three samples;
* in studies/ a study for each strategy, space, storage and executor, with its job file, one with MLflow's database, its
  registered model and baselines. `layout.py` compares them with what is written today.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from typer.testing import CliRunner

import nas
from nas.cli import app
from nas.search import StudyStore
from tests.cexport.compilers import Library
from tests.kinds import KINDS, input_of, made

HERE = Path(__file__).parent
JOB = {
    "data": {"source": "table.csv", "target": "kind"},
    "space": {"name": "neuron_dag", "options": {"n_computational": [3, 4], "density": [0.3, 0.6]}},
    "search": {"trials": 5, "options": {"population": 2, "initial": 3, "guided": False}, "baselines": False},
    "training": {"steps": 20, "batch_size": 8, "inference_batch": 16, "log_every": 10, "parametrisation": "free"},
    "resources": {"executor": "serial"},
    "tracking": {"experiment": "golden", "mlflow": False},
}
ROWS = {
    "size": [0.5, None, 1.5],
    "colour": ["red", "green", "never seen"],
    "seen": ["2026-01-03", "2026-03-01", "2027-01-01"],
}


def table() -> str:
    """Sixty rows of numbers, names and dates, some of them missing."""
    lines = ["size,colour,seen,kind"]
    for row in range(60):
        size = "" if row % 17 == 3 else f"{(row * 7 % 20) / 10}"
        lines.append(f"{size},{('red', 'green', 'blue')[row % 3]},2026-{1 + row % 12:02}-03,{'ab'[row % 20 < 9]}")
    return "\n".join(lines) + "\n"


TABLE: dict[str, Any] = {"data": {"source": "table.csv", "target": "kind"}, "resources": {"executor": "serial"}}
NEURONS = {"name": "neuron_dag", "options": {"n_computational": [3, 4], "density": [0.3, 0.6]}}
BRIEF = {"steps": 20, "batch_size": 8, "inference_batch": 16, "log_every": 10}
STUDIES: dict[str, dict[str, Any]] = {
    "evolved": {
        **TABLE,
        "space": NEURONS,
        "search": {"trials": 5, "baselines": False},
        "training": BRIEF,
        "resources": {"executor": "ray", "workers": 1},
        "tracking": {"mlflow": False},
    },
    "sampled": {
        **TABLE,
        "space": NEURONS,
        "search": {"trials": 4, "strategy": "optuna", "halving": {}, "baselines": True},
        "training": {**BRIEF, "rungs": [0.25]},
        "tracking": {"champion": "best"},
    },
    "drawn": {
        "data": {"source": "diabetes", "samples": 60},
        "space": {"name": "manifold", "options": {"n_computational": [3, 4]}},
        "search": {"trials": 3, "strategy": "random", "baselines": False},
        "training": {**BRIEF, "parametrisation": "masked"},
        "resources": {"executor": "serial"},
        "tracking": {"mlflow": False, "storage": "sqlite:///studies.db"},
    },
    "layers": {
        **TABLE,
        "space": {"name": "layer_dag", "options": {"nodes": [2, 3], "widths": [3, 5]}},
        "search": {"trials": 4, "options": {"population": 2, "initial": 2}, "baselines": False},
        "training": BRIEF,
        "tracking": {"mlflow": False},
    },
    "recurrent": {
        "data": {"source": "recall", "samples": 60},
        "space": {"name": "recurrent", "options": {"n_computational": [3, 4], "density": [0.3, 0.6], "memory": [1, 2]}},
        "search": {"trials": 4, "options": {"population": 2, "initial": 2}, "baselines": False},
        "training": BRIEF,
        "resources": {"executor": "serial"},
        "tracking": {"mlflow": False},
    },
}
"""The jobs, by the names of their studies."""


def run(*words: str) -> None:
    """A command of ``nas``."""
    done = CliRunner().invoke(app, list(words))
    if done.exit_code:
        sys.exit(done.output)


def dumped(database: Path, folder: Path) -> str:
    """The statements that make `database` again, with paths of `folder` as if it had been /somewhere."""
    with closing(sqlite3.connect(database)) as connection:
        return "\n".join(connection.iterdump()).replace(str(folder), "/somewhere") + "\n"


def write_study(name: str, folder: Path) -> None:
    """A job file `name`.yaml, its data, and what its search keeps, in `folder`, which is the current one."""
    Path("table.csv").write_text(table())
    Path(f"{name}.yaml").write_text(json.dumps(STUDIES[name], indent=1) + "\n")
    run("search", f"{name}.yaml")
    for database in (folder / "studies.db", folder / "nas-runs" / "mlflow.db"):
        if database.exists():
            database.with_suffix(".sql").write_text(dumped(database, folder))


def write_studies(label: str) -> None:
    """Each study in a folder of its own, without what is large and no format of ours."""
    for name in STUDIES:
        target = HERE / "studies" / label / name
        if target.exists():
            sys.exit(f"{target} is there already, and is never written again")
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            write_study(name, Path(folder).resolve())
            left_out = shutil.ignore_patterns("*.db", "*.db-*", "lock", ".*", "*.png", "*.html", "*.gif")
            shutil.copytree(folder, target, ignore=left_out)
        os.chdir(HERE)


def write_kinds() -> None:
    """A network of each kind in double precision, with samples (3, inputs) and its outputs of them."""
    target = HERE / "kinds" / metadata.version("dag-nas")
    if target.exists():
        sys.exit(f"{target} is there already, and is never written again")
    target.mkdir(parents=True)
    said = {}
    for kind in KINDS:
        module = made(kind)
        x = input_of(module)
        nas.save(target / f"{kind.replace(' ', '-')}.safetensors", module, {"kind": kind})
        with torch.no_grad():
            said[kind] = {"x": x.tolist(), "y": module(x).tolist()}
    (target / "answers.json").write_text(json.dumps(said) + "\n")


EXPORTS: dict[str, Any] = {
    "data": {"source": "iris"},
    "space": NEURONS,
    "search": {"trials": 3, "strategy": "random", "baselines": False},
    "training": {**BRIEF, "steps": 200},
    "resources": {"executor": "serial"},
    "tracking": {"experiment": "exports", "mlflow": False},
}
SAMPLES = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.7, 4.5, 1.5], [6.5, 3.0, 5.8, 2.2]]


def exports_said(folder: Path) -> dict[str, Any]:
    """What the files in `folder` say of `SAMPLES`: by the checkpoint probabilities, by the others scores."""
    import onnxruntime

    x = np.array(SAMPLES)
    predictor = nas.Predictor.load(folder / "network.safetensors")
    session = onnxruntime.InferenceSession(folder / "network.onnx")
    program = torch.export.load(io.BytesIO(gzip.decompress((folder / "network.pt2.gz").read_bytes()))).module()
    with tempfile.TemporaryDirectory() as name:
        for file in folder.glob("*.[ch]"):
            shutil.copy(file, name)
        compiled = Library(Path(name))
        plain = compiled.predict("network", x.astype(np.float32), 3)
        whole = compiled.predict("whole", (x * 100).astype(np.int16), 3, np.int32)
    scores, probabilities = session.run(None, {"features": x})
    return {
        "predictor": predictor.probabilities(x).tolist(),
        "labels": [str(label) for label in predictor.predict(x)],
        "onnx": [scores.tolist(), probabilities.tolist()],
        "pt2": program(torch.tensor(x)).tolist(),
        "c": [each.tolist() for each in plain],
        "integers": [each.tolist() for each in whole],
    }


def write_exports() -> None:
    """A network as each kind of file that others run, and what they say."""
    target = HERE / "exports" / metadata.version("dag-nas")
    if target.exists():
        sys.exit(f"{target} is there already, and is never written again")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("exports.yaml").write_text(json.dumps(EXPORTS))
        run("search", "exports.yaml")
        for file in ("network.safetensors", "network.onnx", "network.pt2", "network.c"):
            run("export", "exports", "--out", file)
        run("export", "exports", "--out", "whole.c", "--precision", "int8", "--finish", "0")
        Path("network.pt2.gz").write_bytes(gzip.compress(Path("network.pt2").read_bytes(), mtime=0))
        target.mkdir(parents=True)
        for found in (*Path().glob("network.*"), *Path().glob("whole.*")):
            if found.suffix != ".pt2":
                shutil.copy(found, target)
    (target / "answers.json").write_text(json.dumps(exports_said(target)) + "\n")


def main() -> None:
    """Writes the folders of this version."""
    if sys.argv[1:] == ["exports"]:
        write_exports()
        return
    if sys.argv[1:] == ["kinds"]:
        write_kinds()
        return
    if sys.argv[1:2] == ["studies"]:
        write_studies(sys.argv[2])
        return
    target = HERE / (metadata.version("dag-nas") + "".join(sys.argv[1:]))
    if target.exists():
        sys.exit(f"{target} is there already, and is never written again")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)  # so that no address of this machine is kept
        Path("table.csv").write_text(table())
        Path("golden.yaml").write_text(json.dumps(JOB))
        run("search", "golden.yaml")
        store = Path("nas-runs")
        StudyStore.open(store, "golden").study.ask()
        run("export", "golden", "--out", "network.safetensors")
        target.mkdir()
        shutil.copytree(store / "golden", target / "golden")
        (target / "golden" / "lock").unlink(missing_ok=True)
        shutil.copy("network.safetensors", target)
    said = nas.Predictor.load(target / "network.safetensors").answers(pd.DataFrame(ROWS))
    (target / "answers.json").write_text(said.to_json(orient="records", indent=1) + "\n")
    write_kinds()
    write_exports()
    write_studies(metadata.version("dag-nas"))


if __name__ == "__main__":
    main()
