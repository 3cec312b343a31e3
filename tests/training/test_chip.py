"""Networks that are trained for integers: what is measured of them is what is exported."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from nas.cexport import Precision, c_compiler, c_source
from nas.cli.export import _as_integers
from nas.engine import DAGModule
from nas.errors import ExportError
from nas.graph import random_dag
from nas.job import Job
from nas.search import rebuild_module
from nas.training import Candidate, DataConfig, Genome, Statistics, TrainingConfig, latencies, load_data, run_trial
from tests.cexport.compilers import needed


@pytest.mark.parametrize(("source", "precision"), [("iris", "int4"), ("plane.csv", "int8")])
def test_integers_of_a_trial_are_those_that_are_exported(source: str, precision: str, tmp_path: Path) -> None:
    if source.endswith(".csv"):
        x = np.random.default_rng(0).normal(5, 2, (300, 3))
        rows = np.column_stack([x, 100 + x @ [1, -2, 30]])
        np.savetxt(tmp_path / source, rows, delimiter=",", header="a,b,c,y", comments="")
        source = str(tmp_path / source)
    data = DataConfig(source=source)
    dataset = load_data(data)
    config = TrainingConfig.model_validate({"precision": precision, "parametrisation": "free", "batch_size": 16})
    dag = random_dag(dataset.n_inputs, 8, dataset.n_outputs, density=0.6, rng=np.random.default_rng(0))
    result = run_trial(Candidate(3, Genome(dag), seed=7, steps=150), dataset, config)
    assert result.dag is not None, result.reason
    record = {
        "task": dataset.task,
        "statistics": dataclasses.asdict(Statistics.of(dataset)),
        "training": config.model_dump(mode="json"),
        "data": data.model_dump(mode="json"),
        "feature_names": dataset.feature_names,
        "steps": 150,
        "seed": 7,
    }
    options = _as_integers(record, None, None, None)
    assert (options["precision"], options["finish"]) == (precision, 150)
    module = rebuild_module(result.dag, result.arrays, config, {}, None)
    integers = c_source(module, record=record, **options).integers
    assert integers is not None
    raw = dataset.x_test if dataset.mean is None else dataset.x_test * dataset.scale + dataset.mean
    values = integers.values(np.asarray(raw, dtype=np.float64))
    if dataset.task == "classification":
        error = float((values.argmax(axis=1) != dataset.y_test).mean())
    else:
        scaled = (values - (dataset.target_mean or 0)) / (1 if dataset.target_scale is None else dataset.target_scale)
        error = float(np.square(scaled - dataset.y_test).mean())
    assert error == pytest.approx(result.metrics["integer_test_error"], abs=1e-12)
    assert result.metrics["integer_val_error"] <= result.metrics["val_error"] + 0.1
    assert result.metrics["flash"] > 300


def test_integers_with_squared_outputs_are_refused() -> None:
    with pytest.raises(ValueError, match="precision int8 has linear outputs; readout: square needs precision: float"):
        TrainingConfig.model_validate({"precision": "int8", "readout": "square"})


@pytest.mark.parametrize("precision", ["float", "int8"])
def test_a_larger_network_takes_longer_in_compiled_c(precision: Precision) -> None:
    needed("cc")
    dataset = load_data(DataConfig(source="iris"))
    sizes = {0: 5, 1: 200}
    modules = {
        number: DAGModule(random_dag(4, size, 3, density=0.4, rng=np.random.default_rng(0)), activation="relu")
        for number, size in sizes.items()
    }
    found = latencies(modules, dataset, precision, rounds=2)
    assert 1 < found[0] < 0.5 * found[1]


def test_without_a_compiler_latency_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job.from_mapping({"search": {"constraints": ["latency<=500"]}})
    assert not job.training.latency
    assert job.measured().training.latency
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ExportError, match=r"no C compiler on this machine: none of \$CC, cc, gcc and clang"):
        c_compiler()
