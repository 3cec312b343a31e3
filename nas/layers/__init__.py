"""Networks whose nodes are layers: any DAG of torch modules, with sums and concatenations over any distance.

A `LayerSpec` says what there is (plain values, JSON, safe to load); `LayerDAG` is its torch module. Shapes are found
by running the network without numbers; those that do not meet are refused before anything runs, or bridged.

    spec = LayerSpec.of((1, 8, 8), [
        Node(name="stem", op=Conv(channels=16), norm="batch", activation="relu"),
        *residual("block", "stem", 32, stride=2),
        Node(name="pool", inputs=("block",), op=GlobalPool()),
        Node(name="classes", inputs=("pool", "stem"), merge="concatenate", project=True, op=Linear(features=10)),
    ])
    module = LayerDAG(spec)
"""

from nas.layers._blocks import residual, residual_dense
from nas.layers._edit import (
    add_skip,
    insert_node,
    remove_node,
    remove_skip,
    replace_node,
    set_merge,
    set_width,
    switch_order,
)
from nas.layers._inherit import inherit_layers, state_arrays
from nas.layers._layer_dag import LayerDAG, layer_shapes
from nas.layers._mutate import LAYER_OPERATORS, LayerMutation, Palette, mutate
from nas.layers._onnx import export_onnx, onnx_model
from nas.layers._ops import Attention, Conv, Dropout, Flatten, GlobalPool, Identity, Linear, Module, Pool
from nas.layers._spec import INPUT, MERGES, Block, LayerSpec, MergeKind, Node, allow_modules, inner_nodes
from nas.layers._structure import LayerStructure

__all__ = [
    "INPUT",
    "LAYER_OPERATORS",
    "MERGES",
    "Attention",
    "Block",
    "Conv",
    "Dropout",
    "Flatten",
    "GlobalPool",
    "Identity",
    "LayerDAG",
    "LayerMutation",
    "LayerSpec",
    "LayerStructure",
    "Linear",
    "MergeKind",
    "Module",
    "Node",
    "Palette",
    "Pool",
    "add_skip",
    "allow_modules",
    "export_onnx",
    "inherit_layers",
    "inner_nodes",
    "insert_node",
    "layer_shapes",
    "mutate",
    "onnx_model",
    "remove_node",
    "remove_skip",
    "replace_node",
    "residual",
    "residual_dense",
    "set_merge",
    "set_width",
    "state_arrays",
    "switch_order",
]
