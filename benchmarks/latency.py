"""One sample through compiled C and through others: ``python -m benchmarks.latency [--others FOLDER]``.

The question: what does one prediction cost, of a network as exported C (floats unrolled, floats in tables, integers),
and of the same network in ONNX Runtime, torch and this package's own passes; and of boosted trees and a dense network
that are as accurate, as C, too? All is measured in one process on one thread, in turn, round after round, and the least
process time of each is taken; what comes from Python is called from Python, what is C from a loop in C. Flash is code
and constants on a Cortex-M0 at -Os, without the compiler's own routines for floating point. ``--others`` names a folder
with packages that are no part of the environment (``pip install --no-deps --target FOLDER lightgbm tl2cgen treelite
m2cgen emlearn``); what is not there is left out, with a word.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import functools
import importlib
import json
import math
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from nas.cexport import c_source, compiled_loop
from nas.checkpoint import export_onnx
from nas.engine import DAGModule
from nas.graph import layered
from nas.manifold import ManifoldNetwork
from nas.training import (
    DataConfig,
    Dataset,
    Statistics,
    TrainingConfig,
    hardware,
    load_data,
    measure,
    pinned_threads,
    raw_features,
    raw_targets,
    train,
)  # fmt: skip

__all__ = ["main"]

_ROOT = Path(__file__).parents[1]
RESULTS = _ROOT / "benchmarks" / "results"
TABLES: Final = {"digits": 400, "breast_cancer": 60}  # edges of the network
ROWS: Final = 64
_ROUNDS: Final = 7
_COMPILING: Final = 60.0  # seconds
_ARM: Final = ("arm-none-eabi-gcc", "-std=c99", "-Os", "-mcpu=cortex-m0", "-mthumb")
Json = dict[str, Any]
Call = Callable[[], object]
Forms = dict[str, tuple[Call, int | None, float]]  # by name: a call over `ROWS` samples, flash, test error


def network_of(dataset: Dataset, edges: int) -> DAGModule:
    """A trained network of about so many edges."""
    config = TrainingConfig.model_validate(
        {
            "parametrisation": "free",
            "activation": "relu",
            "steps": 4000,
            "learning_rate": 0.01,
            "batch_size": 64,
            "sparsify": {"edges": edges, "criterion": "saliency"},
        }
    )
    dag = layered((dataset.n_inputs, 24, dataset.n_outputs), density=1.0, shortcuts=0.0)
    network = ManifoldNetwork(dag, parametrisation="free", activation="relu", generator=np.random.default_rng(0))
    train(network, dataset, config, 0)
    return network.fold()


def flash(folder: Path, name: str, *options: str) -> int | None:
    """Bytes of a file on a Cortex-M0; None: there is no compiler for it, or it takes too long."""
    command: list[str | Path] = [*_ARM, *options, "-c", folder / f"{name}.c", "-o", folder / "arm.o"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_COMPILING)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    said = subprocess.run(["arm-none-eabi-size", folder / "arm.o"], check=True, capture_output=True, text=True).stdout
    return sum(map(int, said.splitlines()[1].split()[:2]))


def own_forms(module: DAGModule, dataset: Dataset, folder: Path) -> Forms:
    """Calls over `ROWS` samples, flash and test error of the exported forms."""
    raw = raw_features(dataset)
    assert dataset.mean is not None and dataset.scale is not None
    test = dataset.x_test.astype(np.float64) * dataset.scale + dataset.mean
    record = {"task": dataset.task, "statistics": dataclasses.asdict(Statistics.of(dataset))}
    with torch.inference_mode():
        wrong = float((module(torch.from_numpy(dataset.x_test)).numpy().argmax(axis=1) != dataset.y_test).mean())
    found: Forms = {}
    options: dict[str, Json] = {
        "C, float, unrolled": {"layout": "unrolled"},
        "C, float, tables": {"layout": "tables"},
        "C, int8": {"precision": "int8", "targets": raw_targets(dataset), "finish": 3000},
        "C, int4": {"precision": "int4", "targets": raw_targets(dataset), "finish": 3000},
    }
    for number, (name, settings) in enumerate(options.items()):
        source = c_source(module, f"net{number}", samples=raw, record=record, **settings)
        source.write(folder / f"net{number}.c")
        rows, error = test[:ROWS], wrong
        if source.integers is not None:
            error = float((source.integers.values(test).argmax(axis=1) != dataset.y_test).mean())
            rows = source.integers.inputs.fixed(rows)
        found[name] = functools.partial(compiled_loop(source, rows), 1), flash(folder, f"net{number}"), error
    return found


def from_python(module: DAGModule, dataset: Dataset, folder: Path) -> dict[str, Call]:
    """The same network by others, one sample a call, called from Python."""
    x = torch.from_numpy(np.resize(dataset.x_test, (ROWS, dataset.n_inputs)))
    rows = [x[k : k + 1] for k in range(ROWS)]

    def engine() -> None:
        with torch.inference_mode():
            for row in rows:
                module(row)

    levels = dense(module)

    def plain() -> None:
        with torch.inference_mode():
            for row in rows:
                levels(row)

    found: dict[str, Call] = {
        "this package's passes (numba), from Python": engine,
        "torch, dense, as many neurons, from Python (for its time alone)": plain,
    }
    try:
        import onnxruntime
    except ImportError:
        return found
    export_onnx(module, folder / "net.onnx", {})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "net.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    given = [{name: row.numpy()} for row in rows]
    found["ONNX Runtime, from Python"] = lambda: [session.run(None, row) for row in given]
    return found


def dense(module: DAGModule) -> torch.nn.Module:
    """A dense network of the same layers in torch: what is fastest there at these sizes."""
    dag = module.dag
    return torch.nn.Sequential(
        torch.nn.Linear(dag.n_inputs, max(dag.n_computational, 1)),
        torch.nn.ReLU(),
        torch.nn.Linear(max(dag.n_computational, 1), dag.n_outputs),
    )


def trees(dataset: Dataset, error: float, folder: Path) -> tuple[Forms, list[str]]:
    """The smallest boosting by LightGBM that errs as little as ``error`` on the test part, as C."""
    try:
        lightgbm, m2cgen, tl2cgen, treelite = map(
            importlib.import_module, ("lightgbm", "m2cgen", "tl2cgen", "treelite")
        )
    except ImportError as missing:
        return {}, [f"boosted trees: {missing}"]
    best = None
    for leaves in (4, 8, 16):
        model = lightgbm.LGBMClassifier(num_leaves=leaves, n_estimators=120, learning_rate=0.2, n_jobs=1, verbose=-1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(dataset.x_train, dataset.y_train)
            for count in (3, 5, 10, 15, 20, 30, 40, 60, 80, 120):
                wrong = float((model.predict(dataset.x_test, num_iteration=count) != dataset.y_test).mean())
                if wrong <= error and (best is None or leaves * count < best[0]):
                    best = leaves * count, leaves, count, wrong
    if best is None:
        return {}, ["boosted trees: none of up to 120 rounds errs as little"]
    _, leaves, count, wrong = best
    model = lightgbm.LGBMClassifier(num_leaves=leaves, n_estimators=count, learning_rate=0.2, n_jobs=1, verbose=-1)
    model.fit(dataset.x_train, dataset.y_train)
    sys.setrecursionlimit(10_000)
    name = f"LightGBM, {count} rounds of {leaves} leaves, C by m2cgen"
    (folder / "trees.c").write_text(m2cgen.export_to_c(model))
    rows = np.ascontiguousarray(np.resize(dataset.x_test, (ROWS, dataset.n_inputs)), np.float64)
    found = {name: (_loop(folder, "trees", "score", rows), flash(folder, "trees"), wrong)}
    code = folder / "treelite"
    tl2cgen.generate_c_code(treelite.frontend.from_lightgbm(model.booster_), code, {"parallel_comp": 0})
    (code / "score.c").write_text(
        f'#include "main.c"\nvoid score(double *x, double *out);\n'
        f"void score(double *x, double *out)\n{{\n    union Entry data[{dataset.n_inputs}];\n"
        f"    for (int k = 0; k < {dataset.n_inputs}; k++) data[k].fvalue = x[k];\n    predict(data, 1, out);\n}}\n"
    )
    name = f"LightGBM, {count} rounds of {leaves} leaves, C by treelite (tl2cgen)"
    found[name] = _loop(code, "score", "score", rows), flash(code, "score"), wrong
    return found, []


def _loop(folder: Path, file: str, function: str, rows: np.ndarray, *options: str) -> Call:
    """A call that runs ``void function(double *, double *)`` over all rows."""
    (folder / "loop.c").write_text(
        f"void {function}(double *, double *);\n"
        "void loop(double *rows, double *out, long n, long width);\n"
        "void loop(double *rows, double *out, long n, long width)\n"
        f"{{ for (long i = 0; i < n; i++) {function}(rows + i * width, out); }}\n"
    )
    library = folder / f"{file}.so"
    files = [folder / f"{file}.c", folder / "loop.c"]
    command: list[str | Path] = ["cc", "-O2", "-shared", "-fPIC", *options, *files, "-lm", "-o", library]
    subprocess.run(command, check=True, capture_output=True)
    run = ctypes.CDLL(str(library)).loop
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long, ctypes.c_long]
    out = np.zeros(64)
    return lambda: run(rows.ctypes.data, out.ctypes.data, *rows.shape)


def small_mlp(dataset: Dataset, error: float, folder: Path) -> tuple[Forms, list[str]]:
    """The smallest dense MLP that errs as little, as C by emlearn."""
    try:
        with np.errstate():  # importing it makes every underflow of NumPy's an error
            emlearn = importlib.import_module("emlearn")
    except ImportError as missing:
        return {}, [f"dense MLP by emlearn: {missing}"]
    from sklearn.neural_network import MLPClassifier

    for width in (2, 4, 8, 12, 16, 24, 32, 48, 64):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = MLPClassifier((width,), max_iter=400, random_state=0).fit(dataset.x_train, dataset.y_train)
        wrong = float((model.predict(dataset.x_test) != dataset.y_test).mean())
        if wrong <= error:
            break
    else:
        return {}, ["dense MLP: none of up to 64 neurons errs as little"]
    with contextlib.chdir(folder):  # it compiles in a folder tmp of the working directory
        emlearn.convert(model, method="inline").save(file=str(folder / "mlp.h"), name="mlp")
    include = f"-I{emlearn.includedir}"
    (folder / "mlp.c").write_text(
        '#include "mlp.h"\n'
        "void score(double *x, double *out);\n"
        f"void score(double *x, double *out)\n{{\n    float f[{dataset.n_inputs}];\n"
        f"    for (int k = 0; k < {dataset.n_inputs}; k++) f[k] = (float)x[k];\n"
        f"    out[0] = (double)mlp_predict(f, {dataset.n_inputs});\n}}\n"
    )
    rows = np.ascontiguousarray(np.resize(dataset.x_test, (ROWS, dataset.n_inputs)), np.float64)
    return {
        f"dense MLP of {width} neurons, C by emlearn": (
            _loop(folder, "mlp", "score", rows, include),
            flash(folder, "mlp", include),
            wrong,
        )
    }, []


def nanoseconds(calls: dict[str, Call]) -> dict[str, float]:
    """Least process time of a sample, of each, taken in turn."""
    least = dict.fromkeys(calls, math.inf)
    for _ in range(_ROUNDS):
        for name, call in calls.items():
            timing = measure(call, samples=3, budget_seconds=0.05, warmup=1)
            least[name] = min(least[name], 1e9 * timing.seconds / ROWS)
    return least


def compare(source: str, edges: int) -> Json:
    """All contenders on one table."""
    dataset = load_data(DataConfig(source=source))
    module = network_of(dataset, edges)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = own_forms(module, dataset, folder)
        error = known["C, float, unrolled"][2]
        missing: list[str] = []
        for other in (trees, small_mlp):
            try:
                found, without = other(dataset, error, folder)
            except Exception as problem:  # a package that is too old or too new is left out, with a word
                found, without = {}, [f"{other.__name__}: {type(problem).__name__}: {str(problem)[:200]}"]
            known |= found
            missing += without
        calls = {each: call for each, (call, _, _) in known.items()} | from_python(module, dataset, folder)
        taken = nanoseconds(calls)
    rows = [
        {"name": each, "nanoseconds": taken[each], "flash": known[each][1], "error": known[each][2]}
        if each in known
        else {"name": each, "nanoseconds": taken[each], "flash": None, "error": None if "dense" in each else error}
        for each in calls
    ]
    return {"source": source, "edges": module.dag.n_edges, "missing": missing, "rows": rows}


def table(results: list[Json]) -> str:
    """The results in Markdown."""
    lines = ["# One sample in compiled C, beside others", "", " ".join((__doc__ or "").split("\n\n", 1)[1].split()), ""]
    for found in results:
        lines += [f"## {found['source']}: a DAG of {found['edges']:,} edges", ""]
        lines += ["| what | ns a sample | times C, float, unrolled | flash, bytes | test error % |"]
        lines += ["| --- | --: | --: | --: | --: |"]
        base = found["rows"][0]["nanoseconds"]
        for row in found["rows"]:
            wrong = "-" if row["error"] is None else f"{100 * row['error']:.2f}"
            size = "-" if row["flash"] is None else f"{row['flash']:,}"
            lines.append(
                f"| {row['name']} | {row['nanoseconds']:,.0f} | {row['nanoseconds'] / base:,.2f} | {size} | {wrong} |"
            )
        lines += ["", *(f"Left out: {each}." for each in found["missing"]), ""]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--others", type=Path, help="folder with other packages")
    options = parser.parse_args(arguments)
    if options.others is not None:
        sys.path.append(str(options.others))
    with pinned_threads(1):
        results = [compare(source, edges) for source, edges in TABLES.items()]
    (RESULTS / "latency.json").write_text(json.dumps({"hardware": hardware(1), "tables": results}, indent=1) + "\n")
    (RESULTS / "latency.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
