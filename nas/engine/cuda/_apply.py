"""The engine on a GPU as a differentiable torch function; `nas.engine.apply` comes here with tensors of a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from nas.engine._activations import activation_codes, needs_input
from nas.engine._again import gradients_again
from nas.engine._levels import traceable_apply
from nas.engine.cuda._machine import GPU, Kernel
from nas.engine.cuda._schedule import Schedule, schedule_of
from nas.engine.cuda._source import VARIANTS, Variant, program
from nas.engine.cuda._struct import Struct
from nas.engine.cuda._variant import choose_variant, tiling_of
from nas.graph import DAG

__all__ = ["MODULE", "gpu_apply"]

MODULE = Struct(
    "Module",
    [
        *(("const int", name) for name in (
            "group_ptr", "group_ahead", "group_back", "row_ptr", "outer_ptr", "earlier_ptr", "column_ptr", "column_at",
            "column_edges", "inner_ptr", "later_ptr", "input_ptr", "input_targets", "input_edges", "source_at",
            "edge_order", "neuron_order", "slot_input",
        )),
        ("const unsigned char", "codes"),
        *(("const real", name) for name in ("given_weight", "given_bias", "x", "grad_y")),
        ("Link", "links"),
        *(("real", name) for name in (
            "weight", "bias", "y", "kept", "scratch", "grad_weight", "grad_bias", "grad_x", "given_grad_weight",
            "given_grad_bias",
        )),
    ],
    [],
    ["m", "n_inputs", "n_slots", "n_outputs", "n_edges", "n_groups", "batch", "blocks", "scratch_size", "keeps_z"],
)  # fmt: skip

_REALS = {torch.float32: "float", torch.float64: "double"}


@lru_cache(maxsize=64)
def _kernel(name: str, variant: Variant, dtype: torch.dtype) -> Kernel:
    return Kernel(name, program("module.cu", MODULE, "module.h", (variant,), _REALS[dtype]))


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A schedule's arrays in the memory of one GPU."""

    schedule: Schedule
    arrays: dict[str, Tensor]
    source_at: dict[int, Tensor]  # by stride: where the row of each edge's source begins
    column_at: dict[int, Tensor]


_places: WeakKeyDictionary[DAG, dict[tuple[int, str], _Place]] = WeakKeyDictionary()

_STATIC = (
    "group_ptr", "group_ahead", "group_back", "row_ptr", "outer_ptr", "earlier_ptr", "column_ptr", "column_edges",
    "inner_ptr", "later_ptr", "input_ptr", "input_targets", "input_edges", "edge_order", "neuron_order", "slot_input",
)  # fmt: skip


def _place_of(gpu: GPU, dag: DAG, activation: str, stride: int) -> tuple[_Place, Tensor, Tensor]:
    known = _places.setdefault(dag, {})
    key = (id(gpu), activation)
    place = known.get(key)
    if place is None:
        schedule = schedule_of(dag)
        arrays = {name: gpu.upload(getattr(schedule, name)) for name in _STATIC}
        codes = activation_codes(dag, activation)[dag.n_inputs :][schedule.neuron_order]
        arrays["codes"] = gpu.upload(codes.astype(np.uint8))
        place = known[key] = _Place(schedule, arrays, {}, {})
    if stride not in place.source_at:
        s = place.schedule
        rows = np.where(s.sources < s.n_slots, s.sources, s.sources - s.n_slots)
        place.source_at[stride] = gpu.upload((rows * stride).astype(np.int32))
        place.column_at[stride] = gpu.upload((s.column_targets * stride).astype(np.int32))
    return place, place.source_at[stride], place.column_at[stride]


