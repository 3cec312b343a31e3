"""From targets as they were found to classes or numbers, and why.

A label keeps its spelling: "01" and "1" are two classes, "None" and "NA" are classes like any other, and predictions
give back what the file has, of its type. Only empty cells are missing.
"""

from __future__ import annotations

import collections
import decimal
import re
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from nas.errors import DataError
from nas.training.data.checks import finite
from nas.training.types import Task

__all__ = [
    "code_among",
    "infer_task",
    "label_texts",
    "label_type",
    "numbers_in",
    "order_classes",
    "same_label",
    "unlike_labels",
]

MOST_CODES: Final = 20  # different integers that are still taken for classes
FEWEST_EACH: Final = 5  # samples of each, on average
_PLAIN: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d+)?|-?\.\d+([eE][+-]?\d+)?")
_WHOLE: Final = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0*)?")


def numbers_in(texts: np.ndarray) -> np.ndarray | None:
    """Cells of a target column as float64, or int64 where all are whole and written so; None: some are no numbers.

    Args:
        texts: (samples,) of text, with a point as the decimal mark.
    """
    unique, places = np.unique(texts, return_inverse=True)
    stripped = [str(cell).strip() for cell in unique]
    if not all(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", cell) for cell in stripped):
        return None
    whole = all(re.fullmatch(r"[+-]?\d{1,18}", cell) for cell in stripped)
    values = np.array([int(cell) if whole else float(cell) for cell in stripped], dtype=np.int64 if whole else float)
    found: np.ndarray = values[places]
    return found


def code_among(texts: np.ndarray) -> str:
    """The first of some numbers that is written as no number is, with leading zeros or a plus; "" where there is none.

    Args:
        texts: (samples,) numbers as text, with a point as the decimal mark.
    """
    return next((str(cell) for cell in np.unique(texts) if not _PLAIN.fullmatch(str(cell).strip())), "")


def infer_task(y: np.ndarray, code: str) -> tuple[Task, str]:
    """What targets ask for, and the reason in words.

    Args:
        y: (samples,) of any type, or (samples, targets) numbers.
        code: see `code_among`.
    """
    if y.ndim == 2:
        return "regression", f"there are {y.shape[1]} targets"
    if y.dtype.kind == "b":
        return "classification", "targets are booleans"
    if y.dtype.kind not in "iuf":
        return "classification", "targets are text"
    if code:
        return "classification", f"targets such as {code!r} are codes: no number is written so"
    if y.dtype.kind == "f":
        whole = bool((y == np.round(y)).all())
        return "regression", "targets are decimal numbers" + (f", although whole ({y[0]})" if whole else "")
    distinct = len(np.unique(y))
    if distinct > MOST_CODES:
        return "regression", f"targets are {distinct} different integers; up to {MOST_CODES} would be classes"
    if len(y) < FEWEST_EACH * distinct:
        return "regression", f"{distinct} different integers in {len(y)} samples are too rare to be classes"
    return "classification", f"targets are {distinct} different integers"


def label_texts(y: np.ndarray, class_names: tuple[str, ...], where: str) -> list[str]:
    """The label of each sample as text.

    Args:
        y: (samples,) labels: text, bytes, booleans, integers, whole floats or Python values; numbers of classes where
            there are ``class_names``.

    Raises:
        DataError: a label is missing or no finite number, two different labels have the same text, or a number has no
            class.
    """
    if y.dtype.kind == "f":
        finite(y[:, None], (), where, "label")
        if (y == np.round(y)).all() and (not y.size or np.abs(y).max() < 2**63):
            y = y.astype(np.int64)
    if class_names:
        if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= len(class_names):
            raise DataError(f"{where}: labels must be class numbers from 0 to {len(class_names) - 1}")
        return [class_names[int(number)] for number in y]
    if y.dtype.kind == "O":
        return _texts_of_objects(y, where)
    if y.dtype.kind == "S":
        try:
            return [label.decode("utf-8") for label in y.tolist()]
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: labels are bytes that are no UTF-8 ({error}); give text") from None
    if y.dtype.kind not in "biufU":
        raise DataError(f"{where}: labels are of type {y.dtype}; expected text, integers or booleans")
    labels = [str(label) for label in y.tolist()]
    if "" in labels:
        raise DataError(f"{where}: the label in row {labels.index('')} (counted from 0) is empty; fill or remove it")
    return labels


def _texts_of_objects(y: np.ndarray, where: str) -> list[str]:
    texts: dict[tuple[type, object], str] = {}
    labels = []
    for row, label in enumerate(y.tolist()):
        # None, NaN, and what pandas has for missing values, none of which equals itself for certain
        if label is None or label == "" or type(label).__name__ in ("NAType", "NaTType") or label != label:
            raise DataError(f"{where}: the label in row {row} (counted from 0) is empty; fill or remove it")
        if isinstance(label, list | dict | tuple | set):
            raise DataError(f"{where}: the label in row {row} (counted from 0) is {label!r}; expected text or a number")
        text = label.decode("utf-8", errors="replace") if isinstance(label, bytes) else str(label)
        texts[(type(label), label)] = text
        labels.append(text)
    twice = [text for text, count in collections.Counter(texts.values()).items() if count > 1]
    if twice:
        kinds = " and ".join(sorted(repr(key[1]) for key, text in texts.items() if text == twice[0]))
        raise DataError(f"{where}: labels {kinds} are different values with the same text; write them alike")
    return labels


def label_type(y: np.ndarray, classes: Sequence[str]) -> Literal["integer", "boolean", "text"]:
    """What labels are when a prediction gives them back: whole numbers only where each is written as one is.

    Args:
        y: (samples,) as the source has them.
        classes: their texts.
    """
    if y.dtype.kind == "b":
        return "boolean"
    whole = y.dtype.kind in "iuf" and all(re.fullmatch(r"0|-?[1-9]\d{0,17}", label) for label in classes)
    return "integer" if whole else "text"


def order_classes(labels: Sequence[str], y: np.ndarray) -> tuple[str, ...]:
    """Classes in the order of their outputs: by number where targets ``y`` are numbers, else alphabetically."""
    if y.dtype.kind not in "iuf":
        return tuple(sorted({*labels}))
    return tuple(label for _, label in sorted({*zip(y.tolist(), labels, strict=True)}))


def same_label(label: str, classes: dict[str, int]) -> int | None:
    """The class that ``label`` names: by its text, or where that is another writing of the same whole number ("1.0"
    for "1", but never "01"); None: no class, or more than one."""
    if label in classes:
        return classes[label]
    number = _WHOLE.fullmatch(label)
    if number is None:
        return None
    found = [place for known, place in classes.items() if (m := _WHOLE.fullmatch(known)) and m[1] == number[1]]
    return found[0] if len(found) == 1 else None


def unlike_labels(classes: Sequence[str]) -> list[str]:
    """Notes on classes that differ in writing only: blanks, case, zeros."""
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for label in classes:
        text = label.strip().casefold()
        try:  # not as floats, of which large ones are equal that differ
            groups[str(decimal.Decimal(text).normalize())].append(label)
        except decimal.InvalidOperation:
            groups[text].append(label)
    return [
        f"classes {' and '.join(repr(label) for label in group)} differ in writing only"
        for group in groups.values()
        if len(group) > 1
    ]
