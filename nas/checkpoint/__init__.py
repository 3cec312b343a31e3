"""Trained networks as files: safetensors, with the graph and the training record in the metadata; and exports.

Loading a stranger's file runs none of its code: no pickle anywhere, every length checked before it is believed.
"""

from nas.checkpoint._arrays import load_arrays, load_some, save_arrays
from nas.checkpoint._cells import (
    CLOCK,
    MARKS,
    Notation,
    cells_of,
    clock_seconds,
    named_once,
    notation_of,
    without_numbers,
)
from nas.checkpoint._encoding import DATE_PARTS, KINDS, MISSING, EncodedColumn, Encoding
from nas.checkpoint._file import FORMAT_VERSION, MAX_BYTES
from nas.checkpoint._folded import export_dot, export_graphml, folded
from nas.checkpoint._inputs import UnlikeTrainingWarning
from nas.checkpoint._layers import CheckpointLayers
from nas.checkpoint._module import CheckpointModule, CheckpointNetwork, load, loads, save
from nas.checkpoint._neurons import CheckpointManifold, CheckpointMasked, CheckpointWired
from nas.checkpoint._onnx import export_onnx
from nas.checkpoint._predictor import Predictor, predicted_columns
from nas.checkpoint._program import RawRows, export_program, export_rows
from nas.checkpoint._recurrent import CheckpointRecurrent
from nas.checkpoint._tables import as_table

__all__ = [
    "CLOCK",
    "DATE_PARTS",
    "FORMAT_VERSION",
    "KINDS",
    "MARKS",
    "MAX_BYTES",
    "MISSING",
    "CheckpointLayers",
    "CheckpointManifold",
    "CheckpointMasked",
    "CheckpointModule",
    "CheckpointNetwork",
    "CheckpointRecurrent",
    "CheckpointWired",
    "EncodedColumn",
    "Encoding",
    "Notation",
    "Predictor",
    "RawRows",
    "UnlikeTrainingWarning",
    "as_table",
    "cells_of",
    "clock_seconds",
    "export_dot",
    "export_graphml",
    "export_onnx",
    "export_program",
    "export_rows",
    "folded",
    "load",
    "load_arrays",
    "load_some",
    "loads",
    "named_once",
    "notation_of",
    "predicted_columns",
    "save",
    "save_arrays",
    "without_numbers",
]
