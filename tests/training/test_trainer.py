"""Training: it learns, repeats itself from a seed, logs what happens, and stops with a reason when it must."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from nas.errors import TrialError
from nas.graph import DAG, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import Dataset, LossWeights, TrainingConfig, evaluate, pinned_threads, train
from nas.training.fused.trainer import FusedTrainer


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with pinned_threads(1):
        yield


def blobs(seed: int = 0) -> Dataset:
    """Three classes, well apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 400)
    x = (rng.normal(size=(400, 5)) + 3 * np.eye(5)[y]).astype(np.float32)
    parts = (x[:300], y[:300], x[300:350], y[300:350], x[350:], y[350:])
    return Dataset("blobs", "classification", *parts, classes=("a", "b", "c"))


def sums(seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    y = np.stack([x[:, 0] + x[:, 1], x[:, 2] - x[:, 3], x[:, 4]], axis=1)
    return Dataset("sums", "regression", x[:200], y[:200], x[200:250], y[200:250], x[250:], y[250:])


def network(parametrisation: str = "masked", seed: int = 0, dag: DAG | None = None) -> ManifoldNetwork:
    dag = dag or random_dag(5, 15, 3, density=0.7, rng=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    return ManifoldNetwork(dag, parametrisation=parametrisation, generator=rng)  # type: ignore[arg-type]


def config(**values: object) -> TrainingConfig:
    return TrainingConfig.model_validate({"steps": 60, "batch_size": 32, "log_every": 20} | values)


@pytest.mark.parametrize("parametrisation", ["masked", "free"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_learns_to_classify(parametrisation: str, optimizer: str) -> None:
    data, net = blobs(), network(parametrisation)
    train(net, data, config(learning_rate=0.02, optimizer=optimizer, steps=150), seed=0)
    assert evaluate(net, data.x_test, data.y_test, "classification")["accuracy"] > 0.9


def test_learns_to_regress() -> None:
    data, net = sums(), network()
    history = train(net, data, config(steps=300, learning_rate=0.01), seed=0)
    assert evaluate(net, data.x_test, data.y_test, "regression")["error"] < 0.05
    assert history.curves["train_mse"][-1] < history.curves["train_mse"][0]


def test_curves_have_one_length_and_end_at_the_last_step() -> None:
    logged = []
    history = train(
        network(), blobs(), config(steps=50), seed=0, on_log=lambda step, values: logged.append((step, dict(values)))
    )
    curves = history.curves
    assert curves["step"].tolist() == [20, 40, 50]
    assert {len(curve) for curve in curves.values()} == {3}
    assert set(curves) == {
        "step", "objective", "flow", "sparsity", "total", "train_accuracy", "live_edges", "density", "learning_rate",
        "temperature", "repairs", "val_loss", "val_accuracy",
    }  # fmt: skip
    assert [step for step, _ in logged] == [20, 40, 50]
    assert logged[-1][1]["total"] == curves["total"][-1]


@pytest.mark.parametrize("samples", [40, 1700])
def test_the_loss_on_the_validation_part_is_in_the_curves_at_about_ten_points(samples: int) -> None:
    data = blobs()
    many = np.arange(samples) % len(data.x_val)
    data = replace(data, x_val=data.x_val[many], y_val=data.y_val[many])
    net = network()
    curves = train(net, data, config(steps=200, log_every=5), seed=0).curves
    looked = np.flatnonzero(np.isfinite(curves["val_loss"]))
    assert len(curves["step"]) == 40 and curves["step"][looked].tolist() == [*range(20, 201, 20)]
    every = {40: 1, 1700: 4}[samples]  # at most 500 samples
    expected = evaluate(net, data.x_val[::every], data.y_val[::every], "classification")
    assert curves["val_loss"][-1] == pytest.approx(expected["loss"], rel=1e-5)
    assert curves["val_accuracy"][-1] == pytest.approx(expected["accuracy"])
    assert (np.isfinite(curves["val_accuracy"]) == np.isfinite(curves["val_loss"])).all()


def test_quality_on_validation_and_test_parts_is_in_the_curves_where_it_was_asked_for() -> None:
    data, net = blobs(), network()
    curves = train(net, data, config(steps=60, log_every=20, evaluate_every=30), seed=0).curves
    assert curves["step"].tolist() == [20, 30, 40, 60]
    assert np.isnan(curves["test_accuracy"]).tolist() == [True, False, True, False]
    assert curves["test_accuracy"][-1] == evaluate(net, data.x_test, data.y_test, "classification")["accuracy"]
    assert curves["val_accuracy"][-1] == evaluate(net, data.x_val, data.y_val, "classification")["accuracy"]
    regression = train(network(), sums(), config(steps=20, evaluate_every=20), seed=0).curves
    assert regression["test_error"][-1] > 0


def test_total_is_the_weighted_sum_of_the_terms() -> None:
    weights = LossWeights(objective=2.0, flow=0.01, sparsity=0.5, time=0.0, memory=0.0)
    curves = train(network(), blobs(), config(losses=weights), seed=0).curves
    expected = 2.0 * curves["objective"] + 0.01 * curves["flow"] + 0.5 * curves["sparsity"]
    np.testing.assert_allclose(curves["total"], expected, rtol=1e-5)


@pytest.mark.parametrize("term", ["time", "memory"])
def test_time_and_memory_terms_lower_the_edge_count(term: str) -> None:
    ends = []
    for factor in (0.0, 300.0):
        net = network(seed=1, dag=random_dag(5, 30, 3, density=0.9, rng=np.random.default_rng(1)))
        weights = LossWeights(objective=1.0, flow=0.0, sparsity=0.0, **{term: factor})
        train(net, blobs(), config(losses=weights, learning_rate=0.01, steps=100), seed=0)
        ends.append(net.live_mask().sum())
    assert ends[1] < 0.95 * ends[0]


def test_same_seed_same_network_and_other_seed_another() -> None:
    ends = []
    for seed in (1, 1, 2):
        net = network()
        train(net, blobs(), config(), seed)
        ends.append(net.to_arrays())
    for name in ends[0]:
        np.testing.assert_array_equal(ends[0][name], ends[1][name])
    assert not np.array_equal(ends[0]["weight"], ends[2]["weight"])


def test_cosine_schedule_goes_from_the_rate_to_nearly_nothing_and_constant_stays() -> None:
    cosine = train(network(), blobs(), config(learning_rate=0.01, log_every=1), seed=0).curves["learning_rate"]
    assert cosine[0] == 0.01
    assert (np.diff(cosine) < 0).all()
    assert cosine[30] == pytest.approx(0.005)
    assert cosine[-1] < 1e-5
    constant = train(network(), blobs(), config(schedule="constant"), seed=0).curves["learning_rate"]
    assert len(set(constant.tolist())) == 1


def test_an_epoch_shows_every_sample_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    data = sums()
    run = FusedTrainer.run

    def spy(self: FusedTrainer, numbers: np.ndarray, rates: np.ndarray, temperatures: np.ndarray) -> object:
        seen.extend(numbers.ravel().tolist())
        return run(self, numbers, rates, temperatures)

    monkeypatch.setattr(FusedTrainer, "run", spy)
    train(network(), data, config(steps=10, batch_size=20), seed=0)
    assert sorted(seen) == list(range(len(data.x_train)))


def test_no_steps_leave_the_network_as_it_is() -> None:
    net = network()
    before = net.to_arrays()
    assert train(net, blobs(), config(steps=0), seed=0).curves == {}
    for name, value in net.to_arrays().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    train(network(), blobs(), config(steps=2, batch_size=10_000), seed=0)


def test_divergence_stops_with_its_step() -> None:
    with pytest.raises(
        TrialError, match=r"diverged: the loss must stay finite, but is \w+ at step \d+ .*learning_rate"
    ):
        train(network("free"), sums(), config(learning_rate=1e6, optimizer="sgd", schedule="constant"), seed=0)


def test_a_lost_output_stops_with_its_name_where_that_is_asked_for() -> None:
    weights = LossWeights(objective=0.0, flow=0.0, sparsity=1.0)
    settings = config(losses=weights, learning_rate=0.3, steps=400, schedule="constant", on_lost_output="fail")
    with pytest.raises(TrialError, match=r"lobotomised: at step \d+ no live path from any input reaches output \d+"):
        train(network(), blobs(), settings, seed=0)


def test_refuses_data_of_another_width() -> None:
    dag = random_dag(4, 5, 3, density=0.7, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="blobs needs 5 inputs and 3 outputs, but the network has 4 and 3"):
        train(network(dag=dag), blobs(), config(), seed=0)
