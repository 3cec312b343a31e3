"""What every data source hands over before it is checked, split and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["RawData"]


@dataclass(frozen=True, slots=True)
class RawData:
    """Samples as they were found.

    ``x`` has one row a sample; further axes (images) are flattened later. In that of a table NaN is a missing cell,
    categories are numbers of ``levels``, and dates are seconds since 1970. ``y`` has one label a sample, of any type,
    or one row of numbers a sample (regression). A ready-made test or validation part is left as it is.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    x_val: np.ndarray | None = None
    y_val: np.ndarray | None = None
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    feature_names: tuple[str, ...] = ()
    named: bool = False  # the names are columns of a table, by which they are found again; else they are places
    kinds: tuple[str, ...] = ()  # of each feature of a table: number, integer, boolean, category or date
    levels: tuple[tuple[str, ...], ...] = ()  # of a table: the categories that a column's numbers stand for, () of none
    notations: tuple[str, ...] = ()  # of a table: how numbers and dates of a column are written, "" as usual
    padded: frozenset[str] = frozenset()  # of a table: numbers of which some are written with leading zeros
    target_names: tuple[str, ...] = ()
    texts: np.ndarray | None = None  # (samples,) `y` as the file has it, where it was text and is numbers
    code: str = ""  # a target among numbers that is written as no number is ("01"), "" where there is none
    groups: np.ndarray | None = None  # (samples,) which of them belong together, see `DataConfig.group`
    order: np.ndarray | None = None  # (samples,) float64 by which they are ordered, see `DataConfig.time`
    class_names: tuple[str, ...] = ()  # names of the classes 0, 1, … where y holds those numbers
    task: Literal["auto", "classification", "regression"] = "auto"
    scaling: Literal["feature", "global", "none"] = "feature"  # what `standardise: auto` means here
    scale_targets: bool = True  # what an unset `standardise_targets` means here, for regression
    period: int | None = None
    channels: int | None = None  # numbers a pixel, of images whose rows `period` has
    left_out: tuple[tuple[str, str], ...] = ()  # columns that are no features: name, and why
    said: tuple[tuple[str, str], ...] = ()  # what was found out of how to read it: words, and the key that overrides
    notes: tuple[str, ...] = ()  # what people should know
