"""Data that a caller of `nas.search` holds in memory, as a file of the study that any later command can read again."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas._files import written_whole
from nas.errors import DataError
from nas.training.data.held import held_data, say_in_file
from nas.training.data.own import read_npz

__all__ = ["GivenData", "data_section"]


class GivenData:
    """Data as somebody gave it: a place to read it from, or something in memory.

    Attributes:
        source: what ``data.source`` is; None where it lies in memory.
        columns: names of the target columns of a table that lies in memory; else empty.
        file: what `write` calls what lies in memory.
    """

    def __init__(self, data: Any, y: Any = None) -> None:
        self.source: str | None = None
        self.columns: tuple[str, ...] = ()
        self._table: Any = None
        self._arrays: Mapping[str, np.ndarray] = {}
        if isinstance(data, str | os.PathLike):
            if y is not None:
                raise DataError("y is for data in memory; of a file, name the column with target=")
            self.source = os.fspath(data)
            return
        held = held_data(data, y)
        self._arrays = held.arrays
        if held.table is not None:
            self._table, self.columns = _storable(held.table), held.targets
            self._table.attrs = say_in_file(held)  # what others say of it, files need not be able to hold

    @property
    def file(self) -> str:
        return "data.npz" if self._table is None else "data.parquet"

    def write(self, folder: Path) -> Path:
        """Write what lies in memory into a new file; returns its path.

        Raises:
            DataError: a column holds values of several types, or objects.
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.file
        with written_whole(path) as file:
            if self._table is None:
                np.savez(file, **self._arrays)  # type: ignore[arg-type]
                return path
            try:
                self._table.to_parquet(file, index=not _plain_index(self._table))
            except OSError:
                raise
            except Exception as error:  # pyarrow raises a dozen unrelated types, all of which name the column
                raise DataError(
                    f"the table cannot be kept as Parquet ({error}); give each column values of one type"
                ) from error
        return path

    def refuse_other(self, folder: Path) -> None:
        """DataError where ``folder`` holds other data than what lies in memory, as `write` wrote it."""
        import pandas as pd

        path = folder / self.file
        try:
            if self._table is not None:
                # As a file gives it back: not every type of a column is one of Parquet's.
                given = io.BytesIO()
                self._table.to_parquet(given, index=not _plain_index(self._table))
                kept_table, given_table = pd.read_parquet(path), pd.read_parquet(given)
                same = kept_table.equals(given_table) and kept_table.attrs == given_table.attrs
            else:
                kept = read_npz(path)
                same = {*kept} == {*self._arrays} and all(
                    np.array_equal(kept[name], array) for name, array in self._arrays.items()
                )
        except (OSError, DataError):
            same = False
        if not same:
            raise DataError(
                f"the study in {folder} was begun with other data, so its trials could not be compared; "
                "start another (name=…)"
            )


def data_section(data: GivenData, folder: Path, target: Any = None) -> dict[str, Any]:
    """The data section of a job on such data; what lies in memory is written into ``folder``.

    Args:
        target: what the caller named as target columns.

    Raises:
        DataError: see `GivenData.write`; or the data has targets of its own.
    """
    if target is not None and data.columns:
        raise DataError(
            f"targets are given twice, as y ({', '.join(data.columns)}) and as target={target!r}; leave one out"
        )
    chosen = target if target is not None else data.columns or None
    if chosen is not None and not isinstance(chosen, str):
        names = [str(name) for name in chosen]
        chosen = names[0] if len(names) == 1 else names
    source = data.source if data.source is not None else str(data.write(folder))
    return {"source": source, **({} if chosen is None else {"target": chosen})}


def _storable(table: Any) -> Any:
    """The table with text in place of categories that no file of tables keeps: intervals, as pandas.cut has them,
    periods, durations and things of several types."""
    import pandas as pd

    def foreign(kind: Any) -> bool:
        if not isinstance(kind, pd.CategoricalDtype):
            return False
        of = kind.categories
        return (
            isinstance(of.dtype, pd.IntervalDtype | pd.PeriodDtype)
            or pd.api.types.is_timedelta64_dtype(of)
            or (pd.api.types.is_object_dtype(of) and len({type(each) for each in of}) > 1)
        )

    def texts(column: Any) -> Any:  # still categories: years would be numbers, months dates
        return column.astype(object).map(str, na_action="ignore").astype("category")

    return table.assign(**{name: texts(table[name]) for name, kind in table.dtypes.items() if foreign(kind)})


def _plain_index(table: Any) -> bool:
    import pandas as pd

    return isinstance(table.index, pd.RangeIndex) and table.index.name is None
