"""To add a thing takes one entry in one place: toys are added as CONTRIBUTING.md says, used, and taken away again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas.cli._front import front_rows
from nas.errors import JobError
from nas.graph import DAG
from nas.job import Job
from nas.search import Front, FrontMember, Halving, HalvingConfig, Objectives
from nas.search._constraints import Bound
from nas.tracking import FrontPoint
from nas.tracking._front_plot import FrontView
from nas.training import Candidate, Dataset, Genome, TrainingConfig, TrialStatus, run_trial
from nas.training.objectives import OBJECTIVES, Objective, ObjectiveScale


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
        trials = [
            run_trial(
                Candidate(k, Genome(plain(columns)), seed=k, steps=2), dataset, TrainingConfig(parametrisation="free")
            )
            for k, columns in enumerate((3, 4, 5))
        ]
        assert [trial.metrics["fan_in"] for trial in trials] == [3, 4, 5]
        members = [FrontMember(t.number, objectives.values(t) or (), t.metrics) for t in trials]
        front = Front.of(objectives, members)
        assert {*front.numbers} <= {0, 1}  # the third is outside the bound
        assert front.pick("fan_in<4").number == 0
        headings, rows = front_rows(front)
        assert rows[0][headings.index("fan_in")] == f"{front.near[0].metrics['fan_in']:.0f}"
        view = FrontView([FrontPoint(t.number, t.metrics) for t in trials], [], "fan_in")
        assert (view.x_label, [*view.x]) == (toy.axis, [3, 4, 5])
        halving = Halving(HalvingConfig(startup=1), objectives)
        assert halving.objectives.names == ("error", "fan_in")
        assert halving.passes(0, 0, trials[0].metrics)
    trial = run_trial(Candidate(0, Genome(plain()), seed=0, steps=2), dataset, TrainingConfig(parametrisation="free"))
    assert trial.status is TrialStatus.COMPLETE and "fan_in" not in trial.metrics
    with pytest.raises(JobError, match="no objective 'fan_in'"):
        job(objectives=["error", "fan_in"])
