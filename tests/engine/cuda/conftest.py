"""A machine with a GPU, as far as the CUDA driver, NVRTC and torch.cuda tell: ``standin/``."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STANDIN, ROOT = Path(__file__).parent / "standin", Path(__file__).parents[3]


@pytest.fixture(scope="session")
def standin(tmp_path_factory):
    """Runs Python code, or another command, in a process that has the stand-in for a GPU."""
    if shutil.which("g++") is None:
        pytest.skip("the stand-in for the CUDA driver needs g++")
    folder = tmp_path_factory.mktemp("standin")
    options = ["g++", "-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", f"-I{STANDIN}"]
    headers = [f"-I{each}" for each in sorted(Path("/usr/local").glob("cuda*/include"))]
    for source, name in (("libcuda.cpp", "libcuda.so.1"), ("libnvrtc.cpp", "libnvrtc.so.13")):
        command = [*options, *headers, str(STANDIN / source), "-o", str(folder / name), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    kernels = ROOT / "build" / "standin-kernels"  # compiled once, not at every run of the tests

    def run(code, *command, timeout=240, **settings):
        environment = {
            **os.environ,
            "LD_LIBRARY_PATH": str(folder),
            "PYTHONPATH": f"{STANDIN}:{ROOT}",
            "XDG_CACHE_HOME": str(kernels),
            "OMP_NUM_THREADS": "1",
            **{name: str(value) for name, value in settings.items()},
        }
        done = subprocess.run(
            [sys.executable, *(["-c", code] if code else command)], capture_output=True, text=True, env=environment,
            timeout=timeout,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        return done.stdout

    return run
