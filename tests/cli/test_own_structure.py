"""A search over a user's own structure ends with a file that gives its networks back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from nas import checkpoint
from nas.cli import app
from nas.training import module_of, structure_of

SPACE = """
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from nas.graph import DAG
from nas.search import SearchSpace
from nas.training import Genome, register_structure


@dataclass(frozen=True)
class Bottleneck:
    width: int
    kind: ClassVar[str] = "test-own-structure"
    dag = DAG(1, 1, 1, [(0, 1), (1, 2)])

    def to_json(self):
        return str(self.width)

    def build(self, seed):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return nn.Sequential(nn.Linear(64, self.width), nn.Tanh(), nn.Linear(self.width, 10))

    def inherit(self, parent, arrays, seed):
        return None

    def measures(self):
        return {"edges": 74.0 * self.width, "density": 1.0, "depth": 2.0, "neurons": float(self.width)}


register_structure(Bottleneck.kind, lambda text: Bottleneck(int(text)))


class Space(SearchSpace):
    def initial(self, rng, *, size=None, density=None):
        structure = Bottleneck(int(rng.integers(4, 40)))
        return Genome(structure.dag, {}, structure)

    def mutate(self, genome, rng, strength, *, growth=0.0, edge_score=None, next_id=None):
        structure = Bottleneck(genome.structure.width + 1)
        return replace(genome, dag=structure.dag, structure=structure), "wider"
"""

JOB = """
data: {source: digits}
space: {name: "bottlenecks:Space"}
search: {trials: 5, options: {population: 3}, baselines: false}
training: {steps: 20}
resources: {executor: serial}
tracking: {mlflow: false, store: store}
"""


def test_search_and_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bottlenecks.py").write_text(SPACE, encoding="utf-8")
    (tmp_path / "job.yaml").write_text(JOB, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    result = CliRunner().invoke(app, ["search", "job.yaml"])
    assert result.exit_code == 0, result.output
    assert "the state of your own structure" in result.output
    _, arrays, record = checkpoint.load_arrays(tmp_path / "store" / "job" / "best.safetensors")
    structure = structure_of(record["structure"]["kind"], record["structure"]["json"])
    assert type(structure) is sys.modules["bottlenecks"].Bottleneck
    assert module_of(structure, arrays)(torch.zeros(2, 64)).shape == (2, 10)
