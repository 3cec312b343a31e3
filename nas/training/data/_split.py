"""Training, validation and test parts: those that a source has, or drawn by the seed, by groups, or by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.errors import DataError
from nas.training.data.config import DataConfig
from nas.training.types import Task

__all__ = ["Part", "split"]

_DRAWS: Final = 20  # of groups, of which the best is taken


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


def split(
    parts: dict[str, Part],
    task: Task,
    classes: tuple[str, ...],
    config: DataConfig,
    *,
    groups: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> tuple[Part, Part, Part]:
    """Training, validation and test part.

    Args:
        parts: "train", from which those of "validation" and "test" that are missing are taken.
        groups, order: of the rows of "train", as `RawData` has them.

    Raises:
        DataError: a part would be empty, or lack a class.
    """
    draw = _Draw(task, classes, config, groups, order)
    train = parts["train"]
    wanted = config.samples
    if wanted is not None and wanted < len(train.x):
        train = draw.shuffled(train, "train", wanted)[1]
    if "test" in parts:
        test = parts["test"]
    else:
        train, test = draw.take(train, "test", max(1, round(config.test * len(train.x))))
    if "validation" in parts:
        val = parts["validation"]
    else:
        # The share counts of everything where the test part was cut out too, so that 0.15 means 15 % of the file.
        total = len(train.x) if "test" in parts else len(train.x) + len(test.x)
        train, val = draw.take(train, "validation", max(1, round(config.validation * total)))
    draw.check(train, val, test)
    return train, val, test


@dataclass(frozen=True, slots=True)
class _Draw:
    """How parts are taken from others."""

    task: Task
    classes: tuple[str, ...]
    config: DataConfig
    groups: np.ndarray | None
    order: np.ndarray | None

    def take(self, part: Part, name: str, count: int) -> tuple[Part, Part]:
        """``part`` without, and only, about ``count`` samples."""
        if count >= len(part.x):
            raise DataError(
                f"{self.config.source}: {len(part.x)} samples are too few to take {count} for the {name} part; give "
                "more data"
            )
        if self.config.way == "grouped":
            return self._by_groups(part, name, count)
        return (
            self._latest(part, name, count) if self.config.way == "chronological" else self.shuffled(part, name, count)
        )

    def shuffled(self, part: Part, name: str, count: int) -> tuple[Part, Part]:
        """At random; each class keeps its share of both, unless the job wants it otherwise."""
        from sklearn.model_selection import train_test_split

        stratify = None
        if self.task == "classification" and self.config.way in ("auto", "stratified"):
            counts = np.bincount(part.y, minlength=len(self.classes))
            rare = int(np.argmin(np.where(counts == 0, np.iinfo(np.int64).max, counts)))
            if counts[rare] < 2 or min(count, len(part.x) - count) < int((counts > 0).sum()):
                raise DataError(
                    f"{self.config.source}: class {self.classes[rare]!r} has {counts[rare]} sample(s) of {len(part.x)} "
                    f"when the {name} part of {count} is taken; every class needs some in every part: give more data "
                    "or merge some"
                )
            stratify = part.y
        seed = self.config.seed
        kept, taken = train_test_split(np.arange(len(part.x)), test_size=count, random_state=seed, stratify=stratify)
        return part.only(kept, part.name), part.only(taken, name)

    def _by_groups(self, part: Part, name: str, count: int) -> tuple[Part, Part]:
        """Whole groups; of some draws that whose size, and share of each class, is nearest to what was asked for."""
        from sklearn.model_selection import GroupShuffleSplit

        if self.groups is None:
            raise DataError(f"{self.config.source}: data.group needs a table")
        groups = self.groups[part.rows]
        if len(np.unique(groups)) < 2:
            raise DataError(
                f"{self.config.source}: no group is left for the {name} part: data.group: {self.config.group} has "
                f"{len(np.unique(self.groups))} values in all, and each part needs some of its own"
            )
        draws = GroupShuffleSplit(_DRAWS, test_size=count / len(part.x), random_state=self.config.seed)
        found = list(draws.split(part.x, groups=groups))
        kept, taken = min(found, key=lambda draw: (self._unlike(part, draw[1], count), draw[1].tolist()))
        return part.only(kept, part.name), part.only(taken, name)

    def _unlike(self, part: Part, taken: np.ndarray, count: int) -> float:
        """How far a draw is from ``count`` samples with the classes' shares."""
        if self.task != "classification":
            return abs(len(taken) - count) / count
        wanted = np.bincount(part.y, minlength=len(self.classes)) * count / len(part.x)
        got = np.bincount(part.y[taken], minlength=len(self.classes))
        return float((np.abs(got - wanted) / np.maximum(wanted, 1)).sum())

    def _latest(self, part: Part, name: str, count: int) -> tuple[Part, Part]:
        """The latest rows; rows of one time stay together, with the later part unless nothing would be left."""
        times = part.rows if self.order is None else self.order[part.rows]
        by_time = np.argsort(times, kind="stable")
        risen = times[by_time]
        border = len(by_time) - count
        first = int(np.searchsorted(risen, risen[border], side="left"))
        border = first if first > 0 else int(np.searchsorted(risen, risen[border], side="right"))
        if border >= len(by_time):
            raise DataError(
                f"{self.config.source}: data.time: {self.config.time} is the same in all rows left when the {name} "
                "part is taken"
            )
        return part.only(np.sort(by_time[:border]), part.name), part.only(np.sort(by_time[border:]), name)

    def check(self, train: Part, val: Part, test: Part) -> None:
        """DataError where a part has a class that training never sees, as parts that are not stratified may."""
        if self.task != "classification" or self.config.way in ("auto", "stratified"):
            return
        seen = np.bincount(train.y, minlength=len(self.classes)) > 0
        for part in (val, test):
            if strange := [self.classes[k] for k in np.unique(part.y) if not seen[k]]:
                raise DataError(
                    f"{self.config.source}: class {strange[0]!r} is in the {part.name} part but not in training, as "
                    f"data.split: {self.config.way} draws them; give more data, or another split"
                )
