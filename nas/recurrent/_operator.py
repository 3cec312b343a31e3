"""A sequence through a DAG as an operator that torch knows by name; see `nas.engine._operator`.

What a forward pass keeps is a tensor of numbers: a `_HEADER` that says how the batch was cut into tiles, then values,
what they were before their activation, and the states of cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.recurrent._function import (
    Kept,
    SequencePlan,
    lengths_of,
    run_backward,
    run_forward,
    sequence_plan_of,
)

_HEADER = 16  # numbers, of which three are used: what follows begins on a cache line
_ARGUMENTS = (
    "Tensor x, Tensor weight, Tensor bias, Tensor gate_weight, Tensor recurrent, Tensor gate_bias, Tensor initial, "
    "str plan, bool every"
)


def _kept_lengths(plan: SequencePlan, x: Tensor) -> list[int]:
    return lengths_of(plan, x.shape[1] * (-(-x.shape[0] // 64) * 64), True)


def _parts(plan: SequencePlan, x: Tensor, kept: Tensor) -> list[np.ndarray]:
    return [each.numpy() for each in torch.split_with_sizes(kept[_HEADER:], _kept_lengths(plan, x))]


@torch.library.custom_op(
    "dag_nas::run_sequence", mutates_args=(), device_types="cpu",
    schema=f"({_ARGUMENTS}, bool keep) -> (Tensor, Tensor)",
)  # fmt: skip
def _run(*arguments: Any) -> tuple[Tensor, Tensor]:
    """`apply_sequence` in a graph of `torch.compile`; see `nas.engine._operator`."""
    *tensors, name, every, keep = arguments
    plan, x = sequence_plan_of(name), tensors[0]
    if not keep:
        return run_forward(plan, every, tensors, keep=False)[0], x.new_empty(0)
    kept = x.new_empty(_HEADER + sum(_kept_lengths(plan, x)))
    y, left = run_forward(plan, every, tensors, keep=True, memory=_parts(plan, x, kept))
    kept[:3] = torch.tensor(left.tiling)
    return y, kept


@_run.register_fake
def _shapes(*arguments: Any) -> tuple[Tensor, Tensor]:
    *tensors, name, every, keep = arguments
    plan, x = sequence_plan_of(name), tensors[0]
    own = plan.dag.n_outputs - plan.memory
    y = x.new_empty((*x.shape[:2], own) if every else (x.shape[0], own))
    return y, x.new_empty(_HEADER + sum(_kept_lengths(plan, x)) if keep else 0)


@torch.library.custom_op(
    "dag_nas::gradients_of_sequence", mutates_args=(), device_types="cpu",
    schema=f"(Tensor incoming, Tensor kept, {_ARGUMENTS}, bool need_x) -> ({', '.join(['Tensor'] * 7)})",
)  # fmt: skip
def _gradients(incoming: Tensor, kept: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    *tensors, name, every, need_x = arguments
    plan, x = sequence_plan_of(name), tensors[0]
    kept = kept.contiguous()
    size, tiles, ranks = (int(each) for each in kept[:3].tolist())
    values, kept_z, states = _parts(plan, x, kept)
    batch, steps, features = x.shape
    left = Kept(plan, every, (size, tiles, ranks), (batch, steps, features), values, kept_z, states, [kept])
    return tuple(run_backward(left, tensors, incoming, need_x))


@_gradients.register_fake
def _shapes_of_gradients(incoming: Tensor, kept: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    x, *others = arguments[:7]
    of_x = x.new_empty(x.shape if arguments[-1] else (0, 0, 0))
    return of_x, *(torch.empty_like(each, memory_format=torch.contiguous_format) for each in others)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:7], output[1])
    ctx.plan, ctx.every, ctx.kept = inputs[7:]
    ctx.mark_non_differentiable(output[1])


def _go_back(ctx: Any, incoming: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    if not ctx.kept:
        raise RuntimeError("the forward pass ran without gradients enabled, so that there is nothing to go back over")
    *tensors, kept = ctx.saved_tensors
    need_x = ctx.needs_input_grad[0]
    of_x, *others = torch.ops.dag_nas.gradients_of_sequence(incoming, kept, *tensors, ctx.plan, ctx.every, need_x)
    return of_x if need_x else None, *others, None, None, None


_run.register_autograd(_go_back, setup_context=_remember)
_run.register_autocast("cpu", torch.float32)
