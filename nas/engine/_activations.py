"""Activations: one entry each, from which torch, the kernels, CUDA, C and ONNX come.

To add one, add an entry to `_TABLE`; `tests/engine/test_activations.py` then compares it on every back end. Its code
for the kernels is its place in the table; a graph may give every neuron one of its own (`DAG.activations`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba.extending import overload
from torch import Tensor
from torch.nn import functional

from nas.engine.formulas import (
    CUDA,
    FUNCTIONS,
    KERNEL,
    Expression,
    exp,
    fma,
    h,
    kernel_function,
    of_value,
    rectify,
    sigmoid,
    sin,
    slope_of,
    softplus,
    tanh,
    tensor_of,
    where_positive,
    x,
)  # fmt: skip

if TYPE_CHECKING:
    from nas.graph import DAG

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "activate",
    "activation_codes",
    "activation_function",
    "activation_named",
    "code_of",
    "cuda_activations",
    "derivative",
    "needs_input",
    "rectifies",
]


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation.

    Attributes:
        value: σ, an expression of `x`.
        slope: σ', where it is not to be what `slope_of` finds: by the value `h`, which the backward pass has anyway, or
            in fewer operations.
        torch: the same function in torch, where it has one of its own (one operation in place of several).
        onnx: ONNX's operator for it and the operator's attributes, likewise.
        rectifies: halves the variance of what goes through, so that weights start larger by the root of 2 (He 2015).
        bounds: sums beyond which it hardly changes; of a period, its ends. Other activations are tabled in integers
            between the sums that occur.
        periodic: whether ``bounds`` are those of a period.
    """

    value: Expression
    slope: Expression | None = None
    torch: Callable[[Tensor], Tensor] | None = None
    onnx: tuple[str, dict[str, Any]] | None = None
    rectifies: bool = False
    bounds: tuple[float, float] | None = None
    periodic: bool = False

    @property
    def derivative(self) -> Expression:
        """σ' by `h` alone, or by `x`."""
        return of_value(self.value, slope_of(self.value)) if self.slope is None else self.slope

    @property
    def needs_input(self) -> bool:
        """Whether the backward pass wants the input, not only the value."""
        return self.derivative.uses(x)

    def __call__(self, z: Tensor) -> Tensor:
        """σ(z), any shape, in torch."""
        return tensor_of(self.value, x=z) if self.torch is None else self.torch(z)


LEAKY_SLOPE: Final = 0.01
_GELU_A, _GELU_B = 0.7978845608028654, 0.044715  # sqrt(2 / pi); Hendrycks & Gimpel 2016, equation of the tanh form
_GATE = sigmoid(2 * _GELU_A * fma(_GELU_B * x, x * x, x))


_TABLE: Final[dict[str, Activation]] = {
    "identity": Activation(x),
    "relu": Activation(rectify(x), rectifies=True),
    "leaky_relu": Activation(
        where_positive(x, x, LEAKY_SLOPE * x), where_positive(h, 1, LEAKY_SLOPE), rectifies=True,
        torch=lambda z: functional.leaky_relu(z, LEAKY_SLOPE), onnx=("LeakyRelu", {"alpha": LEAKY_SLOPE}),
    ),
    "sigmoid": Activation(sigmoid(x), bounds=(-8.0, 8.0)),
    "tanh": Activation(tanh(x), bounds=(-4.0, 4.0)),
    "elu": Activation(
        where_positive(x, x, exp(x) - 1), where_positive(h, 1, h + 1), rectifies=True,
        torch=functional.elu, onnx=("Elu", {"alpha": 1.0}),
    ),
    "softplus": Activation(softplus(x), rectifies=True),
    "silu": Activation(x * sigmoid(x), rectifies=True, torch=functional.silu),
    "gelu": Activation(
        x * _GATE, fma(x * _GATE * (1 - _GATE), 2 * _GELU_A * fma(3 * _GELU_B, x * x, 1), _GATE), rectifies=True,
        torch=lambda z: functional.gelu(z, approximate="tanh"), onnx=("Gelu", {"approximate": "tanh"}),
    ),
    "sin": Activation(sin(x), bounds=(-math.pi, math.pi), periodic=True),
    "square": Activation(x * x),
}  # fmt: skip

ACTIVATIONS: tuple[str, ...] = tuple(_TABLE)


def activation_named(name: str) -> Activation:
    """An entry of the table.

    Raises:
        ValueError: no activation of that name.
    """
    try:
        return _TABLE[name]
    except KeyError:
        raise ValueError(f"unknown activation {name!r}; use one of {', '.join(_TABLE)}") from None


