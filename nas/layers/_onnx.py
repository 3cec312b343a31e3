"""Export of a network of layers to ONNX."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any, Final

import torch

from nas._files import write_whole
from nas.layers._layer_dag import LayerDAG

__all__ = ["export_onnx", "onnx_model"]

TRACED_OPSET: Final = 20  # the newest that torch's tracing exporter writes
OPSET: Final = 23  # what the file is brought to


def export_onnx(module: LayerDAG, path: str | os.PathLike[str]) -> None:
    """Write `module`, in evaluation mode, with an input "x" (batch, n_inputs) and an output "y" of the module's shape.

    Several outputs have the names of their nodes. The batch may have any size.

    Raises:
        ImportError: the package onnx is missing.
        torch.onnx.errors.OnnxExporterError: a module of the user's own does what ONNX has no word for.
        OSError: the file cannot be written.
    """
    write_whole(path, onnx_model(module).SerializeToString())


def onnx_model(module: LayerDAG) -> Any:
    """The ``onnx.ModelProto`` that `export_onnx` writes."""
    import onnx.version_converter

    traced: Any = io.BytesIO()
    outputs = ["y"] if isinstance(module.spec.output, str) else list(module.spec.output)
    was_training = module.training
    module.eval()
    try:
        with warnings.catch_warnings():
            # The exporter built on torch.export needs a package (onnxscript) that nothing else here does.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                (torch.zeros(2, module.n_inputs),),
                traced,
                input_names=["x"],
                output_names=outputs,
                dynamic_axes={name: {0: "batch"} for name in ("x", *outputs)},
                opset_version=TRACED_OPSET,
                dynamo=False,
            )
    finally:
        module.train(was_training)
    return onnx.version_converter.convert_version(onnx.load_model_from_string(traced.getvalue()), OPSET)
