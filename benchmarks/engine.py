"""Every number of the engine in one run: ``make bench``, or ``python -m benchmarks.engine``.

Sections: what a DAG adds to programs of torch; speed of a training pass against the alternatives; linearity of its
cost; a whole training step, fused; compile times; memory; latency; other libraries; what bounds it. Results go to
``benchmarks/results/<processor>.json`` after every section (and every cell of the first), then tables (``.md``, and
README.md between its markers) and plots are made from that file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks._bounds import bounds
from benchmarks._compile import compile_times
from benchmarks._latency import latency
from benchmarks._libraries import libraries
from benchmarks._linear import linear
from benchmarks._memory import memory
from benchmarks._plots import draw
from benchmarks._programs import programs
from benchmarks._progress import Progress
from benchmarks._readme import update_readme
from benchmarks._report import device_slug, report
from benchmarks._speed import speed
from benchmarks._training import training
from nas.training import hardware, pinned_threads, reference_kernel_seconds

__all__ = ["main"]

_ROOT = Path(__file__).parents[1]
_MINUTES = 14.0

Section = Callable[[Progress, bool], dict[str, Any]]
# The grid of the speed section comes last and takes the time that is left; what bounds it is measured just before.
_SECTIONS: dict[str, tuple[str, Section]] = {
    "programs": ("what a DAG adds to programs of torch", programs),
    "compile": ("compile time and first call", compile_times),
    "training": ("a whole training step, fused", training),
    "latency": ("latency of one sample", latency),
    "memory": ("memory of training", memory),
    "linear": ("linear cost", linear),
    "libraries": ("other libraries", libraries),
    "bounds": ("what bounds it: arithmetic and caches", bounds),
}
_SPEED = "speed"


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny grid in less than a minute, into build/benchmarks")
    parser.add_argument(
        "--only", nargs="+", choices=[*_SECTIONS, _SPEED], help="sections to run; others are kept from the file"
    )
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads (default: %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=float, default=_MINUTES, help="stop starting cells then (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, help="folder of the results; README.md is then left alone")
    parser.add_argument("--report", action="store_true", help="only make the tables and plots of the present results")
    chosen = parser.parse_args(arguments)
    folder = chosen.output or (_ROOT / "build/benchmarks" if chosen.quick else _ROOT / "benchmarks/results")
    folder.mkdir(parents=True, exist_ok=True)
    facts = hardware(chosen.threads)
    path = folder / f"{device_slug(str(facts['processor']))}.json"
    if not chosen.report:
        _run(path, facts, chosen.quick, chosen.only or [*_SECTIONS, _SPEED], chosen.threads, chosen.minutes)
    results = json.loads(path.read_text(encoding="utf-8"))
    text = report(results)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    plots = draw(results, folder)
    print(text)
    for written in (path, path.with_suffix(".md"), *plots):
        print(f"wrote {written}")
    if chosen.output is None and not results["quick"] and "speed" in results["sections"]:
        print(update_readme(_ROOT / "README.md", results))


def _run(path: Path, facts: dict[str, Any], quick: bool, only: list[str], threads: int, minutes: float) -> None:
    results: dict[str, Any] = {"sections": {}}
    if len(only) <= len(_SECTIONS) and path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
    progress = Progress(60 * minutes)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5 * (os.cpu_count() or 1):
        # Two threads of torch that wait for each other while others run are a hundred times slower than one.
        progress.say(f"WARNING: the machine is busy (load {load:.1f}); the times will not be worth keeping")

    def save(name: str, start: float, values: dict[str, Any]) -> None:
        """Write the file anew: nothing measured is lost when the run is ended."""
        results["sections"][name] = values | {
            "section_seconds": progress.seconds() - start,
            "reference_kernel_seconds": reference_kernel_seconds(threads),
        }
        results.update(
            {
                "format": 1,
                "quick": quick,
                "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                "commit": _commit(),
                "hardware": facts,
                "load_at_start": load,
                "seconds": progress.seconds(),
            }
        )
        scratch = path.with_suffix(".tmp")
        scratch.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        scratch.replace(path)

    with pinned_threads(threads):
        for name, (title, section) in _SECTIONS.items():
            if name in only:
                progress.say(title)
                start = progress.seconds()
                save(name, start, section(progress, quick))
        if _SPEED in only:
            progress.say("speed of a training pass")
            start = progress.seconds()
            save(_SPEED, start, speed(progress, quick, lambda values: save(_SPEED, start, values)))
    progress.say("done")


def _commit() -> str:
    """Short name of the commit that was measured, with a + when files had been changed since; "" outside of git."""
    try:
        command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty=+", "--match="]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


if __name__ == "__main__":
    main()
