"""The engine as a differentiable torch function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nas.engine import _team
from nas.engine._activations import activation_codes, activation_function, needs_input
from nas.engine._levels import traceable_apply
from nas.engine._plan import Plan
from nas.engine._workspace import Workspace
from nas.engine.kernels import (
    backward_tiles,
    fold_gain,
    forward_tiles,
    unfold_gain,
)
from nas.engine.simd import LANES

__all__ = ["apply", "choose_tiling", "walks_by_rows"]

# Nanoseconds an edge takes for one tile, forward and backward, by tile width (measured, one core): what decides the
# width for a batch. Narrow tiles waste less of a small batch and split it over more threads.
_TILE_COST = {64: 4.0, 32: 3.0, 16: 2.6}
_CACHE_BYTES = (
    2**20
)  # second-level cache of a core, beyond which jumps over the weights cost more than their arithmetic
_TILES_FOR_ORDER = 3  # putting weights in order costs about as much as a tile
_THREAD_COST = 80_000.0  # nanoseconds to hand both passes to the team and take them back


@lru_cache(maxsize=4096)
def choose_tiling(n_edges: int, batch: int, threads: int, thread_cost: float = _THREAD_COST) -> tuple[int, int, int]:
    """(tile width, tiles, threads) with the least estimated time for a batch on at most ``threads`` threads."""
    best: tuple[float, int, int, int] | None = None
    for size, cost in _TILE_COST.items():
        tiles = max(1, -(-batch // size))
        for used in {1, min(threads, tiles)}:
            estimate = -(-tiles // used) * cost * n_edges + (thread_cost if used > 1 else 0.0)
            if best is None or estimate < best[0]:
                best = (estimate, size, tiles, used)
    assert best is not None
    return best[1:]


def walks_by_rows(n_edges: int, itemsize: int) -> bool:
    """Whether the backward pass should go by rows: weights and their gradients outgrow a core's second-level cache.

    Measured (one core, batch 128): at 574,000 edges 12 ms by rows and 24 by columns, at 57,000 edges 0.61 and 0.55.
    """
    return 2 * n_edges * itemsize > _CACHE_BYTES


@dataclass(slots=True, eq=False)
class _Kept:
    """What a forward pass leaves for the backward pass."""

    plan: Plan
    codes: np.ndarray
    size: int
    tiles: int
    threads: int
    batch: int
    weights: np.ndarray  # of the live edges
    effective: np.ndarray  # the same with gains folded in
    values: Workspace
    kept_z: np.ndarray
    owner: Workspace | None  # of kept_z


@lru_cache(maxsize=64)
def _all_rows(batch: int) -> np.ndarray:
    return np.arange(batch)


_NOTHING = np.zeros(0, np.float32), np.zeros(0, np.float64)


def _forward(
    plan: Plan, x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None, activation: str, keep: bool
) -> tuple[Tensor, _Kept | None]:
    """Outputs, and what the backward pass needs when ``keep``. Kept short: it is most of a small network's time."""
    dag = plan.dag
    batch = x.shape[0]
    n_inputs, n_outputs, n = dag.n_inputs, dag.n_outputs, dag.n
    codes = activation_codes(dag, activation)
    weights = weight.detach().numpy()
    if plan.edge_numbers is not None:
        weights = weights[plan.edge_numbers]
    dtype = weights.dtype
    effective = weights
    if gain is not None:
        effective = np.empty_like(weights)
        fold_gain(plan.in_ptr, n_inputs, weights, gain.detach().numpy(), effective)
    biases = np.zeros(n - n_inputs, dtype) if bias is None else bias.detach().numpy()
    inputs = x.detach().contiguous().numpy().reshape(-1)
    numbers = _all_rows(batch)
    y = torch.empty((batch, n_outputs), dtype=x.dtype)
    outputs = y.numpy().reshape(-1)
    size, tiles, threads = choose_tiling(weights.size, batch, torch.get_num_threads())
    lanes = LANES[size]
    values = Workspace(n * size * (tiles if keep else threads), dtype)
    keep_z = keep and needs_input(dag, activation)
    kept_z = Workspace(n * size * tiles, dtype) if keep_z else None
    kept_z_array = kept_z.array if kept_z is not None else _NOTHING[dtype.itemsize // 8]

    def run(rank: int) -> None:
        own = values.array if keep else values.array[rank * n * size : (rank + 1) * n * size]
        forward_tiles(
            lanes, size, rank, tiles, threads, keep, inputs, numbers, n_inputs, n_outputs, plan.in_ptr[:-1],
            plan.in_ptr[1:], plan.sources, effective, biases, codes, plan.used_inputs, own, kept_z_array, outputs,
        )  # fmt: skip

    if threads == 1:
        run(0)
    else:
        _team.run(run, threads)
    if not keep:
        return y, None
    return y, _Kept(plan, codes, size, tiles, threads, batch, weights, effective, values, kept_z_array, kept_z)


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gain: Tensor | None,
        plan: Plan,
        activation: str,
    ) -> Tensor:
        y, ctx.kept = _forward(plan, x, weight, bias, gain, activation, keep=True)
        ctx.save_for_backward(weight, *(t for t in (bias, gain) if t is not None))
        ctx.has_bias, ctx.has_gain = bias is not None, gain is not None
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        saved = list(ctx.saved_tensors)  # also checks that nothing was changed in place since the forward pass
        weight = saved.pop(0)
        kept: _Kept = ctx.kept
        plan = kept.plan
        dag = plan.dag
        size, tiles, threads = kept.size, kept.tiles, kept.threads
        dtype = kept.weights.dtype
        need_x = bool(ctx.needs_input_grad[0])
        incoming = grad_output.contiguous().numpy().reshape(-1)
        grad_x = torch.empty((kept.batch if need_x else 0, dag.n_inputs), dtype=weight.dtype)
        grad_x_flat = grad_x.numpy().reshape(-1)
        grad_weights = np.zeros((threads, plan.n_edges), dtype)
        grad_biases = np.zeros((threads, dag.n - dag.n_inputs), dtype)
        scratch = Workspace(dag.n * size * threads, dtype)
        lanes = LANES[size]
        by_rows = walks_by_rows(plan.n_edges, dtype.itemsize)

        def run(rank: int) -> None:
            own = scratch.array[rank * dag.n * size : (rank + 1) * dag.n * size]
            backward_tiles(
                lanes, size, rank, tiles, threads, kept.batch, incoming, dag.n_inputs, dag.n_outputs,
                by_rows, plan.in_ptr[:-1], plan.in_ptr[1:], plan.sources, plan.out_ptr[:-1], plan.out_ptr[1:],
                plan.targets, plan.out_edges, kept.effective, kept.codes, kept.values.array, kept.kept_z, own,
                grad_weights[rank], grad_biases[rank], need_x, grad_x_flat,
            )  # fmt: skip

        _team.run(run, threads)
        for rank in range(1, threads):
            grad_weights[0] += grad_weights[rank]
            grad_biases[0] += grad_biases[rank]
        grad_gain = None
        if ctx.has_gain:
            grad_gain = torch.empty(dag.n - dag.n_inputs, dtype=weight.dtype)
            gain = saved[-1].detach().numpy()
            unfold_gain(plan.in_ptr, dag.n_inputs, kept.weights, gain, grad_weights[0], grad_gain.numpy())
        if plan.edge_numbers is None:
            grad_weight = torch.from_numpy(grad_weights[0])
        else:
            grad_weight = torch.zeros(dag.n_edges, dtype=weight.dtype)
            grad_weight.numpy()[plan.edge_numbers] = grad_weights[0]
        return (
            grad_x if need_x else None,
            grad_weight,
            torch.from_numpy(grad_biases[0]) if ctx.has_bias else None,
            grad_gain,
            None,
            None,
        )


