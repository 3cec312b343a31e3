"""Files that say little and hold much, or have no end: each reader refuses them in a sentence, in bounded memory.

A search is done in one folder; every case is a copy of one process, which may take a gigabyte more than that has.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
MORE: Final = 2**30  # bytes that a reader may take
HUGE: Final = 2**36  # of a file that is mostly a hole


def hole(start: bytes = b"") -> Callable[[Path], None]:
    """A file that begins so and goes on with zeros for longer than any memory."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.write(start)
            file.truncate(HUGE)

    return make


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def pipe(path: Path) -> None:
    """Nobody writes into it."""
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def packed(start: bytes, piece: bytes) -> Callable[[Path], None]:
    """Gzipped: a start, and then the same piece of 16 MB again and again, as parts of one file."""

    def make(path: Path) -> None:
        again = gzip.compress(piece * (2**24 // len(piece)))
        path.write_bytes(gzip.compress(start) + again * 32)

    return make


def npz(path: Path) -> None:
    """An array whose header says that it is as long as all memory."""
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 2), }" % 2**36
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x.npy", "y.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + bytes(64))


def npz_packed(path: Path) -> None:
    np.savez_compressed(path, x=np.zeros((80, 2**20), np.int8), y=np.zeros(80, np.int8))


def parquet(path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {name: np.zeros(2**20) for name in "abcdefgh"}
    with pq.ParquetWriter(path, pa.table(columns).schema) as writer:
        for _ in range(64):
            writer.write_table(pa.table(columns))


def workbook(path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["a", "y"])
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            with archive.open(name, "w") as file:
                if name.endswith("sheet1.xml"):
                    head, tail = data.split(b"</sheetData>")
                    file.write(head)
                    for number in range(100):
                        file.write(b'<row r="%d"><c><v>%s</v></c></row>' % (number + 2, b"1" * 2**20))
                    file.write(b"</sheetData>" + tail)
                else:
                    file.write(data)


def image(folder: Path) -> None:
    """A picture of 60,000 x 60,000 pixels, in two folders of classes."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
        parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(2**20))), (b"IEND", b""))
        text = b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in parts
        )
        (folder / name / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + text)


IDX: Final = b"\0\0\x08\x01" + struct.pack(">I", 2**24)
ROWS: Final = b"a,y\n1,2\n"

# What is made, and the command that meets it; {} is its path.
CASES: Final[dict[str, tuple[str, Callable[[Path], None], list[str]]]] = {
    "csv": ("t.csv", hole(ROWS), ["data", "{}", "--set", "data.target=y"]),
    "tsv": ("t.tsv", hole(b"a\ty\n1\t2\n"), ["data", "{}", "--set", "data.target=y"]),
    "csv.gz": ("t.csv.gz", packed(ROWS, b"1,2\n"), ["data", "{}", "--set", "data.target=y"]),
    "tsv.gz": ("t.tsv.gz", packed(b"a\ty\n", b"1\t2\n"), ["data", "{}", "--set", "data.target=y"]),
    "parquet": ("t.parquet", parquet, ["data", "{}", "--set", "data.target=h"]),
    "parquet hole": ("t.parquet", hole(b"PAR1"), ["data", "{}", "--set", "data.target=y"]),
    "workbook": ("t.xlsx", workbook, ["data", "{}", "--set", "data.target=y"]),
    "workbook hole": ("t.xlsx", hole(b"PK\3\4"), ["data", "{}", "--set", "data.target=y"]),
    "npz": ("t.npz", npz, ["data", "{}"]),
    "npz packed": ("t.npz", npz_packed, ["data", "{}"]),
    "npz hole": ("t.npz", hole(b"PK\3\4"), ["data", "{}"]),
    "idx": ("idx/train-images-idx3-ubyte", hole(IDX), ["data", "idx:{parent}"]),
    "idx.gz": (
        "idx/train-images-idx3-ubyte.gz",
        packed(b"\0\0\x08\x01" + struct.pack(">I", 2**32 - 1), b"\1\2\3\4"),
        ["data", "idx:{parent}"],
    ),
    "images": ("pictures", image, ["data", "images:{}"]),
    "edges": ("e.csv", hole(b"source,target\n1,2\n"), ["edges", "{}"]),
    "edges endless": ("e.csv", endless, ["edges", "{}"]),
    "graphml": ("g.graphml", hole(b"<graphml>"), ["graphml", "{}"]),
    "graphml endless": ("g.graphml", endless, ["graphml", "{}"]),
    "checkpoint": ("n.safetensors", hole(), ["evaluate", "{}"]),
    "checkpoint header": ("n.safetensors", hole(struct.pack("<Q", 2**35) + b"{"), ["evaluate", "{}"]),
    "checkpoint endless": ("n.safetensors", endless, ["evaluate", "{}"]),
    "checkpoint random": ("n.safetensors", lambda path: path.symlink_to("/dev/urandom"), ["evaluate", "{}"]),
    "checkpoint to predict": ("n.safetensors", hole(), ["predict", "{}", "rows.csv"]),
    "rows to predict": ("r.csv", hole(ROWS), ["predict", "small", "{}"]),
    "job": ("j.yaml", hole(b"data: {source: iris}\n"), ["search", "{}"]),
    "journal": ("nas-runs/small/optuna.journal", hole(), ["front", "small"]),
    "journal line": ("nas-runs/small/optuna.journal", hole(b'{"op_code": 0'), ["front", "small"]),
    "journal endless": ("nas-runs/small/optuna.journal", endless, ["front", "small"]),
    "identity": ("nas-runs/small/study.json", hole(b'{"id": "x"'), ["front", "small"]),
    "identity endless": ("nas-runs/small/study.json", endless, ["front", "small"]),
}
ODD: Final[dict[str, Callable[[Path], None]]] = {
    "endless": endless, "random": lambda path: path.symlink_to("/dev/urandom"), "pipe": pipe, "folder": folder,
    "hole": hole(), "whole hole": hole(struct.pack("<Q", 10) + b'{"a": 1234'),
}  # fmt: skip
_OF_STUDY: Final = "nas-runs/small/"
for odd, made in ODD.items():
    resume = ["search", "small.yaml", "--resume"]
    CASES |= {
        f"genome {odd} resumed": (f"{_OF_STUDY}genomes/000000.safetensors", made, resume),
        f"weights {odd} resumed": (f"{_OF_STUDY}trials/000000.safetensors", made, resume),
        f"weights {odd} evaluated": (f"{_OF_STUDY}trials/{{best}}", made, ["evaluate", "small"]),
        f"genome {odd} replayed": (f"{_OF_STUDY}genomes/000000.safetensors", made, ["replay", "0", "--study", "small"]),
        f"journal {odd}": (f"{_OF_STUDY}optuna.journal", made, ["front", "small"]),
        f"identity {odd}": (f"{_OF_STUDY}study.json", made, ["front", "small"]),
        f"former journal {odd}": (f"{_OF_STUDY}journal.jsonl", made, ["front", "small"]),
    }
for ending in ("csv", "tsv", "csv.gz", "parquet", "xlsx", "npz"):
    for odd in ("endless", "random", "folder"):
        CASES[f"{ending} {odd}"] = (f"t.{ending}", ODD[odd], ["data", "{}", "--set", "data.target=y"])
for odd in ("endless", "random", "folder"):
    CASES[f"idx {odd}"] = ("idx/train-images-idx3-ubyte", ODD[odd], ["data", "idx:{parent}"])
    CASES[f"rows {odd} to predict"] = ("r.csv", ODD[odd], ["predict", "small", "{}"])
    CASES[f"job {odd}"] = ("j.yaml", ODD[odd], ["search", "{}"])
UNSAID: Final = {  # of what is beside the study, and not of it: as if it were not there
    "status": ("nas-runs/small/status.json", hole(b'{"format": 1'), ["status", "small"]),
    "calibration": ("cache/calibration.json", hole(b"{"), ["data", "iris"]),
    **{f"status {odd}": (f"{_OF_STUDY}status.json", made, ["status", "small"]) for odd, made in ODD.items()},
    **{f"lock {odd}": (f"{_OF_STUDY}lock", made, ["status", "small"]) for odd, made in ODD.items()},
    **{f"calibration {odd}": ("cache/calibration.json", ODD[odd], ["data", "iris"]) for odd in ("endless", "random")},
}

# In a copy of this process: what a command says, and how it ends.
TRIED: Final = """
import json, os, resource, shutil, signal, sys
from pathlib import Path
import nas, nas.errors, nas.graph, nas.search, nas.training, nas.checkpoint, pandas, pyarrow, openpyxl, PIL.Image
from nas.cli import main

def act(words):
    if words[0] in ("edges", "graphml"):
        read = nas.graph.read_edge_list if words[0] == "edges" else nas.graph.read_graphml
        try:
            read(words[1])
        except (nas.errors.NasError, OSError) as error:
            sys.exit(f"error: {error}")
        return
    sys.argv = ["nas", *words]
    main()

for line in sys.stdin:
    case = json.loads(line)
    child = os.fork()
    if child == 0:
        said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1), os.dup2(said, 2)
        has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (has + MORE, has + MORE))
        signal.alarm(300)  # what waits for ever fails its test, and only that
        code = 0
        try:
            act(case)
        except SystemExit as error:
            code = error.code
            if isinstance(code, str):
                print(code)
                code = 1
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 70
        sys.stdout.flush()
        os._exit(code or 0)
    status = os.waitpid(child, 0)[1]
    print(json.dumps([os.waitstatus_to_exitcode(status), Path("said").read_text(errors="replace")]), flush=True)
