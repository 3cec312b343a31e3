"""Checkpoints of networks with memory: what the DAG does not say in the metadata, the state dictionary as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nas.checkpoint._file import Contents
from nas.checkpoint._neurons import filled
from nas.checkpoint._state import plain_arrays
from nas.errors import CheckpointError, GraphError
from nas.recurrent import RecurrentDAG, RecurrentStructure

__all__ = ["CheckpointRecurrent", "recurrent_in", "recurrent_metadata"]


class CheckpointRecurrent(RecurrentDAG):
    """A network with memory as it came out of a file.

    Attributes:
        record: what was saved with it.
    """

    record: dict[str, Any]


def recurrent_metadata(module: RecurrentDAG) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of a file."""
    return plain_arrays(module), {"recurrent": RecurrentStructure.of(module).settings_json()}


def recurrent_in(path: object, contents: Contents) -> CheckpointRecurrent:
    """The network in a file.

    Raises:
        CheckpointError: its description is damaged, or its tensors do not fit.
    """
    try:
        structure = RecurrentStructure.from_settings(contents.dag, contents.metadata.get("recurrent", ""))
    except GraphError as error:
        raise CheckpointError(f"{path}: {error}") from error
    arrays = contents.arrays
    dtype = arrays["weight"].dtype if "weight" in arrays else np.dtype(np.float32)
    if dtype not in (np.float32, np.float64) or any(array.dtype != dtype for array in arrays.values()):
        types = {name: str(array.dtype) for name, array in arrays.items()}
        raise CheckpointError(f"{path}: its tensors must be float32 or float64 throughout, but are {types}")
    module = CheckpointRecurrent(
        structure.dag,
        structure.memory,
        structure.activation,
        memory_activation=structure.memory_activation,
        time=structure.time,
        outputs=structure.outputs,
        learn_initial=structure.learn_initial,
        bias=structure.bias,
        dtype=torch.from_numpy(np.zeros(0, dtype)).dtype,
    )
    return filled(path, module, arrays)
