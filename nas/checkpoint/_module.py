"""Checkpoints of networks: modules that run anywhere this package does, each kind as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from nas._files import write_whole
from nas.checkpoint._file import NETWORKS, Contents, Record, encoded, parsed, read
from nas.checkpoint._layers import CheckpointLayers, layers_in, layers_metadata
from nas.checkpoint._neurons import (
    CheckpointManifold,
    CheckpointMasked,
    CheckpointWired,
    filled,
    manifold_in,
    manifold_metadata,
    masked_in,
    masked_metadata,
    wired_in,
    wired_metadata,
)
from nas.checkpoint._recurrent import CheckpointRecurrent, recurrent_in, recurrent_metadata
from nas.checkpoint._state import check_equal, plain_arrays
from nas.engine import ACTIVATIONS, DAGModule, MaskedLinear, WiredModule
from nas.errors import CheckpointError
from nas.layers import LayerDAG, Module
from nas.manifold import ManifoldNetwork
from nas.recurrent import RecurrentDAG

__all__ = ["CheckpointModule", "CheckpointNetwork", "load", "loads", "save"]


class CheckpointModule(DAGModule):
    """A network as it came out of a file.

    Attributes:
        record: what was saved with it (task, classes, mean and scale of the inputs, metrics, hardware, lineage, …).
    """

    record: dict[str, Any]


CheckpointNetwork = (
    CheckpointModule | CheckpointLayers | CheckpointRecurrent | CheckpointManifold | CheckpointWired | CheckpointMasked
)
"""What `load` gives; all have their `record`."""


def save(path: str | os.PathLike[str], module: nn.Module, record: Record) -> None:
    """Save a network with its training record; an existing file is replaced whole or not at all.

    What is written is read back before it takes its place: what `load` would refuse or change is refused here.

    Args:
        path: by convention ending in ``.safetensors``.
        module: `DAGModule` (`nas.manifold.ManifoldNetwork.fold` makes one of a trained network), `LayerDAG`,
            `RecurrentDAG`, `ManifoldNetwork`, `WiredModule` or `MaskedLinear`. Of tensors that
            ``torch.nn.utils.prune`` or ``parametrize`` have changed the present values are saved, as a plain network.
        record: anything JSON holds, and NumPy arrays and numbers (read back as lists and numbers).

    Raises:
        CheckpointError: the record holds something else, or a number that is not finite; or the module is of another
            kind, or would not come back as it is.
        OSError: the folder is missing or not writeable, or the disk is full.
    """
    name, kind = _kind_of(module)
    arrays, extra = kind.parts(module)
    data = encoded(name, module.dag, arrays, record, extra)  # type: ignore[arg-type]
    modules: set[str] = set()
    if isinstance(module, LayerDAG):
        modules = {node.op.path for node in module.spec.nodes if isinstance(node.op, Module)}
    try:
        check_equal(module, kind.network(path, parsed(path, data, name), modules))
    except CheckpointError as error:
        raise CheckpointError(
            f"a {kind.saves.__name__} that could not be loaded again is not saved: {error}"
        ) from error
    write_whole(path, data)


def load(path: str | os.PathLike[str], *, modules: Collection[str] = ()) -> CheckpointNetwork:
    """The network saved at ``path``, in evaluation mode, predicting what it did when it was saved.

    Args:
        modules: import paths of your own modules ("package.module:Class") that a network of layers may name. Without
            them, loading runs no code but this package's.

    Raises:
        CheckpointError: the file is truncated, foreign, of a newer version, or its parts do not fit together.
        OSError: it cannot be opened.
    """
    return _network_of(path, read(path, *NETWORKS), modules)


def loads(data: bytes, *, modules: Collection[str] = ()) -> CheckpointNetwork:
    """The network in the bytes of a file; see `load`.

    Raises:
        CheckpointError: as `load`.
    """
    where = f"a checkpoint of {len(data):,} bytes"
    return _network_of(where, parsed(where, data, *NETWORKS), modules)


def _network_of(path: str | os.PathLike[str], contents: Contents, modules: Collection[str]) -> CheckpointNetwork:
    module: CheckpointNetwork = _KINDS[contents.metadata["kind"]].network(path, contents, modules)
    module.record = contents.record
    return module.eval()


def _module_parts(module: DAGModule) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    return plain_arrays(module), {"activation": module.activation}


def _module_in(path: object, contents: Contents, modules: Collection[str]) -> CheckpointModule:
    dag, arrays = contents.dag, contents.arrays
    activation = contents.metadata.get("activation")
    if activation not in ACTIVATIONS:
        raise CheckpointError(f"{path} needs the activation {activation!r}; known are {', '.join(ACTIVATIONS)}")
    if "weight" not in arrays or not arrays.keys() <= {"weight", "bias"}:
        raise CheckpointError(f"{path} must hold weight and perhaps bias, but holds {sorted(arrays)[:10]}")
    for array in arrays.values():
        if array.dtype != arrays["weight"].dtype or array.dtype not in (np.float32, np.float64):
            types = {name: str(array.dtype) for name, array in arrays.items()}
            raise CheckpointError(f"{path}: weight and bias must be float32 or float64 throughout, but are {types}")
    try:
        module = CheckpointModule(dag, activation, "bias" in arrays, dtype=torch.float32)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return filled(path, module, arrays)


@dataclass(frozen=True, slots=True)
class _Kind:
    saves: type[nn.Module]
    parts: Callable[[Any], tuple[dict[str, np.ndarray], dict[str, str]]]  # tensors and metadata
    network: Callable[[object, Contents, Collection[str]], Any]  # of a file


_KINDS: Final[dict[str, _Kind]] = {
    "module": _Kind(DAGModule, _module_parts, _module_in),
    "layers": _Kind(LayerDAG, layers_metadata, layers_in),
    "recurrent": _Kind(RecurrentDAG, recurrent_metadata, lambda path, contents, _: recurrent_in(path, contents)),
    "manifold": _Kind(ManifoldNetwork, manifold_metadata, lambda path, contents, _: manifold_in(path, contents)),
    "wired": _Kind(WiredModule, wired_metadata, lambda path, contents, _: wired_in(path, contents)),
    "masked": _Kind(MaskedLinear, masked_metadata, lambda path, contents, _: masked_in(path, contents)),
}


def _kind_of(module: nn.Module) -> tuple[str, _Kind]:
    """Name and kind of the files that hold such a module."""
    for name, kind in _KINDS.items():
        if isinstance(module, kind.saves):
            if type(module).forward is not kind.saves.forward:
                own = parametrize.type_before_parametrizations(module).__name__
                raise CheckpointError(
                    f"{own} has a forward of its own, which a file cannot describe; save the {kind.saves.__name__} in "
                    "it, or its state dictionary yourself"
                )
            return name, kind
    raise CheckpointError(
        f"a {type(module).__name__} cannot be saved; save its networks one by one "
        f"({', '.join(kind.saves.__name__ for kind in _KINDS.values())}), or use torch.save for its state dictionary"
    )
