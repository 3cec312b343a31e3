"""What a search is worth: ``make bench-search`` compares it with its alternatives at equal budgets.

Every method spends a budget (training steps, and process time including everything the method does besides) through
the same trainer and the same clock. Its front is chosen by validation error and the time measured during the run; when
all runs are done, the members' inference is timed again, side by side with two anchors, and the hypervolume of (test
error, process time) is what the method is worth. Both axes are logarithmic: the error from that of knowing nothing (1)
to a hundredth of it (0), the time from that of the large network (1) to that of a network with one edge an output (0);
worse than 1 counts as nothing. A budget in seconds counts the networks that were ready by then, one in steps likewise.

Processes of one thread, each pinned to a core of its own, share out the runs: all methods of a data set and seed go to
the same process, and what counts is the process's own time. Runs are kept in ``build/search`` and not repeated, so the
command can be stopped and started again; it ends by writing ``benchmarks/results/search.{json,md,png}`` from all of
them (``--table`` does nothing else).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._kept import keep
from benchmarks._search_methods import ABLATIONS, ALTERNATIVES, METHODS, SPARSE, WITH_RUNGS, Meter, Network, wanted
from benchmarks._search_score import draw, lead, pairs, table
from benchmarks._search_tasks import TASKS, Task
from nas.checkpoint import load_arrays, save_arrays
from nas.graph import DAG
from nas.manifold import ManifoldNetwork
from nas.search import Front, FrontMember, Objectives, Timed, time_side_by_side
from nas.training import Dataset, hardware, pinned_threads

__all__ = ["main", "report", "run"]

Json = dict[str, Any]
_ROOT = Path(__file__).parents[1]
RUNS = _ROOT / "build" / "search"
RESULTS = _ROOT / "benchmarks" / "results"
NOTES = Path(__file__).with_name("search_notes.md")  # what the tables cannot say
_ROUNDS = 9  # of the timing at the end
_LARGE, _SMALL = -1, -2  # numbers of the anchors


def run(task: Task, method: str, seed: int, folder: Path) -> Json:
    """Spend the budget; what came of it, the networks of its fronts in ``folder`` until they are timed."""
    dataset = task.load(seed)
    meter = Meter(task, dataset, seed, task.training())
    wall = time.perf_counter()
    METHODS[method](meter)
    spent = {"seconds": meter.seconds, "steps": meter.steps, "wall": time.perf_counter() - wall}
    ready = {
        "seconds": [network for network in meter.networks if network.seconds <= task.seconds],
        "steps": [network for network in meter.networks if network.steps <= task.steps],
    }
    fronts = {budget: _front(networks) for budget, networks in ready.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for network in {network.result.number: network for front in fronts.values() for network in front}.values():
        result = network.result
        assert result.dag is not None
        record = {"hyperparameters": network.hyperparameters}
        save_arrays(folder / f"{result.number}.safetensors", result.dag, dict(result.arrays), record)
    return {
        "task": task.name,
        "method": method,
        "seed": seed,
        "budget": {"seconds": task.seconds, "steps": task.steps},
        "spent": spent,
        "trained": {budget: len(networks) for budget, networks in ready.items()},
        "nothing": nothing(dataset),
        "fronts": {
            budget: [
                {
                    "number": network.result.number,
                    "seconds_then": network.result.metrics["inference_seconds"],
                    **{name: network.result.metrics[name] for name in ("test_error", "val_error", "edges", "neurons")},
                }
                for network in front
            ]
            for budget, front in fronts.items()
        },
    }


def timed(record: Json, folder: Path) -> Json:
    """A run's record with the process time of inference of its fronts' members and of the anchors."""
    task = TASKS[record["task"]]
    dataset = task.load(record["seed"])
    networks = _anchors(task, dataset)
    for path in folder.glob("*.safetensors"):
        dag, arrays, found = load_arrays(path)
        networks.append(Timed(int(path.stem), dag, arrays, found["hyperparameters"]))
    times = {
        number: metrics["inference_seconds"]
        for number, metrics in time_side_by_side(networks, dataset, task.training(), 1, rounds=_ROUNDS).items()
    }
    fronts = {
        budget: [member | {"seconds": times[member["number"]]} for member in front]
        for budget, front in record["fronts"].items()
    }
    return record | {"large": times[_LARGE], "small": times[_SMALL], "fronts": fronts}


def _front(networks: list[Network]) -> list[Network]:
    """Those that no other beats in validation error and the time measured when they were trained."""
    by_number = {n.result.number: n for n in networks}
    members = [
        FrontMember(number, (n.result.metrics["val_error"], n.result.metrics["inference_seconds"]), n.result.metrics)
        for number, n in by_number.items()
    ]
    return [by_number[number] for number in Front.of(Objectives(("error", "inference_time")), members).numbers]


def nothing(dataset: Dataset) -> float:
    """Test error of always answering the training part's commonest class, or its mean."""
    if dataset.task == "classification":
        return float(np.mean(dataset.y_test != np.bincount(dataset.y_train).argmax()))
    return float(np.mean((dataset.y_test - dataset.y_train.mean(axis=0)) ** 2))


