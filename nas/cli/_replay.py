"""``nas replay``: train a trial again from its record and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli._remote import ELSEWHERE, refuse
from nas.cli.console import STORAGE, STORE, console, percent, print_json, say, seconds

if TYPE_CHECKING:
    from nas.search import Replay, StudyStore

__all__ = ["replay"]


def replay(
    trial: Annotated[int, typer.Argument(min=0, help="Number of the trial.")],
    experiment: Annotated[
        str | None, typer.Option("--study", help="Name of its study (default: the only one in the store).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Where the study's data is code (module:function): say so again, to have it run."),
    ] = None,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Train a trial again from what its study keeps, and compare accuracy, structure and weights.

    On the same kind of machine with the same libraries they are exactly the same; where they are not, the differences
    in hardware and libraries are named. Data that is not that of the search any more is refused. Times are not
    compared. A trial that was trained on a GPU comes out about the same only, because the order of its sums depends on
    the group that it was trained in: accuracies and errors are then compared within 5 %.

    Exit codes: 0 the same, 1 not the same or not possible.

    Example:

        nas replay 12 --study digits
    """
    if address:
        study_of = ("--study", experiment) if experiment else ()
        refuse(address, "a trial is trained again where its data is", "nas", "replay", str(trial), *study_of)
    from nas.cli._data import data_of_study
    from nas.cli._workers import evaluator
    from nas.errors import NasError
    from nas.job import stored_job
    from nas.search import replay as train_again

    study = _study(store, experiment, storage)
    header = study.header.get("job") or {}
    if "job" not in header:
        raise NasError(f"study {study.name!r} does not keep its job; it was not made by `nas search`")
    job = stored_job(header["job"], f"the job kept in study {study.name!r}")
    remedy = "restore it to train the trial again"
    dataset = data_of_study(job.data, study, named=data, remedy=remedy).dataset
    with console.status(f"training trial {trial} again"):
        found = train_again(study, trial, dataset, job.training, evaluate=evaluator(job, study.costs))
    if as_json:
        print_json(_as_json(found))
    else:
        _show(found, study.name)
    if not found.same:
        raise typer.Exit(1)


def _study(store: Path, experiment: str | None, storage: str | None) -> StudyStore:
    from nas.errors import JobError
    from nas.search import StudyStore

    if experiment is None:
        known = StudyStore.studies(store, storage=storage)
        if len(known) != 1:
            raise JobError(f"say which study with --study; {store} has: {', '.join(known) or 'none'}")
        experiment = known[0]
    return StudyStore.open(store, experiment, storage=storage)


def _show(found: Replay, name: str) -> None:
    record, again = found.record, found.again
    then = record.result
    assert then is not None
    at = f", to rung {len(record.rungs)}" if record.state == "stopped" else ""
    say(
        f"trial {record.number} of {name}: {found.steps:,} steps{at}, trained again in {seconds(again.seconds)}",
    )
    if then.reason or again.reason:
        console.print(f"then: {then.reason or 'complete'}; now: {again.reason or again.status.value}")
    for metric in ("val_accuracy", "test_accuracy", "val_error", "test_error", "edges"):
        if metric in found.compared and not (metric.endswith("error") and "val_accuracy" in found.compared):
            before, now = found.compared[metric]
            shown = percent if metric.endswith("accuracy") else (lambda value: f"{value:,.6g}")
            same = "the same" if before == now else f"now {shown(now)}"
            console.print(f"  {metric.replace('_', ' '):14} {shown(before)}, {same}")
    others = [name for name, (before, now) in found.compared.items() if before != now]
    if found.same and not found.exact and others:
        console.print("accuracies and errors are the same within 5 %, which is what a GPU promises")
    elif found.same:
        weights = "; the network is bit for bit the same" if found.weights else ""
        console.print(f"all {len(found.compared)} metrics that no clock decides are the same{weights}")
    else:
        parts = [f"different: {', '.join(others)}"] if others else []
        parts += ["the weights differ"] if found.weights is False else []
        console.print("; ".join(parts) or "it ended differently")
    for key, (recorded, current) in found.hardware.items():
        console.print(f"  {key} was {recorded}, is {current}: sums may round differently")


def _as_json(found: Replay) -> dict[str, object]:
    return {
        "trial": found.record.number,
        "state": found.record.state,
        "same": found.same,
        "exact": found.exact,
        "steps": found.steps,
        "weights_same": found.weights,
        "metrics": {name: {"then": before, "now": now} for name, (before, now) in found.compared.items()},
        "hardware": {name: {"then": before, "now": now} for name, (before, now) in found.hardware.items()},
        "reason": {"then": found.record.result.reason if found.record.result else "", "now": found.again.reason},
    }
