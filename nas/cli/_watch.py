"""``nas watch``: a film of a trial learning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli._remote import ELSEWHERE, refuse
from nas.cli.console import STORAGE, STORE, console, need_writable, writing
from nas.errors import JobError, NasError

__all__ = ["watch"]

_ENDINGS = (".mp4", ".html", ".png")


def watch(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    trial: Annotated[
        str,
        typer.Argument(help="A trial number, or a member of the front as in `nas export --pick` (default: best)."),
    ] = "best",
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="File to write: .html (a player with a slider), .mp4, or .png (the last frame only)."
        ),
    ] = Path("learning.html"),
    frames: Annotated[int, typer.Option("--frames", min=2, max=2000, help="Frames at most.")] = 120,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="CPU threads (default: as in the search).")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Where the study's data is code (module:function): say so again, to have it run."),
    ] = None,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Watch a trial learn: adjacency matrix, graph, closeness functions, losses, edges and accuracy, frame by frame.

    The trial is trained once more from its record, exactly as in the search, and its data must still be there. A job
    with `tracking: {animation: true}` makes the film of its champion by itself and keeps it in MLflow.

    Examples:

        nas watch digits

        nas watch digits 117 --out learning.mp4
    """
    if out.suffix.lower() not in _ENDINGS:
        raise JobError(f"--out must end in {', '.join(_ENDINGS)}, but is {out}")
    if address:
        why = "a trial is trained again where its data is (the film of a champion, a job with tracking.animation makes)"
        refuse(address, why, "nas", "watch", experiment, trial, "--out", str(out))
    need_writable(out)  # not after the training
    from nas.cli._champion import animation_of, write_animation
    from nas.cli._data import data_of_study
    from nas.cli._lineage import trial_number
    from nas.job import stored_job
    from nas.search import StudyStore
    from nas.training import pinned_threads

    study = StudyStore.open(store, experiment, storage=storage)
    stored = (study.header.get("job") or {}).get("job")
    if not stored:
        raise NasError(f"study {experiment!r} does not say which data it was made with; only `nas search` records that")
    job = stored_job(stored, f"the job kept in study {experiment!r}")
    number = trial_number(study, trial)
    remedy = "restore it to train the trial again"
    dataset = data_of_study(job.data, study, named=data, remedy=remedy).dataset
    with console.status(f"training trial {number} once more"), pinned_threads(threads or job.resources.threads):
        film = animation_of(study, number, dataset, job.training, frames=frames)
    with console.status(f"drawing {len(film)} frames"), writing(out):
        write_animation(out, film)
    console.print(f"wrote {out}: trial {number}, {len(film)} frames")