def _anchors(task: Task, dataset: Dataset) -> list[Timed]:
    """The two ends of the scale of time."""
    outputs = np.arange(dataset.n_outputs)
    least = DAG(
        dataset.n_inputs,
        0,
        dataset.n_outputs,
        np.stack([outputs % dataset.n_inputs, dataset.n_inputs + outputs], axis=1),
    )
    timed = []
    for number, dag in ((_LARGE, task.large(dataset)), (_SMALL, least)):
        network = ManifoldNetwork(dag, parametrisation="free", generator=np.random.default_rng(0))
        timed.append(Timed(number, dag, network.to_arrays(), {}))
    return timed


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--processes", type=int, default=2, help="side by side, each on a core of its own")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after so many")
    parser.add_argument("--table", action="store_true", help="only collect the runs into benchmarks/results")
    parser.add_argument("--part", type=int, default=None, help=argparse.SUPPRESS)  # one of the processes
    options = parser.parse_args(arguments)
    if options.part is not None:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[options.part % len(cores)]})
        with pinned_threads(1):
            own = _part(options.tasks, options.seeds, options.part, options.processes)
            _fill(own, options.methods, options.minutes)
            _time(own, options.methods)
        return
    if not options.table:
        RUNS.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.search", *(sys.argv[1:] if arguments is None else arguments)]
        single = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        parts = [subprocess.Popen([*command, "--part", str(k)], env=single) for k in range(options.processes)]
        failed = [part.returncode for part in parts if part.wait()]
        if failed:
            parser.exit(1, f"{len(failed)} of {len(parts)} processes failed; start again to do what is missing\n")
    records = sorted(
        (record for path in RUNS.glob("*.json") if "large" in (record := json.loads(path.read_text()))),
        key=lambda r: (list(TASKS).index(r["task"]), list(METHODS).index(r["method"]), r["seed"]),
    )
    if not records:
        parser.error(f"there are no runs in {RUNS}; start without --table")
    RESULTS.mkdir(exist_ok=True)
    results = {"hardware": hardware(1), "runs": records}
    (RESULTS / "search.json").write_text(json.dumps(results) + "\n")
    (RESULTS / "search.md").write_text(report(records))
    draw(records, ALTERNATIVES, RESULTS / "search.png")


def _part(tasks: Sequence[str], seeds: Sequence[int], part: int, parts: int) -> list[tuple[int, str]]:
    """The seeds and tasks of one of several processes; large tasks go round from seed to seed."""
    cells = [(row + column, seed, task) for row, seed in enumerate(seeds) for column, task in enumerate(tasks)]
    return [(seed, task) for place, seed, task in cells if place % parts == part]


def _fill(cells: Sequence[tuple[int, str]], methods: Sequence[str], minutes: float) -> None:
    """Run what is missing, all methods of a seed and task one after the other."""
    start = time.monotonic()
    asked = [(seed, task, method) for seed, task in cells for method in methods if wanted(task, method)]
    missing = [(*cell, path) for cell in asked if not (path := RUNS / _file(*cell)).exists()]
    if missing:
        _warm_up({method for _, _, method, _ in missing})
    for seed, task, method, path in missing:
        if time.monotonic() - start > 60 * minutes:
            return
        record = run(TASKS[task], method, seed, path.with_suffix(""))
        keep(path, record)
        spent = record["spent"]
        print(
            f"{task}, {method}, seed {seed}: {record['trained']['seconds']} networks in time; "
            f"{spent['steps']:,} steps, {spent['seconds']:.1f} s of process time, {spent['wall']:.0f} s",
            flush=True,
        )


def _time(cells: Sequence[tuple[int, str]], methods: Sequence[str]) -> None:
    """Time the fronts of the runs that have no times yet, in one go, so that all are taken in the same minutes."""
    for seed, task in cells:
        for method in methods:
            path = RUNS / _file(seed, task, method)
            if path.exists() and "large" not in (record := json.loads(path.read_text())):
                keep(path, timed(record, path.with_suffix("")))


def _file(seed: int, task: str, method: str) -> str:
    return f"{task}-{method}-{seed}.json".replace(",", "").replace(" ", "-")


def report(records: Sequence[Json]) -> str:
    """The page of the results, in Markdown."""
    question, method = (part.replace("\n", " ") for part in (__doc__ or "").split("\n\n")[:2])
    tasks = list(dict.fromkeys(record["task"] for record in records))
    seeds = {task: len({r["seed"] for r in records if r["task"] == task}) for task in tasks}
    lines = ["# " + question.split(":")[0], "", method, ""]
    said = ", ".join(f"{count} of {task}" for task, count in seeds.items())
    lines += [f"Mean hypervolume ± half its 95 % interval; seeds: {said}.", ""]
    lines += ["![Hypervolumes and fronts](search.png)", ""]
    lines += ["## Against the alternatives", "", table(records, ALTERNATIVES)]
    lines += ["### Evolution less each of them", "", lead(records, "evolution", ALTERNATIVES)]
    if any(record["method"] in ABLATIONS[1:] for record in records):
        lines += ["## What the parts of evolution are worth", "", table(records, ABLATIONS, against="evolution")]
    if any(record["method"] in SPARSE for record in records):
        lines += [
            "## Growth where the space is sparse",
            "",
            "Networks of at most a tenth of the usable cells; difference",
        ]
        lines += ["from the same search with growth, seed by seed.", "", pairs(records, SPARSE)]
    if any(record["method"] in WITH_RUNGS for record in records):
        lines += ["## Rungs", "", "Difference from the same search without rungs, seed by seed; a trial pauses after"]
        lines += ["10 % and 30 % of its steps, where the better half goes on.", "", pairs(records, WITH_RUNGS)]
    budgets = {r["task"]: r["budget"] for r in records}
    lines += [
        "Budgets: " + "; ".join(f"{t} {b['seconds']:g} s, {b['steps']:,} steps" for t, b in budgets.items()) + "."
    ]
    return "\n".join(lines) + "\n\n" + NOTES.read_text()


def _warm_up(methods: Iterable[str]) -> None:
    """Compile what a process compiles at its first use, before any clock runs."""
    task = dataclasses.replace(TASKS["digits"], trial_steps=20, trials=1, seconds=0.5)
    with tempfile.TemporaryDirectory() as folder:
        for method in methods:
            run(task, method, 0, Path(folder) / method)


if __name__ == "__main__":
    main()
