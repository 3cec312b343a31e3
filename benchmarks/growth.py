"""Can a search build a network from nothing? XOR, parity of four bits and two spirals: ``make bench-growth``.

The space holds no hidden neuron (`n_computational: 0`), so the first networks are linear models, which solve none of
the three; every neuron has to come by growth. A seed counts as solved when a network has a test accuracy of at least
97 %.

Each task and seed has a budget of process time on one thread. The truth tables are their own validation and test parts:
the question is whether the function is found, not whether it generalises. Of the spirals, a fifth each is kept for
validation and testing. Writes growth.md and .json to ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._kept import publish
from benchmarks._process_budget import search
from benchmarks._tables import table
from nas.search import SpaceConfig
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus, hardware, pinned_threads

__all__ = ["SOLVED", "TASKS", "Task", "grow", "main", "report"]

Json = dict[str, Any]
RESULTS: Final = Path(__file__).parent / "results"
SOLVED: Final = 0.03  # test error of a network that solves its task


@dataclass(frozen=True, slots=True)
class Task:
    """A function that no linear model is near, and the smallest network that is known to compute it."""

    name: str
    dataset: Callable[[], Dataset]
    edges: int
    neurons: int
    known: str  # where the smallest is from


def _dataset(name: str, x: np.ndarray, y: np.ndarray, parts: Sequence[np.ndarray]) -> Dataset:
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    y = y.astype(np.int64)
    rows = [(x[part], y[part]) for part in parts]
    return Dataset(name, "classification", *rows[0], *rows[1], *rows[2], classes=("0", "1"))


def _bits(count: int, repeats: int) -> Dataset:
    """The truth table of the parity of some bits; its training part holds every row so many times."""
    x = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    rows = np.arange(len(x))
    return _dataset(f"parity of {count} bits", x.astype(float), x.sum(axis=1) % 2, [np.tile(rows, repeats), rows, rows])


def _spirals(samples: int = 1000) -> Dataset:
    """Two arms of one and a half turns each, evenly filled, without noise."""
    rng = np.random.default_rng(0)
    turn, arm = 3 * np.pi * np.sqrt(rng.random(samples)), rng.integers(0, 2, samples)
    angle = turn + np.pi * arm
    x = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1)
    rows = np.random.default_rng(1).permutation(samples)
    return _dataset("spirals", x, arm, np.split(rows, [round(0.6 * samples), round(0.8 * samples)]))


# Outputs are two, one a class, and each must be reached: one edge more than the literature's single output needs.
TASKS: Final[dict[str, Task]] = {
    task.name: task
    for task in (
        Task(
            "xor",
            lambda: _bits(2, 16),
            4,
            1,
            "none is smaller: both inputs into one neuron that is not monotone, such as SiLU, and an edge into each "
            "output; of monotone neurons 6 edges and 1 neuron (Rumelhart 1986)",
        ),
        Task(
            "parity",
            lambda: _bits(4, 8),
            15,
            2,
            "two monotone neurons and shortcuts (Minor 1993), and an edge into the second output; neurons that are not "
            "monotone may need fewer",
        ),
        Task(
            "spirals",
            _spirals,
            105,
            12,
            "the smallest of cascade correlation on other spirals, of three turns (Fahlman 1990), and an edge into the "
            "second output",
        ),
    )
}


def grow(task: Task, seed: int, seconds: float, *, until_solved: bool = False, steps: int | None = None) -> Json:
    """One search from an empty network; which networks solve the task, and when the first did.

    Args:
        task: of `TASKS`.
        seed: of the search.
        seconds: budget, process time.
        until_solved: end with the first network that solves it.
        steps: of a training, where they are to be stated.
    """
    solvers: list[Json] = []
    grown = 0

    def seen(candidate: Candidate, result: TrialResult, spent: float) -> None:
        nonlocal grown
        grown += candidate.genome.dag.n_computational > 0
        metrics = result.metrics
        if result.status is TrialStatus.COMPLETE and metrics["test_error"] <= SOLVED:
            found = {"trial": result.number, "seconds": round(spent, 2)}
            solvers.append(found | {name: int(metrics[name]) for name in ("edges", "neurons")})

    done = search(
        task.dataset(),
        seed,
        seconds,
        space=SpaceConfig(options={"n_computational": 0}),
        training=TrainingConfig() if steps is None else TrainingConfig(steps=steps),
        seen=seen,
        enough=lambda: until_solved and bool(solvers),
    )
    return {
        "task": task.name,
        "seed": seed,
        "budget_seconds": seconds,
        "process_seconds": round(done.seconds, 1),
        "trials": done.trials,
        "with_neurons": grown,
        "failed": len(done.failed),
        "first": solvers[0] if solvers else None,
        "smallest": min(solvers, key=lambda found: (found["edges"], found["neurons"])) if solvers else None,
        "fewest_neurons": min((found["neurons"] for found in solvers), default=None),
    }


def report(records: Sequence[Json]) -> str:
    """The results in Markdown."""
    title, *said = (part.replace("\n", " ") for part in (__doc__ or "").split("\n\n"))
    rows = []
    for name, task in TASKS.items():
        own = [record for record in records if record["task"] == name]
        if not own:
            continue
        solved = [record for record in own if record["first"]]
        smallest = min((r["smallest"]["edges"] for r in solved), default=None)
        rows.append(
            [
                name,
                f"{len(solved)} of {len(own)}",
                _spread([record["first"]["trial"] + 1 for record in solved], "{:.0f}"),
                _spread([record["first"]["seconds"] for record in solved], "{:.1f}"),
                "—" if smallest is None else f"{smallest}",
                _spread([record["smallest"]["edges"] for record in solved], "{:.0f}"),
                "—" if not solved else f"{min(record['fewest_neurons'] for record in solved)}",
                f"{task.edges} edges, {task.neurons} neuron{'s' if task.neurons > 1 else ''}",
            ]
        )
    head = ["task", "seeds solved", "trials to the first", "process seconds to the first", "fewest edges"]
    head += ["fewest edges of a seed", "fewest neurons", "smallest known"]
    budgets = ", ".join(f"{seconds:g} s" for seconds in sorted({record["budget_seconds"] for record in records}))
    lines = ["# Growth from an empty network", title.partition(":")[0] + ".", *said, table(head, rows)]
    lines += ["Numbers of several seeds: median (least to most)." + f" Budget of a seed: {budgets}."]
    lines += ["\n".join(f"- {task.name}: {task.known}." for task in TASKS.values())]
    return "\n\n".join(lines) + "\n"


def _spread(values: Sequence[float], form: str) -> str:
    if not values:
        return "—"
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{form.format(middle)} ({form.format(least)} to {form.format(most)})"


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of process time a seed (default: 15)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of growth.md and growth.json")
    options = parser.parse_args(arguments)
    records = []
    with pinned_threads(1):
        for name in options.tasks:
            grow(TASKS[name], 0, 0.1, steps=20)  # compile what a process compiles at its first use
            for seed in range(options.seeds):
                record = grow(TASKS[name], seed, options.seconds)
                records.append(record)
                print(json.dumps(record), flush=True)
    page = report(records)
    publish(options.out, "growth", {"hardware": hardware(1)}, records, page)
    print(page)


if __name__ == "__main__":
    main()
