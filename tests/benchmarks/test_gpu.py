"""The GPU benchmark: refused without a GPU, and every part of it runs on the simulator."""

import pytest

from benchmarks import gpu
from nas.engine.cuda import why_no_gpu


@pytest.mark.skipif(why_no_gpu() is None, reason="needs a machine without a GPU")
def test_without_a_gpu_it_says_why(capsys):
    assert gpu.main([]) == 2
    assert "no GPU to measure: " in capsys.readouterr().err


def test_every_part_runs_simulated(capsys, tmp_path):
    assert gpu.main(["--simulate", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# Simulated: no figure here means anything")
    for part in ("Reached by torch", "| 12/20/3, 30% | 158 |", "3 at once", "trained a minute"):
        assert part in printed
    assert not list(tmp_path.iterdir())  # nothing that could be taken for a measurement is written
