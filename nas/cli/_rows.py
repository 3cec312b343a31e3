"""What a person wants predictions for, as a network's own data was read: a table, images, arrays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from nas.errors import DataError

__all__ = ["rows_of", "rows_to_predict"]

_IMAGES: Final = "images:"
_FOLDER: Final = "idx:"
_FUNCTION: Final = re.compile(r"(?!(?:idx|images|openml):)[^\W\d][\w.]*:[^\W\d]\w*")
_IDX: Final = ("-ubyte", ".idx", "-ubyte.gz", ".idx.gz")


def rows_to_predict(source: str, record: dict[str, Any], inputs: int, settings: list[str]) -> tuple[Any, list[str]]:
    """The rows, and what each is called (a file); names are empty where rows have none.

    Args:
        source: a table (.csv, .tsv, .parquet, .xlsx); a folder of images, or one; an .npz file with one array that
            fits the network, or an IDX file; ``module:function`` of one's own, which returns rows, or
            them with targets as `data.source` takes them.
        record: of the network.
        inputs: features that it takes.
        settings: ``data.key=value`` each: how to read a table.

    Raises:
        DataError: there is no such file, it cannot be read, or does not fit.
        JobError: a setting is wrong.
    """
    path = Path(source.removeprefix(_IMAGES))
    if source.startswith(_FOLDER) and not path.exists():
        from nas.training.data.idx import TEST_IMAGES

        named = Path(source.removeprefix(_FOLDER)) / TEST_IMAGES
        raise DataError(f"{source}: a folder of four files; name the one with the images, such as {named}")
    if _FUNCTION.fullmatch(source) and not path.exists():
        return _returned(source, inputs, settings), []
    if not path.exists():
        raise DataError(f"{path}: no such file (looked in {path.absolute().parent})")
    kind = _kind(path)
    if kind and settings:
        raise DataError(f"--set says how to read a table, but {path} holds {kind}; leave it out")
    if kind == "images":
        from nas.training import read_images

        return read_images(path, inputs, record.get("period"))
    if kind == "arrays":
        return _array(path, inputs), []
    return _table(path, record, settings), []


def rows_of(source: str) -> str:
    """What to name for predictions of the rows of ``data.source``, from whatever folder; "TABLE.csv" stands for what
    cannot be named so."""
    path = Path(source.removeprefix(_IMAGES))
    if source and path.exists():
        return str(path.absolute())
    if source.startswith(_FOLDER):
        from nas.training.data.idx import TEST_IMAGES

        images = Path(source.removeprefix(_FOLDER)) / TEST_IMAGES
        found = next((each for each in (images, images.with_name(f"{images.name}.gz")) if each.exists()), None)
        return "TABLE.csv" if found is None else str(found.absolute())
    return source if _FUNCTION.fullmatch(source) else "TABLE.csv"


def _returned(source: str, inputs: int, settings: list[str]) -> Any:
    """The rows that a function of the user's own returns, with or without their targets; of parts, the test part."""
    from nas.training.data.held import rows_to_predict
    from nas.training.data.own import returned_by

    if settings:
        raise DataError(f"--set says how to read a table, but {source} is a function; leave it out")
    value = rows_to_predict(returned_by(source), source)
    if hasattr(value, "iloc"):
        return value
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim < 2 or array.size != len(array) * inputs:
        what = f"shape {array.shape}" if array.ndim > 1 else type(value).__name__
        raise DataError(f"{source}: returned {what}; expected a table, or rows of {inputs} features, or (x, y)")
    return array.reshape(len(array), inputs)


def _kind(path: Path) -> str:
    from nas.training import IMAGE_SUFFIXES

    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return "images"
    return "arrays" if path.suffix.lower() == ".npz" or path.name.lower().endswith(_IDX) else ""


def _array(path: Path, inputs: int) -> np.ndarray:
    """Samples of an .npz or IDX file, one a row."""
    from nas.training import read_idx, read_npz

    found = read_npz(path) if path.suffix.lower() == ".npz" else {path.name: read_idx(path)}
    fitting = {
        name: array for name, array in found.items() if array.ndim > 1 and array.size == len(array) * inputs and inputs
    }
    if len(fitting) != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in found.items())
        which = "none fits" if not fitting else f"{' and '.join(fitting)} fit"
        raise DataError(f"{path}: of its arrays ({shapes}) {which} the network, which takes {inputs} features a sample")
    (array,) = fitting.values()
    return array.reshape(len(array), inputs).astype(np.float64)


def _table(path: Path, record: dict[str, Any], settings: list[str]) -> Any:
    """The table as it is, read as the job of the network reads its tables."""
    from nas._jobfile import apply_overrides
    from nas.checkpoint import Encoding
    from nas.job import Job
    from nas.training import TEXT_SUFFIXES, read_frame

    data = record.get("data") or {}
    columns = record.get("columns") or {}
    values: dict[str, Any] = {"source": str(path)}
    if str(path).lower().endswith(TEXT_SUFFIXES):
        encoding = Encoding.from_json(record.get("encoding"))
        names = [str(name) for name in record.get("feature_names") or ()]
        values["kinds"] = (
            {each.name: each.stated for each in encoding.columns} if encoding else dict.fromkeys(names, "number")
        )
    if all(str(each).lower().endswith(TEXT_SUFFIXES) for each in (path, data.get("source", ""))):
        values |= {key: data[key] for key in ("encoding", "separator", "decimal", "header", "missing") if key in data}
    section: dict[str, Any] = {"data": values}
    apply_overrides(section, settings)
    config = Job.from_mapping(section, where=str(path)).data
    targets = tuple(str(name) for name in columns.get("targets") or ())
    return read_frame(config, targets)
