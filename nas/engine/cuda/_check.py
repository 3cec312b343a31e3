"""The check of the module's kernels on a GPU: values and gradients beside the specification. See `_verdict`."""

from __future__ import annotations

import sys

import numpy as np
import torch

from nas.engine._activations import ACTIVATIONS
from nas.engine._reference import reference_apply
from nas.engine.cuda._apply import gpu_apply
from nas.engine.cuda._device import gpu_of
from nas.engine.cuda._machine import GPU
from nas.engine.cuda._verdict import report
from nas.graph import random_dag

__all__ = ["module_problems"]

_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-9}  # of the largest number


def module_problems(gpu: GPU) -> list[str]:
    """What the kernels of modules get wrong on a small DAG with every activation, in both precisions."""
    rng = np.random.default_rng(0)
    dag = random_dag(20, 4 * len(ACTIVATIONS), 4, density=0.3, rng=rng)
    dag = dag.with_activations([ACTIVATIONS[k % len(ACTIVATIONS)] for k in range(dag.n_computational)])
    sizes = {"x": (70, 20), "weight": (dag.n_edges,), "bias": (dag.n - 20,), "sent": (70, 4)}
    drawn = {name: torch.from_numpy(rng.normal(size=size)) for name, size in sizes.items()}
    degree = torch.from_numpy(np.maximum(np.diff(dag.in_ptr), 1)[dag.targets].astype(np.float64))
    drawn["weight"] = 0.5 * drawn["weight"] / degree.sqrt()
    problems = []
    for dtype, tolerance in _TOLERANCE.items():
        sent = drawn["sent"].to(dtype)
        host = {name: drawn[name].to(dtype).requires_grad_() for name in ("x", "weight", "bias")}
        there = {name: gpu.upload(each.detach().numpy()).requires_grad_() for name, each in host.items()}
        wanted = reference_apply(dag, *host.values(), activation="tanh")
        found = gpu_apply(gpu, dag, *there.values(), activation="tanh")
        pairs = {"outputs": (found, wanted)}
        slopes = torch.autograd.grad((wanted * sent).sum(), list(host.values()))
        others = torch.autograd.grad((found * gpu.upload(sent.numpy())).sum(), list(there.values()))
        pairs |= {
            f"gradients of {name}": pair for name, pair in zip(host, zip(others, slopes, strict=True), strict=True)
        }
        for name, (one, other) in pairs.items():
            apart = float((one.detach().cpu() - other.detach()).abs().max() / other.detach().abs().max())
            if not apart <= tolerance:
                problems.append(
                    f"{name} in {str(dtype).removeprefix('torch.')} are wrong by {apart:.2g} of the largest"
                )
    return problems


if __name__ == "__main__":
    report(lambda: module_problems(gpu_of(int(sys.argv[1]))))
