"""The benchmark over raw tables: the same rows for every method, and what its page says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import tables
from benchmarks._mixed_tables import TABLES, MixedTable, shuffled


def _frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    kind, size = rng.choice(["a", "b"], 400), rng.normal(size=400)
    found = pd.DataFrame(
        {"kind": kind, "y": np.where((kind == "a") == (size > 0), 1, 0), "size": size, "id": range(400)}
    )
    found.loc[rng.random(400) < 0.1, "kind"] = None
    return found.astype({"y": object})


def test_there_are_twenty_of_both_tasks() -> None:
    assert len(TABLES) == 20
    assert {found.task for found in TABLES.values()} == {"classification", "regression"}


def test_every_method_sees_the_same_rows_and_no_record_is_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy = MixedTable("toy", "y", "classification", _frame, ("id",))
    frame = shuffled(toy, 3)
    assert list(frame) == ["kind", "size", "y"] and sorted(frame["size"]) == sorted(_frame()["size"])
    monkeypatch.setattr(tables, "RUNS", tmp_path)
    monkeypatch.setattr(tables, "OTHERS", tmp_path / "nowhere")
    monkeypatch.setitem(tables.TABLES, "toy", toy)
    _, dataset, frame = tables._data(toy, 3)
    first = frame.iloc[: len(dataset.x_train)]
    assert (len(dataset.x_train), len(dataset.x_val), len(dataset.x_test)) == (260, 60, 80)
    assert (np.array(dataset.classes)[dataset.y_train] == first["y"]).all()

    asked = ["--seconds", "0.2", "--tables", "toy", "--out", str(tmp_path)]
    tables.main([*asked, "--methods", "dag-nas", "boosting", "flaml"])
    said = capsys.readouterr()
    assert "flaml on toy" in said.err and "make bench-tables" in said.err  # not installed there
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("toy-*.json")}
    assert {*kept} == {"toy-dag-nas-0-0.2.json", "toy-boosting-0-0.2.json"}
    page = (tmp_path / "tables.md").read_text()
    assert "| toy | classification | 400 |" in page and "of 1 tables" in page and "| dag-nas, accurate |" in page
    tables.main([*asked, "--methods", "boosting"])
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("toy-*.json")} == kept


def test_ranks_ties_and_fronts() -> None:
    def record(table: str, method: str, error: float, seconds: float) -> dict[str, object]:
        return {
            "table": table, "method": method, "seed": 0, "rows": 9, "test_error": error, "inference_seconds": seconds,
            "bytes": 1000, "process_seconds": 5.0,
        }  # fmt: skip

    records = [
        record("oj", "dag-nas", 0.104, 1e-5), record("oj", "boosting", 0.1, 1e-3), record("oj", "mlp", 0.104, 1e-4),
        record("wage", "dag-nas", 0.7, 1e-5), record("wage", "boosting", 0.6, 1e-5),
    ]  # fmt: skip
    page = tables.report(records, 5.0)
    assert "| oj | classification | 9 | 10.40 / 10 / 1.0 | 10.00 / 1,000 / 1.0 | 10.40 / 100 / 1.0 |" in page
    assert "| **mean rank of the error (tables)** |  |  | 2.25 (2) | 1.00 (2) | 2.50 (1) |" in page
    assert "of the least error on 1 of 2 tables, and on the front of error and latency on 1 of 2." in page

    # The other pick has a column of its own where every record of a search has it, and takes part in no rank.
    other = {"accurate": {"test_error": 0.05, "inference_seconds": 2e-5, "bytes": 3000}}
    assert tables.report([records[0] | other, *records[1:]], 5.0) == page
    both = tables.report([each | (other if each["method"] == "dag-nas" else {}) for each in records], 5.0)
    assert "| table | task | rows | dag-nas | dag-nas, accurate | boosting | mlp |" in both
    assert "| oj | classification | 9 | 10.40 / 10 / 1.0 | 5.00 / 20 / 3.0 | 10.00 / 1,000 / 1.0 |" in both
    assert "| **mean rank of the error (tables)** |  |  | 2.25 (2) | — | 1.00 (2) | 2.50 (1) |" in both
