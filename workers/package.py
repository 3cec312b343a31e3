"""What a job needs on another machine: its file, the local modules it names, and local data.

Layout of a package::

    job.yaml    the job, complete, its paths rewritten to the places below
    code/       modules that driver and workers import; the only part that workers get
    data/       files that the driver reads and puts into the object store

Nothing is imported to find modules: files are found by name below a root folder and their imports read.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from nas.errors import JobError
from nas.job import Job
from nas.training.data.idx import find_mnist

__all__ = ["CODE", "local_modules", "write_code", "write_package"]

CODE: Final = "code"
_MAX_CODE_BYTES: Final = 50 * 2**20
_MAX_BYTES: Final = 400 * 2**20  # Ray keeps packages in the memory of its head and takes at most 500 MiB
_PROGRAM: Final = ("nas",)  # installed on every node
_MNIST: Final = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def write_package(job: Job, root: Path, folder: Path, *, copy_data: bool = True) -> Job:
    """Fills `folder` with all that `job` needs from this machine.

    Args:
        job: paths in it are relative to `root`.
        root: where the user stands.
        folder: empty.
        copy_data: False where the head node sees the data under the name that the job gives.

    Returns:
        The job as it was written.

    Raises:
        JobError: data or a module is missing, or too large for a package.
    """
    write_code(job, root, folder / CODE)
    source = _copy_data(job.data.source, root, folder) if copy_data else job.data.source
    job = job.model_copy(update={"data": job.data.model_copy(update={"source": source})})
    (folder / "job.yaml").write_text(yaml.safe_dump(job.to_mapping(), sort_keys=False), encoding="utf-8")
    size = _size(folder)
    if size > _MAX_BYTES:
        raise JobError(
            f"data.source: the package would hold {size / 2**20:,.0f} MiB, more than {_MAX_BYTES / 2**20:.0f}; put the "
            "data on a disk that the head node sees and give its absolute path with --remote-data"
        )
    return job


def write_code(job: Job, root: Path, folder: Path) -> bool:
    """Copies the local modules that `job` names, and those they import, to `folder`; whether there are any.

    Raises:
        JobError: they are too large.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A folder must hold something to be sent, and this says what it is.
    (folder / "README").write_text("Modules that a nas job names.\n", encoding="utf-8")
    found = local_modules(named_modules(job), root)
    for path in found:
        target = folder / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if (size := _size(folder)) > _MAX_CODE_BYTES:
        raise JobError(
            f"the modules that the job names hold {size / 2**20:,.0f} MiB, more than {_MAX_CODE_BYTES / 2**20:.0f}; "
            "keep data out of their folders"
        )
    return bool(found)


def named_modules(job: Job) -> list[str]:
    """The modules behind the ``module:name`` entries of a job."""
    entries = [job.space.name, job.search.strategy, job.search.scorer or "", job.training.closeness]
    if not _is_folder_or_download(job.data.source):
        entries.append(job.data.source)
    return [entry.partition(":")[0] for entry in entries if ":" in entry]


def local_modules(names: list[str], root: Path) -> list[Path]:
    """Files below `root` that importing these modules needs: a module's file, a package's whole folder.

    Modules that are not there are taken to be installed on the cluster.
    """
    found: set[Path] = set()
    todo, seen = list(names), set[str]()
    while todo:
        top = todo.pop().partition(".")[0]
        if top in seen or top in _PROGRAM:
            continue
        seen.add(top)
        files = list(_files_of(top, root))
        found.update(files)
        for path in files:
            if path.suffix == ".py":
                todo += _imports(path)
    return sorted(found)


def _files_of(top: str, root: Path) -> Iterator[Path]:
    module, package = root / f"{top}.py", root / top
    if package.is_dir() and any(package.rglob("*.py")):
        for path in package.rglob("*"):
            hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(root).parts)
            if path.is_file() and not hidden:
                yield path
    elif module.is_file():
        yield module


def _imports(path: Path) -> list[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []  # whoever imports it will say so
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.append(node.module)
    return names


def _is_folder_or_download(source: str) -> bool:
    return source.startswith(("idx:", "openml:"))


def _copy_data(source: str, root: Path, folder: Path) -> str:
    """Copies a local file or folder of data into the package; the source as it is called there."""
    target = folder / "data"
    if source == "mnist":
        found = find_mnist()
        if found is not None:  # else the head node may have it
            _copy_idx(found, target / "MNIST" / "raw")
        return source
    if source.startswith("idx:"):
        found = root / source.removeprefix("idx:")
        if not found.is_dir():
            raise JobError(f"data.source: there is no folder {found}; give one on this machine, or use --remote-data")
        _copy_idx(found, target / found.name)
        return f"idx:data/{found.name}"
    if ":" in source or "." not in source:
        return source
    found = root / source
    if not found.is_file():
        raise JobError(f"data.source: there is no file {found}; give one on this machine, or use --remote-data")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found, target / found.name)
    return f"data/{found.name}"


def _copy_idx(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in _MNIST:
        for path in (source / f"{name}.gz", source / name):
            if path.is_file():
                shutil.copyfile(path, target / path.name)
                break


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
