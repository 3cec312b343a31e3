"""From a `DataConfig` to a `Dataset`: load, check, split, scale.

Every check names the culprit, because data is where most jobs go wrong. Statistics come from the training part
alone, so that nothing of the validation and test parts leaks into training; the split depends on the configuration
only, so that every trial, worker and resumed search sees the same parts. What is found out on the way is reported
(`read_data`), and what the data was is summed up, so that other data under the same name is noticed.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from nas.checkpoint import Encoding
from nas.errors import DataError
from nas.training.data._bundled import addsub, bundled, parity, recall
from nas.training.data._codes import as_categories, targets_of, told_apart
from nas.training.data._encode import cells, fit_encoding
from nas.training.data._idle import idle_settings
from nas.training.data._labels import infer_task, label_texts, label_type, order_classes, same_label
from nas.training.data._raw import RawData
from nas.training.data._split import Part, split
from nas.training.data._weights import weighted_rows
from nas.training.data.checks import check_dataset, checked, finite, numbers_of
from nas.training.data.config import DataConfig
from nas.training.data.fingerprint import Fingerprint, row_codes
from nas.training.data.idx import load_idx_folder, load_mnist
from nas.training.data.images import load_image_folder
from nas.training.data.own import call_function, load_npz
from nas.training.data.report import Finding, describe, describe_own
from nas.training.data.tabular import load_openml, load_table
from nas.training.types import Dataset, Task

__all__ = ["LoadedData", "Statistics", "load_data", "read_data"]

_TOYS: Final = {"addsub": addsub, "recall": recall, "parity": parity}
_TOY_SAMPLES: Final = 4000
_EXAMPLES: Final = 5
_NOISE: Final = 1e-12  # of the largest value: a deviation below it is rounding, and the feature is constant


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
class LoadedData:
    """A data set with what was found out about it.

    Attributes:
        dataset: the parts, ready for training.
        findings: what was inferred, for people, with the keys that override.
        fingerprint: of the data as it was read.
        columns: JSON of what is needed to find the features again in other tables: whether they have names, what kind
            of numbers they are, their range in the training part, names of targets and of columns left out, and of
            which type labels are.
        features: names of the columns that are features, as the source has them.
        encoding: what becomes of them; None: they are the inputs of a network as they are.
        examples: a few rows of the test part as the source has them, by column; empty where columns have no names.
        idle: fields of the data section that change nothing here, and why.
    """

    dataset: Dataset
    findings: tuple[Finding, ...]
    fingerprint: Fingerprint
    columns: dict[str, object]
    features: tuple[str, ...] = ()
    encoding: Encoding | None = None
    examples: Mapping[str, list[Any]] = field(default_factory=dict)
    idle: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Prepared:
    raw: RawData
    dataset: Dataset
    labels: np.ndarray  # of all rows: label texts, or float64 (rows, targets)
    parts: tuple[Part, Part, Part]  # as the source has them
    reason: str  # for the task
    encoding: Encoding | None


def load_data(
    config: DataConfig,
    *,
    statistics: Statistics | None = None,
    features: Sequence[str] = (),
    spare: Collection[str] = (),
    encoding: Encoding | None = None,
) -> Dataset:
    """The training, validation and test parts of ``config``, checked and scaled.

    Args:
        config: which data, and how to prepare it.
        statistics: scale and label as this network's training data was, instead of by the data's own training part.
        features: names of this network's inputs, by which a table's columns are found. Arrays, and tables for a
            network that was trained on arrays, are taken by place.
        spare: columns that a table may have and that are left out.
        encoding: of this network; None: it has none, or is to be fitted.

    Raises:
        DataError: the data is missing, not numeric, holds NaN, has the wrong width or columns, or labels that cannot
            be used.
    """
    found = _prepared(config, statistics, features, spare, encoding)
    return found if isinstance(found, Dataset) else found.dataset


def read_data(
    config: DataConfig,
    *,
    statistics: Statistics | None = None,
    features: Sequence[str] = (),
    spare: Collection[str] = (),
    encoding: Encoding | None = None,
    knots: Mapping[str, tuple[float, ...]] | None = None,
    twice: bool = False,
) -> LoadedData:
    """`load_data` with a report and a fingerprint, which takes longer.

    Args:
        config, statistics, features, spare, encoding: see `load_data`.
        knots: ends of the ramps of columns, by name, as they were when the same data was read before; None: to be found
            out as ``config`` says.
        twice: call a function of the user's own a second time, and refuse data that is random.

    Raises:
        DataError: see `load_data`.
    """
    found = _prepared(config, statistics, features, spare, encoding, knots)
    if isinstance(found, Dataset):
        loaded = LoadedData(
            found,
            describe_own(found, config),
            Fingerprint.of_dataset(found),
            {"named": False},
            found.feature_names,
            idle=idle_settings(config, None, found),
        )
    else:
        x = _spelled(_inputs(found.raw), found.raw)
        codes = row_codes(x)
        rows = np.concatenate([np.append(part.rows, -1) for part in found.parts])
        loaded = LoadedData(
            found.dataset,
            describe(config, found.raw, found.dataset, found.parts, codes, found.reason, found.encoding),
            Fingerprint.of(x, found.labels, codes, rows, found.dataset, found.raw.feature_names),
            _columns(found),
            found.raw.feature_names,
            found.encoding,
            _examples(found),
            idle_settings(config, found.raw, found.dataset),
        )
    if twice and config.is_code:
        again = read_data(config, statistics=statistics, features=features, spare=spare, encoding=encoding).fingerprint
        if (difference := loaded.fingerprint.difference(again)) is not None:
            raise DataError(
                f"{config.source}: called a second time, the function returns other data ({difference}); a search "
                "needs the same data each time: make random numbers in it with a generator of its own and a fixed "
                "seed, np.random.default_rng(0)"
            )
    return loaded


def _prepared(
    config: DataConfig,
    statistics: Statistics | None,
    features: Sequence[str],
    spare: Collection[str],
    encoding: Encoding | None,
    knots: Mapping[str, tuple[float, ...]] | None = None,
) -> _Prepared | Dataset:
    raw = _load(_of_kinds(config, features, encoding), features, spare)
    if isinstance(raw, Dataset):
        _only_for_tables(config, "a Dataset")
        check_dataset(raw, config.source)
        return raw
    raw = checked(_without_dropped(_in_order(raw, features, config.source), config), config.source)
    width = raw.x.shape[1] if encoding is None else len(encoding.inputs)
    if statistics is not None and statistics.mean and len(statistics.mean) != width:
        trained_on = len(statistics.mean)
        raise DataError(f"{config.source}: {raw.x.shape[1]} features, but the network was trained on {trained_on}")
    task, reason = _task(raw, config)
    encoded, labels, classes = _encoded(raw, task, config, statistics.classes if statistics else ())
    found = split(encoded, task, classes, config, groups=raw.groups, order=raw.order)
    if statistics is None:
        encoding = None
        if raw.kinds:
            rows, targets = targets_of(found[0].y, len(classes))
            if codes := told_apart(raw, found[0].x, rows, targets, config.kinds):
                raw = as_categories(raw, codes)
                inputs = _inputs(raw)
                train, val, test = (dataclasses.replace(part, x=inputs[part.rows]) for part in found)
                found = train, val, test
            pixels = config.period or raw.period  # or time steps: all numbers of one kind
            ramps = False if pixels else config.ramps if knots is None else knots
            encoding = fit_encoding(raw, found[0].x, rows, targets, ramps=ramps)
    train, *_ = parts = tuple(_applied(encoding, part, raw) for part in found)
    if task == "regression" and statistics is None:
        _refuse_constant(train.y, raw, config.source)
    mean, scale = _scaling(train.x, raw, config, statistics)
    target_mean, target_scale = _target_scaling(train.y, task, raw, config, statistics)
    x = {part.name: _scaled(part.x, mean, scale) for part in parts}
    y = {part.name: part.y for part in parts}
    if task == "regression":
        for name, values in y.items():
            scaled = values if target_mean is None or target_scale is None else (values - target_mean) / target_scale
            y[name] = scaled.astype(np.float32)
    for name, values in x.items():
        if not np.isfinite(values).all():
            raise DataError(f"{config.source}: the {name} part overflows float32 after scaling; rescale the data")
    if config.class_weight is not None and statistics is None:
        rows = weighted_rows(y["train"], classes, config.class_weight, config.source, config.seed)
        x["train"], y["train"] = x["train"][rows], y["train"][rows]
    dataset = Dataset(
        name=raw.name,
        task=task,
        x_train=x["train"],
        y_train=y["train"],
        x_val=x["validation"],
        y_val=y["validation"],
        x_test=x["test"],
        y_test=y["test"],
        classes=classes,
        feature_names=raw.feature_names if encoding is None else encoding.inputs,
        # In the precision that the data was scaled with: a feature may be far from 0 and vary little, as times do.
        mean=mean.astype(np.float64),
        scale=scale.astype(np.float64),
        target_mean=target_mean,
        target_scale=target_scale,
        period=config.period or raw.period,
        channels=_channels(config, raw, len(mean)),
    )
    return _Prepared(raw, dataset, labels, found, reason, encoding)


def _channels(config: DataConfig, raw: RawData, width: int) -> int | None:
    """Numbers a pixel where samples are images; None where they are not, or nobody says so.

    Raises:
        DataError: the job says what does not fit.
    """
    period = config.period or raw.period
    if config.channels is None:  # another period than the source's own is not of its images
        return raw.channels if period == raw.period else None
    if period is None or width % period or period % config.channels:
        raise DataError(
            f"{config.source}: data.channels {config.channels} needs rows of whole pixels, but data.period is {period} "
            f"and a sample has {width:,} numbers; the period is the width of an image times its channels"
        )
    return config.channels


def _applied(encoding: Encoding | None, part: Part, raw: RawData) -> Part:
    """A part with the inputs of a network in place of the columns of the source.

    Raises:
        DataError: a number is missing where the encoding allows for none.
    """
    if encoding is None:
        finite(part.x, raw.feature_names, raw.name, "feature")
        return part
    return dataclasses.replace(part, x=encoding.apply(cells(part.x, raw.levels)))


def _refuse_constant(y: np.ndarray, raw: RawData, source: str) -> None:
    """DataError where a target (rows, targets) of the training part has one value."""
    constant = np.flatnonzero((y == y[0]).all(axis=0))
    if len(constant):
        first = int(constant[0])
        which = f" {raw.target_names[first]!r}" if len(raw.target_names) == y.shape[1] > 1 else ""
        which = which or (f" {first}" if y.shape[1] > 1 else "")
        hint = "there is nothing to learn" + ("; leave it out" if y.shape[1] > 1 else "")
        raise DataError(f"{source}: the target{which} is {y[0, first]:g} in every row of the training part; {hint}")


def _of_kinds(config: DataConfig, features: Sequence[str], encoding: Encoding | None) -> DataConfig:
    """How to read a table for a network: its columns are of the kinds that they were in training."""
    if encoding is not None:
        kinds = {column.name: column.stated for column in encoding.columns}
    else:
        kinds = dict.fromkeys(features, "number")
    return config.model_copy(update={"kinds": {**config.kinds, **kinds}})


def _spelled(x: np.ndarray, raw: RawData) -> np.ndarray:
    """All rows with a number for each category that goes by its text alone, whatever others there are."""
    if not any(raw.levels):
        return x
    x = x.copy()
    for place, levels in enumerate(raw.levels):
        if levels:
            sums = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "little") for text in levels]
            lookup = np.array([*sums, np.nan])
            codes = x[:, place]
            x[:, place] = lookup[np.where(np.isnan(codes), len(levels), codes).astype(np.int64)]
    return x


def _examples(found: _Prepared) -> dict[str, list[Any]]:
    """A few rows of the test part, as JSON has them."""
    raw, test = found.raw, found.parts[2]
    if not raw.kinds:
        return {}
    examples: dict[str, list[Any]] = {}
    for name, kind, values in zip(raw.feature_names, raw.kinds, cells(test.x[:_EXAMPLES], raw.levels), strict=True):
        if kind == "category":
            examples[name] = list(values)
        elif kind == "date":
            moments = [None if np.isnan(value) else np.datetime64(round(value * 1e6), "us") for value in values]
            examples[name] = [None if moment is None else str(moment.astype("datetime64[s]")) for moment in moments]
        else:
            whole = {"boolean": bool, "integer": int}.get(kind, float)
            examples[name] = [None if np.isnan(value) else whole(value) for value in values]
    return examples


def _load(config: DataConfig, features: Sequence[str], spare: Collection[str]) -> RawData | Dataset:
    source = config.source
    if source == "mnist":
        return load_mnist()
    if source in _TOYS:
        return _TOYS[source](config.samples or _TOY_SAMPLES, config.seed)
    if ":" not in source:
        path = Path(source)
        if not path.suffix:
            return bundled(source)
        if not path.is_file():
            raise DataError(f"{path}: no such file (looked in {path.absolute().parent})")
        return load_npz(path) if path.suffix.lower() == ".npz" else load_table(path, config, features, spare)
    kind, _, rest = source.partition(":")
    if kind == "idx":
        return load_idx_folder(Path(rest), Path(rest).name)
    if kind == "images":
        return load_image_folder(Path(rest), config.pixels)
    if kind == "openml":
        return load_openml(rest, config, features, spare)
    return call_function(source, config, features, spare)


def _inputs(raw: RawData) -> np.ndarray:
    """All rows of the source: the training part (or all that it has), then validation and test parts of its own."""
    own = [x for x in (raw.x_val, raw.x_test) if x is not None]
    return np.concatenate([raw.x, *own]) if own else raw.x


def _columns(found: _Prepared) -> dict[str, object]:
    raw, train = found.raw, found.parts[0]
    named = raw.named and not _by_place(raw.feature_names)
    return {
        "named": named,
        "kinds": list(raw.kinds),
        "low": [float(value) for value in _ends(np.fmin, train.x)],
        "high": [float(value) for value in _ends(np.fmax, train.x)],
        "targets": list(raw.target_names),
        "left_out": [name for name, _ in raw.left_out],
        "labels": label_type(raw.y, found.dataset.classes),
    }


def _ends(least: np.ufunc, x: np.ndarray) -> np.ndarray:
    """The least or largest value of each column that is not missing; 0 where all are."""
    found: np.ndarray = np.nan_to_num(least.reduce(x, axis=0))
    return found


# --- columns ----------------------------------------------------------------------------------------------------


def _by_place(names: Sequence[str]) -> bool:
    """Whether names are those of columns that have none."""
    return tuple(names) == tuple(f"x{place}" for place in range(len(names)))


def _in_order(raw: RawData, features: Sequence[str], where: str) -> RawData:
    """``raw`` with its columns in the order of ``features``: tables may hold theirs in any order."""
    names = raw.feature_names
    if not features or not names or names == tuple(features):
        return raw
    if (_by_place(features) or _by_place(names)) and {*names} != {*features}:
        return raw  # one of them has no names
    if len(names) != len(features) and not {*names} & {*features}:
        return raw  # refused for its width
    for these, those, problem in (
        (features, names, "is missing"),
        (names, features, "is none of the network's inputs; remove it"),
    ):
        if strange := [name for name in these if name not in {*those}]:
            more = f" (and {len(strange) - 1} more like it)" if len(strange) > 1 else ""
            raise DataError(f"{where}: column {strange[0]!r}{more} {problem}")
    places = {name: place for place, name in enumerate(names)}
    return _chosen(raw, [places[name] for name in features])


def _without_dropped(raw: RawData, config: DataConfig) -> RawData:
    """Arrays without the features named in ``data.drop``; tables are without them already."""
    if raw.named and raw.target_names:
        return raw
    _only_for_tables(config, "arrays")
    if not config.drop:
        return raw
    width = int(np.prod(raw.x.shape[1:]))
    names = raw.feature_names or tuple(f"x{place}" for place in range(width))
    if raw.period is not None or raw.x.ndim > 2:
        raise DataError(f"{config.source}: data.drop is for tables, but these are images or sequences")
    for name in config.drop:
        if name not in names:
            raise DataError(f"{config.source}: no feature {name!r} to drop; they are {', '.join(names[:12])}")
    kept = [place for place, name in enumerate(names) if name not in config.drop]
    if not kept:
        raise DataError(f"{config.source}: data.drop leaves no feature")
    left_out = tuple((name, "data.drop") for name in config.drop)
    return dataclasses.replace(_chosen(raw, kept, names), left_out=left_out)


def _only_for_tables(config: DataConfig, what: str) -> None:
    said = [key for key in ("target", "keep", "group", "time") if getattr(config, key)]
    said += ["drop"] if config.drop and what != "arrays" else []
    if said:
        raise DataError(
            f"{config.source}: data.{said[0]} names columns of a table, but this is {what}; take data.{said[0]} out of "
            "the job"
        )


def _chosen(raw: RawData, places: list[int], names: Sequence[str] = ()) -> RawData:
    given = names or raw.feature_names
    x_val, x_test = (None if values is None else values[:, places] for values in (raw.x_val, raw.x_test))
    kinds = tuple(raw.kinds[place] for place in places) if raw.kinds else ()
    levels = tuple(raw.levels[place] for place in places) if raw.levels else ()
    notations = tuple(raw.notations[place] for place in places) if raw.notations else ()
    return dataclasses.replace(
        raw,
        x=raw.x[:, places],
        x_val=x_val,
        x_test=x_test,
        feature_names=tuple(given[place] for place in places),
        kinds=kinds,
        levels=levels,
        notations=notations,
    )


# --- targets ----------------------------------------------------------------------------------------------------


def _task(raw: RawData, config: DataConfig) -> tuple[Task, str]:
    if config.task != "auto":
        return config.task, "as data.task says"
    if raw.task != "auto":
        return raw.task, "known of this source"
    return infer_task(raw.y, raw.code)


def _encoded(
    raw: RawData, task: Task, config: DataConfig, known: tuple[str, ...]
) -> tuple[dict[str, Part], np.ndarray, tuple[str, ...]]:
    """The parts that the source has, targets as class numbers or rows of float64; all labels or targets; classes."""
    where = config.source
    found = {"train": (raw.x, raw.y), "validation": (raw.x_val, raw.y_val), "test": (raw.x_test, raw.y_test)}
    present = {name: (x, y) for name, (x, y) in found.items() if x is not None and y is not None}
    first, rows = 0, {}
    for name, (x, _) in present.items():
        rows[name] = np.arange(first, first + len(x))
        first += len(x)
    if task == "regression":
        parts = {}
        for name, (x, y) in present.items():
            values = numbers_of(y.reshape(len(y), -1), where, f"{name} targets").astype(np.float64)
            finite(values, raw.target_names, where, "target")
            parts[name] = Part(name, x, values, rows[name])
        widths = {part.y.shape[1] for part in parts.values()}
        if len(widths) > 1:
            raise DataError(f"{where}: the parts have {' and '.join(map(str, sorted(widths)))} targets; expected equal")
        return parts, np.concatenate([part.y for part in parts.values()]), ()
    if raw.y.ndim != 1:
        raise DataError(f"{where}: classification needs one label a sample, got targets of shape {raw.y.shape}")
    labels = {name: label_texts(y, raw.class_names, where) for name, (_, y) in present.items()}
    if raw.texts is not None:
        labels["train"] = [str(text) for text in raw.texts]
    classes = known or raw.class_names or order_classes(labels["train"], raw.y)
    if len(classes) < 2:
        raise DataError(f"{where}: all labels are {classes[0]!r}; classification needs at least two classes")
    numbers = {label: number for number, label in enumerate(classes)}
    if known:  # an array may have the number 1 where the network's training data had the text "1.0"
        numbers |= {
            label: place
            for part in labels.values()
            for label in {*part} - numbers.keys()
            if (place := same_label(label, numbers)) is not None
        }
    parts = {}
    for name, (x, _) in present.items():
        unknown = sorted(set(labels[name]) - numbers.keys())
        if unknown:
            allowed = ", ".join(classes[:20])
            raise DataError(f"{where}: label {unknown[0]!r} in the {name} part is unknown; the classes are {allowed}")
        places = np.array([numbers[label] for label in labels[name]], dtype=np.int64)
        parts[name] = Part(name, x, places, rows[name])
    return parts, np.array([label for part in labels.values() for label in part], dtype=str), classes


# --- scale ------------------------------------------------------------------------------------------------------


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
        return np.zeros(width), np.full(width, _deviation(np.abs(x).max().astype(np.float64), 0.0))
    if mode == "global":
        mean, deviation = x.mean(dtype=np.float64), x.std(dtype=np.float64)
        return np.full(width, mean), np.full(width, _deviation(np.asarray(deviation), np.abs(x).max()))
    return x.mean(axis=0, dtype=np.float64), _deviation(x.std(axis=0, dtype=np.float64), np.abs(x).max(axis=0))


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
    return y.mean(axis=0), _deviation(y.std(axis=0), np.abs(y).max(axis=0))


def _deviation(deviation: np.ndarray, largest: np.ndarray | float) -> np.ndarray:
    """Standard deviations with 1 for what does not vary, so that constant features become 0 and not NaN.

    Rounding makes 0.1 in every row vary by 1e-17; but a capacitance of 1e-12 farad may vary by 1e-13.
    """
    return np.where(deviation > _NOISE * largest, deviation, 1.0)
