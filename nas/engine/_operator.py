"""The engine as an operator that torch knows by name: what `torch.compile` puts into a graph, which sees no kernels.

Torch is told what it gives for a batch of any size before there are numbers (fake tensors), how it is differentiated,
and that autocast has it in float32. What a forward pass leaves for the backward pass is a tensor too, of a size that
depends on plan and batch alone: a `_HEADER` that says which `nas.engine._way.Way` was taken, then the memory of a
`nas.engine._run.Kept`. Transforms of ``torch.func`` see plain operations (`nas.engine._again`), but not within a graph:
torch cannot transform operators that are written in Python there.

Eager programs call the kernels without it: an operator written in Python takes torch as long as thousands of edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.engine._again import refuse_transforms
from nas.engine._plan import Plan, plan_of
from nas.engine._run import Kept, Memory, gradients_of, run_forward, weights_of
from nas.engine._way import kept_bytes, way_of

__all__ = ["in_graph"]

_HEADER = 128  # bytes
_ARGUMENTS = "Tensor x, Tensor weight, Tensor? bias, Tensor? gain, Tensor? live, str plan, str activation"


def in_graph(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    live: Tensor | None,
    activation: str,
) -> Tensor:
    """`nas.engine.apply` as one operator; arguments are right."""
    refuse_transforms()
    y: Tensor
    y, _ = torch.ops.dag_nas.run(x, weight, bias, gain, live, plan.name, activation, torch.is_grad_enabled())
    return y


def _plan(name: str, live: Tensor | None) -> Plan:
    plan = plan_of(name)
    return plan if live is None else plan.restrict(live.numpy())


@torch.library.custom_op(
    "dag_nas::run", mutates_args=(), device_types="cpu", schema=f"({_ARGUMENTS}, bool keep) -> (Tensor, Tensor)"
)
def _run(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    live: Tensor | None,
    plan: str,
    activation: str,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    found = _plan(plan, live)
    weight = weight.contiguous()
    gain = None if gain is None else gain.contiguous()
    if not keep:
        return run_forward(found, x, weight, bias, gain, activation, keep=False)[0], x.new_empty(0, dtype=torch.uint8)
    kept = x.new_empty(_kept_bytes(plan, activation, x), dtype=torch.uint8)
    memory = Memory(kept, kept.data_ptr() + _HEADER)
    y, left = run_forward(found, x, weight, bias, gain, activation, keep=True, memory=memory)
    assert left is not None
    kept.numpy()[:_HEADER].view(np.int64)[:2] = torch.get_num_threads(), left.way.panels
    return y, kept


def _kept_bytes(name: str, activation: str, x: Tensor) -> int:
    return _HEADER + kept_bytes(plan_of(name), activation, x.shape[0], x.dtype.itemsize)


@_run.register_fake
def _shapes(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    live: Tensor | None,
    plan: str,
    activation: str,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    y = weight.new_empty((x.shape[0], plan_of(plan).dag.n_outputs))
    return y, x.new_empty(_kept_bytes(plan, activation, x) if keep else 0, dtype=torch.uint8)


@torch.library.custom_op(
    "dag_nas::gradients", mutates_args=(), device_types="cpu",
    schema=f"(Tensor incoming, Tensor kept, {_ARGUMENTS}, bool need_x) -> (Tensor, Tensor, Tensor, Tensor)",
)  # fmt: skip
def _gradients(
    incoming: Tensor,
    kept: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    live: Tensor | None,
    plan: str,
    activation: str,
    need_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    found = _plan(plan, live)
    weight = weight.contiguous()
    gain = None if gain is None else gain.contiguous()
    kept = kept.contiguous()
    threads, panels = kept.numpy()[:_HEADER].view(np.int64)[:2].tolist()
    way = way_of(found, activation, weight.dtype, x.shape[0], True, bool(panels), threads)
    memory = Memory(kept, kept.data_ptr() + _HEADER)
    left = Kept(found, activation, way, *weights_of(found, weight, gain), memory)
    of_x, of_weight, of_bias, of_gain = gradients_of(left, incoming, need_x, weight, gain)
    nothing = weight.new_empty(0)
    return nothing if of_x is None else of_x, of_weight, of_bias, nothing.clone() if of_gain is None else of_gain


@_gradients.register_fake
def _shapes_of_gradients(
    incoming: Tensor,
    kept: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    live: Tensor | None,
    plan: str,
    activation: str,
    need_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    dag = plan_of(plan).dag
    return (
        x.new_empty(x.shape if need_x else (0,)),
        weight.new_empty(weight.shape),
        weight.new_empty(dag.n - dag.n_inputs),
        weight.new_empty(0 if gain is None else dag.n - dag.n_inputs),
    )


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:5], output[1])
    ctx.plan, ctx.activation, ctx.kept = inputs[5:]
    ctx.mark_non_differentiable(output[1])


def _go_back(ctx: Any, incoming: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    if not ctx.kept:
        raise RuntimeError("the forward pass ran without gradients enabled, so that there is nothing to go back over")
    x, weight, bias, gain, live, kept = ctx.saved_tensors
    need_x = ctx.needs_input_grad[0]
    of_x, of_weight, of_bias, of_gain = torch.ops.dag_nas.gradients(
        incoming, kept, x, weight, bias, gain, live, ctx.plan, ctx.activation, need_x
    )
    return (
        of_x if need_x else None,
        of_weight,
        None if bias is None else of_bias,
        None if gain is None else of_gain,
        *[None] * 4,
    )


_run.register_autograd(_go_back, setup_context=_remember)
_run.register_autocast("cpu", torch.float32)
