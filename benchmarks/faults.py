"""A study with a fault at every call that changes one of its files, one after another: is it whole afterwards?

A library that is preloaded (`benchmarks/faults.c`) counts what Python and SQLite do to the files of a store: creating,
writing, flushing, renaming, removing. A search is run once to count these calls, and then again for each of them and
each fault: the process dies before the call, as by kill -9; it dies after half of a write; the disk is full from this
call on. Then the study is looked at, as `nas status` does, continued with `run_search`, as `nas search --resume` does,
and compared with one that nothing happened to: trials, their numbers, their results and files, the front.

No Ray, no MLflow, and evaluations that take no time: what is enumerated is the study. ``python -m benchmarks.faults``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from nas.cli._standing import standing
from nas.search import (
    RandomStrategy,
    SerialExecutor,
    SpaceConfig,
    StorageError,
    StudyStore,
    load_space,
    run_search,
)
from nas.training import Candidate, DataConfig, Dataset, TrainingConfig, TrialResult, TrialStatus, load_data

__all__ = ["FAULTS", "compiled", "how_often", "kind_of", "main", "reported"]

FAULTS: Final = {"dies": 1, "dies within": 2, "disk full": 3}
"""What happens at a call, as faults.c numbers it."""

_NAME: Final = "faults"
_BEFORE, _TRIALS = 2, 4  # trials that the study has, and is to have
_TRAINING: Final = TrainingConfig(steps=10, batch_size=16, log_every=5, parametrisation="free")
_KILLED: Final = 137
_TOLD: Final = "told "  # and the number of a trial that the study has recorded as ended
_evaluated: list[int] = []  # trials, in this process


def compiled(folder: Path) -> Path | None:
    """The library, or None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "faults.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def evaluate(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
    """A result that depends on the candidate alone, with weights to be kept."""
    _evaluated.append(candidate.number)
    dag = candidate.genome.dag
    rng = np.random.default_rng(candidate.seed)
    arrays = {"weight": rng.normal(size=dag.n_edges).astype(np.float32)}
    metrics = {
        "val_error": float(rng.random()),
        "test_error": float(rng.random()),
        "inference_seconds": 1e-6 * dag.n_edges,
        "edges": float(dag.n_edges),
    }
    history = {"step": np.array([5.0, 10.0]), "val_error": np.array([1.0, metrics["val_error"]])}
    return TrialResult(
        candidate.number, TrialStatus.COMPLETE, metrics, dag=dag, arrays=arrays, history=history, seconds=0.01
    )


