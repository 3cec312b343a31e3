"""The numbers of a network as it computes now, whatever torch's utilities have made of its parameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod

from nas.errors import CheckpointError

__all__ = ["check_equal", "plain_arrays"]


def plain_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """What the state dictionary would hold had nobody pruned or parametrised the module; copies.

    Pruned and parametrised tensors are there as they enter the computation, in evaluation mode. What other utilities
    have added stands under its own name, which no network of this package has.

    Raises:
        CheckpointError: a tensor has a type that a file cannot hold.
    """
    modes = [(each, each.training) for each in module.modules()]
    try:
        for each, _ in modes:
            each.training = False
        with torch.no_grad():
            return {name: _array(name, value) for name, value in _tensors(module)}
    finally:
        for each, training in modes:
            each.training = training


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for place, part in module.named_modules():
        if "parametrizations" in place.split("."):
            continue
        prefix = f"{place}." if place else ""
        if parametrize.is_parametrized(part):
            for name in part.parametrizations:
                yield prefix + name, getattr(part, name)
        pruned = {
            hook._tensor_name: hook for hook in part._forward_pre_hooks.values() if isinstance(hook, BasePruningMethod)
        }
        for name, hook in pruned.items():  # the attribute itself is that of the last forward pass
            yield prefix + name, hook.apply_mask(part)  # type: ignore[no-untyped-call]
        for name, value in (*part._parameters.items(), *part._buffers.items()):
            kept = value is not None and name not in part._non_persistent_buffers_set
            if kept and not (name.endswith(("_orig", "_mask")) and name[:-5] in pruned):
                yield prefix + name, value


def _array(name: str, value: Tensor) -> np.ndarray:
    try:
        found: np.ndarray = value.detach().cpu().numpy().copy()
    except TypeError:
        raise CheckpointError(
            f"{name} is {value.dtype}, which files do not hold; save module.float(), or another type that NumPy has"
        ) from None
    return found


def check_equal(module: nn.Module, restored: nn.Module) -> None:
    """Whether a network that was read again is the one that was to be saved.

    Raises:
        CheckpointError: a part has another class or other settings, or a number differs.
    """
    wanted, found = _parts(module), _parts(restored)
    for place in {**wanted, **found}:
        if wanted.get(place) != found.get(place):
            raise CheckpointError(
                f"{place or 'the network'} is {wanted.get(place, 'absent')}, but would come back as "
                f"{found.get(place, 'absent')}; save the state dictionary yourself"
            )
    arrays, again = plain_arrays(module), plain_arrays(restored)
    for name, array in arrays.items():
        if name not in again or array.dtype != again[name].dtype or not np.array_equal(array, again[name]):
            raise CheckpointError(f"{name} would not come back as it is; save the state dictionary yourself")


def _parts(module: nn.Module) -> dict[str, str]:
    """Class and settings of the parts of a network, by place; of the network itself only the settings."""
    return {
        place: f"{parametrize.type_before_parametrizations(part).__name__ if place else ''}({part.extra_repr()})"
        for place, part in module.named_modules()
        if "parametrizations" not in place.split(".")
    }
