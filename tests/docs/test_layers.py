"""Every example of docs/how-to/layers.md runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.training import pinned_threads


def test_page(run_page: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    with pinned_threads(1):
        found = run_page("how-to/layers.md")
    assert found["again"].spec == found["spec"]
    for name in ("network.onnx", "network.safetensors"):
        assert (tmp_path / name).stat().st_size > 100
