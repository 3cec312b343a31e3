"""Networks as programs of ``torch.export``: files that run with torch alone, in Python or C++."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import torch
from torch import nn

from nas.checkpoint._folded import folded
from nas.engine import DAGModule, MaskedLinear
from nas.errors import ExportError
from nas.layers import LayerDAG
from nas.recurrent import RecurrentDAG

__all__ = ["Standardise", "export_program"]


class Standardise(nn.Module):
    """Features as they were measured, (batch, features), to the inputs of a network: (x - mean) / scale.

    Args:
        mean, scale: (features,) as a network's record has them; taken in float64.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: Sequence[float], scale: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """In the type of ``x``."""
        return ((x - self.mean) / self.scale).to(x.dtype)


def export_program(
    module: nn.Module, path: str | os.PathLike[str] | None = None, *, n_inputs: int | None = None
) -> torch.export.ExportedProgram:
    """The program of a network in evaluation mode, for batches of any size; also written to a file if wanted.

    ``torch.export.load(path).module()`` runs it where this package is not installed: a DAG is written as plain torch
    operations, level by level, which are slower than the engine. Tracing takes about a tenth of a second a level.

    Args:
        module: any module that maps (batch, inputs) to outputs; its networks may stand anywhere in it.
        path: by convention ending in ``.pt2``.
        n_inputs: inputs of ``module``; found by itself if its first layer is one of this package or ``nn.Linear``.

    Raises:
        ExportError: the number of inputs is not known.
        OSError: the file cannot be written.
    """
    module = _folded_within(module)
    width = n_inputs if n_inputs is not None else _inputs_of(module)
    if width is None:
        raise ExportError(f"the inputs of a {type(module).__name__} are not known; pass n_inputs")
    parameter = next(module.parameters(), torch.zeros(0))
    example = torch.zeros(2, width, dtype=parameter.dtype, device=parameter.device)
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            program = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    finally:
        for each, training in modes:
            each.training = training
    if path is not None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No complete tensor found")
            torch.export.save(program, os.fspath(path))
    return program


def _folded_within(module: nn.Module) -> nn.Module:
    """``module`` with the networks of an ``nn.Sequential`` folded; modules of one's own must hold folded ones."""
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*(_folded_within(child) for child in module))
    return folded(module)


def _inputs_of(module: nn.Module) -> int | None:
    if isinstance(module, DAGModule):
        return module.dag.n_inputs
    if isinstance(module, MaskedLinear | nn.Linear):
        return module.in_features
    if isinstance(module, LayerDAG | RecurrentDAG):
        return module.n_inputs
    if isinstance(module, nn.Sequential):
        return next((found for child in module if (found := _inputs_of(child)) is not None), None)
    return None
