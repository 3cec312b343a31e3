"""Cutting while training: the budget is met exactly, nothing is cut off, moments move along, seeds repeat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pydantic
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.graph import DAG, complete, layered, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import (
    Candidate,
    Dataset,
    Genome,
    SparsifyConfig,
    TrainingConfig,
    TrialStatus,
    evaluate,
    pinned_threads,
    run_trial,
    train,
)
from nas.training.compression.cuts import Sparsifier, _backbone, _shortest_first, balanced_scores, strongest
from nas.training.fused.trainer import FusedTrainer
from nas.training.loss_terms import structure_costs


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with pinned_threads(1):
        yield


def blobs() -> Dataset:
    """Three classes, well apart."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    x = (rng.normal(size=(400, 8)) + 3 * np.eye(8)[y]).astype(np.float32)
    parts = (x[:300], y[:300], x[300:350], y[300:350], x[350:], y[350:])
    return Dataset("blobs", "classification", *parts, classes=("a", "b", "c"))


def network(parametrisation: str = "free", dag: DAG | None = None) -> ManifoldNetwork:
    rng = np.random.default_rng(0)
    return ManifoldNetwork(dag or complete(8, 12, 3), parametrisation=parametrisation, generator=rng)  # type: ignore[arg-type]


def config(steps: int = 200, **sparsify: object) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "steps": steps,
            "batch_size": 32,
            "log_every": 10,
            "parametrisation": "free",
            "learning_rate": 0.01,
            "losses": {"flow": 0, "sparsity": 0},
            "sparsify": {"edges": 20, "every": 7} | sparsify,
        }
    )


@pytest.mark.parametrize("parametrisation", ["free", "masked"])
def test_ends_with_exactly_the_budget_and_every_edge_on_a_path(parametrisation: str) -> None:
    data, net = blobs(), network(parametrisation)
    before = net.dag
    history = train(net, data, config(), seed=0)
    live = net.dag.with_edges(net.live_mask())
    assert net.dag.n_edges == 20
    assert live.unreachable_outputs() == ()
    useful = net.dag.useful_neurons()
    assert useful[net.dag.sources].all()
    assert useful[net.dag.targets].all()
    assert {tuple(edge) for edge in net.dag.edges} <= {tuple(edge) for edge in before.edges}
    assert (np.diff(history.curves["live_edges"]) <= 0).all()


def test_a_manifold_is_cut_to_the_budget_by_closeness() -> None:
    data, net = blobs(), network("manifold")
    with torch.no_grad():  # all edges open
        assert net.closeness is not None
        net.closeness.cutoff.fill_(-8.0)
    train(net, data, config(steps=60, every=20).model_copy(update={"learning_rate": 1e-3}), seed=0)
    assert net.dag.n_edges == 20
    assert net.dag.unreachable_outputs() == ()


def test_cut_networks_still_learn() -> None:
    data, net = blobs(), network()
    train(net, data, config(steps=400), seed=0)
    assert evaluate(net, data.x_test, data.y_test, "classification")["accuracy"] > 0.9


def test_edges_follow_the_cubic_schedule() -> None:
    net = network()
    chosen = config(start=0.1, end=0.6, edges=20)
    sparsifier = Sparsifier(net, blobs(), chosen, np.random.default_rng(0))
    full = net.dag.n_edges
    assert sparsifier.edges_at(20) == full
    assert sparsifier.edges_at(70) == round(20 + (full - 20) / 8)
    assert sparsifier.edges_at(120) == sparsifier.edges_at(200) == 20
    steps = [0]
    while (following := sparsifier.next_event(steps[-1])) <= 200:
        steps.append(following)
    assert steps == [0, *range(20, 120, 7), 120]


def test_share_counts_from_the_candidates_edges() -> None:
    net = network()
    edges = net.dag.n_edges
    train(net, blobs(), config(edges=None, share=0.25), seed=0)
    assert net.dag.n_edges == round(0.25 * edges)


@pytest.mark.parametrize("budget", [30, 60, 100])
def test_a_network_that_grows_may_end_with_more_edges_than_it_began_with(budget: int) -> None:
    """The budget counts from what there is once edges have come, not from what there was before."""
    net = network(dag=random_dag(8, 6, 3, density=0.3, rng=np.random.default_rng(0)))
    before = net.dag
    assert 30 < before.n_edges < 60 and before.usable_cells >= 100
    train(net, blobs(), config(edges=budget, grow=2.0), seed=0)
    if budget <= 60:
        assert net.dag.n_edges == budget
    else:  # edges of neurons that do nothing have no gradient, so fewer may come than there is room for
        assert 60 < net.dag.n_edges <= min(budget, 3 * before.n_edges)
    came = {tuple(edge) for edge in net.dag.edges.tolist()} - {tuple(edge) for edge in before.edges.tolist()}
    assert came
    share = network(dag=before)
    train(share, blobs(), config(edges=None, share=1.0, grow=2.0), seed=0)
    assert share.dag.n_edges == before.n_edges  # a share is one of the first edges


