"""What data was, in a few hundred bytes: enough to see later that it is not the same, and what differs.

Taken of the values as they were read, not of the scaled ones, whose last bits depend on the order of a sum; so the same
file has the same fingerprint on any machine. Columns, targets and the split are summed up one by one, and the rows
also without their order.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from nas.training.types import Dataset, Task

__all__ = ["Fingerprint", "row_codes"]

VERSION: Final = 1
_MOST_COLUMNS: Final = 512  # with more of them, images mostly, the inputs are summed up as a whole
_MOST_NAMED: Final = 6  # in a sentence
_BLOCK: Final = 2**22  # values in one piece
_ROWS: Final = 512
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Sums of the parts of some data; equal where the data is.

    Attributes:
        rows: samples.
        names: of the features, in order.
        columns: sum of each feature, where there are at most 512.
        inputs, targets, split: sums of all inputs, of the targets or labels, and of which sample is in which part.
        bag: sum of the samples with their targets, whatever their order.
        task, classes: what the targets were taken for.
    """

    rows: int
    names: tuple[str, ...]
    columns: tuple[str, ...]
    inputs: str
    targets: str
    split: str
    bag: str
    task: Task
    classes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        x: np.ndarray,
        y: np.ndarray,
        codes: np.ndarray,
        split: np.ndarray,
        dataset: Dataset,
        names: tuple[str, ...] | None = None,
    ) -> Fingerprint:
        """The fingerprint of (rows, features) inputs with (rows, …) targets, numbers or text.

        Args:
            x, y: as they were read, in the order of the source.
            codes: `row_codes` of ``x``.
            split: numbers of the rows in the training, validation and test part, with -1 after each part.
            dataset: what became of them.
            names: of the features (default: those of the data set).
        """
        columns: tuple[str, ...] = ()
        if x.shape[1] <= _MOST_COLUMNS:
            columns = tuple(_sum(_numbers(x[:, column])) for column in range(x.shape[1]))
            inputs = _sum(*(column.encode() for column in columns))
        else:
            step = max(1, _BLOCK // x.shape[1])
            inputs = _sum(*(_numbers(x[start : start + step]) for start in range(0, len(x), step)))
        with_targets = _mixed(_codes_of(y), codes)
        return cls(
            rows=len(x),
            names=dataset.feature_names if names is None else names,
            columns=columns,
            inputs=inputs,
            targets=_sum(_bytes_of(y)),
            split=_sum(split.astype("<i8").tobytes()),
            bag=f"{int(with_targets.sum(dtype=np.uint64)):016x}",
            task=dataset.task,
            classes=dataset.classes,
        )

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Fingerprint:
        """The fingerprint of data that was handed over ready for training."""
        parts = ((dataset.x_train, dataset.y_train), (dataset.x_val, dataset.y_val), (dataset.x_test, dataset.y_test))
        sizes = [len(x) for x, _ in parts]
        split = np.concatenate([np.append(np.arange(size), -1) for size in sizes])
        x, y = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
        return cls.of(x, y, row_codes(x), split, dataset)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `from_json`."""
        return {"version": VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, values: object) -> Fingerprint | None:
        """The fingerprint in a record; None where there is none, or one of another version or damaged."""
        if not isinstance(values, Mapping) or values.get("version") != VERSION:
            return None
        try:
            found: dict[str, Any] = {field.name: values[field.name] for field in dataclasses.fields(cls)}
        except KeyError:
            return None
        plain: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in found.items()}
        return cls(**plain)

    def same_samples(self, other: Fingerprint) -> bool:
        """Whether both are sums of the same samples with the same targets, in whatever order and split."""
        return (self.rows, self.bag) == (other.rows, other.bag)

    def difference(self, now: Fingerprint) -> str | None:
        """What differs between this data and what it is ``now``, in a sentence's middle; None: nothing."""
        if self == now:
            return None
        found: list[str] = []
        if self.task != now.task:
            found.append(f"its targets were taken for {self.task}, now for {now.task}")
        if self.names != now.names:
            found.append(_names(self.names, now.names))
        if self.rows != now.rows:
            found.append(f"it had {self.rows:,} rows and has {now.rows:,}")
        elif self.names == now.names and self.bag == now.bag and self.inputs != now.inputs:
            found.append("its rows are in another order")
        else:
            found += self._values(now)
        if self.classes != now.classes and self.task == now.task:
            found.append(_classes(self.classes, now.classes))
        return "; ".join(found) or "its rows are split into other parts"

    def _values(self, now: Fingerprint) -> list[str]:
        found = []
        before = dict(zip(self.names, self.columns, strict=False))
        after = dict(zip(now.names, now.columns, strict=False))
        changed = [name for name in before if name in after and before[name] != after[name]]
        if changed:
            moved = sorted(before[name] for name in changed) == sorted(after[name] for name in changed)
            what = "have traded places" if moved else "has other values" if len(changed) == 1 else "have other values"
            found.append(f"column{'s' if len(changed) > 1 else ''} {_listed(changed)} {what}")
        elif not self.columns and self.inputs != now.inputs:
            found.append("its inputs have other values")
        if self.targets != now.targets:
            found.append("its targets have other values")
        return found


def row_codes(x: np.ndarray) -> np.ndarray:
    """(rows,) uint64 that are equal where rows of numbers (rows, columns) are, and differ otherwise but for chance."""
    codes = np.full(len(x), 0x51ED270B, np.uint64)
    for start in range(0, len(x), _ROWS):  # few rows at a time, so that walking their columns stays in the cache
        block = np.ascontiguousarray((x[start : start + _ROWS].astype(np.float64) + 0.0).T).view(np.uint64)
        for column in block:
            codes[start : start + _ROWS] = _mixed(column, codes[start : start + _ROWS])
    return codes


def _mixed(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Codes of rows with one value more each."""
    mixed: np.ndarray = (codes ^ values) * _ODD
    mixed ^= mixed >> np.uint64(29)
    mixed = (mixed + np.uint64(1)) * _ODD
    return mixed ^ (mixed >> np.uint64(32))


def _codes_of(y: np.ndarray) -> np.ndarray:
    """(rows,) uint64 of targets."""
    if y.dtype.kind != "U":
        return row_codes(y.reshape(len(y), -1))
    unique, places = np.unique(y, return_inverse=True)
    sums = [int.from_bytes(hashlib.blake2b(str(each).encode(), digest_size=8).digest(), "little") for each in unique]
    found: np.ndarray = np.array(sums, np.uint64)[places]
    return found


def _bytes_of(y: np.ndarray) -> bytes:
    return "\0".join(y.tolist()).encode() if y.dtype.kind == "U" else _numbers(y)


def _numbers(values: np.ndarray) -> bytes:
    # + 0.0: minus zero is zero. Little-endian float64 on every machine, whatever type the source had.
    return np.ascontiguousarray(values.astype("<f8") + 0.0).tobytes()


def _sum(*parts: bytes) -> str:
    whole = hashlib.blake2b(digest_size=8)
    for part in parts:
        whole.update(part)
    return whole.hexdigest()


def _names(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    gone, new = ([name for name in one if name not in {*other}] for one, other in ((before, now), (now, before)))
    if not gone and not new:
        return f"its columns were in the order {_listed(before)}, and are in the order {_listed(now)}"
    parts = [f"{words} {_listed(each)}" for words, each in (("no longer has", gone), ("now has", new)) if each]
    return f"it {' and '.join(parts)} among its columns"


def _classes(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    return f"its classes were {_listed(before)}, and are {_listed(now)}"


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:_MOST_NAMED]]
    return ", ".join(shown) + (f", … ({len(names)} in all)" if len(names) > _MOST_NAMED else "")
