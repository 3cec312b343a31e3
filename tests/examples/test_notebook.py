"""The notebook is the page on searches in one line, whose code the tests of the docs run."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_its_cells_are_the_blocks_of_the_page() -> None:
    notebook = json.loads((ROOT / "examples" / "quick-start.ipynb").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "how-to" / "one-line.md").read_text(encoding="utf-8").split("## From the shell")[0]
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells == [block.strip() for block in blocks] and len(cells) >= 4
    assert not any(cell.get("outputs") for cell in notebook["cells"])
