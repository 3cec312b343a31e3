"""What the JSON Schema of a job file says of settings that do nothing; see `nas._settings`."""

from __future__ import annotations

from typing import Any

from nas.search.config import SpaceConfig
from nas.search.load import space_class
from nas.training.acting import NEURONS

__all__ = ["space_rules"]


def space_rules(name: str, default: str) -> list[dict[str, Any]]:
    """Rules of a job's schema: where its space is ``name``, a training section states nothing that is unused there.

    Args:
        default: the space of a job that names none.
    """
    space = space_class(SpaceConfig(name=name))
    kind = space.kind or NEURONS.get(str(space.fixed.get("parametrisation")))
    if kind is None:  # what acts depends on the parametrisation, which the search may choose
        return []
    training: dict[str, Any] = {}
    for path in kind.unused:
        _put(training, path, {"const": None})
    for path, value in space.fixed.items():
        _put(training, path, {"const": value})
    where: dict[str, Any] = {"properties": {"space": {"properties": {"name": {"const": name}}}}}
    if name != default:
        where["properties"]["space"]["required"] = ["name"]
        where["required"] = ["space"]
    return [{"if": where, "then": {"properties": {"training": training}}}]


def _put(schema: dict[str, Any], path: str, rule: dict[str, Any]) -> None:
    for part in path.split("."):
        schema = schema.setdefault("properties", {}).setdefault(part, {})
    schema.update(rule)
