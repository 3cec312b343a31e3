"""Every example of docs/how-to/recurrent.md runs, and gives what the page says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nas.training import pinned_threads


def test_page(run_page: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    torch.manual_seed(0)
    with pinned_threads(1):
        found = run_page("how-to/recurrent.md")
    assert found["again"].memory == found["memory"]
    for name in ("recall.safetensors", "recall.pt2", "recall.graphml"):
        assert (tmp_path / name).stat().st_size > 100
