"""How stable picks are, on a study of two minutes' trials made in seconds."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from benchmarks.retiming import report, run, summary
from nas.cli import app
from nas.search import StudyStore

JOB = """
data: {source: wine}
space: {name: neuron_dag, options: {n_computational: [3, 9], density: [0.2, 0.6]}}
search: {trials: 6, baselines: false}
training: {steps: 20, batch_size: 32, inference_batch: 64}
resources: {executor: serial}
tracking: {mlflow: false, experiment: mine}
"""


def test_times_the_front_again_and_leaves_the_study_alone(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    done = CliRunner().invoke(app, ["search", str(tmp_path / "job.yaml"), "--set", f"tracking.store={tmp_path}"])
    assert done.exit_code == 0, done.output
    before = StudyStore.open(tmp_path, "mine").retimed()
    found = run(StudyStore.open(tmp_path, "mine"), 2)
    assert StudyStore.open(tmp_path, "mine").retimed() == before
    assert {"knee", "accurate", "fast"} < {row["pick"] for row in found["picks"]}
    assert all(row["of"] == 2 and 1 <= row["runs"] <= 2 for row in found["picks"])
    assert all(f"`{row['pick']}`" in report(found) for row in found["picks"])


def test_counts_the_pick_of_most_runs() -> None:
    rows = summary([{"knee": 3, "fast": 1}, {"knee": 3, "fast": 1}, {"knee": 5, "fast": 1}])
    assert rows[0] == {"pick": "knee", "trial": 3, "runs": 2, "of": 3, "others": {5: 1}}
    assert rows[1]["runs"] == 3
