"""Checkpoints of networks of layers: the specification in the metadata, the state dictionary as tensors."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import torch

from nas.checkpoint._file import Contents
from nas.checkpoint._neurons import filled
from nas.checkpoint._state import plain_arrays
from nas.errors import CheckpointError, LayerError
from nas.layers import LayerDAG, LayerSpec, Module, inner_nodes

_FLAT = "layers_flat"  # outputs are (batch, numbers)

__all__ = ["CheckpointLayers", "layers_in", "layers_metadata"]


class CheckpointLayers(LayerDAG):
    """A network of layers as it came out of a file.

    Attributes:
        record: what was saved with it.
    """

    record: dict[str, Any]


def layers_metadata(module: LayerDAG) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of a file.

    Raises:
        CheckpointError: a node's module was handed over as an instance, which no text describes.
    """
    for node in inner_nodes(module.spec.nodes):
        if isinstance(node.op, Module) and not node.op.path:
            raise CheckpointError(
                f"node {node.name!r} holds an instance, which a file cannot describe; give its Module a path, or save "
                "the state dictionary yourself"
            )
    return plain_arrays(module), {"layers": module.spec.to_json(), **({_FLAT: "1"} if module.flat else {})}


def layers_in(path: object, contents: Contents, modules: Collection[str]) -> CheckpointLayers:
    """The network in a file.

    Raises:
        CheckpointError: its specification is damaged or names a module that is not allowed, or its tensors do not fit.
    """
    try:
        spec = LayerSpec.from_json(contents.metadata.get("layers", ""), modules=modules)
        # Without numbers first: a specification that asks for more than the file holds must not take memory.
        with torch.device("meta"):
            wanted = {name: tuple(value.shape) for name, value in LayerDAG(spec).state_dict().items()}
    except LayerError as error:
        raise CheckpointError(f"{path}: {error}") from error
    found = {name: tuple(value.shape) for name, value in contents.arrays.items()}
    if wanted != found:
        name = next(name for name in sorted({*wanted, *found}) if wanted.get(name) != found.get(name))
        raise CheckpointError(
            f"{path}: {name} must have shape {wanted.get(name, 'none')} in its network, "
            f"but has {found.get(name, 'none')}"
        )
    return filled(path, CheckpointLayers(spec, seed=0, flat=_FLAT in contents.metadata), contents.arrays)
