"""Cached kernels older than any source are forgotten."""

import os

from nas.engine._stale import forget_stale_kernels


def test_only_indices_older_than_the_newest_source_go(tmp_path):
    cache = tmp_path / "engine" / "__pycache__"
    cache.mkdir(parents=True)
    for name, age in (("a.py", 100), ("b.py", 50)):
        (tmp_path / "engine" / name).touch()
        os.utime(tmp_path / "engine" / name, ns=(0, 10**18 - age))
    for name, age in (("old.nbi", 80), ("new.nbi", 10)):
        (cache / name).touch()
        os.utime(cache / name, ns=(0, 10**18 - age))
    assert forget_stale_kernels(tmp_path, ("engine", "missing")) == 1
    assert [path.name for path in cache.iterdir()] == ["new.nbi"]
