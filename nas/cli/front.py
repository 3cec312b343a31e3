"""``nas front``: the Pareto front of a study, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from nas._text import counted
from nas.cli._baselines import baselines_json, print_baselines
from nas.cli._remote import ELSEWHERE, ask
from nas.cli.console import STORAGE, STORE, command_line, console, percent, print_json, say, seconds

if TYPE_CHECKING:
    from nas.search import Front

__all__ = ["estimates_line", "front", "front_rows", "front_table"]

_WIDE: Final = 92  # columns that the whole table takes
_ALWAYS: Final = frozenset({"val_error", "inference_seconds", "train_step_seconds", "edges", "density", "depth"})


def front(
    experiment: Annotated[str, typer.Argument(help="Name of the study, as in the job file or of it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all metrics of the members as JSON.")] = False,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Show the accuracy/time front of a study, finished or still running."""
    if address:
        ask(address, experiment, ["front", experiment, *(["--json"] if as_json else [])])
        return
    from nas.search import StudyStore

    study = StudyStore.open(store, experiment, storage=storage)
    found = study.front()
    if as_json:
        print_json(
            {
                "experiment": experiment,
                "trials": study.counts(),
                "objectives": list(found.objectives.names),
                "hypervolume": found.hypervolume,
                "best": found.best().number if len(found) else None,
                "knee": found.knee().number if len(found) else None,
                "front": found.rows(),
                **baselines_json(found, study.baselines()),
            }
        )
        return
    counts = study.counts()
    stopped = f"{counts['stopped']} stopped at rungs, " if counts["stopped"] else ""
    console.print(
        Text.assemble(
            (experiment, "bold"),
            f": {counted(counts['complete'], 'trial')} complete, {stopped}{counts['failed']} failed, "
            f"{counts['running']} running or interrupted; hypervolume {found.hypervolume:.4f}",
        )
    )
    if not len(found):
        console.print(f"the front is empty: {found.missed or 'no trial is complete yet'}")
        return
    console.print(front_table(found))
    say(estimates_line(found))
    print_baselines(found, study.baselines())
    console.print("process time: inference (± 95 %, in fresh processes) and training step, one batch of the job each")
    words = ("export", experiment, "--pick", "best", "--out", "best.safetensors")
    say(f"export one: {command_line(*words, store=store, storage=storage)}")


def front_table(found: Front) -> Table:
    """The members, best first objective first; picks are marked. Fits into 80 columns, without the density where
    estimates need its place."""
    estimated = any("shown_error" in member.metrics for member in found.members)
    headings, rows = front_rows(found, density=not estimated or console.width >= _WIDE)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="bold green" if row[0] == "best" else "")
    return table


def front_rows(found: Front, *, density: bool = True) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the members as people read them, best first objective first.

    The first cell of a row says which pick it is: "best", else "knee", else nothing.
    """
    from nas.tracking import format_expected
    from nas.training.quality.objectives import OBJECTIVES

    classification = all("val_accuracy" in member.metrics for member in found.members)
    quality = "accuracy" if classification else "error"
    estimated = any("shown_error" in member.metrics for member in found.members)
    # What a chip would need, and the like, is shown where it is asked for.
    asked = {*found.objectives.metrics, *(bound.metric for bound in found.objectives.bounds)}
    chip = [each.metric for each in OBJECTIVES.values() if each.metric in asked - _ALWAYS]
    label = quality if classification else found.objectives.error_label
    headings = ["", "trial", f"{label} (95 %)" if estimated else f"val {label}", "test", "inference", "±", "step"]
    integers = any("integer_test_error" in member.metrics for member in found.members)
    headings += ["edges", *(["density"] if density else []), "depth", *chip, *(["integers"] if integers else [])]
    rows = []
    picks = {found.knee().number: "knee"} | {found.best().number: "best"}
    # Picks may be trials beside the front, by less than times can tell (see `nas.search.Front.near`).
    for member in (trial for trial in found.near if trial in found.members or trial.number in picks):
        m = member.metrics
        rows.append(
            [
                picks.get(member.number, ""),
                str(member.number),
                format_expected(m, quality) or "-",
                percent(m.get("test_accuracy")) if classification else _digits(m.get("test_error")),
                *(seconds(m.get(name)) for name in ("inference_seconds", "inference_spread", "train_step_seconds")),
                _count(m, "edges"),
                *([percent(m.get("density"), 1)] if density else []),
                _count(m, "depth"),
                *(_count(m, name) for name in chip),
                *([_integers(m, classification)] if integers else []),
            ]
        )
    return headings, rows


def estimates_line(found: Front) -> str:
    """What the estimates in the table are, or that some members have none."""
    without = [member.number for member in found.members if "shown_error" not in member.metrics]
    if not without:
        classifies = any("shown_accuracy" in member.metrics for member in found.members)
        quality = "accuracy" if classifies else found.objectives.error_label
        return (
            f"{quality}: to expect on samples that did not choose the network; of parts as large as the test part, "
            "19 in 20 lie inside the interval"
        )
    which = "the members" if len(without) == len(found) else "trials " + ", ".join(map(str, without))
    return (
        f"{which} kept no validation samples: what is shown of them is what the validation part counted, which chose "
        "them and flatters them"
    )


def _integers(metrics: Mapping[str, float], classification: bool) -> str:
    """Test accuracy, or error, of the network in integers."""
    error = metrics.get("integer_test_error")
    return percent(None if error is None else 1 - error) if classification else _digits(error)


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _count(metrics: Mapping[str, float], name: str) -> str:
    value = metrics.get(name)
    return "-" if value is None else f"{value:,.0f}"
