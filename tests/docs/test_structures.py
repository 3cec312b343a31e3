"""Every example of docs/how-to/structures.md runs, and gives what the page says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nas.cli import app

EXAMPLE = Path(__file__).parents[2] / "examples" / "families.yaml"


def test_page(run_page: Callable[[str], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.delenv("NAS_STORE", raising=False)
    settings = ("training.steps=20", "resources.executor=serial", "tracking.mlflow=false")
    store = f"tracking.store={tmp_path / 'nas-runs'}"
    arguments = ["search", str(EXAMPLE), "--trials", "12", *(f"--set={each}" for each in (*settings, store))]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = run_page("how-to/structures.md")
    assert found["accuracy"] > 0.85
    assert set(found["table"]["learned"]) == {"+", "-"}
    assert len(found["by_family"]) > 2
    for name in ("network.onnx", "network.pt2", "network.safetensors", "network.graphml", "network.dot", "hidden.png"):
        assert (tmp_path / name).stat().st_size > 100
