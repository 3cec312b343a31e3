"""The torch module of a specification, and the shapes that it finds by running itself without numbers."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import LayerError
from nas.graph import DAG
from nas.layers._merge import Merge
from nas.layers._ops import Module, Shape, activation_module, norm_module, size
from nas.layers._spec import INPUT, Block, LayerSpec, Node, module_key

__all__ = ["LayerDAG", "layer_shapes"]

_META = torch.device("meta")


class LayerDAG(nn.Module):
    """A network of layers: maps (batch, n_inputs) or (batch, *input_shape) to (batch, *shape of the output).

    Of a specification with several outputs it gives a tuple, in the order of their names there.

    Args:
        spec: the structure.
        modules: an instance for each node whose `Module` has no path, by name; used as it is, not copied.
        seed: of the initial weights, drawn without touching torch's global generator; None: drawn from that.
        flat: outputs are (batch, numbers of a sample).

    Attributes:
        spec: as given.
        dag: the nodes as a graph, for pictures and measures (see `LayerSpec.dag`).
        shapes: shape of a sample behind each node, and of the input, by name.
        n_inputs, n_outputs: numbers in a sample of the input and of all outputs.
        nodes: the layers, by "n_" and their names.

    Raises:
        LayerError: shapes do not meet, or a module cannot be made; the message names the node and the shapes.
    """

    def __init__(
        self,
        spec: LayerSpec,
        *,
        modules: Mapping[str, nn.Module] | None = None,
        seed: int | None = None,
        flat: bool = False,
    ) -> None:
        super().__init__()
        given = dict(modules or {})
        wanted = {node.name for node in spec.nodes if isinstance(node.op, Module) and not node.op.path}
        if extra := sorted(given.keys() - wanted):
            raise LayerError(f"modules has an instance for {extra[0]!r}, which is no node of a Module without a path")
        self.spec = spec
        self.flat = flat
        self.dag: DAG = spec.dag
        self.shapes: dict[str, Shape] = {INPUT: spec.input_shape}
        self.nodes = nn.ModuleDict()
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.default_generator.manual_seed(seed)
            for node in spec.nodes:
                layer = _Layer(node, [self.shapes[source] for source in node.inputs], given.get(node.name))
                self.nodes[module_key(node.name)] = layer
                self.shapes[node.name] = layer.shape
        self.n_inputs = size(spec.input_shape)
        self.n_outputs = sum(size(self.shapes[name]) for name in spec.outputs)
        last_use = {source: node.name for node in spec.nodes for source in node.inputs}
        self._frees = {node.name: tuple(s for s in node.inputs if last_use[s] == node.name) for node in spec.nodes}

    def forward(self, x: Tensor) -> Any:
        """A tensor, or a tuple of tensors where there are several outputs.

        Raises:
            ValueError: x has another shape than the class says.
        """
        if x.ndim < 2 or tuple(x.shape[1:]) not in ((self.n_inputs,), self.spec.input_shape):
            raise ValueError(
                f"input must have shape (batch, {self.n_inputs}) or (batch, "
                f"{', '.join(map(str, self.spec.input_shape))}), but has {tuple(x.shape)}"
            )
        if x.ndim != 1 + len(self.spec.input_shape):
            x = x.reshape(x.shape[0], *self.spec.input_shape)
        values = {INPUT: x}
        for node in self.spec.nodes:
            values[node.name] = self.nodes[module_key(node.name)](*[values[source] for source in node.inputs])
            for source in self._frees[node.name]:
                del values[source]  # the graph of gradients keeps what it needs
        outputs = tuple(values[name].flatten(1) if self.flat else values[name] for name in self.spec.outputs)
        return outputs[0] if isinstance(self.spec.output, str) else outputs

    @property
    def n_weights(self) -> int:
        """Numbers in weight matrices and kernels: what an edge is to a network of neurons. No biases, no norms."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.ndim > 1)

    @property
    def n_units(self) -> int:
        """Numbers that all nodes but the output emit for one sample."""
        return sum(size(self.shapes[node.name]) for node in self.spec.nodes) - self.n_outputs

    @property
    def depth(self) -> int:
        """Most nodes with weights on a path from the input to the output."""
        found = {INPUT: 0}
        for node in self.spec.nodes:
            layer = self.nodes[module_key(node.name)]
            own = int(any(parameter.ndim > 1 for parameter in layer.parameters()))
            if isinstance(layer.op, LayerDAG):
                own = layer.op.depth
            found[node.name] = own + max(found[source] for source in node.inputs)
        return max(found[name] for name in self.spec.outputs)

    def extra_repr(self) -> str:
        return f"inputs={self.n_inputs}, outputs={self.n_outputs}, nodes={len(self.spec.nodes)}"


