"""What somebody holds in memory, or a function of theirs returns: one table, or arrays by their names.

    table, or columns by name, or records           one table, targets among its columns
    (X, y), {"X": …, "y": …}, a Bunch of            X and y, a table or arrays
    scikit-learn's, a torch Dataset of pairs
    {"x_train": …, "y_train": …, "x_test": …, …}    the same by part
    {"train": …, "val": …, "test": …}               parts that are one of these; ((X, y), (X, y)), too

All rows of tables by part are read as one table, so that a column is the same in all of them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from nas.checkpoint import as_table, named_once
from nas.errors import DataError
from nas.training.data._raw import RawData
from nas.training.data.checks import unmasked

__all__ = ["HeldData", "by_part", "held_data", "parted", "parts_of", "rows_to_predict", "said_in_file", "say_in_file"]

_PARTS: Final = ("train", "val", "test")
_ALSO: Final = {"valid": "val", "validation": "val"}
_FORMS: Final = (
    'x and y, or x_train, y_train, x_test, y_test (x_val, y_val), or {"train": table, "test": table}, or columns of '
    "one length"
)
_IN_FILES: Final = "nas"  # what a table says of itself beside its columns, which Parquet files keep


@dataclass(frozen=True, slots=True)
class HeldData:
    """Data as it is held.

    Attributes:
        table: all rows with their targets, those of the parts one after the other; None: arrays.
        targets: columns of the table that were given beside the features.
        rows: how many of the table are of the training, validation and test part, None of one that is not there; empty:
            it has no parts.
        arrays: by name (x, y, or x_train, y_train, …), where there is no table.
        notes: what people should know.
    """

    table: Any = None
    targets: tuple[str, ...] = ()
    rows: tuple[int | None, ...] = ()
    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def parted(self, raw: RawData) -> RawData:
        """What was read of the table, by part."""
        return parted(raw, self.rows, self.notes)


def held_data(data: Any, y: Any = None, where: str = "") -> HeldData:
    """What ``data`` is.

    Args:
        data: in one of the forms above; features where there is ``y``.
        y: targets.
        where: what errors begin with.

    Raises:
        DataError: it is none of these; targets are missing, more or fewer than rows, or called as a feature is; parts
            have different columns.
    """
    before = f"{where}: " if where else ""
    if y is None:
        data = _named(data, before)
    elif isinstance(data, Mapping) and as_table(data) is None:
        raise DataError(f"{before}a mapping of arrays holds its targets itself, as y or y_train; leave y out")
    else:
        data = {"x": data, "y": y}
    if _is_table(data):
        return HeldData(_with_names(data))
    if not isinstance(data, Mapping):
        kind = type(data).__name__ + (f" of {len(data)}" if isinstance(data, tuple) else "")
        raise DataError(
            f"{before}got {kind}; expected a pair (X, y), a table with the targets among its columns, or a mapping "
            f"with {_FORMS}"
        )
    if "train" in data and {*data} <= {*_PARTS}:
        return _together({part: _with_names(table) for part, table in data.items()}, (), (), before)
    parts, notes = parts_of(data, where)
    if not any(as_table(part[0]) is not None for part in parts if part is not None):
        return HeldData(arrays={name: _array(values, name, before) for name, values in data.items()}, notes=notes)
    frames: dict[str, Any] = {}
    targets: tuple[str, ...] = ()
    for name, part in zip(_PARTS, parts, strict=True):
        if part is None:
            continue
        table = as_table(part[0])
        if table is None:
            raise DataError(f"{before}give the features of all parts as tables with names, or all as arrays")
        joined, found = _with_targets(_with_names(table), part[1], where)
        if len(found) == len(targets) and not {*found} & {*targets}:  # by place: arrays have no names
            joined = joined.set_axis([*joined.columns[: -len(found)], *targets], axis=1)
        frames[name] = joined
        targets = targets or found
    return _together(frames, targets, notes, before)


def rows_to_predict(data: Any, where: str = "") -> Any:
    """The features of ``data``, a table or an array: of parts those of the test part; what is neither as it is."""
    data = _named(data, f"{where}: " if where else "")
    if isinstance(data, Mapping):
        data = next((data[name] for name in ("x", "x_test", "test", "x_train", "train") if name in data), data)
    table = as_table(data)
    return data if table is None else table


def by_part(arrays: Mapping[Any, Any]) -> dict[str, Any]:
    """The values by the names that they are known by: x for X, x_val for X_valid; unless two would be called alike."""
    found = {}
    for name, values in arrays.items():
        before, line, part = str(name).lower().rpartition("_")
        found[f"{before}{line}{_ALSO.get(part, part)}"] = values
    return found if len(found) == len(arrays) else {str(name): values for name, values in arrays.items()}


def parts_of(arrays: Mapping[str, Any], where: str = "") -> tuple[list[tuple[Any, Any] | None], tuple[str, ...]]:
    """Inputs and targets of the training, validation and test part, None for a part that is not there; and notes.

    Raises:
        DataError: an array is missing, or there are two sets of them.
    """
    before = f"{where}: " if where else ""
    train = ("x", "y") if "x" in arrays else ("x_train", "y_train")
    for key in train:
        if key not in arrays:
            found = ", ".join(repr(each) for each in list(arrays)[:12]) or "none"
            raise DataError(f"{before}no array {key!r}, only {found}; expected {_FORMS}")
    for part in ("val", "test"):
        keys = (f"x_{part}", f"y_{part}")
        if (keys[0] in arrays) != (keys[1] in arrays):
            raise DataError(f"{before}{keys[0]} and {keys[1]} must be given together")
    if "x" in arrays and (twice := [key for key in ("x_train", "y_train") if key in arrays]):
        raise DataError(f"{before}both 'x' and {twice[0]!r} are given; leave one out")
    names = (train, ("x_val", "y_val"), ("x_test", "y_test"))
    unused = [key for key in arrays if key not in {each for part in names for each in part}]
    parts = [(arrays[x], arrays[y]) if x in arrays else None for x, y in names]
    return parts, tuple(f"array {key!r} is not used" for key in unused)


def _with_targets(table: Any, y: Any, where: str = "") -> tuple[Any, tuple[str, ...]]:
    """A pandas table with its targets as last columns, and what these are called.

    Args:
        y: one target a row, or several: a table, a series, an array, a list.
        where: what errors begin with.

    Raises:
        DataError: there are none, more or fewer than rows, their order is not plain, or a name is taken.
    """
    import pandas as pd

    before = f"{where}: " if where else ""
    index = getattr(y, "index", None)
    if (
        isinstance(index, pd.Index)
        and not index.equals(table.index)
        and index.sort_values().equals(table.index.sort_values())
    ):
        raise DataError(
            f"{before}X and y have rows of the same names in another order, so that it is not plain which belong "
            "together; give y.loc[X.index], or reset_index(drop=True) of both where they are in order"
        )
    targets = as_table(y)
    if targets is None:
        name = getattr(y, "name", None)
        unmasked(y, f"{before}y")
        try:
            values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
        except ValueError as error:  # rows of several lengths
            raise DataError(f"{before}y cannot be an array ({error})") from error
        if values.ndim == 0:
            raise DataError(f"{before}y is {type(y).__name__}; give a target for each row")
        if values.ndim > 1:
            values = values.reshape(len(values), math.prod(values.shape[1:]))
            targets = pd.DataFrame(values, columns=[f"target_{place}" for place in range(values.shape[1])])
        else:
            targets = pd.DataFrame({"target" if name is None else name: y})
    if len(targets) != len(table):
        raise DataError(f"{before}X has {len(table)} rows and y has {len(targets)}; give a target for each row")
    if not len(targets.columns):
        raise DataError(f"{before}y has no columns; give a target for each row")
    table, targets = table.reset_index(drop=True), targets.reset_index(drop=True)
    columns = tuple(_target_name(targets, place, table) for place in range(len(targets.columns)))
    taken = [name for name in columns if name in {*table.columns}]
    if taken:
        raise DataError(f"{before}the target {taken[0]!r} is a column of X, too; leave it out of X, or rename it")
    return pd.concat([table, targets.set_axis(list(columns), axis=1)], axis=1), columns


def _target_name(targets: Any, place: int, table: Any) -> str:
    """What a column of the targets is called.

    A number is a place, and where features have that, too, it is another's place in another table: unless both are the
    same column, which somebody forgot to leave out.
    """
    name = targets.columns[place]
    if not isinstance(name, int | np.integer) or str(name) not in {*table.columns}:
        return str(name)
    if np.array_equal(targets.iloc[:, place].to_numpy(), table[str(name)].to_numpy()):
        return str(name)
    return "target" if len(targets.columns) == 1 else f"target_{place}"


def _named(data: Any, before: str) -> Any:
    """``data`` as a table or a mapping of features, targets and parts by name; what is neither as it is."""
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and _is_torch_dataset(data):
        data = _stacked(data, before)
    if isinstance(data, tuple) and len(data) in (2, 3) and all(_is_pair(each) for each in data):
        data = dict(zip(("train", "test") if len(data) == 2 else _PARTS, data, strict=True))
    if isinstance(data, tuple) and len(data) == 2:
        return {"x": data[0], "y": data[1]}
    table = as_table(data)
    if table is not None:
        names = {str(name).lower(): name for name in table.columns}
        if isinstance(data, Mapping) and {*names} == {"x", "y"}:
            table = table[[names["x"], names["y"]]]  # the target of a table is its last column
        return table
    if not isinstance(data, Mapping):
        return data
    if "data" in data and "target" in data:  # a Bunch
        return {"x": _with_feature_names(data), "y": data["target"]}
    found = by_part(data)
    if "train" not in found:
        return found
    if strange := [name for name in found if name not in _PARTS]:
        raise DataError(f"{before}there is no part {strange[0]!r}; parts are train, val and test")
    inner = {part: _named(values, before) for part, values in found.items()}
    if all(map(_is_table, inner.values())):
        return inner
    named: dict[str, Any] = {}
    for part, pair in inner.items():
        if not isinstance(pair, Mapping) or {*pair} != {"x", "y"}:
            raise DataError(
                f"{before}the part {part!r} is {type(found[part]).__name__}; give a table for each part, with its "
                "targets, or a pair (X, y) for each"
            )
        named |= {f"{name}_{part}": values for name, values in pair.items()}
    return named


def _is_pair(value: Any) -> bool:
    """Whether it is X and y, and no two numbers or words."""

    def many(each: Any) -> bool:
        return isinstance(each, list | tuple | Mapping) or len(getattr(each, "shape", ())) > 0

    return isinstance(value, tuple) and len(value) == 2 and all(map(many, value))


def _is_table(data: Any) -> bool:
    return hasattr(data, "iloc")


def _with_names(table: Any) -> Any:
    """A table whose columns are called what people are told they are."""
    return table.set_axis(named_once([str(name) for name in table.columns])[0], axis=1)


def _with_feature_names(bunch: Mapping[str, Any]) -> Any:
    """The features of a Bunch: a table, where it says what they are called."""
    import pandas as pd

    data, names = bunch["data"], bunch.get("feature_names")
    plain = isinstance(data, np.ndarray) and data.ndim == 2
    if plain and isinstance(names, Sequence | np.ndarray) and len(names) == data.shape[1]:
        return pd.DataFrame(data, columns=[str(name) for name in names])
    return data


def _together(frames: Mapping[str, Any], targets: tuple[str, ...], notes: tuple[str, ...], before: str) -> HeldData:
    """Tables of the parts, targets among their columns, as one.

    Raises:
        DataError: they have different columns.
    """
    import pandas as pd

    first = frames["train"]
    for part, frame in frames.items():
        if odd := sorted({*first.columns} ^ {*frame.columns}):
            which = "train" if odd[0] in {*first.columns} else part
            raise DataError(
                f"{before}column {odd[0]!r} is in one part only, {which}; give all parts the same columns, targets "
                "included"
            )
    whole = pd.concat([frames[part] for part in _PARTS if part in frames], ignore_index=True)
    for name, kind in first.dtypes.items():  # which pandas makes text of where the parts have others
        if all(isinstance(frame[name].dtype, pd.CategoricalDtype) for frame in frames.values()):
            whole[name] = whole[name].astype(kind if whole[name].dtype == kind else "category")
    rows = tuple(len(frames[part]) if part in frames else None for part in _PARTS)
    return HeldData(whole, targets, rows if len(frames) > 1 else (), notes=notes)


def parted(raw: RawData, rows: Sequence[int | None], notes: Sequence[str] = ()) -> RawData:
    """``raw`` with its rows by part, as many as ``rows`` says of each (`HeldData.rows`), and notes."""
    if not rows:
        return dataclasses.replace(raw, notes=(*raw.notes, *notes))
    ends = np.cumsum([count for count in rows if count is not None])[:-1]
    each = iter(zip(np.split(raw.x, ends), np.split(raw.y, ends), strict=True))
    x, y = next(each)
    (x_val, y_val), (x_test, y_test) = ((None, None) if count is None else next(each) for count in rows[1:])
    return dataclasses.replace(
        raw, x=x, y=y, x_val=x_val, y_val=y_val, x_test=x_test, y_test=y_test, notes=(*raw.notes, *notes)
    )


def say_in_file(held: HeldData) -> dict[str, Any]:
    """What a table says beside its columns, where Parquet files keep it (``attrs``): its parts, and notes."""
    return {_IN_FILES: {"rows": [*held.rows], "notes": [*held.notes]}} if held.rows or held.notes else {}


def said_in_file(table: Any, where: str) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    """Rows of the parts, and notes, as `say_in_file` had them; those of a stranger's table are none.

    Raises:
        DataError: the rows are others by now.
    """
    said = table.attrs.get(_IN_FILES)
    if not isinstance(said, Mapping):
        return (), ()
    rows = tuple(count if isinstance(count, int) else None for count in said.get("rows") or ())
    if rows and (len(rows) != len(_PARTS) or rows[0] is None or sum(count or 0 for count in rows) != len(table)):
        raise DataError(f"{where}: says that it has parts of {list(rows)} rows, but has {len(table)} rows")
    return rows, tuple(str(note) for note in said.get("notes") or ())


def _array(value: Any, name: str, before: str = "") -> np.ndarray:
    """Values as an array of numbers or of text."""
    where = f"{before}{'X' if name == 'x' else name}"
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "toarray"):  # sparse, of SciPy: networks read every feature
        value = value.toarray()
    if not hasattr(value, "to_numpy"):
        value = unmasked(value, where)
    try:
        array = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)
    except ValueError as error:  # rows of several lengths
        raise DataError(f"{where} cannot be an array ({error})") from error
    if array.dtype.kind != "O":
        return np.asarray(array)
    values = [each.item() if isinstance(each, np.generic) else each for each in array.ravel().tolist()]
    kinds = {type(each) for each in values}
    labels = name.startswith("y")  # of which True and 1 would be one, while features are numbers in any case
    if kinds <= ({int, float} if labels else {int, float, bool}) or kinds in ({str}, {bool}):
        return np.array(values).reshape(array.shape)
    if labels and str in kinds and (empty := [k for k, each in enumerate(values) if each is None or each != each]):
        raise DataError(f"{where}: the label in row {empty[0]} (counted from 0) is empty; fill or remove it")
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"{where} holds {names}; give numbers, or text, or a table (pandas.DataFrame)")


def _is_torch_dataset(data: Any) -> bool:
    return any(
        f"{kind.__module__}.{kind.__qualname__}" == "torch.utils.data.dataset.Dataset" for kind in type(data).mro()
    )


def _stacked(data: Any, before: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples (input, target) of a torch data set, one after the other."""
    samples = [data[place] for place in range(len(data))]
    if not samples or not all(isinstance(sample, tuple | list) and len(sample) == 2 for sample in samples):
        raise DataError(f"{before}a torch Dataset must give pairs (input, target), at least one")
    inputs, targets = zip(*samples, strict=True)
    return (
        np.stack([_array(each, "an input", before) for each in inputs]),
        np.stack([_array(each, "y", before) for each in targets]),
    )
