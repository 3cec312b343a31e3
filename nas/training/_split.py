"""Training, validation and test parts: those that a source has, or drawn by the seed, each class with its share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.errors import DataError
from nas.training._data_config import DataConfig
from nas.training._types import Task

__all__ = ["Part", "split"]


@dataclass(frozen=True, slots=True)
class Part:
    """Some samples: inputs, targets as class numbers or rows of float64, and their rows in the source."""

    name: str
    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray

    def only(self, chosen: np.ndarray, name: str) -> Part:
        """The samples at ``chosen`` as a part of this name."""
        return Part(name, self.x[chosen], self.y[chosen], self.rows[chosen])


def split(parts: dict[str, Part], task: Task, classes: tuple[str, ...], config: DataConfig) -> tuple[Part, Part, Part]:
    train = parts["train"]
    wanted = config.samples
    if wanted is not None and wanted < len(train.x):
        train = _take(train, "train", wanted, task, classes, config)[1]
    if "test" in parts:
        test = parts["test"]
    else:
        train, test = _take(train, "test", max(1, round(config.test * len(train.x))), task, classes, config)
    if "validation" in parts:
        val = parts["validation"]
    else:
        # The share counts of everything where the test part was cut out too, so that 0.15 means 15 % of the file.
        total = len(train.x) if "test" in parts else len(train.x) + len(test.x)
        train, val = _take(train, "validation", max(1, round(config.validation * total)), task, classes, config)
    return train, val, test


def _take(
    part: Part, name: str, count: int, task: Task, classes: tuple[str, ...], config: DataConfig
) -> tuple[Part, Part]:
    """``part`` without, and only, ``count`` samples; each class keeps its share of both."""
    from sklearn.model_selection import train_test_split

    if count >= len(part.x):
        raise DataError(
            f"{config.source}: {len(part.x)} samples are too few to take {count} for the {name} part; give more data"
        )
    stratify = None
    if task == "classification":
        counts = np.bincount(part.y, minlength=len(classes))
        rare = int(np.argmin(np.where(counts == 0, np.iinfo(np.int64).max, counts)))
        if counts[rare] < 2 or min(count, len(part.x) - count) < int((counts > 0).sum()):
            raise DataError(
                f"{config.source}: class {classes[rare]!r} has {counts[rare]} sample(s) of {len(part.x)} when the "
                f"{name} part of {count} is taken; every class needs some in every part: give more data or merge some"
            )
        stratify = part.y
    kept, taken = train_test_split(np.arange(len(part.x)), test_size=count, random_state=config.seed, stratify=stratify)
    return part.only(kept, part.name), part.only(taken, name)
