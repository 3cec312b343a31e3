"""A first few hundred of the cases that `make fuzz` runs by the hundred thousand."""

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parent / "run.py"


def test_damaged_files_raise_documented_errors_and_nothing_else(tmp_path):
    command = [sys.executable, str(RUN), "--cases", "240", "--seed", "7"]
    for target in ("dag json", "checkpoint", "npz", "table"):
        command += ["--target", target]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " cases, nothing but documented errors" in done.stdout


def test_a_finding_fails_the_run(tmp_path):
    """A reader that unpickles what it is given is caught by the watch."""
    (tmp_path / "try.py").write_text(
        f"import sys; sys.path.insert(0, {str(RUN.parent)!r})\n"
        "import pickle, run\n"
        "run.watch('/nowhere')\n"
        "try:\n    pickle.loads(pickle.dumps(sys.exit))\n"
        "except run.Forbidden:\n    print('caught')\n"
    )
    done = subprocess.run([sys.executable, str(tmp_path / "try.py")], capture_output=True, text=True, timeout=100)
    assert done.stdout == "caught\n", done.stderr
