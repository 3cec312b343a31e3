"""Pieces of Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks._graphs import FAMILIES

__all__ = ["Json", "graph", "ms", "table", "times"]

Json = dict[str, Any]


def graph(cell: Json) -> str:
    return f"{FAMILIES[cell['family']]} {cell['neurons']:,}, {100 * cell['density']:g} %"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ms(seconds: float) -> str:
    value = 1e3 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: float | None) -> str:
    if ratio is None:
        return "—"
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"
