from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from nas import __version__
from nas.job import stored_job
from nas.search import StudyStore, replay
from nas.training import find_calibration, load_data, save_calibration
from tests.cli.test_commands import JOB, nas, plain


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a finished search of 8 trials with rungs."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "rungs.yaml").write_text(JOB)
    result = nas("search", folder / "rungs.yaml", "--trials", "8", *_settings(folder / "store"))
    assert result.exit_code == 0, result.output
    return folder / "store"


def _settings(store: Path) -> list[str]:
    values = {
        "tracking.store": store,
        "training.rungs": "[0.3]",
        "search.halving.startup": 2,
        "search.halving.keep": 0.3,
        "search.halving.rule": "first",
        "search.strategy": "random",
    }
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def test_replay_says_that_nothing_differs(store: Path) -> None:
    result = nas("replay", "0", "--store", store)
    assert result.exit_code == 0, result.output
    text = plain(result)
    assert "trial 0 of rungs: 20 steps, trained again in" in text
    assert "the network is bit for bit the same" in text
    report = json.loads(nas("replay", "0", "--store", store, "--study", "rungs", "--json").stdout)
    assert report["same"] is True and report["weights_same"] is True and report["hardware"] == {}
    assert report["metrics"]["test_accuracy"]["then"] == report["metrics"]["test_accuracy"]["now"]


def test_a_stopped_trial_is_replayed_to_its_rung(store: Path) -> None:
    front = json.loads(nas("front", "rungs", "--store", store, "--json").output)
    assert front["trials"]["stopped"] >= 1
    reports = [json.loads(nas("replay", str(n), "--store", store, "--json").stdout) for n in range(2, 8)]
    stopped = [report for report in reports if report["state"] == "stopped"]
    assert len(stopped) == front["trials"]["stopped"]
    assert all(report["same"] and report["steps"] == 6 for report in stopped)
    assert "stopped at rungs" in plain(nas("front", "rungs", "--store", store))


def test_a_trial_that_is_not_there(store: Path) -> None:
    result = nas("replay", "99", "--store", store)
    assert result.exit_code == 1
    assert "study 'rungs' has no trial 99; it has 8 trials" in plain(result)
    missing = nas("replay", "0", "--store", store.parent / "nowhere")
    assert missing.exit_code == 2
    assert "say which study with --study" in plain(missing)


def test_resuming_with_fewer_trials_than_there_are(store: Path) -> None:
    result = nas("search", store.parent / "rungs.yaml", "--resume", "--trials", "3", *_settings(store))
    assert result.exit_code == 0, result.output
    assert "8 trials are done, more than the 3 asked for; more: nas search" in plain(result)
    assert "--resume --trials 16" in plain(result)
    assert "done of 3" not in plain(result) and "failed of 3" not in plain(result)


def test_version() -> None:
    result = nas("--version")
    assert (result.exit_code, result.output.strip()) == (0, f"nas {metadata.version('dag-nas')}")
    assert __version__ == metadata.version("dag-nas")


@pytest.mark.parametrize("executor", ["serial", "ray"])
def test_a_replay_goes_by_the_calibration_of_its_study(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time term, weights depend on the calibration: the machine's may change, the study keeps its own."""
    if executor == "ray":
        pytest.importorskip("ray")
    calibration = tmp_path / "calibration.json"
    monkeypatch.setenv("NAS_CALIBRATION", str(calibration))
    (tmp_path / "timed.yaml").write_text(JOB)
    values = {
        "tracking.store": tmp_path / "store",
        "space.name": "manifold",
        "training.losses.time": 5.0,
        "search.strategy": "random",
        "resources.executor": executor,
        **({"resources.workers": 1} if executor == "ray" else {}),
    }
    settings = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    result = nas("search", tmp_path / "timed.yaml", "--trials", "2", *settings)
    assert result.exit_code == 0, result.output
    shipped = find_calibration()[0]
    fits = next(iter(shipped.threads.values()))
    dearer = {name: fit.model_copy(update={"edge": 50 * fit.edge + 1e-6}) for name, fit in fits.training.items()}
    save_calibration({1: fits.model_copy(update={"training": dearer})}, calibration)
    assert find_calibration()[1], "the machine has another calibration now"
    again = nas("replay", "0", "--store", tmp_path / "store", "--json")
    assert again.exit_code == 0, again.output
    report = json.loads(again.stdout)
    assert report["same"] is True
    assert report["hardware"] == {}
    study = StudyStore.open(tmp_path / "store", "timed")
    job = stored_job(study.header["job"]["job"], "the study")
    assert replay(study, 0, load_data(job.data), job.training).same, "from Python, without naming the costs"
    # Without what the study keeps, the trial would have come out differently.
    monkeypatch.setattr(StudyStore, "costs", None)
    other = json.loads(nas("replay", "0", "--store", tmp_path / "store", "--json").stdout)
    assert other["weights_same"] is False
    assert "cost_model" in other["hardware"]
