"""Validation of the arrays behind a DAG: every rule, with a message that names the neurons."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nas.errors import GraphError
from nas.graph._kernels import Int32Array, Int64Array, group, topological_order
from nas.graph._order import cycle_error, find_cycle

MAX_NEURONS = 10_000_000  # a typing error in a count must not allocate all memory
MAX_ID = 2**62


def checked_count(name: str, value: object, minimum: int) -> int:
    """``value`` as an int of at least ``minimum``."""
    if isinstance(value, bool | np.bool_):
        raise GraphError(f"{name} must be a whole number, but is {short(value)}")
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise GraphError(f"{name} must be a whole number, but is {short(value)}") from None
    if not minimum <= count <= MAX_NEURONS:
        raise GraphError(f"{name} must lie in {minimum}…{MAX_NEURONS}, but is {short(count)}")
    return count


def checked_names(names: Sequence[str] | None, n: int) -> tuple[str, ...] | None:
    """``names`` as a tuple of n strings."""
    if names is None:
        return None
    if isinstance(names, str):
        raise GraphError(f"names must be a sequence of {n} strings, but is the single string {names!r}")
    result = tuple(names)
    if len(result) != n:
        raise GraphError(f"names must hold one string a neuron ({n}), but holds {len(result)}")
    for neuron, name in enumerate(result):
        if not isinstance(name, str):
            raise GraphError(f"the name of neuron {neuron} must be a string, but is {name!r}")
        if not name.isascii() and any("\ud800" <= sign <= "\udfff" for sign in name):
            raise GraphError(f"the name of neuron {neuron} must be text, but {name!r} holds half a character")
    return result


def distinct_names(names: Sequence[str] | None, n: int) -> tuple[str, ...]:
    """What neurons are called in files that know them by name only: ``names``, or else the numbers 0..n-1.

    Raises:
        GraphError: two have one name, and would become one neuron.
    """
    if names is None:
        return tuple(str(number) for number in range(n))
    if "" in names:
        raise GraphError(
            f"neuron {list(names).index('')} has an empty name, by which no file can know it; give it another "
            "(dag.with_names), or None for numbers"
        )
    if len(set(names)) < n:
        first: dict[str, int] = {}
        for number, name in enumerate(names):
            if first.setdefault(name, number) != number:
                raise GraphError(
                    f"neurons {first[name]} and {number} are both called {short(name)} and would become one; give them "
                    "different names (dag.with_names), or None for numbers"
                )
    return tuple(names)


def checked_weights(weight: ArrayLike, n_edges: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """``weight`` as (E,) float64, finite.

    Raises:
        GraphError: another shape, or a number that is none.
    """
    try:
        values = np.asarray(weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GraphError(f"weight must hold numbers, one an edge: {error}") from None
    if values.shape != (n_edges,):
        raise GraphError(f"weight must have shape ({n_edges},), one an edge, but has shape {values.shape}")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise GraphError(f"weights must be finite, but that of edge {bad[0]} is {values[bad[0]]}")
    return values


def checked_activations(activations: Sequence[str] | None, sizes: tuple[int, int, int]) -> tuple[str, ...] | None:
    """``activations`` as a tuple of n strings; None where no neuron has one."""
    if activations is None:
        return None
    n, first_output = sum(sizes), sizes[0] + sizes[1]
    if isinstance(activations, str) or len(activations) != n:
        raise GraphError(f"activations must hold one string a neuron ({n}), but got {short(activations)}")
    for neuron, word in enumerate(activations):
        if not isinstance(word, str):
            raise GraphError(f"the activation of neuron {neuron} must be a string, but is {short(word)}")
        if word and not sizes[0] <= neuron < first_output:
            role = "an input" if neuron < sizes[0] else "an output"
            raise GraphError(f"neuron {neuron} is {role} and has no activation, but got {word!r}; give it ''")
    return tuple(activations) if any(activations) else None


def checked_ids(ids: ArrayLike | None, n: int) -> Int64Array:
    """``ids`` as a read-only int64 array of n distinct numbers in 0…2^62."""
    if ids is None:
        result = np.arange(n, dtype=np.int64)
    else:
        given = _integers("ids", ids)
        if given.shape != (n,):
            raise GraphError(f"ids must have shape ({n},), one a neuron, but have shape {given.shape}")
        outside = np.flatnonzero((given < 0) | (given > MAX_ID))
        if outside.size:
            raise GraphError(f"ids must lie in 0…2^62, but that of neuron {outside[0]} is {given[outside[0]]}")
        result = given.astype(np.int64)  # a copy: nobody else may change it
        if not _ascending(result):
            order = np.argsort(result, kind="stable")
            same = np.flatnonzero(np.diff(result[order]) == 0)
            if same.size:
                first, second = sorted((int(order[same[0]]), int(order[same[0] + 1])))
                raise GraphError(
                    f"ids must be distinct, but neurons {first} and {second} both have id {result[first]}; renumber one"
                )
    result.setflags(write=False)
    return result


def checked_edges(edges: ArrayLike, sizes: tuple[int, int, int], label: Callable[[int], str]) -> Int32Array:
    """``edges`` as int32 (E, 2), sorted by (target, source), after every rule of the numbering has been checked.

    Raises:
        CycleError: a self loop or a cycle.
        GraphError: wrong shape or type, unknown neuron, edge into an input, edge out of an output, duplicate edge,
            or an edge against the numbering.
    """
    n_inputs, n_computational, _ = sizes
    n = sum(sizes)
    given = _integers("edges", edges)
    if given.size == 0:
        given = given.reshape(0, 2)
    if given.ndim != 2 or given.shape[1] != 2:
        raise GraphError(f"edges must have shape (E, 2), a row (source, target) an edge, but have shape {given.shape}")

    def complain(bad: Any, rule: str, remedy: str) -> None:
        rows = np.flatnonzero(bad)
        if rows.size:
            more = f" (and {rows.size - 1} more like it)" if rows.size > 1 else ""
            source, target = int(given[rows[0], 0]), int(given[rows[0], 1])
            raise GraphError(f"{rule}, but there is edge {label(source)}->{label(target)}{more}; {remedy}")

    complain(
        ((given < 0) | (given >= n)).any(axis=1), f"edges join neurons 0…{n - 1}", "unknown neuron: correct the number"
    )
    result = given.astype(np.int32)
    sources, targets = np.ascontiguousarray(result[:, 0]), np.ascontiguousarray(result[:, 1])
    loops = np.flatnonzero(sources == targets)
    if loops.size:
        neuron = int(sources[loops[0]])
        raise cycle_error([neuron, neuron], label)
    complain(targets < n_inputs, f"no edge may enter an input (neurons 0…{n_inputs - 1})", "remove it")
    complain(
        sources >= n_inputs + n_computational,
        f"no edge may leave an output (neurons {n_inputs + n_computational}…{n - 1})",
        "remove it",
    )
    backward = sources > targets
    if backward.any():
        order = topological_order(sources, targets, np.arange(n, dtype=np.int64))
        if order.size < n:
            raise cycle_error(find_cycle(sources, targets, n, order), label)
        complain(
            backward,
            "neurons are numbered in topological order (source < target)",
            "use DAG.from_edges, which renumbers",
        )
    key = targets.astype(np.int64) * n + sources
    if not _ascending(key):
        by_source = group(sources, n)[1]  # two counting sorts: about ten times faster than a sort of a million keys
        order = by_source[group(targets[by_source], n)[1]]
        result, key = result[order], key[order]
        twice = np.flatnonzero(np.diff(key) == 0)
        if twice.size:
            source, target = (int(value) for value in result[twice[0]])
            raise GraphError(
                f"an edge may be given once, but {label(source)}->{label(target)} is given twice; remove one"
            )
    result = np.ascontiguousarray(result)
    result.setflags(write=False)
    return result


def short(value: object) -> str:
    """A value for a message; one that is huge must not fill the screen."""
    if type(value) is int and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _integers(name: str, values: ArrayLike) -> np.ndarray[Any, Any]:
    """``values`` as an array of some integer type; floats and booleans are refused rather than rounded."""
    try:
        result = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise GraphError(f"{name} must be an array of whole numbers: {error}") from None
    if result.size == 0:
        return result.astype(np.int64)
    if result.dtype.kind == "O" and all(type(value) is int for value in result.flat):
        raise GraphError(f"{name} must fit in 64 bits, but hold {short(max(result.flat, key=abs))}")
    if result.dtype.kind not in "iu":
        raise GraphError(f"{name} must be whole numbers below 2^63, but are of type {result.dtype}; convert them")
    return result


def _ascending(values: Int64Array) -> bool:
    return bool((values[1:] > values[:-1]).all())
