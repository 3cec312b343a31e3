"""The fused loop against the same steps in torch: one step exactly, a hundred steps within float tolerance."""

import itertools

import numpy as np
import pytest
import torch

from nas.graph import complete, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import Dataset, LossWeights, TrainingConfig
from nas.training.fused.trainer import FusedTrainer
from nas.training.loss_terms import structure_costs
from nas.training.reference import reference_step


@pytest.fixture(autouse=True)
def as_many_threads_as_asked_for(monkeypatch):
    """Also where a network is so small that a second thread would not pay."""
    monkeypatch.setattr("nas.training.cost.work._THREAD_COST", 0.0)


def dataset(task, n_inputs=20, n_outputs=4, samples=300):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, n_inputs)).astype(np.float32)
    mixed = np.tanh(x @ rng.normal(size=(n_inputs, n_outputs)))
    y = mixed.argmax(axis=1) if task == "classification" else mixed.astype(np.float32)
    classes = tuple("abcd"[:n_outputs]) if task == "classification" else ()
    return Dataset("synthetic", task, x, y, x, y, x, y, classes=classes)


def network(parametrisation, activation="leaky_relu", readout="activated"):
    rng = np.random.default_rng(1)
    manifold = parametrisation == "manifold"
    dag = complete(20, 30, 4) if manifold else random_dag(20, 30, 4, density=0.5, rng=rng)
    made = ManifoldNetwork(
        dag, parametrisation=parametrisation, activation=activation, readout=readout, generator=rng, period=5
    )
    if parametrisation == "masked":  # some edges closed, so that dying and reviving is exercised
        with torch.no_grad():
            made.closeness.cutoff.fill_(0.5)
    return made


def both(
    parametrisation, task, steps, *, threads=1, activation="leaky_relu", batch=70, temperature=0.5, readout="activated",
    **settings,
):  # fmt: skip
    """The same training in torch and fused; returns (torch values, report), and the two networks."""
    config = TrainingConfig(batch_size=batch, **settings)
    data = dataset(task)
    slow, fast = (network(parametrisation, activation, readout) for _ in range(2))
    numbers = np.random.default_rng(2).integers(0, len(data.x_train), (steps, batch))
    rates = np.linspace(config.learning_rate, 0.1 * config.learning_rate, steps)
    step = reference_step(slow, task, config)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    for k in range(steps):
        values = step(x[numbers[k]], y[numbers[k]], rates[k], temperature=temperature)
    trainer = FusedTrainer(fast, data, config, structure_costs(config, fast.dag), threads=threads)
    assert trainer.ranks == min(threads, -(-batch // 16))  # races between threads need threads
    half = steps // 2
    temperatures = np.full(steps, temperature)
    if half:
        trainer.run(numbers[:half], rates[:half], temperatures[:half])
    report = trainer.run(numbers[half:], rates[half:], temperatures[half:])
    trainer.write_back()
    return values, report, slow, fast


LOSSES = LossWeights(objective=1.0, flow=1e-3, sparsity=0.3, time=0.1, memory=0.1)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("parametrisation", ["masked", "manifold", "free"])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_step_gives_the_same_gradient(parametrisation, task, threads):
    # plain gradient descent: the change of a parameter is its gradient
    check_one_step(parametrisation, task, threads=threads)


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.02])
@pytest.mark.parametrize("parametrisation", ["masked", "manifold"])
def test_one_step_at_other_temperatures_of_the_smooth_counts(parametrisation, temperature):
    check_one_step(parametrisation, "regression", temperature=temperature)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("parametrisation", ["masked", "manifold", "free"])
@pytest.mark.parametrize("readout", ["linear", "square"])
def test_one_step_of_outputs_that_read_linear_parts(readout, parametrisation, task):
    check_one_step(parametrisation, task, readout=readout, threads=2)


def check_one_step(parametrisation, task, **options):
    values, report, slow, fast = both(
        parametrisation, task, 1, optimizer="sgd", learning_rate=1e-2, losses=LOSSES, **options
    )
    assert report.steps == 1
    assert report.finite
    assert report.live == int(values.live.sum())
    assert report.objective == pytest.approx(float(values.objective), rel=1e-5)
    assert report.flow == pytest.approx(float(values.terms.flow), rel=1e-4, abs=1e-6)
    assert report.smooth_edges == pytest.approx(float(values.terms.smooth.sum()), rel=1e-5)
    assert report.total == pytest.approx(float(values.total), rel=1e-5)
    if task == "classification":
        right = (values.outputs.argmax(dim=1) == values.targets).float().mean()
        assert report.correct == pytest.approx(float(right))
    start = dict(network(parametrisation).named_parameters())
    for (name, expected), got in zip(slow.named_parameters(), fast.parameters(), strict=True):
        change = expected - start[name]
        scale = change.detach().abs().max().item()
        assert scale > 0, name
        torch.testing.assert_close((got - start[name]) / scale, change / scale, rtol=2e-3, atol=2e-3, msg=name)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("parametrisation", ["masked", "manifold", "free"])
