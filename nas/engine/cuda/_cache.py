"""Where compiled kernels are kept between processes: a folder that only this user can write."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from nas._scratch import cache_home, own_folder

__all__ = ["cache_folder"]


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/dag-nas`` (default: ``~/.cache``); a folder of this process where that cannot be written."""
    try:
        folder = cache_home() / "dag-nas"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    folder = own_folder() / "dag-nas"
    folder.mkdir(exist_ok=True)
    return folder
