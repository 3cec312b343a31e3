"""An activation of the table that kernels do not know is noticed before they are compiled."""

import numpy as np
import pytest
import torch
from numba import njit
from numba.core.errors import TypingError

from nas.engine import _activations, activate, derivative
from nas.engine.cuda import _source
from nas.engine.cuda._apply import MODULE
from nas.engine.simd import LANES, first, splat


def compiled():
    """Kernels that nobody has compiled before."""

    @njit
    def value(lanes, code, x):
        return first(activate(code, splat(lanes, x)))

    @njit
    def slope(lanes, code, h, x):
        return first(derivative(code, splat(lanes, h), splat(lanes, x)))

    return value, slope


def test_every_activation_is_that_of_torch():
    value, slope = compiled()
    for name, code in _activations.CODES.items():
        for number in (-1.3, -0.2, 0.4, 2.1):
            x = torch.tensor(number, dtype=torch.float64, requires_grad=True)
            h = _activations.activation_function(name)(x)
            h.backward()
            assert value(LANES[16], code, number) == pytest.approx(h.item(), rel=1e-12), name
            assert slope(LANES[16], code, h.item(), number) == pytest.approx(x.grad.item(), rel=1e-12), name


def test_an_unknown_code_is_no_other_activation():
    value, slope = compiled()
    assert np.isnan(value(LANES[16], 100, 0.5)) and np.isnan(slope(LANES[16], 100, 0.5, 0.5))


def test_an_activation_without_a_branch_is_refused_when_kernels_are_compiled(monkeypatch):
    monkeypatch.setitem(_activations.CODES, "toy", len(_activations.CODES))
    fresh = np.uint16(1)  # of a type for which nothing in this process has been compiled before
    for kernel, arguments, where in zip(
        compiled(), ((LANES[16], fresh, 0.5), (LANES[16], fresh, 0.5, 0.5)), ("_value", "_slope"), strict=True
    ):
        with pytest.raises(TypingError, match=f"_activations.{where} computes toy"):
            kernel(*arguments)
    _source.program.cache_clear()
    with pytest.raises(NotImplementedError, match="activate in math.cuh computes no toy"):
        _source.program("module.cu", MODULE, "module.h", ((1, 0),), "float")
