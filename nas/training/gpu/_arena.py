"""All arrays of one candidate in two pieces of a GPU's memory.

An allocation and a copy for each of some fifty arrays would cost the processor more than the rest of a candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.engine.cuda import GPU

__all__ = ["Arena"]

_LINE = 128  # bytes: where each array begins, so that none shares a line of the cache with another
_TORCH = {np.dtype(np.float32): torch.float32, np.dtype(np.float64): torch.float64, np.dtype(np.int32): torch.int32}


class Arena:
    """Arrays by name.

    Args:
        gpu: in whose memory.
        uploaded: those with contents.
        cleared: elements and type of those that begin as zeros; without elements an array has
            no address.
    """

    def __init__(
        self, gpu: GPU, uploaded: Mapping[str, np.ndarray], cleared: Mapping[str, tuple[int, np.dtype[Any]]]
    ) -> None:
        self._places: dict[str, tuple[int, int, int, np.dtype[Any]]] = {}  # piece, first byte, elements, type
        size, sizes = 0, []
        for name, array in uploaded.items():
            self._places[name] = (0, size, array.size, array.dtype)
            size += -(-array.nbytes // _LINE) * _LINE
        host = np.empty(size, np.uint8)
        for name, array in uploaded.items():
            at = self._places[name][1]
            host[at : at + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        sizes.append(size)
        size = 0
        for name, (count, dtype) in cleared.items():
            self._places[name] = (1, size, count, dtype)
            size += -(-count * dtype.itemsize // _LINE) * _LINE
        sizes.append(size)
        self._pieces: tuple[Tensor, Tensor] = (
            gpu.upload(host),
            torch.zeros(size, dtype=torch.uint8, device=gpu.torch_device),
        )
        self.bytes = sum(sizes)

    @property
    def addresses(self) -> dict[str, int]:
        """Where each array lies; 0 for those without elements."""
        starts = [piece.data_ptr() for piece in self._pieces]
        return {name: starts[piece] + at if count else 0 for name, (piece, at, count, _) in self._places.items()}

    def get(self, name: str) -> Tensor:
        """A view of an array, one-dimensional."""
        piece, at, count, dtype = self._places[name]
        found = self._pieces[piece][at : at + count * dtype.itemsize]
        return found if dtype == np.uint8 else found.view(_TORCH[dtype])
