"""Hypervolumes of the search benchmark's runs, their intervals, the table and the plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import moocore
import numpy as np
from scipy import stats

__all__ = ["BUDGETS", "draw", "gain", "hypervolume", "interval", "lead", "mean_of", "pairs", "table"]

Json = dict[str, Any]
BUDGETS: Final = {"seconds": "equal process time", "steps": "equal training steps"}
_FLOOR: Final = 0.01  # the error that counts as 0, as a share of that of knowing nothing


def hypervolume(record: Json, budget: str) -> float:
    """Share in [0, 1] of the unit square that a run's front dominates (see `benchmarks.search`).

    Args:
        record: of a run.
        budget: a key of `BUDGETS`.
    """
    members = record["fronts"][budget]
    error = np.array([member["test_error"] for member in members]) / record["nothing"]
    seconds = np.array([member["seconds"] for member in members]) / record["small"]
    points = np.stack(
        [
            1 - np.log(np.maximum(error, _FLOOR)) / np.log(_FLOOR),
            np.log(np.maximum(seconds, 1)) / np.log(record["large"] / record["small"]),
        ],
        axis=1,
    )
    points = points[(points < 1).all(axis=1)]
    return float(moocore.hypervolume(points, ref=np.ones(2))) if len(points) else 0.0


def interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval (Student's t); NaN for a single value."""
    found = np.array(list(values))
    if len(found) < 2:
        return float(found.mean()), float("nan")
    half = stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
    return float(found.mean()), float(half)


def mean_of(values: Iterable[float]) -> str:
    """Of hypervolumes, for a table; a dash where there is none."""
    found = list(values)
    return f"{sum(found) / len(found):.4f}" if found else "—"


def gain(differences: Sequence[float]) -> str:
    """Mean of differences between hypervolumes, ± half its interval, and a star where that leaves out 0."""
    if len(differences) < 2:
        return f"{differences[0]:+.4f}" if differences else "—"
    mean, half = interval(differences)
    return f"{mean:+.4f} ± {half:.4f}{' *' if abs(mean) > half else ''}"


def table(records: Sequence[Json], methods: Sequence[str], against: str = "random") -> str:
    """The results in Markdown: for each budget the hypervolumes, and the differences from a method seed by seed."""
    tasks = list(dict.fromkeys(record["task"] for record in records))
    methods = [method for method in methods if any(record["method"] == method for record in records)]
    lines: list[str] = []
    for budget, title in BUDGETS.items():
        found: dict[tuple[str, str], dict[int, float]] = {}
        for record in records:
            found.setdefault((record["task"], record["method"]), {})[record["seed"]] = hypervolume(record, budget)
        lines += [f"### {title.capitalize()}", ""]
        lines += ["| method | " + " | ".join(tasks) + " |", "| --- |" + " --: |" * len(tasks)]
        for method in methods:
            cells = [_cell(found.get((task, method), {}).values()) for task in tasks]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines += ["", f"Difference from {against}, seed by seed (* where the interval leaves out 0):", ""]
        lines += ["| method | " + " | ".join(tasks) + " |", "| --- |" + " --: |" * len(tasks)]
        for method in methods:
            if method == against:
                continue
            cells = []
            for task in tasks:
                own, other = found.get((task, method), {}), found.get((task, against), {})
                cells.append(_cell([own[seed] - other[seed] for seed in own.keys() & other.keys()], signed=True))
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def lead(records: Sequence[Json], method: str, others: Sequence[str]) -> str:
    """Differences seed by seed of one method from each of the others at both budgets, in Markdown."""
    tasks = list(dict.fromkeys(record["task"] for record in records))
    runs = {(r["task"], r["method"], r["seed"]): r for r in records}
    seeds = sorted({r["seed"] for r in records})
    lines = ["| less | at equal | " + " | ".join(tasks) + " |", "| --- | --- |" + " --: |" * len(tasks)]
    for other in others:
        for budget, title in BUDGETS.items():
            cells = []
            for task in tasks:
                both = [(runs.get((task, method, seed)), runs.get((task, other, seed))) for seed in seeds]
                cells.append(
                    _cell([hypervolume(a, budget) - hypervolume(b, budget) for a, b in both if a and b], signed=True)
                )
            if other != method and any(cells):
                lines.append(f"| {other} | {title.removeprefix('equal ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def pairs(records: Sequence[Json], against: Mapping[str, str]) -> str:
    """Differences seed by seed of methods from their own counterparts, in Markdown.

    Args:
        against: counterpart by method.
    """
    tasks = list(dict.fromkeys(record["task"] for record in records))
    runs = {(r["task"], r["method"], r["seed"]): r for r in records}
    lines: list[str] = []
    for budget, title in BUDGETS.items():
        lines += [f"### {title.capitalize()}", ""]
        lines += ["| method | " + " | ".join(tasks) + " |", "| --- |" + " --: |" * len(tasks)]
        for method, other in against.items():
            cells = []
            for task in tasks:
                own = {key[2]: run for key, run in runs.items() if key[:2] == (task, method)}
                base = {seed: runs[task, other, seed] for seed in own if (task, other, seed) in runs}
                gains = [hypervolume(own[seed], budget) - hypervolume(run, budget) for seed, run in base.items()]
                cells.append(_cell(gains, signed=True))
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(values: Iterable[float], *, signed: bool = False) -> str:
    found = list(values)
    if not found:
        return ""
    mean, half = interval(found)
    text = f"{mean:+.3f}" if signed else f"{mean:.3f}"
    if len(found) == 1:
        return text
    return f"{text} ± {half:.3f}" + (" *" if signed and abs(mean) > half else "")


def draw(records: Sequence[Json], methods: Sequence[str], path: Path) -> None:
    """Hypervolumes with their intervals, and the fronts of all seeds, by task."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    tasks = list(dict.fromkeys(record["task"] for record in records))
    methods = [method for method in methods if any(record["method"] == method for record in records)]
    colour = {method: f"C{k}" for k, method in enumerate(methods)}
    figure, rows = pyplot.subplots(2, len(tasks), figsize=(3.6 * len(tasks), 6.4), layout="constrained", squeeze=False)
    for column, task in enumerate(tasks):
        axes = rows[0, column]
        for place, method in enumerate(methods):
            own = [r for r in records if r["task"] == task and r["method"] == method]
            if own:
                mean, half = interval(hypervolume(record, "seconds") for record in own)
                axes.errorbar(mean, -place, xerr=np.nan_to_num(half), fmt="o", color=colour[method], capsize=3)
        axes.set_yticks([-place for place in range(len(methods))], methods if column == 0 else [""] * len(methods))
        axes.set_title(task)
        axes.set_xlabel("hypervolume, equal process time")
        axes.grid(axis="x", alpha=0.3)
        _fronts(rows[1, column], [r for r in records if r["task"] == task], colour)
    rows[1, 0].set_ylabel("test error (share of that of knowing nothing)")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _fronts(axes: Any, records: Sequence[Json], colour: Mapping[str, str]) -> None:
    for record in records:
        if record["method"] not in colour:
            continue
        points = sorted((m["seconds"], m["test_error"] / record["nothing"]) for m in record["fronts"]["seconds"])
        if points:
            seconds, error = np.array(points).T
            best = np.minimum.accumulate(np.maximum(error, _FLOOR))
            axes.step(1e6 * seconds, best, where="post", color=colour[record["method"]], alpha=0.5, linewidth=0.9)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("inference of 1,024 samples, µs of process time")
    axes.grid(alpha=0.3)
