"""The overview of a search as Markdown: what a person reads first when opening the parent run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nas._text import counted, format_seconds
from nas.tracking.points import (
    BaselinePoint,
    FrontPoint,
    expected,
    format_accuracy,
    format_count,
    format_expected,
    format_number,
)

__all__ = ["front_table", "overview", "search_name"]

_MOST_CHARACTERS = 7500  # MLflow cuts a tag at 8000
_SETTINGS = {
    "data": "data.source",
    "space": "space.name",
    "strategy": "search.strategy",
    "parametrisation": "training.parametrisation",
    "steps": "training.steps",
}
_HARDWARE = ("processor", "gpu", "threads", "cores", "system", "torch", "numba")


def search_name(members: Sequence[FrontPoint], finished: int, failed: int, error: str = "error") -> str:
    """The name of the parent run: ``search · 60 trials · best 97.8 % · front of 12``; for ``error`` see `facts`."""
    parts = ["search", f"{format_count(finished + failed)} trials"]
    if members:
        parts += [f"best {_best(members, error)}", f"front of {len(members)}"]
    return " · ".join(parts)


def overview(
    members: Sequence[FrontPoint],
    *,
    finished: int,
    failed: int,
    hypervolume: float,
    job_params: Mapping[str, str],
    hardware: Mapping[str, str],
    link: Callable[[int], str | None],
    views: str = "",
    baselines: Sequence[BaselinePoint] = (),
    verdict: str = "",
    error: str = "error",
) -> str:
    """Overview and table of the front.

    Args:
        members: the front.
        finished, failed: trials that ended so.
        hypervolume: of the front, in [0, 1].
        job_params: flattened parameters of the job.
        hardware: what the process times were taken on.
        link: address of a trial's run, or None where it has none yet.
        views: Markdown with further links.
        baselines: what the front is compared with, below its table.
        verdict: how it compares, in words; above the table.
        error: what the error is called.
    """
    # The UI shows the first three lines or so and hides the rest behind "Show more".
    first = f"**{format_count(finished)} trials finished, {format_count(failed)} failed.**"
    if members:
        first += f" Best {_best(members, error)}, {counted(len(members), 'network')} on the front"
        first += f", hypervolume {hypervolume:.4f}."
    settings = [f"{name} {job_params[key]}" for name, key in _SETTINGS.items() if key in job_params]
    where = [f"{key} {hardware[key]}" for key in _HARDWARE if hardware.get(key, "none") != "none"]
    lines = [first, f"Open {views}." if views and members else "", verdict, " · ".join(settings)]
    lines += ["Process times taken on: " + " · ".join(where)] if where else []
    lines = [line for line in lines if line]
    text = "\n\n".join(lines)
    below = _baseline_lines(baselines, error)
    room = _MOST_CHARACTERS - 100 - sum(len(line) + 1 for line in below)
    table = front_table(members, link, error)
    kept = list(table[:2])
    for row in table[2:]:
        if len(text) + sum(map(len, kept)) + len(row) + len(kept) > room:
            kept.append(f"\n… and {len(table) - len(kept)} more")
            break
        kept.append(row)
    return "\n\n".join(["\n".join(part) for part in ([text], kept if members else [], below) if part])


def _baseline_lines(baselines: Sequence[BaselinePoint], error: str) -> list[str]:
    """Lines of a Markdown table of the baselines, the best on the validation part first."""
    found = sorted((each for each in baselines if each.metrics), key=lambda each: each.metrics.get("val_error", 0.0))
    accuracy = any("val_accuracy" in each.metrics for each in found)
    quality, heading = ("accuracy", "accuracy") if accuracy else ("error", error)
    write = format_accuracy if accuracy else format_number
    columns = (
        (f"val_{quality}", write),
        (f"test_{quality}", write),
        ("inference_seconds", format_seconds),
        ("edges", format_count),
    )
    lines = [
        f"| baseline | {heading} val | {heading} test | inference | edges |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for each in found:
        cells = [form(each.metrics[name]) if name in each.metrics else "" for name, form in columns]
        lines.append(f"| {each.label} | " + " | ".join(cells) + " |")
    failed = [f"\n{each.label} failed: {each.reason[:200]}" for each in baselines if not each.metrics]
    return (lines if found else []) + failed


def _best(members: Sequence[FrontPoint], error: str) -> str:
    """The best quality on the front: "97.8 %" or "error 0.0123"."""
    accuracies = [value for point in members if (value := expected(point.metrics, "accuracy")) is not None]
    if accuracies:
        return format_accuracy(max(accuracies))
    errors = [value for point in members if (value := expected(point.metrics, "error")) is not None]
    return f"{error} {format_number(min(errors))}" if errors else "?"


def front_table(members: Sequence[FrontPoint], link: Callable[[int], str | None], error: str = "error") -> list[str]:
    """Lines of a Markdown table of the front; `link` gives the address of a trial's run, ``error`` is what the error
    is called."""
    accuracy = any("val_accuracy" in point.metrics for point in members)
    quality, heading = ("accuracy", "accuracy") if accuracy else ("error", error)
    write = format_accuracy if accuracy else format_number
    rows = [
        f"| trial | {heading} (95 % interval) | {heading} test | inference | training step | edges | density | depth |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    columns = (
        (f"test_{quality}", write),
        ("inference_seconds", format_seconds),
        ("train_step_seconds", format_seconds),
        ("edges", format_count),
        ("density", format_accuracy),
        ("depth", format_count),
    )
    for point in sorted(members, key=lambda point: expected(point.metrics, "error") or 0.0):
        address = link(point.number)
        trial = f"[#{point.number:03d}]({address})" if address else f"#{point.number:03d}"
        cells = [format_expected(point.metrics, quality)]
        cells += [form(point.metrics[name]) if name in point.metrics else "" for name, form in columns]
        rows.append(f"| {trial} | " + " | ".join(cells) + " |")
    return rows
