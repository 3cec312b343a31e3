"""Checkpoints of networks of layers: same predictions, and nothing of a stranger's file is run or believed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from safetensors import safe_open
from torch import nn

import nas
from nas.checkpoint import CheckpointLayers
from nas.errors import CheckpointError
from nas.layers import Conv, LayerDAG, LayerSpec, Linear, Module, Node, residual


def network() -> LayerDAG:
    spec = LayerSpec.of(
        (1, 4, 4),
        [
            Node(name="stem", op=Conv(channels=2), norm="batch", activation="relu"),
            *residual("block", "stem", 3),
            Node(name="out", inputs=("block",), op=Linear(features=2)),
        ],
    )
    module = LayerDAG(spec, seed=0)
    module(torch.randn(8, 16, generator=torch.Generator().manual_seed(0)))  # moves the statistics of batch norm
    return module


def changed(path: Path, *, metadata: dict[str, str] | None = None, drop: str = "", **arrays: np.ndarray) -> None:
    """Rewrites a file with other metadata or tensors."""
    with safe_open(path, "numpy") as file:
        before = dict(file.metadata())
    tensors = {**safetensors.numpy.load_file(path), **{name.replace("__", "."): a for name, a in arrays.items()}}
    tensors.pop(drop, None)
    safetensors.numpy.save_file(tensors, path, metadata={**before, **(metadata or {})})


def test_the_network_comes_back(tmp_path: Path) -> None:
    module = network()
    nas.save(tmp_path / "net", module, {"task": "classification", "metrics": {"val_error": np.float32(0.5)}})
    loaded = nas.load(tmp_path / "net")
    assert isinstance(loaded, CheckpointLayers) and not loaded.training
    assert loaded.spec == module.spec and loaded.dag == module.dag
    assert loaded.record == {"task": "classification", "metrics": {"val_error": 0.5}}
    x = torch.randn(5, 16, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(loaded(x), module.eval()(x), rtol=0, atol=0)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net"

    def refused(message: str, **how: object) -> None:
        nas.save(path, network(), {})
        changed(path, **how)  # type: ignore[arg-type]
        with pytest.raises(CheckpointError, match=message):
            nas.load(path)

    name = "nodes__n_out__op__1__weight"
    refused("a specification of layers is JSON", metadata={"layers": "{"})
    refused(r"op\.1\.weight must have shape \(2, 48\) in its network, but has none", drop="nodes.n_out.op.1.weight")
    refused(r"must have shape \(2, 48\) in its network, but has \(2, 2\)", **{name: np.zeros((2, 2), np.float32)})
    refused("ghost must have shape none in its network", ghost=np.zeros(2, np.float32))
    refused("must be finite", **{name: np.full((2, 48), np.nan, np.float32)})
    nas.save(path, network(), {})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="truncated"):
        nas.load(path)


def test_a_file_that_asks_for_much_memory_takes_none(tmp_path: Path) -> None:
    nas.save(tmp_path / "net", network(), {})
    wide = [Node(name="a", op=Linear(features=65_536)), Node(name="b", inputs=("a",), op=Linear(features=65_536))]
    changed(tmp_path / "net", metadata={"layers": LayerSpec.of((65_536,), wide).to_json()})  # 34 GB of weights
    with pytest.raises(CheckpointError, match="must have shape"):
        nas.load(tmp_path / "net")


def test_code_named_by_a_file_runs_only_when_allowed(tmp_path: Path) -> None:
    sys.modules.pop("antigravity", None)
    nas.save(tmp_path / "net", LayerDAG(LayerSpec.of((3,), [Node(name="a", op=Module(path="torch.nn:Softsign"))])), {})
    with pytest.raises(CheckpointError, match=r"node 'a' names the module 'torch\.nn:Softsign'.*allow it"):
        nas.load(tmp_path / "net")
    loaded = nas.load(tmp_path / "net", modules=["torch.nn:Softsign"])
    torch.testing.assert_close(loaded(torch.ones(1, 3)), torch.full((1, 3), 0.5))
    spec = json.dumps(json.loads(LayerSpec.of((3,), [Node(name="a", op=Module(path="antigravity:x"))]).to_json()))
    changed(tmp_path / "net", metadata={"layers": spec})
    with pytest.raises(CheckpointError, match="antigravity"):
        nas.load(tmp_path / "net", modules=["torch.nn:Softsign"])
    assert "antigravity" not in sys.modules


def test_instances_cannot_be_saved(tmp_path: Path) -> None:
    module = LayerDAG(LayerSpec.of((3,), [Node(name="mine", op=Module())]), modules={"mine": nn.Softsign()})
    with pytest.raises(CheckpointError, match="node 'mine' holds an instance"):
        nas.save(tmp_path / "net", module, {})
    assert not list(tmp_path.iterdir())
