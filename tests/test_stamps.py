"""A cached kernel is taken for stale exactly when something changes that it was compiled from."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import nas
from nas._stamps import compiled_since, modules_behind, stamp_of

ROOT = Path(nas.__file__).parent
FILES = {
    "__init__.py": "",
    "errors.py": "class Oops(Exception): pass\n",
    "engine/__init__.py": "from toy.engine._act import relu, sine as wave\nfrom toy.engine._module import Module\n",
    "engine/_act.py": "from typing import TYPE_CHECKING\nfrom toy.engine import simd\n"
    "if TYPE_CHECKING:\n    from toy.graph import DAG\n"
    "def relu(x):\n    return simd.top(x)\ndef sine(x):\n    return x\n",
    "engine/simd.py": "def top(x):\n    return max(x, 0)\n",
    "engine/_module.py": "class Module: pass\n",
    "graph.py": "class DAG: pass\n",
    "recurrent/__init__.py": "",
    "recurrent/kernels.py": "from toy.engine import relu, wave\ndef run(x):\n    return relu(wave(x))\n",
}


@pytest.fixture
def toy(tmp_path):
    for name, text in FILES.items():
        (tmp_path / "toy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "toy" / name).write_text(text)
    return tmp_path / "toy"


def names(root, path):
    return {str(each.relative_to(root)) for each in modules_behind(root / path, root)}


def test_a_kernel_is_made_of_the_modules_that_define_what_it_uses(toy):
    assert names(toy, "recurrent/kernels.py") == {"recurrent/kernels.py", "engine/_act.py", "engine/simd.py"}


@pytest.mark.parametrize(
    ("name", "old", "new", "stale"),
    [
        ("engine/simd.py", "max(x, 0)", "max(x, 1)", True),  # three modules away, through a package
        ("engine/_act.py", "return x", "return -x", True),
        ("recurrent/kernels.py", "relu(wave(x))", "wave(relu(x))", True),
        ("engine/simd.py", "max(x, 0)", "max(x,  0)  # the larger", False),
        ("engine/simd.py", "def top(x):\n", 'def top(x):\n    """The larger."""\n', False),
        ("engine/_module.py", "pass", "a = 1", False),
        ("graph.py", "pass", "a = 1", False),
    ],
)
def test_what_makes_a_kernel_stale(toy, name, old, new, stale):
    before = stamp_of([toy / "recurrent/kernels.py"], toy)
    path = toy / name
    times = path.stat()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # times of files say nothing
    assert (stamp_of([toy / "recurrent/kernels.py"], toy) != before) == stale


def test_kernels_of_all_packages_follow_what_they_inline():
    for kernels in ("engine/kernels.py", "recurrent/kernels.py", "training/fused/_kernels.py", "engine/_passes.py"):
        assert {"engine/_activations.py", "engine/functions.py", "engine/simd.py"} <= names(ROOT, kernels)
    assert "manifold/kernels.py" in names(ROOT, "training/fused/_kernels.py")
    assert not any(name.startswith("graph") for name in names(ROOT, "recurrent/kernels.py"))


PROGRAM = """
import numpy as np, pathlib, sys
sys.path.insert(0, {folder!r})
import nas._stamps
nas._stamps._ROOT = nas._stamps.Path({folder!r}) / "toy"
nas._stamps.stamp_of.__defaults__ = (nas._stamps._ROOT,)
nas._stamps.modules_behind.__defaults__ = (nas._stamps._ROOT,)
from toy.kernel import run
print(run(3.0), sum(run.stats.cache_hits.values()))
"""


def test_numba_compiles_again_what_a_change_elsewhere_has_made_wrong(toy):
    (toy / "part.py").write_text("from numba import njit\n@njit\ndef part(x):\n    return x + 1\n")
    (toy / "kernel.py").write_text(
        "from numba import njit\nfrom toy.part import part\n@njit(cache=True)\ndef run(x):\n    return 2 * part(x)\n"
    )
    program = PROGRAM.format(folder=str(toy.parent))

    def printed():
        environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert printed() == ["8.0", "0"]
    assert printed() == ["8.0", "1"]
    (toy / "part.py").write_text("from numba import njit\n@njit\ndef part(x):\n    # more\n    return x + 1\n")
    assert printed() == ["8.0", "1"]
    (toy / "part.py").write_text("from numba import njit\n@njit\ndef part(x):\n    return x + 5\n")
    assert printed() == ["16.0", "0"]


UNWRITABLE = """
import os, subprocess, sys, tempfile
made = tempfile.TemporaryFile
def refused(*given, dir=None, **named):
    if "__pycache__" in str(dir):
        raise PermissionError(13, "Permission denied", dir)  # as in a package that another account has installed
    return made(*given, dir=dir, **named)
tempfile.TemporaryFile = refused
import nas.graph
from nas.graph import DAG
print("before", file=sys.stderr, flush=True)
DAG.from_edges([("a", "b"), ("b", "c")], ["a"], ["c"])
kernels = os.environ.get("NUMBA_CACHE_DIR")
print(kernels)
"""


def unwritable(tmp_path, code, **variables):
    """A process that can write neither the package's folder nor that of its user."""
    given = {name: value for name, value in os.environ.items() if name not in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}
    given |= {"HOME": "/dev/null", "TMPDIR": str(tmp_path), **variables}
    return subprocess.run([sys.executable, "-c", code], env=given, cwd=tmp_path, capture_output=True, text=True)


@pytest.mark.parametrize("stated", [{}, {"NUMBA_CACHE_DIR": "/dev/null/kernels"}], ids=["unset", "unwritable"])
def test_kernels_are_kept_for_a_run_where_neither_package_nor_home_can_be_written(stated, tmp_path):
    child = UNWRITABLE + "subprocess.run([sys.executable, '-c', 'from nas.graph import DAG'], check=True)\n"
    done = unwritable(tmp_path, child, **stated)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/nas-run-")
    # Said by who compiles: not for an import, which many a command leaves it at, nor twice.
    assert done.stderr.rpartition("before\n")[2].count("compiled code is kept for this run only") == 1
    assert done.stderr.startswith("before\n")
    assert "NUMBA_CACHE_DIR" in done.stderr
    assert all(f"neither {folder} (NUMBA_CACHE_DIR), " in done.stderr for folder in stated.values())
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_can_write_nowhere_says_so(tmp_path):
    nowhere = "import tempfile\ndef none(): raise FileNotFoundError('No usable temporary directory found')\n"
    done = unwritable(tmp_path, nowhere + "tempfile.gettempdir = none\n" + UNWRITABLE)
    assert done.returncode == 1
    assert "NasError: compiled code can be kept nowhere" in done.stderr
    assert "No usable temporary directory" in done.stderr


def test_compiled_functions_are_counted_since_a_time():
    nas.DAGModule(nas.DAG.from_edges([("a", "y")], inputs=["a"], outputs=["y"]))(torch.ones(1, 1))
    assert compiled_since(0) > 0 and compiled_since(time.time() + 60) == 0
