"""A whole search through the command line, with a budget in process seconds: what the reference is compared with.

The job names its data, its budget and where it runs (in one process, one thread), and nothing else: space, strategy and
training are the service's defaults, unless ``--set`` says otherwise. The budget of a search is wall time, which is its
process time where a core is free; how much process time the whole command took, imports and timing at the end
included, is kept with the result.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks._reference_sets import Set

__all__ = ["job", "search", "study_front"]

Json = dict[str, Any]
_NAS: Final = (sys.executable, "-c", "from nas.cli import main; main()")
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_ROOT: Final = Path(__file__).parents[1]


def job(found: Set, seed: int, seconds: float, store: Path) -> Json:
    """A job file's content: data, budget, and where it runs.

    Args:
        found: the set.
        seed: of the split and of the search.
        seconds: budget.
        store: folder of the study.
    """
    return {
        "data": found.data | {"seed": seed},
        "search": {"budget_minutes": seconds / 60, "seed": seed},
        "resources": {"executor": "serial"},
        "tracking": {"experiment": f"{found.name}-{seed}", "store": str(store), "mlflow": False},
    }


def search(found: Set, seed: int, seconds: float, folder: Path, settings: Sequence[str] = ()) -> Json:
    """Run a search; its front and what it took.

    Args:
        found: the set.
        seed: of the split and of the search.
        seconds: budget, as process time of one thread.
        folder: of job file and study; there must be no study of this set and seed in it.
        settings: ``path.to.key=value`` each, which replace values of the job.

    Raises:
        RuntimeError: the search failed; its last lines are in the message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = job(found, seed, seconds, folder)
    path = folder / f"{found.name}-{seed}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    wall, before = time.perf_counter(), _children_seconds()
    _nas("search", str(path), *(word for setting in settings for word in ("--set", setting)))
    process, wall = _children_seconds() - before, time.perf_counter() - wall
    front, counts = study_front(folder, content["tracking"]["experiment"])
    return {
        "set": found.name,
        "seed": seed,
        "budget_seconds": round(seconds, 1),
        "process_seconds": round(process, 1),
        "wall_seconds": round(wall, 1),
        "trials": counts,
        "settings": list(settings),
        "front": front,
    }


def study_front(store: Path, experiment: str) -> tuple[list[list[float]], dict[str, int]]:
    """(edges, val_error, test_error) of the members of a study's front, and how many of its trials ended how."""
    found = json.loads(_nas("front", experiment, "--json", "--store", str(store)))
    rows = (row["metrics"] for row in found["front"])
    front = [[metrics[name] for name in ("edges", "val_error", "test_error")] for metrics in rows]
    return sorted(front), found["trials"]


def _nas(*arguments: str) -> str:
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | _ONE_THREAD | {"PYTHONPATH": path}
    done = subprocess.run([*_NAS, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise RuntimeError(f"nas {' '.join(arguments)} ended with {done.returncode}:\n{last}")
    return done.stdout


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
