"""The engine as a differentiable torch function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._C._functorch import unwrap_if_dead

from nas.engine._again import being_compiled, gradients_again, numbers_wanted, operations_wanted
from nas.engine._levels import traceable_apply
from nas.engine._operator import in_graph
from nas.engine._plan import Plan
from nas.engine._run import Kept, gradients_of, run_forward
from nas.engine._way import REAL

__all__ = ["apply"]

_SHORT = (torch.float16, torch.bfloat16)


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
        y, ctx.kept = run_forward(plan, x, weight, bias, gain, activation, keep=True)
        ctx.save_for_backward(x, weight, bias, gain)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        # With gradients enabled, what is computed here is itself to be differentiated.
        return (_backward_again if torch.is_grad_enabled() else _backward)(ctx, grad_output)


# As `_Apply.apply`, without what it looks for first and `apply` has looked for already: transforms and what they left.
_record = super(torch.autograd.Function, _Apply).apply
_left_over: Callable[[Tensor], bool] = torch._C._functorch.is_dead_tensor_wrapper  # type: ignore[attr-defined]


def _backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
    _, weight, bias, gain = ctx.saved_tensors  # which also checks that nothing was changed in place since
    grad_x, grad_weight, grad_bias, grad_gain = gradients_of(
        ctx.kept, grad_output, ctx.needs_input_grad[0], weight, gain
    )
    return grad_x, grad_weight, None if bias is None else grad_bias, grad_gain, None, None


def _backward_again(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
    kept: Kept = ctx.kept

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


def _complain(plan: Plan, x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None) -> None:
    """Raise for the first argument of `apply` that is wrong; nothing is when all of them are on one GPU."""
    dag, dtype = plan.dag, weight.dtype
    if dtype not in REAL:
        raise ValueError(f"weight must be a real floating-point tensor, but is {dtype}; convert it with .float()")
    if x.ndim != 2:
        raise ValueError(f"x must have shape (…, {dag.n_inputs}), but has {tuple(x.shape)}")
    device = weight.device
    if device.type not in ("cpu", "cuda", "meta"):
        raise ValueError(f"weight is on {device}, but this engine runs on processors and NVIDIA GPUs; use cpu or cuda")
    _check("weight", weight, plan.weight_shape, dtype, device, "one value an edge")
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
        x: (batch, n_inputs), of the dtype of ``weight``, on the processor or an NVIDIA GPU like the rest; or of any
            other leading shape, which the result keeps.
        weight: (n_edges,) W, in the order of ``dag.edges``.
        bias: (n - n_inputs,) b, in topological order; 0 when None.
        gain: (n - n_inputs,) a; 1 when None.
        activation: σ, one of `ACTIVATIONS`, of neurons to which ``dag.activations`` gives none of their own.
        live: bool (n_edges,): only these edges take part, and only these get a gradient. All when None.

    Returns:
        (batch, n_outputs), of the dtype of ``weight``: float32 or float64. float16 and bfloat16 are computed in
        float32; under autocast the result is float32.

    Raises:
        ValueError: a wrong shape, dtype or device, or an unknown activation.
    """
    if numbers_wanted() and _fits(plan, x, weight, bias, gain):
        return _run(plan, x, weight, bias, gain, activation, live)
    return _unusual(plan, x, weight, bias, gain, activation, live)


def _fits(plan: Plan, x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None) -> bool:
    """Whether all is simply numbers in the processor's memory, of the right shapes."""
    dtype, shape = weight.dtype, x.shape
    return (
        dtype in REAL
        and x.dtype is dtype
        and len(shape) == 2
        and shape[1] == plan.n_inputs
        and weight.shape == plan.weight_shape
        and x.is_cpu
        and weight.is_cpu
        and type(x) is Tensor
        and not _left_over(x)
        and (bias is None or (bias.shape == plan.bias_shape and bias.dtype is dtype and bias.is_cpu))
        and (gain is None or (gain.shape == plan.bias_shape and gain.dtype is dtype and gain.is_cpu))
    )


def _on_processor(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    activation: str,
    live: Tensor | None,
) -> Tensor:
    if operations_wanted():
        # Which edges are live is no operation, so all take part: a dead one with its weight, which is 0.
        weight = weight if live is None else torch.where(live, weight, 0.0)
        return traceable_apply(plan.dag, x, weight, bias, gain, activation=activation)
    return _run(plan, x, weight, bias, gain, activation, live)


def _run(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    activation: str,
    live: Tensor | None,
) -> Tensor:
    """The kernels; arguments are right."""
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
        return _record(x, weight, bias, gain, plan, activation)  # type: ignore[no-untyped-call,no-any-return]
    return run_forward(plan, x, weight, bias, gain, activation, keep=False)[0]


def _unusual(
    plan: Plan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gain: Tensor | None,
    activation: str,
    live: Tensor | None,
) -> Tensor:
    """`apply` to what is not simply a batch of numbers in the processor's memory."""
    dag = plan.dag
    if not torch.compiler.is_compiling() and _left_over(x):  # by a transform that has ended
        return apply(plan, unwrap_if_dead(x), weight, bias, gain, activation=activation, live=live)
    if x.ndim != 2 and x.ndim > 0 and x.shape[-1] == dag.n_inputs:
        rows = apply(plan, x.reshape(-1, dag.n_inputs), weight, bias, gain, activation=activation, live=live)
        return rows.reshape(*x.shape[:-1], dag.n_outputs)
    autocast = x.device.type in ("cpu", "cuda") and torch.is_autocast_enabled(x.device.type)
    if weight.dtype in _SHORT or (autocast and x.dtype != weight.dtype):
        given = x.dtype
        if not autocast:
            _check("x", x, (x.shape[0], dag.n_inputs), weight.dtype, weight.device, "batch, inputs of the DAG")
        full = [None if each is None else each.float() for each in (x, weight, bias, gain)]
        y = apply(plan, full[0], full[1], full[2], full[3], activation=activation, live=live)  # type: ignore[arg-type]
        return y if autocast else y.to(given)
    _complain(plan, x, weight, bias, gain)
    # Who exports looks at the operations one by one, also with tensors that have no numbers.
    if being_compiled() or (not operations_wanted() and (x.device.type == "meta" or _has_no_numbers(x))):
        return in_graph(plan, x, weight, bias, gain, live, activation)
    if x.is_cpu or operations_wanted():
        return _on_processor(plan, x, weight, bias, gain, activation, live)
    return _on_gpu(plan, x, weight, bias, gain, activation, live)


def _has_no_numbers(x: Tensor) -> bool:
    if type(x) in (Tensor, nn.Parameter):
        return False
    from torch._subclasses.fake_tensor import FakeTensor  # here: nobody else waits for it

    return isinstance(x, FakeTensor)
