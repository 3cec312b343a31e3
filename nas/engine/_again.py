"""Gradients that can be differentiated again, and who else needs plain torch operations in place of compiled kernels.

The kernels give first derivatives as numbers. Whoever asks for a graph of them (``create_graph=True``: gradient
penalties, Hessians, residuals of differential equations) gets them from the same function written in torch operations,
which is slower, but differentiable to any order in everything. Likewise what looks at operations instead of running
them: ``torch.jit.trace`` and the older ONNX exporter, ``torch.export``, the transforms of ``torch.func``, and tangents
of forward-mode differentiation, all of which would pass over a kernel without a word. `torch.compile` is not among
them: in its graphs a pass is one operator (`nas.engine._operator`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = [
    "being_compiled",
    "followed",
    "gradients_again",
    "numbers_wanted",
    "operations_wanted",
    "plain_operations",
    "refuse_transforms",
]

# Not part of torch's interface, but what `torch.autograd.Function` and `forward_ad` themselves go by.
_transforms_active: Callable[[], bool] = torch._C._are_functorch_transforms_active


_wanted: ContextVar[bool] = ContextVar("_wanted", default=False)


@contextlib.contextmanager
def plain_operations() -> Iterator[None]:
    """Within the block, in this thread, plain torch operations take the place of all kernels, on any device."""
    token = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(token)


def being_compiled() -> bool:
    """Whether `torch.compile` makes a graph of what is called, in which a kernel stands as an operator."""
    return torch.compiler.is_compiling() and not torch.compiler.is_exporting()


def refuse_transforms() -> None:
    """Raises:
    NotImplementedError: a transform of ``torch.func`` is active where only an operator can stand.
    """
    if _transforms_active():
        raise NotImplementedError(
            "torch.func transforms (grad, vmap, jvp, …) of networks of this package do not work within torch.compile; "
            "transform them without compiling, or keep that part out of the graph with torch.compiler.disable"
        )


def numbers_wanted() -> bool:
    """Whether nobody looks at operations: neither `being_compiled` nor `operations_wanted`, asked in one quick call."""
    return not (
        torch.compiler.is_compiling()
        or torch.compiler.is_exporting()
        or torch._C._is_tracing()
        or _transforms_active()
        or forward_ad._current_level >= 0
        or _wanted.get()
    )


def operations_wanted() -> bool:
    """Whether plain torch operations are to be used: because they are followed, or within `plain_operations`."""
    return not being_compiled() and (followed() or _wanted.get())


def followed() -> bool:
    """Whether somebody looks at the operations one by one, so that nothing may depend on present numbers."""
    return (
        torch.compiler.is_exporting()
        or torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
        or _transforms_active()
        or forward_ad._current_level >= 0
    )


def gradients_again(
    function: Callable[..., Tensor], arguments: Sequence[Tensor | None], wanted: Sequence[bool], incoming: Tensor
) -> list[Tensor | None]:
    """Gradients of a function, differentiable in its arguments and in ``incoming``.

    Args:
        function: in torch operations, of all ``arguments``.
        arguments: as they went in; what they depend on, each other included, plays no part here.
        wanted: of which arguments; None for the others.
        incoming: gradient of the result.
    """
    with torch.enable_grad():
        # Tensors of their own: where one argument is computed from another, its path must not be counted here too.
        own = [None if each is None else each.view_as(each) for each in arguments]
        chosen = [each for each, want in zip(own, wanted, strict=True) if want and each is not None]
        result = function(*own)
        if result.requires_grad:
            found = list(
                torch.autograd.grad(
                    result, chosen, incoming, create_graph=True, allow_unused=True, materialize_grads=True
                )
            )
        else:  # a graph without edges
            found = [torch.zeros_like(each) for each in chosen]
    gradients = iter(found)
    return [next(gradients) if want and each is not None else None for each, want in zip(own, wanted, strict=True)]
