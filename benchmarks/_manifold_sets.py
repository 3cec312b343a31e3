"""The data sets on which learned structure is compared with free weights: few samples, images, signals, tables.

Signals come out of the package aeon, whose files are read and whose code is not; ``make bench-manifold`` installs it
without what it asks for.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._reference_sets import SETS, Set, package_file
from benchmarks._reference_sets import load as load_reference
from nas.errors import DataError
from nas.training import DataConfig, Dataset, load_data

__all__ = ["KINDS", "MANIFOLD_SETS", "load", "series_table"]

_HERE: Final = "benchmarks._manifold_sets:"
_SIZES: Final = (800, 400, 200, 100, 50)

MANIFOLD_SETS: Final[dict[str, Set]] = {
    found.name: found
    for found in (
        Set("mnist, 500 samples", (2000, 1000, 500, 250, 125), 0.5, "mnist"),
        Set("mnist, 2,000 samples", (2000, 1000, 500, 250, 125), 0.4, "mnist"),
        SETS["digits"],
        Set("gunpoint", _SIZES, 0.5, _HERE + "gunpoint"),
        Set("arrowhead", _SIZES, 0.6, _HERE + "arrowhead"),
        Set("italypower", _SIZES, 0.3, _HERE + "italypower"),
        Set("basicmotions", _SIZES, 0.6, _HERE + "basicmotions"),
        SETS["segment"],
        SETS["ring"],
    )
}
KINDS: Final = {
    "few samples": ("mnist, 500 samples", "mnist, 2,000 samples"),
    "images": ("digits",),
    "signals": ("gunpoint", "arrowhead", "italypower", "basicmotions"),
    "tables": ("segment", "ring"),
}
"""What a set stands for: its names."""


def load(name: str, seed: int = 0) -> Dataset:
    """A set, split by ``seed``; of MNIST, four fifths of the samples that its name says train, the rest validates.

    Args:
        name: a key of `MANIFOLD_SETS`.
        seed: decides split and samples. MNIST's test part is always all of its own.

    Raises:
        DataError: the package that holds it is not installed, or its file is damaged.
    """
    if name in SETS:
        return load_reference(name, seed)
    found = MANIFOLD_SETS[name]
    data = load_data(DataConfig.model_validate(found.data | {"seed": seed}))
    if found.source != "mnist":
        return data
    count = int(name.split()[1].replace(",", ""))
    rows = np.random.default_rng(seed).permutation(len(data.x_train))[:count]
    train, val = np.split(rows, [round(0.8 * count)])
    return dataclasses.replace(
        data,
        x_train=np.ascontiguousarray(data.x_train[train]),
        y_train=data.y_train[train],
        x_val=np.ascontiguousarray(data.x_train[val]),
        y_val=data.y_train[val],
    )


def series_table(*paths: Path) -> dict[str, Any]:
    """Series of one length in aeon's text form: after ``@data`` a line a sample, its channels and label after colons.

    Returns:
        ``x`` (samples, channels x length), float64, and ``y`` (samples,), labels as text.

    Raises:
        DataError: a series has another length than the first, or a value that is no number; the line is named.
    """
    rows: list[list[float]] = []
    labels: list[str] = []
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        begun = False
        for number, line in enumerate(lines, start=1):
            if not begun or not line.strip():
                begun |= line.strip().lower() == "@data"
                continue
            *channels, label = line.strip().split(":")
            try:
                row = [float(value) for channel in channels for value in channel.split(",")]
            except ValueError as error:
                raise DataError(f"{path.name}, line {number}: {error}") from None
            if rows and len(row) != len(rows[0]):
                raise DataError(f"{path.name}, line {number}: {len(row)} values, but {len(rows[0])} before")
            rows.append(row)
            labels.append(label)
    return {"x": np.array(rows), "y": np.array(labels)}


def _series(name: str) -> dict[str, Any]:
    """Both parts together: those of the archive are of a size that leaves nothing for validation."""
    parts = (package_file("aeon", "aeon", "datasets", "data", name, f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
    return series_table(*parts)


# What `source: benchmarks._manifold_sets:NAME` calls.
gunpoint = functools.partial(_series, "GunPoint")
arrowhead = functools.partial(_series, "ArrowHead")
italypower = functools.partial(_series, "ItalyPowerDemand")
basicmotions = functools.partial(_series, "BasicMotions")
