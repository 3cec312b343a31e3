"""No output loses its last path, whatever the learning rate and the factors; in the fused loop and in torch alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from nas.errors import TrialError
from nas.graph import complete, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import DataConfig, Dataset, TrainingConfig, load_data, pinned_threads, train
from nas.training.compression.connectivity import Connectivity, closeness_of, lost_outputs
from nas.training.fused.trainer import ClosenessStep, FusedTrainer
from nas.training.loss_terms import structure_costs
from nas.training.reference import reference_step


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with pinned_threads(1):
        yield


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_data(DataConfig(source="addsub", samples=4000, period=5))


PUBLISHED: dict[str, Any] = {
    "parametrisation": "manifold",
    "readout": "linear",
    "batch_size": 50,
    "schedule": "constant",
    "losses": {"objective": 1e4, "flow": 1.0, "sparsity": 0.0},
}
DEADLY: dict[str, dict[str, Any]] = {
    "published rate": {"learning_rate": 1e-3},
    "rate x 10": {"learning_rate": 1e-2},
    "rate x 50": {"learning_rate": 5e-2},
    "sparsity": {"learning_rate": 1e-3, "losses": {"objective": 1e4, "flow": 1.0, "sparsity": 1e5}},
    "flow": {"learning_rate": 1e-3, "losses": {"objective": 1e4, "flow": 1e4, "sparsity": 0.0}},
}


def network(config: TrainingConfig, seed: int) -> ManifoldNetwork:
    """The published toy: 25 neurons, most of whose draws have no path to begin with."""
    rng = np.random.default_rng([seed, 0])
    return ManifoldNetwork(
        complete(5, 16, 4), parametrisation=config.parametrisation, readout=config.readout, generator=rng, period=5
    )


def configuration(case: str, **values: object) -> TrainingConfig:
    return TrainingConfig.model_validate(PUBLISHED | {"steps": 1500, "log_every": 1500} | DEADLY[case] | values)


def ends_without_a_path(case: str, how: str, seed: int, data: Dataset) -> bool:
    config = configuration(case, on_lost_output=how)
    net = network(config, seed)
    try:
        train(net, data, config, seed)
    except TrialError as error:
        if "lobotomised" not in str(error):
            raise
        return True
    return bool(lost_outputs(net.dag, net.live_mask()).size)


SEEDS = range(6)


@pytest.mark.parametrize("case", DEADLY)
def test_what_kills_most_seeds_never_ends_without_a_path(case: str, data: Dataset) -> None:
    assert sum(ends_without_a_path(case, "fail", seed, data) for seed in SEEDS) > len(SEEDS) / 2
    default = TrainingConfig().on_lost_output
    assert not any(ends_without_a_path(case, default, seed, data) for seed in SEEDS)


def test_restoring_alone_keeps_every_path_too(data: Dataset) -> None:
    assert not any(ends_without_a_path("rate x 10", "restore", seed, data) for seed in SEEDS)


@pytest.mark.parametrize("how", ["restore", "regrow"])
def test_torch_keeps_every_path_at_every_step(how: str, data: Dataset) -> None:
    config = configuration("rate x 50", on_lost_output=how)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    for seed in (0, 1):
        net = network(config, seed)
        step = reference_step(net, "regression", config, seed=seed)
        for k in range(60):
            step(x[50 * k : 50 * k + 50], y[50 * k : 50 * k + 50], config.learning_rate)
            assert not lost_outputs(net.dag, net.live_mask()).size


@pytest.mark.parametrize("how", ["restore", "regrow"])
def test_torch_and_the_fused_loop_repair_alike(how: str, data: Dataset) -> None:
    config = configuration("rate x 50", on_lost_output=how)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    seed, steps = 1, 12
    slow, fast = network(config, seed), network(config, seed)
    numbers = np.arange(50 * steps).reshape(steps, 50)
    step = reference_step(slow, "regression", config, seed=seed)
    for rows in numbers:
        step(x[rows], y[rows], config.learning_rate)
    watch = Connectivity(config.on_lost_output, seed)
    trainer = FusedTrainer(fast, data, config, structure_costs(config, fast.dag), threads=1, watched=True)
    done = 0
    while done < steps:
        report = trainer.run(numbers[done:], np.full(steps - done, config.learning_rate), np.full(steps - done, 0.5))
        done += report.steps
        if report.lost:
            watch.repair(trainer)
    watch.settle(trainer)
    trainer.write_back()
    assert watch.repairs >= 1
    np.testing.assert_allclose(closeness_of(fast), closeness_of(slow), rtol=1e-2, atol=1e-2)
    np.testing.assert_array_equal(fast.live_mask(), slow.live_mask())


def test_restoring_takes_back_only_what_the_strongest_paths_need() -> None:
    dag = random_dag(6, 30, 3, density=0.6, rng=np.random.default_rng(0))
    net = ManifoldNetwork(dag, parametrisation="masked", generator=np.random.default_rng(0))
    before = closeness_of(net)
    after = before + 0.01
    after[-1] = 20.0  # a cutoff that closes everything
    values, changed = Connectivity("restore", 0).repaired(net, ClosenessStep(before, after), 7)
    rows = changed[:-1].reshape(7, -1)
    assert (rows == rows[0]).all()
    assert 3 <= rows[0].sum() < 12  # the outputs, and a neuron or two before each
    assert rows[0][-3:].all()
    np.testing.assert_array_equal(values[changed], before[changed])
    np.testing.assert_array_equal(values[~changed], after[~changed])
    assert values[-1] == before[-1]
    assert not lost_outputs(dag, net.live_mask()).size


def test_a_start_without_a_path_is_drawn_again_and_said(data: Dataset) -> None:
    config = configuration("published rate", steps=1)
    seed = next(s for s in range(50) if lost_outputs((net := network(config, s)).dag, net.live_mask()).size)
    net = network(config, seed)
    history = train(net, data, config, seed)
    assert history.curves["repairs"].tolist() == [1.0]
    assert not lost_outputs(net.dag, net.live_mask()).size


def test_shaping_the_structure_may_end_before_the_training(data: Dataset) -> None:
    settings = {"learning_rate": 1e-2, "losses": {"flow": 0.0, "sparsity": 1.0}, "parametrisation": "masked"}
    config = configuration("flow", readout="activated", steps=300, log_every=50, structure_until=0.5, **settings)
    curves = train(network(config, 0), data, config, 0).curves
    assert curves["step"].tolist() == [50, 100, 150, 200, 250, 300]
    assert len(set(curves["live_edges"][3:])) == 1
    assert len(set(curves["sparsity"][3:].tolist())) == 1
    assert curves["sparsity"][0] > curves["sparsity"][2]
    assert curves["objective"][-1] < curves["objective"][2]
