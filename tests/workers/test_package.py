"""What a submitted job takes along: found by reading, never by importing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nas.errors import JobError
from nas.job import Job
from nas.workers.package import local_modules, write_code, write_package

BOMB = "raise RuntimeError('imported on the wrong machine')\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def names(paths: list[Path], root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in paths]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_modules_are_followed_through_their_imports_and_nothing_is_executed(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "space.py": BOMB + "import numpy\nfrom helper import x\ndef f():\n    import late.inner\n",
            "helper.py": "import space  # a cycle\nfrom . import nothing",
            "late/__init__.py": BOMB,
            "late/inner.py": "",
            "late/table.json": "{}",
            "late/__pycache__/inner.pyc": "",
            "late/.secret": "",
            "unrelated.py": "",
            "nas/__init__.py": BOMB,
        },
    )
    found = local_modules(["space", "nas.graph", "installed_elsewhere"], root)
    assert names(found, root) == ["helper.py", "late/__init__.py", "late/inner.py", "late/table.json", "space.py"]


def test_a_module_with_a_wrong_syntax_still_travels(tmp_path: Path) -> None:
    root = write(tmp_path, {"space.py": "def"})
    assert names(local_modules(["space"], root), root) == ["space.py"]


@pytest.mark.parametrize("source", ["table.csv", "sub/table.csv"])
def test_a_file_of_data_travels_beside_the_code(tmp_path: Path, source: str) -> None:
    root = write(tmp_path / "here", {source: "a,b\n1,2\n", "space.py": ""})
    folder = tmp_path / "package"
    folder.mkdir()
    job = Job.from_mapping({"data": {"source": source}, "space": {"name": "space:Mine"}})
    written = write_package(job, root, folder)
    assert written.data.source == "data/table.csv"
    assert files(folder) == ["code/README", "code/space.py", "data/table.csv", "job.yaml"]
    assert Job.from_mapping(yaml.safe_load((folder / "job.yaml").read_text())) == written


def test_data_that_the_head_node_sees_stays_where_it_is(tmp_path: Path) -> None:
    written = write_package(
        Job.from_mapping({"data": {"source": "/far/away.csv"}}), tmp_path, tmp_path / "p", copy_data=False
    )
    assert written.data.source == "/far/away.csv"
    assert files(tmp_path / "p") == ["code/README", "job.yaml"]


@pytest.mark.parametrize("source", ["missing.csv", "idx:missing"])
def test_missing_data_is_refused_before_anything_is_sent(tmp_path: Path, source: str) -> None:
    with pytest.raises(JobError, match=r"data.source: there is no (file|folder) .*missing"):
        write_package(Job.from_mapping({"data": {"source": source}}), tmp_path, tmp_path / "p")


def test_a_folder_of_images_travels_without_its_neighbours(tmp_path: Path) -> None:
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    root = write(tmp_path, {f"images/{part}-ubyte.gz": "" for part in parts} | {"images/other.bin": "x"})
    written = write_package(Job.from_mapping({"data": {"source": "idx:images"}}), root, tmp_path / "p")
    assert written.data.source == "idx:data/images"
    assert len(files(tmp_path / "p" / "data")) == 4


def test_code_that_is_really_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.workers.package._MAX_CODE_BYTES", 100)
    root = write(tmp_path, {"space/__init__.py": "", "space/weights.bin": "x" * 200})
    with pytest.raises(JobError, match="keep data out of their folders"):
        write_code(Job.from_mapping({"space": {"name": "space:Mine"}}), root, tmp_path / "p")


def test_a_job_without_modules_of_its_own_says_so(tmp_path: Path) -> None:
    assert not write_code(Job.from_mapping({}), tmp_path, tmp_path / "p")
