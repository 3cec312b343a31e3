"""Structures that host and kernels share, written down once.

A kernel gets one pointer to an array of such structures. The fields are listed here; from the list come the C text
that the kernels are compiled with and the bytes that the host fills in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
        fields = [(name, "u8") for _, name in self.pointers]
        fields += [(name, "f8") for name in self.doubles] + [(name, "i4") for name in self.integers]
        if len(self.integers) % 2:
            fields.append(("padding", "i4"))
        return np.dtype(fields)

    def pack(self, values: Sequence[Mapping[str, Tensor | int | float | None]]) -> np.ndarray:
        """An array of structures, one for each mapping of all fields; tensors stand for where their data lies.

        Raises:
            ValueError: a field is missing, unknown, or a tensor is not contiguous.
        """
        dtype = self.dtype
        names = {name for name in dtype.names or () if name != "padding"}
        array = np.zeros(len(values), dtype)
        for row, given in enumerate(values):
            if given.keys() != names:
                raise ValueError(f"fields of {self.name} missing or unknown: {sorted(names ^ given.keys())}")
            for name, value in given.items():
                if isinstance(value, torch.Tensor):
                    if not value.is_contiguous():
                        raise ValueError(f"{name} must be contiguous")
                    value = value.data_ptr()
                array[name][row] = 0 if value is None else value
        return array
