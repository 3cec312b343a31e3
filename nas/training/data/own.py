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
from nas._text import said_of
from nas.checkpoint import named_once
from nas.errors import DataError
from nas.training.data._raw import RawData
from nas.training.data.checks import unmasked
from nas.training.data.config import DataConfig
from nas.training.data.idx import MAX_BYTES, refuse_expansion
from nas.training.data.tabular import from_frame, plain
from nas.training.types import Dataset

__all__ = ["as_table", "call_function", "from_arrays", "load_npz", "read_npz", "returned_by", "with_targets"]

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

    Raises:
        DataError: an array is missing, or there are two sets of them.
    """
    parts, notes = _parts(arrays, where)
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


def _parts(arrays: Mapping[str, Any], where: str) -> tuple[list[tuple[Any, Any] | None], tuple[str, ...]]:
    """Inputs and targets of the training, validation and test part, None for a part that is not there; and notes.

    Raises:
        DataError: see `from_arrays`.
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
    names = (train, ("x_val", "y_val"), ("x_test", "y_test"))
    unused = [key for key in arrays if key not in {each for part in names for each in part}]
    parts = [(arrays[x], arrays[y]) if x in arrays else None for x, y in names]
    return parts, tuple(f"array {key!r} is not used" for key in unused)


def _from_tables(
    arrays: Mapping[str, Any],
    name: str,
    where: str,
    config: DataConfig,
    features: Collection[str],
    spare: Collection[str],
) -> RawData:
    """Parts whose inputs are tables: read as one table, so that a column is the same in all of them.

    Raises:
        DataError: see `from_arrays` and `from_frame`; or the parts have different columns or targets.
    """
    import pandas as pd

    if config.target is not None:
        raise DataError(
            f"{where}: data.target names a column of one table, but the function returns its targets beside the "
            "features; take data.target out of the job"
        )
    parts, notes = _parts(arrays, where)
    frames: list[pd.DataFrame] = []
    targets: tuple[str, ...] = ()
    for x, y in (part for part in parts if part is not None):
        table = as_table(x)
        if table is None:
            raise DataError(f"{where}: give the features of all parts as tables with names, or all as arrays")
        joined, found = with_targets(_with_names(table), y, where)
        if len(found) == len(targets) and not {*found} & {*targets}:  # by place: arrays have no names
            joined = joined.set_axis([*joined.columns[: -len(found)], *targets], axis=1)
        if frames and (odd := sorted({*frames[0].columns} ^ {*joined.columns})):
            raise DataError(f"{where}: column {odd[0]!r} is in one part only; give all parts the same columns")
        frames.append(joined)
        targets = targets or found
    whole = pd.concat(frames, ignore_index=True)
    stated = config.model_copy(update={"target": targets[0] if len(targets) == 1 else targets})
    read = from_frame(whole, name, where, stated, features, spare)
    ends = np.cumsum([len(frame) for frame in frames])[:-1]
    rows = iter(zip(np.split(read.x, ends), np.split(read.y, ends), strict=True))
    x, y = next(rows)
    (x_val, y_val), (x_test, y_test) = ((None, None) if part is None else next(rows) for part in parts[1:])
    return dataclasses.replace(
        read, x=x, y=y, x_val=x_val, y_val=y_val, x_test=x_test, y_test=y_test, notes=(*read.notes, *notes)
    )


def _with_names(table: Any) -> Any:
    """A table whose columns are called what people are told they are."""
    return table.set_axis(named_once([str(name) for name in table.columns])[0], axis=1)


def as_table(data: Any) -> Any:
    """Data as a pandas table, those of polars and pyarrow too; None where it is none."""
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        sparse = {name: kind.subtype for name, kind in data.dtypes.items() if hasattr(kind, "fill_value")}
        return data.astype(sparse) if sparse else data
    if hasattr(data, "to_pandas") and hasattr(data, "columns"):
        return data.to_pandas()
    return None


def with_targets(table: Any, y: Any, where: str = "") -> tuple[Any, tuple[str, ...]]:
    """A pandas table with its targets as last columns, and what these are called.

    Args:
        y: one target a row, or several: a table, a series, an array, a list.
        where: what errors begin with.

    Raises:
        DataError: there are none, more or fewer than rows, their order is not plain, or a name is taken.
    """
    import pandas as pd

    before = f"{where}: " if where else ""
    index = getattr(y, "index", None)
    if (
        isinstance(index, pd.Index)
        and not index.equals(table.index)
        and index.sort_values().equals(table.index.sort_values())
    ):
        raise DataError(
            f"{before}X and y have rows of the same names in another order, so that it is not plain which belong "
            "together; give y.loc[X.index], or reset_index(drop=True) of both where they are in order"
        )
    targets = as_table(y)
    if targets is None:
        name = getattr(y, "name", None)
        unmasked(y, f"{before}y")
        try:
            values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
        except ValueError as error:  # rows of several lengths
            raise DataError(f"{before}y cannot be an array ({error})") from error
        if values.ndim == 0:
            raise DataError(f"{before}y is {type(y).__name__}; give a target for each row")
        if values.ndim > 1:
            values = values.reshape(len(values), math.prod(values.shape[1:]))
            targets = pd.DataFrame(values, columns=[f"target_{place}" for place in range(values.shape[1])])
        else:
            targets = pd.DataFrame({"target" if name is None else str(name): y})
    if len(targets) != len(table):
        raise DataError(f"{before}X has {len(table)} rows and y has {len(targets)}; give a target for each row")
    if not len(targets.columns):
        raise DataError(f"{before}y has no columns; give a target for each row")
    targets = targets.rename(columns=str)
    columns = tuple(targets.columns)
    taken = [name for name in columns if name in {*table.columns}]
    if taken:
        raise DataError(f"{before}the target {taken[0]!r} is a column of X, too; leave it out of X, or rename it")
    return pd.concat([table.reset_index(drop=True), targets.reset_index(drop=True)], axis=1), columns


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
    if (table := as_table(value)) is not None:  # with features and targets, as from a file
        return from_frame(table, function_name, source, config, features, spare)
    if isinstance(value, tuple) and len(value) == 2:
        value = {"x": value[0], "y": value[1]}
    if isinstance(value, Mapping):
        if any(as_table(part) is not None for key, part in value.items() if str(key).startswith("x")):
            return _from_tables(value, function_name, source, config, features, spare)
        return from_arrays(value, function_name, source)
    raise DataError(
        f"{source}: returned {type(value).__name__}; expected (x, y), a mapping of arrays, a table, or a Dataset"
    )


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
