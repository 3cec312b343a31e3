"""A whole sequence through a DAG with memory, as a differentiable torch function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

from nas.engine import (
    Workspace,
    activation_codes,
    being_compiled,
    choose_tiling,
    gradients_again,
    needs_input,
    operations_wanted,
    refuse_transforms,
)
from nas.engine.simd import LANES
from nas.engine.threads import team
from nas.graph import DAG
from nas.recurrent._steps import traceable_sequence
from nas.recurrent.kernels import CELL_VECTORS, backward_sequences, forward_sequences

__all__ = [
    "LSTM",
    "Kept",
    "SequencePlan",
    "apply_sequence",
    "compile_sequence",
    "lengths_of",
    "run_backward",
    "run_forward",
    "sequence_plan_of",
]

LSTM = "lstm"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class SequencePlan:
    """What the kernels need to know of a DAG with memory; see the symbols of `nas.recurrent.kernels`."""

    dag: DAG
    memory: int
    activation: str
    memory_activation: str
    codes: np.ndarray
    carry_code: int
    keep_z: bool
    in_ptr: np.ndarray
    sources: np.ndarray
    cells: np.ndarray
    gate_start: np.ndarray
    gate_edges: np.ndarray  # (rows of gate_weight,) the edge of each
    name: str  # by which `sequence_plan_of` finds it

    def __reduce__(self) -> tuple[Any, ...]:
        return compile_sequence, (self.dag, self.memory, self.activation, self.memory_activation)

    def __deepcopy__(self, memo: dict[int, Any]) -> SequencePlan:
        return self


def compile_sequence(dag: DAG, memory: int, activation: str, memory_activation: str) -> SequencePlan:
    """The plan of a DAG whose last ``memory`` outputs are its last inputs a step later.

    Raises:
        ValueError: an unknown activation.
    """
    words = dag.activations or ("",) * dag.n
    lstm = np.array([word == LSTM for word in words])
    ordinary = dag.with_activations(["" if word == LSTM else word for word in words[dag.n_inputs : dag.first_output]])
    numbers = np.flatnonzero(lstm)
    cells = np.full(dag.n, -1, np.int32)
    cells[numbers] = np.arange(numbers.size)
    degree = dag.in_ptr[numbers + 1] - dag.in_ptr[numbers]
    carry = activation_codes(DAG(1, 1, 1, [(0, 1), (1, 2)]), memory_activation)
    plan = SequencePlan(
        dag,
        memory,
        activation,
        memory_activation,
        activation_codes(ordinary, activation),
        int(carry[1]),
        needs_input(ordinary, activation),
        np.array(dag.in_ptr),
        np.array(dag.sources),
        cells,
        np.cumsum(degree) - degree,
        np.flatnonzero(lstm[dag.targets]),
        str(next(_names)),
    )
    _named[plan.name] = plan
    return plan


_names = count()
_named: WeakValueDictionary[str, SequencePlan] = WeakValueDictionary()


def sequence_plan_of(name: str) -> SequencePlan:
    """The plan that has this name, in this process, while it is in use."""
    return _named[name]


def apply_sequence(
    plan: SequencePlan,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gate_weight: Tensor,
    recurrent: Tensor,
    gate_bias: Tensor,
    initial: Tensor | None,
    *,
    every: bool,
) -> Tensor:
    """Outputs of the last step (batch, own outputs), or of ``every`` step (batch, T, own outputs).

    Args:
        x: (batch, T, features), T at least 1, of the dtype of the weights.
        weight, bias: (n_edges,) and (n - n_inputs,) or None.
        gate_weight: (in-edges of LSTM neurons, 3), by edge; recurrent: (K, 4); gate_bias: (K, 3).
        initial: (memory,) before the first step; 0 when None.
    """
    dtype = weight.dtype
    bias = weight.new_zeros(plan.dag.n - plan.dag.n_inputs) if bias is None else bias
    initial = weight.new_zeros(plan.memory) if initial is None else initial
    tensors = [x, weight, bias, gate_weight, recurrent, gate_bias, initial]
    for tensor in tensors:
        if tensor.dtype != dtype or tensor.device.type != "cpu":
            raise ValueError(
                f"x and all weights must be {dtype} on the CPU, but there is {tensor.dtype} on {tensor.device}; "
                "convert with .to()"
            )
    if being_compiled():
        refuse_transforms()
        y: Tensor
        y, _ = torch.ops.dag_nas.run_sequence(*tensors, plan.name, every, torch.is_grad_enabled())
        return y
    if operations_wanted():
        return _operations(plan, every, *tensors)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return _Sequence.apply(plan, every, *tensors)  # type: ignore[no-untyped-call,no-any-return]
    return run_forward(plan, every, tensors, keep=False)[0]


def _operations(plan: SequencePlan, every: bool, *tensors: Tensor) -> Tensor:
    return traceable_sequence(
        plan.dag, *tensors, activation=plan.activation, memory_activation=plan.memory_activation, every=every
    )


@dataclass(slots=True, eq=False)
class Kept:
    plan: SequencePlan
    every: bool
    tiling: tuple[int, int, int]
    shape: tuple[int, int, int]
    values: np.ndarray
    kept_z: np.ndarray
    states: np.ndarray
    owners: Sequence[object]  # of their memory


def _array(tensor: Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().contiguous().numpy()
    return found


def run_forward(
    plan: SequencePlan, every: bool, tensors: list[Tensor], keep: bool, memory: list[np.ndarray] | None = None
) -> tuple[Tensor, Kept]:
    """Args:
    memory: for values, kept_z and states, each at least as long as `lengths_of`; None: whatever there is.
    """
    x, weight, bias, gate_weight, recurrent, gate_bias, initial = map(_array, tensors)
    dag = plan.dag
    batch, steps, features = x.shape
    own = dag.n_outputs - plan.memory
    # Four multiply-adds an edge of an LSTM neuron, in each step.
    work = steps * (dag.n_edges + 3 * plan.gate_edges.size)
    size, tiles, ranks = tiling = choose_tiling(work, batch, torch.get_num_threads())
    places = steps * tiles if keep else 2 * ranks
    lengths = lengths_of(plan, places * size, keep)
    spaces = [Workspace(length, weight.dtype) for length in lengths] if memory is None else []
    whole = [each.array for each in spaces] if memory is None else memory
    values, kept_z, states = (each[:length] for each, length in zip(whole, lengths, strict=True))
    y = tensors[1].new_empty((batch, steps, own) if every else (batch, own))
    flat_x, flat_y = x.reshape(-1), y.numpy().reshape(-1)

    forward_sequences(
        team(), ranks, LANES[size], size, tiles, keep, every, flat_x, batch, steps, features, dag.n_inputs,
        dag.n_outputs, plan.in_ptr, plan.sources, weight, bias, plan.codes, plan.cells, plan.gate_start, gate_weight,
        recurrent, gate_bias, plan.carry_code, initial, values, kept_z, states, flat_y,
    )  # fmt: skip
    return y, Kept(plan, every, tiling, (batch, steps, features), values, kept_z, states, spaces)


def lengths_of(plan: SequencePlan, samples: int, keep: bool) -> list[int]:
    """Of values, kept_z and states for so many samples, each step of one counted."""
    of_z = plan.dag.n if keep and plan.keep_z else 0
    return [samples * each for each in (plan.dag.n, of_z, plan.gate_start.size * CELL_VECTORS)]


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: SequencePlan, every: bool, *tensors: Tensor) -> Tensor:
        y, ctx.kept = run_forward(plan, every, list(tensors), keep=True)
        ctx.save_for_backward(*tensors)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        kept: Kept = ctx.kept
        if torch.is_grad_enabled():  # what is computed here is itself to be differentiated

            def function(*own: Tensor) -> Tensor:
                return _operations(kept.plan, kept.every, *own)

            return None, None, *gradients_again(function, ctx.saved_tensors, ctx.needs_input_grad[2:], grad_output)
        need_x = bool(ctx.needs_input_grad[2])
        grad_x, *others = run_backward(kept, list(ctx.saved_tensors), grad_output, need_x)
        return None, None, grad_x if need_x else None, *others


def run_backward(kept: Kept, tensors: list[Tensor], grad_output: Tensor, need_x: bool) -> list[Tensor]:
    """Gradients of all tensors; of x one of no size unless ``need_x``."""
    _, weight, _, gate_weight, recurrent, _, initial = tensors
    plan, dag, (size, tiles, ranks) = kept.plan, kept.plan.dag, kept.tiling
    batch, steps, features = kept.shape
    incoming = _array(grad_output).reshape(-1)
    grad_x = weight.new_empty(kept.shape if need_x else (0, 0, 0))
    flat_grad_x = grad_x.numpy().reshape(-1)
    shapes = [
        (dag.n_edges,), (dag.n - dag.n_inputs,), gate_weight.shape, recurrent.shape, (recurrent.shape[0], 3),
        initial.shape,
    ]  # fmt: skip
    dtype = _array(weight).dtype
    sums = [np.zeros((ranks, *shape), dtype) for shape in shapes]
    of_values, of_carried = dag.n * size, (plan.memory + 2 * plan.gate_start.size) * size
    scratch = Workspace((of_values + of_carried) * ranks, dtype)
    at = of_values * ranks
    backward_sequences(
        team(), ranks, LANES[size], size, tiles, kept.every, batch, steps, features, dag.n_inputs, dag.n_outputs,
        plan.in_ptr, plan.sources, _array(weight), plan.codes, plan.cells, plan.gate_start, _array(gate_weight),
        _array(recurrent), plan.carry_code, kept.values, kept.kept_z, kept.states, incoming,
        scratch.array[:at].reshape(ranks, -1), scratch.array[at:].reshape(ranks, -1), *sums, need_x, flat_grad_x,
    )  # fmt: skip
    for each in sums:
        for other in each[1:]:  # in this order, so that equally many ranks give equal bits
            each[0] += other
    return [grad_x, *(torch.from_numpy(each[0]) for each in sums)]
