"""When a compiled kernel is older than its source: stamps made of all that the kernel was compiled from.

numba compiles a cached kernel again when the file changes that *it* stands in, not when a function does that it has
taken in from another file. Importing this module gives numba's cache another stamp for every kernel of this package:
the syntax of its module and of all modules of the package which that imports, directly or not. Comments, docstrings and
times of files play no part. ``from nas.engine import activate`` leads to the module that defines `activate`; what is
imported for annotations alone (``if TYPE_CHECKING``) is not followed, for nothing can be compiled from it.
"""

from __future__ import annotations

import ast
import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from numba.core import caching

from nas._scratch import own_folder
from nas.errors import NasError, TemporaryFilesError

__all__ = ["compiled_since", "modules_behind", "stamp_of"]

_ROOT: Final = Path(__file__).parent

_kept: set[Path] = set()  # folders of compiled kernels
_unwritable: list[str] = []  # the folder that was stated, "" for none, where kernels are kept for a run only

_logger = logging.getLogger(__name__)


def stamp_of(modules: Iterable[Path], root: Path = _ROOT) -> str:
    """What differs when code does that any of these files of the package at ``root`` is made of."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(set().union(*(modules_behind(path, root) for path in modules))):
        digest.update(f"{path.relative_to(root)}\0{_parsed(path, _read(path))[1]}\0".encode())
    return digest.hexdigest()


def compiled_since(seconds: float) -> int:
    """How many functions this process and others on this machine have compiled since then (seconds since 1970)."""
    return sum(file.stat().st_mtime >= seconds for folder in _kept if folder.is_dir() for file in folder.glob("*.nbc"))


def modules_behind(path: Path, root: Path = _ROOT) -> frozenset[Path]:
    """A file of the package at ``root``, and those that it imports, directly or not."""
    found: set[Path] = set()
    ahead = [path]
    while ahead:
        path = ahead.pop()
        if path not in found:
            found.add(path)
            ahead += [other for module, name in _parsed(path, _read(path))[0] for other in _home(module, name, root)]
    return frozenset(found)


def _home(module: str, name: str, root: Path, seen: frozenset[tuple[str, str]] = frozenset()) -> Iterator[Path]:
    """The file that defines ``name`` of a module (all of it: ""), if that is one of this package."""
    parts = module.split(".")
    if parts[0] != root.name or (module, name) in seen:
        return
    place = root.joinpath(*parts[1:])
    if (file := place.with_suffix(".py")).exists() and len(parts) > 1:
        yield file
        return
    if not (file := place / "__init__.py").exists():
        return
    if name and ((place / f"{name}.py").exists() or (place / name / "__init__.py").exists()):
        yield from _home(f"{module}.{name}", "", root, seen | {(module, name)})
        return
    handed_on = [each for each in _parsed(file, _read(file))[2] if each[2] == name]
    for source, original, _ in handed_on:
        yield from _home(source, original, root, seen | {(module, name)})
    if not handed_on:
        yield file


def _read(path: Path) -> bytes:
    return path.read_bytes()


Parsed = tuple[tuple[tuple[str, str], ...], str, tuple[tuple[str, str, str], ...]]


@lru_cache(maxsize=512)
def _parsed(path: Path, source: bytes) -> Parsed:
    """Of one file: (module, name) of what it imports, a digest of its code, and (module, name, as) of its imports."""
    tree = ast.parse(source, str(path))
    imports: list[tuple[str, str, str]] = []
    for node in ast.walk(_Bare().visit(tree)):
        if isinstance(node, ast.Import):
            imports += [(each.name, "", each.asname or each.name) for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            imports += [(node.module, "" if each.name == "*" else each.name, each.asname or each.name)
                        for each in node.names]  # fmt: skip
        elif isinstance(node, ast.ImportFrom):
            raise ValueError(f"{path}:{node.lineno}: imports of this package are absolute; write it out")
    digest = hashlib.blake2b(ast.dump(tree).encode(), digest_size=16).hexdigest()
    return tuple((module, name) for module, name, _ in imports), digest, tuple(imports)


class _Bare(ast.NodeTransformer):
    """Takes away what nothing is compiled from: strings that stand alone, and imports for annotations."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        constant = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if constant else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        typing_only = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" and not node.orelse
        return None if typing_only else self.generic_visit(node)


class _Stamp:
    """A stamp that is made when a cache is first looked into: not by an import that runs no kernel."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and _stamp_of_file(self._path) == other

    def __hash__(self) -> int:
        return hash(_stamp_of_file(self._path))

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (_stamp_of_file(self._path),)


@lru_cache(maxsize=256)
def _stamp_of_file(path: Path) -> str:
    return stamp_of([path])


class _Ours:
    """Makes a locator of numba's one for this package's kernels alone, with their stamp."""

    _py_file: str

    def get_source_stamp(self) -> _Stamp:
        return _Stamp(Path(self._py_file))

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        inside = Path(py_file).is_relative_to(_ROOT)
        found = super().from_function(py_func, py_file) if inside else None  # type: ignore[misc]
        if found is not None:
            _kept.add(Path(found.get_cache_path()))
        return found


class _Provided(_Ours, caching.UserProvidedCacheLocator):  # type: ignore[misc]
    pass


class _InTree(_Ours, caching.InTreeCacheLocator):  # type: ignore[misc]
    pass


class _UserWide(_Ours, caching.UserWideCacheLocator):  # type: ignore[misc]
    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        known = Path("~").expanduser().is_absolute() if not os.environ.get("XDG_CACHE_HOME") else True
        return super().from_function(py_func, py_file) if known else None  # numba would make a folder called "~"


class _StampOfProcess(_Stamp):
    """A stamp that is written, with the first kernel that is compiled, for this run only."""

    def __reduce__(self) -> tuple[Any, ...]:
        _say_for_this_run()
        return super().__reduce__()


class _OfProcess(_Ours, caching.InTreeCacheLocator):  # type: ignore[misc]
    """Where neither the package's folder nor the user's can be written: kernels live as long as this process, and the
    processes that it starts take them from there. That is said once something is compiled: many a command has nothing
    to compile."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = str(_folder_of_process() / Path(py_file).relative_to(_ROOT).with_suffix(""))

    def get_source_stamp(self) -> _Stamp:
        return _StampOfProcess(Path(self._py_file))

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        if not Path(py_file).is_relative_to(_ROOT):
            return None
        found = cls(py_func, py_file)
        found.ensure_cache_path()
        return found


@lru_cache(maxsize=1)
def _folder_of_process() -> Path:
    try:
        folder = own_folder() / "kernels"
    except TemporaryFilesError as error:
        raise NasError(
            f"compiled code can be kept nowhere: {_ROOT}, the home folder and the folder of temporary files cannot be "
            f"written ({error.__cause__}); name a folder with NUMBA_CACHE_DIR or TMPDIR"
        ) from error
    _unwritable.append(os.environ.get("NUMBA_CACHE_DIR", ""))
    os.environ["NUMBA_CACHE_DIR"] = str(folder)  # numba has read it; this is for processes started from here
    return folder


@lru_cache(maxsize=1)
def _say_for_this_run() -> None:
    stated = "".join(_unwritable)
    _logger.warning(
        "compiled code is kept for this run only, and takes about a minute to make: neither %s nor the home folder can "
        "be written; name a folder of yours with NUMBA_CACHE_DIR%s",
        _ROOT if not stated else f"{stated} (NUMBA_CACHE_DIR), {_ROOT}",
        " instead" if stated else "",
    )


caching.CacheImpl._locator_classes[:0] = [_Provided, _InTree, _UserWide, _OfProcess]
