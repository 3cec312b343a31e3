"""Reading a YAML file that may come from anybody: bounded, no code, no surprises, and with line numbers.

PyYAML alone accepts duplicate keys (the last wins, silently) and lets a few lines of aliases expand to gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from nas.errors import JobError

__all__ = ["KeyPath", "apply_overrides", "dotted", "read_yaml"]

KeyPath = tuple[str | int, ...]

_MAX_BYTES: Final = 2**20
_MAX_NODES: Final = 20_000
_MAX_DEPTH: Final = 40


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """The mapping in a YAML file, and the line (from 1) on which each key or list item stands.

    Raises:
        JobError: the file is missing, too long, no YAML, no mapping, or has a key twice.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise JobError(f"{path}: no such job file; those in examples/ of the source code run as they are") from None
    except OSError as error:
        raise JobError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > _MAX_BYTES:
        raise JobError(f"{path}: a job file has at most {_MAX_BYTES} bytes, this one has more")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: not UTF-8 (byte {error.start}); a job file is YAML text") from error
    if _brackets(text) > _MAX_DEPTH:  # before PyYAML, whose time grows with the square of the depth: seconds at 1,000
        raise JobError(f"{path}: nested too deeply; a job file has at most {_MAX_DEPTH} levels")
    lines: dict[KeyPath, int] = {}
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return {}, lines
        _walk(root, (), lines, path)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise JobError(f"{path}: not valid YAML{where}: {_yaml_problem(error)}") from error
    except RecursionError:
        raise JobError(f"{path}: nested too deeply; a job file has at most {_MAX_DEPTH} levels") from None
    except ValueError as error:  # a date such as 2024-13-45
        raise JobError(f"{path}: a value cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise JobError(
            f"{path}: expected sections such as `data:` and `search:`, got {_KINDS.get(type(values), 'a value')}"
        )
    _check_finite(values, (), path, lines)
    return values, lines


def _yaml_problem(error: Exception) -> str:
    """What is wrong, in one line: PyYAML quotes the text around it."""
    return str(getattr(error, "problem", None) or error).splitlines()[0]


_KINDS: Final[Mapping[type, str]] = {
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "a truth value",
}


def _brackets(text: str) -> int:
    """How deep brackets may be nested in a text: those in quotes and comments count as well."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth = max(0, depth - 1)
    return deepest


def _walk(node: yaml.Node, at: KeyPath, lines: dict[KeyPath, int], path: Path) -> None:
    """Records lines; refuses duplicate keys, keys that are no text, and expansion without bound."""
    if len(lines) > _MAX_NODES or len(at) > _MAX_DEPTH:
        raise JobError(f"{path}: more than {_MAX_NODES} values or {_MAX_DEPTH} levels once aliases are expanded")
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*at, index)] = item.start_mark.line + 1
            _walk(item, (*at, index), lines, path)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise JobError(f"{path}, line {line}: a key must be text")
            inner = (*at, str(key.value))
            if inner in lines and key.tag != "tag:yaml.org,2002:merge":
                raise JobError(
                    f"{path}, line {line}: {dotted(inner)} is already given in line {lines[inner]}; remove one"
                )
            lines[inner] = line
            _walk(value, inner, lines, path)


def _check_finite(value: Any, at: KeyPath, path: Path, lines: Mapping[KeyPath, int]) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        line = f", line {lines[at]}" if at in lines else ""
        raise JobError(f"{path}{line}: {dotted(at)} is {value}; numbers must be finite")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise JobError(f"{path}: {dotted((*at, str(key)))}: the key {key!r} is no text; put it in quotes")
            _check_finite(inner, (*at, key), path, lines)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_finite(inner, (*at, index), path, lines)


def apply_overrides(values: dict[str, Any], overrides: Iterable[str]) -> set[KeyPath]:
    """Sets ``path.to.key=value`` in ``values``, the value read as YAML; returns the paths that were set.

    Raises:
        JobError: an override has no ``=``, no key, a value that is no YAML, or a path through a plain value.
    """
    paths: set[KeyPath] = set()
    for override in overrides:
        key, sign, text = override.partition("=")
        parts = key.strip().split(".")
        if not sign or not all(parts):
            raise JobError(f"--set {override!r}: expected path.to.key=value, e.g. search.trials=20")
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise JobError(f"--set {override!r}: the value is not valid YAML: {_yaml_problem(error)}") from error
        section = values
        for depth, part in enumerate(parts[:-1]):
            inner = section.get(part)
            if inner is None:
                inner = section[part] = {}
            if not isinstance(inner, dict):
                raise JobError(f"--set {override!r}: {'.'.join(parts[: depth + 1])} is {inner!r}, no section")
            section = inner
        section[parts[-1]] = value
        _check_finite(value, tuple(parts), Path("--set"), {})
        paths.add(tuple(parts))
    return paths


def dotted(path: KeyPath) -> str:
    """A path as people write it: ``search.objectives[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
