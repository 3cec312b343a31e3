"""``nas doctor``: is everything here that a search needs?"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.table import Table
from rich.text import Text

from nas.cli.console import STORE, command_line, console, print_json, seconds

__all__ = ["doctor"]

_NEEDED: Final = (
    "torch", "numpy", "numba", "networkx", "scipy", "scikit-learn", "pandas", "pyarrow", "optuna", "mlflow", "moocore",
    "safetensors", "pydantic", "pyyaml", "typer", "rich", "plotly", "matplotlib", "psutil", "ray",
)  # fmt: skip
_OPTIONAL: Final = {"onnx": "ONNX export", "onnxruntime": "running exported ONNX", "triton": "kernels on a GPU"}
_PORTS: Final = ((5000, "nas ui"), (8265, "Ray dashboard"), (6379, "Ray cluster head"))
_MARK: Final = {"ok": ("ok", "green"), "note": ("note", "yellow"), "bad": ("BAD", "bold red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. "note" is something to know, "bad" something that stops a search."""

    subject: str
    state: Literal["ok", "note", "bad"]
    detail: str


def doctor(
    store: Path = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check what is installed, which device there is, which data, which ports; exit 1 if a search could not run."""
    findings: list[Finding] = []
    for check in (_python, _packages, _device, _engine, _calibration, _workers, _data, lambda: _store(store), _ports):
        try:
            findings += check()
        except Exception as error:  # a doctor reports what is broken, whatever it is
            name = getattr(check, "__name__", "store").strip("_<>")
            findings.append(Finding(name, "bad", f"{type(error).__name__}: {error}"))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for finding in findings:
            table.add_row(Text(*_MARK[finding.state]), finding.subject, finding.detail)
        console.print(table)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Finding(
        "python", "ok" if good else "bad", f"{version} at {sys.prefix}" + ("" if good else "; 3.11 is needed")
    )


def _packages() -> Iterator[Finding]:
    versions: dict[str, str | None] = {}
    for name in (*_NEEDED, *_OPTIONAL):
        versions[name] = None
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    missing = [name for name in _NEEDED if versions[name] is None]
    if missing:
        yield Finding("packages", "bad", f"not installed: {', '.join(missing)}; run: make install")
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    yield Finding("packages", "ok", found)
    absent = [f"{name} ({use})" for name, use in _OPTIONAL.items() if versions[name] is None]
    if absent:
        yield Finding("optional", "note", f"not installed: {', '.join(absent)}")


def _device() -> Iterator[Finding]:
    from nas.training import hardware

    facts = hardware()
    yield Finding(
        "processor",
        "ok",
        f"{facts['processor']}, {facts['cores']} cores, {facts['logical_cores']} logical, {facts['memory_gib']} GiB",
    )
    if facts["gpu"] == "none":
        yield Finding("gpu", "note", "none that torch can use; searches run on the processor")
    else:
        yield Finding("gpu", "ok", str(facts["gpu"]))


def _engine() -> Iterator[Finding]:
    """Compiles a small network and compares it with the reference."""
    import numpy as np
    import torch

    from nas import engine
    from nas.graph import random_dag
    from nas.training import reference_kernel_seconds, time_inference

    rng = np.random.default_rng(0)
    dag = random_dag(8, 20, 3, density=0.3, rng=rng)
    module = engine.DAGModule(dag)
    x = torch.from_numpy(rng.standard_normal((128, 8), dtype=np.float32))
    with torch.inference_mode():
        expected = engine.reference_apply(dag, x, module.weight, module.bias, activation=module.activation)
        worst = float((module(x) - expected).abs().max())
    timing = time_inference(module, x, samples=5, budget_seconds=0.2)
    yield Finding(
        "engine",
        "ok" if worst < 1e-4 else "bad",
        f"differs from the reference by {worst:.1g}; {dag.n_edges} edges, batch 128: {seconds(timing.seconds)}; "
        f"reference kernel {seconds(reference_kernel_seconds())}",
    )


def _calibration() -> Iterator[Finding]:
    from nas.training import find_calibration

    found, own = find_calibration()
    if own:
        counts = ", ".join(map(str, found.threads))
        yield Finding("calibration", "ok", f"taken {found.taken}, for {counts} threads")
    else:
        processor = found.hardware["processor"]
        run = command_line("calibrate")
        detail = f"none of this machine and engine, so {processor} stands in for predicted times; run: {run}"
        yield Finding("calibration", "note", detail)


def _workers() -> Iterator[Finding]:
    importlib.import_module("nas.workers")
    address = os.environ.get("RAY_ADDRESS")
    where = f"the cluster at {address} (RAY_ADDRESS)" if address else "started on this machine when a search runs"
    yield Finding("workers", "ok", f"Ray {importlib.metadata.version('ray')}, {where}")


def _data() -> Iterator[Finding]:
    from nas.training import BUILT_IN_SOURCES
    from nas.training.data.idx import find_mnist

    yield Finding("data", "ok", f"bundled: {', '.join(name for name in BUILT_IN_SOURCES if name != 'mnist')}")
    folder = find_mnist()
    if folder is None:
        yield Finding("mnist", "note", "not found; set NAS_DATA_DIR to the folder with its four IDX files to use it")
    else:
        yield Finding("mnist", "ok", f"in {folder}")


def _store(store: Path) -> Iterator[Finding]:
    from nas.search import StudyStore

    place = store if store.exists() else next((p for p in store.absolute().parents if p.exists()), Path.cwd())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield Finding("store", "bad", f"{store}: cannot be written ({error.strerror}); choose another with NAS_STORE")
        return
    free = shutil.disk_usage(place).free / 2**30
    studies = StudyStore.studies(store) if store.exists() else []
    held = f"studies: {', '.join(studies)}" if studies else "no study yet"
    yield Finding("store", "ok" if free > 1 else "note", f"{store}: {held}; {free:.1f} GiB free")


def _ports() -> Iterator[Finding]:
    for port, user in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                yield Finding(f"port {port}", "note", f"in use ({error.strerror}); {user} needs another")
            else:
                yield Finding(f"port {port}", "ok", f"free, for {user}")
