"""Both passes over a batch on the processor: from tensors to the jobs of `nas.engine._way`, numbers only."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nas.engine._plan import Plan
from nas.engine._way import Way, way_of
from nas.engine._workspace import Workspace
from nas.engine.kernels import fold_gain, unfold_gain

__all__ = ["Kept", "Memory", "gradients_of", "run_forward", "weights_of"]

_BYTES = np.dtype(np.uint8)


class Memory:
    """A tensor of bytes, in place of a workspace."""

    __slots__ = ("address", "tensor")

    def __init__(self, tensor: Tensor, address: int) -> None:
        self.tensor, self.address = tensor, address


class Kept:
    """What a forward pass leaves for the backward pass.

    Attributes:
        plan, activation, way: it had.
        weight: of the live edges, without gains.
        effective: with gains.
        memory: see `Way`.
    """

    __slots__ = ("activation", "effective", "memory", "plan", "way", "weight")

    def __init__(
        self, plan: Plan, activation: str, way: Way, weight: Tensor, effective: Tensor, memory: Workspace | Memory
    ) -> None:
        self.plan, self.activation, self.way = plan, activation, way
        self.weight, self.effective, self.memory = weight, effective, memory


def weights_of(plan: Plan, weight: Tensor, gain: Tensor | None) -> tuple[Tensor, Tensor]:
    """(live,) the weights of the live edges; the same with gains."""
    if plan.edge_numbers is not None:
        weight = torch.from_numpy(weight.detach().numpy()[plan.edge_numbers])
    if gain is None:
        return weight, weight
    effective = torch.empty_like(weight)
    fold_gain(plan.in_ptr, plan.n_inputs, weight.detach().numpy(), gain.detach().numpy(), effective.numpy())
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
        weight, gain: contiguous.
        panels: whether dense parts may be walked in panels.
        memory: of `kept_bytes`, to be used; None: whatever there is.
    """
    batch = x.shape[0]
    way = way_of(plan, activation, weight.dtype, batch, keep, panels, torch.get_num_threads())
    given = weight
    weight, effective = weights_of(plan, weight, gain)
    if bias is not None and not bias.is_contiguous():
        bias = bias.contiguous()
    if not x.is_contiguous() or x.is_neg():
        x = x.contiguous().resolve_neg()
    y = x.new_empty(batch, plan.n_outputs)  # not torch.empty, which asks for the default device
    if memory is None:
        memory = Workspace(way.memory, _BYTES)
    values = memory.address
    weights_at = effective.data_ptr()
    if way.pack is not None:
        way.pack(weights_at, values + way.to_packed)
        weights_at = values + way.to_packed
    way.forward(x.data_ptr(), weights_at, 0 if bias is None else bias.data_ptr(), values, y.data_ptr())
    if way.holes and np.isnan(y.numpy()).any():
        # Through a hole, 0 times an infinity or NaN became NaN where no edge is.
        again = memory if isinstance(memory, Memory) else None
        return run_forward(plan, x, given, bias, gain, activation, keep, panels=False, memory=again)
    if not keep:
        return y, None
    if way.rows or way.panels:
        effective = effective.detach()  # another tensor on the same memory, whatever becomes of the parameter
    return y, Kept(plan, activation, way, weight, effective, memory)


def _run_backward(kept: Kept, incoming: Tensor, need_x: bool, way: Way) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients of x (if wanted), of the effective weights and of the biases."""
    plan = kept.plan
    grad_x = incoming.new_empty(incoming.shape[0], plan.n_inputs) if need_x else None
    grad_weight, grad_bias = incoming.new_empty(plan.n_edges), incoming.new_empty(plan.bias_shape)
    scratch = Workspace(way.scratch, _BYTES)
    if way.gather is None:
        weights_at, biases_at = grad_weight.data_ptr(), grad_bias.data_ptr()
    else:
        weights_at, biases_at = scratch.address + way.to_weights, scratch.address + way.to_biases
    values = kept.memory.address
    assert way.backward is not None
    way.backward(
        incoming.data_ptr(), values + way.to_packed if way.panels else kept.effective.data_ptr(), values,
        scratch.address, weights_at, biases_at, 0 if grad_x is None else grad_x.data_ptr(),
    )  # fmt: skip
    if way.gather is not None:
        way.gather(weights_at, biases_at, grad_weight.data_ptr(), grad_bias.data_ptr())
    return grad_x, grad_weight, grad_bias


def gradients_of(
    kept: Kept, incoming: Tensor, need_x: bool, whole_weight: Tensor, gain: Tensor | None
) -> tuple[Tensor | None, Tensor, Tensor, Tensor | None]:
    """Gradients of x (if wanted), weights, biases and gains (if there are any).

    Args:
        incoming: gradient of the outputs.
        whole_weight: weights of all edges, as they went in.
    """
    plan, way = kept.plan, kept.way
    incoming = incoming.contiguous().resolve_neg()
    grad_x, grad_weight, grad_bias = _run_backward(kept, incoming, need_x, way)
    if way.holes and not np.isfinite(grad_bias.numpy()).all():
        # Through a hole, 0 times an infinity or NaN became NaN where no edge is.
        way = way_of(plan, kept.activation, incoming.dtype, len(incoming), True, True, way.threads, around=True)
        grad_x, grad_weight, grad_bias = _run_backward(kept, incoming, need_x, way)
    grad_gain = None
    if gain is not None:
        grad_gain = torch.empty_like(gain)
        unfold_gain(
            plan.in_ptr, plan.n_inputs, kept.weight.detach().numpy(), gain.detach().numpy(), grad_weight.numpy(),
            grad_gain.numpy(),
        )  # fmt: skip
    if plan.edge_numbers is not None:
        of_live = grad_weight
        grad_weight = torch.zeros_like(whole_weight)
        grad_weight.numpy()[plan.edge_numbers] = of_live.numpy()
    return grad_x, grad_weight, grad_bias, grad_gain
