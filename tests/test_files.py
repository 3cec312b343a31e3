"""A file that is written is whole, or what was there before: also where the disk is full in the middle of it."""

import contextlib
import errno
import os
import re
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas import draw
from nas._files import write_whole
from nas._given_data import GivenData
from nas.cexport import export_c
from nas.checkpoint import export_onnx, export_program, save
from nas.cli import _lineage, _predict, _remote
from nas.cli.console import need_writable
from nas.engine import DAGModule
from nas.errors import NasError
from nas.graph import random_dag, write_dot, write_edge_list, write_graphml
from nas.layers import LayerDAG, LayerSpec, Linear, Node
from nas.layers import export_onnx as export_layers
from nas.tracking import Ancestor

ROOT = Path(__file__).parents[1]
DAG = random_dag(4, 6, 2, density=0.6, rng=np.random.default_rng(0))
LINE = [Ancestor(number, {"val_accuracy": 0.9, "edges": 9.0, "inference_seconds": 1e-3}) for number in range(2)]


def network() -> DAGModule:
    return DAGModule(DAG, activation="relu")


def layers() -> LayerDAG:
    return LayerDAG(LayerSpec.of((4,), [Node(name="y", op=Linear(features=2))]))


def answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cluster:
        def ask(self, *words: object) -> tuple[str, dict[str, bytes]]:
            return "", {f"answer{path.suffix}": bytes(1000)}

    monkeypatch.setattr(_remote, "cluster", lambda address: Cluster())
    _remote.ask("http://127.0.0.1:9", "study", ["report"], path)


WRITERS: dict[str, Callable[[Path, pytest.MonkeyPatch], object]] = {
    "net.safetensors": lambda path, _: save(path, network(), {}),
    "net.pt2": lambda path, _: export_program(network(), path),
    "net.onnx": lambda path, _: export_onnx(network(), path, {}),
    "layers.onnx": lambda path, _: export_layers(layers(), path),
    "net.c": lambda path, _: export_c(network(), path),
    "net.graphml": lambda path, _: write_graphml(path, DAG),
    "net.dot": lambda path, _: write_dot(path, DAG),
    "net.csv": lambda path, _: write_edge_list(path, DAG),
    "net.png": lambda path, _: draw(DAG, path),
    "lineage.html": lambda path, _: _lineage.draw(path, LINE, []),
    "data.npz": lambda path, _: GivenData(np.ones((99, 2)), np.ones(99)).write(path.parent),
    "data.parquet": lambda path, _: GivenData(pd.DataFrame({"a": range(99), "b": 1.5})).write(path.parent),
    "predictions.csv": lambda path, _: _predict._written(pd.DataFrame({"a": range(200)}), path),
    "report.html": answer,
}


@contextlib.contextmanager
def full_after(size: int) -> Iterator[None]:
    """No file gets longer than ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_what_was_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, path = WRITERS[name], tmp_path / name
    write(path, monkeypatch)
    assert path.stat().st_size > 100
    files = {each.name: b"before" for each in tmp_path.iterdir()}  # with the header, of C
    for each in files:
        Path(tmp_path, each).write_bytes(b"before")
    with full_after(100), pytest.raises(OSError) as caught:
        write(path, monkeypatch)
    assert caught.value.errno == errno.EFBIG
    assert Path(str(caught.value.filename)).stem == path.stem  # no temporary one
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == files


def test_nothing_else_writes_files_that_people_keep() -> None:
    """Whoever is named here writes into a folder that goes with it or into memory, renames by itself, or only locks."""
    own = {
        "nas/_files.py",
        "nas/_scratch.py",
        "nas/cexport/_compiled.py",
        "nas/cli/_patience.py",
        "nas/cli/_predict.py",
        "nas/cli/_report.py",
        "nas/cli/_workers.py",
        "nas/engine/cuda/_nvrtc.py",
        "nas/engine/cuda/_simulator.py",
        "nas/engine/cuda/_verdict.py",
        "nas/search/study/_identity.py",
        "nas/search/study/storage.py",
        "nas/search/study/store.py",
        "nas/tracking/mlflow/_database.py",
        "nas/tracking/mlflow/_journal.py",
        "nas/tracking/mlflow/_session.py",
        "nas/tracking/mlflow/champion.py",
        "nas/tracking/plots/animation.py",
        "nas/training/cost/calibration.py",
    }
    writes = re.compile(
        r"""\.write_(?:text|bytes)\(|open\([^)\n]*["'][wx]b?["']|np\.save\w*\(path|to_(?:csv|parquet)\(path"""
    )
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "nas").rglob("*.py")
        if writes.search(path.read_text("utf-8"))
    }
    assert found == own


def test_links_modes_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.write_bytes(b"before")
    kept.chmod(0o640)
    link.symlink_to(kept.name)
    write_whole(link, "naïve")
    assert link.is_symlink()
    assert kept.read_text("utf-8") == "naïve"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    write_whole("/dev/null", b"nothing")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    write_whole(tmp_path / ("n" * 255), b"a name as long as may be")


def test_a_folder_that_may_not_be_written_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, "access", lambda where, mode: Path(where) != tmp_path)  # the owner of all may do anything
    with pytest.raises(NasError, match="cannot be written"):
        need_writable(path)
    need_writable(Path("/dev/null"))
