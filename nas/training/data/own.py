"""Arrays of npz files, and what functions of the user's own return."""

from __future__ import annotations

import dataclasses
import math
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas._named import import_named
from nas._text import said_of
from nas.errors import DataError
from nas.training.data._raw import RawData
from nas.training.data.checks import unmasked
from nas.training.data.config import DataConfig
from nas.training.data.held import by_part, held_data, parts_of
from nas.training.data.idx import MAX_BYTES, refuse_expansion
from nas.training.data.tabular import from_frame, plain
from nas.training.types import Dataset

__all__ = ["call_function", "from_arrays", "load_npz", "read_npz", "returned_by"]

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_npz(path: Path) -> RawData:
    """An .npz file with arrays named as in `from_arrays`.

    Raises:
        DataError: the file is damaged, holds pickles, or lacks an array.
    """
    arrays = read_npz(path)
    named = by_part(arrays)
    if {"x", "x_train"} & {*named}:
        return from_arrays(named, path.stem, str(path))
    inputs, targets = _by_shape(arrays)
    if inputs is None or targets is None:
        return from_arrays(arrays, path.stem, str(path))
    found = from_arrays({"x": arrays[inputs], "y": arrays[targets]}, path.stem, str(path))
    said = f"of its two arrays {inputs!r} is taken for x and {targets!r} for y, by their shapes or their order"
    return dataclasses.replace(found, notes=(*found.notes, said))


def _by_shape(arrays: Mapping[str, np.ndarray]) -> tuple[str | None, str | None]:
    """Which of two arrays are inputs and targets: those with more axes or columns, or the first; None: cannot be."""
    names = sorted(arrays, key=lambda name: (-arrays[name].ndim, -arrays[name].size))  # of two alike the order stays
    if len(names) != 2:
        return None, None
    x, y = (arrays[name] for name in names)
    fits = x.ndim > 1 and y.ndim in (1, 2) and len(x) == len(y)
    return (names[0], names[1]) if fits else (None, None)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the archive; ``np.load`` would allocate whatever an array's header announces."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            refuse_expansion(path, sum(info.file_size for info in members))
            return {info.filename.removesuffix(".npy"): _read_npy(path, archive, info) for info in members}
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen unrelated types on damaged files
        raise DataError(f"{path}: cannot be read as npz ({error}); objects and pickles are refused") from error


def _read_npy(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version not in _HEADERS:
            raise DataError(f"{path}: {info.filename} has npy version {version}; save it as numbers")
        shape, by_columns, dtype = _HEADERS[version](member)
        if dtype.hasobject:
            raise DataError(
                f"{path}: {info.filename} holds objects; objects and pickles are refused, save numbers or text"
            )
        expected = math.prod(shape) * dtype.itemsize
        held = info.file_size - member.tell()
        if expected != held or expected > MAX_BYTES:
            raise DataError(
                f"{path}: the header of {info.filename} announces {expected} bytes of data, the file holds {held}; "
                f"at most {MAX_BYTES} are read"
            )
        content = member.read(expected)
    if len(content) != expected:
        raise DataError(f"{path}: {info.filename} is truncated; fetch the file again")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")


def from_arrays(arrays: Mapping[str, Any], name: str, where: str) -> RawData:
    """Arrays named x and y, or x_train, y_train, x_test, y_test and perhaps x_val, y_val.

    Raises:
        DataError: an array is missing, or there are two sets of them.
    """
    parts, notes = parts_of(arrays, where)
    for key, values in arrays.items():
        unmasked(values, f"{where}: {key}")
    inputs = [None if part is None else np.asarray(part[0]) for part in parts]
    targets = [None if part is None else plain(part[1]) for part in parts]
    assert inputs[0] is not None and targets[0] is not None
    return RawData(
        name,
        inputs[0],
        targets[0],
        x_val=inputs[1],
        y_val=targets[1],
        x_test=inputs[2],
        y_test=targets[2],
        notes=notes,
    )


def call_function(
    source: str, config: DataConfig, features: Collection[str] = (), spare: Collection[str] = ()
) -> RawData | Dataset:
    """What the user's ``module:function`` returns. Modules in the current folder are found.

    Raises:
        DataError: it cannot be imported, fails, or returns something else than arrays.
    """
    value = returned_by(source)
    function_name = source.partition(":")[2]
    if isinstance(value, Dataset):
        return value
    held = held_data(value, where=source)
    if held.table is None:
        return from_arrays(held.arrays, function_name, source)
    if held.targets and config.target is not None:
        raise DataError(
            f"{source}: data.target names a column of one table, but the function returns its targets beside the "
            "features; take data.target out of the job"
        )
    if held.targets:
        config = config.model_copy(update={"target": held.targets[0] if len(held.targets) == 1 else held.targets})
    return held.parted(from_frame(held.table, function_name, source, config, features, spare))


def returned_by(source: str) -> Any:
    """What the user's ``module:function`` returns, whatever that is.

    Raises:
        DataError: it cannot be imported, or fails.
    """
    module_name, _, function_name = source.partition(":")
    try:
        function = getattr(import_named(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(f"{source}: cannot be imported ({error}); expected module:function") from error
    try:
        return function()
    except (DataError, KeyboardInterrupt):
        raise
    except BaseException as error:  # the user's own code may raise anything
        raise DataError(f"{source}: the function failed ({said_of(error)})") from error