@dataclass(slots=True, eq=False)
class _Call:
    """One network on one batch: the structure that its kernels are given, and what they share."""

    gpu: GPU
    variant: Variant
    dtype: torch.dtype
    blocks: int
    shared_bytes: int
    fields: dict[str, Tensor | int | None]

    def packed(self, **fields: Tensor | None) -> np.ndarray:
        """The structure, with ``fields`` in place of its own."""
        return MODULE.pack([{**self.fields, **fields}], self.gpu.torch_device)

    def launch(self, name: str, job: np.ndarray, *, tiles: bool) -> None:
        full = f"{name}_{self.variant[0]}_{self.variant[1]}" if tiles else name
        kernel = _kernel(full, self.variant, self.dtype)
        sizes = (int(self.fields["n_edges"]), int(self.fields["m"]))  # type: ignore[arg-type]
        spread = min(-(-max(sizes) // self.gpu.threads), 4 * self.gpu.multiprocessors)
        grid = self.blocks if tiles else max(1, spread)
        self.gpu.launch(kernel, grid, job, shared_bytes=self.shared_bytes if tiles else 0)


def _call(gpu: GPU, dag: DAG, x: Tensor, weight: Tensor, bias: Tensor | None, activation: str) -> _Call:
    batch, dtype = x.shape[0], weight.dtype
    schedule = schedule_of(dag)
    keeps_z, itemsize = needs_input(dag, activation), dtype.itemsize
    tilings = {each: tiling_of(schedule, each, keeps_z=keeps_z, itemsize=itemsize) for each in VARIANTS}
    variant = choose_variant(tilings, batch, gpu.shared_bytes, blocks=gpu.multiprocessors)
    tiling = tilings[variant]
    place, source_at, column_at = _place_of(gpu, dag, activation, tiling.samples + 1)
    blocks = max(1, min(-(-batch // tiling.samples), gpu.multiprocessors))

    def empty(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=gpu.torch_device)

    fields: dict[str, Tensor | int | None] = {
        **place.arrays,
        "source_at": source_at,
        "column_at": column_at,
        "given_weight": weight,
        "given_bias": bias,
        "x": x,
        "grad_y": None,
        "links": empty(dag.n_edges, 2),
        "weight": empty(dag.n_edges),
        "bias": empty(schedule.m),
        "y": empty(batch, dag.n_outputs),
        "kept": None,
        "scratch": empty(blocks, tiling.scratch),
        "grad_weight": None,
        "grad_bias": None,
        "grad_x": None,
        "given_grad_weight": None,
        "given_grad_bias": None,
        "m": schedule.m,
        "n_inputs": dag.n_inputs,
        "n_slots": schedule.n_slots,
        "n_outputs": dag.n_outputs,
        "n_edges": dag.n_edges,
        "n_groups": schedule.n_groups,
        "batch": batch,
        "blocks": blocks,
        "scratch_size": tiling.scratch,
        "keeps_z": int(keeps_z),
    }
    return _Call(gpu, variant, dtype, blocks, tiling.shared_bytes, fields)


def _forward(call: _Call, keep: bool) -> Tensor:
    if keep:
        f = call.fields
        tiles = -(-int(f["batch"]) // (32 * call.variant[0]))  # type: ignore[arg-type]
        size = tiles * int(f["m"]) * 32 * call.variant[0] * (2 if f["keeps_z"] else 1)  # type: ignore[arg-type]
        f["kept"] = torch.empty(size, dtype=call.dtype, device=call.gpu.torch_device)
    job = call.packed()
    call.launch("module_pack", job, tiles=False)
    call.launch("module_forward", job, tiles=True)
    y = call.fields["y"]
    assert isinstance(y, Tensor)
    return y


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dag: DAG, activation: str, gpu: GPU
    ) -> Tensor:
        call = _call(gpu, dag, x, weight, bias, activation)
        y = _forward(call, keep=True)
        ctx.save_for_backward(x, weight, bias)  # notices changes in place
        ctx.call, ctx.dag, ctx.activation = call, dag, activation
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        arguments = ctx.saved_tensors
        call: _Call = ctx.call
        dag: DAG = ctx.dag
        if torch.is_grad_enabled():  # what is computed here is itself to be differentiated

            def function(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
                return traceable_apply(dag, x, weight, bias, activation=ctx.activation)

            found = gradients_again(function, arguments, ctx.needs_input_grad[:3], grad_output)
            return *found, None, None, None
        f, device = call.fields, call.gpu.torch_device

        def empty(*shape: int) -> Tensor:
            return torch.empty(shape, dtype=call.dtype, device=device)

        m = dag.n - dag.n_inputs
        need_x, has_bias = bool(ctx.needs_input_grad[0]), f["given_bias"] is not None
        grad_x = torch.zeros(int(f["batch"]), dag.n_inputs, dtype=call.dtype, device=device) if need_x else None  # type: ignore[arg-type]
        grad_weight, grad_bias = empty(dag.n_edges), empty(m) if has_bias else None
        sent, by_weight, by_bias = grad_output.contiguous(), empty(call.blocks, dag.n_edges), empty(call.blocks, m)
        job = call.packed(
            grad_y=sent, grad_weight=by_weight, grad_bias=by_bias, grad_x=grad_x,
            given_grad_weight=grad_weight, given_grad_bias=grad_bias,
        )  # fmt: skip
        call.launch("module_backward", job, tiles=True)
        call.launch("module_reduce", job, tiles=False)
        return grad_x, grad_weight, grad_bias, None, None, None


def gpu_apply(
    gpu: GPU,
    dag: DAG,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    gain: Tensor | None = None,
    *,
    activation: str = "relu",
    live: Tensor | None = None,
) -> Tensor:
    """Same arguments and result as `nas.engine.apply`, on a GPU; every tensor is in its memory.

    Edges that are not live have weight 0 here: unlike on a processor, an infinity or NaN passes through them as NaN.
    """
    if gain is not None:
        weight = weight * gain[torch.from_numpy(dag.targets.astype(np.int64) - dag.n_inputs).to(weight.device)]
    if live is not None:
        weight = torch.where(live, weight, 0)
    x, weight = x.contiguous(), weight.contiguous()
    bias = None if bias is None else bias.contiguous()
    if x.shape[0] == 0:
        nothing = 0 * (weight.sum() + x.sum() + (0 if bias is None else bias.sum()))  # so that all get a gradient
        return x.new_zeros((0, dag.n_outputs)) + nothing
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, weight, bias)):
        return _Apply.apply(x, weight, bias, dag, activation, gpu)  # type: ignore[no-untyped-call,no-any-return]
    call = _call(gpu, dag, x.detach(), weight.detach(), None if bias is None else bias.detach(), activation)
    return _forward(call, keep=False)
