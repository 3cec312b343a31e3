"""Every kind of network, of every type of numbers, comes back as it was saved, or is refused when it is saved."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import nas
from nas.engine import DAGModule, MaskedLinear
from nas.errors import CheckpointError, GraphError
from nas.layers import LayerDAG
from tests.kinds import KINDS, input_of, made

TYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def comes_back(path, module, dtype):
    x = input_of(module, batch=5, dtype=dtype)
    before = module(x)
    nas.save(path, module, {"a": 1})
    restored = nas.load(path)
    assert restored.record == {"a": 1} and not restored.training
    assert torch.equal(restored(x), before) and restored(x).dtype == before.dtype
    return restored


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", TYPES)
def test_every_kind_and_type_comes_back_or_is_refused(kind, dtype, tmp_path):
    module = made(kind, dtype)
    runs = dtype in TYPES[:2] or isinstance(module, LayerDAG | MaskedLinear)
    if dtype == torch.bfloat16 or not runs:
        try:
            nas.save(tmp_path / "m", module, {})
        except CheckpointError:
            assert not (tmp_path / "m").exists()
            return
    if not runs:  # half precision is only kept
        state = nas.load(tmp_path / "m").state_dict()
        assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
        return
    restored = comes_back(tmp_path / "m", module, dtype)
    assert restored.dag == module.dag
    comes_back(tmp_path / "again", restored, dtype)  # what was loaded is saved like anything else


def test_layers_keep_their_type(tmp_path):
    for dtype in TYPES[:3]:
        assert {p.dtype for p in comes_back(tmp_path / "m", made("layers", dtype), dtype).parameters()} == {dtype}
    mixed = made("layers", torch.float32)
    mixed.nodes["n_y"].op.double()
    nas.save(tmp_path / "m", mixed, {})
    assert nas.load(tmp_path / "m").nodes["n_y"].op.weight.dtype == torch.float64


def test_pruned_networks_come_back_as_they_compute(tmp_path):
    for kind in ("dag", "manifold free", "recurrent", "layers", "masked dense"):
        module = made(kind, torch.float32)
        part, name = {"layers": (module.nodes["n_a"].op, "weight") if kind == "layers" else None,
                      "masked dense": (module, "edge_values")}.get(kind) or (module, "weight")  # fmt: skip
        prune.l1_unstructured(part, name, amount=0.5)
        module(input_of(module, dtype=torch.float32))
        with torch.no_grad():  # after the last forward pass
            getattr(part, f"{name}_orig").mul_(1.5)
        prune.random_unstructured(part, name, amount=0.2)  # a second one makes a container of both
        restored = comes_back(tmp_path / "m", module, torch.float32)
        assert not any("_mask" in name for name, _ in restored.named_buffers())


class Doubled(nn.Module):
    def forward(self, value):
        return 2 * value


def test_parametrised_networks_come_back_as_they_compute(tmp_path):
    for kind in ("dag", "recurrent", "layers"):
        module = made(kind, torch.float64)
        part = module.nodes["n_a"].op if kind == "layers" else module
        parametrize.register_parametrization(part, "weight", Doubled())
        if kind == "layers":
            parametrizations.spectral_norm(module.nodes["n_b"].op).train()
            module.eval()
        restored = comes_back(tmp_path / "m", module, torch.float64)
        assert not any("parametrizations" in name for name, _ in restored.named_parameters())


class Own(DAGModule):
    def forward(self, x):
        return super().forward(x) ** 2


def broken(kind):
    module = made("dag", torch.float32)
    if kind == "own forward":
        return Own(module.dag)
    if kind == "sequential":
        return nn.Sequential(module)
    if kind == "nan":
        with torch.no_grad():
            module.weight[0] = float("nan")
    if kind == "older weight norm":
        with pytest.warns(FutureWarning):
            nn.utils.weight_norm(module, dim=None)
    if kind == "one more buffer":
        module.register_buffer("more", torch.zeros(2))
    if kind == "another part":
        module = made("layers", torch.float32)
        module.nodes["n_a"].activation = nn.ReLU()
    if kind == "other connections":
        module = MaskedLinear(3, 2, torch.ones(2, 3))
        module.bias_values = None
    return module


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("own forward", "Own has a forward of its own"),
        ("sequential", "a Sequential cannot be saved; save its networks one by one"),
        ("nan", "weight must be finite"),
        ("older weight norm", "weight_g"),
        ("one more buffer", "more"),
        ("another part", "n_a.activation is ReLU"),
        ("other connections", "bias_values"),
    ],
)
def test_what_would_not_come_back_is_refused_when_it_is_saved(kind, text, tmp_path):
    (tmp_path / "m").write_bytes(b"before")
    with pytest.raises(CheckpointError, match=text):
        nas.save(tmp_path / "m", broken(kind), {})
    assert (tmp_path / "m").read_bytes() == b"before"


def test_wired_networks_keep_signs_names_and_what_is_frozen(tmp_path):
    module = made("wired")
    restored = comes_back(tmp_path / "m", module, torch.float64)
    assert restored.table().equals(module.table())
    with torch.no_grad(), pytest.raises(GraphError, match="it is frozen|sign is fixed"):
        restored.weight.add_(1)


def test_networks_with_closeness_go_on_learning(tmp_path):
    module = made("manifold masked")
    module.closeness.period, module.temperature = 2.1, 0.3
    restored = comes_back(tmp_path / "m", module, torch.float64)
    assert (restored.closeness.period, restored.temperature) == (2.1, 0.3)
    assert torch.equal(restored.terms().flow, module.terms().flow)
