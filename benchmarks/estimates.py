"""Is what a front shows of its members what they are worth? ``python -m benchmarks.estimates`` measures it.

On each set and split a search of many short trials is run, for it is the choice among many that flatters; each member
of its front is shown at an accuracy with an interval (`nas.search.StudyStore.front`), and measured on the test part,
which nothing has looked at.

Points are per cents: of the samples, or, for regression, of the error of knowing nothing. The mean of (test - shown)
over members is one number a run; what counts is its mean over all runs, which the luck of single splits enters (a
validation part of 40 samples is off by four points), so its standard error is in the table. The same figure for the
plain count of the members, and for the front by plain counts, says what is gained.

Members with an error far from the best (`Objectives.relevant`) do not count: they guess, and no estimate is hard there.
Writes ``benchmarks/results/estimates.{md,json}``; takes about five minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._reference_sets import SETS, load
from nas.errors import NasError
from nas.search import (
    Front,
    FrontMember,
    SearchConfig,
    SerialExecutor,
    SpaceConfig,
    StudyStore,
    error_reference,
    load_space,
    make_strategy,
    run_search,
)
from nas.training import Dataset, TrainingConfig

__all__ = ["main", "report", "run", "score"]

Json = dict[str, Any]
_LARGE: Final = 100  # samples; the luck of a smaller part is points, and five splits do not average it away
RESULTS: Final = Path(__file__).parent / "results"
NAMES: Final = (
    "digits", "ring", "twonorm", "optdigits", "segment", "spambase", "vehicle", "make_classification", "friedman1",
    "bikeshare", "diabetes",
)  # fmt: skip


def run(dataset: Dataset, seed: int, trials: int, steps: int) -> Json:
    """One search of so many trials, trained for so many steps; how its members compare with the test part."""
    # nothing is timed again here, so nothing that is timed decides
    objectives: tuple[str, ...] = ("error", "edges")
    config = SearchConfig(trials=trials, objectives=objectives, seed=seed)
    space = load_space(SpaceConfig(), dataset)
    training = TrainingConfig(steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        store = StudyStore.create(
            folder, "study", objectives=objectives, error_reference=error_reference(dataset), seed=seed
        )
        strategy = make_strategy(config, space, training, store)
        executor = SerialExecutor(dataset, training)
        front = run_search(strategy, executor, store, trials=trials)
        complete = [
            FrontMember(
                each.number, (each.result.metrics["val_error"], each.result.metrics["edges"]), each.result.metrics
            )
            for each in store.records()
            if each.state == "complete" and each.result is not None
        ]
    by_count = Front.of(store.objectives, complete)
    unit = 100.0 if dataset.task == "classification" else 100.0 / error_reference(dataset)
    return {
        "validation": len(dataset.x_val),
        "test": len(dataset.x_test),
        "trials": len(complete),
        "members": _near(front),
        "by_count": _near(by_count),
        "unit": unit,
    }


def _near(front: Front) -> list[dict[str, float]]:
    """The members that do not guess, with the metrics that are compared."""
    kept = front.objectives.relevant([member.values for member in front.members])
    names = ("shown_error", "shown_error_low", "shown_error_high", "val_error", "test_error", "edges")
    return [
        {name: round(member.metrics[name], 6) for name in names if name in member.metrics}
        for member, near in zip(front.members, kept, strict=True)
        if near
    ]


def score(found: Mapping[str, Any]) -> dict[str, float]:
    """What one run says: means over its members, in points.

    Returns:
        ``bias`` of what is shown, ``plain`` of the plain error of the same members, ``by_count`` of that of the front
        by plain errors (all test - shown); ``inside`` the share of test values inside their intervals; ``width`` of
        these.
    """
    unit = found["unit"]

    def column(part: str, name: str) -> np.ndarray:
        return np.array([member[name] for member in found[part]], dtype=float)

    test, shown = column("members", "test_error"), column("members", "shown_error")
    low, high = column("members", "shown_error_low"), column("members", "shown_error_high")
    return {
        "bias": float(unit * (test - shown).mean()),
        "plain": float(unit * (test - column("members", "val_error")).mean()),
        "by_count": float(unit * (column("by_count", "test_error") - column("by_count", "val_error")).mean()),
        "inside": float(((low <= test + 1e-12) & (test <= high + 1e-12)).mean()),
        "width": float(unit * (high - low).mean()),
    }


def report(runs: Sequence[Mapping[str, Any]]) -> str:
    """The table, as Markdown; a run has its set's ``name`` beside what `run` found."""
    lines = [
        "| set | validation | test | runs | members | test − shown | the same, plain count | front by counts | "
        "test values inside | width |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    scored = [(found["name"], found, score(found)) for found in runs]
    for name in dict.fromkeys(found["name"] for found in runs):
        own = [(found, values) for each, found, values in scored if each == name]
        means = {key: float(np.mean([values[key] for _, values in own])) for key in own[0][1]}
        members = np.mean([len(found["members"]) for found, _ in own])
        lines.append(_row(name, str(own[0][0]["validation"]), str(own[0][0]["test"]), len(own), float(members), means))
    means = {key: float(np.mean([values[key] for _, _, values in scored])) for key in scored[0][2]}
    members = np.mean([len(found["members"]) for found in runs])
    lines.append(_row("**all**", "", "", len(runs), float(members), means))
    error = (
        np.std([values["bias"] for _, _, values in scored], ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
    )
    large = [values["bias"] for _, found, values in scored if found["validation"] >= _LARGE]
    said = (
        f"Mean of test − shown over {len(runs)} runs: {means['bias']:+.2f} points, standard error {error:.2f}"
        + (f" ({np.mean(large):+.2f} where the validation part has {_LARGE} samples or more)" if large else "")
        + "; "
        f"{100 * means['inside']:.0f} % of the test values lie inside the intervals, which say 95 %."
    )
    return "\n".join([*lines, "", said, ""])


def _row(name: str, validation: str, test: str, runs: int, members: float, means: Mapping[str, float]) -> str:
    return (
        f"| {name} | {validation} | {test} | {runs} | {members:.1f} | {means['bias']:+.2f} | {means['plain']:+.2f} | "
        f"{means['by_count']:+.2f} | {100 * means['inside']:.0f} % | {means['width']:.1f} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(NAMES), help=f"among {', '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=5, help="splits of each set")
    parser.add_argument("--trials", type=int, default=60, help="of each search")
    parser.add_argument("--steps", type=int, default=200, help="of a trial")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of estimates.md and estimates.json")
    asked = parser.parse_args(arguments)
    runs: list[Json] = []
    names = asked.sets.split(",")
    for seed in range(asked.seeds):  # all sets of a split first: what is there so far is a table, too
        for name in list(names):
            try:
                dataset = load(name, seed)
            except NasError as error:
                print(f"{name} is left out: {error}", flush=True)
                names.remove(name)
                continue
            start = time.process_time()
            found = {"name": name, "seed": seed, **run(dataset, seed, asked.trials, asked.steps)}
            runs.append(found)
            values = score(found)
            print(
                f"{name} {seed}: {found['trials']} trials in {time.process_time() - start:.0f} s, test - shown "
                f"{values['bias']:+.2f}, plain {values['plain']:+.2f}, inside {100 * values['inside']:.0f} %",
                flush=True,
            )
        _keep(runs, f"{asked.trials} trials of {asked.steps} steps a search", asked.out)
    print(report(runs))


def _keep(runs: Sequence[Json], about: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = f"# What fronts show, and what is so\n\n{about}; what the columns are: `benchmarks/estimates.py`."
    (folder / "estimates.md").write_text(f"{head}\n\n{report(runs)}", encoding="utf-8")
    (folder / "estimates.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
