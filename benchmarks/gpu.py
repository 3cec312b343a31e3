"""The engine on an NVIDIA GPU against every other way to run and train a DAG there: ``make bench-gpu``.

    python -m benchmarks.gpu              all of it, some minutes; results/<device>.json and .md
    python -m benchmarks.gpu --host       only what the processor does a candidate; needs no GPU
    python -m benchmarks.gpu --simulate   every part once, tiny, on the simulator: no figure of it means anything

Without a usable GPU it says why and ends with status 2. Device time between events, warm, medians; what is trained is
timed by the wall clock, from the call to the last report.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._gpu_host import host
from benchmarks._gpu_passes import passes, peaks
from benchmarks._gpu_training import recipe, schedule, small_data, throughput
from benchmarks._report import device_slug
from nas.engine.cuda import GPU, SimulatedGPU, gpu_of, why_no_gpu
from nas.training import hardware

RESULTS = Path(__file__).parent / "results"
# Sizes, density, batch.
GRAPHS: list[tuple[tuple[int, int, int], float, int]] = [
    ((784, 206, 10), 0.03, 128),
    ((784, 206, 10), 0.27, 128),
    ((64, 1000, 10), 0.02, 128),
    ((64, 1000, 10), 0.10, 128),
    ((784, 206, 10), 0.03, 4096),
    ((64, 1000, 10), 0.02, 4096),
]
OTHERS = {
    "levels": "masked product a level",
    "sparse": "torch.sparse a level",
    "compiled": "torch.compile of the levels",
    "graphed": "CUDA graph of the levels",
}
TINY: list[tuple[tuple[int, int, int], float, int]] = [((12, 20, 3), 0.3, 40)]


def main(arguments: list[str] | None = None) -> int:
    """Status 0: measured, 2: no GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulate", action="store_true", help="every part, tiny, without a GPU")
    parser.add_argument("--host", action="store_true", help="only what the processor does a candidate")
    parser.add_argument("--population", type=int, default=1000, help="candidates trained at once")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    if options.host:
        print("\n".join(_host_table(hosts(options.population, tiny=False))))
        return 0
    if options.simulate:
        gpu: GPU = SimulatedGPU()
    elif (reason := why_no_gpu()) is not None:
        print(f"no GPU to measure: {reason}; --simulate runs every part without one", file=sys.stderr)
        return 2
    else:
        gpu = gpu_of(0)
    results = measured(gpu, options.population if not options.simulate else 3, tiny=options.simulate)
    text = report(results)
    print(text)
    if not options.simulate:
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / f"{device_slug(gpu.name)}.json"
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
        print(f"written: {path} and .md")
    return 0


def measured(gpu: GPU, population: int, *, tiny: bool) -> dict[str, Any]:
    """All sections; one that fails says so, and the others are measured all the same."""
    results: dict[str, Any] = {
        "device": gpu.name,
        "simulated": tiny,
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware(),
    }

    def section(name: str, work: Callable[[], Any]) -> None:
        print(f"… {name}", file=sys.stderr, flush=True)
        try:
            results[name] = work()
        except Exception as error:
            if tiny:
                raise
            results[name] = {"error": f"{type(error).__name__}: {error}"}
            print(f"{name}: {results[name]['error']}", file=sys.stderr)

    section("peaks", lambda: peaks(gpu, 256 if tiny else 8192))
    limit = (
        results["peaks"] if "flops" in results["peaks"] else {"flops": float("nan"), "bytes_per_second": float("nan")}
    )
    section("passes", lambda: [passes(gpu, *graph, limit) for graph in (TINY if tiny else GRAPHS)])
    section("schedule", lambda: schedule(gpu, population, 4 if tiny else 5_000, tiny=tiny))
    section("host", lambda: hosts(population, tiny=tiny))
    section("recipe", lambda: recipe(gpu, 2 if tiny else 256, 150 if tiny else 2_000))
    section("throughput", lambda: throughput(gpu, population, 5 if tiny else 1_000, 1 if tiny else 4))
    return results


