"""``nas lineage``: how a network came about, generation by generation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nas._files import write_whole
from nas.cli._remote import ELSEWHERE, ask
from nas.cli.console import STORAGE, STORE, console, need_writable, print_json, writing
from nas.errors import JobError, NasError

if TYPE_CHECKING:
    from nas.search import StudyStore
    from nas.tracking import Ancestor

__all__ = ["draw", "line_of", "lineage", "trial_number"]


def lineage(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    trial: Annotated[
        str,
        typer.Argument(help="A trial number, or a member of the front as in `nas export --pick` (default: best)."),
    ] = "best",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also draw it: a file ending in .png or .html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the generations as JSON.")] = False,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Show the ancestors of a trial: what each mutation changed, and accuracy, edges and time on the way.

    Examples:

        nas lineage digits

        nas lineage digits 117 --out lineage.png
    """
    if out is not None and out.suffix.lower() not in (".png", ".html"):
        raise JobError(f"--out must end in .png or .html, but is {out}")
    need_writable(out)
    if address:
        ask(address, experiment, ["lineage", experiment, trial, *(["--json"] if as_json else [])], out)
        return
    from nas.search import StudyStore
    from nas.tracking import lineage_rows

    study = StudyStore.open(store, experiment, storage=storage)
    line, others = line_of(study, trial_number(study, trial))
    names, rows = lineage_rows(line)
    if as_json:
        print_json(
            [
                {"generation": place, "trial": one.number, "mutation": one.mutation, "metrics": dict(one.metrics)}
                for place, one in enumerate(line)
            ]
        )
    else:
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for name in names:
            table.add_column(name, justify="left" if name == names[-1] else "right", no_wrap=name != names[-1])
        for row in rows:
            table.add_row(*row, style="bold green" if row is rows[-1] else "")
        console.print(table)
    if out is not None:
        draw(out, line, others)
        if not as_json:
            console.print(f"wrote {out}")


def draw(path: Path, line: list[Ancestor], others: list[Mapping[str, float]]) -> None:
    """Write the picture or the page.

    Raises:
        OSError: the file cannot be written.
    """
    from nas.tracking import lineage_html, lineage_png

    with writing(path):
        if path.suffix.lower() == ".png":
            write_whole(path, lineage_png(line, others))
        else:
            write_whole(path, lineage_html(line, others))


def trial_number(study: StudyStore, text: str) -> int:
    """The trial that a person means: any number, or a member of the front.

    Raises:
        NasError: there is no such trial.
    """
    if text.strip().lstrip("#").isdigit():
        return int(text.strip().lstrip("#"))
    return study.front().pick(text).number


def line_of(study: StudyStore, number: int) -> tuple[list[Ancestor], list[Mapping[str, float]]]:
    """A trial's line of descent, from its first known ancestor to itself, and the metrics of all other trials.

    Raises:
        NasError: the trial does not exist or did not complete.
    """
    from nas.tracking import Ancestor

    trials = {trial.number: trial for trial in study.records()}
    retimed = study.retimed()
    if number not in trials:
        raise NasError(f"study {study.name!r} has no trial {number}; it has {len(trials)}, numbered from 0")
    found = trials[number].result
    if found is None or not found.metrics:
        raise NasError(f"trial {number} of study {study.name!r} is {trials[number].state}, so it has no metrics")
    line: list[Ancestor] = []
    seen: set[int] = set()
    at: int | None = number
    while at is not None and at in trials and at not in seen:
        seen.add(at)
        one = trials[at]
        metrics = {**(one.result.metrics if one.result is not None else {}), **retimed.get(at, {})}
        line.append(Ancestor(at, metrics, one.mutation, study.objectives.error_label))
        at = one.parent
    others = [
        trial.result.metrics
        for trial in trials.values()
        if trial.number not in seen and trial.result is not None and trial.result.metrics
    ]
    return line[::-1], others
