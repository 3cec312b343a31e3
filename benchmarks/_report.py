"""Tables in Markdown from a file of results, for the results folder."""

from __future__ import annotations

import re

from benchmarks._programs import programs_table
from benchmarks._speed_report import bounds_tables, speed_tables
from benchmarks._tables import Json, ms, table, times

__all__ = ["device_slug", "origin", "report", "training_tables"]


def device_slug(processor: str) -> str:
    """A file name of a processor's: "AMD EPYC" is amd-epyc."""
    return re.sub(r"[^a-z0-9]+", "-", processor.lower()).strip("-") or "unknown"


def report(results: Json) -> str:
    """Every section that there is."""
    facts, sections = results["hardware"], results["sections"]
    parts = [
        f"# Engine on {facts['processor']}, {facts['threads']} threads",
        origin(results)
        + " Times are medians of wall time with quartiles in the JSON file; a training pass is forward and backward "
        "(all weights and biases, not the data), float32, relu, everything in one process with alternating samples.",
    ]
    for name, tables in _TABLES.items():
        if name in sections:
            parts += tables(sections[name])
        if name == "speed" and "speed" in sections and "bounds" in sections:
            parts += bounds_tables(sections["bounds"], sections["speed"]["cells"])
    return "\n\n".join(parts) + "\n"


def origin(results: Json) -> str:
    facts, load = results["hardware"], results.get("load_at_start", 0.0)
    return (
        f"Measured on {facts['processor']} with {facts['threads']} threads, {results['date']}, "
        f"commit {results['commit'] or 'unknown'}, torch {facts['torch']}, numba {facts['numba']}."
        + (" Quick run: no numbers to rely on." if results["quick"] else "")
        + (f" **The machine was busy (load {load:.1f}).**" if load > 0.5 * facts["threads"] else "")
    )


def _linear(section: Json) -> list[str]:
    parts = [f"## Linear cost, training pass at batch {section['batch']}"]
    titles = {"edges": "live edges", "depth": "depth at fixed edges", "neurons": "neurons at fixed edges"}
    for key, title in titles.items():
        fit = section[key]["fit"]
        parts.append(
            f"### Time against {title}\n\nFit t = {1e3 * fit['intercept']:.3g} ms + {1e9 * fit['slope']:.3g} ns × "
            f"{key}: R² = {fit['r2']:.4f}; t ~ {key}^{fit['exponent']:.2f}."
        )
        points = section[key]["points"] + ([section["depth"]["chain"]] if key == "depth" else [])
        parts.append(_points(points))
    parts.append("Last row of the depth table: a pure chain, each neuron reading the one before.")
    rows = []
    for point in section["windows"]["points"]:
        passes = point["edges"] * point["tiles"] / point["threads"]
        kib = point["reach"] * point["tile"] * 4 / 1024
        rows.append([f"{point['reach']:,}", f"{kib:,.0f}", f"{1e9 * point['engine']['median'] / passes:.2f}",
                     f"{point['flops'] / point['engine']['median'] / 1e9:.0f}"])  # fmt: skip
    parts += [
        "### What bounds it\n\nThe same edges, neurons and fan-in, but sources lie within a window: what an edge costs "
        "when the activations it reads sit in first-level cache (top) or further away (bottom).",
        table(["furthest source", "KiB of activations", "ns an edge, tile and thread", "GFLOP/s"], rows),
    ]
    return parts


def _points(points: list[Json]) -> str:
    levels = any("levels" in point for point in points)
    rows = []
    for point in points:
        own = point["engine"]["median"]
        row = [f"{point['neurons']:,}", f"{point['edges']:,}", f"{point['depth']:,}", ms(own),
               f"{1e9 * own / point['edges']:.1f}"]  # fmt: skip
        if levels:
            row.append(ms(point["levels"]["median"]))
        rows.append(row)
    return table(["neurons", "edges", "depth", "ms", "ns an edge"] + ["levels by hand, ms"] * levels, rows)


