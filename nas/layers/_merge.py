"""How a node merges what it reads: sum, product, concatenation, …, with bridges between shapes that do not meet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import LayerError
from nas.layers._ops import Shape, norm_module
from nas.layers._spec import Node, module_key

__all__ = ["Merge", "channels", "merged_shape"]


def merged_shape(node: Node, shapes: Sequence[Shape]) -> Shape:
    """Shape of what `node` makes of inputs of these shapes before it operates on them.

    Raises:
        LayerError: they do not fit; the message names the node, its inputs and both shapes.
    """
    first = shapes[0]
    for source, shape in zip(node.inputs[1:], shapes[1:], strict=True):
        same = _places(shape) == _places(first) if node.merge == "concatenate" else shape == first
        if same or (node.project and (len(shape) == len(first) or 2 not in (len(shape), len(first)))):
            continue
        rule = "shapes that differ in channels only" if node.merge == "concatenate" else "equal shapes"
        remedy = "change them, or let project=True bridge them" if not node.project else "no projection bridges these"
        raise LayerError(
            f"node {node.name!r} merges ({node.merge}) {rule}, but {node.inputs[0]!r} gives {first} and "
            f"{source!r} gives {shape}; {remedy}"
        )
    if node.merge != "concatenate":
        return first
    total = sum(channels(shape) for shape in shapes)
    return (first[0], total) if len(first) == 2 else (total, *first[1:])


class Merge(nn.Module):
    """What a node makes of tensors of the given shapes, each bridged to the first one where it has to be."""

    def __init__(self, node: Node, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.shape = merged_shape(node, shapes)
        self.axis = 2 if len(shapes[0]) == 2 else 1
        self.kind = node.merge
        self.bridges = nn.ModuleDict(  # by source, so that children of a mutation find the weights of theirs
            {
                module_key(source): _bridge(shape, shapes[0], node)
                for source, shape in zip(node.inputs, shapes, strict=True)
            }
        )
        if node.merge == "weighted":  # likewise by source
            factors = {module_key(source): nn.Parameter(torch.ones(())) for source in node.inputs}
            self.factors = nn.ParameterDict(factors)

    def forward(self, *inputs: Tensor) -> Tensor:
        bridged = [bridge(x) for bridge, x in zip(self.bridges.values(), inputs, strict=True)]
        if self.kind == "concatenate":
            return torch.cat(bridged, dim=self.axis)
        if self.kind == "weighted":
            bridged = [self.factors[name] * x for name, x in zip(self.bridges, bridged, strict=True)]
        total: Tensor = bridged[0]
        for term in bridged[1:]:
            total = total * term if self.kind == "product" else total + term
        return total / len(bridged) if self.kind == "mean" else total


def _bridge(shape: Shape, target: Shape, node: Node) -> nn.Module:
    """To the positions of `target`, and where numbers meet numbers, to its channels."""
    maps = node.merge != "concatenate" and channels(shape) != channels(target)
    moves = _places(shape) != _places(target)
    if not (maps or moves):
        return nn.Identity()
    if len(target) == 3 and node.merge != "concatenate" and node.bridge_norm != "none":
        stride = _stride(shape, target) if len(shape) == 3 else None
        resample = [] if stride else [_Resample(shape, target)]
        convolution = nn.Conv2d(shape[0], target[0], 1, stride or 1, bias=False)
        return nn.Sequential(*resample, convolution, norm_module(node.bridge_norm, target))
    steps: list[nn.Module] = [_Resample(shape, target)] if moves else []
    if maps:
        width = channels(shape), channels(target)
        steps.append(nn.Conv2d(*width, 1) if len(target) == 3 else nn.Linear(*width))
    return steps[0] if len(steps) == 1 else nn.Sequential(*steps)


def _stride(shape: Shape, target: Shape) -> tuple[int, int] | None:
    """With which a 1x1 convolution maps the one height and width to the other; None: with none."""
    strides = [-(-before // after) for before, after in zip(shape[1:], target[1:], strict=True)]
    if any((n - 1) // s + 1 != m for n, s, m in zip(shape[1:], strides, target[1:], strict=True)):
        return None
    return strides[0], strides[1]


class _Resample(nn.Module):
    """Other positions, same channels, no parameters.

    Larger images are averaged over windows, so that every pixel counts, where the windows fit; else the nearest pixel
    is taken. An image becomes features by its mean; features become an image by repetition; tokens are averaged or
    repeated like pixels.
    """

    def __init__(self, shape: Shape, target: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.target = target
        self.places = _places(target)
        fits = len(shape) == len(target) and all(a % b == 0 for a, b in zip(_places(shape), self.places, strict=True))
        self.window = tuple(a // b for a, b in zip(_places(shape), self.places, strict=True)) if fits else ()

    def forward(self, x: Tensor) -> Tensor:
        if len(self.target) == 1:
            return x.mean(dim=(2, 3))
        if len(self.shape) == 1:
            return x[:, :, None, None].expand(-1, -1, *self.places)
        if len(self.target) == 2:
            x = x.transpose(1, 2)
            x = functional.avg_pool1d(x, self.window) if self.window else functional.interpolate(x, self.places)
            return x.transpose(1, 2)
        return functional.avg_pool2d(x, self.window) if self.window else functional.interpolate(x, self.places)


def channels(shape: Shape) -> int:
    """Length of the axis that concatenation makes longer: channels of images, else features."""
    return shape[1] if len(shape) == 2 else shape[0]


def _places(shape: Shape) -> Shape:
    """Everything but the channels."""
    return shape[:1] if len(shape) == 2 else shape[1:]
