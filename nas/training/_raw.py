"""What every data source hands over before it is checked, split and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["RawData"]


@dataclass(frozen=True, slots=True)
class RawData:
    """Samples as they were found.

    ``x`` has one row a sample; further axes (images) are flattened later. ``y`` has one label a sample, of any type,
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
    class_names: tuple[str, ...] = ()  # names of the classes 0, 1, … where y holds those numbers
    task: Literal["auto", "classification", "regression"] = "auto"
    scaling: Literal["feature", "global", "none"] = "feature"  # what `standardise: auto` means here
    scale_targets: bool = True  # what an unset `standardise_targets` means here, for regression
    period: int | None = None