def _check(
    name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, meaning: str
) -> None:
    if tensor.shape != shape:
        raise ValueError(f"{name} must have shape {shape} ({meaning}), but has {tuple(tensor.shape)}")
    if tensor.dtype != dtype:
        raise ValueError(f"{name} must be {dtype} like weight, but is {tensor.dtype}; convert it with .to({dtype})")
    if tensor.device != device:
        raise ValueError(f"{name} must be on {device} like weight, but is on {tensor.device}; move it with .to()")


def _on_gpu(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    activation: str,
    live: Tensor | None,
) -> Tensor:
    from nas.engine.cuda import gpu_apply, gpu_of  # here, so that nobody without a GPU waits for it

    if plan.edge_numbers is not None:
        live = torch.zeros(plan.dag.n_edges, dtype=torch.bool)
        live[torch.from_numpy(plan.edge_numbers.astype(np.int64))] = True
    live = None if live is None else live.to(weight.device)
    gpu = gpu_of(weight.device.index or 0)
    return gpu_apply(gpu, plan.dag, x, weight, bias, gain, activation=activation, live=live)


def apply(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    gain: Tensor | None = None,
    *,
    activation: str = "relu",
    live: Tensor | None = None,
) -> Tensor:
    """Run a batch through a DAG of neurons.

    ``h_j = σ(a_j x_j + b_j)`` for computational neurons, ``a_j x_j + b_j`` for outputs, the datum for inputs, with
    ``x_i = Σ_j W_ij h_j`` over the live edges j→i. Differentiable once in x, weight, bias and gain.

    Args:
        plan: from `compile_plan`.
        x: (batch, n_inputs), float32 or float64, on the processor or an NVIDIA GPU like the rest.
        weight: (n_edges,) W, in the order of ``dag.edges``.
        bias: (n - n_inputs,) b, in topological order; 0 when None.
        gain: (n - n_inputs,) a; 1 when None.
        activation: σ, one of `ACTIVATIONS`, of neurons to which ``dag.activations`` gives none of their own.
        live: bool (n_edges,): only these edges take part, and only these get a gradient. All when None.

    Returns:
        (batch, n_outputs), of the dtype of ``weight``.

    Raises:
        ValueError: a wrong shape, dtype or device, or an unknown activation.
    """
    dag = plan.dag
    activation_function(activation)
    dtype = weight.dtype
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"weight must be float32 or float64, but is {dtype}")
    if x.ndim != 2:
        raise ValueError(f"x must have shape (batch, {dag.n_inputs}), but has {tuple(x.shape)}")
    device = weight.device
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"weight is on {device}, but this engine runs on processors and NVIDIA GPUs; use cpu or cuda")
    _check("weight", weight, (dag.n_edges,), dtype, device, "one value an edge")
    _check("x", x, (x.shape[0], dag.n_inputs), dtype, device, "batch, inputs of the DAG")
    for name, tensor in (("bias", bias), ("gain", gain)):
        if tensor is not None:
            _check(name, tensor, (dag.n - dag.n_inputs,), dtype, device, "one value a neuron that is no input")
    if torch.compiler.is_exporting():  # nothing to run: the operations themselves are wanted
        if live is not None:
            raise ValueError("a program is exported with all edges of its DAG; export the folded network: .fold()")
        return traceable_apply(dag, x, weight, bias, gain, activation=activation)
    if device.type == "cuda":
        return _on_gpu(plan, x, weight, bias, gain, activation, live)
    if live is not None:
        plan = plan.restrict(live.detach().numpy())
    weight = weight.contiguous()
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, weight, bias, gain)):
        return _Apply.apply(x, weight, bias, gain, plan, activation)  # type: ignore[no-untyped-call,no-any-return]
    return _forward(plan, x, weight, bias, gain, activation, keep=False)[0]
