"""Nodes of well-known blocks, to be put into a specification."""

from __future__ import annotations

from typing import Literal

from nas.layers._ops import Conv
from nas.layers._spec import Node, Norm

__all__ = ["residual", "residual_dense"]


def residual(
    name: str,
    source: str,
    channels: int,
    *,
    order: Literal["post", "pre"] = "post",
    norm: Norm = "batch",
    activation: str = "relu",
    stride: int = 1,
) -> tuple[Node, ...]:
    """Two 3x3 convolutions with a skip connection around them; the block's output is the node `name`.

    Args:
        name: prefix of the nodes, name of the last.
        source: the node that the block reads.
        channels: of both convolutions; where `source` has others or another size, the skip connection is a strided 1x1
            convolution, with the same norm behind it where the order is "post".
        order: "post": the activation follows the sum (He 2015, arXiv:1512.03385); "pre": each convolution follows
            norm and activation, and nothing stands between one sum and the next (He 2016, arXiv:1603.05027).
        norm, activation: of both convolutions.
        stride: of the first convolution.
    """
    convolution = Conv(channels=channels, bias=norm == "none")
    first = convolution.model_copy(update={"stride": stride})
    before: dict[str, str] = {"norm": norm, "activation": activation, "order": order}
    pre = order == "pre"
    last = before if pre else {"norm": norm}
    return (
        Node.model_validate({"name": f"{name}_1", "inputs": (source,), "op": first, **before}),
        Node.model_validate({"name": f"{name}_2", "inputs": (f"{name}_1",), "op": convolution, **last}),
        Node(
            name=name,
            inputs=(f"{name}_2", source),
            project=True,
            bridge_norm="none" if pre else norm,
            activation="identity" if pre else activation,
        ),
    )


def residual_dense(
    name: str, source: str, channels: int, *, growth: int, layers: int = 3, activation: str = "relu"
) -> tuple[Node, ...]:
    """Residual dense block (Zhang 2018, arXiv:1802.08797): the block's output is the node `name`.

    Each 3x3 convolution reads the block's input and all convolutions before it, concatenated; a 1x1 convolution fuses
    them all, and the block's input is added.

    Args:
        name: prefix of the nodes, name of the last.
        source: the node that the block reads; has `channels` channels.
        growth: channels of each inner convolution.
        layers: number of inner convolutions.
    """
    inner = [f"{name}_{k + 1}" for k in range(layers)]
    dense = [
        Node(
            name=inner[k],
            inputs=(source, *inner[:k]),
            merge="concatenate",
            op=Conv(channels=growth),
            activation=activation,
        )
        for k in range(layers)
    ]
    fuse = Node(name=f"{name}_fuse", inputs=(source, *inner), merge="concatenate", op=Conv(channels=channels, kernel=1))
    return (*dense, fuse, Node(name=name, inputs=(fuse.name, source)))
