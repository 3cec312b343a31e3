"""From a `DataConfig` to a `Dataset`: load, check, split, scale.

Every check names the culprit, because data is where most jobs go wrong. Statistics come from the training part
alone, so that nothing of the validation and test parts leaks into training; the split depends on the configuration
only, so that every trial, worker and resumed search sees the same parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from nas.errors import DataError
from nas.training._bundled import addsub, bundled, parity, recall
from nas.training._data_checks import check_dataset, checked, finite, numbers_of
from nas.training._data_config import DataConfig
from nas.training._idx import load_idx_folder, load_mnist
from nas.training._raw import RawData
from nas.training._tabular import call_function, load_file, load_openml
from nas.training._types import Dataset, Task

__all__ = ["Statistics", "load_data"]

_MAX_INTEGER_CLASSES: Final = 100
_TOYS: Final = {"addsub": addsub, "recall": recall, "parity": parity}
_TOY_SAMPLES: Final = 4000


@dataclass(frozen=True, slots=True)
class Statistics:
    """How a network's training data was scaled and labelled: what new data needs to be understood by it."""

    mean: tuple[float, ...] = ()  # (n_inputs,), empty: not scaled
    scale: tuple[float, ...] = ()  # (n_inputs,)
    target_mean: tuple[float, ...] = ()  # (n_outputs,), empty: not scaled
    target_scale: tuple[float, ...] = ()  # (n_outputs,)
    classes: tuple[str, ...] = ()  # empty: regression

    @classmethod
    def of(cls, dataset: Dataset) -> Statistics:
        """The statistics with which ``dataset`` was prepared."""
        arrays = (dataset.mean, dataset.scale, dataset.target_mean, dataset.target_scale)
        mean, scale, target_mean, target_scale = (
            () if values is None else tuple(float(value) for value in values) for values in arrays
        )
        return cls(mean, scale, target_mean, target_scale, dataset.classes)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    x: np.ndarray
    y: np.ndarray


def load_data(config: DataConfig, *, statistics: Statistics | None = None, features: Sequence[str] = ()) -> Dataset:
    """The training, validation and test parts of ``config``, checked and scaled.

    Args:
        config: which data, and how to prepare it.
        statistics: scale and label as this network's training data was, instead of by the data's own training part.
        features: names of this network's inputs; columns of these names are put into this order. Data that shares no
            name with them is taken as it is.

    Raises:
        DataError: the data is missing, not numeric, holds NaN, has the wrong width or columns, or labels that cannot
            be used.
    """
    raw = _load(config)
    if isinstance(raw, Dataset):
        check_dataset(raw, config.source)
        return raw
    raw = checked(_in_order(raw, features, config.source), config.source)
    if statistics is not None and statistics.mean and len(statistics.mean) != raw.x.shape[1]:
        trained_on = len(statistics.mean)
        raise DataError(f"{config.source}: {raw.x.shape[1]} features, but the network was trained on {trained_on}")
    task = _task(raw, config)
    parts, classes = _encoded(raw, task, config, statistics.classes if statistics else ())
    train, val, test = _split(parts, task, classes, config)
    mean, scale = _scaling(train.x, raw, config, statistics)
    target_mean, target_scale = _target_scaling(train.y, task, raw, config, statistics)
    x = {part.name: _scaled(part.x, mean, scale) for part in (train, val, test)}
    y = {part.name: part.y for part in (train, val, test)}
    if target_mean is not None and target_scale is not None:
        y = {name: ((values - target_mean) / target_scale).astype(np.float32) for name, values in y.items()}
    for name, values in x.items():
        if not np.isfinite(values).all():
            raise DataError(f"{config.source}: the {name} part overflows float32 after scaling; rescale the data")
    return Dataset(
        name=raw.name,
        task=task,
        x_train=x["train"],
        y_train=y["train"],
        x_val=x["validation"],
        y_val=y["validation"],
        x_test=x["test"],
        y_test=y["test"],
        classes=classes,
        feature_names=raw.feature_names,
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        target_mean=None if target_mean is None else target_mean.astype(np.float32),
        target_scale=None if target_scale is None else target_scale.astype(np.float32),
        period=config.period or raw.period,
    )


def _load(config: DataConfig) -> RawData | Dataset:
    source = config.source
    if source == "mnist":
        return load_mnist()
    if source in _TOYS:
        return _TOYS[source](config.samples or _TOY_SAMPLES, config.seed)
    if ":" not in source:
        path = Path(source)
        return load_file(path, config) if path.suffix else bundled(source)
    kind, _, rest = source.partition(":")
    if kind == "idx":
        return load_idx_folder(Path(rest), Path(rest).name)
    if kind == "openml":
        return load_openml(rest, config)
    return call_function(source)


def _in_order(raw: RawData, features: Sequence[str], where: str) -> RawData:
    """``raw`` with its columns in the order of ``features``: tables may hold theirs in any order."""
    if raw.feature_names == tuple(features) or not {*raw.feature_names} & {*features}:
        return raw
    for these, those, problem in (
        (features, raw.feature_names, "is missing"),
        (raw.feature_names, features, "is none of the network's inputs; remove it"),
    ):
        if strange := [name for name in these if name not in {*those}]:
            more = f" (and {len(strange) - 1} more like it)" if len(strange) > 1 else ""
            raise DataError(f"{where}: column {strange[0]!r}{more} {problem}")
    order = [raw.feature_names.index(name) for name in features]
    x_val, x_test = (None if values is None else values[:, order] for values in (raw.x_val, raw.x_test))
    return dataclasses.replace(raw, x=raw.x[:, order], x_val=x_val, x_test=x_test, feature_names=tuple(features))


# --- targets ----------------------------------------------------------------------------------------------------