def test_a_hundred_steps_stay_together(parametrisation, optimizer):
    values, report, slow, fast = both(
        parametrisation,
        "classification",
        100,
        threads=2,
        optimizer=optimizer,
        learning_rate=1e-3,
        weight_decay=0.01,
        losses=LossWeights(flow=1e-5, sparsity=0.01),
    )
    assert report.objective == pytest.approx(float(values.objective), rel=1e-2)
    assert report.live == pytest.approx(int(values.live.sum()), rel=0.02)
    start = network(parametrisation)
    moved = torch.cat([(a - b).flatten() for a, b in zip(slow.parameters(), start.parameters(), strict=True)])
    apart = torch.cat([(a - b).flatten() for a, b in zip(slow.parameters(), fast.parameters(), strict=True)])
    # Adam divides by the size of the gradient, so where that is rounding error the paths may part
    assert apart.detach().norm() < 0.05 * moved.detach().norm()


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu", "sin"])
def test_every_kind_of_activation(activation):
    values, report, *_ = both("free", "regression", 30, activation=activation, learning_rate=1e-2)
    assert report.objective == pytest.approx(float(values.objective), rel=1e-3)


@pytest.mark.parametrize("batch", [1, 16, 17, 64, 100])
def test_every_tiling(batch):
    values, report, *_ = both("free", "classification", 10, batch=batch, threads=2)
    assert report.objective == pytest.approx(float(values.objective), rel=1e-3)


@pytest.mark.parametrize("parametrisation", ["masked", "manifold"])
def test_a_frozen_structure_stays_while_the_rest_learns(parametrisation):
    config = TrainingConfig(batch_size=70, losses=LOSSES)
    data = dataset("regression")
    slow, fast = network(parametrisation), network(parametrisation)
    step = reference_step(slow, "regression", config)
    trainer = FusedTrainer(fast, data, config, structure_costs(config, fast.dag), threads=1)
    trainer.freeze_structure()
    numbers = np.random.default_rng(2).integers(0, 300, (5, 70))
    for rows in numbers:
        step(torch.from_numpy(data.x_train[rows]), torch.from_numpy(data.y_train[rows]), 1e-2, shaping=False)
    trainer.run(numbers, np.full(5, 1e-2))
    trainer.write_back()
    start = network(parametrisation)
    for name, got in fast.named_parameters():
        expected, before = slow.get_parameter(name), start.get_parameter(name)
        assert torch.equal(got, before) == name.startswith("closeness."), name
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


def test_same_threads_same_bits():
    runs = [both("masked", "classification", 40, threads=2)[3] for _ in range(2)]
    for one, two in zip(*(run.parameters() for run in runs), strict=True):
        assert torch.equal(one, two)


def test_stops_at_the_step_whose_loss_is_not_finite():
    config = TrainingConfig(optimizer="sgd", batch_size=50)
    data = dataset("regression")
    trainer = FusedTrainer(network("free"), data, config, structure_costs(config, network("free").dag), threads=2)
    assert trainer.ranks == 2
    numbers = np.random.default_rng(0).integers(0, 300, (50, 50))
    report = trainer.run(numbers, np.full(50, 1e12))
    assert not report.finite
    assert 1 < report.steps < 50
    assert trainer.steps_done == report.steps


def test_by_rows_is_the_same_walk(monkeypatch):
    monkeypatch.setattr("nas.engine.walks_by_rows", lambda *_: True)
    values, report, slow, fast = both("free", "classification", 20, threads=2, learning_rate=1e-2)
    assert report.objective == pytest.approx(float(values.objective), rel=1e-4)
    torch.testing.assert_close(fast.weight, slow.weight, rtol=1e-3, atol=1e-4)


def test_between_refreshes_edges_may_die_but_none_comes_alive():
    config = TrainingConfig(batch_size=64, learning_rate=1e-2, losses=LossWeights(sparsity=0.0))
    data = dataset("classification")
    net = network("manifold")
    trainer = FusedTrainer(net, data, config, structure_costs(config, net.dag), threads=1, refresh=10)
    numbers = np.random.default_rng(0).integers(0, 300, (100, 64))
    masks = []
    for step in range(100):
        trainer.run(numbers[step : step + 1], np.full(1, 1e-2))
        masks.append(trainer.live_mask())
    # chunks of sixteen edges are the unit: within a live one, edges may come back
    grown = [int((after & ~before).sum()) for before, after in itertools.pairwise(masks)]
    at_refresh = sum(grown[9::10])
    between = sum(grown) - at_refresh
    assert at_refresh > 0
    assert at_refresh / 10 > between / 90
