"""What the shipped jobs find, seed by seed. ``python -m benchmarks.jobs examples/digits.yaml --seeds 1 2 3 4 5``

Runs ``nas search`` on a job as a user does, with another split and another search for every seed, and reads from each
front the member that validation prefers among those with at most so many edges: its error on the test part. The
machine must be idle, for the budgets are minutes. A seed whose study is finished in the store is not repeated. Writes
``benchmarks/results/jobs.json`` and ``.md``, with the jobs that are there already.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._reference_score import members_at, points_of
from benchmarks._tables import table
from nas.search import StudyStore
from nas.training import hardware

__all__ = ["main", "report", "run"]

Json = dict[str, Any]
_ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = _ROOT / "benchmarks" / "results" / "jobs"
SIZES: Final = {"digits": (950, 450, 234, 150, 90), "mnist": (5776, 3100, 2000, 1000, 500)}  # edges


def run(job: Path, seed: int, store: Path) -> Json:
    """One search; the front's (edges, validation error, test error), how many trials and how long.

    Raises:
        CalledProcessError: the search failed.
    """
    name = f"{job.stem}-{seed}"
    seconds = 0.0
    if not StudyStore.exists(store, name):
        settings = [f"data.seed={seed}", f"search.seed={seed}"]
        settings += [f"tracking.experiment={name}", f"tracking.store={store}"]
        command = [sys.executable, "-c", "from nas.cli import main; main()", "search", str(job)]
        began = time.perf_counter()
        subprocess.run([*command, *(word for each in settings for word in ("--set", each))], check=True, cwd=_ROOT)
        seconds = time.perf_counter() - began
    study = StudyStore.open(store, name)
    front = points_of(study.front())
    return {"job": job.stem, "seed": seed, "trials": len(study.records()), "seconds": seconds, "front": front}


def report(found: Json) -> str:
    """The results as Markdown."""
    parts = ["# What the shipped jobs find", (__doc__ or "").split("\n\n")[1].replace("\n", " ")]
    for name in sorted({entry["job"] for entry in found["runs"]}):
        runs = [entry for entry in found["runs"] if entry["job"] == name]
        sizes = SIZES[name]
        errors = []
        for entry in runs:
            chosen = members_at(entry["front"], sizes)
            errors.append([100 * member.test_error if member else np.nan for member in chosen])
        rows = [
            [str(entry["seed"]), str(entry["trials"]), *(f"{error:.2f}" for error in own)]
            for entry, own in zip(runs, errors, strict=True)
        ]
        if len(rows) > 1:
            rows.append(["mean", "", *(f"**{error:.2f}**" for error in np.mean(errors, axis=0))])
        parts += [
            f"## {name}: test error, %, of the best by validation with at most so many edges",
            table(["seed", "trials", *(f"{size:,}" for size in sizes)], rows),
        ]
    machine = found["hardware"]
    parts.append(f"{machine['processor']}, {machine['cores']} cores, {found['date']}, commit {found['commit']}.")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path, help=f"one of examples/{{{','.join(SIZES)}}}.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--store", type=Path, default=_ROOT / "build" / "jobs", help="where studies are kept")
    options = parser.parse_args()
    if options.job.stem not in SIZES:
        parser.error(f"{options.job}: sizes are known for {', '.join(SIZES)}")
    os.environ.pop("NAS_STORAGE", None)
    runs = [run(options.job.resolve(), seed, options.store.resolve()) for seed in options.seeds]
    path = RESULTS.with_suffix(".json")
    known = json.loads(path.read_text())["runs"] if path.exists() else []
    said = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=_ROOT, capture_output=True, text=True)
    found = {
        "hardware": dict(hardware(1)),
        "date": time.strftime("%Y-%m-%d"),
        "commit": said.stdout.strip(),
        "runs": [entry for entry in known if entry["job"] != options.job.stem] + runs,
    }
    path.write_text(json.dumps(found, indent=1) + "\n")
    RESULTS.with_suffix(".md").write_text(report(found))
    print(report(found))


if __name__ == "__main__":
    main()
