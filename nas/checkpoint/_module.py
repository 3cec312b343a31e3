"""Checkpoints of finished networks: plain modules that run anywhere torch does."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

import numpy as np
import torch

from nas.checkpoint._file import Record, read, write
from nas.checkpoint._layers import CheckpointLayers, layers_in, layers_metadata
from nas.checkpoint._recurrent import CheckpointRecurrent, recurrent_in, recurrent_metadata
from nas.engine import ACTIVATIONS, DAGModule
from nas.errors import CheckpointError
from nas.layers import LayerDAG
from nas.recurrent import RecurrentDAG

__all__ = ["CheckpointModule", "load", "save"]


class CheckpointModule(DAGModule):
    """A network as it came out of a file.

    Attributes:
        record: what was saved with it (task, classes, mean and scale of the inputs, metrics, hardware, lineage, …).
    """

    record: dict[str, Any]


def save(path: str | os.PathLike[str], module: DAGModule | LayerDAG | RecurrentDAG, record: Record) -> None:
    """Save a network with its training record; an existing file is replaced whole or not at all.

    Args:
        path: by convention ending in ``.safetensors``.
        module: `nas.manifold.ManifoldNetwork.fold` makes one of a trained one; or a network of layers, or with memory.
        record: anything JSON holds, and NumPy arrays and numbers (read back as lists and numbers).

    Raises:
        CheckpointError: the record holds something else, or a number that is not finite; or a node of the network of
            layers holds an instance, which no text describes.
        OSError: the folder is missing or not writeable, or the disk is full.
    """
    if isinstance(module, LayerDAG):
        tensors, extra = layers_metadata(module)
        write(path, "layers", module.dag, tensors, record, extra)
        return
    if isinstance(module, RecurrentDAG):
        tensors, extra = recurrent_metadata(module)
        write(path, "recurrent", module.dag, tensors, record, extra)
        return
    arrays = {name: parameter.detach().cpu().numpy() for name, parameter in module.named_parameters()}
    write(path, "module", module.dag, arrays, record, {"activation": module.activation})


def load(
    path: str | os.PathLike[str], *, modules: Collection[str] = ()
) -> CheckpointModule | CheckpointLayers | CheckpointRecurrent:
    """The network saved at ``path``, in evaluation mode, predicting what it did when it was saved.

    Args:
        modules: import paths of your own modules ("package.module:Class") that a network of layers may name. Without
            them, loading runs no code but this package's.

    Raises:
        CheckpointError: the file is truncated, foreign, of a newer version, or its parts do not fit together.
        OSError: it cannot be opened.
    """
    contents = read(path, "module", "layers", "recurrent")
    if contents.metadata["kind"] == "layers":
        return layers_in(path, contents, modules)
    if contents.metadata["kind"] == "recurrent":
        return recurrent_in(path, contents)
    dag, arrays = contents.dag, contents.arrays
    activation = contents.metadata.get("activation")
    if activation not in ACTIVATIONS:
        raise CheckpointError(f"{path} needs the activation {activation!r}; known are {', '.join(ACTIVATIONS)}")
    shapes = {"weight": (dag.n_edges,), "bias": (dag.n - dag.n_inputs,)}
    if "weight" not in arrays or not arrays.keys() <= shapes.keys():
        raise CheckpointError(f"{path} must hold weight and perhaps bias, but holds {sorted(arrays)[:10]}")
    for name, array in arrays.items():
        if array.shape != shapes[name]:
            raise CheckpointError(f"{path}: {name} must have shape {shapes[name]} on its graph, but has {array.shape}")
        if array.dtype != arrays["weight"].dtype or array.dtype not in (np.float32, np.float64):
            types = {name: str(array.dtype) for name, array in arrays.items()}
            raise CheckpointError(f"{path}: weight and bias must be float32 or float64 throughout, but are {types}")
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {name} must be finite, but holds NaN or infinity")
    try:
        module = CheckpointModule(dag, activation, "bias" in arrays, dtype=torch.from_numpy(arrays["weight"]).dtype)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    module.record = contents.record
    return module.eval()
