"""Tables of the speed section, and of what bounds it."""

from __future__ import annotations

from benchmarks._alternatives import AUTOGRAD_LEVELS
from benchmarks._bounds import bound_seconds
from benchmarks._graphs import FAMILIES
from benchmarks._tables import Json, graph, ms, table, times

__all__ = ["bounds_tables", "speed_table", "speed_tables"]


def speed_tables(section: Json) -> list[str]:
    cells = section["cells"]
    parts = ["## Speed of a training pass", speed_table(cells)]
    lost = [cell for cell in cells if cell["best_ratio"] is not None and cell["best_ratio"] < 1]
    worst = "; ".join(f"{graph(c)}, batch {c['batch']}: {c['best']} {c['best_ratio']:.2f}×" for c in lost)
    parts.append(
        f"Slower than an alternative in {len(lost)} of {len(cells)} cells{': ' + worst if lost else ''}. "
        "*FLOP rate*: the engine's FLOPs a second as a share of those of one dense torch product (forward, both "
        "gradients) with as many multiplications. *×*: that time over the engine's."
    )
    names = list(section["alternatives"])
    rows = [[graph(cell), f"{cell['batch']:,}", ms(cell["engine"]["median"]), ms(cell["dense"]["median"])]
            + [_alternative(cell["alternatives"].get(name)) for name in names] for cell in cells]  # fmt: skip
    parts += ["### Every alternative, ms", table(["graph", "batch", "engine", "one dense product", *names], rows)]
    parts.append("\n".join(f"- *{name}*: {about}" for name, about in section["alternatives"].items()))
    parts.append(
        "(1): a single run, as it takes more than 2 s. Variants: "
        + ", ".join(sorted({r["variant"] for c in cells for r in c["alternatives"].values() if "variant" in r}))
        + "; each with one thread of torch and with all. The fastest in each cell counts; the JSON file tells which."
    )
    refused = [f"- {graph(cell)}, batch {cell['batch']}, {name}: {reason}" for cell in cells
               for name, record in cell["alternatives"].items() for reason in record.get("reasons", [])]  # fmt: skip
    if refused:
        parts += ["### Not run, and why", "\n".join(refused)]
    if section["left_out"]:
        missing = "; ".join(
            f"{FAMILIES[c['family']]} {c['computational']:,}, {c['density']:.1%}, batch {c['batch']}"
            for c in section["left_out"]
        )
        parts.append(f"**Left out, because time was up:** {missing}.")
    return parts


def bounds_tables(section: Json, cells: list[Json]) -> list[str]:
    """Rates of this processor, and how close each cell comes to them."""
    widths = list(section["reads"])
    kib = [int(point[0]) for point in section["reads"][widths[0]]]
    rates = [
        [f"{size:,}"]
        + [f"{1e9 * section['reads'][w][k][1]:.2f} ({4e-9 * int(w) / section['reads'][w][k][1]:.0f})" for w in widths]
        for k, size in enumerate(kib)
    ]
    overhead = section["empty_pass"]["median"]
    rows = []
    for cell in cells:
        least = bound_seconds(section, cell) if "tile" in cell else None
        if least is None:
            continue
        own = cell["engine"]["median"]
        levels = cell["alternatives"].get(AUTOGRAD_LEVELS, {})
        rows.append(
            [graph(cell), f"{cell['batch']:,}", f"{cell['tile']} × {cell['tiles']}", str(cell["threads"]),
             f"{4 * cell['tile'] * cell['reach'] / 1024:,.0f}", ms(own), ms(least), f"{least / own:.0%}",
             f"{least / max(own - overhead, 1e-9):.0%}",
             times(levels["median"] / (least + overhead)) if "median" in levels else "—"]
        )  # fmt: skip
    head = ["graph", "batch", "tile × tiles", "threads", "KiB read from", "engine, ms", "bound, ms", "of the bound",
            "without overhead", "level by level × at the bound"]  # fmt: skip
    return [
        "### What bounds it",
        f"One core does {section['gflops']:.0f} GFLOP/s of multiply-adds in registers and reads rows of "
        "activations in random order at these rates, ns a row (GB/s), by how much memory they lie in:",
        table(["KiB", *(f"rows of {w} samples" for w in widths)], rates),
        "*Bound*: each edge reads one row forward and one backward and does one and two multiply-adds on them; the "
        "slower of reading and multiplying at the rates above, on all threads, is the least that a walk edge by edge "
        "can take; dense parts, where four neurons share the rows they read, may be faster. *KiB read from*: how far "
        "back nine tenths of the edges read, times the tile. *Without overhead*: "
        f"less what a pass of 100 edges takes ({1e6 * overhead:.0f} µs, nearly all of it torch's autograd and Python; "
        f"one sample without gradients {1e6 * section['empty_forward']['median']:.1f} µs). *Level by level × at the "
        "bound*: what the factor would be if the edges took the bound and the overhead stayed.",
        table(head, rows),
    ]


def speed_table(cells: list[Json], bounds: Json | None = None) -> str:
    """With a column for what `benchmarks._bounds` has found when that is given."""
    head = ["graph", "edges", "depth", "batch", "engine, ms", "best alternative", "ms", "×", "level by level ×",
            "FLOP rate"]  # fmt: skip
    head += ["of the bound"] * (bounds is not None)
    rows = []
    for cell in cells:
        least = bound_seconds(bounds, cell) if bounds is not None and "tile" in cell else None
        share = [f"{least / cell['engine']['median']:.0%}" if least else "—"] * (bounds is not None)
        levels = cell["alternatives"].get(AUTOGRAD_LEVELS, {})
        own = cell["engine"]["median"]
        best = cell["best"]
        rows.append(
            [
                graph(cell),
                f"{cell['edges']:,}",
                f"{cell['depth']:,}",
                f"{cell['batch']:,}",
                ms(own),
                best or "—",
                ms(cell["alternatives"][best]["median"]) if best else "—",
                times(cell["best_ratio"]),
                times(levels["median"] / own) if "median" in levels else "—",
                f"{cell['flop_rate_share']:.0%}",
                *share,
            ]
        )
    return table(head, rows)


def _alternative(record: Json | None) -> str:
    if record is None:
        return "—"
    if "median" not in record:
        needs = [reason.partition("not run, ")[2] for reason in record.get("reasons", []) if "GiB" in reason]
        return needs[-1] if needs else str(record["status"])
    return ms(record["median"]) + (" (1)" if record["status"] == "once" else "")
