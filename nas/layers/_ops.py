"""What one node of a network of layers may do: plain, JSON-serialisable values that know their torch module.

Shapes are those of one sample: (features,), (tokens, features) for sequences, (channels, height, width) for images.
"""

from __future__ import annotations

import importlib
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from nas.engine import activation_function
from nas.errors import LayerError

__all__ = [
    "Attention",
    "Conv",
    "Dropout",
    "Flatten",
    "GlobalPool",
    "Identity",
    "Linear",
    "Module",
    "Op",
    "Pool",
    "Shape",
    "activation_module",
    "norm_module",
    "size",
]

Shape = tuple[int, ...]
Width = Annotated[int, Field(ge=1, le=65_536)]
Pair = Annotated[int, Field(ge=1, le=1024)] | tuple[Annotated[int, Field(ge=1, le=1024)], ...]


def size(shape: Shape) -> int:
    """Numbers in one sample of this shape."""
    product = 1
    for length in shape:
        product *= length
    return product


class Op(BaseModel):
    """Base of all operations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: str

    def module(self, shape: Shape) -> nn.Module:
        """A module that reads samples of `shape`.

        Raises:
            LayerError: it cannot; the message says what it could read.
        """
        raise NotImplementedError

    def _refuse(self, wanted: str, shape: Shape) -> LayerError:
        return LayerError(f"{self.op} reads {wanted}, but gets shape {shape}")


class Linear(Op):
    """Dense layer."""

    op: Literal["linear"] = "linear"
    features: Width
    bias: bool = True
    flatten: bool = Field(True, description="Read the whole sample; False: map the last axis alone, as for tokens.")

    def module(self, shape: Shape) -> nn.Module:
        if self.flatten and len(shape) > 1:
            return nn.Sequential(nn.Flatten(), nn.Linear(size(shape), self.features, self.bias))
        return nn.Linear(shape[-1], self.features, self.bias)


class Conv(Op):
    """Convolution of images; an odd kernel with stride 1 keeps the height and width."""

    op: Literal["conv"] = "conv"
    channels: Width
    kernel: Pair = 3
    stride: Pair = 1
    dilation: Pair = 1
    groups: Width = 1
    bias: bool = True

    def module(self, shape: Shape) -> nn.Module:
        if len(shape) != 3:
            raise self._refuse("(channels, height, width)", shape)
        if shape[0] % self.groups or self.channels % self.groups:
            raise LayerError(f"groups must divide {shape[0]} and {self.channels} channels, but is {self.groups}")
        kernel, stride, dilation = (_pair(value, self.op) for value in (self.kernel, self.stride, self.dilation))
        padding = (dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2)
        if any(n + 2 * p < d * (k - 1) + 1 for n, p, d, k in zip(shape[1:], padding, dilation, kernel, strict=True)):
            raise self._refuse(f"at least its kernel {kernel}", shape)
        return nn.Conv2d(shape[0], self.channels, kernel, stride, padding, dilation, self.groups, self.bias)


class Pool(Op):
    """Pooling of images over windows; a rest smaller than a window is left out."""

    op: Literal["pool"] = "pool"
    kind: Literal["max", "average"] = "max"
    window: Pair = 2
    stride: Pair | None = Field(None, description="Default: the window.")
    padding: Annotated[int, Field(ge=0, le=512)] | tuple[Annotated[int, Field(ge=0, le=512)], ...] = Field(
        0, description="Rows and columns around the image, at most half a window, which no maximum or mean counts."
    )

    def module(self, shape: Shape) -> nn.Module:
        if len(shape) != 3:
            raise self._refuse("(channels, height, width)", shape)
        window, padding = _pair(self.window, self.op), _pair(self.padding, self.op)
        if any(2 * around > length for around, length in zip(padding, window, strict=True)):
            raise LayerError(f"padding is at most half of the window {window}, but is {padding}")
        if any(n + 2 * p < w for n, p, w in zip(shape[1:], padding, window, strict=True)):
            raise self._refuse(f"at least its window {window}", shape)
        stride = None if self.stride is None else _pair(self.stride, self.op)
        if self.kind == "max":
            return nn.MaxPool2d(window, stride, padding)
        return nn.AvgPool2d(window, stride, padding, count_include_pad=False)


class GlobalPool(Op):
    """Mean or maximum over positions: images give (channels,), sequences (features,)."""

    op: Literal["global_pool"] = "global_pool"
    kind: Literal["max", "average"] = "average"

    def module(self, shape: Shape) -> nn.Module:
        if len(shape) not in (2, 3):
            raise self._refuse("(channels, height, width) or (tokens, features)", shape)
        return _GlobalPool((2, 3) if len(shape) == 3 else (1,), self.kind == "max")


class Attention(Op):
    """Self-attention over tokens with learned queries, keys, values and output (Vaswani 2017, arXiv:1706.03762).

    ``mask`` (tokens, tokens) says who sees whom: token i reads token j where ``mask[i][j]`` is true. Any connection
    matrix will do, in which every token sees one at least.
    """

    op: Literal["attention"] = "attention"
    heads: Width = 1
    causal: bool = Field(False, description="A token sees itself and those before it.")
    mask: tuple[tuple[bool, ...], ...] | None = Field(None, description="Row i: which tokens token i sees.")

    def module(self, shape: Shape) -> nn.Module:
        if len(shape) != 2:
            raise self._refuse("(tokens, features)", shape)
        if shape[1] % self.heads:
            raise LayerError(f"heads must divide the {shape[1]} features, but is {self.heads}")
        return _Attention(shape[1], self.heads, self._seen(shape[0]))

    def _seen(self, tokens: int) -> Tensor | None:
        """(tokens, tokens) bool: who sees whom; None: all see all."""
        seen = torch.ones(tokens, tokens, dtype=torch.bool, device="cpu")
        if self.mask is not None:
            if [len(row) for row in self.mask] != [tokens] * tokens:
                lengths = sorted({len(row) for row in self.mask})
                raise LayerError(
                    f"mask must be ({tokens}, {tokens}), a row a token, but has {len(self.mask)} rows of {lengths}"
                )
            seen &= torch.tensor(self.mask, device="cpu")
        if self.causal:
            seen = seen.tril()
        if self.mask is None and not self.causal:
            return None
        if not bool(seen.any(dim=1).all()):
            blind = int((~seen.any(dim=1)).nonzero()[0])
            raise LayerError(f"every token must see one, but mask and causal leave token {blind} none")
        return seen


class Flatten(Op):
    """All axes of a sample in one."""

    op: Literal["flatten"] = "flatten"

    def module(self, shape: Shape) -> nn.Module:
        return nn.Flatten()


class Dropout(Op):
    """Zeroes numbers (of images: whole channels) while training."""

    op: Literal["dropout"] = "dropout"
    p: float = Field(0.1, ge=0, lt=1)

    def module(self, shape: Shape) -> nn.Module:
        return nn.Dropout2d(self.p) if len(shape) == 3 else nn.Dropout(self.p)


class Identity(Op):
    """Nothing: for nodes that only merge, normalise or activate."""

    op: Literal["identity"] = "identity"

    def module(self, shape: Shape) -> nn.Module:
        return nn.Identity()


class Module(Op):
    """Any torch module: made by ``path(**arguments)``, or handed to `LayerDAG` as an instance where `path` is empty.

    It maps (batch, *shape) to (batch, *another shape).
    """

    op: Literal["module"] = "module"
    path: str = Field("", max_length=300, description='"package.module:Class"; its code runs when the network is made.')
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments; JSON values.")

    def module(self, shape: Shape) -> nn.Module:
        if not self.path:
            raise LayerError("it has no path, so pass an instance: LayerDAG(spec, modules={name: module})")
        home, _, name = self.path.partition(":")
        try:
            made = getattr(importlib.import_module(home), name)(**self.arguments)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise LayerError(f"cannot make {self.path!r}: {type(error).__name__}: {error}") from error
        if not isinstance(made, nn.Module):
            raise LayerError(f"{self.path!r} must make a torch.nn.Module, but made {type(made).__name__}")
        return made


def activation_module(name: str) -> nn.Module:
    """The activation of that name (`nas.engine.ACTIVATIONS`) as a module."""
    return nn.Identity() if name == "identity" else _Activation(name)


def norm_module(kind: str, shape: Shape) -> nn.Module:
    """Normalisation of samples of `shape`: "batch", "layer" (of images: all channels as one group), "group", "none".

    Groups hold at least 4 channels; there are at most 8 of them.
    """
    if kind == "none":
        return nn.Identity()
    channels = shape[1] if len(shape) == 2 else shape[0]
    if kind == "batch":
        if len(shape) == 3:
            return nn.BatchNorm2d(channels)
        return nn.BatchNorm1d(channels) if len(shape) == 1 else _Swapped(nn.BatchNorm1d(channels))
    if kind == "group":
        groups = max(g for g in range(1, 9) if channels % g == 0 and (g == 1 or channels // g >= 4))
        norm = nn.GroupNorm(groups, channels)
        return _Swapped(norm) if len(shape) == 2 else norm
    return nn.GroupNorm(1, channels) if len(shape) == 3 else nn.LayerNorm(channels)


def _pair(value: int | tuple[int, ...], op: str) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    if len(value) != 2:
        raise LayerError(f"{op} takes one number or (vertical, horizontal), but got {value}")
    return value[0], value[1]


class _Activation(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self._function = activation_function(name)

    def forward(self, x: Tensor) -> Tensor:
        return self._function(x)

    def extra_repr(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[type[_Activation], tuple[str]]:
        return type(self), (self.name,)  # the function may be a lambda, which cannot be pickled or copied


class _GlobalPool(nn.Module):
    def __init__(self, axes: tuple[int, ...], largest: bool) -> None:
        super().__init__()
        self.axes = axes
        self.largest = largest

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(dim=self.axes) if self.largest else x.mean(dim=self.axes)


class _Attention(nn.Module):
    seen: Tensor | None

    def __init__(self, features: int, heads: int, seen: Tensor | None) -> None:
        super().__init__()
        self.heads = heads
        # No part of the state: the specification says it.
        self.register_buffer("seen", None if seen is None else seen.to(torch.get_default_device()), persistent=False)
        self.queries_keys_values = nn.Linear(features, 3 * features)
        self.output = nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        split = self.queries_keys_values(x).unflatten(2, (3, self.heads, -1))  # (batch, tokens, 3, heads, width)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=self.seen)
        found: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return found


class _Swapped(nn.Module):
    """A module that wants (batch, features, tokens)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        swapped: Tensor = self.inner(x.transpose(1, 2))
        return swapped.transpose(1, 2)
