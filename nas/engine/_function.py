"""The engine as a differentiable torch function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.engine import _passes
from nas.engine._again import gradients_again, operations_wanted
from nas.engine._choices import choose_tiling, goes_by_rows
from nas.engine._dense import Dense
from nas.engine._jobs import run_job
from nas.engine._levels import traceable_apply
from nas.engine._native import address_of
from nas.engine._plan import Plan
from nas.engine._workspace import Workspace
from nas.engine.kernels import fold_gain, unfold_gain
from nas.graph import DAG

__all__ = ["apply"]

_BYTES = np.dtype(np.uint8)
_REAL: dict[torch.dtype, Any] = {torch.float32: np.float32, torch.float64: np.float64}


@lru_cache(maxsize=64)
def _all_rows(batch: int) -> tuple[int, np.ndarray]:
    rows = np.arange(batch)
    return address_of(rows), rows


@dataclass(slots=True, eq=False)
class _Kept:
    """What a forward pass leaves for the backward pass."""

    plan: Plan
    activation: str
    size: int
    tiles: int
    ranks: int
    batch: int
    weight: Tensor  # of the live edges, without gains
    effective: Tensor  # with gains
    dense: Dense | None
    memory: Workspace  # of the following, which are addresses
    values: int
    kept_z: int
    ordered: int
    rows: bool  # whether to go back by rows
    packed: int  # the weights in the order of panels; 0 without


def _lines(count: int, itemsize: int) -> int:
    """Bytes of ``count`` elements in whole cache lines."""
    return -(-count * itemsize // 64) * 64


def _forward(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    activation: str,
    keep: bool,
    panels: bool = True,
) -> tuple[Tensor, _Kept | None]:
    """Outputs, and what the backward pass needs when ``keep``. Kept short: it is most of a small network's time.

    Args:
        panels: whether dense parts may be walked in panels.
    """
    dag = plan.dag
    batch = x.shape[0]
    n, n_outputs, n_edges = dag.n, dag.n_outputs, plan.n_edges
    dtype = weight.dtype
    given = weight
    if plan.edge_numbers is not None:
        weight = torch.from_numpy(weight.detach().numpy()[plan.edge_numbers])
    effective = weight
    if gain is not None:
        effective = torch.empty_like(weight)
        fold_gain(plan.in_ptr, dag.n_inputs, weight.detach().numpy(), gain.detach().numpy(), effective.numpy())
    if bias is not None and not bias.is_contiguous():
        bias = bias.contiguous()
    if not x.is_contiguous() or x.is_neg():
        x = x.contiguous().resolve_neg()
    y = torch.empty((batch, n_outputs), dtype=dtype)
    size, tiles, ranks = choose_tiling(n_edges, batch, torch.get_num_threads(), single=True)
    dense = plan.dense() if panels and size > 1 else None
    table, stored, rest = (
        (plan.table_address, 0, n_edges) if dense is None else (dense.table_address, dense.stored, dense.rest)
    )
    item = dtype.itemsize
    tile = _lines(n * size, item)
    for_values = tile * (tiles if keep else ranks)
    codes, needs_z, _ = plan.codes(activation)
    for_z = for_values if keep and needs_z else 0
    rows = dense is None and goes_by_rows(n, n_edges, size, tiles, ranks, item)
    for_order = _lines(rest, item) if keep and not rows else 0
    memory = Workspace(for_values + for_z + for_order + _lines(stored, item), _BYTES)
    values = memory.address
    kept_z = values + for_values if for_z else 0
    ordered = values + for_values + for_z if for_order else 0
    packed = 0 if dense is None else values + for_values + for_z + for_order
    if packed:
        run_job(_passes.pack(_REAL[dtype]), ranks, table, ranks, effective.data_ptr(), packed)
    numbers = _all_rows(batch)
    run_job(
        _passes.forward(_REAL[dtype], size, dense is not None), ranks, table, batch, tiles, ranks, keep, x.data_ptr(),
        numbers[0], packed or effective.data_ptr(), ordered, 0 if bias is None else bias.data_ptr(), codes, values,
        kept_z, y.data_ptr(),
    )  # fmt: skip
    if dense is not None and dense.holes.size > 0 and np.isnan(y.numpy()).any():
        # Through a hole, 0 times an infinity or NaN became NaN where no edge is.
        return _forward(plan, x, given, bias, gain, activation, keep, panels=False)
    if not keep:
        return y, None
    if rows or dense is not None:
        effective = effective.detach()  # another tensor on the same memory, whatever becomes of the parameter
    return y, _Kept(
        plan,
        activation,
        size,
        tiles,
        ranks,
        batch,
        weight,
        effective,
        dense,
        memory,
        values,
        kept_z,
        ordered,
        rows,
        packed,
    )


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
        ctx.save_for_backward(x, weight, bias, gain)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        # With gradients enabled, what is computed here is itself to be differentiated.
        return (_backward_again if torch.is_grad_enabled() else _backward)(ctx, grad_output)


def _run_backward(
    kept: _Kept, incoming: Tensor, need_x: bool, dense: Dense | None, rows: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x (if wanted), of the effective weights and of the biases."""
    plan, dag = kept.plan, kept.plan.dag
    size, ranks, n_edges, m = kept.size, kept.ranks, kept.plan.n_edges, dag.n - dag.n_inputs
    dtype = kept.weight.dtype
    item, real = dtype.itemsize, _REAL[dtype]
    grad_x = torch.empty((kept.batch, dag.n_inputs), dtype=dtype) if need_x else None
    grad_weight, grad_bias = torch.empty(n_edges, dtype=dtype), torch.empty(m, dtype=dtype)
    alone = rows and ranks == 1  # the kernel writes the results themselves
    table, stored = (plan.table_address, n_edges) if dense is None else (dense.table_address, dense.stored)
    for_grads, for_weights = _lines(ranks * dag.n * size, item), _lines(ranks * stored, item)
    scratch = Workspace(for_grads + (0 if alone else for_weights + _lines(ranks * m, item)), _BYTES)
    if alone:
        weights_at, biases_at = grad_weight.data_ptr(), grad_bias.data_ptr()
    else:
        weights_at = scratch.address + for_grads
        biases_at = weights_at + for_weights
    codes = plan.codes(kept.activation)[0]
    run_job(
        _passes.backward(real, size, dense is not None, rows), ranks, table, kept.batch, kept.tiles, ranks,
        incoming.data_ptr(), kept.effective.data_ptr() if rows else kept.packed, kept.ordered, codes, kept.values,
        kept.kept_z, scratch.address, weights_at, biases_at, 0 if grad_x is None else grad_x.data_ptr(),
    )  # fmt: skip
    if not alone:
        run_job(
            _passes.gather(real, rows), ranks, table, ranks, weights_at, biases_at, grad_weight.data_ptr(),
            grad_bias.data_ptr(),
        )  # fmt: skip
    return grad_x, grad_weight, grad_bias


