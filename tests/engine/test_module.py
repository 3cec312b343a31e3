"""DAGModule among ordinary torch code."""

import copy
import io
import multiprocessing
import os

import numpy as np
import pytest
import torch
from torch import nn

from nas.engine import DAGModule, reference_apply
from nas.graph import random_dag


@pytest.fixture
def dag():
    return random_dag(6, 20, 3, density=0.4, rng=np.random.default_rng(0))


def test_weight_is_in_edge_order_and_bias_in_topological_order(dag):
    module = DAGModule(dag, "tanh")
    assert module.weight.shape == (dag.n_edges,)
    assert module.bias.shape == (dag.n - dag.n_inputs,)
    nn.init.normal_(module.bias)
    x = torch.randn(11, 6)
    expected = reference_apply(dag, x, module.weight, module.bias, activation="tanh")
    torch.testing.assert_close(module(x), expected)
    assert DAGModule(dag, bias=False).bias is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_learns_inside_sequential_with_a_torch_optimiser(dag, dtype):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), DAGModule(dag, "tanh"), nn.Linear(3, 1)).to(dtype)
    x = torch.randn(256, 4, dtype=dtype)
    y = (x[:, :1] * x[:, 1:2]).sin()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    first = None
    for _ in range(300):
        loss = nn.functional.mse_loss(network(x), y)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * first


def test_state_dict_copy_and_save_round_trip(dag):
    module = DAGModule(dag)
    x = torch.randn(5, 6)
    twin = DAGModule(dag)
    twin.load_state_dict(module.state_dict())
    copied = copy.deepcopy(module)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    for other in (twin, copied, loaded):
        assert torch.equal(other(x), module(x))
    with torch.no_grad():
        copied.weight.zero_()
    assert not torch.equal(copied(x), module(x))


def test_used_twice_in_one_graph(dag):
    module = DAGModule(dag, "tanh", dtype=torch.float64)
    x = torch.randn(7, 6, dtype=torch.float64)
    (module(x).sum() + 2 * module(-x).sum()).backward()
    both = module.weight.grad.clone()
    module.weight.grad = None
    module(x).sum().backward()
    (2 * module(-x)).sum().backward()
    torch.testing.assert_close(both, module.weight.grad)


def test_retained_graph_gives_the_same_gradient_again(dag):
    module = DAGModule(dag)
    loss = module(torch.randn(7, 6)).square().sum()
    first = torch.autograd.grad(loss, module.weight, retain_graph=True)[0]
    module(torch.randn(7, 6))  # must not take over the scratch memory of the graph that is alive
    assert torch.equal(first, torch.autograd.grad(loss, module.weight)[0])


def test_change_in_place_between_passes_is_noticed(dag):
    module = DAGModule(dag)
    loss = module(torch.randn(3, 6)).sum()
    with torch.no_grad():
        module.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_grad_modes_layouts_and_odd_batches(dag):
    module = DAGModule(dag)
    wide = torch.randn(6, 70)
    expected = module(wide.T.contiguous()).detach()
    torch.testing.assert_close(module(wide.T), expected)  # not contiguous
    with torch.no_grad():
        assert not module(wide.T).requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(module(wide.T), expected)
    for batch in (1, 5, 63, 65):
        torch.testing.assert_close(module(wide.T[:batch]), expected[:batch], rtol=1e-5, atol=1e-6)
    empty = module(torch.empty(0, 6))
    assert empty.shape == (0, 3)
    empty.sum().backward()
    assert not module.weight.grad.any()


def _child(module, x, queue):
    y = module(x)
    y.sum().backward()
    queue.put((y.detach().numpy(), module.weight.grad.numpy()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_works_in_a_child_process(dag, method):
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    module = DAGModule(dag, "tanh")
    x = torch.randn(200, 6)
    module.zero_grad()
    y = module(x)  # starts this process's threads, which a forked child does not have
    y.sum().backward()
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_child, args=(copy.deepcopy(module), x.clone(), queue))
    process.start()
    child_y, child_grad = queue.get(timeout=60)
    process.join(60)
    np.testing.assert_allclose(child_y, y.detach().numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(child_grad, module.weight.grad.numpy(), rtol=1e-4, atol=1e-4)