"""
JOB: Final = """
data: {source: iris}
space: {name: neuron_dag, options: {n_computational: 5, density: 0.3}}
search: {trials: 2, objectives: [error, edges], baselines: false}
training: {steps: 10, batch_size: 32, log_every: 5}
resources: {executor: serial}
tracking: {mlflow: false, experiment: small}
"""


class Trier:
    """Runs commands in copies of one process, in a folder with a finished search."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NAS_CALIBRATION": str(folder / "cache/calibration.json")}
        environment.pop("NAS_STORE", None)
        (folder / "small.yaml").write_text(JOB)
        (folder / "rows.csv").write_bytes(ROWS)
        (folder / "cache").mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRIED.replace("MORE", str(MORE))],
            cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        command = [sys.executable, "-m", "nas", "search", "small.yaml"]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        self.best = sorted(folder.glob("nas-runs/small/trials/*.safetensors"))[0].name

    def __call__(self, case: tuple[str, Callable[[Path], None], list[str]]) -> tuple[int, str]:
        name, make, words = case
        path = self.folder / name.replace("{best}", self.best)
        kept = path.read_bytes() if path.exists() else None
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        make(path)
        try:
            assert self.process.stdin is not None and self.process.stdout is not None
            given = [word.replace("{parent}", str(path.parent)).replace("{}", str(path)) for word in words]
            self.process.stdin.write(json.dumps(given) + "\n")
            self.process.stdin.flush()
            code, said = json.loads(self.process.stdout.readline())
            return code, said
        finally:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            if kept is not None:
                path.write_bytes(kept)


@pytest.fixture(scope="module")
def trier(tmp_path_factory: pytest.TempPathFactory) -> Trier:
    return Trier(tmp_path_factory.mktemp("bounds"))


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_in_a_sentence(case: str, trier: Trier) -> None:
    code, said = trier(CASES[case])
    assert code in (1, 2) and "Traceback" not in said, said[-3000:]
    assert "error: " in said and len(said) < 2000, said[-3000:]


@pytest.mark.parametrize("case", UNSAID)
def test_it_is_left_alone(case: str, trier: Trier) -> None:
    code, said = trier(UNSAID[case])
    assert "Traceback" not in said and code in (0, 1), said[-3000:]
