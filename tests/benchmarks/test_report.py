"""Tables from canned results."""

import pytest

from benchmarks._plots import draw
from benchmarks._readme import BEGIN, END, update_readme
from benchmarks._report import device_slug, report

SAMPLE = {"median": 1e-3, "low": 0.9e-3, "high": 1.2e-3, "samples": 9}


def timed(seconds, status="timed"):
    return SAMPLE | {"median": seconds, "status": status, "variant": "gather", "threads": 2, "reasons": []}


def point(**more):
    return {"neurons": 10, "edges": 20, "depth": 3, "engine": SAMPLE, "reach": 5, "tile": 64, "tiles": 2, "threads": 2,
            "flops": 10**6, **more}  # fmt: skip


@pytest.fixture
def results():
    fit = {"slope": 1e-9, "intercept": 1e-4, "r2": 0.9987, "exponent": 1.01}
    cell = {
        "family": "erdos_renyi",
        "computational": 1000,
        "density": 0.02,
        "batch": 128,
        "neurons": 1074,
        "edges": 11_548,
        "depth": 41,
        "tile": 64,
        "tiles": 2,
        "threads": 2,
        "from_inputs": 600,
        "reach": 500,
        "flops": 10**7,
        "engine": SAMPLE,
        "dense": SAMPLE | {"flops": 10**7, "threads": 1},
        "flop_rate_share": 0.53,
        "alternatives": {
            "per neuron": timed(2.5, "once"),
            "level by level": timed(0.123),
            "blocked triangle": {"status": "skipped", "reasons": ["blocks of 64: not run, needs 9 GiB"]},
        },
        "best": "level by level",
        "best_ratio": 123.0,
    }
    beaten = cell | {"batch": 1, "best_ratio": 0.5, "alternatives": {"level by level": timed(0.5e-3)}}
    schedule = {
        "name": "MNIST manifold", "sizes": [784, 206, 10], "batch": 50, "steps": 50_000, "target_seconds": 120.0,
        "refresh": 1, "status": "measured", "data": "MNIST", "cells": 192_519, "live": [20_000, 18_000],
        "first_step_seconds": 0.2, "measured_steps": 1000, "fused": SAMPLE, "torch": timed(20e-3),
        "whole_seconds": 101.0, "extrapolated": True, "finite": True,
    }  # fmt: skip
    return {
        "format": 1,
        "quick": False,
        "date": "2000-01-02",
        "commit": "abc1234",
        "hardware": {"processor": "ACME (R) 9000", "threads": 2, "torch": "2.9", "numba": "0.61"},
        "seconds": 800.0,
        "sections": {
            "bounds": {
                "gflops": 128.0,
                "reads": {"64": [[16, 0.5e-9], [1024, 1e-9]]},
                "empty_pass": timed(0.5e-3),
                "empty_forward": timed(7e-6),
            },
            "speed": {
                "cells": [cell, beaten],
                "left_out": [{"family": "banded", "computational": 20_000, "density": 0.005, "batch": 32}],
                "alternatives": {name: f"about {name}" for name in cell["alternatives"]},
            },
            "linear": {
                "batch": 128,
                "edges": {"points": [point(edges=20), point(edges=40)], "fit": fit},
                "depth": {
                    "points": [point(levels=SAMPLE), point(depth=9, levels=SAMPLE)],
                    "chain": point(levels=SAMPLE),
                    "fit": fit,
                },
                "neurons": {"points": [point(), point(neurons=99)], "fit": fit},
                "windows": {"points": [point()]},
            },
            "training": {
                "schedules": [schedule, schedule | {"name": "other", "status": "not offered"}],
                "published_seconds": 39_333.0,
            },
            "compile": {
                "neurons": 1074, "edges": 50_000, "graph_seconds": 0.02, "plan_seconds": 2e-4,
                "plan_seconds_worst": 3e-4,
                "live": {"allowed": 50_000, "live": 25_000, "changing": SAMPLE, "fixed": SAMPLE, "restrict": SAMPLE},
                "warm": {"import_torch": 1.0, "import_nas": 0.5, "first_pass": 0.1, "second_pass": 1e-3},
            },
            "memory": {
                "batch": 128,
                "points": [
                    {"neurons": 10_000, "edges": 10**6, "before": 2**28, "with_graph": 2**28, "peak": 2**29,
                     "square": 4 * 10**8, "step_seconds": 0.05}
                ],
            },
            "latency": {
                "onnxruntime": True,
                "cells": [
                    {"sizes": [64, 100, 10], "edges": 1000, "depth": 9,
                     "samples": {"engine": timed(50e-6), "onnxruntime, a": timed(99e-6),
                                 "onnxruntime, b": timed(77e-6)}}
                ],
            },
            "libraries": {
                "neurons": 1074, "edges": 10_000, "depth": 47, "batch": 128,
                "rows": [{"name": "engine", "work": "pass"} | SAMPLE,
                         {"name": "deepstruct", "work": "pass", "status": "not installed"}],
            },
        },
    }  # fmt: skip


