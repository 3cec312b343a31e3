"""What the host needs of a GPU, real or simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

__all__ = ["GPU", "Kernel"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A function of a program."""

    name: str
    source: str  # the whole translation unit, see nas.engine.cuda._source


class GPU(Protocol):
    """Launches kernels; memory and streams are torch's."""

    name: str
    torch_device: torch.device
    threads: int
    """Threads a block, a multiple of 32."""
    multiprocessors: int
    shared_bytes: int
    """Shared memory that a block may have."""
    why_no_kernels: str
    """Why no kernel can be launched at all; "" where one can."""

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
        """Start ``kernel(jobs, count)`` or ``kernel(job)`` on ``grid`` blocks, on torch's current stream.

        Args:
            jobs: structures that the kernel reads, in this GPU's memory; or one of the host's, which is handed over by
                value. What they point at, and those in the GPU's memory themselves, must live until the kernel has run.
            count: of the structures.
            shared_bytes: of each block.
            team: so many consecutive blocks wait for each other; all blocks are then resident at once.

        Raises:
            RuntimeError: the driver (or the simulator) refuses.
        """
        ...

    def synchronize(self) -> None:
        """Wait until all that was launched has run.

        Raises:
            RuntimeError: a kernel failed.
        """
        ...

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """A copy in this GPU's memory."""
        ...
