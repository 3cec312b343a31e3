"""The README's tables: the telling rows of the results, between two markers."""

from __future__ import annotations

from pathlib import Path

from benchmarks._programs import programs_table
from benchmarks._report import device_slug, origin, training_tables
from benchmarks._speed_report import speed_table
from benchmarks._tables import Json

__all__ = ["BEGIN", "END", "update_readme"]

BEGIN, END = "<!-- bench:engine -->", "<!-- /bench:engine -->"


def update_readme(path: Path, results: Json) -> str:
    """Write the README's tables between its markers; returns what was done, in words."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if BEGIN not in text or END not in text.partition(BEGIN)[2]:
        return f"{path.name} has no markers {BEGIN} … {END}, so no table was written into it"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{_readme_part(results)}\n{END}{after}", encoding="utf-8")
    return f"wrote the tables of {path.name}"


def _readme_part(results: Json) -> str:
    sections = results["sections"]
    parts = [origin(results)]
    if "programs" in sections:
        parts += programs_table(sections["programs"])[1:]
    if "speed" in sections:
        cells = sections["speed"]["cells"]
        parts.append(speed_table([c for c in cells if _key(c) in _TELLING], sections.get("bounds")))
        lost = sum(cell["best_ratio"] is not None and cell["best_ratio"] < 1 for cell in cells)
        slug = device_slug(str(results["hardware"]["processor"]))
        parts.append(
            "A pass is forward and backward for all weights and biases. *FLOP rate*: as a share of that of one dense "
            "torch product of equal FLOPs; *of the bound*: of what this processor's caches and multipliers allow edge "
            f"by edge. The engine is slower than an alternative in {lost} of {len(cells)} cells. All cells with every "
            "alternative, memory, latency, linearity and compile times: "
            f"[benchmarks/results/{slug}.md](benchmarks/results/{slug}.md)."
        )
    if "training" in sections:
        parts += training_tables(sections["training"])[1:2]
    return "\n\n".join(parts)


# Rows of the README: every family, both ends of density, size and batch.
_TELLING = {
    ("erdos_renyi", 1_000, 0.02, 1),
    ("erdos_renyi", 1_000, 0.02, 128),
    ("erdos_renyi", 1_000, 0.10, 128),
    ("erdos_renyi", 1_000, 0.10, 1024),
    ("erdos_renyi", 1_000, 1.0, 128),
    ("erdos_renyi", 20_000, 0.005, 128),
    ("erdos_renyi", 5_000, 1.0, 128),
    ("barabasi_albert", 5_000, 0.01, 128),
    ("watts_strogatz", 1_000, 0.02, 128),
    ("banded", 1_000, 0.10, 128),
}


def _key(cell: Json) -> tuple[str, int, float, int]:
    return cell["family"], cell["computational"], cell["density"], cell["batch"]
