"""``nas calibrate``: what is printed is what is kept, and what is kept is used."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli import app
from nas.training import CalibrationError, TrainingConfig, costs_for, save_calibration
from nas.training.cost import calibrate as measuring


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "calibration.json"
    monkeypatch.setenv("NAS_CALIBRATION", str(path))
    monkeypatch.setattr(measuring, "TRAINING_BATCHES", (16, 128))
    monkeypatch.setattr(measuring, "INFERENCE_BATCHES", (64, 1024))
    sizes = ((8, 10, 2, 60), (64, 60, 10, 1_500), (200, 20, 5, 1_000), (64, 200, 2, 4_000))
    monkeypatch.setattr(measuring, "SIZES", sizes)
    monkeypatch.setattr(measuring.engine, "ACTIVATIONS", ("leaky_relu", "sigmoid"))
    monkeypatch.setattr(measuring, "ROUNDS", 1)
    return path


def test_fit_residuals_and_place_are_printed_and_kept(file: Path) -> None:
    result = CliRunner().invoke(app, ["calibrate"])
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "1 thread" in text and "R²" in text and "residual" in text
    for row in ("inference 1024", "training step, free 128", "training step, masked", "training memory, manifold"):
        assert row in text
    (kept,) = json.loads(file.read_text())["machines"].values()
    assert f"{kept['threads']['1']['inference']['r2']:.3f}" in text
    assert costs_for(TrainingConfig(), 1).source == f"calibrated {kept['taken']}"


def test_json_of_several_thread_counts_in_a_file_of_ones_own(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "other.json"
    result = CliRunner().invoke(app, ["calibrate", "--threads", "2", "--threads", "1", "--json", "-o", str(other)])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["path"] == str(other) and found["seconds"] > 0
    assert set(found["threads"]) == {"1", "2"}
    assert found["threads"]["2"]["training"]["masked"]["edge_sample"] >= 0
    assert other.exists() and not file.exists()


def test_a_damaged_file_stops_before_half_a_minute_is_lost(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("{}")
    monkeypatch.setattr(measuring, "_networks", lambda parametrisation: pytest.fail("measured first"))
    result = CliRunner().invoke(app, ["calibrate"])
    assert result.exit_code == 1
    assert "delete it and run: nas calibrate" in " ".join(result.output.split())
    with pytest.raises(CalibrationError):
        save_calibration({})
