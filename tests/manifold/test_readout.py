"""Outputs that read linear parts: values against the equations, neuron by neuron, and through pruning and folding."""

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.engine import activation_function
from nas.graph import DAG, random_dag
from nas.manifold import ManifoldNetwork

COMBINATIONS = [(p, r) for p in ("masked", "manifold", "free") for r in ("linear", "square")]


def network(parametrisation: str, readout: str, seed: int = 1) -> ManifoldNetwork:
    rng = np.random.default_rng(seed)
    dag = random_dag(6, 20, 3, density=0.5, rng=rng)
    dag = dag.with_activations(["tanh" if i % 3 == 0 else "" for i in range(20)])
    made = ManifoldNetwork(dag, parametrisation=parametrisation, readout=readout, generator=rng, period=4)  # type: ignore[arg-type]
    with torch.no_grad():
        made.bias[:20] += torch.from_numpy(rng.normal(0, 0.3, 20))
        if made.closeness is not None:
            assert isinstance(made.closeness.sigma, torch.nn.Parameter)
            made.closeness.cutoff.fill_(-2.0 if parametrisation == "manifold" else 0.5)
            made.closeness.sigma.mul_(0.5)
    return made


def by_hand(net: ManifoldNetwork, x: Tensor) -> Tensor:
    """y_i = sum of W_ij (a_j x_j + b_j), squared or not; the inputs' linear part is the datum."""
    dag, weight = net.dag, net.edge_weights().detach()
    linear, emitted = list(x.T), list(x.T)
    for i in range(dag.n_inputs, dag.n):
        output = i >= dag.first_output
        read = linear if output else emitted
        total = torch.zeros(len(x))
        for e in range(dag.in_ptr[i], dag.in_ptr[i + 1]):
            total = total + weight[e].item() * read[dag.sources[e]]
        if not output:
            k = i - dag.n_inputs
            gain = 1.0 if net.gain is None else net.gain[k].item()
            total = gain * total + net.bias[k].item()
        own = dag.activations[i] if dag.activations is not None else ""
        linear.append(total)
        emitted.append(total if output else activation_function(own or net.activation)(total))
    y = torch.stack(linear[dag.first_output :], dim=1)
    return y**2 if net.readout == "square" else y


@pytest.mark.parametrize(("parametrisation", "readout"), COMBINATIONS)
def test_outputs_are_those_of_the_equations(parametrisation: str, readout: str) -> None:
    net = network(parametrisation, readout)
    if parametrisation != "free":
        assert 0.05 < net.live_mask().mean() < 1.0
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    expected = by_hand(net, x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(net(x).detach(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net.pruned()(x).detach(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net.fold()(x).detach(), expected, rtol=1e-4, atol=1e-5)
    again = ManifoldNetwork.from_arrays(net.dag, net.to_arrays(), activation=net.activation, readout=net.readout)
    torch.testing.assert_close(again(x).detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("readout", ["linear", "square"])
def test_outputs_have_no_gain_and_bias_that_learn(readout: str) -> None:
    net = network("manifold", readout)
    assert net.gain is not None
    assert torch.equal(net.gain[20:], torch.ones(3))
    assert torch.equal(net.bias[20:], torch.zeros(3))
    net(torch.randn(5, 6)).sum().backward()
    assert net.gain.grad is not None
    assert torch.equal(net.gain.grad[20:], torch.zeros(3))
    assert net.gain.grad[:20].abs().sum() > 0


@pytest.mark.parametrize("readout", ["linear", "square"])
def test_what_constant_neurons_add_to_an_output_is_kept(readout: str) -> None:
    dag = DAG(1, 2, 1, [(0, 1), (1, 3), (2, 3)])  # nothing reaches neuron 2, whose bias is negative
    net = ManifoldNetwork(dag, parametrisation="free", readout=readout, generator=np.random.default_rng(0))  # type: ignore[arg-type]
    with torch.no_grad():
        net.bias[1] = -2.0
    x = torch.linspace(-1, 1, 5)[:, None]
    small = net.pruned()
    assert small.dag.n_edges == 2
    assert float(small.bias[2].detach()) != 0.0
    torch.testing.assert_close(small(x).detach(), by_hand(net, x), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(net.fold()(x).detach(), by_hand(net, x), rtol=1e-5, atol=1e-6)


def test_refuses_an_unknown_readout() -> None:
    with pytest.raises(ValueError, match="readout must be one of activated, linear, square, but got 'cubed'"):
        network("masked", "cubed")
