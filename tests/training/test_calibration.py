"""Calibrations are kept by machine, found again, survive what else is in their file, and are used."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from nas.graph import random_dag
from nas.manifold import EDGES, NEURONS, ManifoldNetwork, compact
from nas.training import (
    CalibrationError,
    Dataset,
    LossWeights,
    TrainingConfig,
    calibrate,
    costs_for,
    find_calibration,
    pinned_threads,
    save_calibration,
    train,
)
from nas.training.cost import calibrate as measuring
from nas.training.cost import calibration as keeping
from nas.training.cost import costs as costs_module
from nas.training.cost._fit import CostFit, Fits
from nas.training.cost.measured import timed_trainer, trainer_bytes
from nas.training.loss_terms import structure_costs


def fits(per_edge: float = 1e-9) -> Fits:
    fit = CostFit(call=1e-5, neuron=1e-7, edge=per_edge, points=9, r2=0.9, median_residual=0.1, worst_residual=0.3)
    each = dict.fromkeys(measuring.PARAMETRISATIONS, fit)
    return Fits(inference=fit, training=each, memory=each)


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "deep" / "calibration.json"
    monkeypatch.setenv("NAS_CALIBRATION", str(path))
    monkeypatch.setattr(costs_module, "_said", set())
    return path


def test_measuring_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "TRAINING_BATCHES", (16, 128))
    monkeypatch.setattr(measuring, "INFERENCE_BATCHES", (32, 1024))
    monkeypatch.setattr(
        measuring, "SIZES",
        ((8, 10, 2, 60), (64, 60, 10, 1_500), (200, 20, 5, 1_000), (64, 300, 2, 9_000)),
    )  # fmt: skip
    monkeypatch.setattr(measuring.engine, "ACTIVATIONS", ("leaky_relu", "softplus"))
    said: list[str] = []
    (found,) = calibrate([1], point_seconds=0.001, say=said.append).values()
    assert said and "1 thread" in said[0]
    assert set(found.training) == set(found.memory) == {"masked", "manifold", "free"}
    for fit in (found.inference, *found.training.values()):
        assert fit.points == 11  # five networks at two batches, one of them with another activation too
        assert 0 <= fit.median_residual < 1
        assert set(fit.activations) == {"softplus"}
        assert 1e-13 < fit.model(128, 64, "leaky_relu").per_edge < 1e-6
    assert found.memory["masked"].edge > found.memory["free"].edge  # closeness is kept for every edge
    assert found.memory["free"].r2 > 0.99


def test_kept_and_found_by_machine_beside_others(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, shipped = find_calibration()
    assert not shipped
    path, _ = save_calibration({1: fits()})
    assert path == file
    save_calibration({2: fits(2e-9)})  # another thread count of the same machine
    found, own = find_calibration()
    assert own
    assert set(found.threads) == {1, 2}
    assert found.fits(8) == (2, fits(2e-9))
    key, facts = keeping.machine()
    monkeypatch.setattr(keeping, "machine", lambda: ("another", facts))
    keeping._found.cache_clear()
    assert not find_calibration()[1]
    save_calibration({1: fits()})
    assert set(json.loads(file.read_text())["machines"]) == {key, "another"}
    keeping._found.cache_clear()


def test_a_new_calibration_counts_at_once() -> None:
    save_calibration({1: fits(1e-9)})
    assert (
        costs_for(TrainingConfig(), 1).time(random_dag(3, 4, 2, density=1.0, rng=np.random.default_rng(0))).per_edge
        == 1e-9
    )
    save_calibration({1: fits(3e-9)})
    assert (
        costs_for(TrainingConfig(), 1).time(random_dag(3, 4, 2, density=1.0, rng=np.random.default_rng(0))).per_edge
        == 3e-9
    )


def test_the_key_changes_with_the_hardware_and_not_with_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    key, facts = keeping.machine()
    assert "threads" not in facts
    original = keeping.hardware
    monkeypatch.setattr(keeping, "hardware", lambda threads: original(threads) | {"processor": "abacus"})
    keeping.machine.cache_clear()
    try:
        assert keeping.machine()[0] != key
    finally:
        monkeypatch.undo()
        keeping.machine.cache_clear()
    assert keeping.machine()[0] == key


@pytest.mark.parametrize("content", ["", "{", '{"version": 2, "machines": {}}', '{"version": 1}', "[1]"])
def test_a_damaged_file_is_named_and_does_not_stop_a_search(
    content: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert not find_calibration()[1]
    assert "no calibration of version 1" in caplog.text
    assert "nas calibrate" in caplog.text
    with pytest.raises(CalibrationError, match="delete it"):
        save_calibration({1: fits()})


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match="cannot be written.*NAS_CALIBRATION"):
        save_calibration({1: fits()}, tmp_path / "file" / "calibration.json")


def test_costs_that_are_not_this_machines_are_said_once_and_only_if_used(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert costs_for(TrainingConfig(), 1).source.startswith("shipped, ")
        assert not caplog.records
        for _ in range(2):
            costs_for(TrainingConfig(losses=LossWeights(time=1.0)), 1)
    assert [record.message.count("nas calibrate --threads 1") for record in caplog.records] == [1]
    save_calibration({1: fits()})
    assert costs_for(TrainingConfig(), 1).source.startswith("calibrated 20")
    assert costs_for(TrainingConfig(), 2).source.endswith(", on 1 thread")


def test_the_shipped_costs_tell_parametrisations_and_activations_apart() -> None:
    shipped, own = find_calibration()
    assert not own
    for one in shipped.threads.values():
        assert set(one.training) == {"masked", "manifold", "free"}
        assert (
            one.training["free"].model(128, 784, "relu").per_edge
            < one.training["masked"].model(128, 784, "relu").per_edge
        )
        assert one.inference.activations["softplus"] > one.inference.activations["relu"]


def test_the_time_term_is_the_calibrated_seconds_in_milliseconds() -> None:
    save_calibration({1: fits(per_edge=5e-9)})
    dag = random_dag(5, 10, 3, density=0.5, rng=np.random.default_rng(0))
    with pinned_threads(1):
        costs = structure_costs(TrainingConfig(losses=LossWeights(sparsity=0.0, time=2.0)), dag)
        assert costs.factors[EDGES] == pytest.approx(2.0 * 1e3 * 5e-9)
        assert costs.factors[NEURONS] == pytest.approx(2.0 * 1e3 * 1e-7)
        memory = structure_costs(TrainingConfig(losses=LossWeights(sparsity=0.0, memory=2.0)), dag)
        assert memory.factors[EDGES] == pytest.approx(2.0 * 5e-9 / 2**20)


def blobs() -> Dataset:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = (rng.normal(size=(300, 5)) + 3 * np.eye(5)[y]).astype(np.float32)
    parts = (x[:200], y[:200], x[200:250], y[200:250], x[250:], y[250:])
    return Dataset("blobs", "classification", *parts, classes=("a", "b", "c"))


@pytest.mark.parametrize("term", ["time", "memory"])
def test_a_dearer_machine_gets_a_smaller_network(term: str) -> None:
    edges = {}
    for name, cost in (("cheap", 0.0), ("dear", 4e-5 if term == "time" else 4e4)):
        save_calibration({1: fits(per_edge=cost)})
        config = TrainingConfig.model_validate(
            {"steps": 600, "batch_size": 32, "learning_rate": 0.01, "losses": {"flow": 0, "sparsity": 0, term: 1.0}}
        )
        network = ManifoldNetwork(
            random_dag(5, 15, 3, density=0.7, rng=np.random.default_rng(0)), generator=np.random.default_rng(0)
        )
        with pinned_threads(1):
            train(network, blobs(), config, 0)
        edges[name] = compact(network).dag.n_edges
    assert edges["dear"] < 0.8 * edges["cheap"], edges


def test_predicted_bytes_are_those_of_the_trainer() -> None:
    data = blobs()
    config = TrainingConfig(batch_size=128)
    network = ManifoldNetwork(
        random_dag(5, 200, 3, density=0.3, rng=np.random.default_rng(0)), generator=np.random.default_rng(0)
    )
    with pinned_threads(1):
        measured = trainer_bytes(timed_trainer(compact(network), data, config))
        predicted = costs_for(config).predictions(compact(network).dag)["predicted_train_bytes"]
    assert predicted == pytest.approx(measured, rel=0.1)
