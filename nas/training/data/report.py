"""What was found out about data, in words, with the keys of the job that say otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.checkpoint import CLOCK, EncodedColumn, Encoding
from nas.training.data._columns import row_number
from nas.training.data._labels import unlike_labels
from nas.training.data._leaks import copies_of_target, like_ids, like_missing, rising_with_rows
from nas.training.data._raw import RawData
from nas.training.data._split import Part
from nas.training.data.config import DataConfig
from nas.training.types import Dataset

__all__ = ["Finding", "describe", "describe_own"]

_MOST: Final = 8  # names in one line
_FEW_GROUPS: Final = 10  # in a part, whose differences it cannot show
_MOST_FEATURES: Final = 512  # of arrays that are looked at one by one
_MOST_ENCODED: Final = 24  # columns with a line of their own
_MOST_LEVELS: Final = 4  # categories in such a line
_SCALING: Final = {
    "feature": "each feature to mean 0 and deviation 1, by the training part",
    "global": "all values together to mean 0 and deviation 1, by the training part",
    "unit": "all values divided by the largest magnitude in the training part",
    "none": "none",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found out: what about, in words, and which keys of the job override it ("": none)."""

    about: str
    words: str
    key: str = ""


def describe(
    config: DataConfig,
    raw: RawData,
    dataset: Dataset,
    parts: tuple[Part, Part, Part],
    codes: np.ndarray,
    reason: str,
    encoding: Encoding | None = None,
) -> tuple[Finding, ...]:
    """What was inferred of ``raw``, which became ``dataset``.

    Args:
        parts: training, validation and test part before scaling.
        codes: of all rows (see `nas.training.data.fingerprint.row_codes`).
        reason: why the task is what it is.
        encoding: what becomes of the columns of a table; None: they are the inputs as they are.
    """
    found = [Finding("data", f"{config.source}: {len(codes):,} samples", "data.source")]
    if "source" not in config.model_fields_set:
        found.append(Finding("note", f"the job names no data; {config.source} is an example", "data.source"))
    if raw.said:
        keys = ", ".join(key for _, key in raw.said if key)
        found.append(Finding("read as", ", ".join(words for words, _ in raw.said), keys))
    names = raw.feature_names or dataset.feature_names
    width = f"{len(names):,}" + (f" in rows of {dataset.period}" if dataset.period else "")
    width += "" if encoding is None else f" that become {dataset.n_inputs:,} inputs"
    found.append(Finding("features", f"{width}: {_some(names)}", "data.drop, data.keep" if raw.named else "data.drop"))
    if encoding is not None:
        said = [
            Finding("column", _becomes(column), "data.kinds, data.ramps" if column.knots else "data.kinds")
            for column in encoding.columns
            if not column.plain
        ]
        found += said[:_MOST_ENCODED]
        if len(said) > _MOST_ENCODED:
            found.append(Finding("column", f"… and {len(said) - _MOST_ENCODED:,} more like these"))
    out = [f"{name} ({why})" for name, why in raw.left_out]
    if out:
        found.append(Finding("left out", "; ".join(out[:_MOST]) + _more(len(out)), "data.keep"))
    if raw.target_names:
        found.append(Finding("target", ", ".join(raw.target_names), "data.target"))
    found.append(Finding("task", f"{dataset.task}: {reason}", "data.task"))
    if dataset.task == "classification":
        counts = np.bincount(np.concatenate([part.y for part in parts]), minlength=len(dataset.classes))
        each = [f"{name} ({count:,})" for name, count in zip(dataset.classes, counts, strict=True)]
        found.append(Finding("classes", f"{len(each)}: " + ", ".join(each[:_MOST]) + _more(len(each))))
    found.append(_parts(config, raw, parts))
    if config.class_weight is not None:
        how = "balanced" if config.class_weight == "balanced" else "as stated"
        words = f"{how}: by repeated rows the training part has {len(dataset.x_train):,}"
        found.append(Finding("class weights", words, "data.class_weight"))
    mode = raw.scaling if config.standardise == "auto" else config.standardise
    found.append(Finding("scaling", _SCALING[mode], "data.standardise"))
    if dataset.task == "regression":
        scaled = "none" if dataset.target_mean is None else "each to mean 0 and deviation 1, by the training part"
        found.append(Finding("scaling of targets", scaled, "data.standardise_targets"))
    notes = [*raw.notes, *unlike_labels(dataset.classes), *_doubtful(raw), *_overlaps(parts, codes)]
    notes += _varying_later(names, parts) + _absent(dataset, parts) + _few_groups(config, raw, parts[1])
    if raw.period is None:  # pixels and time steps are no columns of anybody's
        x, y = np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts])
        notes += copies_of_target(names, x, y)[:_MOST]
        dates = {name for name, kind in zip(raw.feature_names, raw.kinds, strict=False) if kind == "date"}
        notes += rising_with_rows(names, raw.x, dates)[:_MOST] if raw.named else []
        plain = [place for place, kind in enumerate(raw.kinds) if kind in ("number", "integer")]
        notes += like_missing([names[place] for place in plain], raw.x[:, plain])[:_MOST] if raw.named else []
        written = {name for name, notation in zip(raw.feature_names, raw.notations, strict=False) if notation}
        notes += like_ids(names, raw.x, dates | written)[:_MOST] if raw.named else []
    return (*found, *(Finding("note", note) for note in notes))


