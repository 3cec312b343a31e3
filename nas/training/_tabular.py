"""Tables and arrays from files, OpenML and functions of the user's own, checked column by column."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas._named import import_named
from nas.errors import DataError
from nas.training._data_config import DataConfig
from nas.training._idx import MAX_BYTES
from nas.training._raw import RawData
from nas.training._types import Dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["call_function", "from_arrays", "load_file", "load_openml"]

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_file(path: Path, config: DataConfig) -> RawData:
    """A .csv, .tsv, .parquet or .npz file.

    Raises:
        DataError: the file is missing, cannot be parsed, or a column is unknown, empty or no number.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file (looked in {path.absolute().parent})")
    if path.suffix.lower() == ".npz":
        return from_arrays(_read_npz(path), path.stem, str(path))
    import pandas as pd  # half a second; only tables need it

    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    except Exception as error:  # pandas and pyarrow raise a dozen unrelated types here
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]} ({error})") from error
    return from_frame(frame, path.stem, str(path), config)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the archive; ``np.load`` would allocate whatever an array's header announces."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
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


def from_frame(frame: pd.DataFrame, name: str, where: str, config: DataConfig) -> RawData:
    """Features and targets of a table.

    Raises:
        DataError: a stated column does not exist, no feature is left, or a feature is no number.
    """
    import pandas as pd

    frame = frame.rename(columns=str)
    columns = list(frame.columns)
    if not columns:
        raise DataError(f"{where}: the table has no columns")
    duplicates = sorted({column for column in columns if columns.count(column) > 1})
    if duplicates:
        raise DataError(f"{where}: column {duplicates[0]!r} occurs more than once; rename one")
    if config.target is None:
        targets = [columns[-1]]
    else:
        targets = [config.target] if isinstance(config.target, str) else list(config.target)
    for column in [*targets, *config.drop]:
        if column not in columns:
            raise DataError(f"{where}: no column {column!r}; the columns are {_some(columns)}")
    features = [column for column in columns if column not in targets and column not in config.drop]
    if not features:
        raise DataError(f"{where}: no feature column is left beside the target {_some(targets)}")
    for column in features:
        if not (pd.api.types.is_numeric_dtype(frame[column]) or pd.api.types.is_bool_dtype(frame[column])):
            example = frame[column].iloc[0] if len(frame) else "nothing"
            raise DataError(
                f"{where}: feature column {column!r} holds no numbers (e.g. {str(example)[:40]!r}); "
                "encode it as numbers or list it under data.drop"
            )
    for column in targets:
        if frame[column].isna().any():
            row = int(np.flatnonzero(frame[column].isna().to_numpy())[0])
            raise DataError(f"{where}: target column {column!r} is empty in row {row} (counted from 0)")
    x = frame[features].to_numpy(dtype=np.float64, na_value=np.nan)
    if len(targets) == 1:
        labels = frame[targets[0]]
        numeric = pd.api.types.is_numeric_dtype(labels) and not pd.api.types.is_bool_dtype(labels)
        y: np.ndarray = labels.to_numpy() if numeric else labels.astype(str).to_numpy(dtype=str)
    else:
        try:
            y = frame[targets].to_numpy(dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}: several targets mean regression, but they hold no numbers ({error})") from error
    return RawData(name, x, y, feature_names=tuple(features))


def from_arrays(arrays: Mapping[str, Any], name: str, where: str) -> RawData:
    """Arrays named x and y, or x_train, y_train, x_test, y_test and perhaps x_val, y_val.

    Raises:
        DataError: an array is missing or holds no numbers.
    """
    train = ("x", "y") if "x" in arrays else ("x_train", "y_train")
    for key in train:
        if key not in arrays:
            raise DataError(f"{where}: no array {key!r}; expected x and y, or x_train, y_train, x_test, y_test")
    for part in ("val", "test"):
        keys = (f"x_{part}", f"y_{part}")
        if (keys[0] in arrays) != (keys[1] in arrays):
            raise DataError(f"{where}: {keys[0]} and {keys[1]} must be given together")

    def optional(key: str) -> np.ndarray | None:
        return np.asarray(arrays[key]) if key in arrays else None

    return RawData(
        name,
        np.asarray(arrays[train[0]]),
        np.asarray(arrays[train[1]]),
        x_val=optional("x_val"),
        y_val=optional("y_val"),
        x_test=optional("x_test"),
        y_test=optional("y_test"),
    )


def load_openml(name: str, config: DataConfig) -> RawData:
    """A data set of openml.org, by name or number, kept in scikit-learn's cache.

    Raises:
        DataError: it cannot be fetched.
    """
    from sklearn.datasets import fetch_openml

    query: dict[str, Any] = {"data_id": int(name)} if name.isdigit() else {"name": name, "version": "active"}
    try:
        bunch = fetch_openml(**query, as_frame=True, parser="auto")
    except Exception as error:  # network, HTTP, ARFF and checksum errors of many libraries
        raise DataError(f"openml:{name}: cannot be fetched ({type(error).__name__}: {error})") from error
    frame: pd.DataFrame = bunch.frame
    if config.target is None:
        config = config.model_copy(update={"target": tuple(str(target) for target in bunch.target_names)})
        if config.target is not None and len(config.target) == 1:
            config = config.model_copy(update={"target": config.target[0]})
    return from_frame(frame, name, f"openml:{name}", config)


def call_function(source: str) -> RawData | Dataset:
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
    except DataError:
        raise
    except Exception as error:  # the user's own code may raise anything
        raise DataError(f"{source}: the function failed ({type(error).__name__}: {error})") from error
    if isinstance(value, Dataset):
        return value
    if isinstance(value, Mapping):
        return from_arrays(value, function_name, source)
    if isinstance(value, tuple) and len(value) == 2:
        return from_arrays({"x": value[0], "y": value[1]}, function_name, source)
    raise DataError(f"{source}: returned {type(value).__name__}; expected (x, y), a mapping of arrays, or a Dataset")


def _some(names: list[str], limit: int = 12) -> str:
    return ", ".join(names[:limit]) + (f", … ({len(names)} in all)" if len(names) > limit else "")
