"""A trial from candidate to result: complete with every metric, or failed with a reason, never an exception."""

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from nas.graph import DAG, mutate, random_dag
from nas.manifold import ManifoldNetwork, inherit
from nas.training import (
    Candidate,
    Dataset,
    Genome,
    LossWeights,
    TrainingConfig,
    TrialStatus,
    evaluate,
    pinned_threads,
    run_trial,
)
from nas.training import _trial as trial_module

CONFIG = TrainingConfig(steps=80, batch_size=32, learning_rate=0.01, log_every=20)

METRICS = {
    "val_loss", "val_error", "val_accuracy", "test_loss", "test_error", "test_accuracy", "edges", "density", "depth",
    "val_score", "neurons", "flash", "ram", "cycles", "flow", "smooth_edges", "train_step_seconds", "inference_seconds",
    "inference_spread", "reference_seconds", "train_bytes", "predicted_train_step_seconds",
    "predicted_inference_seconds", "predicted_train_bytes",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with pinned_threads(1):
        yield


@pytest.fixture(autouse=True)
def _short_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "TIMING_SECONDS", 0.01)
    monkeypatch.setattr(trial_module, "reference_kernel_seconds", lambda threads: 1e-3)


def blobs() -> Dataset:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = (rng.normal(size=(400, 5)) + 3 * np.eye(5)[y]).astype(np.float32)
    parts = (x[:300], y[:300], x[300:350], y[300:350], x[350:], y[350:])
    return Dataset("blobs", "classification", *parts, classes=("a", "b", "c"))


def graph(seed: int = 0) -> DAG:
    return random_dag(5, 15, 3, density=0.7, rng=np.random.default_rng(seed))


def candidate(**values: object) -> Candidate:
    defaults: dict[str, object] = {"number": 7, "genome": Genome(graph()), "seed": 3, "steps": 80}
    return Candidate(**(defaults | values))  # type: ignore[arg-type]


def test_a_complete_result_has_everything() -> None:
    result = run_trial(candidate(), blobs(), CONFIG)
    assert result.status is TrialStatus.COMPLETE, result.reason
    assert result.number == 7
    assert set(result.metrics) == METRICS
    assert all(isinstance(value, float) and np.isfinite(value) for value in result.metrics.values())
    assert result.metrics["test_accuracy"] > 0.9
    assert result.metrics["train_step_seconds"] > 0
    assert result.metrics["inference_seconds"] > 0
    assert result.history["step"].tolist() == [20, 40, 60, 80]
    assert result.hardware["threads"] == torch.get_num_threads()
    assert result.seconds > 0
    assert ":" in result.worker
    assert pickle.loads(pickle.dumps(result)).dag == result.dag  # Ray sends it


def test_dag_and_arrays_of_the_result_are_the_network_that_was_measured() -> None:
    data = blobs()
    config = CONFIG.model_copy(update={"losses": LossWeights(sparsity=0.5)})
    result = run_trial(candidate(), data, config)
    assert result.dag is not None, result.reason
    net = ManifoldNetwork.from_arrays(result.dag, result.arrays, activation=config.activation)
    found = evaluate(net, data.x_test, data.y_test, data.task)
    assert found["loss"] == pytest.approx(result.metrics["test_loss"], rel=1e-5)
    dag = result.dag
    assert dag.n == graph().n
    assert dag.n_edges == result.metrics["edges"] < graph().n_edges
    assert result.metrics["density"] == pytest.approx(net.fold().dag.density)
    useful = dag.useful_neurons()
    assert useful[dag.sources].all()
    assert useful[dag.targets].all()
    assert net.live_mask().all()


def test_a_trial_repeats_itself() -> None:
    first, second, other = (run_trial(candidate(seed=seed), blobs(), CONFIG) for seed in (1, 1, 2))
    for name in first.arrays:
        np.testing.assert_array_equal(first.arrays[name], second.arrays[name])
    assert first.metrics["test_loss"] == second.metrics["test_loss"] != other.metrics["test_loss"]


def test_a_child_starts_where_its_parent_ended() -> None:
    data = blobs()
    parent = run_trial(candidate(), data, CONFIG)
    assert parent.dag is not None
    rng = np.random.default_rng(0)
    dag = mutate(parent.dag, rng, operators={"add_edges": 1.0, "add_neurons": 1.0}, count=4).dag
    inherited = inherit(parent.dag, parent.arrays, dag, rng)
    child = run_trial(candidate(genome=Genome(dag), steps=0, inherited=inherited, parent=7), data, CONFIG)
    assert child.status is TrialStatus.COMPLETE, child.reason
    assert child.metrics["test_loss"] == pytest.approx(parent.metrics["test_loss"], rel=1e-4)
    assert child.history == {}


def test_hyperparameters_of_the_genome_override_the_job() -> None:
    genome = Genome(graph(), {"parametrisation": "free", "losses.flow": 0.0, "log_every": 40})
    result = run_trial(candidate(genome=genome), blobs(), CONFIG)
    assert "alpha" not in result.arrays
    assert result.history["step"].tolist() == [40, 80]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"genome": Genome(graph(), {"learning_rate": -1.0})}, "hyperparameters do not fit .*learning_rate: .*greater"),
        ({"genome": Genome(graph(), {"lerning_rate": 1.0})}, "hyperparameters do not fit .*lerning_rate: Extra inputs"),
        ({"genome": Genome(graph(), {"loses.flow": 1.0})}, "KeyError: 'loses'"),
        ({"genome": Genome(graph(), {"activation": "step"})}, "activation must be one of .*, but got 'step'"),
        (
            {"genome": Genome(graph(), {"learning_rate": 1e6, "optimizer": "sgd", "parametrisation": "free"})},
            "diverged: the loss must stay finite",
        ),
        (
            {"genome": Genome(graph(), {"losses.sparsity": 100.0, "on_lost_output": "fail"}), "steps": 400},
            "lobotomised: at step",
        ),
        ({"inherited": {"weight": np.zeros(3)}}, "a masked network needs the arrays alpha"),
        ({"genome": Genome(random_dag(4, 5, 3, density=0.7, rng=np.random.default_rng(0)))}, "blobs needs 5 inputs"),
    ],
)
def test_whatever_goes_wrong_is_a_failed_result_with_its_reason(values: dict[str, object], reason: str) -> None:
    result = run_trial(candidate(**values), blobs(), CONFIG)
    assert result.status is TrialStatus.FAILED
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(result.reason)
    assert result.dag is None
    assert result.seconds > 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [(MemoryError("of 9 GiB"), "out of memory: of 9 GiB"), (ZeroDivisionError("why"), "ZeroDivisionError: why")],
)
def test_errors_from_below_fail_the_trial(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(trial_module, "train_until", broken)
    result = run_trial(candidate(), blobs(), CONFIG)
    assert (result.status, result.reason) == (TrialStatus.FAILED, reason)


def test_digits_are_learned() -> None:
    from nas.training import DataConfig, load_data

    dag = random_dag(64, 60, 10, density=0.4, rng=np.random.default_rng(0))
    result = run_trial(Candidate(0, Genome(dag), 0, 1000), load_data(DataConfig(source="digits")), TrainingConfig())
    assert result.status is TrialStatus.COMPLETE, result.reason
    assert result.metrics["test_accuracy"] >= 0.95  # five seeds: 0.957 to 0.972
    assert result.metrics["edges"] < dag.n_edges
