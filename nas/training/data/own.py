"""Arrays: npz files, and what functions of the user's own return."""

from __future__ import annotations

import dataclasses
import math
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas._named import import_named
from nas.errors import DataError
from nas.training.data._delimited import distinct_names
from nas.training.data._raw import RawData
from nas.training.data.checks import unmasked
from nas.training.data.config import DataConfig
from nas.training.data.idx import MAX_BYTES, refuse_expansion
from nas.training.data.tabular import feature_kind, from_frame, plain
from nas.training.types import Dataset

__all__ = ["call_function", "from_arrays", "load_npz", "read_npz"]

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_npz(path: Path) -> RawData:
    """An .npz file with arrays named as in `from_arrays`.

    Raises:
        DataError: the file is damaged, holds pickles, or lacks an array.
    """
    arrays = read_npz(path)
    lower = {name.lower(): array for name, array in arrays.items()}
    if len(lower) == len(arrays) and {"x", "x_train"} & {*lower}:
        return from_arrays(lower, path.stem, str(path))
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

    Inputs may be pandas tables, whose columns keep their names; those of the other parts are found by name.

    Raises:
        DataError: an array is missing, there are two sets of them, or tables have different columns.
    """
    train = ("x", "y") if "x" in arrays else ("x_train", "y_train")
    for key in train:
        if key not in arrays:
            found = ", ".join(repr(each) for each in list(arrays)[:12]) or "none"
            raise DataError(
                f"{where}: no array {key!r}, only {found}; expected x and y, or x_train, y_train, x_test, y_test"
            )
    for part in ("val", "test"):
        keys = (f"x_{part}", f"y_{part}")
        if (keys[0] in arrays) != (keys[1] in arrays):
            raise DataError(f"{where}: {keys[0]} and {keys[1]} must be given together")
    if "x" in arrays and (twice := [key for key in ("x_train", "y_train") if key in arrays]):
        raise DataError(f"{where}: both 'x' and {twice[0]!r} are given; leave one out")
    parts = (train, ("x_val", "y_val"), ("x_test", "y_test"))
    unused = [key for key in arrays if key not in {each for part in parts for each in part}]
    names = _column_names(arrays[train[0]], where)
    for key, values in arrays.items():
        unmasked(values, f"{where}: {key}")
    inputs = [None if x not in arrays else _inputs(arrays[x], names, f"{where}: {x}") for x, _ in parts]
    targets = [None if y not in arrays else plain(arrays[y]) for _, y in parts]
    assert inputs[0] is not None and targets[0] is not None
    return RawData(
        name,
        inputs[0],
        targets[0],
        x_val=inputs[1],
        y_val=targets[1],
        x_test=inputs[2],
        y_test=targets[2],
        feature_names=names,
        named=bool(names),
        notes=tuple(f"array {key!r} is not used" for key in unused),
    )


def _column_names(x: Any, where: str) -> tuple[str, ...]:
    """Names of the columns of a table; none of an array."""
    if not hasattr(x, "columns"):
        return ()
    names = tuple(str(column) for column in x.columns)
    distinct_names(names, where)
    return names


def _inputs(x: Any, names: tuple[str, ...], where: str) -> np.ndarray:
    """Inputs as an array; tables by the names of the training part."""
    given = _column_names(x, where)
    if given and names and {*given} != {*names}:
        odd = sorted({*given} ^ {*names})[0]
        raise DataError(f"{where}: column {odd!r} is in one part only; give all parts the same columns")
    if bool(given) != bool(names):
        raise DataError(f"{where}: give all parts as tables with names, or all as arrays")
    if not given:
        return np.asarray(x)
    ordered = x.rename(columns=str)[list(names)]
    for name in names:
        feature_kind(ordered[name], name, where)
    found: np.ndarray = ordered.to_numpy(dtype=np.float64, na_value=np.nan)
    return found


def call_function(
    source: str, config: DataConfig, features: Collection[str] = (), spare: Collection[str] = ()
) -> RawData | Dataset:
    """What the user's ``module:function`` returns. Modules in the current folder are found.

    Raises:
        DataError: it cannot be imported, fails, or returns something else than arrays.
    """
    module_name, _, function_name = source.partition(":")
    try:
        function = getattr(import_named(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(f"{source}: cannot be imported ({error}); expected module:function") from error
    try:
        value = function()
    except (DataError, KeyboardInterrupt):
        raise
    except BaseException as error:  # the user's own code may raise anything
        raise DataError(f"{source}: the function failed ({type(error).__name__}: {error})") from error
    if isinstance(value, Dataset):
        return value
    if hasattr(value, "columns") and hasattr(value, "iloc"):  # one table with features and targets, as from a file
        return from_frame(value, function_name, source, config, features, spare)
    if isinstance(value, Mapping):
        return from_arrays(value, function_name, source)
    if isinstance(value, tuple) and len(value) == 2:
        return from_arrays({"x": value[0], "y": value[1]}, function_name, source)
    raise DataError(
        f"{source}: returned {type(value).__name__}; expected (x, y), a mapping of arrays, a table, or a Dataset"
    )
