"""A network of layers as a value: nodes, what each reads, how it merges that, and what it does with it.

One node computes, with ``m = merge(inputs)``,

    post-activation    activation(norm(op(m)))         He 2015, arXiv:1512.03385
    pre-activation     op(activation(norm(m)))         He 2016, arXiv:1603.05027

so that both residual forms are two nodes: see `nas.layers.residual`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nas.engine import ACTIVATIONS
from nas.errors import GraphError, LayerError
from nas.graph import DAG
from nas.layers._ops import (
    Attention,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Identity,
    Linear,
    Module,
    Op,
    Pool,
    Shape,
)

__all__ = [
    "INPUT",
    "MERGES",
    "AnyOp",
    "Block",
    "LayerSpec",
    "MergeKind",
    "Node",
    "allow_modules",
    "inner_nodes",
    "module_key",
]

INPUT: Final = "input"
"""Name of the network's input among the inputs of nodes."""

MAX_NODES: Final = 10_000
MAX_TEXT: Final = 10_000_000
FORMAT: Final = "nas.layers"
VERSION: Final = 1

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]

Norm = Literal["none", "batch", "layer", "group"]
MergeKind = Literal["add", "concatenate", "mean", "product", "weighted"]
MERGES: Final[tuple[MergeKind, ...]] = get_args(MergeKind)

_allowed: set[str] = set()


def allow_modules(*paths: str) -> None:
    """Let specifications read from text name these modules of your own ("package.module:Class") in this process."""
    _allowed.update(paths)


def module_key(name: str) -> str:
    """What a node's module is called in its parent: nodes may have names that torch's modules use, "half" say."""
    return f"n_{name}"


class Block(Op):
    """A network of layers as one node of another: what it reads is ``"input"`` to its nodes.

    The same block may stand in a network several times, each with weights of its own; blocks hold blocks.
    """

    op: Literal["block"] = "block"
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=MAX_NODES)]
    output: str = Field("", description="The node whose values are the block's; default: the last.")

    def spec(self, shape: Shape) -> LayerSpec:
        """The network inside, for samples of ``shape``.

        Raises:
            LayerError: its nodes form none.
        """
        return LayerSpec.of(shape, self.nodes, self.output)


AnyOp = Annotated[
    Linear | Conv | Pool | GlobalPool | Attention | Flatten | Dropout | Identity | Module | Block,
    Field(discriminator="op"),
]


