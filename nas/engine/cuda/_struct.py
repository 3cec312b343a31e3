"""Structures that host and kernels share, written down once.

A kernel gets one pointer to an array of such structures. The fields are listed here; from the list come the C text
that the kernels are compiled with and the bytes that the host fills in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

__all__ = ["Struct"]


@dataclass(frozen=True, slots=True, eq=False)
class Struct:
    """A C structure of pointers, ints and doubles; pointers first, so that no field needs padding before it.

    Args:
        name: of the structure in C.
        pointers: (C type of what is pointed at, name).
        integers, doubles: names.
    """

    name: str
    pointers: Sequence[tuple[str, str]]
    doubles: Sequence[str]
    integers: Sequence[str]

    @property
    def c(self) -> str:
        """Its definition in C."""
        lines = [f"    {kind}* {name};" for kind, name in self.pointers]
        lines += [f"    double {name};" for name in self.doubles] + [f"    int {name};" for name in self.integers]
        if len(self.integers) % 2:
            lines.append("    int padding;")
        return f"struct {self.name} {{\n" + "\n".join(lines) + "\n};\n"

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Its layout in memory."""
        return _dtype(tuple(name for _, name in self.pointers), tuple(self.doubles), tuple(self.integers))

    def pack(
        self, values: Sequence[Mapping[str, Tensor | int | float | None]], device: torch.device | None = None
    ) -> np.ndarray:
        """An array of structures, one for each mapping of all fields; tensors stand for where their data lies.

        Args:
            device: where the tensors must lie; None: anywhere.

        Raises:
            ValueError: a field is missing or unknown, or a tensor is not contiguous or not there.
        """
        dtype = self.dtype
        names = [name for name in dtype.names or () if name != "padding"]
        padding = (0,) * (len(dtype.names or ()) - len(names))
        rows = []
        for given in values:
            if given.keys() != set(names):
                raise ValueError(f"fields of {self.name} missing or unknown: {sorted(set(names) ^ given.keys())}")
            rows.append(tuple(_number(name, given[name], device) for name in names) + padding)
        return np.array(rows, dtype)


@lru_cache(maxsize=8)
def _dtype(pointers: tuple[str, ...], doubles: tuple[str, ...], integers: tuple[str, ...]) -> np.dtype[np.void]:
    fields = [(name, "u8") for name in pointers] + [(name, "f8") for name in doubles]
    fields += [(name, "i4") for name in integers]
    return np.dtype([*fields, ("padding", "i4")] if len(integers) % 2 else fields)


def _number(name: str, value: Tensor | int | float | None, device: torch.device | None) -> int | float:
    if value is None:
        return 0
    if not isinstance(value, torch.Tensor):
        return value
    if not value.is_contiguous():
        raise ValueError(f"{name} must be contiguous")
    if device is not None and value.device != device:
        raise ValueError(f"{name} must be on {device}, but is on {value.device}")
    return value.data_ptr()
