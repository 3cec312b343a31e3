"""What rungs are worth: the same searches with and without successive halving, ``make bench-rungs``.

Each search trains until its trials have done a budget of optimiser steps; the front's hypervolume (validation error
against edges, on the scales of every study; edges rather than time, so that a busy machine cannot blur it) is written
down after every trial with the steps and the process time so far. So one run answers both questions: how good is the
front after equally many steps, and after equal process time, which also counts what a trial costs besides training
(evaluation and timing).

Prints a line a run, keeps them in ``build/rungs``; ``--table`` writes ``benchmarks/results/rungs.md`` from all of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from nas.search import (
    HalvingConfig,
    SearchConfig,
    SerialExecutor,
    SpaceConfig,
    StudyStore,
    load_space,
    make_strategy,
    run_search,
)
from nas.training import Candidate, DataConfig, TrainingConfig, TrialResult, load_data

__all__ = ["main", "run", "table"]

Json = dict[str, Any]
_ROOT = Path(__file__).parents[1]
RUNS = _ROOT / "build" / "rungs"
RESULTS = _ROOT / "benchmarks" / "results"

TASKS: Final = {
    "digits": (DataConfig(source="digits"), TrainingConfig(steps=1000, batch_size=64), 40_000),
    "mnist-small": (DataConfig(source="mnist", samples=10_000), TrainingConfig(steps=500), 10_000),
}
OBJECTIVES: Final = ("error", "edges")
SPACE: Final = SpaceConfig(name="manifold", options={"n_computational": [50, 200], "density": [0.02, 0.3]})
WAYS: Final = {
    "none": ((), HalvingConfig()),
    "halving": ((0.1, 0.3), HalvingConfig()),
    "hard": ((0.05, 0.2), HalvingConfig(keep=0.34)),
}


def run(task: str, strategy: str, way: str, seed: int) -> Json:
    """One search; a record with its trace of (steps, process seconds, hypervolume, best error) by trial."""
    data, training, budget = TASKS[task]
    rungs, halving = WAYS[way]
    dataset = load_data(data)
    training = training.model_copy(update={"rungs": rungs})
    space = load_space(SPACE, dataset)
    with tempfile.TemporaryDirectory() as folder:
        store = StudyStore.create(folder, "study", objectives=OBJECTIVES, seed=seed)
        search = SearchConfig(strategy=strategy, seed=seed, objectives=OBJECTIVES)
        chooser = make_strategy(search, space, training, store)
        trace: list[tuple[int, float, float, float]] = []
        steps, began, wall = 0, time.process_time(), time.monotonic()

        def note(candidate: Candidate, result: TrialResult) -> None:
            nonlocal steps
            steps += candidate.steps if result.steps is None else result.steps
            front = store.front()
            best = front.members[0].values[0] if len(front) else 1.0
            trace.append((steps, time.process_time() - began, front.hypervolume, best))

        executor = SerialExecutor(dataset, training)
        run_search(chooser, executor, store, trials=10**6, budget_steps=budget, halving=halving, on_result=note)
        counts = store.counts()
    return {
        "task": task,
        "strategy": strategy,
        "way": way,
        "seed": seed,
        "counts": counts,
        "wall": round(time.monotonic() - wall, 1),
        "trace": [(s, round(t, 3), round(h, 5), round(b, 5)) for s, t, h, b in trace],
    }


def at(trace: list[list[float]], column: int, budget: float) -> tuple[float, float]:
    """Hypervolume and best error when `column` (0: steps, 1: process seconds) had reached `budget`."""
    before = [point for point in trace if point[column] <= budget] or trace[:1]
    return before[-1][2], before[-1][3]


def table(records: list[Json]) -> str:
    """The comparison in Markdown: means and deviations over seeds, differences from no rungs seed by seed."""
    lines = [
        "| task | search | rungs | seeds | trials (complete) | hypervolume, equal steps | − none | "
        "hypervolume, equal process time | − none | best validation error, equal time |",
        "| --- | --- | --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    runs = {(r["task"], r["strategy"], r["way"], r["seed"]): r for r in records}
    for task, strategy in itertools.product(TASKS, ("random", "evolution", "optuna")):
        seeds = sorted({seed for t, s, w, seed in runs if (t, s, w) == (task, strategy, "none")})
        for way in WAYS:
            mine = [seed for seed in seeds if (task, strategy, way, seed) in runs]
            if not mine:
                continue
            by_steps, by_time, error, plus_steps, plus_time = [], [], [], [], []
            for seed in mine:
                pair = [runs[task, strategy, w, seed]["trace"] for w in ("none", way)]
                steps = min(trace[-1][0] for trace in pair)
                seconds = min(trace[-1][1] for trace in pair)
                (a, _), (b, _) = (at(trace, 0, steps) for trace in pair)
                (c, _), (d, e) = (at(trace, 1, seconds) for trace in pair)
                by_steps.append(b)
                plus_steps.append(b - a)
                by_time.append(d)
                plus_time.append(d - c)
                error.append(e)
            counts = [runs[task, strategy, way, seed]["counts"] for seed in mine]
            ended = statistics.mean(sum(c.values()) for c in counts)
            complete = statistics.mean(c["complete"] for c in counts)
            shares = [f"{100 * share:g} %" for share in WAYS[way][0]]
            name = "none" if not shares else f"{', '.join(shares)}, keep {WAYS[way][1].keep:g}"
            lines.append(
                f"| {task} | {strategy} | {name} | {len(mine)} | {ended:.0f} ({complete:.0f}) | {_spread(by_steps)} | "
                f"{_spread(plus_steps, sign=True)} | {_spread(by_time)} | {_spread(plus_time, sign=True)} | "
                f"{100 * statistics.mean(error):.2f} % |"
            )
    return "\n".join(lines)


def _spread(values: list[float], *, sign: bool = False) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{'+' if sign else ''}.4f} ± {deviation:.4f}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--strategies", nargs="+", default=["random", "evolution"])
    parser.add_argument("--ways", nargs="+", default=["none", "halving"], choices=list(WAYS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--table", action="store_true", help="only write the table from what is in build/rungs")
    options = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    if not options.table:
        for seed, task, strategy, way in itertools.product(
            range(options.seeds), options.tasks, options.strategies, options.ways
        ):
            path = RUNS / f"{task}-{strategy}-{way}-{seed}.json"
            if path.exists():
                continue
            record = run(task, strategy, way, seed)
            path.write_text(json.dumps(record))
            last = record["trace"][-1]
            print(f"{path.stem}: {record['counts']}, {record['wall']} s, {last}", flush=True)
    records = [json.loads(path.read_text()) for path in sorted(RUNS.glob("*.json"))]
    text = table(records)
    print(text)
    if options.table:
        head = "# Rungs: what successive halving is worth\n\n" + (__doc__ or "").split("\n\n")[1] + "\n\n"
        (RESULTS / "rungs.md").write_text(head + text + "\n")


if __name__ == "__main__":
    main()
