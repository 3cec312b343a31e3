"""Tables in Markdown from a file of results: all of them for the results folder, the telling ones for the README."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks._alternatives import AUTOGRAD_LEVELS
from benchmarks._bounds import bound_seconds
from benchmarks._graphs import FAMILIES

__all__ = ["BEGIN", "END", "device_slug", "report", "update_readme"]

BEGIN, END = "<!-- bench:engine -->", "<!-- /bench:engine -->"
Json = dict[str, Any]


def device_slug(processor: str) -> str:
    """A file name of a processor's: "AMD EPYC" is amd-epyc."""
    return re.sub(r"[^a-z0-9]+", "-", processor.lower()).strip("-") or "unknown"


def report(results: Json) -> str:
    """Every section that there is."""
    facts, sections = results["hardware"], results["sections"]
    parts = [
        f"# Engine on {facts['processor']}, {facts['threads']} threads",
        _origin(results)
        + " Times are medians of wall time with quartiles in the JSON file; a training pass is forward and backward "
        "(all weights and biases, not the data), float32, relu, everything in one process with alternating samples.",
    ]
    for name, tables in _TABLES.items():
        if name in sections:
            parts += tables(sections[name])
        if name == "speed" and "speed" in sections and "bounds" in sections:
            parts += _bounds(sections["bounds"], sections["speed"]["cells"])
    return "\n\n".join(parts) + "\n"


