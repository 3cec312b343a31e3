"""Closeness: values against a direct transcription of the formulas, gradients against finite differences."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.graph import DAG, random_dag
from nas.manifold import NEURON_PARAMETERS, Closeness, reference_d, strengths
from nas.manifold._fused import fused_d


def example(seed: int = 0, sizes: tuple[int, int, int] = (7, 12, 3), density: float = 0.6) -> DAG:
    return random_dag(*sizes, density=density, rng=np.random.default_rng(seed))


def closeness(dag: DAG, seed: int = 0, **options: object) -> Closeness:
    return Closeness(dag, period=4, generator=np.random.default_rng(seed), **options)  # type: ignore[arg-type]


def transcribed(module: Closeness, dag: DAG, period: float) -> tuple[np.ndarray, np.ndarray, float]:
    """d, c and kappa, edge by edge, straight from the design page."""
    value = {name: getattr(module, name).detach().double().numpy() for name in NEURON_PARAMETERS}
    sigmoid = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    softplus = lambda x: math.log(1 + math.exp(x))  # noqa: E731
    kappa = sigmoid(module.cutoff.item())
    last = dag.n - 1
    d, c = np.zeros(dag.n_edges), np.zeros(dag.n_edges)
    for e, (j, i) in enumerate(dag.edges.tolist()):
        offset_i = dag.n_inputs + (dag.n_outputs - dag.n_inputs) * (i - dag.n_inputs) / (last - dag.n_inputs)
        p = j - i + offset_i
        alpha, beta, gamma, theta, phi, sigma, mu = (value[name][i - dag.n_inputs] for name in NEURON_PARAMETERS)
        gauss = math.exp(-((p - mu) ** 2) / (2 * softplus(sigma) ** 2))
        wave = (0.5 + 0.5 * math.sin(2 * math.pi * p / (period * softplus(theta) / math.log(2)) + phi)) ** (beta + 1)
        d[e] = (2 * sigmoid(alpha) - 1) * gauss * (wave - sigmoid(gamma))
        c[e] = math.copysign(1, d[e]) * max(abs(d[e]) - kappa, 0) / (1 - kappa)
    return d, c, kappa


@pytest.mark.parametrize("init", ["published", "open"])
def test_values_are_those_of_the_formula(init: str) -> None:
    dag = example()
    module = closeness(dag, init=init).double()
    with torch.no_grad():
        module.alpha.normal_()  # both signs
        module.cutoff.fill_(-2.5)
    got = module()
    d, c, kappa = transcribed(module, dag, 4)
    np.testing.assert_allclose(got.d.detach(), d, rtol=1e-5, atol=1e-5)  # the floor of the wave: below 1e-5
    np.testing.assert_allclose(got.c.detach(), c, rtol=1e-5, atol=2e-5)
    assert got.kappa.item() == pytest.approx(kappa)
    assert (np.sign(d) < 0).any()
    assert (np.sign(d) > 0).any()


@given(seed=st.integers(0, 2**31), beta=st.floats(-1.5, 1.5), double=st.booleans())
@settings(max_examples=40, deadline=None)
def test_fused_values_and_gradients_equal_the_reference(seed: int, beta: float, double: bool) -> None:
    rng = np.random.default_rng(seed)
    dtype = torch.float64 if double else torch.float32
    counts = rng.integers(0, 9, size=6)
    in_ptr = torch.from_numpy(np.concatenate([[0], np.cumsum(counts)]))
    targets = torch.from_numpy(np.repeat(np.arange(6), counts))
    p = torch.from_numpy(rng.uniform(-10, 10, counts.sum())).to(dtype)
    spread = {"beta": 0.3, "sigma": 3.0, "mu": 4.0}
    values = [torch.from_numpy(rng.normal(0, spread.get(name, 1.0), 6)).to(dtype) for name in NEURON_PARAMETERS]
    values[1] += beta
    upstream = torch.from_numpy(rng.normal(size=len(p))).to(dtype)
    results = []
    for function, grouping in ((fused_d, in_ptr), (reference_d, targets)):
        leaves = [value.clone().requires_grad_() for value in values]
        d = function(p, grouping, 5.0, *leaves)
        results.append([d, *torch.autograd.grad(d, leaves, upstream)])
    for fused, reference in zip(*results, strict=True):
        tolerance = 1e-9 if double else 1e-3
        torch.testing.assert_close(fused, reference, rtol=tolerance, atol=tolerance)


def test_gradients_are_those_of_finite_differences() -> None:
    dag = example(1, (4, 5, 2))
    module = closeness(dag).double()
    rng = np.random.default_rng(3)
    values = [torch.from_numpy(rng.normal(size=7)).requires_grad_() for _ in NEURON_PARAMETERS]
    p = module.displacement()
    assert torch.autograd.gradcheck(lambda *v: fused_d(p, module.in_ptr, 4.0, *v), values, eps=1e-7, atol=1e-5)

    cutoff = torch.tensor(-1.3, dtype=torch.float64, requires_grad=True)
    d = torch.tensor([0.9, -0.7, 0.4, 0.05, -0.1, 0.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d, cutoff: strengths(d, cutoff).c, (d, cutoff))


@pytest.mark.parametrize("extreme", [-1e4, -100.0, -30.0, 100.0, 1e4])
@pytest.mark.parametrize("name", NEURON_PARAMETERS)
def test_extreme_parameters_give_finite_values_and_gradients(name: str, extreme: float) -> None:
    module = closeness(example())
    with torch.no_grad():
        getattr(module, name).fill_(extreme)
    d = module().d
    assert torch.isfinite(d).all()
    assert (d.abs() <= 1).all()
    d.sum().backward()
    for parameter in module.neuron_parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


def test_below_the_cutoff_closeness_is_exactly_zero_and_rises_from_there() -> None:
    kappa = torch.sigmoid(torch.tensor(-1.0))
    d = torch.stack([kappa * 0.999, -kappa * 0.999, kappa * 1.001, -kappa * 1.001, torch.tensor(1.0)])
    c = strengths(d, torch.tensor(-1.0)).c
    assert c[:2].tolist() == [0.0, 0.0]
    assert 0 < c[2] < 1e-3
    assert -1e-3 < c[3] < 0
    assert float(c[4]) == pytest.approx(1.0)


def test_open_start_leaves_nearly_every_edge_live_and_strong() -> None:
    dag = example(2, (30, 60, 5))
    c = closeness(dag, init="open")().c
    assert (c != 0).float().mean() > 0.98
    assert c.abs().median() > 0.5
    assert c.abs().max() <= 1


def test_published_start_has_the_published_statistics() -> None:
    dag = example(2, (64, 2000, 10), density=0.001)
    module = Closeness(dag, period=28, generator=np.random.default_rng(0))
    expected = {"alpha": (5, 1), "beta": (0, 0.01), "gamma": (0, 1), "theta": (0, 1)}
    expected |= {"phi": (math.pi / 2, 0.01 * math.pi), "sigma": (64**0.66, 2074**0.33), "mu": (0, 14)}
    for name, (mean, deviation) in expected.items():
        values = getattr(module, name).detach()
        assert float(values.mean()) == pytest.approx(mean, abs=0.1 * deviation), name
        assert float(values.std()) == pytest.approx(deviation, rel=0.1), name
    assert module.cutoff.item() == -1.0


def test_training_can_open_and_close_edges() -> None:
    dag = example(4)
    module = closeness(dag, init="open")
    optimiser = torch.optim.Adam(module.parameters(), 0.05)
    counts = []
    for sign in (1.0, -1.0):
        for _ in range(150):
            optimiser.zero_grad()
            (sign * module().d.square().sum()).backward()
            optimiser.step()
        counts.append(int((module().c != 0).sum()))
    assert counts[0] < 0.5 * dag.n_edges < counts[1]


def test_same_generator_same_values() -> None:
    dag = example()
    first, second, other = closeness(dag, 5), closeness(dag, 5), closeness(dag, 6)
    assert torch.equal(first().d, second().d)
    assert not torch.equal(first().d, other().d)


@pytest.mark.parametrize("period", [0, -1.0, float("nan")])
def test_refuses_a_period_that_is_not_positive(period: float) -> None:
    with pytest.raises(ValueError, match=f"period must be positive, but got {period}"):
        Closeness(example(), period=period, generator=np.random.default_rng(0))


def test_refuses_an_unknown_start() -> None:
    with pytest.raises(ValueError, match="init must be 'published' or 'open', but got 'closed'"):
        closeness(example(), init="closed")
