"""MaskedLinear against a dense layer times its matrix, both ways to run it."""

import copy

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import nn

from nas.engine import MaskedLinear
from nas.errors import GraphError


def matrix(rows: int = 17, columns: int = 23, density: float = 0.3, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).random((rows, columns)) < density
    found[3] = False  # an output without any connection
    return found


@pytest.mark.parametrize("execution", ["dense", "engine"])
@pytest.mark.parametrize("bias", [True, False, "mask"])
@pytest.mark.parametrize("shape", [(6,), (0,), (2, 5), ()])
def test_equals_the_masked_dense_layer_in_value_and_gradient(
    execution: str, bias: bool | str, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(1)
    connections = matrix()
    bias_mask = np.arange(17) % 3 == 0 if bias == "mask" else np.full(17, bias)
    layer = MaskedLinear(23, 17, connections, bias_mask if bias == "mask" else bias, execution=execution).double()
    dense = torch.randn(17, 23, dtype=torch.float64, requires_grad=True)
    biases = torch.randn(17, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        layer.edge_values.copy_(dense[torch.from_numpy(connections)])
        if layer.bias_values is not None:
            layer.bias_values.copy_(biases[torch.from_numpy(bias_mask)])
    x = torch.randn(*shape, 23, dtype=torch.float64)
    own, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    mask, keep = torch.from_numpy(connections).double(), torch.from_numpy(bias_mask).double()
    expected = nn.functional.linear(other, dense * mask, biases * keep)
    found = layer(own)
    torch.testing.assert_close(found, expected)
    assert torch.equal(layer.weight, dense * mask)
    assert (layer.bias is None) == (bias is False)
    if layer.bias is not None:
        assert torch.equal(layer.bias, biases * keep)
    found.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(own.grad, other.grad)
    torch.testing.assert_close(layer.edge_values.grad, dense.grad[torch.from_numpy(connections)])
    if layer.bias_values is not None:
        torch.testing.assert_close(layer.bias_values.grad, biases.grad[torch.from_numpy(bias_mask)])


def test_reading_the_weight_back_is_differentiable() -> None:
    layer = MaskedLinear(23, 17, matrix())
    layer.weight.square().sum().backward()
    torch.testing.assert_close(layer.edge_values.grad, 2 * layer.edge_values.detach())


@pytest.mark.parametrize(
    ("rows", "density", "dense"), [(32, 0.05, True), (200, 0.05, False), (200, 0.45, False), (200, 0.6, True)]
)
def test_runs_dense_where_that_is_faster(rows: int, density: float, dense: bool) -> None:
    connections = matrix(rows, 150, density)
    layer = MaskedLinear(150, rows, scipy.sparse.csr_matrix(connections))
    assert layer.runs_dense is dense
    assert layer.half().runs_dense is True


def test_is_a_layer_like_any_other() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(MaskedLinear(23, 17, matrix()), nn.ReLU(), nn.Linear(17, 1))
    x = torch.randn(64, 23)
    y = x[:, :1] - x[:, 1:2]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        loss = nn.functional.mse_loss(network(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]
    twin = copy.deepcopy(network)
    other = nn.Sequential(MaskedLinear(23, 17, matrix()), nn.ReLU(), nn.Linear(17, 1))
    other.load_state_dict(network.state_dict())
    for each in (twin, other):
        assert torch.equal(each(x), network(x))
    assert "connections=" in repr(network)


def test_a_state_of_other_connections_is_refused() -> None:
    first, second = np.eye(4), np.eye(4)[::-1]
    with pytest.raises(RuntimeError, match="sources: the saved layer has other connections"):
        MaskedLinear(4, 4, first).load_state_dict(MaskedLinear(4, 4, second).state_dict())


def test_from_a_dense_layer() -> None:
    linear = nn.Linear(23, 17)
    layer = MaskedLinear.from_linear(linear, np.ones((17, 23)), execution="engine")
    x = torch.randn(5, 23)
    torch.testing.assert_close(layer(x), linear(x))
    assert MaskedLinear.from_linear(nn.Linear(23, 17, bias=False), matrix()).bias is None
    masked = MaskedLinear.from_linear(linear, matrix(), np.arange(17) < 5)
    assert torch.equal(masked.weight, linear.weight * torch.from_numpy(matrix()))
    assert torch.equal(masked.bias[:5], linear.bias[:5])
    assert not masked.bias[5:].any()


def test_initial_values_follow_the_number_of_connections() -> None:
    layer = MaskedLinear(400, 2, np.stack([np.ones(400), np.arange(400) < 4]))
    assert 0.045 < layer.weight[0].abs().max() <= 0.05
    assert 0.05 < layer.weight[1].abs().max() <= 0.5


def test_bad_matrices_and_arguments_are_refused() -> None:
    with pytest.raises(GraphError, match=r"connections must have shape \(17, 23\).*\(23, 17\); transpose it"):
        MaskedLinear(23, 17, matrix().T)
    with pytest.raises(GraphError, match=r"mask of shape \(17,\).*\(3,\)"):
        MaskedLinear(23, 17, matrix(), [1, 0, 1])
    with pytest.raises(ValueError, match="execution must be one of auto, dense, engine, but is 'gpu'"):
        MaskedLinear(23, 17, matrix(), execution="gpu")
    with pytest.raises(ValueError, match=r"x must have shape \(…, 23\), but has \(2, 22\)"):
        MaskedLinear(23, 17, matrix())(torch.zeros(2, 22))
