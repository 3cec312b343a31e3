"""To add a thing takes one entry in one place: toys are added as CONTRIBUTING.md says, used, and taken away again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import nas
from nas.cli.front import front_rows
from nas.errors import CheckpointError, JobError
from nas.graph import DAG, complete, mutate
from nas.job import Job
from nas.manifold import FAMILIES, ManifoldNetwork, Parametrisation, inherit
from nas.search import Front, FrontMember, Halving, HalvingConfig, Objectives, rebuild_network
from nas.search.front.constraints import Bound
from nas.tracking import FrontPoint
from nas.tracking.plots.front import FrontView
from nas.training import (
    Candidate,
    Dataset,
    Genome,
    TrainingConfig,
    TrialResult,
    TrialStatus,
    evaluate,
    pinned_threads,
    run_trial,
)
from nas.training.quality.metrics import METRICS, Metric, Samples
from nas.training.quality.objectives import OBJECTIVES, Objective, ObjectiveScale

ROOT = Path(__file__).parents[1]


def plain(columns: int = 2) -> DAG:
    """Two inputs, some neurons that read both, one output a class."""
    last = 2 + columns
    edges = [(j, i) for i in range(2, last) for j in (0, 1)] + [
        (j, i) for i in (last, last + 1) for j in range(2, last)
    ]
    return DAG(2, columns, 2, edges)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    x = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    return Dataset("toy", "classification", x[:40], y[:40], x[40:50], y[40:50], x[50:], y[50:], classes=("no", "yes"))


def job(**search: Any) -> Job:
    return Job.from_mapping({"data": {"source": "iris"}, "search": search}, where="a test")


def trial(dataset: Dataset, number: int = 0, columns: int = 2) -> TrialResult:
    candidate = Candidate(number, Genome(plain(columns)), seed=number, steps=2)
    result = run_trial(candidate, dataset, TrainingConfig(parametrisation="free"))
    assert result.status is TrialStatus.COMPLETE
    return result


def test_an_objective(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    with pytest.raises(JobError, match="no objective 'fan_in'"):
        job(objectives=["error", "fan_in"])
    toy = Objective(
        "fan_in", ObjectiveScale(1.0, 1e3), "most in-edges of a neuron", of=lambda dag: np.diff(dag.in_ptr).max()
    )
    with monkeypatch.context() as patch:
        patch.setitem(OBJECTIVES, "fan_in", toy)
        search = job(objectives=["error", "fan_in"], constraints=["fan_in<=4"]).search
        bound = Bound.parse(search.constraints[0])
        objectives = Objectives(search.objectives, bounds=(bound,))
        trials = [trial(dataset, k, columns) for k, columns in enumerate((3, 4, 5))]
        assert [each.metrics["fan_in"] for each in trials] == [3, 4, 5]
        members = [FrontMember(each.number, objectives.values(each) or (), each.metrics) for each in trials]
        front = Front.of(objectives, members)
        assert {*front.numbers} <= {0, 1}  # the third is outside the bound
        assert front.pick("fan_in<4").number == 0
        headings, rows = front_rows(front)
        assert rows[0][headings.index("fan_in")] == f"{front.near[0].metrics['fan_in']:.0f}"
        view = FrontView([FrontPoint(each.number, each.metrics) for each in trials], [], "fan_in")
        assert (view.x_label, [*view.x]) == (toy.axis, [3, 4, 5])
        halving = Halving(HalvingConfig(startup=1), objectives)
        assert halving.objectives.names == ("error", "fan_in")
        assert halving.passes(0, 0, trials[0].metrics)
    assert "fan_in" not in trial(dataset).metrics
    with pytest.raises(JobError, match="no objective 'fan_in'"):
        job(objectives=["error", "fan_in"])


def test_a_metric(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    def brier(samples: Samples) -> float:
        known = torch.nn.functional.one_hot(samples.targets, samples.outputs.shape[1])
        return float(((samples.outputs.softmax(dim=1) - known) ** 2).sum(dim=1).mean())

    assert Bound.parse("brier<=1").metric == "brier"
    with monkeypatch.context() as patch:
        patch.setitem(METRICS, "brier", Metric(brier, task="classification"))
        trials = [trial(dataset, k, columns) for k, columns in enumerate((3, 4))]
        assert all(0 < each.metrics[f"{part}_brier"] < 2 for each in trials for part in ("val", "test"))
        assert Bound.parse("brier<=1").metric == "val_brier"
        objectives = Objectives(("error", "edges"))
        numbered = [FrontMember(k, (0.2 - 0.1 * k, 6.0 + k), each.metrics) for k, each in enumerate(trials)]
        assert Front.of(objectives, numbered).pick("brier<2").number == 0  # of those good enough the cheapest
        x, y = dataset.x_val, dataset.y_val
        assert "brier" not in evaluate(torch.nn.Linear(2, 1), x, x[:, :1], "regression")
        assert "brier" in evaluate(torch.nn.Linear(2, 2), x, y, "classification")
    assert not any("brier" in name for name in trial(dataset).metrics)
    assert Bound.parse("brier<=1").metric == "brier"


@pytest.mark.parametrize("parametrisation", ["masked", "manifold"])
def test_a_closeness(parametrisation: Parametrisation, tmp_path: Path, dataset: Dataset) -> None:
    name = "tests.kinds:BUMP"
    with pytest.raises(ValidationError, match=r"closeness must be one of gauss_wave.*, or module:NAME, but got 'lump'"):
        TrainingConfig(closeness="lump")
    config = TrainingConfig(parametrisation=parametrisation, closeness=name, batch_size=16)
    dag = complete(2, 6, 2)
    try:
        with pinned_threads(1):
            result = run_trial(Candidate(0, Genome(dag), seed=0, steps=4), dataset, config)
        assert result.status is TrialStatus.COMPLETE, result.reason
        assert {"height", "centre", "width", "cutoff"} <= result.arrays.keys() and "alpha" not in result.arrays
        assert result.dag is not None and result.metrics["edges"] == result.dag.n_edges
        trained = rebuild_network(result.dag, result.arrays, config, {})
        assert evaluate(trained.fold(), dataset.x_val, dataset.y_val, "classification")["error"] == pytest.approx(
            result.metrics["val_error"]
        )
        change = mutate(result.dag, np.random.default_rng(0), operators={"add_neurons": 1.0}, count=1)
        rng = np.random.default_rng(1)
        child = inherit(result.dag, dict(result.arrays), change.dag, rng, family=name)
        ManifoldNetwork.from_arrays(change.dag, child, family=name)
        assert np.isin(result.arrays["height"], child["height"]).all()
        nas.save(tmp_path / "net.safetensors", trained, {})
        again = nas.load(tmp_path / "net.safetensors")
        x = torch.from_numpy(dataset.x_val)
        assert torch.equal(again(x), trained(x))
    finally:
        FAMILIES.pop(name, None)
    with pytest.raises(CheckpointError, match="family of its network cannot be 'tests.kinds:BUMP'"):
        nas.load(tmp_path / "net.safetensors")  # a file imports nothing


def test_the_recipes_name_files_that_exist() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:nas|tests)/[\w/.]+)`", page)) | set(re.findall(r"\]\(([\w/.-]+)\)", page))
    assert len(named) > 15
    assert not [name for name in named if not (ROOT / name).exists()]
    for name, path in re.findall(r"`([A-Z]{2,}[A-Z_]+)` \(`([\w/.]+)`\)", page):
        assert f"{name}:" in (ROOT / path).read_text(encoding="utf-8")
