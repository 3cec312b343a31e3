"""The whole service with a fault at every call by which a trial's life changes a file: do all its parts agree?

As `benchmarks.faults`, for ``nas search`` itself: trials on Ray workers or in one process, MLflow's database and
artifacts, the status, the front and the exported network all lie in a store whose calls are counted. A study of two
trials is continued by one more, and for each call that this makes (creating, writing, flushing, renaming, removing) and
each fault it is done again (where calls follow their like, at the first):

- *killed*: the process dies before the call, as by kill -9;
- *terminated*: it gets a SIGTERM there;
- *disk full*: this call and all that need room fail for two seconds;
- *second driver*: the process stands still there while another ``nas search`` of the study starts, and then goes on.

Then the search is resumed, and study, files, MLflow, status and front are compared with each other.
``python -m benchmarks.service_faults --executor ray --every 20``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import importlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.faults import compiled, how_often, kind_of, reported
from benchmarks.services import RayNode, Secrets, working_folder
from nas.graph import random_dag

__all__ = ["FAULTS", "disagreements", "main", "telling"]

FAULTS: Final = {"killed": 1, "terminated": 5, "disk full": 4, "second driver": 6}
"""What happens at a call, as faults.c numbers it."""

_NAME: Final = "life"
_JOB: Final = """
data: {source: iris}
space: {options: {n_computational: [2, 4], density: [0.3, 0.6]}}
search: {trials: TRIALS, baselines: false, strategy: random}
training: {steps: 10, batch_size: 16, inference_batch: 16, log_every: 5}
resources: {executor: EXECUTOR, workers: WORKERS}
"""
_BEFORE, _TRIALS = 2, 3  # trials that the study has, and is to have
_SECONDS: Final = 120.0  # that a search of one trial may take
_KILLED: Final = 137


class Life:
    """Searches in processes that begin as copies of this one, which has imported all they need.

    Args:
        library: of `compiled`, which must be preloaded.
        root: an empty folder.
        executor: "ray" (the cluster that the environment names) or "serial".
        new: from an empty store on, which is part of what is tried then.
    """

    def __init__(self, library: Path, root: Path, executor: str, *, new: bool = False) -> None:
        self._codes: dict[int, int] = {}  # of children that have been waited for
        self._arm = ctypes.CDLL(str(library)).faults_arm
        self._root = root
        self._job = root / f"{_NAME}.yaml"
        text = _JOB.replace("EXECUTOR", executor)
        self._job.write_text(text.replace(", workers: WORKERS", "" if executor == "serial" else ", workers: 1"))
        self._begun, self._store = root / "begun", root / "tried"
        self._temporary = root / "temporary"
        self._temporary.mkdir()
        self._loaded = root / "loaded"
        _import()
        self._trials = _BEFORE if new else _TRIALS
        self.what = "a search of two trials in an empty store" if new else "one more trial"
        if new:
            self._begun.mkdir()
            return
        code, said = self._ended(self._search(self._begun, _BEFORE), 10 * _SECONDS)  # it may have to compile first
        if code != 0:
            raise RuntimeError(f"the search that everything begins with ended with {code}:\n{said}")
        self._begin_with_all()

    def _begin_with_all(self) -> None:
        """Has this process import, and load of compiled code, what a search and a look at one have met on their way:
        in each of their copies that would take seconds."""
        with self._copy():
            self._look()
        random_dag(4, 4, 3, density=0.5, rng=np.random.default_rng(0))
        for name in self._loaded.read_text().split():
            with contextlib.suppress(Exception):  # some are parts of others and cannot be imported by themselves
                importlib.import_module(name)

    def calls(self) -> list[str]:
        """What the life of a trial does to the files of a store, call by call."""
        with self._copy():
            out = self._root / "calls"
            code, said = self._ended(self._search(self._store, self._trials, calls=out))
            if code != 0:
                raise RuntimeError(f"a search without any fault ended with {code}:\n{said}")
            return out.read_text().splitlines()

    def tried(self, at: int, fault: int) -> tuple[str, str]:
        """The call at which the fault happened, and what is wrong afterwards; "": nothing."""
        with self._copy():
            out = self._root / "calls"
            child = self._search(self._store, self._trials, calls=out, at=at, fault=fault)
            problem = self._second_driver(child) if fault == FAULTS["second driver"] else ""
            code, said = self._ended(child)
            lines = out.read_text().splitlines()
            where = lines[at - 1] if len(lines) >= at else "(ended before)"
            problem = problem or self._ending(fault, code, said, len(lines) >= at)
            if not problem:
                code, said = self._ended(self._search(self._store, self._trials))
                if "MLflow does not have" in said:  # where the machine is busy; said, with the remedy
                    code, said = self._ended(self._search(self._store, self._trials))
                problem = f"resumed, it ended with {code}:\n{said[-2000:]}" if code != 0 else self._look()
            return where, problem

    def _ending(self, fault: int, code: int, said: str, met: bool) -> str:
        """What is wrong with how the search ended."""
        allowed = {FAULTS["killed"]: (_KILLED, 0), FAULTS["terminated"]: (0, 1)}.get(fault, (0,))
        if code not in allowed or "Traceback" in said:
            return f"it ended with {code}:\n{telling(said)}"
        if fault == FAULTS["terminated"] and code == 1 and not re.search(r"resume: \S*nas search|interrupted", said):
            return f"it was stopped and does not say how to go on:\n{said[-2000:]}"
        left = [path.name for path in self._temporary.iterdir()]
        if left and met and code != _KILLED:
            return f"left in the folder of temporary files: {', '.join(left)}"
        return ""

    def _second_driver(self, first: int) -> str:
        """What is wrong with a second driver while the first stands still."""
        _, status = os.waitpid(first, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self._codes[first] = os.waitstatus_to_exitcode(status)
            return ""
        try:
            before = _files(self._store)
            code, said = self._ended(self._search(self._store, self._trials))
            if code == 1 and "is being driven by another process" in said:
                changed = sorted(name for name, data in _files(self._store).items() if before.get(name) != data)
                return f"the second driver was refused and changed {', '.join(changed)}" if changed else ""
            # Where the first has not begun or has ended, the second one does what there is to do.
            return "" if code == 0 else f"the second driver ended with {code}:\n{said[-2000:]}"
        finally:
            os.kill(first, signal.SIGCONT)

    def _look(self) -> str:
        """What study, files, MLflow, status and front say of each other, read in another process."""
        out = self._root / "look"
        child = self._forked(lambda: out.write_text("\n".join(disagreements(self._store, _NAME, self._trials))))
        code, said = self._ended(child)
        return said[-2000:] if code != 0 else out.read_text()

    @contextlib.contextmanager
    def _copy(self) -> Iterator[None]:
        shutil.rmtree(self._store, ignore_errors=True)
        shutil.copytree(self._begun, self._store)
        for left in self._temporary.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        yield

    def _search(self, store: Path, trials: int, calls: Path | None = None, at: int = 0, fault: int = 0) -> int:
        """Begins ``nas search`` in a copy of this process; its id."""
        job = self._job.read_text().replace("TRIALS", str(trials))

        def act() -> None:
            os.environ["NAS_STORE"] = str(store)
            folder = self._root / "jobs"
            folder.mkdir(exist_ok=True)
            path = folder / f"{_NAME}.yaml"
            if not path.exists() or path.read_text() != job:
                path.write_text(job)
            os.chdir(folder)
            if calls is not None:
                told = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
                self._arm(str(store).encode(), at, fault, told)
            from nas.cli import main

            sys.argv = ["nas", "search", path.name, "--resume-or-start"]
            main()

        return self._forked(act)

    def _forked(self, act: Callable[[], object]) -> int:
        sys.stdout.flush()
        output, known = self._root / "said", {*sys.modules}
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            said = os.open(f"{output}-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            tempfile.tempdir = None
            os.environ["TMPDIR"] = str(self._temporary)
            import atexit

            act()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            with self._loaded.open("a") as file:
                file.writelines(f"{name}\n" for name in {*sys.modules} - known)
            sys.stdout.flush()
            sys.stderr.flush()
            atexit._run_exitfuncs()
            os._exit(code)

    def _ended(self, child: int, seconds: float = _SECONDS) -> tuple[int, str]:
        """Exit code of a child, as a shell has it, and what it said; 124: it took longer than `seconds`."""
        deadline = time.monotonic() + seconds
        code = self._codes.pop(child, None)
        while code is None:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                code = 124
            else:
                time.sleep(0.02)
        output = Path(f"{self._root / 'said'}-{child}")
        said = output.read_text(errors="replace")
        output.unlink()
        return code, said


def _import() -> None:
    """What a search imports on its way, so that its copies need not."""
    import matplotlib.pyplot  # noqa: F401
    import mlflow
    import mlflow.pyfunc  # noqa: F401
    import ray  # noqa: F401

    import nas.cli
    import nas.cli.search
    import nas.cli.study
    import nas.job
    import nas.search
    import nas.tracking.mlflow._session
    import nas.tracking.mlflow.champion
    import nas.tracking.mlflow.writer
    import nas.workers  # noqa: F401


def telling(said: str) -> str:
    """What led to the first traceback in what was said and how it begins, and the end; without one the end."""
    at = said.find("Traceback")
    if at < 0:
        return said[-2000:]
    told = said[max(0, at - 500) :]
    return told if len(told) <= 4000 else f"{told[:1500]}\n[…]\n{told[-2500:]}"


def _files(store: Path) -> dict[str, bytes]:
    """What is in a store, but for the index of SQLite's log, which readers write, too."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }


