"""Tables: which columns are features and targets, and whether they can be."""

from __future__ import annotations

import contextlib
import shlex
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.checkpoint import cells_of, named_once
from nas.errors import DataError
from nas.training.data._delimited import (
    default_target,
    distinct_names,
    is_number,
    like_code,
    read_delimited,
    refuse_columns,
)
from nas.training.data._kinds import ColumnCells, read_column
from nas.training.data._labels import FEWEST_EACH, MOST_CODES, code_among, numbers_in
from nas.training.data._leaks import rising, rows_by_date
from nas.training.data._notation import number_notation
from nas.training.data._raw import RawData
from nas.training.data.config import TEXT_SUFFIXES, DataConfig
from nas.training.data.held import parted, said_in_file
from nas.training.data.idx import refuse_expansion

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_frame", "load_openml", "load_table", "plain", "read_frame"]

_ROWS_AT_ONCE = 1024  # of columns of text, while their size is added up
_MOST_TEXTS = 10_000  # columns of text: a millisecond each, and several inputs
_MOST_PROBLEMS = 8  # of columns, in one message
_FEW_ODD = 0.05  # share of cells of a target of numbers that may be no numbers before it is taken for text


def load_table(path: Path, config: DataConfig, features: Collection[str] = (), spare: Collection[str] = ()) -> RawData:
    """A .csv, .tsv (also gzipped), .parquet or .xlsx file; see `from_frame`.

    Raises:
        DataError: the file cannot be parsed, or a column is unknown, empty or no number.
    """
    name = path.name.removesuffix(".gz").rpartition(".")[0]
    if path.name.lower().endswith(TEXT_SUFFIXES):
        read = read_delimited(path, config)
        return from_frame(
            read.frame, name, str(path), config, features, spare, decimal=read.decimal, said=read.said, codes=read.codes
        )
    frame, sheets = _binary(path)
    said = ((f"sheet {sheets[0]!r}, the first of {len(sheets)}", ""),) if len(sheets) > 1 else ()
    read_table = from_frame(frame, name, str(path), config, features, spare, said=said)
    return parted(read_table, *said_in_file(frame, str(path)))


def read_frame(config: DataConfig, targets: Collection[str] = ()) -> pd.DataFrame:
    """All columns of a file as they are, e.g. of rows to predict.

    Args:
        config: names the file, and how to read it; of columns that ``kinds`` says to be numbers, the notation is
            found as it is in training.
        targets: columns that are targets, if they are there; their cells stay text.

    Raises:
        DataError: the file cannot be parsed.
    """
    path = Path(config.source)
    if not path.name.lower().endswith(TEXT_SUFFIXES):
        return _binary(path)[0]
    read = read_delimited(path, config.model_copy(update={"target": tuple(targets)}))
    for name in (name for name, kind in config.kinds.items() if kind == "number" and name in read.frame.columns):
        if read.frame[name].dtype.kind not in "biuf":  # thousands, units: rows are written as they like, as tables are
            with contextlib.suppress(DataError):  # whoever wants numbers says which cell is none
                found = read_column(
                    read.frame[name],
                    name,
                    str(path),
                    stated="number",
                    decimal=_known_mark(read.decimal, config),
                    missing=config.missing,
                )
                read.frame[name] = found.values
    return read.frame


