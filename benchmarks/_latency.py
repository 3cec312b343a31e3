"""Section 7: one sample through a trained network, against ONNX Runtime and a dense network of equal FLOPs in torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._graphs import random_of
from benchmarks._levels import AutogradLevels
from benchmarks._libraries import neat_forward
from benchmarks._measure import fastest_threads, side_by_side
from benchmarks._problem import Engine, Problem, make_problem
from benchmarks._progress import Progress
from nas.graph import DAG

__all__ = ["dense_of_equal_flops", "latency", "onnx_by_level"]

_SIZES = ((64, 100, 1_000), (64, 1_000, 11_500), (64, 1_000, 57_000), (784, 206, 5_800), (784, 206, 52_000))


def latency(progress: Progress, quick: bool) -> dict[str, Any]:
    """Seconds from one sample to its outputs, gradients off."""
    cells = [_cell(random_of(n, e, inputs=i), progress) for i, n, e in (_SIZES[:1] if quick else _SIZES)]
    return {"cells": cells, "onnxruntime": importlib.util.find_spec("onnxruntime") is not None}


def _cell(dag: DAG, progress: Progress) -> dict[str, Any]:
    problem = make_problem(dag, 1)
    module, x = Engine(problem).module, problem.x
    dense = dense_of_equal_flops(dag)
    with torch.inference_mode():
        expected = module(x)
        calls: dict[str, Callable[[], object]] = {"engine": lambda: module(x), "torch dense": lambda: dense(x)}
        for columns in ("needed", "all"):
            for threads in (1, 2):
                run = onnx_by_level(problem, threads=threads, gather=columns == "needed")
                if run is not None:
                    got = torch.from_numpy(run())
                    assert torch.allclose(expected, got, atol=1e-3 * float(expected.abs().max())), "ONNX differs"
                    name = f"onnxruntime, columns {columns}, {threads} thread{'s' * (threads > 1)}"
                    calls[name] = run
        forward = neat_forward(problem)
        if forward is not None:
            calls["neat-python"] = forward
        for call in calls.values():
            call()
        suited = {"torch dense": fastest_threads(calls["torch dense"])[0]}
        samples = side_by_side(calls, seconds=1.5, threads=suited)
    line = " · ".join(f"{name} {1e6 * sample.median:.0f} µs" for name, sample in samples.items())
    progress.say(f"      {dag.sizes}, {dag.n_edges:,} edges: {line}")
    return {
        "sizes": list(dag.sizes),
        "edges": dag.n_edges,
        "depth": dag.depth,
        "samples": {name: sample.to_json() for name, sample in samples.items()},
    }


def dense_of_equal_flops(dag: DAG) -> nn.Module:
    """inputs → hidden → outputs with about as many weights as the DAG has edges: two products, no depth."""
    hidden = max(1, round(dag.n_edges / (dag.n_inputs + dag.n_outputs)))
    return nn.Sequential(nn.Linear(dag.n_inputs, hidden), nn.ReLU(), nn.Linear(hidden, dag.n_outputs))


def onnx_by_level(problem: Problem, *, threads: int, gather: bool) -> Callable[[], np.ndarray] | None:
    """The network as a dense layer for each level, as one exports it; None without onnx and onnxruntime.

    Args:
        threads: of one operator.
        gather: whether a level picks the neurons that it reads from all before, or reads all of them.
    """
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnx") is None:
        return None
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    dag = problem.dag
    levels = AutogradLevels(problem, "needed" if gather else "all")
    nodes, constants = [], []

    def constant(name: str, value: Tensor) -> str:
        constants.append(numpy_helper.from_array(value.detach().numpy(), name))
        return name

    before, last = "x", len(levels.weights) - 1
    for k, (weight, bias, picked) in enumerate(zip(levels.weights, levels.biases, levels.picked, strict=True)):
        read = before
        if picked is not None:
            read = f"read{k}"
            nodes.append(helper.make_node("Gather", [before, constant(f"picked{k}", picked)], [read], axis=1))
        z = "y" if k == last else f"z{k}"
        nodes.append(
            helper.make_node(
                "Gemm", [read, constant(f"w{k}", weight), constant(f"b{k}", bias[:, 0])], [z], transB=1
            )
        )  # fmt: skip
        if k < last:
            nodes.append(helper.make_node("Relu", [z], [f"h{k}"]))
            nodes.append(helper.make_node("Concat", [before, f"h{k}"], [f"all{k}"], axis=1))
            before = f"all{k}"
    graph = helper.make_graph(
        nodes,
        "dag",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [problem.batch, dag.n_inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [problem.batch, dag.n_outputs])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {"x": problem.x.numpy()}

    def run() -> np.ndarray:
        y: np.ndarray = session.run(None, feed)[0]
        return y

    return run
