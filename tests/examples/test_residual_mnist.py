"""examples/residual_mnist.py runs and writes files that load."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

import nas
from nas.layers import LayerDAG

EXAMPLE = Path(__file__).parents[2] / "examples" / "residual_mnist.py"


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "digits", "--steps", "60", "--out", str(tmp_path / "net")])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "test accuracy" in capsys.readouterr().out
    loaded = nas.load(tmp_path / "net.safetensors")
    assert isinstance(loaded, LayerDAG) and loaded.record["metrics"]["test_accuracy"] > 0.8
    assert (tmp_path / "net.onnx").stat().st_size > 1000
    assert (tmp_path / "net.dot").read_text(encoding="utf-8").startswith("digraph")