def layer_shapes(spec: LayerSpec, *, modules: Mapping[str, nn.Module] | None = None) -> dict[str, Shape]:
    """Shape of a sample behind every node, by name; nothing is allocated.

    Raises:
        LayerError: see `LayerDAG`.
    """
    if modules:
        with _META:
            return LayerDAG(spec, modules=modules).shapes
    return dict(probe(spec)[0])


@functools.lru_cache(maxsize=256)
def probe(spec: LayerSpec) -> tuple[Mapping[str, Shape], int]:
    """Shapes and number of weights of a specification; kept, because every mutation asks for its parent's."""
    with _META:
        network = LayerDAG(spec)
    return network.shapes, network.n_weights


class _Layer(nn.Module):
    """One node: merge, then operation, normalisation and activation in the order that it says."""

    def __init__(self, node: Node, shapes: list[Shape], given: nn.Module | None) -> None:
        super().__init__()
        self.merge = Merge(node, shapes)
        before = self.merge.shape
        try:
            self.op: nn.Module
            if isinstance(node.op, Block):
                self.op = inner = LayerDAG(node.op.spec(before))
                self.shape = inner.shapes[inner.spec.outputs[0]]
            else:
                self.op = given if given is not None else node.op.module(before)
                self.shape = _shape_behind(self.op, before)
            self.norm = norm_module(node.norm, before if node.order == "pre" else self.shape)
        except LayerError as error:
            sources = ", ".join(f"{source!r} {shape}" for source, shape in zip(node.inputs, shapes, strict=True))
            raise LayerError(f"node {node.name!r}: {error} (from {sources})") from None
        self.activation = activation_module(node.activation)
        self.order = node.order

    def forward(self, *inputs: Tensor) -> Tensor:
        merged = self.merge(*inputs)
        if self.order == "pre":
            after: Tensor = self.op(self.activation(self.norm(merged)))
        else:
            after = self.activation(self.norm(self.op(merged)))
        return after


def _shape_behind(module: nn.Module, shape: Shape) -> Shape:
    """Shape of a sample that `module` gives for one of `shape`, found on the meta device: no numbers, no memory."""
    if isinstance(module, nn.Identity):
        return shape
    try:
        real = any(value.device != _META for value in (*module.parameters(), *module.buffers()))
        empty = copy.deepcopy(module).to(_META) if real else module
        with torch.no_grad():
            found = empty(torch.empty((2, *shape), device=_META))  # two, because batch norm refuses one
    except Exception as error:  # a user's module may raise anything
        what = type(module).__name__
        raise LayerError(f"{what} cannot read samples of shape {shape}: {type(error).__name__}: {error}") from error
    if not isinstance(found, Tensor) or found.ndim < 2 or found.shape[0] != 2:
        got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise LayerError(
            f"{type(module).__name__} must map (batch, ...) to (batch, ...), but gives {got} for a batch of 2"
        )
    if 0 in found.shape:
        raise LayerError(f"{type(module).__name__} leaves nothing of a sample of shape {shape}: {tuple(found.shape)}")
    return tuple(found.shape[1:])