def test_weights_and_moments_move_along() -> None:
    data, net, chosen = blobs(), network(), config(edges=40)
    trainer = FusedTrainer(net, data, chosen, structure_costs(chosen, net.dag), threads=1)
    sparsifier = Sparsifier(net, data, chosen, np.random.default_rng(0))
    numbers = np.random.default_rng(0).integers(0, 300, (30, 32))
    trainer.run(numbers, np.full(30, 0.01))
    before, weights = trainer.state, net.weight
    after = sparsifier.cut(trainer, 60)
    kept = {tuple(edge): k for k, edge in enumerate(net.dag.edges)}
    old = [kept[tuple(edge)] for edge in after.network.dag.edges]
    assert 40 <= len(old) < net.dag.n_edges
    assert weights is not None
    assert after.network.weight is not None
    assert torch.equal(after.network.weight, weights[old])
    assert torch.equal(after.network.bias, net.bias)
    assert after.state.steps == 30
    m = net.dag.n - net.dag.n_inputs
    np.testing.assert_array_equal(after.state.moments[:, : len(old)], before.moments[:, old])
    np.testing.assert_array_equal(after.state.moments[:, len(old) :], before.moments[:, -m:])
    assert np.abs(after.state.moments).min(axis=1).max() >= 0
    assert np.abs(after.state.moments[:, : len(old)]).max() > 0


def test_a_move_to_the_same_edges_changes_nothing() -> None:
    data, chosen = blobs(), config()
    numbers = np.random.default_rng(0).integers(0, 300, (40, 32))
    rates = np.full(20, 0.01)
    ends = []
    for moved in (False, True):
        net = network()
        trainer = FusedTrainer(net, data, chosen, structure_costs(chosen, net.dag), threads=1)
        trainer.run(numbers[:20], rates)
        if moved:
            trainer.write_back()
            trainer = trainer.on(net, np.arange(net.dag.n_edges))
        trainer.run(numbers[20:], rates)
        trainer.write_back()
        ends.append(net.to_arrays())
    for name, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][name])


def test_regrowth_brings_back_absent_edges_of_large_gradient() -> None:
    data, net = blobs(), network()
    allowed = net.dag
    chosen = config(initial_edges=30, edges=30, start=0.0, end=1.0, regrow=0.5)
    sparsifier = Sparsifier(net, data, chosen, np.random.default_rng(0))
    assert net.dag.n_edges == 30
    trainer = FusedTrainer(net, data, chosen, structure_costs(chosen, net.dag), threads=1)
    trainer.run(np.random.default_rng(0).integers(0, 300, (30, 32)), np.full(30, 0.01))
    before = {tuple(edge) for edge in net.dag.edges}
    after = sparsifier.cut(trainer, 7)
    edges = [tuple(edge) for edge in after.network.dag.edges]
    new = [k for k, edge in enumerate(edges) if edge not in before]
    assert len(edges) == 30
    assert 0 < len(new) <= 15
    assert after.network.weight is not None
    assert (after.network.weight[new] == 0).all()
    assert (after.state.moments[:, new] == 0).all()
    assert set(edges) <= {tuple(edge) for edge in allowed.edges}


def test_absent_edges_have_the_gradient_of_the_whole_dag() -> None:
    data, net, chosen = blobs(), network(), config(initial_edges=30, edges=30, regrow=0.5)
    allowed = net.dag
    sparsifier = Sparsifier(net, data, chosen, np.random.default_rng(0))
    got = sparsifier._gradient(net)
    whole = ManifoldNetwork(allowed, parametrisation="free", generator=np.random.default_rng(0))
    arrays = whole.to_arrays()
    arrays["weight"][...] = 0
    arrays["weight"][sparsifier.mask] = net.to_arrays()["weight"]
    whole.load_arrays(arrays | {"bias": net.to_arrays()["bias"]})
    loss = torch.nn.functional.cross_entropy(whole(torch.from_numpy(data.x_train)), torch.from_numpy(data.y_train))
    loss.backward()  # type: ignore[no-untyped-call]
    assert whole.weight is not None
    assert whole.weight.grad is not None
    np.testing.assert_allclose(got, whole.weight.grad.abs().numpy(), rtol=1e-4, atol=1e-6)
    assert got[~sparsifier.mask].max() > 0


@pytest.mark.parametrize("extra", [{}, {"regrow": 0.3}, {"criterion": "saliency"}, {"initial_edges": 60}])
def test_a_seed_repeats_itself(extra: dict[str, Any]) -> None:
    nets = [network(), network()]
    for net in nets:
        train(net, blobs(), config(**extra), seed=3)
    assert nets[0].dag == nets[1].dag
    assert nets[0].dag.n_edges == 20
    for name, value in nets[0].to_arrays().items():
        np.testing.assert_array_equal(value, nets[1].to_arrays()[name])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.data())
