"""Changes of a specification, each giving a new, checked one. Nothing here draws lots: see `nas.layers.mutate`.

An edit never breaks a network: where shapes do not meet any more, inputs are bridged (`Node.project`), and what cannot
be bridged, would change the shape of the output or leave a node without use is refused with a LayerError that says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from nas.errors import LayerError
from nas.layers._layer_dag import layer_shapes
from nas.layers._ops import Conv, Linear
from nas.layers._spec import AnyOp, LayerSpec, MergeKind, Node

__all__ = [
    "add_skip",
    "insert_node",
    "remove_node",
    "remove_skip",
    "replace_node",
    "set_merge",
    "set_width",
    "switch_order",
]


def add_skip(spec: LayerSpec, source: str, target: str) -> LayerSpec:
    """`target` also reads `source`, a node or the input."""
    node = _node(spec, target)
    if source in node.inputs:
        raise LayerError(f"node {target!r} reads {source!r} already")
    return _edited(spec, [node.model_copy(update={"inputs": (*node.inputs, source)})])


def remove_skip(spec: LayerSpec, source: str, target: str) -> LayerSpec:
    """`target` no longer reads `source`."""
    node = _node(spec, target)
    if source not in node.inputs:
        raise LayerError(f"node {target!r} does not read {source!r}; it reads {', '.join(node.inputs)}")
    if len(node.inputs) == 1:
        raise LayerError(f"node {target!r} must keep an input, but reads {source!r} alone")
    return _edited(spec, [node.model_copy(update={"inputs": tuple(s for s in node.inputs if s != source)})])


def set_merge(spec: LayerSpec, name: str, merge: MergeKind) -> LayerSpec:
    """A node merges what it reads in another way."""
    return _edited(spec, [_node(spec, name).model_copy(update={"merge": merge})])


def insert_node(spec: LayerSpec, source: str, target: str, node: Node) -> LayerSpec:
    """`node` (its inputs are ignored) reads `source`, and `target` reads it in the place of `source`."""
    reader = _node(spec, target)
    if source not in reader.inputs:
        raise LayerError(f"node {target!r} does not read {source!r}; it reads {', '.join(reader.inputs)}")
    if node.name in spec.by_name:
        raise LayerError(f"node {node.name!r} is there already; choose another name")
    inputs = tuple(node.name if s == source else s for s in reader.inputs)
    return _edited(spec, [node.model_copy(update={"inputs": (source,)}), reader.model_copy(update={"inputs": inputs})])


def remove_node(spec: LayerSpec, name: str) -> LayerSpec:
    """Readers of the node read its inputs instead."""
    removed = _node(spec, name)
    if name in spec.outputs:
        raise LayerError(f"the output {name!r} cannot be removed")
    changed = []
    for node in spec.nodes:
        if name in node.inputs:
            inputs = [s for old in node.inputs for s in (removed.inputs if old == name else (old,))]
            changed.append(node.model_copy(update={"inputs": tuple(dict.fromkeys(inputs))}))
    return _edited(spec, changed, without=name)


def replace_node(spec: LayerSpec, node: Node) -> LayerSpec:
    """Another node under the same name."""
    _node(spec, node.name)
    return _edited(spec, [node])


def set_width(spec: LayerSpec, name: str, width: int) -> LayerSpec:
    """Another number of features (linear) or channels (conv)."""
    node = _node(spec, name)
    op: AnyOp
    if isinstance(node.op, Linear):
        op = Linear(**{**dict(node.op), "features": width})
    elif isinstance(node.op, Conv):
        op = Conv(**{**dict(node.op), "channels": width})
    else:
        raise LayerError(f"linear and conv have a width, but node {name!r} is {node.op.op}")
    return _edited(spec, [node.model_copy(update={"op": op})])


def switch_order(spec: LayerSpec, name: str) -> LayerSpec:
    """From post- to pre-activation or back."""
    node = _node(spec, name)
    return _edited(spec, [node.model_copy(update={"order": "pre" if node.order == "post" else "post"})])


def _node(spec: LayerSpec, name: str) -> Node:
    try:
        return spec.by_name[name]
    except KeyError:
        raise LayerError(f"no node {name!r}; there are {', '.join(spec.by_name)}") from None


def _edited(spec: LayerSpec, changed: Iterable[Node], *, without: str = "") -> LayerSpec:
    nodes = {name: node for name, node in spec.by_name.items() if name != without}
    nodes |= {node.name: node for node in changed}
    bridged = [
        node.model_copy(update={"project": True}) if len(node.inputs) > 1 and not node.project else node
        for node in nodes.values()
    ]
    child = LayerSpec.of(spec.input_shape, bridged, spec.output)
    before, after = layer_shapes(spec), layer_shapes(child)
    for name in spec.outputs:
        if before[name] != after[name]:
            raise LayerError(f"an edit keeps the shape of the output {name!r}, but {before[name]} became {after[name]}")
    return child
