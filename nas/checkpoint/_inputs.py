"""Raw features as a network wants them: tables by the names of its training data's columns, arrays by place.

A record of `nas export` says which columns there were (``feature_names``, and ``columns`` with kinds, ranges, targets
and what was left out). Those of earlier versions have the names alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from nas.checkpoint._cells import cells_of, named_once
from nas.checkpoint._encoding import EncodedColumn, Encoding
from nas.checkpoint._tables import as_table
from nas.errors import CheckpointError, DataError

__all__ = ["Inputs", "UnlikeTrainingWarning"]

_Read = TypeVar("_Read")
_SHOWN: Final = 6
_FAR: Final = 10.0  # widths of the training data's range, beyond which most values of a column are in other units
_NEAR: Final = 0.002  # of that width, within which all values of a column are in other units (1 mm is 0.001 m)
_ENOUGH: Final = 20  # samples that may be judged by how near they are to each other


class UnlikeTrainingWarning(UserWarning):
    """Most values of a feature are far from what the network was trained on, or all vary far less: other units?"""


class Inputs:
    """The inputs of a network.

    Attributes:
        count: how many features; those of a table may be more or fewer than the inputs of the network.
        names: of each, in order; empty where not known.
        named: whether tables are matched by them.

    Args:
        record: of a checkpoint.
        count: inputs of its network.

    Raises:
        CheckpointError: the record's encoding is damaged, or gives another number of inputs.
    """

    def __init__(self, record: Mapping[str, Any], count: int) -> None:
        self._encoding = Encoding.from_json(record.get("encoding"))
        if self._encoding is not None:
            if len(self._encoding.inputs) != count:
                raise CheckpointError(
                    f"the record's encoding gives {len(self._encoding.inputs)} inputs, but the network has {count}"
                )
            count = len(self._encoding.columns)
            record = {**record, "feature_names": self._encoding.names}
        self.count = count
        self.names = tuple(str(name) for name in record.get("feature_names") or ())
        columns = _mapping(record.get("columns"))
        by_place = self.names == tuple(f"x{place}" for place in range(len(self.names)))
        self.named = len(self.names) == count and bool(columns.get("named", not by_place))
        kinds = columns.get("kinds") or ()
        self._kinds = tuple(str(kind) for kind in kinds) if len(kinds) == count else ("number",) * count
        self._range = self._numbers(columns)
        data = _mapping(record.get("data"))
        target = data.get("target")
        self._missing = tuple(str(text) for text in data.get("missing") or ())
        self._spare = {
            str(name)
            for names in (
                columns.get("targets") or (),
                columns.get("left_out") or (),
                data.get("drop") or (),
                [target] if isinstance(target, str) else target or (),
            )
            for name in names
        }

    def array(self, raw: Any) -> np.ndarray:
        """``raw`` as (samples, inputs) float64, finite: numbers, for categories, dates and missing values, too.

        Args:
            raw: an array, taken by place; or a table (pandas, or what has ``to_pandas``; an array with named fields),
                whose columns are found by name. It may have the target and the columns that training left out.

        Raises:
            DataError: columns are missing or unknown; the shape is another; something is no number.

        Warns:
            UnlikeTrainingWarning: a column as a whole is far from the range of the training data.
        """
        if hasattr(raw, "toarray"):  # sparse, of SciPy
            raw = raw.toarray()
        if np.ma.is_masked(raw):  # NumPy would give what is behind the mask
            raise DataError(f"{int(np.ma.getmaskarray(raw).sum())} features are masked; fill them, or give a table")
        if self._encoding is not None:
            return self._encoded(self._encoding, raw)
        x = self._ordered(raw)
        if x.ndim != 2 or x.shape[1] != self.count:
            raise DataError(f"features must have shape (samples, {self.count}), but have {x.shape}")
        if not np.isfinite(x).all():
            row, column = np.argwhere(~np.isfinite(x))[0]
            name = f" ({self.names[column]!r})" if self.named else ""
            raise DataError(f"features must be finite, but row {row} has {x[row, column]} in column {column}{name}")
        self._compare(x, range(self.count))
        return x

    def _encoded(self, encoding: Encoding, raw: Any) -> np.ndarray:
        """The inputs for rows of a raw table, or of an array with its columns in order."""
        import pandas as pd

        table = _table(raw)
        if table is None:
            rows = np.asarray(raw)
            if rows.ndim != 2 or rows.shape[1] != self.count:
                raise DataError(f"features must have shape (samples, {self.count}), but have {rows.shape}")
            table = pd.DataFrame(rows, columns=list(self.names))
        places = self._places([str(name) for name in table.columns])

        def encoded(place: int, column: EncodedColumn) -> tuple[np.ndarray, np.ndarray]:
            found = cells_of(table.iloc[:, place], column.kind, column.name, column.notation, self._missing)
            return found, column.apply(found)

        made = _each(encoded, zip(places, encoding.columns, strict=True))
        cells = [found for found, _ in made]
        numeric = [place for place, kind in enumerate(self._kinds) if kind not in ("category", "date")]
        for place in numeric:
            if np.isinf(cells[place]).any():
                raise DataError(f"features must be finite, but column {self.names[place]!r} holds an infinite number")
        for column, given in zip(encoding.columns, cells, strict=True):
            if column.kind == "category":
                self._compare_categories(column, given)
        x = np.concatenate([inputs for _, inputs in made], axis=1)
        if numeric and len(x):
            known = np.stack(
                [np.nan_to_num(cells[place], nan=encoding.columns[place].fill or 0.0) for place in numeric]
            )
            self._compare(known.T, numeric)
        return x

    def _ordered(self, raw: Any) -> np.ndarray:
        table = _table(raw)
        if table is None:
            return _plain(np.asarray(raw))
        names = [str(name) for name in table.columns]
        if not names:
            raise DataError(f"the table has no columns; the network's inputs are {_listed(self.names)}")
        if not self.named and {*names} != {*self.names}:
            if {*names} & {*self.names}:
                raise DataError(
                    f"the network was trained on columns without names, {_listed(self.names)}, and the table has some "
                    "of these, not all; give an array, or exactly these columns"
                )
            places = [*range(len(names))]
        else:
            places = self._places(names)
        return np.stack(_each(_column, ((table, place, names[place]) for place in places)), axis=1)

    def _places(self, names: list[str]) -> list[int]:
        """Where a table with such columns has each feature."""
        missing = [name for name in self.names if name not in {*names}]
        strange = [name for name in names if name not in {*self.names} and name not in self._spare]
        if missing or strange:
            parts = [f"lacks {_listed(missing)}"] if missing else []
            parts += [f"has {_listed(strange)}, which the network does not know"] if strange else []
            raise DataError(f"the table {' and '.join(parts)}; the network's inputs are {_listed(self.names)}")
        places = {name: place for place, name in enumerate(names)}
        return [places[name] for name in self.names]

    def _compare(self, x: np.ndarray, features: Sequence[int]) -> None:
        """Columns of ``x`` (rows, columns), which are these features, with what they were in training."""
        kinds = [self._kinds[feature] for feature in features]
        for place, kind in enumerate(kinds):
            if kind == "boolean" and not np.isin(x[:, place], (0.0, 1.0)).all():
                odd = x[~np.isin(x[:, place], (0.0, 1.0)), place][0]
                raise DataError(
                    f"feature {self._name(features[place])} was true or false in training, but has {odd:.6g}"
                )
        fractions = [place for place, kind in enumerate(kinds) if kind == "integer" and (x[:, place] % 1 != 0).any()]
        if fractions:
            odd = x[x[:, fractions[0]] % 1 != 0, fractions[0]][0]
            what = f"{odd:.6g} and the like; the network was trained on whole numbers"
            self._warn([features[place] for place in fractions], what)
        if self._range is None or not len(x):
            return
        low, high = (ends[list(features)] for ends in self._range)
        width = high - low
        # A constant has no width of its own; then its size is the measure.
        margin = _FAR * np.where(width > 0, width, np.maximum(np.abs(low), 1.0))
        far = np.median(np.maximum(low - x, x - high), axis=0) > margin
        if len(x) >= _ENOUGH:
            spread = x.max(axis=0) - x.min(axis=0)
            far |= (spread > 0) & (spread < _NEAR * width)
        if far.any():
            places = [int(place) for place in np.flatnonzero(far)]
            first = places[0]
            known = f"{low[first]:.6g} to {high[first]:.6g}"
            what = f"{x[0, first]:.6g} and the like; the network was trained on {known}"
            self._warn([features[place] for place in places], what)

    def _compare_categories(self, column: EncodedColumn, cells: np.ndarray) -> None:
        """Warns of categories that training never saw: of any where they have no input, else where they are most."""
        known = {*column.categories}
        strange = [cell for cell in column.spelt(cells) if cell not in known]
        if not strange or (column.other and 2 * len(strange) <= len(cells)):
            return
        counts = "rarely or never" if column.other else "never"
        warnings.warn(
            f"column {column.name!r} has {strange[0] or '(missing)'!r} and the like in {len(strange):,} of "
            f"{len(cells):,} rows, which training saw {counts}; it knows {_listed(column.categories)}",
            UnlikeTrainingWarning,
            stacklevel=6,
        )

    def _warn(self, places: list[int], what: str) -> None:
        more = f" (and {len(places) - 1} more like it)" if len(places) > 1 else ""
        text = f"feature {self._name(places[0])}{more} is {what}: is it in other units?"
        warnings.warn(text, UnlikeTrainingWarning, stacklevel=6)

    def _name(self, place: int) -> str:
        return repr(self.names[place]) if self.names else str(place)

    def _numbers(self, columns: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
        try:
            low, high = (np.asarray(columns.get(name) or (), dtype=np.float64) for name in ("low", "high"))
        except (TypeError, ValueError):
            return None
        return (low, high) if low.shape == high.shape == (self.count,) else None


def _each(read: Callable[..., _Read], columns: Iterable[tuple[Any, ...]]) -> list[_Read]:
    """What ``read`` makes of each column.

    Raises:
        DataError: what it refuses of all of them, a line each, so that nobody has to mend one at a time.
    """
    found, wrong = [], []
    for column in columns:
        try:
            found.append(read(*column))
        except DataError as error:
            wrong.append(str(error))
    if wrong:
        more = [f"… and {len(wrong) - _SHOWN} columns more"] if len(wrong) > _SHOWN else []
        raise DataError("\n".join([*wrong[:_SHOWN], *more]))
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _table(raw: Any) -> Any:
    """``raw`` as a pandas table; None where it is an array."""
    table = as_table(raw)
    if table is not None:
        return table.set_axis(named_once([str(name) for name in table.columns])[0], axis=1)
    if isinstance(raw, Mapping):
        raise DataError(
            "a mapping must have a column of values for each name, all of one length; of a single row give a list with "
            "it, or a table (pandas.DataFrame)"
        )
    return None


def _column(table: Any, place: int, name: str) -> np.ndarray:
    column = table.iloc[:, place]
    kind = getattr(column.dtype, "kind", "O")
    if kind not in "biuf" and not (kind == "O" and all(isinstance(each, int | float | np.number) for each in column)):
        row = next((row for row, each in enumerate(column) if not isinstance(each, int | float | np.number)), 0)
        raise DataError(
            f"column {name!r} must hold numbers, but is {column.dtype} ({str(column.iloc[row])[:40]!r} in row {row}); "
            "make numbers of them, as 1234.5"
            if len(column)
            else f"column {name!r} must hold numbers, but is {column.dtype}"
        )
    found: np.ndarray = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return found


def _plain(x: np.ndarray) -> np.ndarray:
    """An array of numbers as float64; text and dates are none, though NumPy would convert them."""
    numbers = x.dtype.kind in "biuf"
    if x.dtype.kind == "O":
        numbers = all(isinstance(each, int | float | np.number) for each in x.ravel().tolist())
    if not numbers:
        raise DataError(f"features must be numbers, but are of type {x.dtype}")
    return x.astype(np.float64)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown + (f", … ({len(names)} in all)" if len(names) > _SHOWN else "")
