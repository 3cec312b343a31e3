"""benchmarks/faults.py: faults at some calls; all of them are tried by `make faults`."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from benchmarks import faults


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler is needed")
@pytest.mark.skipif(sys.platform != "linux", reason="calls are counted by a library that Linux preloads")
def test_a_study_is_whole_after_a_fault_at_some_calls() -> None:
    # A process of its own, because the library must be there before Python is.
    command = [sys.executable, "-m", "benchmarks.faults", "--begun", "--every", "90"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " whole, 0 not." in done.stdout
    assert "| dies | dies within | disk full |" in done.stdout


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("write faults/optuna.journal", "write optuna.journal"),
        ("rename faults/genomes/000003.safetensors", "rename genomes/….safetensors"),
        ("create faults/trials/.000003.safetensors.30032.2612a3de.tmp", "create trials/.….safetensors.tmp"),
        ("rename faults/.optuna.journal.812.tmp", "rename .optuna.journal.tmp"),
        ("create faults/.status.json.66e90c7f.tmp", "create .status.json.tmp"),
        ("write artifacts/.artifact.uploading.wup21c_c", "write artifacts/.artifact.uploading"),
        ("pwrite64 optuna.db-wal", "pwrite64 optuna.db-wal"),
    ],
)
def test_calls_are_counted_by_what_they_do(call: str, kind: str) -> None:
    assert faults.kind_of(call) == kind
