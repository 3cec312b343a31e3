"""The benchmark of learned structure: its sets, one search of each kind, and what the page says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks._manifold_sets import KINDS, MANIFOLD_SETS, series_table
from benchmarks.manifold import FREE, VARIANTS, report, run
from nas.errors import DataError
from nas.training import pinned_threads

SERIES = "# a comment\n@problemName Two\n@data\n1,2,3:-1,0.5,2:left\n\n4,5,6:0,0,1:right\n"


def test_every_set_stands_for_something() -> None:
    assert sorted(name for names in KINDS.values() for name in names) == sorted(MANIFOLD_SETS)


def test_series_are_read_channel_after_channel(tmp_path: Path) -> None:
    path = tmp_path / "two.ts"
    path.write_text(SERIES)
    found = series_table(path, path)
    np.testing.assert_array_equal(found["x"][:2], [[1, 2, 3, -1, 0.5, 2], [4, 5, 6, 0, 0, 1]])
    assert found["y"].tolist() == ["left", "right"] * 2


@pytest.mark.parametrize(("line", "said"), [("1,2:left", "line 7: 2 values, but 6"), ("1,?,3:1,2,3:x", "line 7")])
def test_a_damaged_series_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "two.ts"
    path.write_text(SERIES + line + "\n")
    with pytest.raises(DataError, match=said):
        series_table(path)


def test_a_search_of_each_variant_and_their_page() -> None:
    with pinned_threads(1):
        records = [run("digits", variant, 0, 0.5, steps=30) for variant in VARIANTS]
    for record in records:
        assert record["trials"] > 0, record
        assert record["failed"] == 0, record
        assert record["front"], record
    page = report(records)
    assert f"| images | digits | 1 | {records[0]['hypervolume']:.4f} |" in page
    assert f"| {FREE} |" in page
    assert "tables |" not in page  # nothing is said of sets that were not searched
