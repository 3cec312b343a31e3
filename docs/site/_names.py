"""Which public names the package has, on which page each stands, and what a name in a docstring means.

A name is documented once, on the page of the package nearest to the root that exports it, but not on that of `nas`,
which lists the names of others. Modules with an underscore have no page.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@cache
def public_modules() -> tuple[str, ...]:
    """All modules without an underscore in their path, packages before what they hold."""
    found = []
    for folder, inner, files in os.walk(ROOT / "nas", followlinks=True):  # workers and search_spaces are links
        inner[:] = [name for name in inner if not name.startswith("_")]
        for file in files:
            if file.endswith(".py") and (not file.startswith("_") or file == "__init__.py"):
                path = (Path(folder) / file).relative_to(ROOT).with_suffix("")
                found.append(".".join(path.parts).removesuffix(".__init__"))
    return tuple(sorted(found))


@cache
def tree_of(module: str) -> ast.Module:
    """The parsed source of a module of the package."""
    return ast.parse(source_of(module).read_text("utf-8"))


def source_of(module: str) -> Path:
    """The file of a module of the package, imported or not."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def exported(module: str) -> tuple[str, ...]:
    """What a module says is public: its ``__all__``, or what it defines without an underscore."""
    names = getattr(importlib.import_module(module), "__all__", None)
    own = (name for name, source in _bound(module).items() if source is None and not name.startswith("_"))
    return tuple(sorted(own if names is None else names))


@cache
def _bound(module: str) -> dict[str, tuple[str, str] | None]:
    """Names of a module's top level: where one is imported from (a module and its name there), None for its own."""
    names: dict[str, tuple[str, str] | None] = {}
    for statement in ast.walk(tree_of(module)):
        if isinstance(statement, ast.ImportFrom) and statement.module:
            names |= {a.asname or a.name: (statement.module, a.name) for a in statement.names}
    for statement in tree_of(module).body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names[statement.name] = None
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        names |= {target.id: None for target in targets if isinstance(target, ast.Name)}
    return names


def definition(module: str, name: str) -> tuple[str, str]:
    """Where a name that a module exports is written: a module, and its name there."""
    if module == "nas":  # which imports on first use; `nas.search` is a package that can be called
        homes = importlib.import_module("nas")._HOMES
        return definition("nas.study", name) if name == "search" else definition(homes[name], name)
    source = _bound(module).get(name)
    if source is None or source[0].split(".")[0] != "nas":
        return module, name
    return definition(*source)


@cache
def homes() -> dict[tuple[str, str], str]:
    """For each definition the name under which it is documented, as ``nas.graph.DAG``."""
    found: dict[tuple[str, str], str] = {}
    for module in sorted(public_modules(), key=lambda module: (module == "nas", module.count("."), module)):
        for name in exported(module):
            found.setdefault(definition(module, name), f"{module}.{name}")
    return found


@cache
def _of_short_names() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for full in homes().values():
        found.setdefault(full.rpartition(".")[2], []).append(full)
    return found


class BrokenReference(Exception):
    """A name of this package's that nothing has."""


def documented(text: str, module: str, owner: str = "") -> str | None:
    """The full name under which what `text` names in a docstring is documented.

    Args:
        text: as ``DAG.edges``, ``nas.graph.DAG`` or ``depth``.
        module: the module that the docstring is written in.
        owner: the class that it belongs to, by its name there.
    Returns:
        None for what has no place of its own: arguments, private names, other libraries'.
    Raises:
        BrokenReference: it begins with a name of this package's, and goes on with one that does not exist.
    """
    if not _DOTTED.fullmatch(text):
        return None
    head, _, rest = text.partition(".")
    if head == "nas":
        return _from_root(text)
    if owner and not rest and hasattr(_object(module, owner), head):
        return _place(module, owner, head)
    if head in _bound(module):
        source, name = definition(module, head)
        return _place(source, name, rest) if source.split(".")[0] == "nas" else None
    if head[:1].isupper() and len(_of_short_names().get(head, ())) == 1:  # elsewhere, but who else could be meant?
        full = _of_short_names()[head][0]
        return _place(*definition(*_split(full)), rest)
    return None


def _split(full: str) -> tuple[str, str]:
    module, _, name = full.rpartition(".")
    return module, name


def _object(module: str, name: str) -> object:
    return getattr(importlib.import_module(module), name, None)


def _from_root(text: str) -> str | None:
    parts = text.split(".")
    for cut in range(len(parts), 0, -1):
        module = ".".join(parts[:cut])
        if source_of(module).exists():
            break
    rest = parts[cut:]
    if not rest:
        return module if module in public_modules() else None
    try:
        return _place(*definition(module, rest[0]), ".".join(rest[1:]))
    except KeyError:
        raise BrokenReference(text) from None


def _place(module: str, name: str, rest: str) -> str | None:
    """The documented name of an attribute of what a module defines."""
    value = importlib.import_module(module)
    fields: set[str] = set()
    for part in [name, *rest.split(".")] if rest else [name]:
        if not hasattr(value, part) and part not in fields:
            raise BrokenReference(f"{module}.{name}{'.' if rest else ''}{rest}")
        value = getattr(value, part, None)
        fields = {f for kind in getattr(value, "__mro__", ()) for f in getattr(kind, "__annotations__", ())}
    home = homes().get((module, name))
    return f"{home}.{rest}" if home and rest else home
