"""Aligned scratch arrays that are used again.

Vector loads that straddle two cache lines halve the speed of the edge loop, so activations start on a 64-byte boundary;
and fresh pages from the operating system cost more than a small network's forward pass, so arrays are kept for reuse.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from nas.engine._native import address_of

__all__ = ["Workspace", "aligned_empty"]

_ALIGNMENT = 64
_KEPT = 16  # arrays, the most recently used: a search meets a new size with every candidate
_free: deque[tuple[np.ndarray, int]] = deque(maxlen=_KEPT)


def aligned_empty(size: int, dtype: np.dtype[Any]) -> np.ndarray:
    """An uninitialised 1-D array of ``size`` elements that starts on a 64-byte boundary."""
    raw = np.empty(size * dtype.itemsize + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)


class Workspace:
    """Owner of one scratch array, which returns to a free list when its owner is collected.

    Attributes:
        array: (size,), uninitialised.
        address: of its first byte, a multiple of 64.
    """

    __slots__ = ("address", "array")

    def __init__(self, size: int, dtype: np.dtype[Any]) -> None:
        for _ in range(len(_free)):
            try:
                candidate = _free.pop()  # what came back last is still in cache
            except IndexError:  # another thread was faster
                break
            array = candidate[0]
            if array.size == size and array.dtype == dtype:
                self.array, self.address = candidate
                return
            _free.appendleft(candidate)
        self.array = aligned_empty(size, dtype)
        self.address = address_of(self.array)

    def __del__(self) -> None:
        array = getattr(self, "array", None)
        if array is not None:
            _free.append((array, self.address))
