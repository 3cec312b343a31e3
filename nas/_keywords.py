"""Keywords of `nas.search` and of the estimators: every field of a job, by a name that says which one is meant.

A section takes a mapping (``search={"strategy": "optuna"}``). A field of one section only may stand by itself
(``strategy="optuna"``); where several sections have it, the section goes before it (``data__seed=1``), as scikit-learn
writes the parameters of parts. A mapping of dotted paths goes through `settings`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel

from nas._jobfile import KeyPath
from nas.errors import JobError
from nas.job import Job

__all__ = ["job_values", "known_keywords"]

# Short names for what nearly every call says, and what is meant where several sections have a field.
_SHORT: Final[Mapping[str, KeyPath]] = {
    "minutes": ("search", "budget_minutes"),
    "name": ("tracking", "experiment"),
    "seed": ("search", "seed"),
    "space": ("space", "name"),
}
_PLAIN: Final = (list, tuple, set, frozenset)


def known_keywords() -> dict[str, KeyPath]:
    """Every keyword that stands by itself, with the path of its field."""
    found: dict[str, list[KeyPath]] = {}
    for section, field in Job.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name in model.model_fields:
                found.setdefault(name, []).append((section, name))
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1} | dict(_SHORT)


def job_values(keywords: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Nested values of a job, for `Job.from_mapping`.

    Args:
        keywords: see the module's docstring; None states nothing.
        settings: values by dotted paths, e.g. ``{"training.losses.time": 0.1}``; they go over the keywords.

    Raises:
        JobError: no field has such a name, or several have.
    """
    values: dict[str, Any] = {}
    for key, value in keywords.items():
        if value is None:
            continue
        if key in Job.model_fields and isinstance(value, Mapping):
            for name, inner in value.items():
                _put(values, (key, str(name)), inner)
        else:
            _put(values, _path(key), value)
    for dotted, value in (settings or {}).items():
        _put(values, tuple(str(dotted).split(".")), value)
    return values


def _path(key: str) -> KeyPath:
    known = known_keywords()
    if key in known:
        return known[key]
    section, *rest = key.split("__")
    if rest and section in Job.model_fields:
        return (section, *rest)
    if key in Job.model_fields:
        raise JobError(f"{key}: a section takes a mapping, e.g. {key}={{…}}")
    several = [f"{section}__{key}" for section, fields in _sections().items() if key in fields]
    if several:
        raise JobError(f"keyword {key!r}: several sections have it; say which: {', '.join(several)}")
    near = difflib.get_close_matches(key, [*known, *Job.model_fields], n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"a section ({', '.join(Job.model_fields)}) or a field of one"
    raise JobError(f"unknown keyword {key!r}; {hint}")


def _sections() -> dict[str, Iterable[str]]:
    models = {section: field.annotation for section, field in Job.model_fields.items()}
    return {
        section: model.model_fields
        for section, model in models.items()
        if isinstance(model, type) and issubclass(model, BaseModel)
    }


def _put(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    section = values
    for depth, part in enumerate(path[:-1]):
        inner = section.setdefault(str(part), {})
        if not isinstance(inner, dict):
            raise JobError(f"{'.'.join(map(str, path[: depth + 1]))} is {inner!r}, so it has no {path[depth + 1]!r}")
        section = inner
    plain = dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, _PLAIN) else value
    known = section.get(str(path[-1]))
    section[str(path[-1])] = {**known, **plain} if isinstance(known, dict) and isinstance(plain, dict) else plain
