"""Records of runs: kept one by one while a benchmark runs, published together at its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["keep", "publish"]

Json = dict[str, Any]


def keep(path: Path, record: Json) -> None:
    """Write a record: all of it or nothing, whenever the process is stopped."""
    whole = path.with_suffix(".tmp")
    whole.write_text(json.dumps(record) + "\n")
    whole.replace(path)


def publish(folder: Path, name: str, facts: Json, records: Sequence[Json], page: str) -> None:
    """Write the page, and as JSON the facts and the records, one a line, so that a change shows where it is.

    Args:
        folder: of ``name``.md and ``name``.json; it is made where it is missing.
        name: of the benchmark.
        facts: what all records share, such as the hardware.
        records: of the runs; in the file, ``runs``.
        page: Markdown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(record) for record in records)
    (folder / f"{name}.json").write_text(json.dumps(facts)[:-1] + ',\n"runs": [\n' + lines + "\n]}\n")
    (folder / f"{name}.md").write_text(page)
