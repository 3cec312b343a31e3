"""The baselines below a front, as a table and a sentence: was the search worth it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from nas.cli.console import console, percent, say, seconds

if TYPE_CHECKING:
    from nas.search import Baselines, Front

__all__ = ["baselines_json", "baselines_table", "print_baselines"]


def print_baselines(found: Front, baselines: Baselines | None) -> None:
    """The block below the table of the front; nothing where the study has no baselines."""
    from nas.search import verdict

    if baselines is None or not baselines.members:
        return
    console.print()
    if baselines.found:
        console.print(baselines_table(baselines, found.objectives.error_label))
    for each in baselines.members:
        if each.reason:
            say(Text(f"{each.label} failed: {each.reason}", "dim"))
        elif each.notes:
            say(Text(f"{each.label}, cut short by the time: {', '.join(each.notes)}", "dim"))
    if said := verdict(found, baselines):
        say(said)
    console.print()


def baselines_table(baselines: Baselines, label: str = "error") -> Table:
    """Those that were trained, the best on the validation part first. Fits into 80 columns.

    Args:
        label: what the error is called.
    """
    classification = all("val_accuracy" in each.metrics for each in baselines.found)
    quality = "acc" if classification else label
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("baseline", no_wrap=True)
    for heading in (f"val {quality}", f"test {quality}", "inference", "±", "edges", "trained in"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in baselines.found:
        m = each.metrics
        table.add_row(
            each.label,
            *(_quality(m, part, classification) for part in ("val", "test")),
            *(seconds(m.get(name)) for name in ("inference_seconds", "inference_spread")),
            f"{m['edges']:,.0f}" if "edges" in m else "-",
            seconds(m.get("training_seconds")),
        )
    return table


def baselines_json(found: Front, baselines: Baselines | None) -> dict[str, Any]:
    """What `nas front --json` says of them."""
    from nas.search import verdict

    if baselines is None:
        return {"baselines": [], "verdict": ""}
    return {"baselines": baselines.to_json()["members"], "verdict": verdict(found, baselines)}


def _quality(metrics: Mapping[str, float], part: str, classification: bool) -> str:
    if classification:
        return percent(metrics.get(f"{part}_accuracy"))
    value = metrics.get(f"{part}_error")
    return "-" if value is None else f"{value:.4g}"
