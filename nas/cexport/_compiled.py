"""Generated code, compiled by this machine's C compiler into a library that this process calls."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from nas._scratch import scratch
from nas.cexport._source import CSource
from nas.errors import ExportError

__all__ = ["c_compiler", "compiled_loop"]

_SECONDS: Final = 60.0  # that a compiler may take
_LOOP: Final = """
#include <stdint.h>
#include "{prefix}.h"
void {prefix}_loop(const {given} *rows, {out} *outputs, long count, long repeats);
void {prefix}_loop(const {given} *rows, {out} *outputs, long count, long repeats)
{{
    for (long r = 0; r < repeats; r++) {{
        for (long i = 0; i < count; i++) {{
            (void){prefix}_predict(rows + i * {inputs}, outputs);
        }}
    }}
}}
"""


def c_compiler() -> list[str]:
    """The command of this machine's C compiler: ``$CC``, else cc, gcc or clang.

    Raises:
        ExportError: there is none.
    """
    own = shlex.split(os.environ.get("CC", ""))
    found = next((name for name in (*own[:1], "cc", "gcc", "clang") if shutil.which(name)), None)
    if found is None:
        raise ExportError(
            "there is no C compiler on this machine: none of $CC, cc, gcc and clang is in the path; install one, or "
            "leave latency out of objectives, constraints and training.latency"
        )
    return own if own and found == own[0] else [found]


def compiled_loop(source: CSource, rows: np.ndarray) -> Callable[[int], None]:
    """A function that predicts all ``rows`` so many times, one sample after another, in one call.

    Args:
        rows: (count, inputs) of the C function's own type: float32, or what `Inputs8.fixed` gives.

    Raises:
        ExportError: there is no compiler, or it fails.
    """
    command, integers = c_compiler(), source.integers
    kind = "float32" if integers is None else integers.inputs.kind.removesuffix("_t")
    given = "float" if integers is None else integers.inputs.kind
    out = "float" if integers is None else "int32_t"
    rows = np.ascontiguousarray(rows, dtype=kind)
    outputs = np.zeros(source.n_outputs, np.int32 if integers is not None else np.float32)
    with scratch("c") as folder:
        path = folder / f"{source.prefix}.c"
        source.write(path)
        loop = path.with_name("loop.c")
        loop.write_text(
            _LOOP.format(prefix=source.prefix, given=given, out=out, inputs=rows.shape[1]), encoding="ascii"
        )
        library = path.with_suffix(".so")
        files = [str(each) for each in (loop, path)]
        try:
            done = subprocess.run(
                [*command, "-std=c99", "-O2", "-shared", "-fPIC", *files, "-lm", "-o", str(library)],
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ExportError(f"the C compiler {command[0]} failed: {error}") from error
        if done.returncode:
            raise ExportError(f"the C compiler {command[0]} failed: {done.stderr.strip()[-500:]}")
        function: Any = ctypes.CDLL(str(library))[f"{source.prefix}_loop"]  # stays mapped once its file is gone
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long, ctypes.c_long]
    function.restype = None

    def run(repeats: int) -> None:
        function(rows.ctypes.data, outputs.ctypes.data, len(rows), repeats)

    return run
