"""What docs/security.md promises: no code from files, nothing beyond loopback, no secret in what is written."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.cli.test_commands import nas

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for part in ("nas", "workers", "search_spaces") for path in (ROOT / part).rglob("*.py"))

# Calls that run what a file or a stranger says; each exception says why it is none.
FORBIDDEN = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "cloudpickle.load", "cloudpickle.loads", "joblib.load",
    "marshal.loads", "shelve.open", "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system",
    "os.popen", "eval", "exec", "compile", "numpy.load", "np.load", "pandas.read_pickle", "pd.read_pickle", "pd.eval",
    "mlflow.pytorch.load_model",
}  # fmt: skip
ALLOWED = {
    ("nas/engine/functions.py", "exec"),  # unrolls a polynomial of constants in that module
    ("nas/engine/formulas.py", "exec"),  # formulas of this program's own tables, as functions for kernels
    ("nas/engine/formulas.py", "compile"),
}


def dotted(node: ast.expr) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_is_run(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            assert called not in FORBIDDEN or (name, called) in ALLOWED, f"{name}:{node.lineno} calls {called}"
            for keyword in node.keywords:
                harmful = keyword.arg in ("shell", "allow_pickle") and getattr(keyword.value, "value", None) is True
                assert not harmful, f"{name}:{node.lineno} says {keyword.arg}=True"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert "0.0.0.0" not in node.value, f"{name}:{node.lineno} names all interfaces"


SECRET = "correct-horse-battery-staple"


@pytest.mark.slow
def test_secrets_of_the_environment_are_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = "data: {source: iris}\nspace: {name: neuron_dag}\ntraining: {steps: 20}\n"
    job += "search: {trials: 2, baselines: false}\n"
    (tmp_path / "job.yaml").write_text(job + "resources: {executor: serial}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    for name in ("MLFLOW_TRACKING_PASSWORD", "RAY_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, SECRET)
    done = nas("search", "job.yaml")
    assert done.exit_code == 0, done.output
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 5
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in done.output


def test_a_password_in_a_database_address_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job.yaml").write_text("data: {source: iris}\nspace: {name: neuron_dag}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_STORAGE", f"postgresql+psycopg://someone:{SECRET}@127.0.0.1:1/nowhere")
    done = nas("search", "job.yaml", "--set", "resources.executor=serial")
    assert done.exit_code == 1, done.output
    assert SECRET not in done.output
