"""Weights of a mutated network from its parent's: what a tensor stands for decides where it goes, not its place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nas.layers._layer_dag import LayerDAG
from nas.layers._merge import channels
from nas.layers._ops import Conv, Linear, Shape
from nas.layers._spec import LayerSpec, Node, module_key

__all__ = ["inherit_layers", "state_arrays"]

Arrays = Mapping[str, np.ndarray]
Segments = dict[str, tuple[int, int]]  # where the channels of each source lie in what a node merges


def state_arrays(module: LayerDAG) -> dict[str, np.ndarray]:
    """Parameters and buffers by name; copies."""
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def inherit_layers(parent: LayerSpec, arrays: Arrays, child: LayerSpec, seed: int) -> dict[str, np.ndarray]:
    """Parameters and buffers of `child`: the parent's where nodes of one name agree, drawn from `seed` elsewhere.

    Nodes that became wider or narrower keep what both have. Weights of inputs that a node did not read before start
    at 0, and so do projections of such inputs; a projection that a sum needs because a layer became wider starts as
    the identity. So a concatenated skip connection, a projected one and a wider layer leave the function as it was, as
    long as no norm mixes new channels with old ones (Chen 2016, arXiv:1511.05641, with zeros in the place of copies).
    An inserted, replaced or removed node, and a skip connection into a sum of equal shapes, do change it.

    Args:
        arrays: of the parent (`state_arrays`).
        seed: of what is new.
    """
    before, after = LayerDAG(parent, seed=0), LayerDAG(child, seed=seed)
    found = state_arrays(after)
    for node in child.nodes:
        old = parent.by_name.get(node.name)
        if old is None or type(old.op) is not type(node.op):
            continue
        had, has = _segments(old, before.shapes), _segments(node, after.shapes)
        prefix = f"nodes.{module_key(node.name)}."
        for name in [name for name in found if name.startswith(prefix)]:
            part = name.removeprefix(prefix)
            if part.startswith("merge.factors."):
                found[name] = arrays.get(name, found[name]).copy()
            elif part.startswith("merge."):
                key = part.split(".")[2]
                if name in arrays and arrays[name].shape == found[name].shape:
                    found[name] = arrays[name].copy()
                elif node.bridge_norm == "none" or found[name].ndim > 1:  # a new norm of nothing is nothing
                    found[name] = _bridge(found[name], passes=key in map(module_key, old.inputs))
            elif name in arrays and part.startswith("op.") and isinstance(node.op, Linear | Conv):
                dense = not isinstance(node.op, Conv) or node.op.groups == 1
                columns = (had, has) if dense else None
                found[name] = _weights(arrays[name], found[name], columns)
            elif name in arrays and part.startswith("norm.") and node.order == old.order == "pre":
                found[name] = _by_source(arrays[name], found[name], had, has, fill=None)
            elif name in arrays:
                found[name] = _overlap(arrays[name], found[name])
    return found


def _bridge(new: np.ndarray, *, passes: bool) -> np.ndarray:
    """A new projection: of a source that was read before, the identity on the channels that are left; else 0."""
    if new.ndim < 2 or not passes:
        return np.zeros_like(new)
    return np.eye(*new.shape[:2], dtype=new.dtype).reshape(new.shape)


def _segments(node: Node, shapes: Mapping[str, Shape]) -> Segments:
    if node.merge != "concatenate":
        return {"": (0, channels(shapes[node.inputs[0]]))}
    ends = np.cumsum([0, *(channels(shapes[source]) for source in node.inputs)]).tolist()
    return {source: (ends[k], ends[k + 1]) for k, source in enumerate(node.inputs)}


def _weights(old: np.ndarray, new: np.ndarray, columns: tuple[Segments, Segments] | None) -> np.ndarray:
    """Of a linear or conv: rows are what it emits, columns what it reads."""
    if old.ndim < 2 or new.ndim < 2 or columns is None:
        return _overlap(old, new)
    had, has = _common(*columns)
    n_old, n_new = max(end for _, end in had.values()), max(end for _, end in has.values())
    if old.shape[1] % n_old or new.shape[1] % n_new:
        return new
    # A dense layer behind an image reads each channel's pixels side by side.
    wide_old = old.reshape(old.shape[0], n_old, -1, *old.shape[2:])
    wide_new = new.reshape(new.shape[0], n_new, -1, *new.shape[2:])
    if wide_old.shape[2:] != wide_new.shape[2:]:
        return new  # other kernel or image
    rows = min(old.shape[0], new.shape[0])
    result = wide_new.copy()
    inner = _by_source(wide_old[:rows].swapaxes(0, 1), wide_new[:rows].swapaxes(0, 1), had, has, fill=0.0)
    result[:rows] = inner.swapaxes(0, 1)
    return result.reshape(new.shape)


def _by_source(old: np.ndarray, new: np.ndarray, had: Segments, has: Segments, fill: float | None) -> np.ndarray:
    """Along the first axis, the parts of sources that both read; the rest is `fill`, or stays where that is None."""
    if old.ndim == 0 or old.shape[1:] != new.shape[1:]:
        return _overlap(old, new)
    had, has = _common(had, has)
    result = new.copy() if fill is None else np.full_like(new, fill)
    for source, (start, end) in has.items():
        if source in had:
            first, last = had[source]
            length = min(end - start, last - first)
            result[start : start + length] = old[first : first + length]
    return result


def _common(had: Segments, has: Segments) -> tuple[Segments, Segments]:
    """One of the two may add and the other concatenate: then the sum stands for the first source."""
    if ("" in had) == ("" in has):
        return had, has
    if "" in had:
        return {next(iter(has)): had[""]}, has
    return had, {next(iter(had)): has[""]}


def _overlap(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """`new` with what `old` has at the same places along the first axis; unchanged where other axes differ."""
    if old.ndim != new.ndim or old.shape[1:] != new.shape[1:] or old.dtype != new.dtype:
        return new
    if old.ndim == 0:
        return old.copy()
    result = new.copy()
    length = min(len(old), len(new))
    result[:length] = old[:length]
    return result
