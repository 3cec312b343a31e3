"""``nas calibrate``: what does the engine cost on this machine?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from nas.cli.console import console, errors, percent, print_json, say, seconds

if TYPE_CHECKING:
    from nas.training import Calibration

__all__ = ["calibrate"]


def calibrate(
    threads: Annotated[
        list[int] | None,
        typer.Option("--threads", min=1, help="CPU threads of the jobs it is for; may be repeated (default: 1)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to keep it in (default: NAS_CALIBRATION, or nas/calibration.json in ~/.cache)."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the fits as JSON.")] = False,
) -> None:
    """Measure what a step, a neuron and an edge cost on this machine, in training and inference; half a minute.

    The time and memory terms of the loss, and the predictions in every trial's record, go by what is found here.
    Close what else runs: process time does not count waiting, but shared caches and clocks make it longer.
    """
    from nas.training import calibrate as measure
    from nas.training import save_calibration
    from nas.training.cost.calibration import check_place

    counts = sorted(set(threads or [1]))
    check_place(output)  # not after half a minute
    start = time.perf_counter()
    with errors.status("measuring"):
        fits = measure(counts, say=lambda text: errors.print(text, style="dim"))
    path, calibration = save_calibration(fits, output)
    taken = time.perf_counter() - start
    if as_json:
        print_json({"path": str(path), "seconds": taken, **calibration.model_dump(mode="json")})
        return
    for count in counts:
        console.print(_table(calibration, count))
    machine = calibration.hardware
    console.print(f"{machine['processor']}, {machine['logical_cores']} logical cores; {taken:.0f} s")
    say(f"kept in {path}; the time and memory terms use it from now on")


def _table(calibration: Calibration, threads: int) -> Table:
    fits = calibration.threads[threads]
    table = Table(
        title=f"{threads} thread{'s' if threads > 1 else ''}", title_justify="left", box=None, pad_edge=False,
        padding=(0, 2, 0, 0),
    )  # fmt: skip
    for name in ("", "batch", "a call", "a neuron", "an edge", "R²", "residual", "worst"):
        table.add_column(name, justify="left" if not name else "right")
    rows: list[tuple[str, int, Any]] = [("inference", 1024, fits.inference)]
    rows += [(f"training step, {name}", 128, fit) for name, fit in fits.training.items()]
    for name, batch, fit in rows:
        cost = fit.model(batch, 784, "leaky_relu")
        table.add_row(
            name, str(batch), seconds(cost.per_step), seconds(cost.per_neuron), seconds(cost.per_edge), f"{fit.r2:.3f}",
            percent(fit.median_residual, 1), percent(fit.worst_residual, 0),
        )  # fmt: skip
    for name, fit in fits.memory.items():
        cost = fit.model(64 * threads, 784, "leaky_relu")
        table.add_row(
            f"training memory, {name}", "128", f"{cost.per_step / 1024:.0f} KiB", f"{cost.per_neuron:.0f} B",
            f"{cost.per_edge:.0f} B", f"{fit.r2:.3f}", percent(fit.median_residual, 1), percent(fit.worst_residual, 0),
        )  # fmt: skip
    return table
