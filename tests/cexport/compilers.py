"""C compilers of this machine, and generated code as functions of arrays."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def needed(program: str) -> str:
    """A program's path; skips the test where it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A command, whose failure shows what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done


class Library:
    """Generated files of one folder, compiled into one library.

    Args:
        compiler: "gcc" or "clang".
    """

    def __init__(self, folder: Path, compiler: str = "gcc") -> None:
        path = folder / f"{compiler}.so"
        run(needed(compiler), *STRICT, "-O1", "-shared", "-fPIC", *sorted(folder.glob("*.c")), "-lm", "-o", path)
        self._library = ctypes.CDLL(str(path))

    def predict(self, prefix: str, inputs: np.ndarray, outputs: int, dtype: Any = np.float32) -> tuple[Any, Any]:
        """What ``PREFIX_predict`` returns for each row, and the outputs (rows, outputs) of type ``dtype``."""
        function = self._library[f"{prefix}_predict"]
        given = np.zeros((len(inputs), outputs), dtype)
        rows = zip(np.ascontiguousarray(inputs), given, strict=True)
        returned = [function(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data)) for x, y in rows]
        return np.array(returned), given

    def __getitem__(self, name: str) -> Any:
        return self._library[name]


def selftest(folder: Path, source: Path, prefix: str) -> int:
    """How many of its test vectors a file does not reproduce, compiled with all sanitizers."""
    program = folder / f"{prefix}.test"
    run(needed("gcc"), *STRICT, *SANITIZED, f"-D{prefix.upper()}_SELFTEST", source, "-lm", "-o", program)
    return subprocess.run([program], capture_output=True, check=False).returncode
