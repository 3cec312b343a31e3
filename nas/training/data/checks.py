"""What must hold of data before anything is trained on it; every message names the column or array at fault."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from nas.errors import DataError
from nas.training.data._raw import RawData
from nas.training.types import Dataset

__all__ = ["check_dataset", "checked", "finite", "numbers_of", "unmasked", "whole_numbers_fit"]

_EXACT: Final = 2**53  # whole numbers up to it are exact as float64


def checked(raw: RawData, where: str) -> RawData:
    """Inputs as (samples, features) of finite floats, each with its label.

    Raises:
        DataError: something is empty, not numeric, not finite, or of the wrong width or length.
    """
    parts: dict[str, Any] = {}
    width: int | None = None
    for suffix in ("", "_val", "_test"):
        x, y = getattr(raw, f"x{suffix}"), getattr(raw, f"y{suffix}")
        if x is None:
            continue
        label = suffix[1:] or "training"
        if x.ndim < 2 or len(x) == 0:
            raise DataError(f"{where}: {label} inputs have shape {x.shape}; expected (samples, features), at least one")
        if y.ndim not in (1, 2) or len(x) != len(y):
            raise DataError(f"{where}: {label} inputs have shape {x.shape}, targets {y.shape}; expected one row each")
        flat = numbers_of(x.reshape(len(x), -1), where, f"{label} inputs")
        width = flat.shape[1] if width is None else width
        if flat.shape[1] != width:
            raise DataError(
                f"{where}: {label} inputs are {flat.shape[1]} wide, training inputs {width}; expected equal"
            )
        missing = np.isnan(flat) if raw.kinds else False  # of tables they are filled
        finite(np.where(missing, 0.0, flat), raw.feature_names, where, "feature")
        parts[f"x{suffix}"] = flat
        parts[f"y{suffix}"] = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    names = raw.feature_names or tuple(f"x{i}" for i in range(width or 0))
    if len(names) != width:
        raise DataError(f"{where}: {len(names)} feature names for {width} features; expected equal")
    return dataclasses.replace(raw, **parts, feature_names=names)


def numbers_of(values: np.ndarray, where: str, what: str) -> np.ndarray:
    """``values`` as floats; DataError where they are no numbers."""
    if values.dtype.kind not in "biuf":
        raise DataError(f"{where}: {what} are of type {values.dtype}; expected numbers")
    whole_numbers_fit(values, f"{where}: {what}")
    return values.astype(np.float32 if values.dtype == np.uint8 else np.float64)  # images in float64 fill the memory


def unmasked(values: Any, what: str) -> Any:
    """``values``; DataError where some of them are masked, because NumPy gives what is behind a mask."""
    if np.ma.is_masked(values):
        raise DataError(
            f"{what}: {int(np.ma.getmaskarray(values).sum())} values are masked; fill them, or give a table"
        )
    return values


def whole_numbers_fit(values: np.ndarray, what: str) -> None:
    """DataError where integers are so large that different ones would become one number of 64 bits."""
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.size:
        most = max(int(values.max()), -int(values.min()))
        if most > _EXACT:
            raise DataError(
                f"{what}: {most} is beyond 2^53, where integers cannot be told apart as numbers; subtract an offset, "
                "or leave it out (data.drop)"
            )


def finite(values: np.ndarray, names: Sequence[str], where: str, what: str) -> None:
    """DataError naming row and column where ``values`` (rows, columns) are NaN or infinite."""
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        name = repr(names[column]) if column < len(names) else str(column)
        raise DataError(
            f"{where}: {what} {name} is {values[row, column]} in row {row} (counted from 0; {int(bad.sum())} such "
            "values in all); remove or fill them"
        )


def check_dataset(dataset: Dataset, where: str) -> None:
    """DataError where a Dataset made by a user's function breaks the promises of that class."""
    for part in ("train", "val", "test"):
        x, y = getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}")
        if x.ndim != 2 or len(x) != len(y) or len(x) == 0 or x.shape[1] != dataset.n_inputs:
            raise DataError(f"{where}: x_{part} has shape {x.shape}, y_{part} {y.shape}; expected one row a sample")
        if x.dtype != np.float32:
            raise DataError(f"{where}: x_{part} is {x.dtype}; a Dataset holds float32 inputs")
        finite(x, dataset.feature_names, f"{where}: x_{part}", "feature")
        if dataset.task == "classification":
            if y.dtype != np.int64 or y.min() < 0 or y.max() >= len(dataset.classes):
                raise DataError(f"{where}: y_{part} must hold int64 class numbers below {len(dataset.classes)}")
        elif y.ndim != 2 or y.dtype != np.float32 or not np.isfinite(y).all():
            raise DataError(
                f"{where}: y_{part} must be finite float32 of shape (samples, n_outputs), got {y.shape} {y.dtype}"
            )
