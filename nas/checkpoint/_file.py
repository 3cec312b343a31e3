"""The file itself: safetensors, read with suspicion.

Metadata (all strings): ``format`` and ``version`` of this package, ``kind`` (one of `NETWORKS`, or "arrays"), ``dag``
and ``record`` as JSON, and what the kind adds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
import safetensors
import safetensors.numpy

from nas._files import ordinary
from nas.errors import CheckpointError, GraphError
from nas.graph import DAG

__all__ = [
    "FORMAT_VERSION",
    "MAX_BYTES",
    "NETWORKS",
    "Contents",
    "Record",
    "encoded",
    "parsed",
    "read",
    "record_json",
    "start",
]

Record = Mapping[str, Any]

FORMAT: Final = "dag-nas"
FORMAT_VERSION: Final = 1
NETWORKS: Final = ("module", "layers", "recurrent", "manifold", "wired", "masked")  # kinds that `load` reads
# safetensors' own limit; a DAG of a million edges takes about 15 MB of it.
MAX_HEADER_BYTES: Final = 100_000_000
LENGTH_BYTES: Final = 8
MAX_BYTES: Final = 2**32
"""Bytes of a file that is read: a thousand million weights."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A file of this package, its metadata checked and parsed."""

    dag: DAG
    arrays: dict[str, np.ndarray]
    record: dict[str, Any]
    metadata: dict[str, str]


def encoded(
    kind: str, dag: DAG, arrays: Mapping[str, np.ndarray], record: Record, extra: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of a file.

    Raises:
        CheckpointError: the record cannot be written as JSON, or the metadata is too long to be read again.
    """
    metadata = {
        "format": FORMAT,
        "version": str(FORMAT_VERSION),
        "kind": kind,
        "dag": dag.to_json(),
        "record": record_json(record),
        **(extra or {}),
    }
    # ascontiguousarray would turn shape () into (1,)
    tensors = {name: np.array(value, order="C", copy=True) for name, value in arrays.items()}
    data: bytes = safetensors.numpy.save(tensors, metadata=metadata)
    if (length := int.from_bytes(data[:LENGTH_BYTES], "little")) > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"graph and record must fit in {MAX_HEADER_BYTES} bytes, but take {length}; make the record shorter"
        )
    return data


def read(path: str | os.PathLike[str], *kinds: str) -> Contents:
    """Read and check a file of this package.

    Raises:
        CheckpointError: it is truncated, foreign, of a newer version or of none of these kinds, or its graph or
            record is damaged.
        OSError: it cannot be opened.
    """
    with ordinary(path) as file:
        return parsed(path, start(path, file) + file.read(), *kinds)


def start(path: object, file: BinaryIO) -> bytes:
    """The length and the header of a file that is as long as its header says: what is none of ours is refused before
    the rest is read.

    Raises:
        CheckpointError: it is not, or longer than `MAX_BYTES`.
    """
    held = os.fstat(file.fileno()).st_size
    if held > MAX_BYTES:
        raise CheckpointError(f"{path} has {held:,} bytes, and at most {MAX_BYTES:,} are read of a checkpoint")
    head = file.read(LENGTH_BYTES)
    if (length := int.from_bytes(head, "little")) <= MAX_HEADER_BYTES:
        head += file.read(length)
    header, _ = _header(path, head)
    try:
        ends = [int(found["data_offsets"][1]) for name, found in header.items() if name != "__metadata__"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is no safetensors file: its header lacks {error}") from error
    if held != (announced := len(head) + max(ends, default=0)):
        raise CheckpointError(
            f"{path} is truncated or no safetensors file: it has {held:,} bytes, and its header says {announced:,}"
        )
    return head


def parsed(path: object, data: bytes, *kinds: str) -> Contents:
    """What `read` gives, of bytes; ``path`` is for messages."""
    _, metadata = _header(path, data)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a safetensors file, but its metadata does not say format {FORMAT!r} "
            f"(found {_shown(metadata.get('format'))}); it was not saved by this package"
        )
    if metadata.get("version") != str(FORMAT_VERSION):
        raise CheckpointError(
            f"{path} has format version {_shown(metadata.get('version'))}, this package reads version "
            f"{FORMAT_VERSION}; use the version of the package that wrote it"
        )
    if metadata.get("kind") not in kinds:
        reader = dict.fromkeys(NETWORKS, "nas.checkpoint.load") | {"arrays": "nas.checkpoint.load_arrays"}
        hint = f"; use {reader[metadata['kind']]}" if metadata.get("kind") in reader else ""
        raise CheckpointError(f"{path} holds {_shown(metadata.get('kind'))}, not {kinds[0]!r}{hint}")
    for key in ("dag", "record"):
        if key not in metadata:
            raise CheckpointError(f"{path} lacks {key!r} in its metadata; it was damaged or edited")
    try:
        dag = DAG.from_json(metadata["dag"])
    except GraphError as error:
        raise CheckpointError(f"{path} holds a damaged graph: {error}") from error
    try:
        record = json.loads(metadata["record"])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} holds a damaged record: {error}") from error
    if not isinstance(record, dict):
        raise CheckpointError(f"{path} must hold a JSON object as its record, but holds {type(record).__name__}")
    try:
        arrays = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        # KeyError: a type that NumPy does not have
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error!r}") from error
    return Contents(dag, arrays, record, metadata)


def _header(path: object, data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """The header, and the metadata in it, which the safetensors library parses only when it opens a file by name."""
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    if len(data) < LENGTH_BYTES or length > min(MAX_HEADER_BYTES, len(data) - LENGTH_BYTES):
        raise CheckpointError(f"{path} is truncated or no safetensors file: its first bytes are not those of one")
    try:
        header = json.loads(data[LENGTH_BYTES : LENGTH_BYTES + length])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no safetensors file: its header is not JSON ({error})") from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path} has no metadata; it was not saved by this package")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError(f"{path} has metadata that is not text; it was damaged or edited")
    return header, metadata


def record_json(record: Record) -> str:
    """The record as JSON.

    Raises:
        CheckpointError: it holds something that is none.
    """
    try:
        return json.dumps(dict(record), default=_plain, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"a record may hold numbers (finite), text, lists and mappings with text as keys, but: {error}"
        ) from error


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} is none of these")


def _shown(value: str | None) -> str:
    return "nothing" if value is None else repr(value[:40])
