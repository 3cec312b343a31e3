"""Edges that grow: they have the largest gradients, change no function, close no cycle, and outlive a pause."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.graph import DAG, match_edges, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import Dataset, TrainingConfig, TrainingState, pinned_threads
from nas.training._trainer import train_until
from nas.training.compression._grow import absent_gradients, grown

INPUTS, OUTPUTS = 6, 3


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with pinned_threads(1):
        yield


def data(task: str = "classification") -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, INPUTS)).astype(np.float32)
    y: np.ndarray = x[:, :OUTPUTS].argmax(axis=1)
    if task == "regression":
        y = np.stack([x[:, 0] * x[:, 1], x[:, 2], -x[:, 3]], axis=1).astype(np.float32)
    parts = (x[:80], y[:80], x[80:100], y[80:100], x[100:], y[100:])
    return Dataset("small", task, *parts, classes=("a", "b", "c") if task == "classification" else ())  # type: ignore[arg-type]


def network(dag: DAG, seed: int = 0) -> ManifoldNetwork:
    rng = np.random.default_rng(seed)
    net = ManifoldNetwork(dag, parametrisation="free", activation="leaky_relu", generator=rng)
    arrays = net.to_arrays()
    net.load_arrays(arrays | {"bias": rng.normal(size=arrays["bias"].shape).astype(np.float32)})
    return net


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.floats(0.1, 1.0), st.integers(1, 200), st.integers(0, 10**6))
def test_grown_edges_keep_the_function_and_the_order(hidden: int, density: float, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = network(random_dag(INPUTS, hidden, OUTPUTS, density=density, rng=rng), seed)
    larger = grown(net, data(), count, rng)  # the constructor of a DAG refuses cycles and edges given twice
    assert net.dag.n_edges <= larger.dag.n_edges <= net.dag.n_edges + count
    assert (larger.dag.sources < larger.dag.targets).all()
    assert (match_edges(larger.dag, net.dag) >= 0).all()  # none has gone
    x = torch.from_numpy(data().x_val)
    np.testing.assert_allclose(larger(x).detach(), net(x).detach(), atol=1e-6)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("words", [(), ("tanh", "sin", "relu")])
def test_gradients_are_those_of_edges_of_weight_0(task: str, words: tuple[str, ...]) -> None:
    dag = random_dag(INPUTS, 9, OUTPUTS, density=0.3, rng=np.random.default_rng(1))
    if words:
        dag = dag.with_activations([words[k % 3] for k in range(9)])
    net, part = network(dag), data(task)
    found = absent_gradients(net, part, np.arange(80))
    useful = dag.useful_neurons()
    there = set(map(tuple, dag.edges.tolist()))
    absent = [
        (j, i)
        for j, i in product(range(dag.first_output), range(INPUTS, dag.n))
        if j < i and (j, i) not in there and useful[i] and (j < INPUTS or useful[j])
    ]
    full = DAG(*dag.sizes, np.concatenate([dag.edges, absent]), ids=dag.ids, activations=dag.activations)
    whole = ManifoldNetwork(full, parametrisation="free", activation="leaky_relu", generator=np.random.default_rng(0))
    old = match_edges(dag, full)
    arrays = net.to_arrays()
    whole.load_arrays(arrays | {"weight": np.where(old >= 0, arrays["weight"][old], np.float32(0))})
    objective = torch.nn.functional.cross_entropy if task == "classification" else torch.nn.functional.mse_loss
    objective(whole(torch.from_numpy(part.x_train)), torch.from_numpy(part.y_train)).backward()  # type: ignore[no-untyped-call]
    assert whole.weight is not None and whole.weight.grad is not None
    expected = np.zeros_like(found)
    new = old < 0
    expected[full.targets[new] - INPUTS, full.sources[new]] = whole.weight.grad.numpy()[new]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    largest = grown(net, part, 5, np.random.default_rng(0)).dag
    came = [tuple(edge) for edge in largest.edges.tolist() if tuple(edge) not in there]
    assert sorted(abs(found[i - INPUTS, j]) for j, i in came) == pytest.approx(sorted(abs(found).ravel())[-5:])


def swapping(**training: object) -> TrainingConfig:
    section = {"edges": 30, "grow": 0.5, "start": 0.0, "end": 0.5, "every": 5, "criterion": "saliency"}
    values = {"steps": 40, "batch_size": 16, "parametrisation": "free", "log_every": 20, "sparsify": section}
    return TrainingConfig.model_validate({**values, **training})


def test_a_swap_ends_with_as_many_edges_and_other_ones() -> None:
    dag = random_dag(INPUTS, 9, OUTPUTS, n_edges=30, rng=np.random.default_rng(1))
    net = network(dag)
    train_until(net, data(), swapping(), seed=3)
    assert net.dag.n_edges == 30
    new = int((match_edges(dag, net.dag) < 0).sum())
    assert 0 < new <= 15


def test_a_swap_that_pauses_ends_as_one_that_does_not() -> None:
    dag = random_dag(INPUTS, 9, OUTPUTS, density=0.5, rng=np.random.default_rng(1))
    config = swapping(rungs=(0.3,))
    whole, first, second = network(dag), network(dag), network(dag)
    train_until(whole, data(), config, seed=3)
    _, state = train_until(first, data(), config, seed=3, pause_at=12)
    assert state is not None
    train_until(second, data(), config, seed=3, resume=state)
    assert second.dag == whole.dag
    for name, value in whole.to_arrays().items():
        np.testing.assert_array_equal(value, second.to_arrays()[name])


@pytest.mark.parametrize("initial", [None, 35])
def test_a_swap_goes_on_with_the_edges_it_had(initial: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it goes on, sums may round otherwise, so that other edges would be found."""
    dag = random_dag(INPUTS, 9, OUTPUTS, density=0.5, rng=np.random.default_rng(1))
    section = swapping().sparsify
    assert section is not None
    config = swapping(rungs=(0.1,), sparsify=section.model_copy(update={"initial_edges": initial, "regrow": 0.2}))
    whole, first, second, older = network(dag), network(dag), network(dag), network(dag)
    train_until(whole, data(), config, seed=3)
    _, state = train_until(first, data(), config, seed=3, pause_at=4)
    assert state is not None
    before = TrainingState(state.step, {k: v for k, v in state.arrays.items() if k != "sparsify/edges"})
    assert len(before.arrays) == len(state.arrays) - 1
    train_until(older, data(), config, seed=3, resume=before)  # of a time when states had no edges
    original = absent_gradients
    monkeypatch.setattr("nas.training.compression._grow.absent_gradients", lambda *given: original(*given)[:, ::-1])
    train_until(second, data(), config, seed=3, resume=state)
    for resumed in (second, older):
        assert resumed.dag == whole.dag
        for name, value in whole.to_arrays().items():
            np.testing.assert_array_equal(value, resumed.to_arrays()[name])


def test_growing_needs_weights_of_its_own() -> None:
    dag = random_dag(INPUTS, 9, OUTPUTS, density=0.5, rng=np.random.default_rng(1))
    net = ManifoldNetwork(dag, parametrisation="masked", generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="sparsify.grow needs parametrisation free and readout activated, but"):
        train_until(net, data(), swapping(parametrisation="masked"), seed=0)
