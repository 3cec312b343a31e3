"""Code that a file names runs only where whoever runs the command names it, too; and what bombs files may be."""

from __future__ import annotations

import gzip
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import nas as nas_package
from nas.checkpoint import save
from nas.cli._data import training_part
from nas.engine import DAGModule
from nas.errors import DataError, JobError
from nas.graph import DAG
from nas.training import DataConfig, read_data
from nas.training.data.idx import read_idx
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


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("SystemExit(0)", "SystemExit: 0"),
        ("GeneratorExit('over')", "GeneratorExit: over"),
        ("type('Mine', (BaseException,), {})('own')", "Mine: own"),
        ("ValueError('a\\udc80' + 5_000_000 * 'x')", "ValueError: a?xxx"),
    ],
)
def test_whatever_a_function_raises_is_an_error_of_some_lines(
    raised: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"raising_{said[:4].lower()}"  # modules are imported once
    (tmp_path / f"{name}.py").write_text(f"def data():\n    raise {raised}\n")
    monkeypatch.chdir(tmp_path)
    result = nas("search", f"{name}:data")
    assert result.exit_code == 1
    assert f"{name}:data: the function failed ({said}" in result.output and len(result.output) < 11_000


def test_an_export_reads_no_code_that_nobody_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = "import numpy as np\ndef data():\n    return np.arange(40.0).reshape(20, 2), np.arange(20.0) / 7\n"
    (tmp_path / "ranges.py").write_text(planted)
    monkeypatch.chdir(tmp_path)
    record = {"data": {"source": "ranges:data"}, "task": "regression"}
    with pytest.raises(JobError, match="study 'x' was made with ranges:data, which is code.*--data ranges:data"):
        training_part(record, None, "study 'x' was made with")
    assert "ranges" not in sys.modules
    assert training_part(record, "ranges:data", "").n_inputs == 2


def test_what_a_file_names_is_read_in_one_place() -> None:
    """Whoever reads data otherwise reads what the command line or the user's own job names."""
    folder = Path(nas_package.__file__).parent
    readers = {
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*.py"))
        if re.search(r"\b(read_data|load_data)\(", path.read_text(encoding="utf-8")) and "training" not in path.parts
    }
    assert readers == {"cli/_data.py", "cli/_init.py", "cli/search.py"}


def test_a_small_file_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros((80, 2**20), np.int8), y=np.zeros(80, np.int8))
    with pytest.raises(DataError, match=r"bomb.npz: \d+ bytes announce \d+ when expanded, more than 200 times"):
        read_data(DataConfig(source=str(tmp_path / "bomb.npz")))
    with gzip.open(tmp_path / "bomb.gz", "wb") as file:
        file.write(struct.pack(">BBBBI", 0, 0, 8, 1, 2**30))
    with pytest.raises(DataError, match="more than 200 times as many; if that is right, store it uncompressed"):
        read_idx(tmp_path / "bomb.gz")
