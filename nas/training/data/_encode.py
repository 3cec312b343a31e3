"""Fits what becomes of a table's columns, on its training part, with scikit-learn's transformers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np

from nas.checkpoint import DATE_PARTS, EncodedColumn, Encoding
from nas.training.data._codes import levels_for
from nas.training.data._ramps import MOST_COLUMNS, MOST_INPUTS, RAMPS, bends, knots_of
from nas.training.data._raw import RawData

__all__ = ["Ramps", "cells", "fit_encoding"]

_LEAST_ROWS: Final = 5  # of a category in the training part, to have one
# Whether numbers become ramps, too; "auto": those that bend; a mapping: their ends by column, as they once were found.
Ramps = Literal["auto"] | bool | Mapping[str, tuple[float, ...]]


def fit_encoding(
    raw: RawData,
    train: np.ndarray,
    rows: np.ndarray,
    targets: np.ndarray,
    *,
    ramps: Ramps = "auto",
) -> Encoding | None:
    """The encoding of a table's columns; None: all are numbers that are taken as they are.

    Args:
        raw: a table, with kinds and levels of its columns.
        train: (rows, columns) the training part of ``raw.x``.
        rows, targets: some of these rows and their targets (see `nas.training.data._codes.targets_of`).
        ramps: see `Ramps`.
    """
    given = [x for x in (raw.x, raw.x_val, raw.x_test) if x is not None]
    gaps = np.any([np.isnan(x).any(axis=0) for x in given], axis=0)
    columns = []
    notations = raw.notations or ("",) * len(raw.kinds)
    for place, (name, kind, notation) in enumerate(zip(raw.feature_names, raw.kinds, notations, strict=True)):
        values = train[:, place]
        if kind == "category":
            known = len(raw.levels[place])  # a missing cell is a category, too
            codes = np.where(np.isnan(values), known, values).astype(np.int64)[rows]
            columns.append(_category(name, _texts(values, raw.levels[place]), levels_for(codes, targets)))
        elif kind == "date":
            columns.append(dataclasses.replace(_date(name, values, bool(gaps[place])), notation=notation))
        else:
            columns.append(dataclasses.replace(_number(name, kind, values, bool(gaps[place])), notation=notation))
    found = Encoding(tuple(columns))
    if isinstance(ramps, Mapping):
        found = Encoding(tuple(dataclasses.replace(each, knots=ramps.get(each.name, ())) for each in found.columns))
    elif ramps:
        found = _with_ramps(found, train, raw.levels, rows, targets, every=ramps is True)
    return None if found.plain else found


def _with_ramps(
    encoding: Encoding,
    train: np.ndarray,
    levels: Sequence[tuple[str, ...]],
    rows: np.ndarray,
    targets: np.ndarray,
    *,
    every: bool,
) -> Encoding:
    """The encoding with knots for the numbers that bend, or for every one that can have them."""
    numbers = [place for place, column in enumerate(encoding.columns) if column.kind in ("number", "integer")]
    if not every and (len(numbers) > MOST_COLUMNS or len(encoding.inputs) > MOST_INPUTS):
        return encoding
    bent = {}
    for place in numbers:
        values = train[:, place]
        known = values[~np.isnan(values)]
        each = [knots for ramps in RAMPS[: 1 if every else None] if (knots := knots_of(known, ramps))]
        # Of few different numbers, more quantiles are the same ones again.
        each = [knots for k, knots in enumerate(each) if not k or len(knots) > len(each[k - 1])]
        if each:
            bent[place] = [dataclasses.replace(encoding.columns[place], knots=knots) for knots in each]
    chosen = dict.fromkeys(bent, 1)
    if bent and not every:
        judged = cells(train[rows], levels)
        straight = [column.apply(values) for column, values in zip(encoding.columns, judged, strict=True)]
        columns = {
            place: [straight[place], *(column.apply(judged[place]) for column in ramped)]
            for place, ramped in bent.items()
        }
        chosen = bends(np.concatenate(straight, axis=1), columns, targets)
    return Encoding(
        tuple(
            bent[place][chosen[place] - 1] if place in chosen else column
            for place, column in enumerate(encoding.columns)
        )
    )


def cells(x: np.ndarray, levels: Sequence[tuple[str, ...]]) -> list[np.ndarray]:
    """The columns of ``x`` (rows, columns) as `Encoding.apply` wants them: categories, numbered in ``x``, as text."""
    return [_texts(values, known) if known else values for values, known in zip(x.T, levels, strict=True)]


def _texts(codes: np.ndarray, levels: tuple[str, ...]) -> np.ndarray:
    lookup = np.array([*levels, None], dtype=object)
    found: np.ndarray = lookup[np.where(np.isnan(codes), len(levels), codes).astype(np.int64)]
    return found


def _number(name: str, kind: str, values: np.ndarray, gaps: bool) -> EncodedColumn:
    if not gaps:
        return EncodedColumn(name, kind)
    fill, flagged = _filled(values)
    return EncodedColumn(name, kind, fill, flagged)


def _filled(values: np.ndarray) -> tuple[float, bool]:
    """What replaces missing values, and whether the training part has any."""
    from sklearn.impute import SimpleImputer

    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True).fit(values[:, None])
    return float(imputer.statistics_[0]), bool(len(imputer.indicator_.features_))


def _date(name: str, values: np.ndarray, gaps: bool) -> EncodedColumn:
    fill, flagged = _filled(values) if gaps else (None, False)
    present = values[~np.isnan(values)]
    whole = EncodedColumn(name, "date", parts=DATE_PARTS).apply(present)
    vary = np.ptp(whole, axis=0) > 0 if len(whole) else np.zeros(len(DATE_PARTS), dtype=bool)
    parts = tuple(part for part, each in zip(DATE_PARTS, vary, strict=True) if each or part == DATE_PARTS[0])
    return EncodedColumn(name, "date", fill, flagged, parts=parts)


def _category(name: str, texts: np.ndarray, most: int) -> EncodedColumn:
    from sklearn.preprocessing import OneHotEncoder

    column = np.array(["" if text is None else text for text in texts], dtype=object)[:, None]
    least = _LEAST_ROWS if len(column) >= 10 * _LEAST_ROWS else 1
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=most, min_frequency=least, drop="if_binary"
    ).fit(column)
    infrequent = encoder.infrequent_categories_[0]
    rare = set() if infrequent is None else {str(level) for level in infrequent}
    levels = [str(level) for level in encoder.categories_[0] if str(level) not in rare]
    if rare:
        if len(levels) == 1:  # two groups: the frequent one and the others, of which one input is enough
            return EncodedColumn(name, "category", levels=(), base=levels[0], other=True)
        return EncodedColumn(name, "category", levels=tuple(levels), other=True)
    if len(levels) == 2:
        return EncodedColumn(name, "category", levels=(levels[1],), base=levels[0])
    return EncodedColumn(name, "category", levels=tuple(levels))