def disagreements(store: Path, name: str, trials: int) -> list[str]:
    """What study, files, MLflow, status and front of a finished search say that does not agree."""
    from mlflow import MlflowClient

    from nas import checkpoint
    from nas.cli._standing import standing
    from nas.search import StudyStore

    found: list[str] = []

    def same(what: str, seen: object, wanted: object) -> None:
        if seen != wanted:
            found.append(f"{what}: {seen}, not {wanted}")

    study = StudyStore.open(store, name)
    study.verify()
    records, front, retimed = study.records(), sorted(study.front().numbers), study.retimed()
    same("numbers of trials", [record.number for record in records], list(range(trials)))
    same("states", [record.state for record in records], ["complete"] * trials)
    for record in records:
        written = dict(study.load_result(record.number).metrics)
        same(f"file of trial {record.number}", written, dict(record.result.metrics) if record.result else None)
    same("half-written files", [path.name for path in store.rglob("*.tmp")], [])
    shown = standing(study.folder, study.counts())
    same("status", [shown[key] for key in ("state", "complete", "failed", "running")], ["finished", trials, 0, 0])
    same("status, MLflow behind", shown.get("mlflow_behind"), 0)
    exported = checkpoint.load(store / name / "best.safetensors").record["trial"]
    same("exported network", exported, study.front().best().number)

    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    parents = [run for run in runs if "trial" not in run.data.tags]
    logged: dict[int, Any] = {int(run.data.tags["trial"]): run for run in runs if "trial" in run.data.tags}
    same("parent runs in MLflow", [run.info.status for run in parents], ["FINISHED"])
    same("runs in MLflow", len(runs) - len(parents), trials)
    same("trials in MLflow", sorted(logged), list(range(trials)))
    for record in records:
        run = logged.get(record.number)
        if run is None or record.result is None:
            continue
        same(f"status of trial {record.number} in MLflow", run.info.status, "FINISHED")
        for metric, value in {**record.result.metrics, **retimed.get(record.number, {})}.items():
            logged_value = run.data.metrics.get(metric)
            if logged_value is None or abs(logged_value - value) > 1e-5 * abs(value):
                found.append(f"{metric} of trial {record.number} in MLflow: {logged_value}, not {value}")
    tagged = sorted(number for number, run in logged.items() if run.data.tags.get("pareto") == "true")
    same("front in MLflow", tagged, front)
    for parent in parents:
        same("members that MLflow counts", parent.data.metrics.get("front_size"), float(len(front)))
    return found


