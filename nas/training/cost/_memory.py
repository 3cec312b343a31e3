"""A C library's memory allocator that gives nothing back while a time is measured.

By default glibc maps each large block anew and unmaps it when it is freed, and trims the top of its heap: a layer whose
activations take some megabytes then has the kernel clear thousands of pages at each call. Whether it does depends on
what was allocated before, so the same network took 1.3 ms in one process and 4.2 in the next. With blocks kept, each
page is touched once, in the warm-up.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["steady_memory"]

# Parameters of mallopt(3).
_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_THRESHOLD: Final = -3
_MMAP_MAX: Final = -4

_MIB: Final = 2**20
_STEADY: Final = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 16 * _MIB))
# Afterwards what glibc's own adaptation ends at: setting any of them has switched that off.
_ORDINARY: Final = (
    (_MMAP_MAX, 65_536),
    (_MMAP_THRESHOLD, 32 * _MIB),
    (_TRIM_THRESHOLD, 64 * _MIB),
    (_TOP_PAD, 128 * 1024),
)


@contextlib.contextmanager
def steady_memory() -> Iterator[None]:
    """Freed memory stays with this process for as long as it lasts; does nothing with other C libraries than glibc."""
    library = _glibc()
    if library is None:
        yield
        return
    _set(library.mallopt, _STEADY)
    try:
        yield
    finally:
        _set(library.mallopt, _ORDINARY)
        library.malloc_trim(0)


def _set(mallopt: Callable[[int, int], int], settings: tuple[tuple[int, int], ...]) -> None:
    for parameter, value in settings:
        mallopt(parameter, value)


@functools.cache
def _glibc() -> Any | None:
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - other C libraries have no such function
        library.mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
        library.malloc_trim.argtypes = (ctypes.c_size_t,)
    except (OSError, AttributeError, TypeError):
        return None
    return library
