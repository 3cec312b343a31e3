"""Networks wired by hand: what is fixed stays, what is learned is read back by name."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from nas.engine import Edge, WiredModule, reference_apply, wire
from nas.errors import CycleError, GraphError, UnreachableOutputError


def network(**options: object) -> WiredModule:
    return wire(
        [
            Edge("light", "retina", 1.5, sign="+"),
            Edge("food", "nose", 0.3, frozen=True),
            Edge("retina", "motor", -0.7, sign="-"),
            Edge("nose", "motor"),
            ("light", "motor", 0.25),
            Edge("nose", "retina", lambda rng: rng.uniform(0.1, 0.2), sign="-"),
        ],
        inputs=["food", "light"],
        outputs=["motor"],
        **options,
    )


def test_weights_start_as_given_and_drawn() -> None:
    table = network().table().set_index(["source", "target"])
    assert table.loc[("light", "retina"), "weight"] == pytest.approx(1.5)
    assert table.loc[("food", "nose"), "weight"] == pytest.approx(0.3)
    assert table.loc[("retina", "motor"), "weight"] == pytest.approx(-0.7)
    assert table.loc[("light", "motor"), "weight"] == pytest.approx(0.25)
    assert -0.2 <= table.loc[("nose", "retina"), "weight"] <= -0.1
    drawn = [network(rng=np.random.default_rng(seed)).table()["weight"] for seed in (1, 1, 2)]
    assert drawn[0].equals(drawn[1])
    assert not drawn[0].equals(drawn[2])


def test_computes_what_the_reference_computes() -> None:
    module = network(bias={"retina": 0.5, "motor": -1}).double()
    x = torch.randn(9, 2, dtype=torch.float64)
    expected = reference_apply(module.dag, x, module.weight, module.bias, activation="tanh")
    torch.testing.assert_close(module(x), expected)
    torch.testing.assert_close(module.fold()(x), module(x))
    bias = module.neurons().set_index("neuron")["bias"]
    assert (bias["retina"], bias["nose"], bias["motor"]) == (0.5, 0.0, -1.0)
    assert np.isnan(bias["food"])


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_signs_and_frozen_weights_survive_training_that_pulls_against_them(optimizer: str) -> None:
    module = network()
    before = module.table()
    x = torch.randn(256, 2)
    target = -3 * x[:, 1:2] + 2 * x[:, :1]  # wants light->retina negative and food->nose larger
    step = getattr(torch.optim, optimizer)(module.parameters(), lr=0.05)
    losses = []
    for _ in range(200):
        loss = nn.functional.mse_loss(module(x), target)
        losses.append(loss.item())
        step.zero_grad()
        loss.backward()
        step.step()
    assert losses[-1] < 0.7 * losses[0]
    after = module.table()
    fixed = after["sign"] != ""
    assert fixed.sum() == 3
    assert ((after["weight"] >= 0) == (after["sign"] == "+"))[fixed].all()
    assert after.loc[after["frozen"], "weight"].equals(before.loc[before["frozen"], "weight"])
    moved = (after["weight"] - before["weight"]).abs()[~after["frozen"]]
    assert (moved > 1e-3).all()
    np.testing.assert_allclose(after["initial"], before["weight"], rtol=1e-6)
    free = after[(after["source"] == "light") & (after["target"] == "motor")]
    assert free["learned"].item() == "-"  # it may turn, and does


def test_table_is_wired_again() -> None:
    module = network()
    with torch.no_grad():
        module.edge_values.mul_(1.1)
    table = module.table()
    again = wire(table, ["food", "light"], ["motor"])
    x = torch.randn(5, 2)
    torch.testing.assert_close(again(x), module(x))
    assert again.table()[["source", "target", "sign", "frozen"]].equals(table[["source", "target", "sign", "frozen"]])


def test_state_and_copies() -> None:
    module, other = network(), network(rng=np.random.default_rng(7))
    other.load_state_dict(module.state_dict())
    x = torch.randn(5, 2)
    assert torch.equal(other(x), module(x))
    assert torch.equal(copy.deepcopy(module)(x), module(x))
    assert network(bias=False).bias is None


def test_contradictions_name_the_edge() -> None:
    with pytest.raises(GraphError, match=r"edge 'a'->'b': the sign is fixed at '\+', but the weight is -2; change one"):
        Edge("a", "b", -2, sign="+")
    with pytest.raises(GraphError, match="edge 'a'->'b': sign must be"):
        Edge("a", "b", sign="positive")
    with pytest.raises(GraphError, match="edge 'a'->'b': the weight must be finite, but is nan"):
        Edge("a", "b", float("nan"))
    with pytest.raises(GraphError, match="edge 'a'->'b': weight must be a number, a rule or None, but is 'x'"):
        Edge("a", "b", "x")
    with pytest.raises(GraphError, match=r"edge 'a'->'y': the weight must be finite, but is inf"):
        wire([Edge("a", "y", lambda rng: float("inf"))], ["a"], ["y"])


@pytest.mark.parametrize("decay", [0.0, 1e-2])
@pytest.mark.parametrize("sign", ["+", "-"])
def test_a_weight_of_a_fixed_sign_leaves_0_and_comes_back(sign, decay) -> None:
    module = wire([Edge("a", "y", 0.0, sign=sign)], ["a"], ["y"], bias=False)
    direction = 1.0 if sign == "+" else -1.0
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-2, weight_decay=decay)
    x = torch.ones(1, 1)
    for target, near in ((1.0, 1.0), (-1.0, 0.0), (1.0, 1.0)):  # the second one is out of reach: 0 is the nearest
        for _ in range(1000):
            optimiser.zero_grad()
            (module(x) - direction * target).square().sum().backward()
            optimiser.step()
            assert float(module.weight) * direction >= 0
        assert float(module.weight) * direction == pytest.approx(near, abs=0.03)


def test_states_of_earlier_programs_are_read() -> None:
    module = network()
    state = module.state_dict()
    values = state.pop("edge_values")
    state["raw"] = torch.where(module.signs == 0, values, values.abs().sqrt())
    other = network(rng=np.random.default_rng(7))
    other.load_state_dict(state)
    torch.testing.assert_close(other.weight, module.weight)


@pytest.mark.parametrize(
    ("edges", "error", "match"),
    [
        ([("a", "b"), ("b", "c"), ("c", "b"), ("c", "y")], CycleError, "b->c->b"),
        ([("a", "b"), ("c", "y")], UnreachableOutputError, "'y'"),
        ([("a", "y"), ("a", "y", 2.0)], GraphError, "'a'.*'y'.* twice"),
        ([("a", "y"), ("y", "b")], GraphError, "leave an output.*'y'->'b'"),
        ([("a", "y"), "ay"], GraphError, "an edge is an Edge.*'ay'"),
        ([(1, "1"), ("a", 1), ("1", "y")], GraphError, "two of '1'"),
    ],
)
def test_structures_that_are_no_dag_are_refused(edges: list, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        wire(edges, ["a"], ["y"])


def test_unknown_biases_are_refused() -> None:
    with pytest.raises(GraphError, match="bias is given for 'q', an unknown neuron"):
        network(bias={"q": 1.0})
    with pytest.raises(GraphError, match="bias is given for 'food', an input"):
        network(bias={"food": 1.0})
