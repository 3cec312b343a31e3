"""Checkpoints of parameters in training: what a child inherits, on the DAG that they belong to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors

from nas._files import ordinary, write_whole
from nas.checkpoint._file import Record, encoded, read, start
from nas.errors import CheckpointError
from nas.graph import DAG

__all__ = ["load_arrays", "load_some", "save_arrays"]


def save_arrays(
    path: str | os.PathLike[str],
    dag: DAG,
    arrays: Mapping[str, np.ndarray],
    record: Record | None = None,
    *,
    flush: bool = True,
) -> str:
    """Save parameters (`nas.manifold.ManifoldNetwork.to_arrays`) with their DAG and a record.

    Args:
        flush: False: the file survives the death of this process at once, but a power cut only once the caller or the
            system has flushed it.

    Returns:
        The file's checksum: 16 bytes of BLAKE2b, as 32 hexadecimal digits.

    Raises:
        CheckpointError: the record is not plain data, see `save`.
        OSError: the folder is missing or not writeable, or the disk is full.
    """
    data = encoded("arrays", dag, arrays, record or {})
    write_whole(path, data, flush=flush)
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def load_arrays(path: str | os.PathLike[str]) -> tuple[DAG, dict[str, np.ndarray], dict[str, Any]]:
    """DAG, parameters and record saved by `save_arrays`.

    Raises:
        CheckpointError: the file is truncated, foreign, of a newer version, or holds a network for `load`.
        OSError: it cannot be opened.
    """
    contents = read(path, "arrays")
    return contents.dag, contents.arrays, contents.record


def load_some(path: str | os.PathLike[str], prefix: str) -> dict[str, np.ndarray]:
    """The arrays saved by `save_arrays` whose names begin with `prefix`, without reading graph and parameters.

    Raises:
        CheckpointError: the file is truncated or no safetensors file.
        OSError: it cannot be opened.
    """
    with ordinary(path) as opened:
        start(path, opened)
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error!r}") from error
