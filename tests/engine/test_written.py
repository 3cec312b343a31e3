"""What the modules call their weight can be written in place, whoever writes it, or refuses."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from nas.engine import Edge, MaskedLinear, wire
from nas.errors import GraphError

MASK = np.random.default_rng(0).random((4, 6)) < 0.5
MASK[0, 0], MASK[0, 1] = True, False
KEPT = torch.from_numpy(MASK)


def layer() -> MaskedLinear:
    return MaskedLinear(6, 4, MASK, [True, False, True, True])


def wired():
    edges = [
        Edge("a", "h", 0.5), Edge("b", "h", -0.5, sign="-"), Edge("h", "y", 1.0, frozen=True),
        Edge("a", "y", 2.0, sign="+"),
    ]  # fmt: skip
    return wire(edges, ["a", "b"], ["y"])


NEW = torch.arange(24.0).reshape(4, 6) + 1
WAYS = {
    "copy_": lambda w: w.copy_(NEW),
    "data": lambda w: setattr(w, "data", NEW),
    "data.copy_": lambda w: w.data.copy_(NEW),
    "detach": lambda w: w.detach().copy_(NEW),
    "setitem": lambda w: w.__setitem__(slice(None), NEW),
    "rows": lambda w: [row.copy_(new) for row, new in zip(w, NEW, strict=True)],
    "unbind": lambda w: [row.copy_(new) for row, new in zip(w.unbind(1), NEW.unbind(1), strict=True)],
    "view": lambda w: [w.view(-1)[:5].copy_(NEW.view(-1)[:5]), w.view(-1)[5:].copy_(NEW.view(-1)[5:])],
    "transposed": lambda w: w.T.copy_(NEW.T),
    "out": lambda w: torch.add(NEW, 0, out=w),
    "iadd": lambda w: w.__iadd__(NEW - w),
    "mul_ and add_": lambda w: w.mul_(0).add_(NEW),
    "index_put_": lambda w: w.index_put_((torch.arange(4)[:, None], torch.arange(6)), NEW),
    "foreach": lambda w: torch._foreach_copy_([w], [NEW]),
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_writes_into_a_weight_is_heard(way):
    made = layer()
    with torch.no_grad():
        WAYS[way](made.weight)
    torch.testing.assert_close(made.edge_values, NEW[KEPT])
    torch.testing.assert_close(made(torch.eye(6)), (NEW * KEPT).T + made.bias)


def test_writing_in_inference_mode_is_heard_too():
    made = layer()
    with torch.inference_mode():
        made.weight.copy_(NEW)
        made.weight.data[0, 0] = 100
    assert made.edge_values[0].item() == 100 and torch.equal(made.edge_values[1:], NEW[KEPT][1:])


def test_initialisers_of_torch_do_what_they_do_to_a_dense_layer():
    made, dense = layer(), nn.Linear(6, 4)
    for initialise in (
        nn.init.xavier_uniform_, nn.init.kaiming_normal_, nn.init.orthogonal_, nn.init.ones_,
        lambda w: nn.init.trunc_normal_(w, std=0.1), lambda w: nn.init.sparse_(w, 0.3),
    ):  # fmt: skip
        torch.manual_seed(0)
        initialise(dense.weight)
        torch.manual_seed(0)
        initialise(made.weight)
        assert torch.equal(made.edge_values, dense.weight.detach()[KEPT])
    nn.init.constant_(made.bias, 3.0)
    assert torch.equal(made.bias, torch.tensor([3.0, 0, 3, 3]))


def test_a_weight_is_otherwise_an_ordinary_tensor():
    made = layer()
    weight = made.weight
    assert type(weight + 1) is torch.Tensor
    assert type(weight.square().sum()) is torch.Tensor
    weight.square().sum().backward()
    torch.testing.assert_close(made.edge_values.grad, 2 * made.edge_values.detach())
    (made.weight[0] @ torch.ones(6)).backward()
    assert type(copy.deepcopy(weight.detach())) is torch.Tensor
    assert torch.equal(pickle.loads(pickle.dumps(weight.detach())), weight)
    assert weight.shape == (4, 6) and len(weight) == 4 and "tensor" in repr(weight)
    assert float(weight.detach().clone().zero_().sum()) == 0 and bool(
        made.edge_values.any()
    )  # a copy is the caller's own


def test_what_cannot_be_written_is_refused():
    made = layer()
    before = made.edge_values.detach().clone()
    with pytest.raises(RuntimeError, match="within torch.no_grad"):
        made.weight.copy_(NEW)
    with pytest.raises(RuntimeError, match="must have that shape"):
        made.weight.data = torch.zeros(3)
    with pytest.raises(RuntimeError):
        made.weight.requires_grad_(False)
    with pytest.raises(RuntimeError, match="requires_grad"):
        made.weight.requires_grad = False
    with pytest.raises(RuntimeError, match="grad"):
        made.weight.grad = NEW
    with pytest.raises(ValueError, match="read-only"):
        made.weight.detach().numpy()[:] = 1
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(made.weight.detach())[:] = 1
    with pytest.raises(ValueError, match="non-leaf"):
        torch.optim.SGD([made.weight])
    with pytest.raises((AttributeError, KeyError, TypeError)):
        made.weight = nn.Parameter(NEW)
    assert torch.equal(made.edge_values, before)


def test_weights_of_wired_networks_keep_signs_and_frozen_edges():
    made = wired()
    names = [str(edge) for edge in made.edges]
    new = made.weight.detach().clone()
    new[names.index("'a'->'h'")], new[names.index("'b'->'h'")] = -3.0, -0.25
    with torch.no_grad():
        made.weight.copy_(new)
    torch.testing.assert_close(made.weight.detach(), new)
    before = made.edge_values.detach().clone()
    with torch.no_grad():
        for number, value, text in (
            ("'b'->'h'", 1.0, "sign is fixed at '-'"), ("'h'->'y'", 5.0, "it is frozen at 1"),
            ("'a'->'h'", float("nan"), "finite"),
        ):  # fmt: skip
            with pytest.raises(GraphError, match=text):
                made.weight[names.index(number)] = value
        with pytest.raises(GraphError, match="it is frozen|sign is fixed"):
            nn.init.normal_(made.weight)
    assert torch.equal(made.edge_values, before)