def hosts(population: int, *, tiny: bool) -> list[dict[str, Any]]:
    """What the processor does a candidate, the GPU left out."""
    data = small_data()[0]
    sizes = [(10, 200)] if tiny else [(60, 1_500), (200, 6_000)]
    return [host(data, population, size, kind) for size in sizes for kind in ("free", "masked")]


def report(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = [f"# {results['device']}", "", f"Taken {results['taken']}, `make bench-gpu`.", ""]
    if results["simulated"]:
        lines = ["# Simulated: no figure here means anything", ""]
    peak, run, rate, cut = (results[name] for name in ("peaks", "schedule", "throughput", "recipe"))
    if "flops" in peak:
        copied, multiplied = peak["bytes_per_second"] / 1e9, peak["flops"] / 1e12
        lines += [f"Reached by torch: {copied:,.0f} GB/s copied, {multiplied:.1f} TFLOP/s of a float32 product.", ""]
    if isinstance(results["passes"], list):
        lines += ["Forward and backward, milliseconds of device time; shares are of what torch reaches.", ""]
        lines += ["| graph | edges | depth | batch | engine | " + " | ".join(OTHERS.values()) + " | TFLOP/s | GB/s |"]
        lines += ["|---" * (7 + len(OTHERS)) + "|", *map(_row, results["passes"]), ""]
    if "one_seconds" in run:
        lines += [
            f"The published MNIST schedule ({run['published_seconds']:,.0f} s for 50,000 steps as published), from "
            f"{run['steps']:,} steps of one candidate and a tenth of them of many:",
            f"one candidate {run['one_seconds']:.1f} s (target: 15 s);",
            f"{run['population']:,} at once {run['many_seconds']:,.0f} s in {run['waves']} waves of multiprocessors, "
            f"{run['many_per_wave_of_one']:.1f} times the time of one a wave (target: 5).",
            "",
        ]
    if isinstance(results["host"], list):
        lines += ["Milliseconds of one processor thread a candidate, the GPU left out:", ""]
        lines += [*_host_table(results["host"]), ""]
    if "gpu_seconds" in cut:
        lines += [
            f"Trained as a search's first candidates are ({cut['edges']:,} edges with noise on the inputs, cut to "
            f"{cut['cut_to']} in {cut['steps']:,} steps), wall seconds a candidate: "
            f"{cut['gpu_seconds'] / cut['population']:.3f} ({cut['population']} in one call), "
            f"{cut['few_gpu_seconds'] / cut['few']:.3f} ({cut['few']} in one call); on one thread of this machine's "
            f"processor {cut['few_processor_seconds'] / cut['few']:.3f}.",
            "",
        ]
    if "per_minute" in rate:
        each = rate["per_minute"]
        lines += [
            f"Candidates of {rate['edges']:,} edges and {rate['steps']:,} steps trained a minute: "
            f"{each['together']:,.0f} ({rate['population']:,} in one call), {each['alone']:,.0f} (one after another), "
            f"{each['process']:,.0f} (a process each)."
        ]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    taken = row["seconds"]
    cells = [_milliseconds(taken.get(kind)) for kind in ("engine", *OTHERS)]
    cells.append(f"{row['flops'] / 1e12:.3f} ({row['flops_share']:.1%})")
    cells.append(f"{row['bytes_per_second'] / 1e9:.1f} ({row['bytes_share']:.1%})")
    graph = f"{'/'.join(map(str, row['sizes']))}, {row['density']:.0%}"
    return f"| {graph} | {row['edges']:,} | {row['depth']} | {row['batch']} | {' | '.join(cells)} |"


def _host_table(rows: list[dict[str, Any]]) -> list[str]:
    head = "| candidates | edges | parametrisation | drawing the DAG | its network | around the launch |"
    return [head, "|---|---|---|---|---|---|", *map(_host_row, rows)]


def _host_row(row: dict[str, Any]) -> str:
    cells = [f"{1e3 * row[part]:.2f}" for part in ("dags", "networks", "training")]
    return f"| {row['population']:,} | {row['edges']:,} | {row['parametrisation']} | {' | '.join(cells)} |"


def _milliseconds(seconds: Any) -> str:
    return "–" if seconds is None else f"{1e3 * seconds:.3g}" if isinstance(seconds, float) else str(seconds)


if __name__ == "__main__":
    sys.exit(main())
