"""The GPU's kernels, on the simulator, against the per-neuron reference: values and gradients, on random DAGs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.engine import ACTIVATIONS, reference_apply
from nas.engine.cuda import SimulatedGPU, gpu_apply
from nas.graph import DAG, random_dag

ALL_SHARED, INPUTS_FAR, ALL_FAR = 227 * 1024, 30_000, 1


@pytest.fixture(scope="module")
def gpu():
    return SimulatedGPU()


def tensors(dag, batch, dtype, seed, need_x=True):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, dtype=dtype, generator=generator)

    rest = dag.n - dag.n_inputs
    x, weight, bias, gain = draw(batch, dag.n_inputs), 0.4 * draw(dag.n_edges), draw(rest), draw(rest)
    return x.requires_grad_(need_x), weight.requires_grad_(), bias.requires_grad_(), gain.requires_grad_()


def compare(gpu, dag, batch, *, activation, live=None, seed=0, dtype=torch.float64, tolerance=1e-10):
    arguments = tensors(dag, batch, dtype, seed)
    weights = torch.randn(batch, dag.n_outputs, dtype=dtype, generator=torch.Generator().manual_seed(seed + 1))
    fast = gpu_apply(gpu, dag, *arguments, activation=activation, live=live)
    slow = reference_apply(dag, *arguments, activation=activation, live=live)
    torch.testing.assert_close(fast, slow, rtol=tolerance, atol=tolerance)
    found = torch.autograd.grad((fast * weights).sum(), arguments)
    expected = torch.autograd.grad((slow * weights).sum(), arguments, allow_unused=True)
    for got, want, argument in zip(found, expected, arguments, strict=True):
        want = torch.zeros_like(argument) if want is None else want
        scale = max(1.0, float(want.abs().max())) if want.numel() else 1.0
        torch.testing.assert_close(got / scale, want / scale, rtol=tolerance, atol=tolerance)
    return fast, found


@settings(max_examples=25)
@given(
    sizes=st.tuples(st.integers(1, 40), st.integers(0, 30), st.integers(1, 6)),
    density=st.floats(0.1, 1.0),
    batch=st.sampled_from([1, 31, 32, 33, 70, 130]),
    activation=st.sampled_from([name for name in ACTIVATIONS if name != "square"]),
    masked=st.booleans(),
    shared=st.sampled_from([ALL_SHARED, INPUTS_FAR, ALL_FAR]),
    order=st.sampled_from(["ascending", "descending", "shuffled"]),
    seed=st.integers(0, 1000),
)
def test_equals_reference_in_float64(sizes, density, batch, activation, masked, shared, order, seed):
    rng = np.random.default_rng(seed)
    dag = random_dag(*sizes, density=density, rng=rng)
    live = torch.from_numpy(rng.random(dag.n_edges) < 0.6) if masked else None
    gpu = SimulatedGPU(shared_bytes=shared, order=order, seed=seed)
    compare(gpu, dag, batch, activation=activation, live=live, seed=seed)


def test_equals_reference_in_float32(gpu):
    dag = random_dag(30, 40, 4, density=0.1, rng=np.random.default_rng(3))
    compare(gpu, dag, 97, activation="tanh", dtype=torch.float32, tolerance=2e-4)


def test_activations_of_single_neurons(gpu):
    plain = random_dag(6, 20, 3, density=0.2, rng=np.random.default_rng(1))
    kinds = [""] * 6 + [ACTIVATIONS[i % len(ACTIVATIONS)] for i in range(20)] + [""] * 3
    dag = DAG(6, 20, 3, plain.edges, activations=kinds)
    compare(gpu, dag, 40, activation="relu")


def test_the_same_bits_whatever_the_order_of_threads():
    dag = random_dag(20, 60, 5, density=0.4, rng=np.random.default_rng(2))
    runs = []
    for order in ("ascending", "descending", "shuffled"):
        y, gradients = compare(SimulatedGPU(order=order), dag, 64, activation="silu")
        runs.append((y, *gradients))
    for other in runs[1:]:
        assert all(torch.equal(one, two) for one, two in zip(runs[0], other, strict=True))


def test_a_deep_chain(gpu):
    n = 400
    dag = DAG(1, n - 2, 1, np.stack([np.arange(n - 1), np.arange(1, n)], axis=1))
    x = torch.full((3, 1), 2.0, dtype=torch.float64, requires_grad=True)
    weight = torch.ones(n - 1, dtype=torch.float64, requires_grad=True)
    y = gpu_apply(gpu, dag, x, weight)
    y.sum().backward()
    assert torch.equal(y, torch.full((3, 1), 2.0, dtype=torch.float64))
    assert torch.equal(weight.grad, torch.full((n - 1,), 6.0, dtype=torch.float64))


def test_without_gradients_nothing_is_kept(gpu):
    dag = random_dag(5, 10, 2, density=0.6, rng=np.random.default_rng(0))
    x, weight, bias, gain = tensors(dag, 12, torch.float64, 0)
    with torch.no_grad():
        y = gpu_apply(gpu, dag, x, weight, bias, gain)
    assert not y.requires_grad
    torch.testing.assert_close(y, reference_apply(dag, x, weight, bias, gain))
    assert gpu_apply(gpu, dag, x[:0], weight).shape == (0, 2)


def test_changes_in_place_are_noticed(gpu):
    dag = random_dag(5, 10, 2, density=0.6, rng=np.random.default_rng(0))
    x, weight, *_ = tensors(dag, 12, torch.float64, 0)
    y = gpu_apply(gpu, dag, x, weight)
    with torch.no_grad():
        weight += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