def test_strongest_is_exact_useful_and_reaches_every_output(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    dag = random_dag(4, 6, 3, density=data.draw(st.floats(0.3, 1.0)), rng=rng)
    score = rng.random(dag.n_edges)
    count = data.draw(st.integers(1, dag.n_edges))
    rank = np.argsort(np.argsort(-score))
    needed = int(_backbone(dag, rank).sum())
    if count < needed:
        needed = int(_backbone(dag, _shortest_first(dag, rank, np.isfinite(score))).sum())
    if count < needed:
        with pytest.raises(ValueError, match=f"need {needed} edges, but only {count} may stay; raise the budget"):
            strongest(dag, score, count)
        return
    mask = strongest(dag, score, count)
    kept = dag.with_edges(mask)
    useful = kept.useful_neurons()
    assert kept.unreachable_outputs() == ()
    assert useful[kept.sources].all()
    assert useful[kept.targets].all()
    spare = useful[dag.sources] & useful[dag.targets] & ~mask
    assert mask.sum() == count or (mask.sum() < count and not spare.any())


def test_few_edges_are_those_of_the_shortest_paths() -> None:
    """The strongest path 0-1-2-3-4 does not fit into a budget of one edge, the weak edge 0-4 does."""
    dag = DAG(1, 3, 1, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)])
    score = np.array([5.0 if target < 4 or source == 3 else 1.0 for source, target in dag.edges])
    assert strongest(dag, score, 4).sum() == 4
    assert dag.edges[strongest(dag, score, 1)].tolist() == [[0, 4]]
    absent = np.where(score == 1.0, -np.inf, score)  # cut before: comes back where nothing else fits
    assert dag.edges[strongest(dag, absent, 4)].tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert dag.edges[strongest(dag, absent, 1)].tolist() == [[0, 4]]


@pytest.mark.parametrize("seed", range(6))
def test_a_budget_that_the_start_allows_is_met_whatever_earlier_cuts_took(seed: int) -> None:
    """Direct edges are enough for three outputs; that they are weak at first must not end the training."""
    rng = np.random.default_rng(seed)
    start = ManifoldNetwork(complete(8, 12, 3), parametrisation="free", generator=rng)
    direct = (start.dag.sources < 8) & (start.dag.targets >= 20)
    with torch.no_grad():
        assert start.weight is not None
        start.weight[torch.from_numpy(direct)] = 1e-6
    train(start, blobs(), config(200, edges=4, start=0.0, end=0.9, every=10), seed)
    assert start.dag.n_edges <= 4
    assert start.dag.unreachable_outputs() == ()


def test_strongest_prefers_high_scores() -> None:
    dag = complete(3, 2, 2)
    score = np.arange(dag.n_edges, dtype=float)
    mask = strongest(dag, score, dag.n_edges - 2)
    assert not mask[:2].any()
    assert mask[2:].all()


def test_a_trial_cuts_its_candidate_and_hyperparameters_may_say_so() -> None:
    genome = Genome(complete(8, 12, 3), {"sparsify.edges": 25})
    plain = TrainingConfig(batch_size=32, parametrisation="free")
    result = run_trial(Candidate(0, genome, 0, 100), blobs(), plain)
    assert result.status is TrialStatus.COMPLETE, result.reason
    assert result.dag is not None
    assert result.dag.n_edges == 25
    assert result.metrics["edges"] == 25


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "exactly one of edges and share"),
        ({"edges": 5, "share": 0.5}, "exactly one of edges and share"),
        ({"edges": 5, "start": 0.5, "end": 0.4}, "start must be below end"),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        SparsifyConfig.model_validate(values)


def test_what_does_not_fit_the_network_is_refused() -> None:
    with pytest.raises(ValueError, match="an edge for each of the 3 outputs, but leaves 2"):
        train(network(), blobs(), config(edges=2), seed=0)
    with pytest.raises(ValueError, match="regrow needs parametrisation free, but it is masked"):
        train(network("masked"), blobs(), config(regrow=0.1), seed=0)
    with pytest.raises(ValueError, match="criterion saliency needs free weights"):
        train(network("manifold"), blobs(), config(criterion="saliency"), seed=0)


def test_the_learning_rate_warms_up() -> None:
    chosen = config().model_copy(update={"warmup": 0.5, "sparsify": None})
    rates = train(network(), blobs(), chosen, seed=0).curves["learning_rate"]
    assert rates[:9] == pytest.approx(0.01 * np.arange(9, 99, 10)[:9] / 100)
    assert rates[-1] < 1e-5


def test_a_random_start_mask_shares_edges_out_as_erdos_renyi_masks_do() -> None:
    layers = (50, 20, 5)
    dag = layered(layers, density=1.0)
    counts = np.zeros(2)
    for seed in range(20):
        mask = strongest(dag, balanced_scores(dag, np.random.default_rng(seed)), 200)
        assert mask.sum() == 200
        counts += np.bincount((dag.targets[mask] >= dag.first_output).astype(int), minlength=2)
    wanted = np.array([layers[0] + layers[1], layers[1] + layers[2]]) / (layers[0] + 2 * layers[1] + layers[2])
    uniform = np.array([layers[0] * layers[1], layers[1] * layers[2]]) / dag.n_edges
    assert np.abs(counts / counts.sum() - wanted).max() < 0.05
    assert abs(counts[1] / counts.sum() - uniform[1]) > 0.1
