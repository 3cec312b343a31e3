"""Edits do what they say or refuse; random ones always give a network that runs; children keep what they can."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nas import layers
from nas.errors import LayerError
from nas.layers import (
    LAYER_OPERATORS,
    Attention,
    Conv,
    GlobalPool,
    LayerDAG,
    LayerSpec,
    Linear,
    Node,
    Palette,
    Pool,
    inherit_layers,
    layer_shapes,
    residual_dense,
    state_arrays,
)

IMAGE = LayerSpec.of(
    (1, 8, 8),
    [
        Node(name="stem", op=Conv(channels=4), norm="batch", activation="relu"),
        *residual_dense("dense", "stem", 4, growth=2, layers=2),
        Node(name="pool", inputs=("dense",), op=Pool()),
        Node(name="mean", inputs=("pool",), op=GlobalPool()),
        Node(name="hidden", inputs=("mean",), op=Linear(features=6), activation="tanh"),
        Node(name="out", inputs=("hidden", "mean"), merge="concatenate", op=Linear(features=3)),
    ],
)
TOKENS = LayerSpec.of(
    (5, 4),
    [
        Node(name="mix", op=Attention(heads=2), norm="layer", order="pre"),
        Node(name="sum", inputs=("mix", "input")),
        Node(name="mean", inputs=("sum",), op=GlobalPool()),
        Node(name="out", inputs=("mean",), op=Linear(features=3)),
    ],
)
FEATURES = LayerSpec.of(
    (6,), [Node(name="a", op=Linear(features=4)), *[Node(name="out", inputs=("a",), op=Linear(features=3))]]
)
SPECS = {"image": IMAGE, "tokens": TOKENS, "features": FEATURES}


def outputs(spec: LayerSpec, arrays: dict[str, np.ndarray]) -> torch.Tensor:
    module = LayerDAG(spec)
    module.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    x = torch.randn(5, module.n_inputs, generator=torch.Generator().manual_seed(3))
    found: torch.Tensor = module.eval()(x).detach()
    return found


def trained(spec: LayerSpec) -> dict[str, np.ndarray]:
    """Arrays that look trained: no zeros, batch statistics of their own."""
    rng = np.random.default_rng(0)
    arrays = state_arrays(LayerDAG(spec, seed=0))
    return {
        name: np.asarray(rng.uniform(0.1, 1.0, value.shape), value.dtype) if value.dtype.kind == "f" else value
        for name, value in arrays.items()
    }


def test_edits_do_what_they_say() -> None:
    spec = layers.add_skip(IMAGE, "input", "mean")
    assert spec.by_name["mean"].inputs == ("pool", "input")
    assert layers.remove_skip(spec, "input", "mean").by_name["mean"].inputs == ("pool",)
    assert layer_shapes(layers.set_merge(spec, "mean", "concatenate"))["mean"] == (5,)
    spec = layers.insert_node(IMAGE, "dense", "pool", Node(name="new", op=Conv(channels=7)))
    assert spec.by_name["new"].inputs == ("dense",) and spec.by_name["pool"].inputs == ("new",)
    assert layers.remove_node(spec, "new").by_name["pool"].inputs == ("dense",)
    assert layer_shapes(layers.set_width(IMAGE, "stem", 9))["stem"] == (9, 8, 8)
    assert layers.switch_order(IMAGE, "stem").by_name["stem"].order == "pre"
    replaced = layers.replace_node(IMAGE, Node(name="hidden", inputs=("mean",), activation="relu"))
    assert layer_shapes(replaced)["hidden"] == (4,)


def test_an_edit_bridges_what_no_longer_fits() -> None:
    spec = layers.set_width(IMAGE, "dense_fuse", 9)  # its sum with the stem of 4 channels
    assert layer_shapes(spec)["dense"] == (9, 8, 8)
    assert spec.by_name["dense"].project


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda: layers.add_skip(IMAGE, "stem", "ghost"), "no node 'ghost'; there are stem, "),
        (lambda: layers.add_skip(IMAGE, "out", "stem"), "nothing may read the output 'out'"),
        (lambda: layers.add_skip(IMAGE, "mean", "stem"), "cycle"),
        (lambda: layers.add_skip(IMAGE, "input", "stem"), "reads 'input' already"),
        (lambda: layers.remove_skip(IMAGE, "pool", "mean"), "must keep an input"),
        (lambda: layers.remove_skip(IMAGE, "input", "mean"), "does not read 'input'; it reads pool"),
        (lambda: layers.remove_skip(IMAGE, "hidden", "out"), "must depend on every node, but not on 'hidden'"),
        (lambda: layers.remove_node(IMAGE, "out"), "the output 'out' cannot be removed"),
        (lambda: layers.set_width(IMAGE, "out", 4), r"keeps the shape of the output 'out', but \(3,\) became \(4,\)"),
        (lambda: layers.set_width(IMAGE, "pool", 4), "linear and conv have a width, but node 'pool' is pool"),
        (lambda: layers.insert_node(IMAGE, "stem", "out", Node(name="new")), "'out' does not read 'stem'"),
        (lambda: layers.insert_node(IMAGE, "input", "stem", Node(name="pool")), "'pool' is there already"),
    ],
)
def test_edits_that_cannot_be_are_refused(edit: object, message: str) -> None:
    assert callable(edit)
    with pytest.raises(LayerError, match=message):
        edit()


@settings(deadline=None, max_examples=12)
@example(which="features", seed=283467, count=1, growth=0.0)  # a network of one node, which few changes fit
@given(
    which=st.sampled_from(sorted(SPECS)),
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 4),
    growth=st.floats(-1, 1),
)
def test_mutations_run_and_inherit(which: str, seed: int, count: int, growth: float) -> None:
    parent, rng = SPECS[which], np.random.default_rng(seed)
    palette = Palette(widths=(2, 12), max_nodes=11, max_weights=20_000)
    arrays = state_arrays(LayerDAG(parent, seed=1))
    for generation in range(3):
        try:
            mutation = layers.mutate(parent, rng, count=count, growth=growth, palette=palette, prefix=f"g{generation}_")
        except LayerError:  # nothing is left that could be removed, or limits stand in the way of growth
            assert abs(growth) > 0.3
            return
        child = mutation.spec
        assert child != parent and mutation.description
        assert len(child.nodes) <= palette.max_nodes
        assert child.output == parent.output and LayerDAG(child, seed=0).n_outputs == 3
        inherited = inherit_layers(parent, arrays, child, seed=2)
        assert torch.isfinite(outputs(child, inherited)).all()
        parent, arrays = child, inherited


@pytest.mark.parametrize("name", sorted(LAYER_OPERATORS))
def test_every_operator_changes_the_network_in_its_own_direction(name: str) -> None:
    kind, operator = LAYER_OPERATORS[name]
    palette = Palette(widths=(2, 12))
    changed = []
    for seed in range(30):
        try:
            child, _ = operator(IMAGE, np.random.default_rng(seed), palette, "new")
        except LayerError:
            continue
        changed.append(child)
        edges = child.dag.n_edges - IMAGE.dag.n_edges
        if name in ("add_skip", "remove_skip"):
            assert edges == (1 if kind == "grow" else -1)
        if name in ("widen", "narrow"):
            assert (LayerDAG(child).n_units > LayerDAG(IMAGE).n_units) == (kind == "grow")
        if name in ("insert_node", "remove_node"):
            assert len(child.nodes) - len(IMAGE.nodes) == (1 if kind == "grow" else -1)
    assert len({child.to_json() for child in changed}) >= 3


def test_a_generator_decides_the_mutation() -> None:
    first, again, other = (layers.mutate(IMAGE, np.random.default_rng(seed), count=3) for seed in (5, 5, 6))
    assert first == again and first != other


def test_growth_at_the_limits_is_refused() -> None:
    with pytest.raises(LayerError, match="none of 100 random changes was possible"):
        layers.mutate(FEATURES, np.random.default_rng(0), growth=1.0, palette=Palette(max_nodes=2, max_weights=1))


@pytest.mark.parametrize(
    "child",
    [
        layers.set_width(IMAGE, "stem", 7),  # read by concatenations, and by a sum that bridges it from now on
        layers.set_width(IMAGE, "dense_1", 5),
        layers.set_width(IMAGE, "hidden", 9),
        layers.add_skip(IMAGE, "stem", "out"),  # concatenated: new columns are 0
        layers.add_skip(IMAGE, "input", "dense"),  # summed over a new 1x1 convolution, which is 0
    ],
    ids=["wider stem", "wider dense", "wider hidden", "concatenated skip", "projected skip"],
)
def test_growing_keeps_the_function(child: LayerSpec) -> None:
    arrays = trained(IMAGE)
    inherited = inherit_layers(IMAGE, arrays, child, seed=9)
    torch.testing.assert_close(outputs(child, inherited), outputs(IMAGE, arrays), rtol=1e-5, atol=1e-5)


def test_removing_a_concatenated_input_keeps_the_columns_of_the_others() -> None:
    child = layers.remove_skip(IMAGE, "stem", "dense_fuse")
    arrays = trained(IMAGE)
    inherited = inherit_layers(IMAGE, arrays, child, seed=9)
    before, after = arrays["nodes.n_dense_fuse.op.weight"], inherited["nodes.n_dense_fuse.op.weight"]
    np.testing.assert_array_equal(after, before[:, 4:])  # the stem's four channels came first


def test_other_operations_and_kernels_start_afresh() -> None:
    child = layers.replace_node(IMAGE, Node(name="stem", op=Conv(channels=4, kernel=5)))
    arrays = trained(IMAGE)
    inherited = inherit_layers(IMAGE, arrays, child, seed=9)
    fresh = state_arrays(LayerDAG(child, seed=9))
    np.testing.assert_array_equal(inherited["nodes.n_stem.op.weight"], fresh["nodes.n_stem.op.weight"])
    np.testing.assert_array_equal(inherited["nodes.n_out.op.weight"], arrays["nodes.n_out.op.weight"])
