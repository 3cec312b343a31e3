"""``nas export``: a member of the front as a checkpoint file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli._console import STORAGE, STORE, console, percent, program, seconds
from nas.errors import NasError

__all__ = ["describe", "export"]


def export(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    pick: Annotated[
        str,
        typer.Option(
            "--pick",
            help="Which member of the front: knee (best trade-off), accurate, fast, a trial number, or conditions such "
            'as "accuracy>=0.97" or "edges<=2000, accuracy>=0.9" (on the validation part).',
        ),
    ] = "knee",
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("best.safetensors"),
    store: Path = STORE,
    storage: str | None = STORAGE,
) -> None:
    """Write a network of the front to a file that `nas evaluate` and `nas.load` read.

    The file is safetensors: the weights of the live edges, with the graph, the scaling of the inputs, the metrics and
    the origin in its metadata. Loading it runs no code.
    """
    from nas.cli._study import export_network
    from nas.search import StudyStore

    study = StudyStore.open(store, experiment, storage=storage)
    member = study.front().pick(pick)
    try:
        export_network(study, member.number, out)
    except OSError as error:
        raise NasError(f"{out}: cannot be written ({error.strerror})") from error
    console.print(f"wrote {out}: {describe(member.number, dict(member.metrics))}")
    console.print(f"evaluate it: {program()} evaluate {out}")


def describe(number: int, metrics: dict[str, float]) -> str:
    """One line that tells a network from the others."""
    if "val_accuracy" in metrics:
        quality = f"validation accuracy {percent(metrics['val_accuracy'])}"
    else:
        quality = f"validation error {metrics.get('val_error', float('nan')):.4g}"
    return (
        f"trial {number}, {quality}, inference {seconds(metrics.get('inference_seconds'))} a batch, "
        f"{metrics.get('edges', 0):,.0f} edges ({percent(metrics.get('density'), 1)} density)"
    )
