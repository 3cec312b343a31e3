"""Checkpoints of networks of neurons in training: with closeness, with fixed signs, and layers with some connections.

Each kind has a pair of functions: tensors and metadata of a module, and the module of a file's contents.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

import numpy as np
import scipy.sparse
import torch
from torch import nn

from nas.checkpoint._file import Contents
from nas.checkpoint._state import plain_arrays
from nas.engine import ACTIVATIONS, Edge, Execution, MaskedLinear, WiredModule
from nas.errors import CheckpointError, GraphError
from nas.manifold import DEFAULT_FAMILY, FAMILIES, ManifoldNetwork, Parametrisation, Readout

__all__ = [
    "CheckpointManifold",
    "CheckpointMasked",
    "CheckpointWired",
    "filled",
    "manifold_in",
    "manifold_metadata",
    "masked_in",
    "masked_metadata",
    "wired_in",
    "wired_metadata",
]

Network = TypeVar("Network", bound=nn.Module)
Parts = tuple[dict[str, np.ndarray], dict[str, str]]


class CheckpointManifold(ManifoldNetwork):
    """A network as it came out of a file, with closeness and all.

    Attributes:
        record: what was saved with it.
    """

    record: dict[str, Any]


class CheckpointWired(WiredModule):
    """A wired network as it came out of a file; its neurons' names are text.

    Attributes:
        record: what was saved with it.
    """

    record: dict[str, Any]


class CheckpointMasked(MaskedLinear):
    """A layer with some of its connections as it came out of a file.

    Attributes:
        record: what was saved with it.
    """

    record: dict[str, Any]


def manifold_metadata(module: ManifoldNetwork) -> Parts:
    """Tensors and metadata of a file."""
    closeness = module.closeness
    return plain_arrays(module), _json(
        parametrisation=module.parametrisation,
        activation=module.activation,
        readout=module.readout,
        temperature=module.temperature,
        period=None if closeness is None else closeness.period,
        **({} if module.family == DEFAULT_FAMILY else {"family": module.family}),
    )


def manifold_in(path: object, contents: Contents) -> CheckpointManifold:
    """The network in a file.

    Raises:
        CheckpointError: its description is damaged, or its tensors do not fit.
    """
    settings = _settings(
        path,
        contents,
        parametrisation=lambda value: value in get_args(Parametrisation),
        activation=lambda value: value in ACTIVATIONS,
        readout=lambda value: value in get_args(Readout),
        temperature=_positive,
        period=lambda value: value is None or _positive(value),
        # A file must not import anything, so a family of somebody's own has to be known already.
        **({"family": lambda value: value in FAMILIES} if '"family"' in contents.metadata.get("settings", "") else {}),
    )
    temperature = settings.pop("temperature")
    try:
        module = CheckpointManifold(contents.dag, generator=np.random.default_rng(0), **settings)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    module.temperature = float(temperature)
    return filled(path, module, contents.arrays)


def wired_metadata(module: WiredModule) -> Parts:
    """Tensors and metadata of a file."""
    return plain_arrays(module), _json(
        activation=module.activation,
        bias=module.bias is not None,
        signs=[edge.sign or "" for edge in module.edges],
        frozen=[edge.frozen for edge in module.edges],
    )


def wired_in(path: object, contents: Contents) -> CheckpointWired:
    """The network in a file.

    Raises:
        CheckpointError: its description is damaged, or its tensors do not fit.
    """
    dag, count = contents.dag, contents.dag.n_edges
    settings = _settings(
        path,
        contents,
        activation=lambda value: value in ACTIVATIONS,
        bias=lambda value: isinstance(value, bool),
        signs=lambda value: _each(value, count, ("", "+", "-")),
        frozen=lambda value: _each(value, count, (True, False)),
    )
    initial = contents.arrays.get("initial", np.zeros(0))
    if dag.names is None or initial.shape != (count,):
        raise CheckpointError(f"{path}: a wired network has names, and the tensor initial of shape ({count},)")
    try:
        edges = [
            Edge(dag.names[source], dag.names[target], float(weight), sign or None, frozen)
            for (source, target), weight, sign, frozen in zip(
                dag.edges.tolist(), initial, settings["signs"], settings["frozen"], strict=True
            )
        ]
        bias = np.zeros(dag.n - dag.n_inputs) if settings["bias"] else None
        module = CheckpointWired(dag, edges, initial.astype(np.float64), settings["activation"], bias)
    except (GraphError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    arrays = dict(contents.arrays)
    if "raw" in arrays and arrays["raw"].shape == module.signs.shape:  # of earlier programs: roots of magnitudes
        signs, raw = module.signs.numpy(), arrays.pop("raw")
        arrays["edge_values"] = np.where(signs == 0, raw, signs * raw.astype(np.float64) ** 2).astype(raw.dtype)
    return filled(path, module, arrays)


def masked_metadata(module: MaskedLinear) -> Parts:
    """Tensors and metadata of a file."""
    return plain_arrays(module), _json(execution=module.execution)


def masked_in(path: object, contents: Contents) -> CheckpointMasked:
    """The layer in a file.

    Raises:
        CheckpointError: its description is damaged, or its tensors do not fit.
    """
    dag = contents.dag
    settings = _settings(path, contents, execution=lambda value: value in get_args(Execution))
    places = contents.arrays.get("bias_places", np.zeros(0, np.int64))
    within = places.dtype == np.int64 and places.ndim == 1 and bool(((places >= 0) & (places < dag.n_outputs)).all())
    if dag.n_computational or not within:
        raise CheckpointError(
            f"{path}: a layer joins inputs to outputs alone, and its bias_places are numbers of these"
        )
    has_bias = np.zeros(dag.n_outputs, bool)
    has_bias[places] = True
    cells = (dag.targets.astype(np.int64) - dag.n_inputs, dag.sources.astype(np.int64))
    connections = scipy.sparse.coo_array((np.ones(dag.n_edges), cells), shape=(dag.n_outputs, dag.n_inputs))
    try:
        module = CheckpointMasked(dag.n_inputs, dag.n_outputs, connections, has_bias, execution=settings["execution"])
    except (GraphError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    module.dag = dag
    # Earlier programs called the weights by another name.
    arrays = {"edge_values" if name == "values" else name: array for name, array in contents.arrays.items()}
    return filled(path, module, arrays)


def filled(path: object, module: Network, arrays: Mapping[str, np.ndarray]) -> Network:
    """``module`` with the tensors of a file in place of its own, of whatever floating-point type they are.

    Raises:
        CheckpointError: one is missing or too many, of the wrong shape or kind of numbers, or not finite.
    """
    own = module.state_dict()
    for name in sorted({*own, *arrays}):
        wanted = tuple(own[name].shape) if name in own else "none"
        found = arrays[name].shape if name in arrays else "none"
        if wanted != found:
            raise CheckpointError(f"{path}: {name} must have shape {wanted} in its network, but has {found}")
        array, floats = arrays[name], own[name].is_floating_point()
        if not (array.dtype.kind == "f" if floats else array.dtype == own[name].numpy().dtype):
            raise CheckpointError(f"{path}: {name} must be {own[name].dtype} in its network, but is {array.dtype}")
        if floats and not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {name} must be finite, but holds NaN or infinity")
    types = {array.dtype for array in arrays.values() if array.dtype.kind == "f"}
    if len(types) == 1:  # buffers that are not in the file, too
        module.to(torch.from_numpy(np.zeros(0, types.pop())).dtype)
    module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, assign=True)
    return module


def _json(**settings: Any) -> dict[str, str]:
    return {"settings": json.dumps(settings)}


def _settings(path: object, contents: Contents, **fits: Callable[[Any], bool]) -> dict[str, Any]:
    """The settings in the metadata, each checked by its function."""
    try:
        found = json.loads(contents.metadata.get("settings", ""))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} holds a damaged description: {error}") from error
    if not isinstance(found, dict) or found.keys() != fits.keys():
        raise CheckpointError(f"{path}: its network is described by {', '.join(fits)}, but there is {str(found)[:80]}")
    for name, fit in fits.items():
        try:
            right = fit(found[name])
        except TypeError:  # something that cannot be compared
            right = False
        if not right:
            raise CheckpointError(f"{path}: {name} of its network cannot be {str(found[name])[:40]!r}")
    return found


def _positive(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value > 0


def _each(values: Any, count: int, known: tuple[Any, ...]) -> bool:
    fits = isinstance(values, list) and len(values) == count
    return fits and all(type(value) is type(known[0]) and value in known for value in values)
