"""Specifications: what they refuse, naming the place, and that text brings them back without running code."""

from __future__ import annotations

import json
import pickle
import sys

import pytest

from nas import layers
from nas.errors import LayerError
from nas.layers import Conv, Identity, LayerSpec, Linear, Module, Node, residual, residual_dense


def chain(*names: str) -> list[Node]:
    return [
        Node(name=name, inputs=(before,), op=Linear(features=3))
        for before, name in zip(("input", *names), names, strict=False)
    ]


def image_spec() -> LayerSpec:
    return LayerSpec.of(
        (1, 8, 8),
        [
            Node(name="stem", op=Conv(channels=4, kernel=(3, 5)), norm="batch", activation="relu"),
            *residual_dense("dense", "stem", 4, growth=2),
            *residual("post", "dense", 8, stride=2),
            *residual("pre", "post", 8, order="pre"),
            Node(name="classes", inputs=("pre",), op=Linear(features=10)),
        ],
    )


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([*chain("a", "b"), *chain("a")], "'a' is there twice"),
        ([Node(name="a", inputs=("ghost",))], "node 'a' reads the unknown node 'ghost'"),
        ([Node(name="a", inputs=("b",)), Node(name="b", inputs=("a", "input")), *chain("c")], "cycle a->b->a"),
        ([Node(name="a"), Node(name="b")], "must depend on every node, but not on 'a'"),
        ([Node(name="b", inputs=("a",)), Node(name="c", inputs=("b",)), Node(name="a")], "nothing may read the output"),
    ],
)
def test_broken_structures_are_refused_by_name(nodes: list[Node], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerSpec.of((3,), nodes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "input"}, "'input' is taken"),
        ({"name": "a.b"}, "pattern"),
        ({"name": "a", "inputs": ["b", "b"]}, "reads another once"),
        ({"name": "a", "activation": "rleu"}, "unknown activation 'rleu'; use one of identity"),
        ({"name": "a", "op": {"op": "rnn"}}, "tag 'rnn'"),
        ({"name": "a", "op": {"op": "linear", "features": 10**9}}, "less than or equal"),
        ({"name": "a", "widht": 3}, "widht"),
    ],
)
def test_wrong_nodes_are_refused(values: dict[str, object], message: str) -> None:
    text = json.dumps({"format": "nas.layers", "version": 1, "input_shape": [3], "nodes": [values]})
    with pytest.raises(LayerError, match=message):
        LayerSpec.from_json(text)


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"format": "nas.layers", "version": 9}', "[" * 5000])
def test_foreign_text_is_refused(text: str) -> None:
    with pytest.raises(LayerError, match="specification"):
        LayerSpec.from_json(text)


def test_text_brings_the_specification_back() -> None:
    spec = image_spec()
    again = LayerSpec.from_json(spec.to_json())
    assert again == spec and hash(again) == hash(spec) and again.dag == spec.dag
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_order_of_nodes_does_not_matter_but_order_of_inputs_does() -> None:
    a, b = (Node(name=name, op=Linear(features=2)) for name in "ab")
    c = Node(name="c", inputs=("a", "b"), merge="concatenate")
    assert LayerSpec.of((3,), [c, b, a], "c").nodes[-1] == c
    assert LayerSpec.of((3,), [a, b, c]) != LayerSpec.of((3,), [a, b, c.model_copy(update={"inputs": ("b", "a")})])


def test_text_may_name_only_modules_that_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.layers._spec._allowed", set())
    sys.modules.pop("antigravity", None)
    spec = LayerSpec.of((3,), [Node(name="a", op=Module(path="antigravity:Fly"))])
    with pytest.raises(LayerError, match="node 'a' names the module 'antigravity:Fly', whose code would run"):
        LayerSpec.from_json(spec.to_json())
    assert LayerSpec.from_json(spec.to_json(), modules=["antigravity:Fly"]) == spec
    layers.allow_modules("antigravity:Fly")
    assert LayerSpec.from_json(spec.to_json()) == spec
    assert "antigravity" not in sys.modules  # reading runs nothing in any case


def test_the_graph_has_the_nodes_and_their_names() -> None:
    spec = image_spec()
    assert spec.dag.names is not None and spec.dag.names[0] == "input" and spec.dag.names[-1] == "classes"
    edges = {(spec.dag.names[a], spec.dag.names[b]) for a, b in spec.dag.edges.tolist()}
    assert edges == {(source, node.name) for node in spec.nodes for source in node.inputs}


def test_dot_says_what_nodes_do() -> None:
    dot = image_spec().to_dot()
    assert '"stem" [label="stem\\nconv 4, batch, relu"]' in dot
    assert '"pre_1" [label="pre_1\\nbatch, relu, conv 8"]' in dot  # pre-activation reads in the order it runs
    assert '"dense_1" -> "dense_fuse";' in dot and dot.count("->") == image_spec().dag.n_edges


def test_residual_forms() -> None:
    post, pre = residual("r", "x", 4)[-1], residual("r", "x", 4, order="pre")[-1]
    assert (post.activation, pre.activation) == ("relu", "identity")
    assert isinstance(post.op, Identity) and post.inputs == pre.inputs == ("r_2", "x")


@pytest.mark.parametrize("nodes", [True, 3, 0.5, "", "relu", {"a": 1}])
def test_nodes_that_are_no_list_are_refused(nodes: object) -> None:
    text = json.dumps({"format": "nas.layers", "version": 1, "input_shape": [3], "nodes": nodes})
    with pytest.raises(LayerError, match="nodes"):
        LayerSpec.from_json(text)