class Bench:
    """Runs searches, each in a process of its own that begins as a copy of this one.

    Args:
        library: of `compiled`, which must be preloaded.
        root: an empty folder.
    """

    def __init__(self, library: Path, root: Path) -> None:
        self._arm = ctypes.CDLL(str(library)).faults_arm
        self._root = root
        self._report: int | None = None  # where a copy of this process says what it did
        self._data = load_data(DataConfig(source="iris"))
        options = {"n_computational": [2, 4], "density": [0.3, 0.6]}
        self._space = load_space(SpaceConfig(options=options), self._data)
        # In this process, so that its copies have imported and compiled what they need.
        self.begun = root / "begun"
        self._search(self.begun, _BEFORE)
        reference = root / "reference"
        shutil.copytree(self.begun, reference)
        look(reference)
        self._search(reference, _TRIALS)
        self._expected = seen(reference)

    def calls(self, *, new: bool) -> list[str]:
        """What a search does to its files, call by call; `new`: from an empty folder on."""
        with self._store(new) as store:
            lines = self._child(lambda: self._search(store, _TRIALS), store, 0, 0)
            return [line for line in lines if not line.startswith(_TOLD)]

    def tried(self, at: int, fault: int, *, new: bool) -> tuple[str, str]:
        """The call at which the fault happened, and what is wrong afterwards; "": nothing."""
        with self._store(new) as store:
            where = "(ended before)"
            try:
                lines = self._child(lambda: self._search(store, _TRIALS), store, at, fault)
                named = [line for line in lines if not line.startswith(_TOLD)]
                where = named[at - 1] if len(named) >= at else where
                told = [int(line.removeprefix(_TOLD)) for line in lines if line.startswith(_TOLD)]
                self._child(lambda: self._go_on(store, set(told)))
            except RuntimeError as error:
                return where, str(error)
            return where, ""

    def _go_on(self, store: Path, told: set[int]) -> None:
        ended = look(store)
        if not told <= ended:
            raise RuntimeError(f"trials {sorted(told - ended)} had ended and are lost")
        _evaluated.clear()
        self._search(store, _TRIALS)
        if again := ended & set(_evaluated):
            raise RuntimeError(f"trials {sorted(again)} had ended and were evaluated again")
        if (found := seen(store)) != self._expected:
            raise RuntimeError(f"it is {found}, where {self._expected} was expected")

    @contextlib.contextmanager
    def _store(self, new: bool) -> Iterator[Path]:
        store = self._root / "tried"
        shutil.rmtree(store, ignore_errors=True)
        if new:
            store.mkdir()
        else:
            shutil.copytree(self.begun, store)
        yield store

    def _search(self, folder: Path, trials: int) -> None:
        """What `nas search --resume-or-start` does with its study."""
        known = _NAME in StudyStore.studies(folder)
        store = StudyStore.open(folder, _NAME) if known else StudyStore.create(folder, _NAME)
        strategy = RandomStrategy(self._space, _TRAINING, store.objectives, 0)
        executor = SerialExecutor(self._data, _TRAINING, evaluate=evaluate)
        run_search(strategy, executor, store, trials=trials, on_result=self._told)

    def _told(self, _: Candidate, result: TrialResult) -> None:
        if self._report is not None:
            os.write(self._report, f"{_TOLD}{result.number}\n".encode())

    def _child(self, act: Callable[[], None], store: Path | None = None, at: int = 0, fault: int = 0) -> list[str]:
        """Runs `act` in a copy of this process, with a fault in a store; what it printed, or the calls it made.

        Raises:
            RuntimeError: it ended in another way than its fault allows.
        """
        ours, theirs = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(ours)
                if store is None:
                    os.dup2(theirs, 1)
                else:
                    self._report = theirs
                    self._arm(str(store).encode(), at, fault, theirs)
                act()
                sys.stdout.flush()
                code = 0
            except StorageError:
                code = 3  # the search waits for its disk; see nas.cli._patience
            except BaseException as error:
                os.write(theirs, f"\n{type(error).__name__}: {error}\n".encode())
            finally:
                os._exit(code)
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8", errors="replace") as pipe:
            lines = pipe.read().splitlines()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        full = fault == FAULTS["disk full"]
        if code not in ((0, 3) if full else (0, _KILLED) if fault else (0,)):
            raise RuntimeError(f"exit code {code}{' with a full disk' if full else ''}: {lines[-1] if lines else ''}")
        return lines


def look(folder: Path) -> set[int]:
    """What others may ask of a study that has just been killed: nothing of it fails.

    Returns:
        The trials that have ended.

    Raises:
        RuntimeError: a trial that has ended cannot be read, or status and study disagree.
    """
    if _NAME not in StudyStore.studies(folder):
        return set()  # its making was interrupted
    study = StudyStore.open(folder, _NAME)
    shown, ended = (
        standing(study.folder, study.counts()),
        [each for each in study.records() if each.state == "complete"],
    )
    if shown["complete"] != len(ended) or shown["driven"]:
        raise RuntimeError(f"status says {shown['complete']} complete, the study {len(ended)}")
    for record in ended:
        study.load_result(record.number)
    if not {member.number for member in study.front().members} <= {each.number for each in ended}:
        raise RuntimeError("the front holds a trial that has not ended")
    return {each.number for each in ended}


def seen(folder: Path) -> str:
    """Everything that a study says of itself, each from where it is kept, as far as it is equal wherever it ran.

    Raises:
        NasError: it contradicts itself.
        RuntimeError: likewise.
    """
    study = StudyStore.open(folder, _NAME)
    study.verify()
    records = study.records()
    files: dict[str, Any] = {}
    for record in records:
        result = study.load_result(record.number)
        if record.result is None or dict(record.result.metrics) != dict(result.metrics):
            raise RuntimeError(f"trial {record.number}: its file and its row say different things")
        candidate = study.load_candidate(record.number)
        weights = [round(float(array.sum()), 4) for _, array in sorted(result.arrays.items())]
        files[str(record.number)] = [candidate.seed, candidate.parent, candidate.genome.dag.n_edges, weights]
    left = [path.name for path in folder.rglob("*.tmp")]
    if left:
        raise RuntimeError(f"left over: {', '.join(left)}")
    shown = standing(study.folder, study.counts())
    said = {
        "numbers": [record.number for record in records],
        "states": [record.state for record in records],
        "counts": study.counts(),
        "status": [shown[state] for state in ("complete", "failed", "stopped", "running")],
        "front": sorted(study.front().numbers),
        "files": files,
    }
    return json.dumps(said)


