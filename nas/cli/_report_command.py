"""``nas report``: a study on one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli._remote import ELSEWHERE, ask
from nas.cli.console import STORAGE, STORE, console, need_writable, writing

__all__ = ["report"]


def report(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write (default: STUDY.html).")] = None,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Write one HTML page on a study: verdict, data, front, baselines, the network picked, and how to use it."""
    path = Path(f"{experiment}.html") if out is None else out
    need_writable(path)
    if address:
        ask(address, experiment, ["report", experiment], path)
        return
    from nas.study import Study

    study = Study.open(experiment, store=store, storage=storage)
    with writing(path):
        study.report(path)
    console.print(f"wrote {path}")