def update_readme(path: Path, results: Json) -> str:
    """Write the README's tables between its markers; returns what was done, in words."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if BEGIN not in text or END not in text.partition(BEGIN)[2]:
        return f"{path.name} has no markers {BEGIN} … {END}, so no table was written into it"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{_readme_part(results)}\n{END}{after}", encoding="utf-8")
    return f"wrote the tables of {path.name}"


def _readme_part(results: Json) -> str:
    sections = results["sections"]
    parts = [_origin(results)]
    if "speed" in sections:
        parts.append(_speed_table(sections["speed"]["cells"]))
    if "training" in sections:
        parts += _training(sections["training"])[1:2]
    return "\n\n".join(parts)


def _origin(results: Json) -> str:
    facts, load = results["hardware"], results.get("load_at_start", 0.0)
    return (
        f"Measured on {facts['processor']} with {facts['threads']} threads, {results['date']}, "
        f"commit {results['commit'] or 'unknown'}, torch {facts['torch']}, numba {facts['numba']}."
        + (" Quick run: no numbers to rely on." if results["quick"] else "")
        + (f" **The machine was busy (load {load:.1f}).**" if load > 0.5 * facts["threads"] else "")
    )


def _speed(section: Json) -> list[str]:
    cells = section["cells"]
    parts = ["## Speed of a training pass", _speed_table(cells)]
    lost = [cell for cell in cells if cell["best_ratio"] is not None and cell["best_ratio"] < 1]
    worst = "; ".join(f"{_graph(c)}, batch {c['batch']}: {c['best']} {c['best_ratio']:.2f}×" for c in lost)
    parts.append(
        f"Slower than an alternative in {len(lost)} of {len(cells)} cells{': ' + worst if lost else ''}. "
        "*FLOP rate*: the engine's FLOPs a second as a share of those of one dense torch product (forward, both "
        "gradients) with as many multiplications. *×*: that time over the engine's."
    )
    names = list(section["alternatives"])
    rows = [[_graph(cell), f"{cell['batch']:,}", _ms(cell["engine"]["median"]), _ms(cell["dense"]["median"])]
            + [_alternative(cell["alternatives"].get(name)) for name in names] for cell in cells]  # fmt: skip
    parts += ["### Every alternative, ms", _table(["graph", "batch", "engine", "one dense product", *names], rows)]
    parts.append("\n".join(f"- *{name}*: {about}" for name, about in section["alternatives"].items()))
    parts.append(
        "(1): a single run, as it takes more than 2 s. Variants: "
        + ", ".join(sorted({r["variant"] for c in cells for r in c["alternatives"].values() if "variant" in r}))
        + "; each with one thread of torch and with all. The fastest in each cell counts; the JSON file tells which."
    )
    refused = [f"- {_graph(cell)}, batch {cell['batch']}, {name}: {reason}" for cell in cells
               for name, record in cell["alternatives"].items() for reason in record.get("reasons", [])]  # fmt: skip
    if refused:
        parts += ["### Not run, and why", "\n".join(refused)]
    if section["left_out"]:
        missing = "; ".join(
            f"{FAMILIES[c['family']]} {c['computational']:,}, {c['density']:.1%}, batch {c['batch']}"
            for c in section["left_out"]
        )
        parts.append(f"**Left out, because time was up:** {missing}.")
    return parts


def _bounds(section: Json, cells: list[Json]) -> list[str]:
    """Rates of this processor, and how close each cell comes to them."""
    widths = list(section["reads"])
    kib = [int(point[0]) for point in section["reads"][widths[0]]]
    rates = [
        [f"{size:,}"]
        + [f"{1e9 * section['reads'][w][k][1]:.2f} ({4e-9 * int(w) / section['reads'][w][k][1]:.0f})" for w in widths]
        for k, size in enumerate(kib)
    ]
    overhead = section["empty_pass"]["median"]
    rows = []
    for cell in cells:
        least = bound_seconds(section, cell) if "tile" in cell else None
        if least is None:
            continue
        own = cell["engine"]["median"]
        levels = cell["alternatives"].get(AUTOGRAD_LEVELS, {})
        rows.append(
            [_graph(cell), f"{cell['batch']:,}", f"{cell['tile']} × {cell['tiles']}", str(cell["threads"]),
             f"{4 * cell['tile'] * cell['reach'] / 1024:,.0f}", _ms(own), _ms(least), f"{least / own:.0%}",
             f"{least / max(own - overhead, 1e-9):.0%}",
             _times(levels["median"] / (least + overhead)) if "median" in levels else "—"]
        )  # fmt: skip
    head = ["graph", "batch", "tile × tiles", "threads", "KiB read from", "engine, ms", "bound, ms", "of the bound",
            "without overhead", "level by level × at the bound"]  # fmt: skip
    return [
        "### What bounds it",
        f"One core does {section['gflops']:.0f} GFLOP/s of multiply-adds in registers and reads rows of "
        "activations in random order at these rates, ns a row (GB/s), by how much memory they lie in:",
        _table(["KiB", *(f"rows of {w} samples" for w in widths)], rates),
        "*Bound*: each edge reads one row forward and one backward and does one and two multiply-adds on them; the "
        "slower of reading and multiplying at the rates above, on all threads, is the least that a walk edge by edge "
        "can take. *KiB read from*: how far back nine tenths of the edges read, times the tile. *Without overhead*: "
        f"less what a pass of 100 edges takes ({1e6 * overhead:.0f} µs, nearly all of it torch's autograd and Python; "
        f"one sample without gradients {1e6 * section['empty_forward']['median']:.1f} µs). *Level by level × at the "
        "bound*: what the factor would be if the edges took the bound and the overhead stayed.",
        _table(head, rows),
    ]


def _speed_table(cells: list[Json]) -> str:
    head = ["graph", "edges", "depth", "batch", "engine, ms", "best alternative", "ms", "×", "level by level ×",
            "FLOP rate"]  # fmt: skip
    rows = []
    for cell in cells:
        levels = cell["alternatives"].get(AUTOGRAD_LEVELS, {})
        own = cell["engine"]["median"]
        best = cell["best"]
        rows.append(
            [
                _graph(cell),
                f"{cell['edges']:,}",
                f"{cell['depth']:,}",
                f"{cell['batch']:,}",
                _ms(own),
                best or "—",
                _ms(cell["alternatives"][best]["median"]) if best else "—",
                _times(cell["best_ratio"]),
                _times(levels["median"] / own) if "median" in levels else "—",
                f"{cell['flop_rate_share']:.0%}",
            ]
        )
    return _table(head, rows)


def _alternative(record: Json | None) -> str:
    if record is None:
        return "—"
    if "median" not in record:
        needs = [reason.partition("not run, ")[2] for reason in record.get("reasons", []) if "GiB" in reason]
        return needs[-1] if needs else str(record["status"])
    return _ms(record["median"]) + (" (1)" if record["status"] == "once" else "")


def _graph(cell: Json) -> str:
    return f"{FAMILIES[cell['family']]} {cell['neurons']:,}, {100 * cell['density']:g} %"


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
        _table(["furthest source", "KiB of activations", "ns an edge, tile and thread", "GFLOP/s"], rows),
    ]
    return parts


def _points(points: list[Json]) -> str:
    levels = any("levels" in point for point in points)
    rows = []
    for point in points:
        own = point["engine"]["median"]
        row = [f"{point['neurons']:,}", f"{point['edges']:,}", f"{point['depth']:,}", _ms(own),
               f"{1e9 * own / point['edges']:.1f}"]  # fmt: skip
        if levels:
            row.append(_ms(point["levels"]["median"]))
        rows.append(row)
    return _table(["neurons", "edges", "depth", "ms", "ns an edge"] + ["levels by hand, ms"] * levels, rows)


def _training(section: Json) -> list[str]:
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
                _ms(row["fused"]["median"]),
                _ms(row["torch"]["median"]),
                _times(row["torch"]["median"] / row["fused"]["median"]),
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
        _table(head, rows),
        "\n".join(notes),
        f"The published MNIST run took {section['published_seconds']:,.0f} s for its 50,000 steps.",
    ]


def _compile(section: Json) -> list[str]:
    live, warm = section["live"], section["warm"]
    rows = [
        ["plan of a new DAG", f"{_ms(section['plan_seconds'])} (worst {_ms(section['plan_seconds_worst'])})"],
        ["drawing and checking that DAG", _ms(section["graph_seconds"])],
        [f"restrict to {live['live']:,} of {live['allowed']:,} edges", _ms(live["restrict"]["median"])],
        ["pass with other live edges every time", _ms(live["changing"]["median"])],
        ["pass on a DAG of as many edges", _ms(live["fixed"]["median"])],
        ["fresh process: import torch", _ms(warm["import_torch"])],
        ["fresh process: import the engine", _ms(warm["import_nas"])],
        ["fresh process: first pass, kernels on disk", _ms(warm["first_pass"])],
        ["the pass after that", _ms(warm["second_pass"])],
    ]
    if "cold" in section:
        rows.append(["fresh process: first pass, nothing on disk (once a machine)", _ms(section["cold"]["first_pass"])])
    title = f"## Before the first pass: {section['neurons']:,} neurons, {section['edges']:,} edges, batch 128"
    return [title, _table(["what", "ms"], rows)]


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
    return [f"## Memory of training with Adam, batch {section['batch']}", _table(head, rows)]


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
        _table(["in/comp/out", "edges", "depth", *names], body),
        "onnxruntime: the network as a dense layer for each level (its fastest of four settings); torch dense: two "
        "layers with as many weights as the DAG has edges, and no depth."
        + ("" if section["onnxruntime"] else " **onnxruntime is not installed here.**"),
    ]


def _libraries(section: Json) -> list[str]:
    rows = [[row["name"], row["work"], _ms(row["median"]) if "median" in row else row["status"]]
            for row in section["rows"]]  # fmt: skip
    title = (
        f"## Other libraries: {section['neurons']:,} neurons, {section['edges']:,} edges, depth {section['depth']}, "
        f"batch {section['batch']}"
    )
    return [title, _table(["library", "work", "ms"], rows)]


_TABLES = {
    "speed": _speed,
    "linear": _linear,
    "training": _training,
    "compile": _compile,
    "memory": _memory,
    "latency": _latency,
    "libraries": _libraries,
}


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ms(seconds: float) -> str:
    value = 1e3 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(ratio: float | None) -> str:
    if ratio is None:
        return "—"
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