class Node(BaseModel):
    """One layer: merges its inputs, then operates, normalises and activates (see the module's docstring)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    inputs: Annotated[tuple[str, ...], Field(min_length=1)] = (INPUT,)
    op: AnyOp = Field(default_factory=Identity)
    merge: MergeKind = Field(
        "add",
        description="Sum, mean or product of all inputs, sum with a learned factor for each (1 at first), or side by "
        "side along channels (features, where there are no channels).",
    )
    project: bool = Field(
        False,
        description="Bridge inputs whose shapes do not fit the first one's: images are averaged or repeated to its "
        "height and width, and where a sum needs other channels, mapped by a 1x1 convolution (a dense layer).",
    )
    bridge_norm: Norm = Field(
        "none",
        description="Norm behind a projection of images, which then is a strided 1x1 convolution where that fits "
        "(He 2015).",
    )
    norm: Norm = "none"
    activation: str = Field("identity", description="One of nas.engine.ACTIVATIONS.")
    order: Literal["post", "pre"] = "post"

    @field_validator("name")
    @classmethod
    def _free_name(cls, name: str) -> str:
        if name == INPUT:
            raise ValueError(f"{name!r} is taken; choose another name")
        return name

    @field_validator("inputs")
    @classmethod
    def _distinct(cls, inputs: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(inputs)) < len(inputs):
            raise ValueError(f"a node reads another once, but inputs are {list(inputs)}")
        return inputs

    @field_validator("activation")
    @classmethod
    def _known(cls, activation: str) -> str:
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}; use one of {', '.join(ACTIVATIONS)}")
        return activation


class LayerSpec(BaseModel):
    """A whole network: the shape of one sample and the nodes, the last one (or `output`) being the output.

    `output` may name several nodes: the network then has a tuple of outputs.

    Nodes may come in any order and are kept in a topological one. Two specifications are equal when they describe the
    same network. Whether shapes meet is checked where modules are made: `LayerDAG`, `layer_shapes`.

    Raises (as pydantic.ValidationError, or LayerError from `of` and `from_json`):
        a name twice, an unknown input, a cycle (named), a node that the output does not depend on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(functools.cached_property,))

    kind: ClassVar[str] = "layers"

    input_shape: Annotated[tuple[Annotated[int, Field(ge=1, le=2**31)], ...], Field(min_length=1, max_length=3)]
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=MAX_NODES)]
    output: str | tuple[str, ...] = ""

    @model_validator(mode="before")
    @classmethod
    def _last_is_output(cls, values: Any) -> Any:
        nodes = values.get("nodes") if isinstance(values, dict) else None
        if isinstance(nodes, Sequence) and nodes and not values.get("output"):
            last = nodes[-1]
            name = last.get("name") if isinstance(last, dict) else getattr(last, "name", "")
            values = {**values, "output": name}
        return values

    @model_validator(mode="after")
    def _sorted(self) -> LayerSpec:
        by_name = {node.name: node for node in self.nodes}
        if len(by_name) < len(self.nodes):
            names = [node.name for node in self.nodes]
            raise ValueError(f"nodes have names of their own, but {_twice(names)!r} is there twice")
        outputs = self.outputs
        if not outputs or len(set(outputs)) < len(outputs):
            raise ValueError(f"output names one node or several different ones, but is {list(outputs)}")
        if unknown := [name for name in outputs if name not in by_name]:
            raise ValueError(f"output names the unknown node {unknown[0]!r}")
        for node in self.nodes:
            for source in node.inputs:
                if source != INPUT and source not in by_name:
                    raise ValueError(f"node {node.name!r} reads the unknown node {source!r}")
        reading = [(name, node.name) for node in self.nodes for name in outputs if name in node.inputs]
        if reading:
            raise ValueError(
                f"nothing may read the output {reading[0][0]!r}, but node {reading[0][1]!r} does; give the values a "
                "second name by an Identity node"
            )
        edges = [(source, node.name) for node in self.nodes for source in node.inputs]
        try:
            dag = DAG.from_edges(edges, [INPUT], list(outputs), neurons=[INPUT, *by_name])
        except GraphError as error:
            raise ValueError(f"nodes must form a DAG: {error}") from None
        assert dag.names is not None
        useful = dag.useful_neurons()
        if not useful.all():
            unused = next(name for name, needed in zip(dag.names, useful, strict=True) if not needed)
            raise ValueError(
                f"the output {', '.join(map(repr, outputs))} must depend on every node, but not on {unused!r}; remove "
                "or connect it"
            )
        object.__setattr__(self, "nodes", tuple(by_name[name] for name in dag.names[1:]))
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output nodes."""
        return (self.output,) if isinstance(self.output, str) else self.output

    @classmethod
    def of(cls, input_shape: Sequence[int], nodes: Sequence[Node], output: str | Sequence[str] = "") -> LayerSpec:
        """The specification, with broken rules as LayerError."""
        try:
            named = output if isinstance(output, str) else tuple(output)
            return cls(input_shape=tuple(input_shape), nodes=tuple(nodes), output=named)
        except ValidationError as error:
            raise _layer_error(error) from None

    @functools.cached_property
    def dag(self) -> DAG:
        """Nodes as neurons: 0 is the input, then `nodes` in their order, the last being the outputs; with names."""
        names = (INPUT, *(node.name for node in self.nodes))
        place = {name: number for number, name in enumerate(names)}
        edges = [(place[source], place[node.name]) for node in self.nodes for source in node.inputs]
        return DAG(1, len(self.nodes) - len(self.outputs), len(self.outputs), edges, names=names)

    @functools.cached_property
    def by_name(self) -> dict[str, Node]:
        """Every node by its name."""
        return {node.name: node for node in self.nodes}

    def to_json(self) -> str:
        """Text for `from_json`."""
        content = {"format": FORMAT, "version": VERSION, **self.model_dump(mode="json", exclude_defaults=True)}
        _say_ops(content["nodes"], self.nodes)
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes, *, modules: Collection[str] = ()) -> LayerSpec:
        """The specification in a text that nobody vouches for. Runs none of its code.

        Args:
            text: of `to_json`.
            modules: import paths of modules of your own that it may name, besides those of `allow_modules`.

        Raises:
            LayerError: it is damaged, of a newer version, or names a module that is not allowed.
        """
        if len(text) > MAX_TEXT:
            raise LayerError(f"a specification takes at most {MAX_TEXT} characters, but this has {len(text)}")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise LayerError(f"a specification of layers is JSON, but this is not: {error}") from None
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise LayerError(f'a specification of layers is a JSON object with "format": "{FORMAT}"')
        if (version := content.pop("version", None)) != VERSION:
            raise LayerError(f"this specification has version {version!r}, this package reads {VERSION}")
        try:
            spec = cls.model_validate(content)
        except (ValidationError, RecursionError) as error:
            raise _layer_error(error) from None
        for node in inner_nodes(spec.nodes):
            if isinstance(node.op, Module) and node.op.path and node.op.path not in {*modules, *_allowed}:
                raise LayerError(
                    f"node {node.name!r} names the module {node.op.path!r}, whose code would run; if you trust it, "
                    f"allow it: nas.layers.allow_modules({node.op.path!r})"
                )
        return spec

    def to_dot(self) -> str:
        """The graph in Graphviz' language, nodes labelled by what they do."""
        lines = ["digraph layers {", "  rankdir=LR; node [shape=box, fontname=sans];", f'  "{INPUT}" [shape=oval];']
        for node in self.nodes:
            shown = [node.name, describe(node)]
            if len(node.inputs) > 1:
                shown.insert(1, node.merge)
            lines.append('  "{}" [label="{}"];'.format(node.name, "\\n".join(part for part in shown if part)))
            lines += [f'  "{source}" -> "{node.name}";' for source in node.inputs]
        return "\n".join([*lines, "}"]) + "\n"

    def __hash__(self) -> int:
        return hash(self.to_json())


