"""Activations: one table that the reference, the kernels and the exporters share.

Every activation has a name, a torch function (the specification) and a code for the kernels; a graph may give every
neuron its own (`DAG.activations`). A kernel computes the
derivative from the value where that is possible (relu, sigmoid, …); the others (`NEEDS_INPUT`) also keep their input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba.core.errors import TypingError
from numba.extending import overload
from torch import Tensor
from torch.nn import functional

from nas.engine.functions import v_cos, v_exp, v_sigmoid, v_sin, v_softplus, v_tanh
from nas.engine.simd import add, div, fma, like, mul, sub, where_positive

if TYPE_CHECKING:
    from nas.graph import DAG

__all__ = [
    "ACTIVATIONS",
    "CODES",
    "NEEDS_INPUT",
    "activate",
    "activation_codes",
    "activation_function",
    "derivative",
    "needs_input",
]

LEAKY_SLOPE = 0.01


def _gelu(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "leaky_relu": lambda x: functional.leaky_relu(x, LEAKY_SLOPE),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "elu": functional.elu,
    "softplus": lambda x: functional.softplus(x, threshold=50.0),  # torch turns linear at 20, 2e-9 too early
    "silu": functional.silu,
    "gelu": _gelu,
    "sin": torch.sin,
    "square": torch.square,
}

ACTIVATIONS: tuple[str, ...] = tuple(_FUNCTIONS)
CODES: dict[str, int] = {name: code for code, name in enumerate(ACTIVATIONS)}
NEEDS_INPUT = frozenset({"silu", "gelu", "sin", "square"})

IDENTITY, RELU, LEAKY_RELU, SIGMOID, TANH, ELU, SOFTPLUS, SILU, GELU, SIN, SQUARE = (
    CODES[name]
    for name in (
        "identity", "relu", "leaky_relu", "sigmoid", "tanh", "elu", "softplus", "silu", "gelu", "sin", "square",
    )
)  # fmt: skip
_GELU_A, _GELU_B = 0.7978845608028654, 0.044715  # sqrt(2 / pi); Hendrycks & Gimpel 2016, equation of the tanh form


def activation_function(name: str) -> Callable[[Tensor], Tensor]:
    """The torch function of an activation.

    Raises:
        ValueError: no activation of that name.
    """
    try:
        return _FUNCTIONS[name]
    except KeyError:
        raise ValueError(f"unknown activation {name!r}; use one of {', '.join(ACTIVATIONS)}") from None


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
    activation_function(activation)
    codes = np.full(n, CODES[activation], np.int8)
    codes[n - n_outputs :] = CODES["identity"]
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
            activation_function(name)
            codes[neuron] = CODES[name]
    return codes


def needs_input(dag: DAG, activation: str) -> bool:
    """Whether the backward pass wants the inputs of activations, not only their values."""
    if activation in NEEDS_INPUT:
        return True
    return dag.activations is not None and not NEEDS_INPUT.isdisjoint(dag.activations)


def activate(code: int, x: Any) -> Any:
    """σ(x) of a vector in a kernel."""
    raise NotImplementedError("only inside numba kernels")


def derivative(code: int, h: Any, x: Any) -> Any:
    """σ'(x) of a vector in a kernel, given h = σ(x); ``x`` is looked at only for `NEEDS_INPUT`."""
    raise NotImplementedError("only inside numba kernels")


def _value(code: Any, x: Any) -> Any:
    if code == RELU:
        return where_positive(x, x, mul(like(x, 0.0), x))  # 0 * x keeps a NaN
    if code == IDENTITY:
        return x
    if code == LEAKY_RELU:
        return where_positive(x, x, mul(like(x, LEAKY_SLOPE), x))
    if code == SIGMOID:
        return v_sigmoid(x)
    if code == TANH:
        return v_tanh(x)
    if code == ELU:
        return where_positive(x, x, sub(v_exp(x), like(x, 1.0)))
    if code == SOFTPLUS:
        return v_softplus(x)
    if code == SILU:
        return mul(x, v_sigmoid(x))
    if code == GELU:
        return mul(x, v_sigmoid(mul(like(x, 2 * _GELU_A), fma(mul(like(x, _GELU_B), x), mul(x, x), x))))
    if code == SQUARE:
        return mul(x, x)
    if code == SIN:
        return v_sin(x)
    return like(x, math.nan)


def _slope(code: Any, h: Any, x: Any) -> Any:
    one = like(h, 1.0)
    if code == RELU:
        return where_positive(h, one, like(h, 0.0))
    if code == IDENTITY:
        return one
    if code == LEAKY_RELU:
        return where_positive(h, one, like(h, LEAKY_SLOPE))
    if code == SIGMOID:
        return mul(h, sub(one, h))
    if code == TANH:
        return sub(one, mul(h, h))
    if code == ELU:
        return where_positive(h, one, add(h, one))
    if code == SOFTPLUS:
        return sub(one, div(one, v_exp(h)))  # e**h = 1 + e**x
    if code == SILU:
        s = v_sigmoid(x)
        return fma(mul(x, s), sub(one, s), s)
    if code == GELU:
        square = mul(x, x)
        s = v_sigmoid(mul(like(x, 2 * _GELU_A), fma(mul(like(x, _GELU_B), x), square, x)))
        slope = mul(like(x, 2 * _GELU_A), fma(like(x, 3 * _GELU_B), square, one))
        return fma(mul(mul(x, s), sub(one, s)), slope, s)
    if code == SQUARE:
        return add(x, x)
    if code == SIN:
        return v_cos(x)
    return like(h, math.nan)


def _checked(branches: Callable[..., Any]) -> Callable[..., Any]:
    """``branches``, if there is one for every activation: a kernel that takes one for another must not be compiled.

    Raises:
        TypingError: while a kernel is compiled; names what lacks a branch.
    """
    has = {name.lower() for name in branches.__code__.co_names if name.isupper()}
    if lacking := [name for name in CODES if name not in has]:
        raise TypingError(
            f"no branch of nas.engine._activations.{branches.__name__} computes {', '.join(lacking)}; write one "
            "`if code == …` for each activation of the table"
        )
    return branches


@overload(activate)
def _activate(code: Any, x: Any) -> Any:
    return _checked(_value)


@overload(derivative)
def _derivative(code: Any, h: Any, x: Any) -> Any:
    return _checked(_slope)
