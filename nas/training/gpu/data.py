"""The training part of a data set in a GPU's memory, shared by all candidates that are trained there."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nas.engine.cuda import GPU
from nas.training.types import Dataset

__all__ = ["GPUData", "data_on"]


class GPUData:
    """Inputs and targets of the training part, and what is made of them, each uploaded once.

    Args:
        gpu: where to.
        dataset: its training part has at most 2^31 samples.
    """

    def __init__(self, gpu: GPU, dataset: Dataset) -> None:
        self.gpu, self.dataset = gpu, dataset
        classifies = dataset.task == "classification"
        self.x = gpu.upload(np.ascontiguousarray(dataset.x_train, np.float32))
        targets = np.ascontiguousarray(dataset.y_train, np.int32 if classifies else np.float32)
        self.classes = gpu.upload(targets) if classifies else None
        self.y = None if classifies else gpu.upload(targets)

    @property
    def tensors(self) -> dict[str, Tensor | None]:
        """What the kernel is given of it."""
        return {"x": self.x, "classes": self.classes, "y": self.y}


_latest: GPUData | None = None  # a worker trains on one data set


def data_on(gpu: GPU, dataset: Dataset) -> GPUData:
    """The data set on that GPU; the last one stays there."""
    global _latest
    if _latest is None or _latest.gpu is not gpu or _latest.dataset is not dataset:
        _latest = GPUData(gpu, dataset)
    return _latest