@contextlib.contextmanager
def _cluster() -> Iterator[dict[str, str]]:
    """A Ray head with one processor; the environment of who uses it."""
    known = Secrets()
    with working_folder() as folder:
        head = RayNode(folder, known, name="head")
        node = RayNode(folder, known, name="node", head=head, cpus=1)
        try:
            head.start()
            node.start()
            yield {"RAY_ADDRESS": head.gcs, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": known.ray}
        finally:
            node.close()
            head.close()


def table(life: Life, every: int, kinds: list[str], words: str) -> tuple[str, int]:
    """The report, and how many faults left something that does not agree."""
    tried: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong: list[str] = []
    began, total, calls = time.monotonic(), 0, life.calls()
    turns = [at for at in range(1, len(calls) + 1) if at == 1 or calls[at - 1] != calls[at - 2]]
    for order, kind in enumerate(kinds):
        # Each fault begins at another call, so that few tries meet many of them.
        for at in turns[order * every // len(kinds) :: every]:
            where, problem = life.tried(at, FAULTS[kind])
            total += 1
            tried[kind_of(where, _NAME), kind] += 1
            if problem:
                wrong.append(f"call {at}, {kind}, {where}: {problem}")
                print(f"- {wrong[-1]}", file=sys.stderr, flush=True)
    which = "each" if every == 1 else f"one in {every} of these, each fault beginning with another,"
    lines = [
        "# A trial's life in the whole service, with a fault at the calls that change a file",
        "",
        f"`python -m benchmarks.service_faults {words}`: {life.what} makes {len(calls):,} such calls, {len(turns):,} "
        "without those that follow their like (the pages of one transaction of SQLite). At "
        f"{which} a fault: {total:,} in {time.monotonic() - began:.0f} s. After each, the search was resumed, "
        "and study, files, MLflow, status, front and exported network were compared.",
        "",
        f"{total - len(wrong):,} agree, {len(wrong)} do not.",
        "",
        *how_often(tried, kinds, wrong),
    ]
    return "\n".join(lines) + "\n", len(wrong)


def main(arguments: list[str] | None = None) -> int:
    """Tries the faults; prints a table. 0: all agree each time; 2: there is no compiler."""
    parser = argparse.ArgumentParser(prog="benchmarks.service_faults", description=__doc__)
    parser.add_argument("--executor", choices=("ray", "serial"), default="ray")
    parser.add_argument("--new", action="store_true", help="from an empty store on, in place of one more trial")
    parser.add_argument("--every", type=int, default=1, help="try every so many calls only")
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument("--out", type=Path, help="file for the report (default: printed)")
    parser.add_argument("--library", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started
    # Not a TemporaryDirectory, which would be removed by each copy of this process as it exits.
    # In the folder of who started it, which goes even if this process is killed.
    inside = None if options.library is None else options.library.parent
    folder = Path(tempfile.mkdtemp(prefix="nas-life-", dir=inside))
    try:
        if options.library is None:
            library = compiled(folder)
            if library is None:
                print("a C compiler is needed (cc or gcc)", file=sys.stderr)
                return 2
            given = [*(sys.argv[1:] if arguments is None else arguments), "--library", str(library)]
            command = [sys.executable, "-m", "benchmarks.service_faults", *given]
            with contextlib.ExitStack() as stack:
                cluster = stack.enter_context(_cluster()) if options.executor == "ray" else {}
                environment = {**os.environ, **cluster, "LD_PRELOAD": str(library), "MLFLOW_DISABLE_TELEMETRY": "true"}
                return subprocess.run(command, env=environment).returncode
        life = Life(options.library, folder, options.executor, new=options.new)
        words = f"--executor {options.executor}{' --new' if options.new else ''} --every {options.every}"
        if options.faults != list(FAULTS):
            words += f" --faults {shlex.join(options.faults)}"
        text, wrong = table(life, options.every, options.faults, words)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return reported(text, options.out, bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
