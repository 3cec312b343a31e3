"""The text form of a DAG: JSON with a format name and version, read back without trusting a single value."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from nas.errors import GraphError
from nas.graph._check import MAX_ID, MAX_NEURONS, short
from nas.graph._kernels import Int32Array, Int64Array

FORMAT = "nas.dag"
VERSION = 2  # 2: activations by neuron; graphs without them are written as 1
_REQUIRED = ("format", "version", "n_inputs", "n_computational", "n_outputs", "sources", "targets")
_OPTIONAL = ("ids", "names", "allow_unreachable", "activations")


def to_json(
    n_inputs: int,
    n_computational: int,
    n_outputs: int,
    edges: Int32Array,
    ids: Int64Array,
    names: tuple[str, ...] | None,
    allow_unreachable: bool,
    activations: tuple[str, ...] | None,
) -> str:
    """See `DAG.to_json`. Ids 0..n-1 and absent names are left out."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": 1 if activations is None else VERSION,
        "n_inputs": n_inputs,
        "n_computational": n_computational,
        "n_outputs": n_outputs,
        "sources": edges[:, 0].tolist(),
        "targets": edges[:, 1].tolist(),
    }
    if not np.array_equal(ids, np.arange(ids.size)):
        content["ids"] = ids.tolist()
    if names is not None:
        content["names"] = list(names)
    if allow_unreachable:
        content["allow_unreachable"] = True
    if activations is not None:
        content["activations"] = list(activations)
    return json.dumps(content, separators=(",", ":"))


def from_json(text: str | bytes) -> tuple[Any, ...]:
    """Arguments of the DAG constructor. See `DAG.from_json`."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise GraphError(f"a graph file holds JSON, but this one does not: {error}") from None
    except TypeError:
        raise GraphError(f"a graph is read from text, but this is a {type(text).__name__}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise GraphError(
            f'a graph file is a JSON object with "format": "{FORMAT}", but this one is not; is it another file?'
        )
    version = content.get("version")
    if type(version) is not int or version < 1:
        raise GraphError(f"version must be a whole number from 1, but is {short(version)}")
    if version > VERSION:
        raise GraphError(
            f"this program reads graph format 1…{VERSION}, but the file is version {version}; update dag-nas"
        )
    missing = [key for key in _REQUIRED if key not in content]
    if missing:
        raise GraphError(f"a graph file must hold {', '.join(_REQUIRED)}, but lacks {', '.join(missing)}")
    unknown = [key for key in content if key not in (*_REQUIRED, *_OPTIONAL)]
    if unknown:
        raise GraphError(
            f"unknown key {short(unknown[0])} in a graph file; known: {', '.join((*_REQUIRED, *_OPTIONAL))}"
        )
    counts = []
    for key in ("n_inputs", "n_computational", "n_outputs"):
        if type(content[key]) is not int:
            raise GraphError(f"{key} must be a whole number, but is {short(content[key])}")
        counts.append(content[key])  # the constructor checks the range
    sources, targets = (_numbers(content, key, MAX_NEURONS - 1) for key in ("sources", "targets"))
    if sources.size != targets.size:
        raise GraphError(
            f"sources and targets must be equally long, but hold {sources.size} and {targets.size} numbers"
        )
    names = content.get("names")
    if names is not None and not isinstance(names, list):
        raise GraphError(f"names must be a list of strings, but is {short(names)}")
    allow_unreachable = content.get("allow_unreachable", False)
    if type(allow_unreachable) is not bool:
        raise GraphError(f"allow_unreachable must be true or false, but is {short(allow_unreachable)}")
    activations = content.get("activations")
    if activations is not None and not isinstance(activations, list):
        raise GraphError(f"activations must be a list of strings, but is {short(activations)}")
    ids = None if content.get("ids") is None else _numbers(content, "ids", MAX_ID)
    return (*counts, np.stack([sources, targets], axis=1), ids, names, allow_unreachable, activations)


def _numbers(content: dict[str, Any], key: str, largest: int) -> Int64Array:
    """The list of whole numbers 0…largest under ``key``."""
    values = content[key]
    if not isinstance(values, list):
        raise GraphError(f"{key} must be a list of whole numbers, but is {short(values)}")
    for position, value in enumerate(values):
        if type(value) is not int:
            raise GraphError(f"{key}[{position}] must be a whole number, but is {short(value)}")
        if not 0 <= value <= largest:
            raise GraphError(f"{key}[{position}] must lie in 0…{largest}, but is {short(value)}")
    return np.array(values, dtype=np.int64)
