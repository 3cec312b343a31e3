"""The reference that a search must beat: single networks trained by a recipe, ``make bench-reference``.

The question: what does whoever needs a small network get without any search, by training one with a few settings and
cutting it to the size that is wanted? On fifteen sets (regression among them), at five sizes each, every setting of
`benchmarks._reference_recipe` trains once, and validation chooses; seeds decide split, weights and order of samples.

``run`` (the default) trains what is missing in ``build/reference`` and writes reference.json and .md to
``benchmarks/results``; ``table`` only writes. ``search --times 3 10`` gives the service as many times the reference's
process time for a job that names nothing but its data and its budget, and writes reference_search.json and .md;
``compare`` only writes. Both can be stopped and started again: a run or search that is kept is not repeated.
``--held-out`` does the same with twelve other sets, by which nothing was chosen; its files end in _held_out.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks._kept import keep, publish
from benchmarks._reference_recipe import run_set, settings_of
from benchmarks._reference_score import comparison, comparison_table, mean_difference, reference_table, shown_table
from benchmarks._reference_search import search
from benchmarks._reference_sets import SETS, load
from nas.errors import NasError
from nas.training import hardware, pinned_threads

__all__ = ["main", "references", "report", "search_report"]

Json = dict[str, Any]
_ROOT = Path(__file__).parents[1]
RUNS = _ROOT / "build" / "reference"
SEARCHES = _ROOT / "build" / "reference_search"
RESULTS = _ROOT / "benchmarks" / "results"
_SEEDS = {"mnist": 3}  # how many, where not five


def references(path: Path | None = None) -> list[Json]:
    """The kept records of the reference, one a set and seed (see `benchmarks._reference_recipe.run_set`)."""
    records: list[Json] = json.loads((path or RESULTS / "reference.json").read_text())["runs"]
    return records


def report(records: Sequence[Json]) -> str:
    """The page of the reference, in Markdown."""
    title, question, *_ = (part.replace("\n", " ") for part in (__doc__ or "").split("\n\n"))
    steps = ", ".join(f"{r['set']} {r['steps']:,}" for r in {r["set"]: r for r in records}.values())
    return "\n\n".join(
        [
            "# " + title.split(",")[0],
            question,
            "Errors are shares of wrong answers, or for regression mean squared "
            "errors in variances of the target; a point is a hundredth of either. The hypervolume is the share of the "
            "rectangle between the smallest size and the corner, in (log edges, error), above the staircase of test "
            "errors (`benchmarks/_reference_score.py`). Process seconds: all settings at all sizes, one thread.",
            reference_table(records).rstrip(),
            f"Steps of each training: {steps}.",
        ]
    )


def search_report(records: Sequence[Json], known: Sequence[Json]) -> str:
    """The page of the searches, in Markdown.

    Args:
        records: of searches, each with ``times``.
        known: records of the reference.
    """
    by_key = {(record["set"], record["seed"]): record for record in known}
    found: dict[float, list[Json]] = {}
    counted: dict[float, list[Json]] = {}
    spent = ["| times | set | budget, s | process time, s | wall time, s | trials | members |"]
    spent += ["| --: | --- | --: | --: | --: | --: | --: |"]
    for record in sorted(records, key=lambda r: (r["times"], list(SETS).index(r["set"]), r["seed"])):
        base = by_key.get((record["set"], record["seed"]))
        if base is None:
            continue
        times = record["times"]
        found.setdefault(times, []).append(comparison(base, record["estimated"]))
        counted.setdefault(times, []).append(comparison(base, record["front"]))
        spent.append(
            f"| {record['times']:g} | {record['set']} | {record['budget_seconds']:g} | {record['process_seconds']:g} | "
            f"{record['wall_seconds']:g} | {record['trials']['complete']} | {len(record['front'])} |"
        )
    head = (
        "A job that names its data and its budget, against single networks trained by the recipe "
        "([reference](reference.md)), split by split. At each size: the test error of the member that the front shows "
        "to be best (`shown_error`, its estimate on the validation part) among those with at most so many edges, less "
        "the reference's; ± is half a 95 % interval (Student's t). Where no member is that small, the error of the "
        "hypervolume's corner counts."
    )
    means = ", ".join(f"{mean_difference(own):+.2f} at {times:g} times" for times, own in sorted(counted.items()))
    by_estimate = ", ".join(f"{mean_difference(own):+.2f}" for _, own in sorted(found.items()))
    plain = (
        f"By the plain validation error instead of the front's estimate, the mean over sets is {means} "
        f"(by the estimate {by_estimate})."
    )
    honest = (
        "Mean over sets of the mean over a front's members, ± half a 95 % interval over sets. Beside each set: what of "
        "its gap all networks of the split share, measured on the reference's, of which none was chosen."
    )
    shown = shown_table([r for r in records if (r["set"], r["seed"]) in by_key], by_key)
    return "\n\n".join(
        [
            "# The search against the reference",
            head,
            comparison_table(found),
            plain,
            "## What fronts show and what is so",
            honest,
            shown,
            "## Budgets",
            "\n".join(spent),
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reference", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=("run", "table", "search", "compare"), default="run")
    parser.add_argument("--held-out", action="store_true", help="the sets by which nothing was chosen")
    parser.add_argument("--sets", nargs="+", choices=SETS, help="(default: all that are held out, or all others)")
    parser.add_argument("--seeds", nargs="+", type=int, help="(default: 0 to 4, MNIST 0 to 2)")
    parser.add_argument("--times", nargs="+", type=float, default=[3.0, 10.0], help="of the reference's process time")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="path.to.key=value for the job")
    parser.add_argument("--label", default="default", help="of searches with other settings, which are kept apart")
    options = parser.parse_args(arguments)
    names = options.sets or [name for name, found in SETS.items() if found.held_out == options.held_out]
    if wrong := [name for name in names if SETS[name].held_out != options.held_out]:
        parser.error(f"{', '.join(wrong)}: {'not held out' if options.held_out else 'say --held-out too'}")
    suffix = "_held_out" if options.held_out else ""
    runs, searches = RUNS.with_name(RUNS.name + suffix), SEARCHES.with_name(SEARCHES.name + suffix)
    cells = [(name, seed) for name in names for seed in options.seeds or range(_SEEDS.get(name, 5))]
    try:
        if options.command == "run":
            _train(cells, runs)
        if options.command in ("run", "table"):
            _publish(runs, "reference" + suffix, report)
            return
        known = references(RESULTS / f"reference{suffix}.json")
        folder = searches / options.label
        if options.command == "search":
            _search(cells, options.times, known, options.settings, folder)
        suffix += "" if options.label == "default" else f"_{options.label}"
        _publish(folder, f"reference_search{suffix}", lambda records: search_report(records, known))
    except (NasError, RuntimeError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")


def _train(cells: Iterable[tuple[str, int]], folder: Path) -> None:
    """Train what is missing, one thread, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with pinned_threads(1):
        warm = False
        for name, seed in cells:
            path = folder / f"{name}-{seed}.json"
            if path.exists():
                continue
            dataset = load(name, seed)
            if not warm:  # compile what a process compiles at its first use, before any clock runs
                run_set(SETS["digits"], load("digits"), 0, steps=20)
                warm = True
            record = run_set(SETS[name], dataset, seed)
            keep(path, record)
            print(f"{name}, seed {seed}: {record['process_seconds']:.1f} s of process time", flush=True)


