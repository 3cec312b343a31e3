"""The benchmark of the service, small: every part is measured, and the report says it."""

from __future__ import annotations

import copy

from benchmarks import throughput
from benchmarks._throughput import PARTS, overhead, tracked
from benchmarks.soak import Sample, drift, failures


def test_parts_of_a_trial_add_up() -> None:
    found = overhead("evolution", 100)
    assert [row["trial"] for row in found["rows"]] == [10, 100]
    for row in found["rows"]:
        assert all(row[part] > 0 for part in PARTS)
        assert sum(row[part] for part in PARTS) <= 1.02 * row["all"]
    assert found["disk_kib"] > 1 and found["open_seconds"] > 0


def test_the_report_has_every_figure() -> None:
    row = {**dict.fromkeys((*PARTS, "all", "process"), 1.25), "trial": 10000, "rss_mib": 512.0}
    found = {
        "hardware": {"processor": "a processor", "logical_cores": 2},
        "load": 0.5,
        "load at the end": 1.5,
        "seconds": 200.0,
        "overhead": [
            {"strategy": "optuna", "rows": [row], "grown_bytes": 2048.0, "disk_kib": 22.0, "open_seconds": 1.7}
        ],
        "busy": {"busy": 0.951, "trials_per_second": 38.0, "behind": 0},
        "busy with MLflow": {"busy": 0.902, "trials_per_second": 36.0, "behind": 1234},
        "tracked": {"SQLite": tracked(3), "server": {"trials_per_second": 12.3, "process_ms": 9.9}},
        "groups": [{"edges": 50.0, "alone_ms": 7.0, "together": 0.84, "kept": 1.01}],
    }
    text = throughput.report(copy.deepcopy(found))
    for fact in ("10,000", "1.25", "512", "2.00 KiB", "95.1 %", "90.2 %", "1,234", "12.3", "1.7 s", "0.84 x", "1.01 x"):
        assert fact in text


def test_the_soak_says_why_trials_failed_and_how_the_search_grew() -> None:
    assert failures({"failures": {}}) == ""
    assert "- 3 x its worker died" in failures({"failures": {"its worker died": 3}})
    samples = [
        Sample(number, float(number), 1000 + 2 * number, 30, 40, (500,), 0, 1) for number in (0, 100, 500, 800, 900)
    ]
    ended = Sample(1000, 1000.0, 10**6, 30, 40, (500,), 0, 1)  # pictures are drawn
    assert drift([*samples, ended]) == 2.0
    assert drift(samples[:1]) == 0.0
