"""The GPU's training kernel, on the simulator, against the processor's fused loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.engine.cuda import SimulatedGPU
from nas.graph import complete, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import Dataset, LossWeights, SparsifyConfig, TrainingConfig
from nas.training._order import keyed_batches
from nas.training._population import Member, train_population
from nas.training.fused.trainer import FusedTrainer
from nas.training.gpu.data import GPUData
from nas.training.gpu.trainer import GPUTrainer, Steps, run_together, team_for
from nas.training.loss_terms import structure_costs

ONE_BLOCK, TEAM = SimulatedGPU(multiprocessors=1), SimulatedGPU(multiprocessors=4, order="shuffled")


def dataset(task, n_inputs=20, n_outputs=4):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, n_inputs)).astype(np.float32)
    if task == "classification":
        return Dataset("s", task, x, y := rng.integers(n_outputs, size=300), x, y, x, y, classes=tuple("abcd"))
    y = (x[:, :n_outputs] * x[:, 1 : n_outputs + 1]).astype(np.float32)
    return Dataset("s", task, x, y, x, y, x, y)


def network(parametrisation, activation="leaky_relu", readout="activated", density=0.5):
    rng = np.random.default_rng(1)
    manifold = parametrisation == "manifold"
    dag = complete(20, 30, 4) if manifold else random_dag(20, 30, 4, density=density, rng=rng)
    made = ManifoldNetwork(
        dag, parametrisation=parametrisation, activation=activation, readout=readout, generator=rng, period=5
    )
    if parametrisation == "masked":  # some edges closed, so that dying and reviving is exercised
        with torch.no_grad():
            made.closeness.cutoff.fill_(0.5)
    return made


LOSSES = LossWeights(objective=1.0, flow=1e-3, sparsity=0.3, time=0.1, memory=0.1)


def both(gpu, make, task, steps, *, batch=70, temperature=None, **configured):
    """The same training on the processor and on the GPU; returns reports, trainers and the networks with the start."""
    config = TrainingConfig(**{"batch_size": batch, "losses": LOSSES, "learning_rate": 1e-3, **configured})
    data = dataset(task)
    slow, fast, start = make(), make(), make()
    numbers = np.random.default_rng(2).integers(0, 300, (steps, batch))
    rates = np.linspace(1.0, 0.1, steps) * config.learning_rate
    temperatures = None if temperature is None else np.full(steps, temperature)
    costs = structure_costs(config, slow.dag)
    one = FusedTrainer(slow, data, config, costs, threads=1, watched=True)
    two = GPUTrainer(fast, GPUData(gpu, data), config, costs, watched=True)
    reports = one.run(numbers, rates, temperatures), two.run(numbers, rates, temperatures)
    one.write_back()
    two.write_back()
    return reports, (one, two), (slow, fast, start)


def same(reports, networks, tolerance):
    wanted, got = reports
    for name in ("objective", "smooth_edges", "correct"):
        assert getattr(got, name) == pytest.approx(getattr(wanted, name), rel=tolerance, abs=1e-6), name
    # The flow is the square of a difference of two sums of some hundred.
    assert got.flow**0.5 == pytest.approx(wanted.flow**0.5, rel=tolerance, abs=200 * tolerance)
    flow_apart = LOSSES.flow * (got.flow - wanted.flow)
    assert got.total - flow_apart == pytest.approx(wanted.total, rel=tolerance)
    assert (got.steps, got.finite, got.lost, got.live) == (wanted.steps, wanted.finite, wanted.lost, wanted.live)
    slow, fast, start = networks
    for (name, a), b, begin in zip(slow.named_parameters(), fast.parameters(), start.parameters(), strict=True):
        moved = (a - begin).detach()
        scale = max(float(moved.abs().max()), 1e-9)
        apart = float((a - b).detach().abs().max()) / scale
        assert apart < 10 * tolerance, (name, apart)


KINDS = [("free", "activated"), ("masked", "activated"), ("manifold", "activated"), ("manifold", "linear"),
         ("manifold", "square")]  # fmt: skip


@pytest.mark.parametrize("gpu", [ONE_BLOCK, TEAM], ids=["one block", "team"])
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize(("parametrisation", "readout"), KINDS)
def test_one_step_gives_the_same_gradient(gpu, parametrisation, readout, task):
    def make():
        return network(parametrisation, readout=readout)

    reports, trainers, networks = both(gpu, make, task, 1, optimizer="sgd", learning_rate=1e-2, temperature=0.3)
    same(reports, networks, 1e-4)
    assert np.array_equal(trainers[0].live_mask(), trainers[1].live_mask())


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("parametrisation", ["free", "masked", "manifold"])
def test_steps_stay_together(parametrisation, optimizer):
    mild = LossWeights(flow=1e-5, sparsity=0.01)
    (wanted, got), trainers, (slow, fast, start) = both(
        TEAM,
        lambda: network(parametrisation),
        "classification",
        12,
        optimizer=optimizer,
        weight_decay=0.01,
        losses=mild,
    )
    assert got.objective == pytest.approx(wanted.objective, rel=1e-3)
    assert got.live == pytest.approx(wanted.live, rel=0.02)
    before, one, two = (
        np.concatenate([p.detach().numpy().ravel() for p in n.parameters()]) for n in (start, slow, fast)
    )
    assert np.linalg.norm(two - one) < 0.02 * np.linalg.norm(one - before)
    for one, two in zip(*(trainer.state.moments for trainer in trainers), strict=True):
        assert np.linalg.norm(two - one) <= 0.02 * np.linalg.norm(one)


@settings(max_examples=10)
@given(
    sizes=st.tuples(st.integers(4, 20), st.integers(0, 30), st.integers(2, 4)),
    density=st.floats(0.1, 1.0),
    batch=st.sampled_from([1, 31, 32, 65, 130]),
    parametrisation=st.sampled_from(["free", "masked", "manifold"]),
    activation=st.sampled_from(["relu", "tanh", "silu"]),
    shared=st.sampled_from([227 * 1024, 20_000, 4_000]),
    blocks=st.sampled_from([1, 3]),
    seed=st.integers(0, 100),
)
def test_random_networks(sizes, density, batch, parametrisation, activation, shared, blocks, seed):
    n_inputs, _, n_outputs = sizes
    rng = np.random.default_rng(seed)
    dag = random_dag(*sizes, density=density, rng=rng)
    x = rng.normal(size=(200, n_inputs)).astype(np.float32)
    y = rng.normal(size=(200, n_outputs)).astype(np.float32)
    data = Dataset("s", "regression", x, y, x, y, x, y)
    config = TrainingConfig(optimizer="sgd", learning_rate=1e-3, losses=LossWeights(flow=1e-6, sparsity=0.1))
    numbers = rng.integers(0, 200, (1, batch))
    config = config.model_copy(update={"batch_size": batch})
    gpu = SimulatedGPU(multiprocessors=blocks, shared_bytes=shared, order="shuffled", seed=seed)
    found = []
    for kind in (FusedTrainer, GPUTrainer):
        made = ManifoldNetwork(
            dag, parametrisation=parametrisation, activation=activation, generator=np.random.default_rng(seed)
        )
        costs = structure_costs(config, dag)
        trainer = (
            FusedTrainer(made, data, config, costs, threads=1)
            if kind is FusedTrainer
            else GPUTrainer(made, GPUData(gpu, data), config, costs)
        )
        report = trainer.run(numbers, np.full(1, 1e-3))
        trainer.write_back()
        # Next to the wave's floor the slope in its angle is a rounding error divided by a millionth.
        steady = [p for name, p in made.named_parameters() if not name.endswith(("theta", "phi"))]
        found.append((report, np.concatenate([p.detach().numpy().ravel() for p in steady])))
    (wanted, a), (got, b) = found
    assert got.objective == pytest.approx(wanted.objective, rel=1e-4)
    np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4)


def test_many_networks_in_one_launch_end_as_alone():
    data = GPUData(ONE_BLOCK, dataset("classification"))
    config = TrainingConfig(batch_size=50, losses=LOSSES)
    kinds = ["free", "masked", "manifold", "free"]

    def trainers():
        made = [network(kind, density=0.2 + 0.2 * k) for k, kind in enumerate(kinds)]
        return [GPUTrainer(net, data, config, structure_costs(config, net.dag), seed=k) for k, net in enumerate(made)]

    together, alone = trainers(), trainers()
    counts = [5, 3, 4, 2]
    reports = run_together(
        [Steps(each, None, np.full(n, 1e-3), None) for each, n in zip(together, counts, strict=True)]
    )
    for each, report, n in zip(alone, reports, counts, strict=True):
        assert each.run(None, np.full(n, 1e-3)) == report
    for one, two in zip(together, alone, strict=True):
        one.write_back()
        two.write_back()
        assert all(torch.equal(a, b) for a, b in zip(one.network.parameters(), two.network.parameters(), strict=True))


def test_the_order_of_samples_is_the_same_on_both_sides():
    data = dataset("classification")
    config = TrainingConfig(batch_size=70, optimizer="adam")
    ends = []
    for numbers in (None, keyed_batches(300, 70, 9, 0, 6)):
        net = network("free")
        trainer = GPUTrainer(net, GPUData(ONE_BLOCK, data), config, structure_costs(config, net.dag), seed=9)
        trainer.run(None if numbers is None else numbers[:2], np.full(2, 1e-2))
        trainer.run(None if numbers is None else numbers[2:], np.full(4, 1e-2))
        trainer.write_back()
        ends.append(net.weight.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize("count", [1, 2, 5, 64, 300, 1797])
def test_every_epoch_is_a_permutation_of_its_own(count):
    epochs = [keyed_batches(count, count, 3, epoch, 1)[0] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert count < 5 or not np.array_equal(epochs[0], epochs[1])
    assert count < 5 or not np.array_equal(epochs[0], keyed_batches(count, count, 4, 0, 1)[0])


def test_the_order_of_threads_changes_no_bit():
    ends = []
    for order in ("ascending", "descending", "shuffled"):
        gpu = SimulatedGPU(multiprocessors=3, order=order)
        net = network("manifold")
        config = TrainingConfig(batch_size=70, losses=LOSSES)
        trainer = GPUTrainer(net, GPUData(gpu, dataset("classification")), config, structure_costs(config, net.dag))
        trainer.run(None, np.full(4, 1e-2))
        trainer.write_back()
        ends.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.equal(ends[0], ends[1]) and torch.equal(ends[0], ends[2])


def test_stops_at_the_step_whose_loss_is_not_finite():
    config = TrainingConfig(optimizer="sgd", batch_size=50)
    net = network("free")
    trainer = GPUTrainer(net, GPUData(TEAM, dataset("regression")), config, structure_costs(config, net.dag))
    report = trainer.run(None, np.full(50, 1e12))
    assert not report.finite
    assert 1 < report.steps < 50
    assert trainer.steps_done == report.steps


def test_stops_before_a_step_without_a_path_to_some_output():
    config = TrainingConfig(batch_size=50)
    for gpu in (ONE_BLOCK, TEAM):
        net = network("masked")
        trainer = GPUTrainer(
            net, GPUData(gpu, dataset("classification")), config, structure_costs(config, net.dag), watched=True
        )
        assert trainer.run(None, np.full(3, 1e-3)).steps == 3
        closed = trainer.closeness_step().after.copy()
        before = closed.copy()
        closed[-1] = 8.0  # a cutoff next to 1: nothing is live
        trainer.set_closeness(closed, closed != before)
        assert trainer.loses_output()
        report = trainer.run(None, np.full(3, 1e-3))
        assert report.lost and report.finite and report.steps == 0
        trainer.set_closeness(before, closed != before)
        assert trainer.run(None, np.full(3, 1e-3)).steps == 3


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_population_learns_on_the_gpu_what_it_learns_on_the_processor(task):
    data = dataset(task)
    sparsify = SparsifyConfig(edges=100, start=0.2, end=0.6, every=10)
    configs = [
        TrainingConfig(steps=60, batch_size=50, log_every=20, learning_rate=1e-2, losses=LossWeights(sparsity=0.1)),
        TrainingConfig(steps=40, batch_size=50, log_every=20, parametrisation="free", sparsify=sparsify),
        TrainingConfig(steps=30, batch_size=50, log_every=20, input_noise=0.1, losses=LossWeights(objective=0.0)),
        TrainingConfig(steps=40, batch_size=50, log_every=20, learning_rate=1e20, optimizer="sgd"),
        TrainingConfig(steps=0, batch_size=50, parametrisation="free"),  # a mean of networks, say
    ]
    results = []
    for gpu in (None, ONE_BLOCK):
        members = [
            Member(network("free" if config.parametrisation == "free" else "masked"), config, seed)
            for seed, config in enumerate(configs)
        ]
        results.append((members, train_population(members, data, threads=2, gpu=gpu)))
    (slow, wanted), (fast, got) = results
    for k in range(3):
        assert list(got[k][0].curves) == list(wanted[k][0].curves)
        assert np.array_equal(got[k][0].curves["step"], wanted[k][0].curves["step"])
        # the samples come in another order, so the batches are others
        ends = [each[k][0].curves["objective"][-1] for each in (wanted, got)]
        assert ends[1] == pytest.approx(ends[0], rel=0.5)
        assert fast[k].network.dag.n_edges == slow[k].network.dag.n_edges
    assert fast[1].network.dag.n_edges <= 100
    assert "diverged" in str(got[3]) and "diverged" in str(wanted[3])
    assert got[4][0].curves == wanted[4][0].curves == {}
    assert torch.equal(fast[4].network.weight, slow[4].network.weight)


def test_blocks_of_a_team():
    gpu = SimulatedGPU(multiprocessors=132)
    assert team_for(2_000, 128, 1, gpu) == 4  # a block a tile of the batch
    assert team_for(190_000, 50, 1, gpu) == 47  # closeness of many edges is shared too
    assert team_for(190_000, 50, 10, gpu) == 13
    assert team_for(190_000, 50, 1_000, gpu) == 1
