"""``nas studies``, ``nas delete``: the studies of a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from nas.cli._remote import ELSEWHERE, ask, cluster
from nas.cli.console import STORAGE, STORE, asking, console, print_json, say
from nas.errors import NasError

__all__ = ["delete", "studies"]


def studies(
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """List the studies of a store, the oldest first: trials, and the best of each."""
    if address:
        _studies_there(address, as_json)
        return
    from nas.search import StudyStore
    from nas.tracking import expected, format_expected

    found: list[dict[str, Any]] = []
    for name in StudyStore.studies(store, storage=storage):
        try:
            study = StudyStore.open(store, name, storage=storage)
            front, counts = study.front(), study.counts()
        except NasError as error:
            found.append({"name": name, "problem": str(error)})
            continue
        data = ((study.header.get("job") or {}).get("job") or {}).get("data") or {}
        best = dict(front.best().metrics) if len(front) else {}
        quality = "accuracy" if "val_accuracy" in best else "error"
        called = quality if quality == "accuracy" else front.objectives.error_label
        shown = f"{called} {format_expected(best, quality)}" if best else "-"
        found.append(
            {
                "name": name,
                "data": str(data.get("source", "-")),
                "complete": counts["complete"],
                "failed": counts["failed"],
                "front": len(front),
                quality: expected(best, quality),
                "best": shown,
            }
        )
    if as_json:
        print_json([{key: value for key, value in each.items() if key != "best"} for each in found])
        return
    if not found:
        if storage is None and store.exists() and not store.is_dir():
            raise NasError(f"{store} is a file; a store is a folder")
        console.print(f"no study in {store} yet")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("name", "data", "complete", "failed", "front", "best"):
        table.add_column(heading, justify="right" if heading in ("complete", "failed", "front") else "left")
    for each in found:
        cells = [each.get(key, "") for key in ("name", "data", "complete", "failed", "front")]
        table.add_row(*(Text(str(cell)) for cell in cells), Text(str(each.get("best", each.get("problem", "")))))
    console.print(table)


def _studies_there(address: str, as_json: bool) -> None:
    """Those of each store that searches were submitted to."""
    found = cluster(address)
    words = ["studies", *(["--json"] if as_json else [])]
    said = [found.ask(place, words, (), asking(address))[0] for place in found.places() or [""]]
    if as_json:
        print_json([study for answer in said for study in json.loads(answer)])
    else:
        say("\n".join(said))


def delete(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Delete a study of a store with all its trials and files. What it wrote to MLflow stays there."""
    if address:
        if not yes:
            typer.confirm(f"delete study {experiment} on {address} with all its trials for good?", abort=True)
        ask(address, experiment, ["delete", experiment, "--yes"])
        return
    from nas.search import StudyStore

    study = StudyStore.open(store, experiment, storage=storage)
    counts = study.counts()
    if not yes:
        typer.confirm(f"delete {study.folder} with {counts['complete']} complete trials for good?", abort=True)
    study.delete()
    console.print(f"deleted {experiment}")
