"""Temporary files: for this user alone, gone with their process, and swept where it was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from nas import _scratch

ROOT = Path(__file__).parents[1]


def run(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Without what `nas` imports, which takes seconds."""
    load = f"import sys, types; m = types.ModuleType('s'); exec(open({_scratch.__file__!r}).read(), m.__dict__)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-S", "-c", f"{load}\n{code}"], env=environment, text=True, capture_output=True
    )


def test_a_folder_goes_with_its_process_and_a_killed_one_is_swept(tmp_path: Path) -> None:
    use = "import os\nwith m.scratch('front') as folder:\n (folder / 'page').write_text('x' * 9)\n "
    ended = run(tmp_path, use + "print(oct(m.own_folder().stat().st_mode & 0o777)); sys.exit(3)")
    assert (ended.returncode, ended.stdout) == (3, "0o700\n"), ended.stderr
    assert list(tmp_path.iterdir()) == []
    killed = run(tmp_path, use + "os.kill(os.getpid(), 9)")
    assert killed.returncode == -9
    [left] = tmp_path.iterdir()
    assert list(left.glob("front-*/page"))
    assert run(tmp_path, use + "print(len(list(m.own_folder().parent.iterdir())))").stdout == "1\n"
    assert list(tmp_path.iterdir()) == []


def test_sockets_get_a_folder_whose_path_is_short_enough(tmp_path: Path) -> None:
    base = tmp_path / ("long" * 20)
    base.mkdir()
    told = run(base, "print(m.own_folder(43), m.own_folder(400), m.own_folder(), m.own_folder(43))")
    short, own, plain, again = told.stdout.split()
    assert short.startswith("/tmp/nas-run-")
    assert len(short) <= 43
    assert own == plain
    assert Path(own).parent == base
    assert again == short
    assert not Path(short).exists()
    assert list(base.iterdir()) == []
