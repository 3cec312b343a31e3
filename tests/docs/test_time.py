"""Every example of docs/how-to/time.md runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.training import pinned_threads


def test_page(run_page: Callable[[str], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CALIBRATION", str(tmp_path / "calibration.json"))
    with pinned_threads(1):
        found = run_page("how-to/time.md")
    assert not found["own"]
    assert found["metrics"]["edges"] < found["start"].n_edges
