"""Export of a network of layers to ONNX."""

from __future__ import annotations

import os
import warnings
from typing import Final

import torch

from nas.layers._network import LayerDAG

__all__ = ["export_onnx"]

OPSET: Final = 20  # the newest that torch's tracing exporter writes


def export_onnx(module: LayerDAG, path: str | os.PathLike[str]) -> None:
    """Write `module`, in evaluation mode, with an input "x" (batch, n_inputs) and an output "y" (batch, n_outputs).

    The batch may have any size.

    Raises:
        torch.onnx.errors.OnnxExporterError: a module of the user's own does what ONNX has no word for.
        OSError: the file cannot be written.
    """
    was_training = module.training
    module.eval()
    try:
        with warnings.catch_warnings():
            # The exporter built on torch.export needs a package (onnxscript) that nothing else here does.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                (torch.zeros(2, module.n_inputs),),
                os.fspath(path),
                input_names=["x"],
                output_names=["y"],
                dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}},
                opset_version=OPSET,
                dynamo=False,
            )
    finally:
        module.train(was_training)
