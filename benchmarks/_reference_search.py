"""A search whose budget is a multiple of the reference's process time: what the reference is compared with.

The job names its data and its budget, and nothing else: space, strategy and training are the service's defaults, unless
``--set`` says otherwise. Budget and spending are process time, as the reference's is, so that a busy machine does not
take trials away; that the service's own budget is wall time makes no difference where a core is free.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks._process_budget import search as search_within
from benchmarks._reference_score import points_of
from benchmarks._reference_sets import Set, load
from nas.job import Job

__all__ = ["job", "search"]

Json = dict[str, Any]


def job(found: Set, seed: int, seconds: float) -> Json:
    """A job file's content: data and budget.

    Args:
        found: the set.
        seed: of the split and of the search.
        seconds: budget.
    """
    return {
        "data": found.data | {"seed": seed},
        "search": {"budget_minutes": seconds / 60, "seed": seed},
        "tracking": {"experiment": f"{found.name}-{seed}"},
    }


def search(found: Set, seed: int, seconds: float, folder: Path, settings: Sequence[str] = ()) -> Json:
    """Run a search; its front and what it took.

    Args:
        found: the set.
        seed: of the split and of the search.
        seconds: budget, as process time of one thread.
        folder: for the job file.
        settings: ``path.to.key=value`` each, which replace values of the job.

    Raises:
        JobError: a setting does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.name}-{seed}.yaml"
    path.write_text(yaml.safe_dump(job(found, seed, seconds), sort_keys=False))
    asked = Job.from_yaml(path, settings, environment=False)
    dataset = load(found.name, seed)
    wall = time.perf_counter()
    done = search_within(
        dataset,
        seed,
        seconds,
        strategy=asked.search.strategy,
        options=asked.search.options,
        space=asked.space,
        training=asked.training,
    )
    return {
        "set": found.name,
        "seed": seed,
        "budget_seconds": round(seconds, 1),
        "process_seconds": round(done.seconds, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "trials": {"complete": done.trials, "failed": len(done.failed)},
        "settings": list(settings),
        "estimated": points_of(done.front, "shown_error"),  # what the front shows: by this its users choose
        "front": points_of(done.front),  # to compare with a choice by the plain validation error
    }