def _backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
    _, whole_weight, bias, gain = ctx.saved_tensors  # also checks that nothing was changed in place since
    kept: _Kept = ctx.kept
    plan, dag = kept.plan, kept.plan.dag
    incoming = grad_output.contiguous().resolve_neg()
    need_x, dense = ctx.needs_input_grad[0], kept.dense
    grad_x, grad_weight, grad_bias = _run_backward(kept, incoming, need_x, dense, kept.rows)
    if dense is not None and dense.holes.size > 0 and not np.isfinite(grad_bias.numpy()).all():
        # Through a hole, 0 times an infinity or NaN became NaN where no edge is.
        grad_x, grad_weight, grad_bias = _run_backward(kept, incoming, need_x, None, True)
    grad_gain = None
    if gain is not None:
        grad_gain = torch.empty_like(gain)
        unfold_gain(
            plan.in_ptr, dag.n_inputs, kept.weight.detach().numpy(), gain.detach().numpy(), grad_weight.numpy(),
            grad_gain.numpy(),
        )  # fmt: skip
    if plan.edge_numbers is not None:
        of_live = grad_weight
        grad_weight = torch.zeros_like(whole_weight)
        grad_weight.numpy()[plan.edge_numbers] = of_live.numpy()
    return grad_x, grad_weight, None if bias is None else grad_bias, grad_gain, None, None


