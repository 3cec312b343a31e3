"""The toy of the published manifold: solved by examples/manifold_toy_best.yaml, and as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.graph import complete
from nas.job import Job
from nas.training import Candidate, Genome, TrialStatus, load_data, pinned_threads, run_trial

EXAMPLES = Path(__file__).parents[2] / "examples"


def trial(name: str, **overrides: object):  # type: ignore[no-untyped-def]
    job = Job.from_yaml(EXAMPLES / name, [f"{key.replace('__', '.')}={value}" for key, value in overrides.items()])
    with pinned_threads(1):
        candidate = Candidate(0, Genome(complete(5, 16, 4)), seed=3, steps=job.training.steps)
        return run_trial(candidate, load_data(job.data), job.training)


def test_the_toy_is_solved_without_its_idle_input() -> None:
    result = trial("manifold_toy_best.yaml")
    assert result.status is TrialStatus.COMPLETE, result.reason
    assert result.metrics["test_error"] <= 1e-6
    assert result.dag is not None
    assert not (result.dag.sources == 0).any()
    curves = result.history
    assert curves["step"][-1] == 5000
    assert curves["test_error"][-1] == pytest.approx(result.metrics["test_error"], rel=0.5, abs=1e-9)


def test_the_published_toy_learns_where_it_lives() -> None:
    result = trial("manifold_toy.yaml", training__on_lost_output="regrow", data__samples=60000)
    assert result.status is TrialStatus.COMPLETE, result.reason
    assert 1e-4 < result.metrics["test_error"] < 2.5  # the targets' mean square is 2.5
