"""Imports point one way: every module of the tree is parsed, so that future ones are held to it as well."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("nas", "workers", "search_spaces")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

NETWORKS = ("nas.graph", "nas.engine", "nas.layers", "nas.recurrent", "nas.manifold")  # and what they stand on

# What each part of the tree may import from this project, besides itself and nas.errors.
ALLOWED: dict[str, set[str]] = {
    "nas": {  # nas/__init__.py re-exports
        "nas.graph",
        "nas.engine",
        "nas.manifold",
        "nas.checkpoint",
        "nas.cexport",
        "nas.tracking",
        "nas.study",
        "nas.estimators",
    },
    "nas.errors": set(),
    "nas.graph": {"nas._files", "nas._text"},
    "nas.engine": {"nas._files", "nas._scratch", "nas.graph"},
    "nas.layers": {"nas._files", "nas.graph", "nas.engine"},
    "nas.recurrent": {"nas.graph", "nas.engine"},
    "nas.manifold": {"nas._named", "nas.graph", "nas.engine"},
    "nas.checkpoint": {
        "nas._files",
        "nas._text",
        *NETWORKS,
    },
    "nas.cexport": {
        "nas._files",
        "nas._scratch",
        *NETWORKS,
        "nas.checkpoint",
    },
    "nas.training": {
        "nas._named",
        "nas._scratch",
        "nas._sqlite",
        "nas._files",
        "nas._text",
        *NETWORKS,
        "nas.checkpoint",
        "nas.cexport",
    },
    "nas.search": {
        "nas._locks",
        "nas._named",
        "nas._sqlite",
        "nas._files",
        "nas._text",
        *NETWORKS,
        "nas.checkpoint",
        "nas.training",
    },
    "nas.tracking": {
        "nas._files",
        "nas._locks",
        "nas._scratch",
        "nas._sqlite",
        "nas._text",
        "nas.graph",
        "nas.training",
        "nas.checkpoint",
    },
    "nas._jobfile": set(),
    "nas._files": set(),
    "nas._locks": {"nas._text"},
    "nas._logs": {"nas._text"},
    "nas._named": {"nas._text"},
    "nas._scratch": set(),
    "nas._sqlite": set(),
    "nas._stamps": {"nas._scratch"},
    "nas._text": set(),
    "nas._schema": {"nas.training", "nas.search"},
    "nas._rules": {"nas.training", "nas.search", "nas.tracking"},
    "nas._metrics_named": {"nas._jobfile", "nas._rules", "nas.training", "nas.search"},
    "nas._settings": {"nas._jobfile", "nas._metrics_named", "nas._rules", "nas.training", "nas.search", "nas.tracking"},
    "nas.job": {"nas._jobfile", "nas._schema", "nas._settings", "nas.training", "nas.search", "nas.tracking"},
    "nas._given_data": {"nas._files", "nas.checkpoint", "nas.training"},
    "nas._keywords": {"nas._jobfile", "nas.job"},
    "nas.__main__": {"nas.cli"},
    "nas.cli": {"nas.*"},
    "nas.estimators": {"nas.checkpoint", "nas.study"},
    "nas.study": {"nas.*"},
    "nas.workers": {"nas.*"},
    "nas.search_spaces": {"nas.graph", "nas.engine", "nas.layers", "nas.recurrent", "nas.search", "nas.training"},
}

# Libraries that only one part of the tree may import, at any depth of the code.
OWNERS = {
    "ray": {"nas.workers"},
    "mlflow": {"nas.tracking"},
    "optuna": {"nas.search"},
    "matplotlib": {"nas.tracking"},
    "plotly": {"nas.tracking"},
    "numba": {"nas._stamps", "nas.cexport", "nas.engine", "nas.graph", "nas.manifold", "nas.recurrent", "nas.training"},
    "typer": {"nas.cli"},
    "rich": {"nas.cli"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "nas":  # folders of the top level that are imported, and installed, as parts of nas
        parts = ("nas", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(name: str) -> str:
    """The part of the tree that a dotted name belongs to: nas.search.study.store -> nas.search."""
    top, *rest = name.split(".")
    return f"nas.{rest[0]}" if top == "nas" and rest else top


def owner_of(name: str) -> str:
    """The package in which a module, or a name in it, may be imported, and in all below it; "": anywhere."""
    parts = name.split(".")
    return ".".join(parts[: next((place for place, part in enumerate(parts) if part.startswith("_")), 0)])


def imports(path: Path) -> set[str]:
    """Dotted names that a module imports, `from nas import graph` counting as nas.graph."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            names |= {f"nas.{alias.name}" for alias in node.names} if base == "nas" else {base}
            names |= {f"{base}.{alias.name}" for alias in node.names if base and alias.name.startswith("_")}
    return names


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("nas.training.data._split", "nas.training.data"),
        ("nas.training.types", ""),
        ("nas.training.fused.trainer._aligned", "nas.training.fused.trainer"),
    ],
)
def test_underscores_say_who_owns_a_module(name: str, owner: str) -> None:
    assert owner_of(name) == owner


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 30
    assert {part_of(module_name(path)) for path in MODULES} <= ALLOWED.keys()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_layers(path: Path) -> None:
    here = part_of(module_name(path))
    allowed = ALLOWED[here] | {here, "nas.errors", "nas._stamps"}
    for name in imports(path):
        target = part_of(name)
        if target.split(".")[0] in PACKAGES:
            fits = target in allowed or ("nas.*" in allowed and target.split(".")[0] == "nas")
            assert fits, f"{module_name(path)} imports {name}; {here} may import {sorted(allowed)}"
        owner = owner_of(name) if target.split(".")[0] in PACKAGES else ""
        inside = not owner or f"{module_name(path)}.".startswith(f"{owner}.")
        assert inside, f"{module_name(path)} imports {name}, private to {owner}"
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or here in owners, f"{module_name(path)} imports {name}, which belongs to {owners}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from nas import graph", {"nas.graph"}),
        ("import nas.search.study.store", {"nas.search.study.store"}),
        ("def f():\n    from ray import get", {"ray"}),
        ("from .types import x", {"nas.training.types"}),
        ("from .. import graph", {"nas.graph"}),
    ],
)
def test_imports_are_seen_however_they_are_written(
    source: str, found: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ROOT / "nas" / "training" / "x.py"
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: source)
    assert imports(path) == found
