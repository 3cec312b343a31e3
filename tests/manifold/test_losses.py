"""Structure terms: values against NumPy, gradients against finite differences, and that they move the structure."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.graph import DAG, random_dag
from nas.manifold import (
    Closeness,
    CostModel,
    LossTerms,
    cost,
    flow,
    smooth_edge_count,
    smooth_edges,
    smooth_neurons,
)
from nas.manifold._losses import flow_signs


def example(seed: int = 0) -> DAG:
    return random_dag(6, 10, 3, density=0.6, rng=np.random.default_rng(seed))


def terms_of(dag: DAG, smooth: torch.Tensor) -> LossTerms:
    return LossTerms(smooth, smooth, flow_signs(dag, smooth.dtype), dag)


def random_c(dag: DAG, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, dag.n_edges))


def test_flow_is_that_of_the_formula() -> None:
    dag = example()
    c = random_c(dag)
    entering = leaving = 0.0
    for (j, i), strength in zip(dag.edges.tolist(), c.tolist(), strict=True):
        if j < 6 and 6 <= i < 16:
            entering += abs(strength)
        if 6 <= j < 16 and i >= 16:
            leaving += abs(strength)
    assert float(flow(c, dag)) == pytest.approx((entering - leaving) ** 2)


def test_flow_ignores_edges_that_join_inputs_to_outputs() -> None:
    dag = DAG(1, 1, 1, [(0, 1), (1, 2), (0, 2)])
    direct = [edge.tolist() for edge in dag.edges].index([0, 2])
    c = torch.full((3,), 0.5)
    balanced = flow(c, dag)
    c[direct] = 1.0
    assert float(flow(c, dag)) == float(balanced) == 0.0


def test_smooth_edges_are_those_of_the_formula() -> None:
    d, kappa = np.array([-0.9, -0.3, 0.0, 0.2, 0.27, 0.6]), 0.27
    for temperature in (0.1, 0.5, 1.0):
        with np.errstate(divide="ignore"):
            expected = 1 / (1 + (kappa / np.abs(d)) ** (1 / temperature))
        got = smooth_edges(torch.from_numpy(d), torch.tensor(kappa, dtype=torch.float64), temperature)
        np.testing.assert_allclose(got, expected, atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    dag = example(1)
    c = random_c(dag).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: flow(c, dag), (c,))
    d = torch.tensor([-0.9, -0.3, 0.01, 0.2, 0.27, 0.6], dtype=torch.float64, requires_grad=True)
    kappa = torch.tensor(0.27, dtype=torch.float64, requires_grad=True)
    for temperature in (0.1, 0.5, 1.0):
        assert torch.autograd.gradcheck(lambda d, k, t=temperature: smooth_edge_count(d, k, t), (d, kappa))
    smooth = torch.rand(dag.n_edges, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    model = CostModel(1.0, 2.0, 3.0)
    assert torch.autograd.gradcheck(lambda s: cost(terms_of(dag, s), model), (smooth,))


@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0])
def test_gradient_at_zero_is_finite(temperature: float) -> None:
    d = torch.zeros(2, requires_grad=True)
    smooth_edge_count(d, torch.tensor(0.3), temperature).backward()
    assert d.grad is not None
    assert torch.isfinite(d.grad).all()


@given(st.integers(0, 2**31), st.floats(0.05, 0.95))
@settings(max_examples=50, deadline=None)
def test_smooth_count_approaches_the_true_count(seed: int, kappa: float) -> None:
    d = torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, 200))
    d = d[(d.abs() - kappa).abs() > 0.01]
    count = smooth_edge_count(d, torch.tensor(kappa, dtype=d.dtype), 5e-4)
    assert float(count) == pytest.approx(float((d.abs() > kappa).sum()), abs=0.01)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("only_cutoff", [False, True])
def test_gradient_of_the_sparsity_term_moves_the_density_both_ways(sign: float, only_cutoff: bool) -> None:
    dag = random_dag(20, 30, 5, density=0.8, rng=np.random.default_rng(0))
    module = Closeness(dag, period=5, generator=np.random.default_rng(0))  # the published start
    before = float((module().c != 0).float().mean())
    assert 0.1 < before < 0.9
    parameters = [module.cutoff] if only_cutoff else module.parameters()
    optimiser = torch.optim.SGD(parameters, 3.0)
    for _ in range(100):
        optimiser.zero_grad()
        strengths = module()
        (sign * smooth_edge_count(strengths.d, strengths.kappa) / dag.n_edges).backward()
        optimiser.step()
    after = float((module().c != 0).float().mean())
    assert sign * (before - after) > 0.05, (before, after)


def test_smooth_neurons_counts_those_with_a_live_in_edge() -> None:
    targets = torch.tensor([1, 1, 2, 3])
    full = smooth_neurons(torch.tensor([1.0, 1.0, 0.0, 1.0]), targets, 5)
    assert float(full) == pytest.approx(2.0, abs=1e-4)
    half = smooth_neurons(torch.tensor([0.5, 0.5, 0.0, 0.0]), targets, 5)
    assert float(half) == pytest.approx(0.75)


def test_cost_of_open_edges_is_the_prediction_for_their_count() -> None:
    dag = example(2)
    model = CostModel(5.0, 0.3, 0.01)
    fed = len(set(dag.targets.tolist()))
    terms = terms_of(dag, torch.ones(dag.n_edges))
    assert float(cost(terms, model)) == pytest.approx(model.predict(fed, dag.n_edges), rel=1e-4)
    assert float(terms.sparsity) == 1.0


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1.1])
def test_refuses_a_temperature_out_of_range(temperature: float) -> None:
    with pytest.raises(ValueError, match=rf"temperature must be in \(0, 1\], but got {temperature}"):
        smooth_edges(torch.ones(1), torch.tensor(0.5), temperature)


def test_refuses_negative_costs() -> None:
    with pytest.raises(ValueError, match="finite number >= 0, but per_edge is -1"):
        CostModel(0.0, 0.0, -1.0)