def training_tables(section: Json) -> list[str]:
    rows = []
    for row in section["schedules"]:
        sizes = "/".join(map(str, row["sizes"]))
        name = f"{row['name']} ({sizes}, batch {row['batch']})"
        if row["status"] != "measured":
            rows.append([name, row["status"], "—", "—", "—", f"{row['target_seconds']:g}"])
            continue
        sign = "≈ " if row["extrapolated"] else ""
        rows.append(
            [
                name,
                ms(row["fused"]["median"]),
                ms(row["torch"]["median"]),
                times(row["torch"]["median"] / row["fused"]["median"]),
                f"{row['steps']:,} steps: {sign}{row['whole_seconds']:.3g}",
                f"{row['target_seconds']:g}",
            ]
        )
    notes = [
        f"- {row['name']}: {row['data']}; {row['measured_steps']:,} of {row['steps']:,} steps measured"
        f"{', the rest extrapolated at the same pace' if row['extrapolated'] else ''}; {row['cells']:,} cells, live "
        f"edges {row['live'][0]:,} → {row['live'][-1]:,}; first step {1e3 * row['first_step_seconds']:.0f} ms"
        + ("" if row["finite"] else "; **the loss did not stay finite**")
        for row in section["schedules"]
        if row["status"] == "measured"
    ]
    head = ["schedule", "fused step, ms", "torch step, ms", "×", "whole run, s", "target, s"]
    return [
        "## A whole training step: closeness, network, loss terms and Adam",
        table(head, rows),
        "\n".join(notes),
        f"The published MNIST run took {section['published_seconds']:,.0f} s for its 50,000 steps.",
    ]


def _compile(section: Json) -> list[str]:
    live, warm = section["live"], section["warm"]
    rows = [
        ["plan of a new DAG", f"{ms(section['plan_seconds'])} (worst {ms(section['plan_seconds_worst'])})"],
        ["drawing and checking that DAG", ms(section["graph_seconds"])],
        [f"restrict to {live['live']:,} of {live['allowed']:,} edges", ms(live["restrict"]["median"])],
        ["pass with other live edges every time", ms(live["changing"]["median"])],
        ["pass on a DAG of as many edges", ms(live["fixed"]["median"])],
        ["fresh process: import torch", ms(warm["import_torch"])],
        ["fresh process: import the engine", ms(warm["import_nas"])],
        ["fresh process: first pass, kernels on disk", ms(warm["first_pass"])],
        ["the pass after that", ms(warm["second_pass"])],
    ]
    if "cold" in section:
        rows.append(["fresh process: first pass, nothing on disk (once a machine)", ms(section["cold"]["first_pass"])])
    title = f"## Before the first pass: {section['neurons']:,} neurons, {section['edges']:,} edges, batch 128"
    return [title, table(["what", "ms"], rows)]


def _memory(section: Json) -> list[str]:
    rows = []
    for point in section["points"]:
        added = point["peak"] - point["before"]
        rows.append(
            [
                f"{point['neurons']:,}",
                f"{point['edges']:,}",
                f"{added / 2**20:,.0f}",
                f"{point['peak'] / 2**20:,.0f}",
                f"{point['square'] / 2**20:,.0f}",
                f"{1e3 * point['step_seconds']:.3g}",
            ]
        )
    head = ["neurons", "edges", "peak added, MiB", "peak of the process, MiB", "one n × n array would take, MiB",
            "step, ms"]  # fmt: skip
    return [f"## Memory of training with Adam, batch {section['batch']}", table(head, rows)]


def _latency(section: Json) -> list[str]:
    names: list[str] = []
    rows = []
    for cell in section["cells"]:
        onnx = {name: s for name, s in cell["samples"].items() if name.startswith("onnxruntime")}
        best = min(onnx, key=lambda name: onnx[name]["median"], default=None)
        picked = {name: s for name, s in cell["samples"].items() if name not in onnx}
        if best is not None:
            picked["onnxruntime"] = onnx[best]
        names += [name for name in picked if name not in names]
        rows.append((cell, picked))
    body = [
        ["/".join(map(str, cell["sizes"])), f"{cell['edges']:,}", f"{cell['depth']:,}"]
        + [f"{1e6 * picked[name]['median']:.1f}" if name in picked else "—" for name in names]
        for cell, picked in rows
    ]
    return [
        "## Latency of one sample, µs",
        table(["in/comp/out", "edges", "depth", *names], body),
        "onnxruntime: the network as a dense layer for each level (its fastest of four settings); torch dense: two "
        "layers with as many weights as the DAG has edges, and no depth."
        + ("" if section["onnxruntime"] else " **onnxruntime is not installed here.**"),
    ]


def _libraries(section: Json) -> list[str]:
    rows = [[row["name"], row["work"], ms(row["median"]) if "median" in row else row["status"]]
            for row in section["rows"]]  # fmt: skip
    title = (
        f"## Other libraries: {section['neurons']:,} neurons, {section['edges']:,} edges, depth {section['depth']}, "
        f"batch {section['batch']}"
    )
    return [title, table(["library", "work", "ms"], rows)]


_TABLES = {
    "speed": speed_tables,
    "programs": programs_table,
    "linear": _linear,
    "training": training_tables,
    "compile": _compile,
    "memory": _memory,
    "latency": _latency,
    "libraries": _libraries,
}