def describe_own(dataset: Dataset, config: DataConfig) -> tuple[Finding, ...]:
    """The same of a `Dataset` that a function of the user's own made: little is inferred."""
    sizes = f"{len(dataset.x_train):,} training, {len(dataset.x_val):,} validation, {len(dataset.x_test):,} test"
    return (
        Finding("data", f"{config.source}: a Dataset", "data.source"),
        Finding("features", f"{dataset.n_inputs:,}: {_some(dataset.feature_names)}".rstrip(": ")),
        Finding("task", f"{dataset.task}, {dataset.n_outputs} outputs"),
        Finding("parts", f"{sizes}, the function's own"),
    )


def _becomes(column: EncodedColumn) -> str:
    """What becomes of a column that is not taken as it is."""
    inputs = f"{len(column.inputs)} input{'s' if len(column.inputs) != 1 else ''}"
    match column.kind:
        case "category":
            levels = sorted(column.categories)
            shown = ", ".join(level or "(missing)" for level in levels[:_MOST_LEVELS])
            more = ", …" if len(levels) > _MOST_LEVELS else ""
            rare = " and others" if column.other else ""
            return f"{column.name}: {len(levels):,} categories ({shown}{more}){rare}, {inputs}"
        case "date":
            filled = "" if column.fill is None else "; missing ones become the median"
            return f"{column.name}: date{_written(column)}, as {', '.join(column.parts)}{filled}, {inputs}"
        case _:
            said = ", and an input says which" if column.flagged else ""
            filled = "" if column.fill is None else f", missing ones become the median {column.fill:.6g}{said}"
            ramps = f", {len(column.ramps)} ramps between its quantiles, {inputs}" if column.knots else ""
            return f"{column.name}: {column.kind}{_written(column)}{filled}{ramps}"


def _written(column: EncodedColumn) -> str:
    if column.notation == CLOCK:
        return " of seconds, written as h:m:s"
    return f" written as {column.notation}" if column.notation else ""