def code_of(name: str) -> int:
    """What the kernels call an activation: its place in the table.

    Raises:
        ValueError: no activation of that name.
    """
    return [*_TABLE].index(name)


IDENTITY: Final = code_of("identity")


def activation_function(name: str) -> Callable[[Tensor], Tensor]:
    """The torch function of an activation.

    Raises:
        ValueError: no activation of that name.
    """
    found = activation_named(name)
    return found.torch or (FUNCTIONS[found.value.operator].torch if found.value.parts == (x,) else found)


def activation_codes(dag: DAG, activation: str) -> np.ndarray:
    """(n,) int8 codes for the kernels: outputs are linear, neurons without an activation of their own take this one.

    Raises:
        ValueError: no activation of some name.
    """
    if dag.activations is None:
        return _uniform_codes(dag.n, dag.n_outputs, activation)
    return _mixed_codes(dag.activations, dag.n_outputs, activation)


@lru_cache(maxsize=256)
def _uniform_codes(n: int, n_outputs: int, activation: str) -> np.ndarray:
    activation_named(activation)
    codes = np.full(n, code_of(activation), np.int8)
    codes[n - n_outputs :] = IDENTITY
    return codes


@lru_cache(maxsize=256)
def _mixed_codes(activations: tuple[str, ...], n_outputs: int, activation: str) -> np.ndarray:
    codes = _uniform_codes(len(activations), n_outputs, activation).copy()
    for neuron, name in enumerate(activations):
        if name == "lstm":
            raise ValueError(
                f"neuron {neuron} is an LSTM neuron, which lives through time: use nas.recurrent.RecurrentDAG"
            )
        if name:
            activation_named(name)
            codes[neuron] = code_of(name)
    return codes


def rectifies(codes: np.ndarray) -> np.ndarray:
    """Which of these codes are of activations that rectify, bool of the same shape."""
    found: np.ndarray = np.array([entry.rectifies for entry in _TABLE.values()])[codes]
    return found


def needs_input(dag: DAG, activation: str) -> bool:
    """Whether the backward pass wants the inputs of activations, not only their values."""
    if activation_named(activation).needs_input:
        return True
    return dag.activations is not None and any(_TABLE[name].needs_input for name in {*dag.activations} & _TABLE.keys())


def activate(code: int, x: Any) -> Any:
    """σ(x) of a vector in a kernel."""
    raise NotImplementedError("only inside numba kernels")


def derivative(code: int, h: Any, x: Any) -> Any:
    """σ'(x) of a vector in a kernel, given h = σ(x); ``x`` is looked at only where `Activation.needs_input`."""
    raise NotImplementedError("only inside numba kernels")


def _branches(what: str) -> Callable[..., Any]:
    """The kernels' ``activate`` ("value") or ``derivative`` ("derivative"): a branch for each entry of the table.

    A code of none gives NaN: a wrong number that looks right would be worse.
    """
    lines = (
        ["def branches(code: Any, x: Any) -> Any:", "    h = x"]
        if what == "value"
        else ["def branches(code: Any, h: Any, x: Any) -> Any:"]
    )
    # Those that are used most are asked for first.
    for code, entry in sorted(enumerate(_TABLE.values()), key=lambda each: each[1].value != rectify(x)):
        declarations, result = KERNEL.statements(getattr(entry, what))
        lines += [f"    if code == {code}:", *(f"        {line}" for line in declarations), f"        return {result}"]
    lines += ["    return like(h, nan)"]
    return kernel_function(lines, f"activations: {what}")


@overload(activate)
def _activate(code: Any, x: Any) -> Any:
    return _branches("value")


@overload(derivative)
def _derivative(code: Any, h: Any, x: Any) -> Any:
    return _branches("derivative")


def cuda_activations() -> str:
    """The two functions in CUDA C++, for a file that has the functions of `nas.engine.formulas.FUNCTIONS`."""
    lines = [f"#define ACT_IDENTITY {IDENTITY}"]
    for name, what, arguments in (("activate", "value", "real x"), ("derivative", "derivative", "real h, real x")):
        lines += [f"DEVICE real {name}(int code, {arguments}) {{", "    switch (code) {"]
        for code, entry in enumerate(_TABLE.values()):
            declarations, result = CUDA.statements(getattr(entry, what))
            lines.append(f"        case {code}: {{ {' '.join([*declarations, f'return {result};'])} }}")
        lines += ["        default: return sqrt(real(-1));  // NaN: no activation has that code", "    }", "}", ""]
    return "\n".join(lines)