def main(arguments: list[str] | None = None) -> int:
    """Tries every fault; prints a table. 0: the study was whole each time; 2: there is no compiler."""
    parser = argparse.ArgumentParser(prog="benchmarks.faults", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try every so many calls only")
    parser.add_argument("--begun", action="store_true", help="only a study that goes on, not the making of one")
    parser.add_argument("--library", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="file for the report (default: printed)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.library is None:
            library = compiled(folder)
            if library is None:
                print("a C compiler is needed (cc or gcc)", file=sys.stderr)
                return 2
            words = [*(sys.argv[1:] if arguments is None else arguments), "--library", str(library)]
            command = [sys.executable, "-m", "benchmarks.faults", *words]
            return subprocess.run(command, env={**os.environ, "LD_PRELOAD": str(library)}).returncode
        logging.disable(logging.WARNING)  # that a trial is run again is what is meant to happen
        text, wrong = table(Bench(options.library, folder), options.every, (False,) if options.begun else (False, True))
    return reported(text, options.out, bool(wrong))


def reported(text: str, out: Path | None, wrong: bool) -> int:
    """Prints a report, and writes it where that is wished; the exit code of who made it."""
    print(text)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    return 1 if wrong else 0


def table(bench: Bench, every: int, kinds: tuple[bool, ...]) -> tuple[str, int]:
    """The report, and how many faults left a study that is not whole; `kinds`: whether from an empty folder on."""
    tried: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong: list[str] = []
    began, total = time.monotonic(), 0
    for new in kinds:
        calls = bench.calls(new=new)
        for kind, fault in FAULTS.items():
            # Each fault begins at another call, so that few tries meet many of them.
            for at in range(1 + (fault * every) // len(FAULTS) % every, len(calls) + 1, every):
                where, problem = bench.tried(at, fault, new=new)
                total += 1
                tried[kind_of(where), kind] += 1
                if problem:
                    wrong.append(f"{'new study' if new else 'study'}, call {at}, {kind}, {where}: {problem}")
    lines = [
        "# A fault at every call that changes a file of a study",
        "",
        f"`python -m benchmarks.faults`: {total:,} faults in {time.monotonic() - began:.0f} s. After each, the study "
        "was read, continued, and compared with one that nothing happened to.",
        "",
        f"{total - len(wrong):,} whole, {len(wrong)} not.",
        "",
        *how_often(tried, [*FAULTS], wrong),
    ]
    return "\n".join(lines) + "\n", len(wrong)


def how_often(tried: Mapping[tuple[str, str], int], kinds: Sequence[str], wrong: Sequence[str]) -> list[str]:
    """Lines of a report: how often each kind of fault was tried at each kind of call, then what went wrong.

    Args:
        tried: by call and kind of fault.
        kinds: of faults, a column each.
        wrong: a sentence each.
    """
    lines = [f"| call | {' | '.join(kinds)} |", f"| --- |{' --: |' * len(kinds)}"]
    for call in sorted({call for call, _ in tried}):
        lines.append(f"| {call} | {' | '.join(str(tried[call, kind]) for kind in kinds)} |")
    return [*lines, "", *(f"- {each}" for each in wrong)] if wrong else lines


def kind_of(call: str, study: str = _NAME) -> str:
    """A call without what is different in every run: numbers of trials and names of temporary files and of runs."""
    name = re.sub(r"(\.\d+)?(\.[0-9a-f]+)?\.tmp$", ".tmp", call.replace(f" {study}/", " "))
    name = re.sub(r"(\.uploading)\.\w+$", r"\1", name)
    name = re.sub(r"[0-9a-f]{32}", "…", name)
    return re.sub(r"\d{6}", "…", name)


if __name__ == "__main__":
    sys.exit(main())