def _search(
    cells: Iterable[tuple[str, int]],
    times: Sequence[float],
    known: Sequence[Json],
    settings: Sequence[str],
    folder: Path,
) -> None:
    """Search what is missing; the budget of a set is a multiple of the mean over the reference's seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in cells:
        took = [record["process_seconds"] for record in known if record["set"] == name]
        if not took:
            raise FileNotFoundError(f"{RESULTS / 'reference.json'} has no {name}; run: python -m benchmarks.reference")
        for multiple in times:
            path = folder / f"{name}-{seed}-{multiple:g}.json"
            if path.exists():
                continue
            work = path.with_suffix("")
            shutil.rmtree(work, ignore_errors=True)  # of a search that was stopped: its budget has been spent
            with pinned_threads(1):
                record = search(SETS[name], seed, multiple * sum(took) / len(took), work, settings)
            keep(path, {"times": multiple, **record})
            print(f"{name}, seed {seed}, {multiple:g} times: {record['process_seconds']:.0f} s", flush=True)


def _publish(folder: Path, name: str, page: Any) -> None:
    """Collect the records of a folder into benchmarks/results."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not records:
        raise FileNotFoundError(f"there are no results in {folder}")
    records.sort(key=lambda r: (list(SETS).index(r["set"]), r["seed"], r.get("times", 0)))
    names = list(dict.fromkeys(record["set"] for record in records))
    facts = {
        "hardware": hardware(1),
        "sets": {n: {"sizes": SETS[n].sizes, "corner": SETS[n].corner, **SETS[n].data} for n in names},
        "settings": {s: [x._asdict() for x in settings_of(s)] for s in names},
    }
    publish(RESULTS, name, facts, records, page(records) + "\n")


if __name__ == "__main__":
    main()
