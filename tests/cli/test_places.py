"""Where a search runs and what its folders are called: names that a user has may not stand in the program's way."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nas._scratch import cache_home, own_folder, scratch
from nas.cli.console import writing
from nas.errors import TemporaryFilesError
from nas.search import StudyError, StudyStore
from nas.search.study.storage import database_errors
from nas.tracking.plots._folder import offer_folder
from nas.tracking.plots._theme import new_figure
from nas.training.cost.calibration import calibration_path
from nas.training.data.idx import mnist_places
from tests.cli.test_commands import JOB, nas, plain

ROOT = Path(__file__).parents[2]
SPACE = """
from {module} import HIDDEN
from nas.search_spaces.neuron_dag import NeuronDag

class Mine(NeuronDag):
    pass
"""


# What is imported goes by where a process began: in one of its own, with the working directory nowhere on the path.
SEARCH = "import sys; sys.path = [p for p in sys.path if p]; from nas.cli import main; main()"
# Many in one, each in a copy of it, because importing us takes seconds.
LOAD = """
import json, os, sys, traceback
sys.path = [p for p in sys.path if p]
from nas.search import SpaceConfig, load_space
from nas.training import DataConfig, load_data

data = load_data(DataConfig(source="iris"))
for folder, module in json.loads(sys.argv[1]):
    if os.fork() == 0:
        os.chdir(folder)
        try:
            assert type(load_space(SpaceConfig(name=f"{module}:Mine"), data)).__module__ == module
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(module, "is found" if os.wait()[1] == 0 else "fails", flush=True)
"""


def fresh(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # a command puts the folder at its end
    monkeypatch.delenv("NAS_STORE", raising=False)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


BROKEN = "raise SystemExit('this is not the module you want')\n"


def test_folders_of_the_user_hide_nothing_of_ours(tmp_path: Path) -> None:
    names = ["workers", "search_spaces", "mlflow", "optuna", "moocore", "benchmarks", "safetensors"]
    write(tmp_path, {f"{name}/__init__.py": BROKEN for name in names} | {"random.py": BROKEN, "queue.py": BROKEN})
    write(tmp_path, {"workers/pool.py": BROKEN, "search_spaces/neuron_dag.py": BROKEN, "small.yaml": JOB})
    done = fresh(tmp_path, SEARCH, "search", "small.yaml", "--set", "search.trials=2")
    assert done.returncode == 0, done.stdout + done.stderr


def test_spaces_of_the_user_are_found_whatever_their_folders_are_called(tmp_path: Path) -> None:
    modules, cases = ["mine", "search_spaces.mine", "workers.deep.mine", "utils.mine"], []
    for kind in ("packages", "folders"):
        for module in modules:
            folder, path = tmp_path / kind / module, Path(*module.split("."))
            write(folder, {f"{path}.py": SPACE.format(module="beside"), "beside.py": "HIDDEN = 1\n"})
            if kind == "packages":
                write(folder, {f"{parent}/__init__.py": "" for parent in list(path.parents)[:-1]})
            cases.append([str(folder), module])
    done = fresh(tmp_path, LOAD, json.dumps(cases))
    assert done.stdout.splitlines() == [f"{module} is found" for module in modules] * 2, done.stdout + done.stderr


def test_a_module_that_a_library_hides_is_named(here: Path) -> None:
    write(here, {"random.py": SPACE.format(module="beside"), "beside.py": "HIDDEN = 1\n", "small.yaml": JOB})
    refused = nas("search", "small.yaml", "--set", "space.name=random:Mine")
    assert refused.exit_code == 2
    assert "which is also called random; give yours another name" in plain(refused)


def test_a_search_in_a_store_of_any_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a%20b %2F 50 % no#1 ü 漢 {x} what?"  # what addresses of databases and files give a meaning to
    store = here / "stores" / name
    monkeypatch.setenv("NAS_STORE", str(store))
    write(here, {"small.yaml": JOB.replace("mlflow: false", "experiment: small")})
    done = nas("search", "small.yaml", "--set", "search.trials=2")
    assert done.exit_code == 0, done.output
    assert [path.name for path in store.parent.iterdir()] == [name]
    assert {"mlflow.db", "artifacts", "small"} <= {path.name for path in store.iterdir()}
    assert (store / "small" / "optuna.journal").exists()
    assert StudyStore.studies(store) == ["small"]
    shown = nas("front", "small")
    assert shown.exit_code == 0, shown.output


def test_status_asks_the_cluster_that_the_other_commands_ask(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = "http://127.0.0.1:1"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", where)
    for command in (["status"], ["list"], ["logs", "x"], ["stop", "x"]):
        assert f"nothing answers at {where}" in plain(nas(*command)), command
    assert "there is no study in nas-runs" in plain(nas("status", "--address", ""))


def no_temporary_folder() -> str:
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")


def test_a_search_without_a_folder_for_temporary_files_says_so(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here, {"small.yaml": JOB})
    monkeypatch.setattr(tempfile, "gettempdir", no_temporary_folder)
    refused = nas("search", "small.yaml")
    assert refused.exit_code == 1
    assert "a folder for temporary files is needed, and none can be used (" in plain(refused)
    assert "name another with TMPDIR" in plain(refused)
    assert not (here / "nas-runs").exists()
    monkeypatch.setenv("MPLCONFIGDIR", "/dev/null")  # nothing is to be written there either
    offer_folder.cache_clear()
    with pytest.raises(TemporaryFilesError, match="a folder for temporary files is needed"), writing(Path("x.png")):
        new_figure(1, 1)
    for other in ("predictor", "report"):
        with pytest.raises(TemporaryFilesError, match="TMPDIR"), scratch(other):
            pass


def test_matplotlib_gets_a_folder_where_it_has_none(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would complain of one that cannot be written, and leave another when it is killed."""
    file = here / "file"
    file.touch()
    (here / "folder").mkdir()
    for name, value, its_own in (
        ("MPLCONFIGDIR", here / "folder", True),
        ("MPLCONFIGDIR", here / "new" / "folder", True),
        ("MPLCONFIGDIR", file, False),
        ("HOME", file, False),
        ("XDG_CACHE_HOME", file, False),
    ):
        with monkeypatch.context() as patch:
            for each in ("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
                patch.delenv(each, raising=False)
            patch.setenv("HOME", str(here))
            patch.setenv(name, str(value))
            before = os.environ.get("MPLCONFIGDIR")
            offer_folder.cache_clear()
            offer_folder()
            now = os.environ.pop("MPLCONFIGDIR", None)
        assert now == (before if its_own else str(own_folder() / "matplotlib")), (name, value)
    assert not (here / "new").exists()


def test_a_database_whose_folder_cannot_be_used_is_a_sentence_at_once(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says "unable to open database file", as on a full disk: it was tried again for half a minute."""
    write(here, {"small.yaml": JOB})
    for address, said in (
        ("sqlite:///none/x.db", f"there is no folder {here / 'none'}; make it, or name another database"),
        (f"sqlite:///{here}", "is a folder; name a file in it"),
    ):
        monkeypatch.setenv("NAS_STORAGE", address)
        refused = nas("search", "small.yaml")
        assert refused.exit_code == 1 and f"the study database {address} cannot be used: " in plain(refused)
        assert said in plain(refused) and "looking again" not in plain(refused)
    monkeypatch.setenv("NAS_STORAGE", "sqlite:///x.db")
    monkeypatch.setattr("nas.search.study.storage._writable", lambda path: False)  # the owner of all may do anything
    assert f"{here} cannot be written" in plain(nas("search", "small.yaml"))
    with pytest.raises(StudyError, match="name another folder with NAS_STORE"), database_errors("x", None):
        raise PermissionError(errno.EACCES, "Permission denied", "nas-runs")


def test_a_user_without_a_home_has_a_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("NAS_CALIBRATION", raising=False)
    assert cache_home() == Path.home() / ".cache"

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert cache_home().parent.name.startswith("nas-run-")
    assert calibration_path().name == "calibration.json"
    assert mnist_places()


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("space", "raise OSError('boom')", "space_1 fails as it is imported: OSError: boom (space_1.py, line 1)"),
        ("space", "def x(:", "space_2 is no valid Python: invalid syntax (space_2.py, line 1)"),
        (
            "space",
            "from nas.search import SearchSpace\n\n\nclass Space(SearchSpace):\n    def initial(self, rng):\n"
            "        return {}['width']\n\n    def mutate(self, genome, rng, strength, **how):\n        return genome",
            "space_3.py, line 6, in initial: KeyError: 'width'",
        ),
        ("data", "raise KeyError('x')", "fails as it is imported: KeyError: 'x' (space_4.py, line 1)"),
    ],
)
def test_code_of_the_users_own_that_fails_is_a_sentence(here: Path, name: str, code: str, said: str) -> None:
    module = said.split("space_")[1][0]  # modules are imported once in a process
    Path(f"space_{module}.py").write_text(code)
    arguments = [f"space_{module}:Space", "--dry-run"] if name == "data" else ["wine", "--dry-run"]
    more = [] if name == "data" else ["--set", f"space.name=space_{module}:Space", "--set", "resources.executor=serial"]
    if module == "3":
        arguments.remove("--dry-run")
    result = nas("search", *arguments, *more)
    assert said in plain(result) and isinstance(result.exception, SystemExit)


def test_code_of_the_users_own_that_leaves_the_program_is_a_sentence(here: Path) -> None:
    """Not the end of the program with status 0, as the trials were done."""
    space = "import sys\nfrom nas.search_spaces.neuron_dag import NeuronDag\n"
    space += "class Space(NeuronDag):\n    def {}: sys.exit(0)\n"
    search = ("search", "wine", "--set", "resources.executor=serial", "--set", "tracking.mlflow=false")
    for number, (method, code, said) in enumerate(
        [
            ("initial(self, *a, **b)", 1, "space_10.py, line 4, in initial: SystemExit: 0"),
            ("encode(self, genome)", 1, "3 failed: not asked: SystemExit: 0"),
        ]
    ):
        Path(f"space_1{number}.py").write_text(space.format(method))
        result = nas(*search, "--set", f"space.name=space_1{number}:Space", "--set", "search.trials=3")
        assert result.exit_code == code and said in plain(result), plain(result)
    Path("left.py").write_text("import os\ndef data():\n    os.fork() or os._exit(7)\n    os.wait()\n    os._exit(0)\n")
    done = fresh(here, "from nas.cli import main; main()", "data", "left:data")
    assert done.returncode == 1
    assert "left:data: the function failed (RuntimeError: os._exit(0) would end the program" in done.stderr
    program = "    os.fork() or {0}\n    os.wait()\n    {0}\n".format("os.execlp('true', 'true')")
    Path("other.py").write_text(f"import os\ndef data():\n{program}")
    done = fresh(here, "from nas.cli import main; main()", "data", "other:data")
    assert done.returncode == 1 and "true', …) would end the program without a word" in done.stderr, done.stderr
    Path("crash.py").write_text("import ctypes\ndef data():\n    ctypes.string_at(0)\n")
    done = fresh(here, "from nas.cli import main; main()", "data", "crash:data")
    assert done.returncode == -signal.SIGSEGV and 'crash.py", line 3 in data' in done.stderr
    Path("lacking.py").write_text("from nas.search import Strategy\nclass Mine(Strategy):\n    pass\n")
    refused = nas(*search, "--set", "search.strategy=lacking:Mine", "--set", "tracking.experiment=other")
    assert refused.exit_code == 2 and "'lacking:Mine' lacks _ask, which a strategy has to have" in plain(refused)


def test_a_store_that_is_a_file_and_an_address_that_is_none(here: Path) -> None:
    Path("file").write_text("")
    assert "file is a file; a store is a folder" in plain(nas("studies", "--store", "file"))
    assert "no study 'x' in file; it is a file" in plain(nas("front", "x", "--store", "file", "--address", ""))
    assert "'foo' is no address of a head node" in plain(nas("front", "x", "--address", "foo"))