def test_every_section_is_told(results):
    text = report(results)
    assert "| Erdős–Rényi 1,074, 2 % | 11,548 | 41 | 128 | 1 | level by level | 123 | 123 | 123 | 53% |" in text
    assert "Slower than an alternative in 1 of 2 cells: Erdős–Rényi 1,074, 2 %, batch 1" in text
    assert "2,500 (1)" in text  # run once
    assert "| needs 9 GiB |" in text  # in the place of a time
    assert "blocks of 64: not run, needs 9 GiB" in text
    # 64 samples at 128 GFLOP/s: 1 ns an edge forward, 2 backward but 1 from inputs; half of the pass is overhead
    assert "| 128 | 64 × 2 | 2 | 125 | 1 | 0.034 | 3% | 7% |" in text
    assert "Left out, because time was up:** banded 20,000, 0.5%, batch 32" in text
    assert "R² = 0.9987" in text
    assert "50,000 steps: ≈ 101" in text
    assert "not offered" in text
    assert "| 64/100/10 | 1,000 | 9 | 50.0 | 77.0 |" in text  # the faster of the two settings
    assert "| 10,000 | 1,000,000 | 256 | 512 | 381 | 50 |" in text
    assert "not installed" in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 10
    for table in tables:
        assert len({row.count("|") for row in table}) == 1, table[0]  # every row as wide as its head


def test_sections_may_be_missing(results):
    results["sections"] = {"compile": results["sections"]["compile"]}
    assert "## Before the first pass" in report(results)
    assert "## Speed" not in report(results)


def test_readme_between_its_markers(tmp_path, results):
    path = tmp_path / "README.md"
    path.write_text(f"# Title\n\n{BEGIN}\nstale table\n{END}\n\nThe rest.\n", encoding="utf-8")
    assert "wrote" in update_readme(path, results)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# Title\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nThe rest.\n")
    assert "stale" not in text
    assert "11,548" in text
    assert "| 53% | 3% |" in text
    assert "[benchmarks/results/acme-r-9000.md](benchmarks/results/acme-r-9000.md)" in text
    update_readme(path, results)
    assert path.read_text(encoding="utf-8") == text  # again changes nothing


@pytest.mark.parametrize("content", [None, "no markers", f"{END} wrong way round {BEGIN}", f"only {BEGIN}"])
def test_readme_without_markers_is_left_alone(tmp_path, results, content):
    path = tmp_path / "README.md"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert "no markers" in update_readme(path, results)
    assert path.exists() == (content is not None)
    assert content is None or path.read_text(encoding="utf-8") == content


def test_device_name_as_a_file_name():
    assert device_slug("Intel(R) Xeon(R) Platinum 8480+ @ 2.0GHz") == "intel-r-xeon-r-platinum-8480-2-0ghz"
    assert device_slug("***") == "unknown"


def test_plots(tmp_path, results):
    pytest.importorskip("matplotlib")
    paths = draw(results, tmp_path)
    assert {path.name for path in paths} == {"edges.png", "depth.png", "neurons.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert draw({"sections": {}}, tmp_path) == []