def inner_nodes(nodes: Sequence[Node]) -> Iterator[Node]:
    """Nodes and those of their blocks, at any depth."""
    for node in nodes:
        yield node
        if isinstance(node.op, Block):
            yield from inner_nodes(node.op.nodes)


def _say_ops(content: list[dict[str, Any]], nodes: Sequence[Node]) -> None:
    """Writes into dumped nodes which class their operation has: its name is a default, and defaults are left out."""
    for given, node in zip(content, nodes, strict=True):
        given["op"] = {"op": node.op.op, **node.op.model_dump(mode="json", exclude_defaults=True)}
        if isinstance(node.op, Block):
            _say_ops(given["op"]["nodes"], node.op.nodes)


def describe(node: Node) -> str:
    """What a node does after merging, in a few words: "conv 16, batch, relu"."""
    numbers = {"linear": "features", "conv": "channels", "attention": "heads", "module": "path", "pool": "kind"}
    field = numbers.get(node.op.op)
    op = "" if isinstance(node.op, Identity) else f"{node.op.op} {getattr(node.op, field)}" if field else node.op.op
    after = [part for part in (node.norm, node.activation) if part not in ("none", "identity")]
    parts = [*after, op] if node.order == "pre" else [op, *after]
    return ", ".join(part for part in parts if part)


def _twice(names: Sequence[str]) -> str:
    return next(name for name in names if names.count(name) > 1)


def _layer_error(error: ValidationError | RecursionError) -> LayerError:
    if not isinstance(error, ValidationError):
        return LayerError("the specification is nested too deeply")
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    return LayerError(f"{place}: " * bool(place) + str(problem["msg"]).removeprefix("Value error, "))


Block.model_rebuild()
LayerSpec.model_rebuild()