def _binary(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """A table that is no text: Parquet, or the first sheet of a workbook; and the names of its sheets."""
    import pandas as pd  # half a second; only tables need it

    kind = path.suffix.lower().removeprefix(".")
    try:
        _refuse_expansion(path, kind)
        if kind == "parquet":
            return _parquet(path), []
        with pd.ExcelFile(path) as book:
            return pd.read_excel(book), [str(name) for name in book.sheet_names]
    except DataError:
        raise
    except ImportError as error:
        raise DataError(
            f"{path}: workbooks are read by a package that is not installed: pip install openpyxl; or save it as .csv"
        ) from error
    except Exception as error:  # pandas and the readers behind it raise a dozen unrelated types here
        raise DataError(f"{path}: cannot be read as {kind} ({error})") from error


def _parquet(path: Path) -> pd.DataFrame:
    """A Parquet file with the categories that pandas wrote: of whole numbers its own reader makes whole numbers.

    Categories in an order that are numbers stay numbers, which have one.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    frame = pd.read_parquet(path)
    for column in (pq.read_schema(path).pandas_metadata or {}).get("columns", ()):
        name, stated = column.get("name"), column.get("pandas_type") == "categorical"
        if stated and name in frame.columns and not (column.get("metadata") or {}).get("ordered"):
            frame[name] = frame[name].astype("category")
    return frame


def _refuse_expansion(path: Path, kind: str) -> None:
    """Raises: DataError: the file would become a table that is out of all proportion to it, or has too many columns."""
    if kind != "parquet":
        with zipfile.ZipFile(path) as book:
            refuse_expansion(path, sum(part.file_size for part in book.infolist()))
        return
    import pyarrow.parquet as pq  # what pandas reads it with

    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        refuse_columns(len(schema), path)
        # A column that says one thing over and over takes next to nothing in the file.
        refuse_expansion(path, 8 * len(schema) * file.metadata.num_rows)
        texts = [field.name for field in schema if not _of_fixed_width(field.type)]
        held = 0
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=texts) if texts else ():
            held += batch.nbytes
            refuse_expansion(path, held)


def _of_fixed_width(kind: Any) -> bool:
    try:
        return int(kind.bit_width) > 0
    except ValueError:
        return False


def from_frame(
    frame: pd.DataFrame,
    name: str,
    where: str,
    config: DataConfig,
    features: Collection[str] = (),
    spare: Collection[str] = (),
    *,
    decimal: str | None = None,
    said: tuple[tuple[str, str], ...] = (),
    codes: Mapping[str, str] | None = None,
) -> RawData:
    """Features and targets of a table.

    Args:
        features: names of a network's inputs, which are features whatever they look like.
        spare: columns that may be there and are left out.
        decimal: decimal mark of the targets, where they are text of a file that numbers were not told from.
        said: how the table was read.
        codes: of columns that are numbers, a cell that is written as none is, where the table does not show it.

    Raises:
        DataError: a stated column does not exist, no feature is left, or a feature is no number.
    """
    frame, index = _with_index(frame.set_axis(named_once([str(name) for name in frame.columns])[0], axis=1))
    columns = list(frame.columns)
    if not columns:
        raise DataError(f"{where}: the table has no columns")
    refuse_columns(len(columns), where)
    distinct_names(columns, where)
    if config.target is None:
        targets = [default_target([column for column in columns if column not in index] or columns)]
    else:
        targets = [config.target] if isinstance(config.target, str) else list(config.target)
    known = {*columns}
    stated_kinds = () if features else config.kinds  # those of a network name columns that may be missing here
    parted = [name for name in (config.group, config.time) if name is not None]
    for column in [*targets, *config.drop, *config.keep, *stated_kinds, *parted]:
        if column not in known:
            raise DataError(f"{where}: no column {column!r}{_several(column, known)}; the columns are {_some(columns)}")
    no_features = ({*targets, *config.drop, *spare} | ({*parted} - {*config.keep})) - {*features}
    candidates = [column for column in columns if column not in no_features]
    left_out = {column: "data.drop" for column in columns if column in config.drop}
    for key, parting in (("data.group", config.group), ("data.time", config.time)):
        if parting in no_features:
            left_out[str(parting)] = key
    by_name = bool({*features} & known)  # then every other column is one too many, whatever it looks like
    read: dict[str, ColumnCells] = {}
    words = 0
    sorted_by: list[str] = []
    problems = []  # all at once, so that nobody has to mend one column a run
    for column in candidates:
        if column in index and column not in {*features, *config.keep, *config.kinds}:
            left_out[column] = "the index of the table"
            continue
        keep = column in features or column in config.keep or by_name
        stated = config.kinds.get(column)
        try:
            found = read_column(
                frame[column],
                column,
                where,
                stated=stated,
                decimal=_known_mark(decimal, config),
                missing=config.missing,
                keep=keep,
            )
        except DataError as error:
            problems.append(str(error))
            continue
        if found.left_out:
            left_out[column] = found.left_out
            if found.kind == "date" and config.way != "chronological" and rising(found.values):
                sorted_by.append(rows_by_date(column))
        else:
            read[column] = found
            words += found.kind == "category"
        if words > _MOST_TEXTS:
            raise DataError(
                f"{where}: more than {_MOST_TEXTS:,} columns of text, each of which becomes several inputs; leave some "
                "out with data.drop, or write numbers"
            )
    if problems:
        raise DataError("\n".join(problems[:_MOST_PROBLEMS]))
    chosen = [column for column in candidates if column in read]
    if not chosen:
        first = next((column for column in candidates), None)
        free = first is not None and left_out[first].startswith("text, ")
        keeps = "free text is not read: make numbers of it first" if free else f"data.keep: [{first}] keeps it"
        hint = f": {first!r} is left out ({left_out[first]}), {keeps}" if first else ""
        raise DataError(f"{where}: no feature column is left beside the target {_some(targets)}{hint}")
    x = np.stack([read[column].values for column in chosen], axis=1)
    for column in targets:
        _filled(frame[column], column, where)
    y, texts, code, notes = _targets(frame, targets, where, config, decimal)
    unsaid = (name for name, each in read.items() if each.kind in ("number", "integer") and name not in config.kinds)
    padded = _like_codes({name: frame[name] for name in unsaid}, codes or {})
    notes += tuple(
        f"column {name} is read as numbers, {code} as {int(code)}; if these are codes, "
        f"data.kinds: {{{name}: category}} keeps them apart"
        for name, code in padded.items()
    )
    return RawData(
        name,
        x,
        y,
        feature_names=tuple(chosen),
        named=True,
        kinds=tuple(read[column].kind for column in chosen),
        levels=tuple(read[column].levels for column in chosen),
        notations=tuple(read[column].notation for column in chosen),
        padded=frozenset(padded),
        target_names=tuple(targets),
        texts=texts,
        code=code,
        groups=None if config.group is None else _groups(frame[config.group], config.group, where),
        order=None if config.time is None else _order(frame[config.time], config, where, decimal),
        left_out=tuple(left_out.items()),
        notes=(*notes, *sorted_by),
        said=said,
    )


def _several(column: str, known: Collection[str]) -> str:
    """A hint, where what was taken for one column are several in a row."""
    names = [name.strip() for name in column.split(",")]
    if len(names) < 2 or not {*names} <= {*known}:
        return ""
    options = " ".join(f"--target {shlex.quote(name)}" for name in names)
    return f"; several columns are a list, [{', '.join(names)}], and several targets {options}"


def _like_codes(columns: Mapping[str, pd.Series[Any]], codes: Mapping[str, str]) -> dict[str, str]:
    """Numbers with leading zeros, which may be names of places or parts: one of each column that has such.

    Args:
        columns: features that nobody said anything of.
        codes: see `from_frame`.
    """
    found = {}
    for name, column in columns.items():
        text = column.dtype.kind == "O" or str(column.dtype).startswith("str")
        cells = [str(cell).strip() for cell in column.dropna().unique()] if text else []
        if code := codes.get(name) or (all(map(is_number, cells)) and like_code(cells)):
            found[name] = code
    return found


def _known_mark(decimal: str | None, config: DataConfig) -> str | None:
    """The decimal mark of a file, where it was stated or seen: a point is what is assumed."""
    return decimal if decimal == "," or config.decimal != "auto" else None


def _groups(column: pd.Series[Any], name: str, where: str) -> np.ndarray:
    """A number for each row, the same for rows with the same cell."""
    import pandas as pd

    _filled(column, name, where, "data.group")
    numbers: np.ndarray = pd.factorize(column.astype(str), sort=True)[0]
    return numbers


def _order(column: pd.Series[Any], config: DataConfig, where: str, decimal: str | None) -> np.ndarray:
    """Numbers that rise with a column of dates or numbers."""
    name = str(config.time)
    _filled(column, name, where, "data.time")
    stated = config.kinds.get(name)
    found = read_column(
        column, name, where, stated=stated, decimal=_known_mark(decimal, config), missing=config.missing, keep=True
    )
    if found.kind not in ("date", "number", "integer"):
        raise DataError(f"{where}: data.time: column {name!r} holds a {found.kind}; expected dates or numbers")
    return found.values


def _with_index(frame: pd.DataFrame) -> tuple[pd.DataFrame, set[str]]:
    """The table with the named levels of its index as columns, and their names."""
    import pandas as pd

    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        return frame, set()
    levels = [level for level in frame.index.names if level is not None and str(level) not in frame.columns]
    named = frame.reset_index(level=levels).rename(columns=str) if levels else frame
    return named.reset_index(drop=True), {str(level) for level in levels}


def _filled(column: pd.Series[Any], name: str, where: str, what: str = "target") -> None:
    """DataError where a cell of a target, or of a column that parts go by, is empty: nothing at all, or blanks."""
    empty = column.isna().to_numpy(dtype=bool)
    if column.dtype.kind in "OU" or str(column.dtype).startswith("str"):
        empty = empty | (column.astype(str).str.strip() == "").to_numpy(dtype=bool)
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        count = int(empty.sum())
        more = f"; {count:,} such rows of {len(empty):,}" if count > 1 else ""
        raise DataError(
            f"{where}: {what} column {name!r} is empty in row {row} (counted from 0{more}); remove or fill them"
        )


def _targets(
    frame: pd.DataFrame, names: list[str], where: str, config: DataConfig, decimal: str | None
) -> tuple[np.ndarray, np.ndarray | None, str, tuple[str, ...]]:
    """The targets, (samples,) or (samples, targets); as the file has them, where they were text and are numbers; one
    of these that is written as no number is, or ""; and what is to be said of them."""
    import pandas as pd

    found: list[tuple[np.ndarray, np.ndarray | None, str]] = []
    notes: list[str] = []
    for name in names:
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
            raise DataError(f"{where}: target column {name!r} holds dates; write them as numbers")
        values = plain(column)
        texts = values if values.dtype.kind == "U" else column.to_numpy(dtype=str)
        if values.dtype.kind == "U" and (read := _noted(texts, name, where, config, decimal)) is not None:
            values, notation = read
            found.append((values, None, ""))
            notes.append(f"target {name} is written as {notation}; predictions are numbers without that")
            continue
        if decimal is None:
            found.append((values, None, ""))
            continue
        pointed = _with_points(texts, decimal)
        numbers = numbers_in(pointed)
        if numbers is None and {*np.unique(texts)} == {"False", "True"}:
            found.append((texts == "True", None, ""))  # what every reader of tables takes for booleans
            continue
        if numbers is None and config.task == "auto":
            _no_number_amiss(texts, decimal, name, where)
        if numbers is None and config.task == "regression":
            row = next(row for row, cell in enumerate(texts) if not is_number(str(cell), decimal))
            raise DataError(
                f"{where}: target column {name!r} holds {str(texts[row])[:40]!r} in row {row} (counted from 0), but "
                "regression needs numbers"
            )
        found.append((texts, None, "") if numbers is None else (numbers, texts, code_among(pointed)))
    if len(found) == 1:
        return *found[0], tuple(notes)
    for name, (values, *_) in zip(names, found, strict=True):
        if values.dtype.kind not in "biuf":
            raise DataError(f"{where}: several targets mean regression, but column {name!r} holds no numbers")
    return np.stack([values.astype(np.float64) for values, *_ in found], axis=1), None, "", tuple(notes)


def _noted(
    texts: np.ndarray, name: str, where: str, config: DataConfig, decimal: str | None
) -> tuple[np.ndarray, str] | None:
    """Numbers of a target that are written with marks of thousands, units or as durations, and the notation.

    None: it has none such.

    A few different ones with many samples each are classes, as whole numbers are.
    """
    import pandas as pd

    distinct = {str(text).strip() for text in np.unique(texts)}
    few = len(distinct) <= MOST_CODES and len(texts) >= FEWEST_EACH * len(distinct)
    if config.task == "classification" or (config.task == "auto" and few):
        return None
    if all(is_number(text, decimal or ".") for text in distinct):
        return None
    try:
        notation = number_notation(distinct, _known_mark(decimal, config))
    except DataError as error:
        raise DataError(
            f"{where}: target column {name!r}: {error.args[0].partition(':')[0]}; set data.decimal"
        ) from None
    return None if notation is None else (cells_of(pd.Series(texts), "number", name, notation), notation)


def _with_points(texts: np.ndarray, decimal: str) -> np.ndarray:
    if decimal == ".":
        return texts
    # A point is none then: it is made something that no number has.
    return np.char.replace(np.char.replace(texts, ".", "x"), ",", ".")


def _no_number_amiss(texts: np.ndarray, decimal: str, name: str, where: str) -> None:
    """DataError where a target is numbers but for a few cells: those are missing values, not classes."""
    numbers = np.array([is_number(str(cell), decimal) for cell in texts])
    distinct = len(np.unique(texts[numbers]))
    odd = np.flatnonzero(~numbers)
    if len(odd) <= _FEW_ODD * len(texts) and (distinct > MOST_CODES or numbers.sum() < FEWEST_EACH * distinct):
        cell = str(texts[odd[0]])[:40]
        raise DataError(
            f"{where}: target column {name!r} holds numbers, but {cell!r} in row {int(odd[0])} (counted from 0; "
            f"{len(odd)} such cells in all); fill or remove them, or set data.task: classification"
        )


def plain(values: Any) -> np.ndarray:
    """Values of one type as an array of it: pandas has numbers and booleans as objects where some could be missing."""
    array: np.ndarray = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if array.dtype.kind != "O" or array.ndim != 1:
        return array
    kinds = {type(value) for value in array.tolist()}
    if kinds == {bool} or kinds == {int} or kinds == {float} or kinds == {int, float} or kinds == {str}:
        return np.array(array.tolist())
    return array


def load_openml(name: str, config: DataConfig, features: Collection[str] = (), spare: Collection[str] = ()) -> RawData:
    """A data set of openml.org, by name or number, kept in scikit-learn's cache.

    Raises:
        DataError: it cannot be fetched.
    """
    from sklearn.datasets import fetch_openml

    query: dict[str, Any] = {"data_id": int(name)} if name.isdigit() else {"name": name, "version": "active"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each attempt that fails; of versions, which the query says
            bunch = fetch_openml(**query, as_frame=True, parser="auto")
    except Exception as error:  # network, HTTP, ARFF and checksum errors of many libraries
        reason = getattr(error, "reason", None) or error  # of a network that is not there, what the system says
        why = getattr(reason, "strerror", None) or reason
        raise DataError(
            f"openml:{name}: cannot be fetched from openml.org ({why}); a file of your own is read without a network"
        ) from error
    frame: pd.DataFrame = bunch.frame
    if config.target is None:
        config = config.model_copy(update={"target": tuple(str(target) for target in bunch.target_names)})
        if config.target is not None and len(config.target) == 1:
            config = config.model_copy(update={"target": config.target[0]})
    return from_frame(frame, name, f"openml:{name}", config, features, spare)


def _some(names: list[str], limit: int = 12) -> str:
    return ", ".join(names[:limit]) + (f", … ({len(names)} in all)" if len(names) > limit else "")
