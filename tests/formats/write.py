"""Writes what the program of today keeps into a folder, for the programs after it to read.

``python -m tests.formats.write``, once a release, into a folder of that version, which is never written again
(``-journal``: within one release, studies moved from a database to Optuna's journal; ``kinds``: only the networks);
`test_formats.py` reads them all. A store with a study of a raw table (five trials that ended, one that was begun), its
network, and what that network says of three rows; in kinds/ a network of each kind, and what it says of three samples.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import pandas as pd
import torch
from typer.testing import CliRunner

import nas
from nas.cli import app
from nas.search import StudyStore
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


def run(*words: str) -> None:
    """A command of ``nas``."""
    done = CliRunner().invoke(app, list(words))
    if done.exit_code:
        sys.exit(done.output)


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


def main() -> None:
    """Writes the folders of this version."""
    if sys.argv[1:] == ["kinds"]:
        write_kinds()
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


if __name__ == "__main__":
    main()
