"""The module against plain torch, shapes found without numbers, mismatches refused by name, and exports."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import LayerError
from nas.layers import (
    MERGES,
    Attention,
    Block,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Identity,
    LayerDAG,
    LayerSpec,
    LayerStructure,
    Linear,
    Module,
    Node,
    Pool,
    export_onnx,
    layer_shapes,
    residual,
    residual_dense,
)


def inputs(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def net(shape: Sequence[int], *nodes: Node, seed: int = 1) -> LayerDAG:
    return LayerDAG(LayerSpec.of(shape, nodes), seed=seed)


def every_kind() -> list[tuple[str, LayerDAG]]:
    """Together these have every operation, norm, order, merge and bridge."""
    image = net(
        (2, 9, 8),
        Node(name="stem", op=Conv(channels=4, stride=2), norm="batch", activation="relu"),
        *residual_dense("dense", "stem", 4, growth=3),
        *residual("post", "dense", 8),
        *residual("pre", "post", 8, order="pre", norm="group"),
        Node(name="small", inputs=("pre",), op=Pool(kind="average")),
        Node(name="drop", inputs=("small", "stem", "input"), merge="concatenate", project=True, op=Dropout(p=0.5)),
        Node(name="sum", inputs=("drop", "input", "stem"), project=True, norm="layer", activation="silu"),
        Node(name="mean", inputs=("sum",), op=GlobalPool(kind="max")),
        Node(name="flat", inputs=("sum",), op=Flatten()),
        Node(name="wide", inputs=("sum", "mean"), project=True, op=Identity()),
        Node(name="both", inputs=("mean", "flat", "wide"), merge="concatenate", project=True),
        Node(name="out", inputs=("both", "mean"), project=True, op=Linear(features=3)),
    )
    tokens = net(
        (6, 4),
        Node(name="mix", op=Attention(heads=2), norm="layer", order="pre"),
        Node(name="sum", inputs=("mix", "input")),
        Node(name="map", inputs=("sum",), op=Linear(features=8, flatten=False), norm="batch", activation="gelu"),
        Node(name="both", inputs=("map", "sum"), merge="concatenate", norm="group"),
        Node(name="bridged", inputs=("map", "both"), project=True, op=GlobalPool()),
        Node(name="out", inputs=("bridged",), op=Linear(features=2)),
    )
    features = net(
        (5,),
        Node(name="a", op=Linear(features=7), norm="batch", activation="tanh", order="pre"),
        Node(name="b", inputs=("a",), op=Module(path="torch.nn:Hardswish")),
        Node(name="out", inputs=("b", "input"), project=True, op=Linear(features=2, bias=False)),
    )
    return [("image", image), ("tokens", tokens), ("features", features)]


@pytest.fixture(scope="module", params=every_kind(), ids=lambda pair: pair[0])
def network(request: pytest.FixtureRequest) -> LayerDAG:
    module: LayerDAG = request.param[1]
    return module


def test_shapes_are_those_of_real_runs(network: LayerDAG) -> None:
    assert layer_shapes(network.spec) == network.shapes
    seen: dict[str, tuple[int, ...]] = {}
    hooks = [
        layer.register_forward_hook(
            lambda _, __, out, name=name: seen.__setitem__(name.removeprefix("n_"), tuple(out.shape[1:]))
        )
        for name, layer in network.nodes.items()
    ]
    out = network(inputs(3, network.n_inputs))
    for hook in hooks:
        hook.remove()
    assert seen == {name: shape for name, shape in network.shapes.items() if name != "input"}
    assert out.shape == (3, network.n_outputs)


def test_flat_and_shaped_samples_are_the_same(network: LayerDAG) -> None:
    x = inputs(3, network.n_inputs)
    network.eval()
    torch.testing.assert_close(network(x), network(x.reshape(3, *network.spec.input_shape)), rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"input must have shape \(batch, "):
        network(inputs(3, network.n_inputs + 1))


def test_every_parameter_gets_a_gradient(network: LayerDAG) -> None:
    working = copy.deepcopy(network).train()
    working(inputs(16, network.n_inputs)).square().sum().backward()
    assert [name for name, p in working.named_parameters() if p.grad is None] == []


def test_onnx_runtime_agrees_at_any_batch(network: LayerDAG, tmp_path: Path) -> None:
    network.train()
    export_onnx(network, tmp_path / "net.onnx")
    assert network.training  # as it was
    written = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(written, full_check=True)
    assert [each.version for each in written.opset_import if not each.domain] == [23]
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    network.eval()
    for batch in (1, 7):
        x = inputs(batch, network.n_inputs)
        (found,) = session.run(["y"], {"x": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), network(x).detach(), rtol=1e-4, atol=1e-5)


def test_torch_export_agrees_at_any_batch(network: LayerDAG) -> None:
    network.eval()
    dynamic = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (inputs(4, network.n_inputs),), dynamic_shapes=dynamic)
    x = inputs(7, network.n_inputs)
    torch.testing.assert_close(program.module()(x), network(x), rtol=1e-5, atol=1e-6)


def test_seed_decides_the_weights_and_leaves_torchs_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (net((4,), Node(name="a", op=Linear(features=3)), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [dict(module.named_parameters())["nodes.n_a.op.weight"] for module in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("order", ["post", "pre"])
def test_residual_is_what_the_papers_say(order: str) -> None:
    nodes = residual("r", "input", 3, order=order)  # type: ignore[arg-type]
    module = net((3, 5, 5), *nodes).eval()
    p = dict(module.named_parameters())
    w1, w2 = p["nodes.n_r_1.op.weight"], p["nodes.n_r_2.op.weight"]
    x, scale = inputs(2, 3, 5, 5), (1 + 1e-5) ** -0.5  # of batch norm before any training
    if order == "post":
        first = torch.relu(functional.conv2d(x, w1, padding=1) * scale)
        expected = torch.relu(functional.conv2d(first, w2, padding=1) * scale + x)
    else:
        first = functional.conv2d(torch.relu(x * scale), w1, padding=1)
        expected = functional.conv2d(torch.relu(first * scale), w2, padding=1) + x
    torch.testing.assert_close(module(x), expected)


def test_nodes_may_be_called_like_methods_of_torch() -> None:
    names = ("half", "forward", "keys", "training")
    nodes = [
        Node(name=name, inputs=(before,), op=Linear(features=2))
        for before, name in zip(("input", *names), names, strict=False)
    ]
    module = copy.deepcopy(net((3,), *nodes)).eval()
    assert torch.isfinite(module.double()(inputs(2, 3).double())).all()


def test_concatenation_keeps_the_order_of_inputs() -> None:
    merged = {"merge": "concatenate"}
    module = net(
        (2,),
        Node(name="a", op=Linear(features=1)),
        Node.model_validate({"name": "out", "inputs": ("a", "input"), **merged}),
    )
    x = inputs(4, 2)
    torch.testing.assert_close(module(x)[:, 1:], x)


def test_projection_is_a_1x1_convolution_of_window_means() -> None:
    module = net(
        (1, 4, 4), Node(name="a", op=Conv(channels=3, stride=2)), Node(name="b", inputs=("a", "input"), project=True)
    )
    x, p = inputs(2, 1, 4, 4), dict(module.named_parameters())
    a = functional.conv2d(x, p["nodes.n_a.op.weight"], p["nodes.n_a.op.bias"], stride=2, padding=1)
    skip = functional.conv2d(
        functional.avg_pool2d(x, 2),
        p["nodes.n_b.merge.bridges.n_input.1.weight"],
        p["nodes.n_b.merge.bridges.n_input.1.bias"],
    )
    torch.testing.assert_close(module(x), a + skip)


@pytest.mark.parametrize(
    ("shape", "nodes", "message"),
    [
        (
            (1, 8, 8),
            [Node(name="c", op=Conv(channels=4)), Node(name="sum", inputs=("c", "input"))],
            r"node 'sum' merges \(add\) equal shapes, but 'c' gives \(4, 8, 8\) and 'input' gives \(1, 8, 8\).*project",
        ),
        (
            (1, 8, 8),
            [Node(name="p", op=Pool()), Node(name="cat", inputs=("p", "input"), merge="concatenate")],
            r"node 'cat' merges \(concatenate\).*'p' gives \(1, 4, 4\) and 'input' gives \(1, 8, 8\)",
        ),
        ((8,), [Node(name="c", op=Conv(channels=4))], r"node 'c': conv reads \(channels.*gets shape \(8,\).*'input'"),
        ((3, 4), [Node(name="a", op=Attention(heads=3))], "node 'a': heads must divide the 4 features, but is 3"),
        ((3, 4, 4), [Node(name="c", op=Conv(channels=4, groups=2))], "node 'c': groups must divide 3 and 4"),
        ((1, 3, 3), [Node(name="p", op=Pool(window=4))], r"node 'p': pool reads at least its window \(4, 4\)"),
        ((1, 3, 3), [Node(name="c", op=Conv(channels=1, kernel=(3, 3, 3)))], r"node 'c': conv takes one number or"),
        ((4,), [Node(name="m", op=Module(path="torch.nn:Conv1d"))], "node 'm': cannot make 'torch.nn:Conv1d'"),
        ((4,), [Node(name="m", op=Module(path="no.such:Thing"))], "node 'm': cannot make 'no.such:Thing': ModuleNot"),
        ((4,), [Node(name="m", op=Module())], r"node 'm': it has no path, so pass an instance"),
        (
            (4,),
            [Node(name="m", op=Module(path="torch.nn:Linear", arguments={"in_features": 5, "out_features": 2}))],
            r"node 'm': Linear cannot read samples of shape \(4,\)",
        ),
    ],
)
def test_mismatches_are_refused_before_anything_runs(shape: tuple[int, ...], nodes: list[Node], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerDAG(LayerSpec.of(shape, nodes))


def test_an_instance_of_a_users_own_is_used_as_it_is() -> None:
    class Doubled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x, x], dim=1)

    spec = LayerSpec.of((3,), [Node(name="twice", op=Module()), Node(name="out", inputs=("twice",))])
    mine = Doubled()
    module = LayerDAG(spec, modules={"twice": mine})
    assert module.get_submodule("nodes.n_twice.op") is mine
    assert layer_shapes(spec, modules={"twice": mine})["out"] == (6,)
    assert module(inputs(2, 3)).shape == (2, 6)
    with pytest.raises(LayerError, match="instance for 'ghost'"):
        LayerDAG(spec, modules={"twice": mine, "ghost": mine})


def test_measures_count_weights_units_and_layers() -> None:
    module = net(
        (1, 4, 4),
        Node(name="c", op=Conv(channels=2), norm="batch", activation="relu"),
        Node(name="p", inputs=("c",), op=GlobalPool()),
        Node(name="out", inputs=("p",), op=Linear(features=3)),
    )
    assert module.n_weights == 2 * 9 + 2 * 3
    assert module.n_units == 2 * 16 + 2
    assert module.depth == 2


def test_every_merge_is_what_it_says() -> None:
    x = inputs(3, 4)
    expected = {
        "add": x + 2 * x,
        "mean": (x + 2 * x) / 2,
        "product": x * 2 * x,
        "weighted": 0.5 * x + 3 * 2 * x,
        "concatenate": torch.cat([2 * x, x], 1),
    }
    for merge in MERGES:
        network = net((4,), Node(name="z", op=Linear(features=4)), Node(name="out", inputs=("z", "input"), merge=merge))
        layers = dict(network.nodes.items())
        with torch.no_grad():
            layers["n_z"].op.weight.copy_(2 * torch.eye(4))
            layers["n_z"].op.bias.zero_()
            if merge == "weighted":  # by source, whatever the order of the names
                layers["n_out"].merge.factors["n_input"].fill_(0.5)
                layers["n_out"].merge.factors["n_z"].fill_(3.0)
        torch.testing.assert_close(network(x), expected[merge], msg=merge)


def test_outputs_keep_their_shape_and_may_be_several(tmp_path: Path) -> None:
    image = net((2, 6, 6), Node(name="a", op=Conv(channels=5)))
    assert nn.Sequential(image, nn.Conv2d(5, 1, 3))(inputs(3, 2, 6, 6)).shape == (3, 1, 4, 4)
    assert LayerDAG(image.spec, flat=True)(inputs(3, 72)).shape == (3, 180)
    heads = [Node(name="stem", op=Linear(features=8), activation="relu")]
    heads += [Node(name=name, inputs=("stem",), op=Linear(features=k)) for name, k in (("policy", 3), ("value", 1))]
    spec = LayerSpec.of((4,), heads, output=("value", "policy"))
    network = LayerDAG(LayerSpec.from_json(spec.to_json()), seed=0)
    value, policy = network(inputs(5, 4))
    assert (value.shape, policy.shape, network.n_outputs) == ((5, 1), (5, 3), 4)
    export_onnx(network, tmp_path / "heads.onnx")
    run = onnxruntime.InferenceSession(tmp_path / "heads.onnx", providers=["CPUExecutionProvider"]).run
    given = run(["policy", "value"], {"x": inputs(5, 4).numpy()})
    torch.testing.assert_close([torch.from_numpy(each) for each in given], [policy, value])
    with pytest.raises(LayerError, match="nothing may read the output 'stem'"):
        LayerSpec.of((4,), heads, output=("stem", "policy", "value"))
    with pytest.raises(LayerError, match="one output, but this has"):
        LayerStructure(spec)


def test_a_block_is_the_network_inside_it() -> None:
    inner = [Node(name="a", op=Linear(features=4), activation="tanh"), Node(name="sum", inputs=("a", "input"))]
    deeper = Node(name="deep", op=Block(nodes=(Node(name="twice", op=Block(nodes=inner)),)))
    network = net((4,), deeper, Node(name="out", inputs=("deep",), op=Linear(features=2)))
    weight, bias = network.state_dict()["nodes.n_deep.op.nodes.n_twice.op.nodes.n_a.op.weight"], None
    bias = network.state_dict()["nodes.n_deep.op.nodes.n_twice.op.nodes.n_a.op.bias"]
    x = inputs(3, 4)
    out = network.nodes["n_out"].op
    torch.testing.assert_close(network(x), out(torch.tanh(functional.linear(x, weight, bias)) + x))
    assert network.depth == 2
    assert LayerSpec.from_json(network.spec.to_json()) == network.spec
    hidden = Node(name="b", op=Block(nodes=(Node(name="m", op=Module(path="antigravity:Fly")),)))
    with pytest.raises(LayerError, match="'m' names the module 'antigravity:Fly'"):
        LayerSpec.from_json(LayerSpec.of((4,), [hidden]).to_json())


def test_masked_attention_sees_what_its_mask_says() -> None:
    seen = torch.eye(4, dtype=torch.bool)
    seen[2, 0] = True
    network = net((4, 6), Node(name="out", op=Attention(heads=2, mask=seen.tolist())))
    x = inputs(1, 4, 6).requires_grad_()
    reads = torch.stack([torch.autograd.grad(network(x)[0, k].sum(), x)[0][0].abs().sum(1) > 0 for k in range(4)])
    assert torch.equal(reads, seen)
    causal = net((4, 6), Node(name="out", op=Attention(causal=True)))
    reads = torch.stack([torch.autograd.grad(causal(x)[0, k].sum(), x)[0][0].abs().sum(1) > 0 for k in range(4)])
    assert torch.equal(reads, torch.ones(4, 4, dtype=torch.bool).tril())
    with pytest.raises(LayerError, match=r"mask must be \(4, 4\)"):
        net((4, 6), Node(name="out", op=Attention(mask=((True,),))))
    with pytest.raises(LayerError, match="leave token 0 none"):
        net((4, 6), Node(name="out", op=Attention(causal=True, mask=(~torch.eye(4, dtype=torch.bool)).tolist())))


def test_padded_pools_count_no_padding() -> None:
    x = -inputs(2, 1, 5, 5).abs() - 1
    for kind, torch_pool in (("max", nn.MaxPool2d(3, 2, 1)), ("average", nn.AvgPool2d(3, 2, 1, False, False))):
        pooled = net((1, 5, 5), Node(name="out", op=Pool(kind=kind, window=3, stride=2, padding=1)))(x)
        torch.testing.assert_close(pooled, torch_pool(x))
        assert bool((pooled < 0).all())
    with pytest.raises(LayerError, match="at most half of the window"):
        net((1, 5, 5), Node(name="out", op=Pool(padding=2)))


@pytest.mark.parametrize("side", [8, 9])
def test_a_residual_block_is_that_of_he_2015(side: int) -> None:
    network = net((4, side, side), *residual("block", "input", 8, stride=2)).train()
    state = {name.removeprefix("nodes.n_"): value for name, value in network.state_dict().items()}
    x = inputs(16, 4, side, side)

    def normed(values: Tensor) -> Tensor:
        return functional.batch_norm(values, None, None, training=True)

    first = functional.conv2d(x, state["block_1.op.weight"], stride=2, padding=1)
    second = normed(functional.conv2d(normed(first).relu(), state["block_2.op.weight"], padding=1))
    shortcut = normed(functional.conv2d(x, state["block.merge.bridges.n_input.0.weight"], stride=2))
    torch.testing.assert_close(network(x), (second + shortcut).relu(), rtol=1e-4, atol=1e-5)