def _parts(config: DataConfig, raw: RawData, parts: tuple[Part, Part, Part]) -> Finding:
    words = ", ".join(
        f"{len(part.rows):,} {name}" for part, name in zip(parts, ("training", "validation", "test"), strict=True)
    )
    own = [name for name, x in (("validation", raw.x_val), ("test", raw.x_test)) if x is not None]
    keys = [key for key, name in (("data.validation", "validation"), ("data.test", "test")) if name not in own]
    words += f"; the {' and '.join(own)} part{'s are' if len(own) > 1 else ' is'} the source's own" if own else ""
    if not keys:
        return Finding("parts", words)
    how, more = f"drawn with seed {config.seed}", ["data.seed"]
    if config.way == "grouped":
        counts = [_groups_in(part, raw) for part in parts]
        each = f" ({counts[0]:,}, {counts[1]:,} and {counts[2]:,} of these)" if all(counts) else ""
        how, more = f"rows of one {config.group} together{each}, {how}", ["data.group", "data.seed"]
    elif config.way == "chronological":
        how = f"the latest rows by {config.time}" if config.time else "the latest rows (in the order of the source)"
        how, more = f"{how} are the test part, those before them the validation part", ["data.time"]
    elif config.way == "random":
        how = f"{how}, whatever their classes"
    return Finding("parts", f"{words}; {how}", ", ".join([*keys, *more]))


def _groups_in(part: Part, raw: RawData) -> int:
    """How many groups a part's rows are of; 0: it is not known, as of a part of the source's own."""
    groups = raw.groups
    return 0 if groups is None or (part.rows >= len(groups)).any() else len(np.unique(groups[part.rows]))


def _few_groups(config: DataConfig, raw: RawData, validation: Part) -> list[str]:
    """What estimates leave out: their intervals take samples for independent, and those of a group are alike."""
    count = _groups_in(validation, raw)
    if config.way != "grouped" or not 0 < count < _FEW_GROUPS:
        return []
    which = f"one {config.group} only" if count == 1 else f"{count} groups (by {config.group})"
    return [
        f"the validation part has rows of {which}: what is shown of networks is what to expect of the like of these, "
        "and its intervals know nothing of how others differ; the test part has others"
    ]


def _doubtful(raw: RawData) -> list[str]:
    """Of arrays nothing is left out, because their columns have places instead of names."""
    if (raw.named and raw.target_names) or raw.period is not None or raw.x.shape[1] > _MOST_FEATURES:
        return []
    found = []
    for name, values in zip(raw.feature_names, raw.x.T, strict=True):
        if (values == values[0]).all():
            found.append(f"feature {name} is {values[0]:g} in every row; data.drop: [{name}] leaves it out")
        elif (why := row_number(values.astype(np.float64))) is not None:
            found.append(f"feature {name} is {why}; if it is one, leave it out: data.drop: [{name}]")
    return found[:_MOST]


def _overlaps(parts: tuple[Part, Part, Part], codes: np.ndarray) -> list[str]:
    train = codes[parts[0].rows]
    found = []
    for part, name in ((parts[1], "validation"), (parts[2], "test")):
        again = int(np.isin(codes[part.rows], train).sum())
        if again:
            found.append(
                f"{again:,} of {len(part.rows):,} {name} samples have exactly the features of training samples: its "
                "score is no measure of new data for them"
            )
    return found


def _varying_later(names: tuple[str, ...], parts: tuple[Part, Part, Part]) -> list[str]:
    """Features that training sees with one value only, so that nothing is learnt of them."""
    if len(names) > _MOST_FEATURES:
        return []
    train, *others = (part.x for part in parts)
    constant = (train == train[0]).all(axis=0)
    found = [
        names[place]
        for place in np.flatnonzero(constant)
        if any((x[:, place] != train[0, place]).any() for x in others)
    ]
    return [f"constant in the training part, but not elsewhere: {_some(found)}"] if found else []


def _absent(dataset: Dataset, parts: tuple[Part, Part, Part]) -> list[str]:
    if dataset.task != "classification":
        return []
    found = []
    for part, name in zip(parts, ("training", "validation", "test"), strict=True):
        absent = [label for number, label in enumerate(dataset.classes) if number not in {*part.y.tolist()}]
        if absent:
            found.append(f"the {name} part has no sample of {_some(absent)}")
    return found


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:_MOST]) + _more(len(names))


def _more(count: int) -> str:
    return f", … ({count:,} in all)" if count > _MOST else ""
