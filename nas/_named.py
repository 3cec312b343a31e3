"""Modules that a job names (``module:name``): the user's before installed ones, and nothing else of the user's.

The working directory stands at the end of the search path, so that what people have there (``mlflow/``, ``utils/``,
a ``random.py``) hide no library. Modules that a job names are looked for there first. The program's own folders
``workers`` and ``search_spaces`` are imported as ``nas.workers`` and ``nas.search_spaces``: names that nobody has.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from nas._text import said_of

__all__ = ["import_named", "offer_user_folders"]


def offer_user_folders() -> list[str]:
    """Where the user's modules are, now also at the end of the search path: the folder they stand in, and the folder
    of a submitted job's code (``$NAS_CODE``), which goes first."""
    code = os.environ.get("NAS_CODE")
    folders = [*([str(Path(code).absolute())] if code else []), str(Path.cwd())]
    for folder in folders:
        if folder not in sys.path:
            sys.path.append(folder)
    return folders


def import_named(name: str) -> ModuleType:
    """The module of this dotted name, from the user's folders where they have it.

    Raises:
        ImportError: there is none; the user's is hidden by a library of the same name that is in use already, or
            ends the program or fails as it is imported.
    """
    try:
        return _import(name)
    except ImportError:
        raise
    except SystemExit as error:
        raise ImportError(f"{name} ends the program as it is imported (SystemExit({error.code!r}))") from error
    except SyntaxError as error:
        raise ImportError(f"{name} is no valid Python: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's own code may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        raise ImportError(f"{name} fails as it is imported: {said_of(error)} ({where})") from error


def _import(name: str) -> ModuleType:
    top = name.partition(".")[0]
    for folder in offer_user_folders():
        spec = PathFinder.find_spec(top, [folder])
        if spec is None:
            continue
        loaded = sys.modules.get(top)
        places = list(spec.submodule_search_locations or [])
        if loaded is None:
            module = importlib.util.module_from_spec(spec)
            sys.modules[top] = module
            if spec.loader is not None:
                try:
                    spec.loader.exec_module(module)
                except BaseException:
                    del sys.modules[top]
                    raise
        elif places and spec.origin is None:  # a folder without __init__.py may be a part of what is loaded
            continue
        elif getattr(loaded, "__file__", None) not in (None, spec.origin):
            raise ImportError(
                f"{spec.origin} cannot be imported, because the program uses {loaded.__file__}, which is also called "
                f"{top}; give yours another name"
            )
        break
    return importlib.import_module(name)
