"""Aligned scratch arrays that are used again.

Vector loads that straddle two cache lines halve the speed of the edge loop, so activations start on a 64-byte boundary;
and fresh pages from the operating system cost more than a small network's forward pass, so arrays are kept for reuse.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

__all__ = ["Workspace", "aligned_empty"]

_ALIGNMENT = 64
_KEPT = 16  # arrays, the most recently used: a search meets a new size with every candidate
_free: deque[np.ndarray] = deque(maxlen=_KEPT)


def aligned_empty(size: int, dtype: np.dtype[Any]) -> np.ndarray:
    """An uninitialised 1-D array of ``size`` elements that starts on a 64-byte boundary."""
    raw = np.empty(size * dtype.itemsize + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)


class Workspace:
    """Owner of one scratch array, which returns to a free list when its owner is collected."""

    __slots__ = ("array",)

    def __init__(self, size: int, dtype: np.dtype[Any]) -> None:
        for _ in range(len(_free)):
            try:
                candidate = _free.popleft()
            except IndexError:  # another thread was faster
                break
            if candidate.size == size and candidate.dtype == dtype:
                self.array = candidate
                return
            _free.append(candidate)
        self.array = aligned_empty(size, dtype)

    def __del__(self) -> None:
        array = getattr(self, "array", None)
        if array is not None:
            _free.append(array)
