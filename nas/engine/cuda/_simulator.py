"""The kernels on a machine without a GPU: compiled for the processor, every CUDA thread a fibre.

See ``source/simulator.h``. Slow (it is a test bench), but the same source, the same barriers and the same results.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from nas.engine.cuda._cache import cache_folder
from nas.engine.cuda._machine import Kernel

__all__ = ["SimulatedGPU"]

Order = Literal["ascending", "descending", "shuffled"]
_ORDERS: dict[Order, int] = {"ascending": 0, "descending": 1, "shuffled": 2}
_OPTIONS = ("-std=c++17", "-O1", "-fPIC", "-U_FORTIFY_SOURCE", "-fno-strict-aliasing", "-w")
_WATCHING = ("-fsanitize=thread", "--param=tsan-distinguish-volatile=1", "--param=tsan-instrument-func-entry-exit=0")
_MAIN = """
extern "C" const char* simulate(void (*kernel)(const void*, int), unsigned grid, unsigned threads, size_t shared,
                                unsigned together, int order, unsigned long long seed, const void* jobs, int count) {
    return simulator::run(kernel, grid, threads, shared, together, order, seed, jobs, count);
}
"""


class SimulatedGPU:
    """Stands in for a GPU; see `nas.engine.cuda.GPU`.

    Args:
        threads: of a block.
        multiprocessors, shared_bytes: what it claims to have.
        order: in which a block's threads run between two barriers; the results must not depend on it.
        seed: of a shuffled order.
        watched: whether races are looked for, access by access (``source/races.h``); slow.

    Raises:
        RuntimeError: there is no C++ compiler (``$CXX``, else g++ or clang++).
    """

    torch_device = torch.device("cpu")
    why_no_kernels = ""

    def __init__(
        self,
        *,
        threads: int = 64,
        multiprocessors: int = 4,
        shared_bytes: int = 227 * 1024,
        order: Order = "ascending",
        seed: int = 0,
        watched: bool = False,
    ) -> None:
        _compiler()
        self._watched = watched
        self.name = "simulated GPU"
        self.threads, self.multiprocessors, self.shared_bytes = threads, multiprocessors, shared_bytes
        self._order, self._seed = _ORDERS[order], seed

    def launch(
        self,
        kernel: Kernel,
        grid: int,
        jobs: torch.Tensor | np.ndarray,
        count: int = 1,
        *,
        shared_bytes: int = 0,
        team: int = 1,
    ) -> None:
        """See `nas.engine.cuda.GPU.launch`."""
        library = _library(kernel.source, self._watched)
        function = ctypes.cast(getattr(library, kernel.name), ctypes.c_void_p)
        at = jobs.ctypes.data if isinstance(jobs, np.ndarray) else jobs.data_ptr()
        error = library.simulate(function, grid, self.threads, shared_bytes, team, self._order, self._seed, at, count)
        if error is not None:
            raise RuntimeError(f"{kernel.name} on {grid} blocks of {self.threads} threads: {error.decode()}")

    def synchronize(self) -> None:
        """Nothing is ever under way."""

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """A copy for the kernels to read."""
        return torch.from_numpy(np.array(array))


def _compiler() -> str:
    chosen = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not chosen:
        raise RuntimeError("simulating a GPU needs a C++ compiler: install g++ or clang++, or set CXX")
    return chosen


@lru_cache(maxsize=16)
def _library(source: str, watched: bool) -> Any:
    text = source + _MAIN
    if watched:
        text = f"#define WATCHED\n{text}"
    options = [*_OPTIONS, *(_WATCHING if watched else ())]
    key = hashlib.sha256("\0".join([_compiler(), *options, text]).encode()).hexdigest()[:24]
    path = cache_folder() / f"simulated-{key}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            unit, made = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
            unit.write_text(text, encoding="utf-8")
            compile_it = [_compiler(), *options, "-c", str(unit), "-o", str(made.with_suffix(".o"))]
            link_it = [_compiler(), "-shared", str(made.with_suffix(".o")), "-o", str(made)]  # no library of sanitizers
            done = subprocess.run(compile_it, capture_output=True, text=True)
            if done.returncode == 0:
                done = subprocess.run(link_it, capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"the C++ compiler refused the kernels:\n{done.stderr[:2000]}")
            made.replace(path)
    library = ctypes.CDLL(str(path))
    library.simulate.restype = ctypes.c_char_p
    library.simulate.argtypes = [
        ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_ulonglong,
        ctypes.c_void_p, ctypes.c_int,
    ]  # fmt: skip
    return library
