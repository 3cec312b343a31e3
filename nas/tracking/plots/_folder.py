"""Where matplotlib keeps its settings and the fonts that it has found."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

from nas._scratch import own_folder

__all__ = ["offer_folder"]


@functools.cache
def offer_folder() -> None:
    """Gives matplotlib a folder of this process where it can write none of its own: it would make one that stays behind
    when the process is killed, and complain to whoever searches.

    To be called before matplotlib is imported, which looks once.

    Raises:
        OSError: there is no folder in which one can be made.
    """
    if not all(_writable(folder) for folder in _folders()):
        os.environ["MPLCONFIGDIR"] = str(own_folder() / "matplotlib")


def _folders() -> list[Path]:
    """Where it would keep them."""
    if stated := os.environ.get("MPLCONFIGDIR"):
        return [Path(stated)]
    if not sys.platform.startswith(("linux", "freebsd")):
        return [Path("~/.matplotlib")]
    homes = (("XDG_CONFIG_HOME", "~/.config"), ("XDG_CACHE_HOME", "~/.cache"))
    return [Path(os.environ.get(name) or default) / "matplotlib" for name, default in homes]


def _writable(folder: Path) -> bool:
    """Whether it is, or can be made, a folder with files of this user's."""
    try:
        folder = folder.expanduser().resolve()
    except RuntimeError:  # of a user who has no home, as in a container
        return False
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