def _backward_again(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
    kept: _Kept = ctx.kept

    def function(x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None) -> Tensor:
        return _operations(kept.plan, x, weight, bias, gain, kept.activation)

    gradients = gradients_again(function, ctx.saved_tensors, ctx.needs_input_grad[:4], grad_output)
    return *gradients, None, None


def _operations(
    plan: Plan, x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None, activation: str
) -> Tensor:
    """The pass in plain torch operations; over the live edges alone, as the kernels do it."""
    dag = plan.dag
    if plan.edge_numbers is not None:
        mask = np.zeros(dag.n_edges, np.bool_)
        mask[plan.edge_numbers] = True
        dag = dag.with_edges(mask, allow_unreachable=True)
        weight = weight.index_select(0, torch.from_numpy(plan.edge_numbers.astype(np.int64)).to(weight.device))
    return traceable_apply(dag, x, weight, bias, gain, activation=activation)


def _check(
    name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, meaning: str
) -> None:
    if tensor.shape != shape:
        raise ValueError(f"{name} must have shape {shape} ({meaning}), but has {tuple(tensor.shape)}")
    if tensor.dtype != dtype:
        raise ValueError(f"{name} must be {dtype} like weight, but is {tensor.dtype}; convert it with .to({dtype})")
    if tensor.device != device:
        raise ValueError(f"{name} must be on {device} like weight, but is on {tensor.device}; move it with .to()")


def _complain(dag: DAG, x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None) -> None:
    """Raise for the first argument of `apply` that is wrong; nothing is when all of them are on one GPU."""
    dtype = weight.dtype
    if dtype not in _REAL:
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


def _on_gpu(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    activation: str,
    live: Tensor | None,
) -> Tensor:
    from nas.engine.cuda import MODULE_CHECK, gpu_apply, gpu_at, verdict_on  # here: nobody without a GPU waits for it

    gpu = gpu_at(weight.device.index or 0)
    if not verdict_on(gpu, MODULE_CHECK).right:
        plan = plan if live is None else plan.restrict(live.detach().cpu().numpy())
        return _operations(plan, x, weight, bias, gain, activation)
    if plan.edge_numbers is not None:
        live = torch.zeros(plan.dag.n_edges, dtype=torch.bool)
        live[torch.from_numpy(plan.edge_numbers.astype(np.int64))] = True
    live = None if live is None else live.to(weight.device)
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
    ``x_i = Σ_j W_ij h_j`` over the live edges j→i. Differentiable in x, weight, bias and gain: first
    derivatives come from kernels; further ones, and what torch's transforms and tracers see, are plain operations
    (`nas.engine._again`).

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
    dtype = weight.dtype
    m = dag.n - dag.n_inputs
    fits = (
        dtype in _REAL
        and x.ndim == 2
        and x.shape[1] == dag.n_inputs
        and weight.shape == (dag.n_edges,)
        and x.dtype == dtype
        and x.is_cpu
        and weight.is_cpu
    )
    for tensor in (bias, gain):
        if tensor is not None:
            fits = fits and tensor.shape == (m,) and tensor.dtype == dtype and tensor.is_cpu
    if not fits:
        _complain(dag, x, weight, bias, gain)
        if not operations_wanted():
            return _on_gpu(plan, x, weight, bias, gain, activation, live)
    if operations_wanted():
        # Which edges are live is no operation, so all take part: a dead one with its weight, which is 0.
        weight = weight if live is None else torch.where(live, weight, 0.0)
        return traceable_apply(dag, x, weight, bias, gain, activation=activation)
    if live is not None:
        plan = plan.restrict(live.detach().numpy())
    weight = weight.contiguous()
    if gain is not None:
        gain = gain.contiguous()
    if torch.is_grad_enabled() and (
        weight.requires_grad
        or x.requires_grad
        or (bias is not None and bias.requires_grad)
        or (gain is not None and gain.requires_grad)
    ):
        return _Apply.apply(x, weight, bias, gain, plan, activation)  # type: ignore[no-untyped-call,no-any-return]
    return _forward(plan, x, weight, bias, gain, activation, keep=False)[0]
