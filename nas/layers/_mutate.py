"""Random changes of a specification that always give a valid one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from nas.errors import LayerError
from nas.layers import _edit as edit
from nas.layers._layer_dag import layer_shapes, probe
from nas.layers._ops import Attention, Conv, Linear, Pool, Shape
from nas.layers._spec import INPUT, AnyOp, LayerSpec, MergeKind, Node

__all__ = ["LAYER_OPERATORS", "LayerMutation", "Palette", "mutate"]

T = TypeVar("T")

_TRIES: Final = 100  # changes drawn for one that works; most work at once, but few on a network of one node


@dataclass(frozen=True, slots=True)
class Palette:
    """What random nodes are made of, and how large a network may become."""

    widths: tuple[int, int] = (4, 64)  # least and most channels or features, log-uniform
    kernels: tuple[int, ...] = (1, 3, 5)
    activations: tuple[str, ...] = ("relu", "silu", "tanh")
    norms: tuple[str, ...] = ("none", "batch", "layer")
    merges: tuple[MergeKind, ...] = ("add", "concatenate")
    pooling: bool = True  # whether nodes may make images smaller
    max_nodes: int = 32
    max_weights: int = 1_000_000  # see LayerDAG.n_weights

    def __post_init__(self) -> None:
        low, high = self.widths
        if not 1 <= low <= high:
            raise ValueError(f"widths: 1 <= least <= most must hold, but got {self.widths}")
        if not (self.kernels and self.activations and self.norms and self.merges):
            raise ValueError("kernels, activations, norms and merges each need at least one entry")

    def width(self, rng: np.random.Generator) -> int:
        """A width, log-uniform."""
        low, high = self.widths
        return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))

    def node(self, name: str, source: str, shape: Shape, rng: np.random.Generator, *, width: int | None = None) -> Node:
        """A node that can read samples of `shape`."""
        width = width or self.width(rng)
        op: AnyOp
        if len(shape) == 3:
            fits = [k for k in self.kernels if k <= min(shape[1:])] or [1]
            op = Conv(channels=width, kernel=fits[int(rng.integers(len(fits)))])
            if self.pooling and min(shape[1:]) >= 4 and rng.random() < 0.2:
                return Node(name=name, inputs=(source,), op=Pool(kind="max" if rng.random() < 0.5 else "average"))
        elif len(shape) == 2 and rng.random() < 0.5:
            op = Attention(heads=max(h for h in (1, 2, 4) if shape[1] % h == 0))
            return Node(name=name, inputs=(source,), op=op, norm="layer", order="pre")
        else:
            op = Linear(features=width, flatten=len(shape) == 1)
        return Node(
            name=name,
            inputs=(source,),
            op=op,
            norm=_one(self.norms, rng),
            activation=_one(self.activations, rng),
            order="pre" if rng.random() < 0.5 else "post",
        )


@dataclass(frozen=True, slots=True)
class LayerMutation:
    """A changed specification and one line that says what changed."""

    spec: LayerSpec
    description: str


def mutate(
    spec: LayerSpec,
    rng: np.random.Generator,
    *,
    count: int = 1,
    growth: float = 0.0,
    palette: Palette | None = None,
    prefix: str = "m",
) -> LayerMutation:
    """`count` random changes, one after the other; the output keeps its shape.

    Args:
        spec: every `Module` in it has a path.
        rng: source of all randomness.
        count: at least 1.
        growth: in [-1, 1]; -1 changes only by removing, +1 only by adding.
        palette: what new nodes are made of.
        prefix: of the names of new nodes, a number follows. Nodes of one name are the same to `inherit_layers`.

    Raises:
        LayerError: no change of the wanted kind is possible.
    """
    if count < 1 or not -1 <= growth <= 1:
        raise ValueError(f"count >= 1 and -1 <= growth <= 1 must hold, but got {count} and {growth}")
    palette = palette or Palette()
    weights = {"grow": (1 + growth) / 2, "shrink": (1 - growth) / 2, "change": 0.7 * (1 - abs(growth))}
    names = [name for name, (kind, _) in LAYER_OPERATORS.items() if weights[kind] > 0]
    shares = np.array([weights[LAYER_OPERATORS[name][0]] for name in names])
    said: list[str] = []
    start = spec
    for _ in range(count):
        for _ in range(_TRIES):
            name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
            try:
                child, what = LAYER_OPERATORS[name][1](spec, rng, palette, prefix)
                if LAYER_OPERATORS[name][0] != "shrink":
                    _check_size(child, palette)
            except LayerError:
                continue
            if child == start:  # one change undid another
                continue
            spec = child
            said.append(what)
            break
    if not said:
        raise LayerError(f"none of {_TRIES} random changes was possible (growth {growth:g}); relax the limits")
    return LayerMutation(spec, ", ".join(said))


def _check_size(spec: LayerSpec, palette: Palette) -> None:
    if len(spec.nodes) > palette.max_nodes:
        raise LayerError(f"at most {palette.max_nodes} nodes are allowed, but there are {len(spec.nodes)}")
    _, weights = probe(spec)
    if weights > palette.max_weights:
        raise LayerError(f"at most {palette.max_weights} weights are allowed, but there are {weights}")


Operator = Callable[[LayerSpec, np.random.Generator, Palette, str], tuple[LayerSpec, str]]


def _add_skip(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    place = int(rng.integers(len(spec.nodes)))
    target = spec.nodes[place]
    free = [name for name in (INPUT, *(node.name for node in spec.nodes[:place])) if name not in target.inputs]
    source = _one(free, rng)
    child = edit.add_skip(spec, source, target.name)
    others = [merge for merge in palette.merges if merge != target.merge]
    if others and len(target.inputs) == 1 and rng.random() < 0.5:  # until now it made no difference how it merges
        child = edit.set_merge(child, target.name, _one(others, rng))
    return child, f"skip {source}->{target.name} ({child.by_name[target.name].merge})"


def _remove_skip(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    target = _one([node for node in spec.nodes if len(node.inputs) > 1], rng)
    source = _one(target.inputs, rng)
    return edit.remove_skip(spec, source, target.name), f"no skip {source}->{target.name}"


def _set_merge(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    node = _one([node for node in spec.nodes if len(node.inputs) > 1], rng)
    merge = _one([each for each in palette.merges if each != node.merge], rng)
    return edit.set_merge(spec, node.name, merge), f"{node.name} merges by {merge}"


def _insert_node(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    target = _one(spec.nodes, rng)
    source = _one(target.inputs, rng)
    shape = layer_shapes(spec)[source]
    name = next(name for k in range(len(spec.nodes) + 1) if (name := f"{prefix}{k + 1}") not in spec.by_name)
    kept = shape[1] if len(shape) == 2 else shape[0]
    fits = palette.widths[0] <= kept <= palette.widths[1]
    node = palette.node(name, source, shape, rng, width=kept if fits and rng.random() < 0.5 else None)
    return edit.insert_node(spec, source, target.name, node), f"{node.op.op} {name} in {source}->{target.name}"


def _remove_node(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    node = _one(spec.nodes[:-1], rng)
    return edit.remove_node(spec, node.name), f"no {node.op.op} {node.name}"


def _scaled(spec: LayerSpec, rng: np.random.Generator, palette: Palette, factor: float) -> tuple[LayerSpec, str]:
    node = _one([node for node in spec.nodes[:-1] if isinstance(node.op, Conv | Linear)], rng)
    op = node.op
    assert isinstance(op, Conv | Linear)
    old = op.channels if isinstance(op, Conv) else op.features
    low, high = palette.widths
    width = min(max(round(old * factor), low), high)
    if width == old:
        raise LayerError(f"node {node.name!r} has its limit of {old} already")
    return edit.set_width(spec, node.name, width), f"{node.name} {old}->{width} wide"


def _widen(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    return _scaled(spec, rng, palette, float(rng.uniform(1.2, 2.0)))


def _narrow(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    return _scaled(spec, rng, palette, float(rng.uniform(0.5, 0.85)))


def _replace_node(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    node = _one(spec.nodes[:-1], rng)
    fresh = palette.node(node.name, node.inputs[0], layer_shapes(spec)[node.inputs[0]], rng)
    kept = {"inputs": node.inputs, "merge": node.merge, "project": node.project}
    child = edit.replace_node(spec, fresh.model_copy(update=kept))
    return child, f"{node.name} is now {fresh.op.op} ({fresh.activation})"


def _switch_order(spec: LayerSpec, rng: np.random.Generator, palette: Palette, prefix: str) -> tuple[LayerSpec, str]:
    node = _one([node for node in spec.nodes[:-1] if (node.norm, node.activation) != ("none", "identity")], rng)
    child = edit.switch_order(spec, node.name)
    return child, f"{node.name} activates {'before' if node.order == 'post' else 'after'} it operates"


LAYER_OPERATORS: Final[dict[str, tuple[str, Operator]]] = {
    "add_skip": ("grow", _add_skip),
    "insert_node": ("grow", _insert_node),
    "widen": ("grow", _widen),
    "remove_skip": ("shrink", _remove_skip),
    "remove_node": ("shrink", _remove_node),
    "narrow": ("shrink", _narrow),
    "set_merge": ("change", _set_merge),
    "switch_order": ("change", _switch_order),
    "replace_node": ("change", _replace_node),
}
"""Every random change by name: whether it makes a network grow, shrink or change, and the function."""


def _one(choices: Sequence[T], rng: np.random.Generator) -> T:
    if not choices:
        raise LayerError("there is nothing of this kind to change")
    return choices[int(rng.integers(len(choices)))]
