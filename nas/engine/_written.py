"""Tensors that are made from parameters, and can be written in place like one.

A layer without most of its connections, or with fixed signs, has its numbers elsewhere; what it calls its weight is
computed from them. ``nn.init.xavier_uniform_(layer.weight)`` would fill a copy that nobody reads again. Here whatever
writes into such a tensor, or into any view of it, hands its new values on to the parameters behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["written_through"]

_SHAPING = frozenset({"set_", "resize_", "resize_as_"})  # would leave the memory that is looked at


def written_through(values: Tensor, write: Callable[[Tensor], None]) -> Tensor:
    """``values``, whose every change in place is followed by ``write`` with all of them, detached.

    Results of operations are ordinary tensors; views lead back here too. As with a parameter, writing needs
    ``torch.no_grad()`` where gradients are wanted, and ``numpy()`` gives an array that is read-only.

    Args:
        values: made for this call; nobody else holds it.
        write: takes the new values over, or raises and leaves all as it is.
    """
    result: _Written = values.as_subclass(_Written)
    result._whole, result._hand_on = values, write
    return result


class _Written(Tensor):
    _whole: Tensor  # what it is a view of, whole
    _hand_on: Callable[[Tensor], None]

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name == "__set__":
            return _set(func, args[0], args[1])
        if name in _SHAPING:
            raise RuntimeError(f"{name} would change the shape of a computed weight; set that of the parameters behind")
        found: list[tuple[_Written, Tensor]] = []

        def plain(value: Any) -> Any:
            if isinstance(value, _Written):
                alias = value.as_subclass(Tensor)
                found.append((value, alias))
                return alias
            if type(value) in (list, tuple):
                return type(value)(map(plain, value))
            return value

        with torch._C.DisableTorchFunctionSubclass():
            own, named = plain(args), {key: plain(value) for key, value in (kwargs or {}).items()}
            before = [_stamp(alias) for _, alias in found]
            result = func(*own, **named)
            for (holder, alias), stamp in zip(found, before, strict=True):
                if not _same(_stamp(alias), stamp):
                    _hand_on(func, holder, alias)
            return _kept(result, found, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.detach().as_subclass(Tensor).clone()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.detach().as_subclass(Tensor).__reduce_ex__(protocol)  # type: ignore[no-untyped-call]


def _stamp(tensor: Tensor) -> int | Tensor:
    """What differs once a tensor has been written: the count that torch keeps for autograd; without one, the values."""
    return tensor.detach().clone() if tensor.is_inference() else tensor._version


def _same(one: int | Tensor, other: int | Tensor) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    return one is other or (isinstance(one, int) and isinstance(other, int) and one == other)


def _hand_on(func: Any, holder: _Written, alias: Tensor) -> None:
    # Initialisers turn gradients off within.
    if torch.is_grad_enabled() and alias.requires_grad and getattr(func, "__module__", "") != "torch.nn.init":
        raise RuntimeError(
            "a weight that requires grad is being used in an in-place operation; write it within torch.no_grad(), "
            "like any parameter"
        )
    holder._hand_on(holder._whole.detach())


def _kept(result: Any, found: list[tuple[_Written, Tensor]], name: str) -> Any:
    """A result, with views of what is written through made such too, and arrays read-only."""
    if isinstance(result, Tensor):
        for holder, alias in found:
            if result is alias:
                return holder
            if result.numel() and result.untyped_storage().data_ptr() == alias.untyped_storage().data_ptr():
                view = result.as_subclass(_Written)
                view._whole, view._hand_on = holder._whole, holder._hand_on
                return view
    elif isinstance(result, list | tuple) and any(isinstance(each, Tensor) for each in result):
        kept = [_kept(each, found, name) for each in result]
        return kept if isinstance(result, list) else tuple(kept)
    elif name in ("numpy", "__array__"):
        result.flags.writeable = False
    return result


def _set(func: Any, holder: _Written, value: Any) -> None:
    """``weight.data = value``, the only attribute that may be set."""
    attribute = getattr(func.__self__, "__name__", "an attribute")
    if attribute != "data":
        raise RuntimeError(f"{attribute} of a computed weight cannot be set; set it of the parameters behind")
    if not isinstance(value, Tensor) or value.shape != holder.shape:
        given = tuple(value.shape) if isinstance(value, Tensor) else repr(value)
        raise RuntimeError(f"the data of a weight of shape {tuple(holder.shape)} must have that shape, but got {given}")
    with torch.no_grad():
        holder.copy_(value)