def _task(raw: RawData, config: DataConfig) -> Task:
    if config.task != "auto":
        return config.task
    if raw.task != "auto":
        return raw.task
    if raw.y.ndim == 2:
        return "regression"
    if raw.y.dtype.kind in "iu":
        return "classification" if len(np.unique(raw.y)) <= _MAX_INTEGER_CLASSES else "regression"
    return "regression" if raw.y.dtype.kind == "f" else "classification"


def _encoded(
    raw: RawData, task: Task, config: DataConfig, known: tuple[str, ...]
) -> tuple[dict[str, _Part], tuple[str, ...]]:
    """The parts that the source has, targets as class numbers or as rows of float64."""
    where = config.source
    found = {"train": (raw.x, raw.y), "validation": (raw.x_val, raw.y_val), "test": (raw.x_test, raw.y_test)}
    present = {name: (x, y) for name, (x, y) in found.items() if x is not None and y is not None}
    if task == "regression":
        parts = {}
        for name, (x, y) in present.items():
            values = numbers_of(y.reshape(len(y), -1), where, f"{name} targets")
            finite(values, (), where, "target")
            parts[name] = _Part(name, x, values.astype(np.float32))
        return parts, ()
    if raw.y.ndim != 1:
        raise DataError(f"{where}: classification needs one label a sample, got targets of shape {raw.y.shape}")
    labels = {name: _labels(y, raw.class_names, where) for name, (_, y) in present.items()}
    classes = known or raw.class_names or tuple(_sorted_labels(labels["train"], raw.y))
    if len(classes) < 2:
        raise DataError(f"{where}: all labels are {classes[0]!r}; classification needs at least two classes")
    numbers = {label: number for number, label in enumerate(classes)}
    parts = {}
    for name, (x, _) in present.items():
        unknown = sorted(set(labels[name]) - numbers.keys())
        if unknown:
            allowed = ", ".join(classes[:20])
            raise DataError(f"{where}: label {unknown[0]!r} in the {name} part is unknown; the classes are {allowed}")
        parts[name] = _Part(name, x, np.array([numbers[label] for label in labels[name]], dtype=np.int64))
    return parts, classes


def _labels(y: np.ndarray, class_names: tuple[str, ...], where: str) -> list[str]:
    if y.dtype.kind == "f":
        finite(y[:, None], (), where, "label")
        if (y == np.round(y)).all():
            y = y.astype(np.int64)
    if not class_names:
        return [str(label) for label in y.tolist()]
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= len(class_names):
        raise DataError(f"{where}: labels must be class numbers from 0 to {len(class_names) - 1}")
    return [class_names[int(number)] for number in y]


def _sorted_labels(labels: list[str], y: np.ndarray) -> list[str]:
    """Numeric labels in numeric order, others in alphabetic order."""
    return sorted(set(labels), key=float) if y.dtype.kind in "iuf" else sorted(set(labels))


# --- split and scale --------------------------------------------------------------------------------------------


def _split(
    parts: dict[str, _Part], task: Task, classes: tuple[str, ...], config: DataConfig
) -> tuple[_Part, _Part, _Part]:
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
    part: _Part, name: str, count: int, task: Task, classes: tuple[str, ...], config: DataConfig
) -> tuple[_Part, _Part]:
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
    return _Part(part.name, part.x[kept], part.y[kept]), _Part(name, part.x[taken], part.y[taken])


def _scaling(
    x: np.ndarray, raw: RawData, config: DataConfig, statistics: Statistics | None
) -> tuple[np.ndarray, np.ndarray]:
    width = x.shape[1]
    if statistics is not None:
        mean, scale = np.array(statistics.mean), np.array(statistics.scale)
        if mean.size == 0:
            return np.zeros(width), np.ones(width)
        return mean, scale
    stated = config.standardise
    mode: Literal["feature", "global", "unit", "none"] = raw.scaling if stated == "auto" else stated
    if mode == "none":
        return np.zeros(width), np.ones(width)
    if mode == "unit":
        return np.zeros(width), np.full(width, _deviation(np.abs(x).max().astype(np.float64)))
    if mode == "global":
        mean, deviation = x.mean(dtype=np.float64), x.std(dtype=np.float64)
        return np.full(width, mean), np.full(width, _deviation(np.asarray(deviation)))
    return x.mean(axis=0, dtype=np.float64), _deviation(x.std(axis=0, dtype=np.float64))


def _scaled(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(x - mean) / scale as float32; in the precision that x has, because images in float64 fill the memory."""
    scaled = x - mean.astype(x.dtype)
    scaled /= scale.astype(x.dtype)
    with np.errstate(over="ignore"):  # reported by the caller, naming the part
        result: np.ndarray = scaled.astype(np.float32, copy=False)
        return result


def _target_scaling(
    y: np.ndarray, task: Task, raw: RawData, config: DataConfig, statistics: Statistics | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if task == "classification":
        return None, None
    if statistics is not None:
        if not statistics.target_mean:
            return None, None
        if len(statistics.target_mean) != y.shape[1]:
            raise DataError(
                f"{config.source}: {y.shape[1]} targets, but the network was trained on {len(statistics.target_mean)}"
            )
        return np.array(statistics.target_mean), np.array(statistics.target_scale)
    wanted = raw.scale_targets if config.standardise_targets is None else config.standardise_targets
    if not wanted:
        return None, None
    values = y.astype(np.float64)
    return values.mean(axis=0), _deviation(values.std(axis=0))


def _deviation(deviation: np.ndarray) -> np.ndarray:
    """Standard deviations with 1 for what does not vary, so that constant features become 0 and not NaN."""
    return np.where(deviation > 1e-12, deviation, 1.0)
