"""Both passes over a batch on the processor: from tensors to the jobs of `nas.engine._passes`, numbers only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.engine import _passes
from nas.engine._choices import choose_tiling, goes_by_rows
from nas.engine._dense import Dense
from nas.engine._jobs import run_job
from nas.engine._native import address_of
from nas.engine._plan import Plan
from nas.engine._workspace import Workspace
from nas.engine.kernels import fold_gain, unfold_gain

__all__ = ["REAL", "Kept", "Memory", "gradients_of", "kept_bytes", "run_forward", "weights_of"]

_BYTES = np.dtype(np.uint8)
REAL: dict[torch.dtype, Any] = {torch.float32: np.float32, torch.float64: np.float64}


@lru_cache(maxsize=64)
def _all_rows(batch: int) -> tuple[int, np.ndarray]:
    rows = np.arange(batch)
    return address_of(rows), rows


@dataclass(slots=True, eq=False)
class Memory:
    """A tensor of bytes, in place of a workspace."""

    tensor: Tensor
    address: int


@dataclass(slots=True, eq=False)
class Kept:
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
    memory: Workspace | Memory  # of what has an address here
    values: int
    kept_z: int
    ordered: int
    rows: bool  # whether to go back by rows
    packed: int  # the weights in the order of panels; 0 without


def _lines(count: int, itemsize: int) -> int:
    """Bytes of ``count`` elements in whole cache lines."""
    return -(-count * itemsize // 64) * 64


def kept_bytes(plan: Plan, activation: str, batch: int, itemsize: int) -> int:
    """Of memory that a forward pass leaves at most, however the batch is cut into tiles."""
    values = plan.dag.n * (-(-batch // 64) * 64) * itemsize * (2 if plan.codes(activation)[1] else 1)
    dense = plan.dense()
    return values + _lines(plan.n_edges, itemsize) + _lines(0 if dense is None else dense.stored, itemsize)


def weights_of(plan: Plan, weight: Tensor, gain: Tensor | None) -> tuple[Tensor, Tensor]:
    """(live,) the weights of the live edges; the same with gains."""
    if plan.edge_numbers is not None:
        weight = torch.from_numpy(weight.detach().numpy()[plan.edge_numbers])
    if gain is None:
        return weight, weight
    effective = torch.empty_like(weight)
    fold_gain(plan.in_ptr, plan.dag.n_inputs, weight.detach().numpy(), gain.detach().numpy(), effective.numpy())
    return weight, effective


def run_forward(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    activation: str,
    keep: bool,
    panels: bool = True,
    memory: Workspace | Memory | None = None,
) -> tuple[Tensor, Kept | None]:
    """Outputs, and what the backward pass needs when ``keep``. Kept short: it is most of a small network's time.

    Args:
        panels: whether dense parts may be walked in panels.
        memory: of `kept_bytes`, to be used; None: whatever there is.
    """
    dag = plan.dag
    batch = x.shape[0]
    n, n_outputs, n_edges = dag.n, dag.n_outputs, plan.n_edges
    dtype = weight.dtype
    given = weight
    weight, effective = weights_of(plan, weight, gain)
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
    if memory is None:
        memory = Workspace(for_values + for_z + for_order + _lines(stored, item), _BYTES)
    values = memory.address
    kept_z = values + for_values if for_z else 0
    ordered = values + for_values + for_z if for_order else 0
    packed = 0 if dense is None else values + for_values + for_z + for_order
    if packed:
        run_job(_passes.pack(REAL[dtype]), ranks, table, ranks, effective.data_ptr(), packed)
    numbers = _all_rows(batch)
    run_job(
        _passes.forward(REAL[dtype], size, dense is not None), ranks, table, batch, tiles, ranks, keep, x.data_ptr(),
        numbers[0], packed or effective.data_ptr(), ordered, 0 if bias is None else bias.data_ptr(), codes, values,
        kept_z, y.data_ptr(),
    )  # fmt: skip
    if dense is not None and dense.holes.size > 0 and np.isnan(y.numpy()).any():
        # Through a hole, 0 times an infinity or NaN became NaN where no edge is.
        again = memory if isinstance(memory, Memory) else None
        return run_forward(plan, x, given, bias, gain, activation, keep, panels=False, memory=again)
    if not keep:
        return y, None
    if rows or dense is not None:
        effective = effective.detach()  # another tensor on the same memory, whatever becomes of the parameter
    return y, Kept(
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


def _run_backward(
    kept: Kept, incoming: Tensor, need_x: bool, dense: Dense | None, rows: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x (if wanted), of the effective weights and of the biases."""
    plan, dag = kept.plan, kept.plan.dag
    size, ranks, n_edges, m = kept.size, kept.ranks, kept.plan.n_edges, dag.n - dag.n_inputs
    dtype = kept.weight.dtype
    item, real = dtype.itemsize, REAL[dtype]
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


def gradients_of(
    kept: Kept, incoming: Tensor, need_x: bool, whole_weight: Tensor, gain: Tensor | None
) -> tuple[Tensor | None, Tensor, Tensor, Tensor | None]:
    """Gradients of x (if wanted), weights, biases and gains (if there are any).

    Args:
        incoming: gradient of the outputs.
        whole_weight: weights of all edges, as they went in.
    """
    plan, dense = kept.plan, kept.dense
    incoming = incoming.contiguous().resolve_neg()
    grad_x, grad_weight, grad_bias = _run_backward(kept, incoming, need_x, dense, kept.rows)
    if dense is not None and dense.holes.size > 0 and not np.isfinite(grad_bias.numpy()).all():
        # Through a hole, 0 times an infinity or NaN became NaN where no edge is.
        grad_x, grad_weight, grad_bias = _run_backward(kept, incoming, need_x, None, True)
    grad_gain = None
    if gain is not None:
        grad_gain = torch.empty_like(gain)
        unfold_gain(
            plan.in_ptr, plan.dag.n_inputs, kept.weight.detach().numpy(), gain.detach().numpy(), grad_weight.numpy(),
            grad_gain.numpy(),
        )  # fmt: skip
    if plan.edge_numbers is not None:
        of_live = grad_weight
        grad_weight = torch.zeros_like(whole_weight)
        grad_weight.numpy()[plan.edge_numbers] = of_live.numpy()
    return grad_x, grad_weight, grad_bias, grad_gain
