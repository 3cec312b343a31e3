"""Code that a file names runs only where whoever runs the command names it, too; and what bombs files may be."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from nas.checkpoint import save
from nas.engine import DAGModule
from nas.errors import DataError
from nas.graph import DAG
from nas.training import DataConfig, read_data
from nas.training._idx import read_idx
from tests.cli.test_commands import nas, plain


def test_a_checkpoint_runs_no_code_that_nobody_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted.py").write_text(
        "import pathlib\npathlib.Path('ran').touch()\ndef data():\n    raise SystemExit(0)\n"
    )
    monkeypatch.chdir(tmp_path)
    dag = DAG.from_edges([("a", "y"), ("b", "y")], inputs=["a", "b"], outputs=["y"])
    save(tmp_path / "x.safetensors", DAGModule(dag), {"data": {"source": "planted:data"}, "task": "regression"})
    refused = nas("evaluate", "x.safetensors")
    assert refused.exit_code == 2
    assert "was trained on planted:data, which is code: it runs only where you name it yourself" in plain(refused)
    assert not (tmp_path / "ran").exists()
    named = nas("evaluate", "x.safetensors", "--data", "planted:data")
    assert named.exit_code == 1
    assert "the function failed (SystemExit: 0)" in plain(named)
    assert (tmp_path / "ran").exists()


def test_a_small_file_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros((80, 2**20), np.int8), y=np.zeros(80, np.int8))
    with pytest.raises(DataError, match=r"bomb.npz: \d+ bytes announce \d+ when expanded, more than 200 times"):
        read_data(DataConfig(source=str(tmp_path / "bomb.npz")))
    with gzip.open(tmp_path / "bomb.gz", "wb") as file:
        file.write(struct.pack(">BBBBI", 0, 0, 8, 1, 2**30))
    with pytest.raises(DataError, match="more than 200 times as many; if that is right, store it uncompressed"):
        read_idx(tmp_path / "bomb.gz")
