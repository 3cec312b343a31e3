"""Small files that would become gigabytes or take minutes are refused before they do, whatever their format."""

from __future__ import annotations

import gzip
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nas.errors import DataError
from nas.training import read_data
from nas.training.data.config import DataConfig

_BYTES = 2 * 2**30  # that docs/security.md gives


def read(path: Path) -> object:
    return read_data(DataConfig(source=str(path), target="y"))


def gzipped(path: Path) -> None:
    with gzip.open(path, "wt") as file:
        file.write("a,y\n")
        for _ in range(900):
            file.write("0,1\n" * 50_000)


def constants(path: Path) -> None:
    table = pa.table({f"c{k}": pa.array(np.zeros(200_000)) for k in range(150)} | {"y": pa.array(np.zeros(200_000))})
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(10):
            writer.write_table(table)


def one_long_text(path: Path) -> None:
    table = pa.table({"a": ["x" * 2**16] * 1000, "y": [k % 2 for k in range(1000)]})
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(20):
            writer.write_table(table)


def workbook(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book, book.open("xl/worksheets/sheet1.xml", "w") as sheet:
        for _ in range(300):
            sheet.write(b'<row r="1"><c r="A1"><v>1</v></c></row>' * 25_000)


def wide(path: Path) -> None:
    path.write_text(",".join(f"c{k}" for k in range(100_001)) + "\n" + ",".join("1" for _ in range(100_001)) + "\n")


def wide_text(path: Path) -> None:
    names = ",".join([*(f"c{k}" for k in range(10_500)), "y"])
    rows = (",".join("abc"[(k + row) % 3] for k in range(10_501)) for row in range(20))
    path.write_text("\n".join([names, *rows]) + "\n")


EXPANDS = "announce .* more than 200 times as many"
FILES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "gzipped text": ("t.csv.gz", gzipped, EXPANDS),
    "constant columns": ("t.parquet", constants, EXPANDS),
    "one long text": ("t.parquet", one_long_text, EXPANDS),
    "workbook": ("t.xlsx", workbook, EXPANDS),
    "columns": ("t.csv", wide, "100,001 columns, at most 100,000"),
    "columns of text": ("t.csv", wide_text, "more than 10,000 columns of text"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_small_file_that_becomes_large_is_refused(what: str, tmp_path: Path) -> None:
    name, write, says = FILES[what]
    path = tmp_path / name
    write(path)
    assert path.stat().st_size < 16 * 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=says):
        read(path)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < _BYTES


def test_honest_tables_of_these_formats_are_read(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": np.random.default_rng(0).random(50), "word": ["even", "odd"] * 25, "y": [0, 1] * 25})
    table.to_parquet(tmp_path / "t.parquet")
    table.to_csv(tmp_path / "t.csv.gz", index=False)
    for name in ("t.parquet", "t.csv.gz"):
        assert read_data(DataConfig(source=str(tmp_path / name), target="y")).dataset.n_inputs >= 2, name
