"""Optimisers: one entry each, from which the fused loop, the GPU's and the plain one come; formulas as in torch.optim.

To add one, add an entry to `OPTIMISERS`; `tests/training/test_optimisers.py` then compares it on every back end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from numba.extending import overload
from torch import Tensor

from nas.engine.formulas import CUDA, KERNEL, Expression, kernel_function, sqrt, tensor_of, variable

__all__ = ["BETA_1", "BETA_2", "OPTIMISERS", "Optimiser", "code_of", "cuda_optimisers", "optimised", "step_of"]

BETA_1, BETA_2, EPSILON, MOMENTUM = 0.9, 0.999, 1e-8, 0.9

value, gradient, one, two = map(variable, ("value", "gradient", "one", "two"))
"""Of a parameter, and two numbers that the optimiser remembers of each, at first 0."""

rate, decay, bias_1, bias_2 = map(variable, ("rate", "decay", "bias_1", "bias_2"))
"""The same for all: learning rate, weight decay (0 for parameters without), 1 - β_1^step, √(1 - β_2^step)."""

_NAMES: Final = ("value", "gradient", "one", "two", "rate", "decay", "bias_1", "bias_2")
_CHANGED: Final = ("value", "one", "two")


@dataclass(frozen=True, slots=True)
class Optimiser:
    """One optimiser.

    Attributes:
        statements: what is assigned to which variable, one after the other.
        torch: the same of torch, for modules of any kind: of groups of parameters, which say whether they decay, and
            the learning rate.
        remembers: what torch's calls `one`.
        squares: whether `two` is a mean of squared gradients, which the saliency of an edge is made of.
    """

    statements: tuple[tuple[str, Expression], ...]
    torch: Callable[[list[dict[str, Any]], float], torch.optim.Optimizer]
    remembers: str = "exp_avg"
    squares: bool = False


_DECAYING = ("gradient", gradient + decay * value)
_MEANS = (
    ("one", BETA_1 * one + (1 - BETA_1) * gradient),
    ("two", BETA_2 * two + (1 - BETA_2) * (gradient * gradient)),
    ("value", value - rate / bias_1 * one / (sqrt(two) * (1 / bias_2) + EPSILON)),
)

OPTIMISERS: Final[dict[str, Optimiser]] = {
    # Kingma 2014; the decay is part of the gradient.
    "adam": Optimiser(
        (_DECAYING, *_MEANS), lambda groups, lr: torch.optim.Adam(groups, lr=lr, fused=True), squares=True
    ),
    # Loshchilov 2017: the decay is not.
    "adamw": Optimiser(
        (("value", value * (1 - rate * decay)), *_MEANS),
        lambda groups, lr: torch.optim.AdamW(groups, lr=lr, fused=True, weight_decay=0.0), squares=True,
    ),
    # Nesterov's momentum, as in Sutskever 2013.
    "sgd": Optimiser(
        (_DECAYING, ("one", MOMENTUM * one + gradient), ("value", value - rate * (gradient + MOMENTUM * one))),
        lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=MOMENTUM, nesterov=True),
        remembers="momentum_buffer",
    ),
}  # fmt: skip


def code_of(name: str) -> int:
    """What the kernels call an optimiser: its place in the table."""
    return [*OPTIMISERS].index(name)


def optimised(name: str, given: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """A step in torch operations: the new ``value``, ``one`` and ``two``, of tensors of all variables."""
    now = dict(given)
    for changed, formula in OPTIMISERS[name].statements:
        now[changed] = tensor_of(formula, **now)
    return now["value"], now["one"], now["two"]


def step_of(
    code: int, value: Any, gradient: Any, one: Any, two: Any, rate: Any, decay: Any, bias_1: Any, bias_2: Any
) -> Any:
    """In a kernel: the new ``value``, ``one`` and ``two``, of vectors of all variables."""
    raise NotImplementedError("only inside numba kernels")


@overload(step_of)
def _step_of(
    code: Any, value: Any, gradient: Any, one: Any, two: Any, rate: Any, decay: Any, bias_1: Any, bias_2: Any
) -> Any:
    arguments = ", ".join(f"{name}: Any" for name in ("code", *_NAMES))
    lines = [f"def branches({arguments}) -> Any:", "    h = value"]
    for number, entry in enumerate(OPTIMISERS.values()):
        lines.append(f"    if code == {number}:")
        lines += [f"        {changed} = {KERNEL.text(formula)}" for changed, formula in entry.statements]
    lines.append(f"    return {', '.join(_CHANGED)}")
    return kernel_function(lines, "optimisers")


def cuda_optimisers() -> str:
    """A step in CUDA C++: ``optimise(code, value, gradient, one, two, rate, decay, bias_1, bias_2)``."""
    arguments = ", ".join(f"real{'&' if name in _CHANGED else ''} {name}" for name in _NAMES)
    lines = [f"#define BETA_1 {BETA_1}", f"#define BETA_2 {BETA_2}"]
    lines += [f"DEVICE void optimise(int code, {arguments}) {{", "    switch (code) {"]
    for number, entry in enumerate(OPTIMISERS.values()):
        steps = " ".join(f"{changed} = {CUDA.text(formula)};" for changed, formula in entry.statements)
        lines.append(f"        case {number}: {steps} break;")
    return "\n".join([*lines, "    }", "}", ""])
