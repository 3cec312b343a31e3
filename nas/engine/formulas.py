"""Formulas of one number, written once: from the same expression come torch, kernels, CUDA, C and ONNX, and slopes.

An expression is made of `x`, numbers, ``+ - * /`` and the functions below:

>>> formula = x * sigmoid(x)
>>> print(formula)
x * sigmoid(x)
>>> print(slope_of(formula))
fma(x, sigmoid(x) * (1 - sigmoid(x)), sigmoid(x))

A back end is a `Language`: how it writes numbers, arithmetic, and each function.
"""

from __future__ import annotations

import linecache
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from nas.engine import functions, simd

__all__ = [
    "CUDA",
    "FUNCTIONS",
    "KERNEL",
    "NUMBER",
    "C",
    "Expression",
    "Function",
    "Language",
    "cos",
    "exp",
    "fma",
    "h",
    "kernel_function",
    "of_value",
    "rectify",
    "sigmoid",
    "sin",
    "slope_of",
    "softplus",
    "tanh",
    "tensor_of",
    "where_positive",
    "x",
]  # fmt: skip

Number = float | int


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula as a tree; built by arithmetic and by the functions of this module, never by hand.

    Attributes:
        operator: the name of a variable, "number", "+", "-", "*", "/", "fma", "where" or a key of `FUNCTIONS`.
        parts: what it is applied to.
        number: of a "number".
    """

    operator: str
    parts: tuple[Expression, ...] = ()
    number: float = 0.0

    def __add__(self, other: Expression | Number) -> Expression:
        return Expression("+", (self, _expression(other)))

    def __radd__(self, other: Number) -> Expression:
        return Expression("+", (_expression(other), self))

    def __sub__(self, other: Expression | Number) -> Expression:
        return Expression("-", (self, _expression(other)))

    def __rsub__(self, other: Number) -> Expression:
        return Expression("-", (_expression(other), self))

    def __mul__(self, other: Expression | Number) -> Expression:
        return Expression("*", (self, _expression(other)))

    def __rmul__(self, other: Number) -> Expression:
        return Expression("*", (_expression(other), self))

    def __truediv__(self, other: Expression | Number) -> Expression:
        return Expression("/", (self, _expression(other)))

    def __rtruediv__(self, other: Number) -> Expression:
        return Expression("/", (_expression(other), self))

    def __str__(self) -> str:
        return _PLAIN.text(self)

    def uses(self, part: Expression) -> bool:
        """Whether ``part`` occurs in it."""
        return self == part or any(each.uses(part) for each in self.parts)

    def replaced(self, part: Expression, by: Expression) -> Expression:
        """The same with ``by`` wherever ``part`` stood."""
        if self == part:
            return by
        return Expression(self.operator, tuple(each.replaced(part, by) for each in self.parts), self.number)


def variable(name: str) -> Expression:
    """A number that a formula is of; the name must be one in every language."""
    return Expression(name)


x: Final = variable("x")
h: Final = variable("h")  # the value of a function whose slope is written by it


def _expression(value: Expression | Number) -> Expression:
    return value if isinstance(value, Expression) else Expression("number", number=float(value))


def fma(a: Expression | Number, b: Expression | Number, c: Expression | Number) -> Expression:
    """``a * b + c``, in one instruction where there is one."""
    return Expression("fma", (_expression(a), _expression(b), _expression(c)))


def where_positive(condition: Expression, positive: Expression | Number, otherwise: Expression | Number) -> Expression:
    """``positive`` where ``condition > 0``, else ``otherwise``."""
    return Expression("where", (condition, _expression(positive), _expression(otherwise)))


# --- functions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Function:
    """One of the functions that formulas are made of, in each language; ``{0}`` stands for its argument.

    Attributes:
        torch: in torch; the specification.
        kernel: in the processor's kernels, a function of `nas.engine.functions`.
        cuda: in CUDA C++, where numbers are of the type ``real``.
        c: in C99, in float.
        onnx: its operator.
        slope: its derivative, of its argument and its value.
    """

    torch: Callable[[Tensor], Tensor]
    kernel: str
    cuda: str
    c: str
    onnx: str
    slope: Callable[[Expression, Expression], Expression]


def rectify(argument: Expression) -> Expression:
    """max(argument, 0); NaN stays NaN, as in torch."""
    return Expression("rectify", (argument,))


def exp(argument: Expression) -> Expression:
    """e to the argument."""
    return Expression("exp", (argument,))


def sigmoid(argument: Expression) -> Expression:
    """1 / (1 + e^-argument)."""
    return Expression("sigmoid", (argument,))


def softplus(argument: Expression) -> Expression:
    """log(1 + e^argument)."""
    return Expression("softplus", (argument,))


def sqrt(argument: Expression) -> Expression:
    """The square root."""
    return Expression("sqrt", (argument,))


def tanh(argument: Expression) -> Expression:
    """The hyperbolic tangent."""
    return Expression("tanh", (argument,))


def sin(argument: Expression) -> Expression:
    """The sine, of radians."""
    return Expression("sin", (argument,))


def cos(argument: Expression) -> Expression:
    """The cosine, of radians."""
    return Expression("cos", (argument,))


FUNCTIONS: Final[dict[str, Function]] = {
    "rectify": Function(
        torch.relu, "where_positive({0}, {0}, mul({0}, like({0}, 0.0)))", "({0} > 0 ? {0} : real(0) * {0})",
        "({0} < 0.0f ? 0.0f : {0})", "Relu", lambda z, f: where_positive(f, 1, 0),
    ),
    "exp": Function(torch.exp, "v_exp({0})", "exp({0})", "expf({0})", "Exp", lambda z, f: f),
    "sigmoid": Function(
        torch.sigmoid, "v_sigmoid({0})", "sigmoid({0})", "(1.0f / (1.0f + expf(-({0}))))", "Sigmoid",
        lambda z, f: f * (1 - f),
    ),
    "softplus": Function(
        lambda z: functional.softplus(z, threshold=50.0),  # torch turns linear at 20, 2e-9 too early
        "v_softplus({0})", "softplus({0})",
        "(({0} > 0.0f ? {0} : 0.0f) + logf(1.0f + expf({0} > 0.0f ? -({0}) : {0})))",
        "Softplus", lambda z, f: 1 - exp(0 - f),  # e^f = 1 + e^z
    ),
    "sqrt": Function(
        torch.sqrt, "sqrt({0})", "sqrt({0})", "sqrtf({0})", "Sqrt", lambda z, f: 0.5 / f
    ),
    "tanh": Function(torch.tanh, "v_tanh({0})", "tanh({0})", "tanhf({0})", "Tanh", lambda z, f: 1 - f * f),
    "sin": Function(torch.sin, "v_sin({0})", "sine({0})", "sinf({0})", "Sin", lambda z, f: cos(z)),
    "cos": Function(torch.cos, "v_cos({0})", "cosine({0})", "cosf({0})", "Cos", lambda z, f: 0 - sin(z)),
}  # fmt: skip


# --- slopes -----------------------------------------------------------------------------------------------------------

_ZERO, _ONE = _expression(0), _expression(1)


def slope_of(formula: Expression, by: Expression = x) -> Expression:
    """The derivative by one of its variables, as an expression of all of them."""
    if formula == by:
        return _ONE

    def slope(part: Expression) -> Expression:
        return slope_of(part, by)

    match formula.operator, formula.parts:
        case _, ():
            return _ZERO
        case "+", (a, b):
            return _sum(slope(a), slope(b))
        case "-", (a, b):
            return slope(a) if slope(b) == _ZERO else slope(a) - slope(b)
        case "*", (a, b):
            return _fused(a, slope(b), _product(slope(a), b))
        case "/", (a, b):
            by_numerator = _ZERO if slope(a) == _ZERO else slope(a) / b
            return by_numerator if slope(b) == _ZERO else by_numerator - _product(formula, slope(b)) / b
        case "fma", (a, b, c):
            return _sum(slope(a * b), slope(c))
        case "where", (condition, a, b):
            return where_positive(condition, slope(a), slope(b))
        case name, (argument,):
            return _product(FUNCTIONS[name].slope(argument, formula), slope(argument))
    raise ValueError(f"no rule for {formula.operator} of {len(formula.parts)} parts")


def of_value(formula: Expression, slope: Expression) -> Expression:
    """The slope by the value `h` alone where that tells it, as it does for sigmoid or tanh; else as it is, by x."""
    by_value = slope.replaced(formula, h)
    return slope if by_value.uses(x) else by_value


def _sum(a: Expression, b: Expression) -> Expression:
    return b if a == _ZERO else a if b == _ZERO else a + b


def _product(a: Expression, b: Expression) -> Expression:
    return _ZERO if _ZERO in (a, b) else b if a == _ONE else a if b == _ONE else a * b


def _fused(a: Expression, b: Expression, c: Expression) -> Expression:
    if _ZERO in (a, b):
        return c
    return _product(a, b) if c == _ZERO else _sum(a, c) if b == _ONE else fma(a, b, c)


# --- back ends --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Language:
    """How formulas are written somewhere; in templates ``{0}``, … stand for the parts.

    Attributes:
        number: writes a constant.
        arithmetic: templates of "+", "-", "*", "/", "fma", "where".
        function: the template of a function.
        declaration: of a name for what occurs twice, with its value.
    """

    number: Callable[[float], str]
    arithmetic: dict[str, str]
    function: Callable[[str], str]
    declaration: str = ""

    def text(self, formula: Expression, names: dict[Expression, str] | None = None) -> str:
        """The formula in one expression, in which ``names`` stand for what they name."""
        if names and formula in names:
            return names[formula]
        if not formula.parts:
            return self.number(formula.number) if formula.operator == "number" else formula.operator
        template = self.arithmetic.get(formula.operator) or self.function(formula.operator)
        return template.format(*(self.text(part, names) for part in formula.parts))

    def statements(self, formula: Expression) -> tuple[list[str], str]:
        """Declarations of what occurs more than once, and the formula by these names."""
        counted: dict[Expression, int] = {}
        self._count(formula, counted)
        names: dict[Expression, str] = {}
        lines = []
        for part in sorted((each for each, times in counted.items() if times > 1), key=_size):
            text = self.text(part, names)
            names[part] = "abcdefgijklmnopqrstuvw"[len(names)]
            lines.append(self.declaration.format(names[part], text))
        return lines, self.text(formula, names)

    def _count(self, formula: Expression, counted: dict[Expression, int]) -> None:
        if not formula.parts:
            return
        counted[formula] = counted.get(formula, 0) + 1
        if counted[formula] == 1:
            for part in formula.parts:
                self._count(part, counted)


def _size(formula: Expression) -> int:
    return 1 + sum(map(_size, formula.parts))


_PLAIN: Final = Language(
    lambda number: f"{number:g}",
    {
        "+": "({0} + {1})", "-": "({0} - {1})", "*": "{0} * {1}", "/": "{0} / ({1})", "fma": "fma({0}, {1}, {2})",
        "where": "({1} if {0} > 0 else {2})",
    },
    lambda name: name + "({0})",
)  # fmt: skip
_OF_NUMBERS: Final = {
    "rectify": "max({0}, 0.0)",
    "sigmoid": "(1.0 / (1.0 + math.exp(-({0}))))",
    "softplus": "math.log1p(math.exp({0}))",
}
NUMBER: Final = Language(  # of single numbers in Python and in kernels
    repr,
    {
        "+": "({0} + {1})", "-": "({0} - {1})", "*": "({0} * {1})", "/": "({0} / ({1}))", "fma": "({0} * {1} + {2})",
        "where": "({1} if {0} > 0 else {2})",
    },
    lambda name: _OF_NUMBERS.get(name, f"math.{name}({{0}})"),
)  # fmt: skip
KERNEL: Final = Language(  # of `nas.engine.simd`, where a constant takes the type of a vector
    lambda number: f"like(h, {number!r})",
    {
        "+": "add({0}, {1})", "-": "sub({0}, {1})", "*": "mul({0}, {1})", "/": "div({0}, {1})",
        "fma": "fma({0}, {1}, {2})", "where": "where_positive({0}, {1}, {2})",
    },
    lambda name: FUNCTIONS[name].kernel,
    "{0} = {1}",
)  # fmt: skip
CUDA: Final = Language(
    lambda number: f"real({number!r})",
    {
        "+": "({0} + {1})", "-": "({0} - {1})", "*": "({0} * {1})", "/": "({0} / ({1}))", "fma": "fma({0}, {1}, {2})",
        "where": "({0} > 0 ? {1} : {2})",
    },
    lambda name: FUNCTIONS[name].cuda,
    "real {0} = {1};",
)  # fmt: skip
C: Final = Language(
    lambda number: f"{number:.9g}" + ("f" if "e" in f"{number:.9g}" or "." in f"{number:.9g}" else ".0f"),
    {
        "+": "({0} + {1})", "-": "({0} - {1})", "*": "{0} * {1}", "/": "({0} / ({1}))", "fma": "({0} * {1} + {2})",
        "where": "({0} > 0.0f ? {1} : {2})",
    },
    lambda name: FUNCTIONS[name].c,
)  # fmt: skip


def kernel_function(lines: Sequence[str], name: str) -> Callable[..., Any]:
    """The function that these lines of Python define, for a kernel: they are written in `KERNEL`, in formulas' words.

    Args:
        lines: of formulas in this program's tables, never of anything that is read.
        name: under which errors show them.
    """
    place, text = f"<{name}>", "\n".join(lines) + "\n"
    linecache.cache[place] = len(text), None, text.splitlines(keepends=True), place
    space: dict[str, Any] = {**vars(simd), **vars(functions), "nan": math.nan, "math": math}
    exec(compile(text, place, "exec"), space)
    found: Callable[..., Any] = space[lines[0].removeprefix("def ").partition("(")[0]]
    return found


def tensor_of(formula: Expression, **values: Tensor) -> Tensor:
    """The formula in torch operations, of tensors by the names of its variables: of the same dtype, on one device."""
    if formula.operator == "number":
        like = next(iter(values.values()))
        return torch.full((), formula.number, dtype=like.dtype, device=like.device)
    if not formula.parts:
        return values[formula.operator]
    parts = [tensor_of(part, **values) for part in formula.parts]
    match formula.operator, parts:
        case "+", (a, b):
            return a + b
        case "-", (a, b):
            return a - b
        case "*", (a, b):
            return a * b
        case "/", (a, b):
            return a / b
        case "fma", (a, b, c):
            return a * b + c
        case "where", (condition, a, b):
            return torch.where(condition > 0, a, b)
        case name, (argument,):
            return FUNCTIONS[name].torch(argument)
    raise ValueError(f"{formula.operator} of {len(parts)} parts is no formula")
