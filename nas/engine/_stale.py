"""Compiled kernels on disk that a change of the sources has made wrong.

numba compiles a kernel again when *its* file changes, not when a function it has inlined from another file does: after
`git pull` a cached kernel would silently be the old one. So whenever any source of the kernels is newer than a cached
index, that index goes. Only folders of sources are looked at; an installation from a package replaces every file.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

__all__ = ["forget_stale_kernels"]


def forget_stale_kernels(package: Path, parts: tuple[str, ...] = ("engine", "manifold", "training")) -> int:
    """Remove numba's indices below ``package`` that are older than any kernel source; returns how many.

    Args:
        package: the folder of `nas`.
        parts: its subpackages that contribute to kernels.
    """
    sources = [source for part in parts for source in (package / part).glob("*.py")]
    newest = max((source.stat().st_mtime_ns for source in sources), default=0)
    removed = 0
    for part in parts:
        for index in (package / part / "__pycache__").glob("*.nbi"):
            with contextlib.suppress(OSError):  # another process was faster, or the folder is read-only
                if index.stat().st_mtime_ns < newest:
                    index.unlink()
                    removed += 1
    return removed
