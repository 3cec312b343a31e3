"""What is the default pick worth on raw tables? ``make bench-tables``.

Twenty tables with categories, missing values and codes (`benchmarks._mixed_tables`): the network that a search picks by
default, beside scikit-learn's gradient boosting and multilayer perceptron, FLAML and AutoGluon, each with as many
seconds on one thread, the same rows for training, validation and testing. Searches, boosting and perceptron go by
process time; FLAML and AutoGluon by wall time, as they have it (an idle machine makes them equal). Boosting and the
perceptron are the baselines of every search, with its encoding of the columns; the others get the columns as they are.

Errors are per cent of the rows answered wrongly, or of regressions the mean squared error in per cent of the target's
variance. Latency is the process time of a batch of 1,024 rows: of networks and perceptrons one forward pass in torch,
of the others their ``predict``. Size is what has to be kept for predicting: weights and edges, or the pickled model.

The column "accurate" is what `--pick accurate` has of the same searches; it takes part in no rank.

Each record is kept in ``build/tables``: whatever is there is not run again. ``--seconds 300`` are the five minutes that
a user would give; the whole takes a day then.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks._kept import keep, publish
from benchmarks._mixed_tables import TABLES, MixedTable, shuffled
from benchmarks._process_budget import search
from benchmarks._tables import table
from nas.errors import DataError
from nas.search.baselines._boosting import fit_boosting
from nas.search.baselines._mlp import fit_mlp
from nas.search.baselines._models import Clock
from nas.training import DataConfig, Dataset, hardware, pinned_threads, read_data, time_inference
from nas.training.quality.evidence import measured

__all__ = ["METHODS", "main", "report"]

Json = dict[str, Any]
_ROOT: Final = Path(__file__).parents[1]
RUNS: Final = _ROOT / "build" / "tables"
OTHERS: Final = _ROOT / "build" / "others"
RESULTS: Final = _ROOT / "benchmarks" / "results"
METHODS: Final = ("dag-nas", "boosting", "mlp", "flaml", "autogluon")
_ACCURATE: Final = "accurate"  # the other pick of a search, which takes part in no rank
_SHOWN: Final = ("test_error", "inference_seconds", "bytes")
_BATCH: Final = 1024
_CLOSE: Final = 0.5  # points within which an accuracy counts as equal


def _data(found: MixedTable, seed: int) -> tuple[Path, Dataset, pd.DataFrame]:
    """The rows in their order, as a file and as a search sees them."""
    frame = shuffled(found, seed)
    path = RUNS / "data" / f"{found.name}-{seed}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)
    config = DataConfig.model_validate(
        {"source": str(path), "target": found.target, "task": found.task, "split": "chronological", "seed": seed}
    )
    return path, read_data(config).dataset, frame


def _picked(metrics: Mapping[str, float]) -> Json:
    """What is compared of a network of a front."""
    return {
        "test_error": metrics["test_error"],
        "inference_seconds": metrics["inference_seconds"],
        "bytes": int(8 * metrics["edges"] + 4 * metrics["neurons"]),  # of an edge its weight and where it comes from
        "edges": int(metrics["edges"]),
    }


def _network(dataset: Dataset, seconds: float, seed: int) -> Json:
    done = search(dataset, seed, seconds)
    return {
        **_picked(done.front.best().metrics),
        _ACCURATE: _picked(done.front.pick(_ACCURATE).metrics),
        "trials": done.trials,
        "process_seconds": done.seconds,
        # What else the front has: a user may pick otherwise.
        "front": [
            [each.metrics["edges"], each.metrics["inference_seconds"], each.metrics["test_error"]]
            for each in done.front.members
        ],
    }


def _baseline(method: str, dataset: Dataset, seconds: float, seed: int) -> Json:
    began = time.process_time()
    fitted, tried = (fit_boosting if method == "boosting" else fit_mlp)(dataset, Clock(seconds), seed)
    taken = time.process_time() - began
    rows = np.random.default_rng(0).integers(0, len(dataset.x_test), _BATCH)
    model = fitted.module if method == "mlp" else fitted.module._models
    return {
        "test_error": measured(fitted.module, dataset, "test")["error"],
        "inference_seconds": time_inference(fitted.module, dataset.x_test[rows]).seconds,
        "bytes": int(4 * fitted.structure["edges"]) if method == "mlp" else len(pickle.dumps(model)),
        "settings": dict(fitted.settings),
        "tried": tried,
        "process_seconds": taken,
    }


def _other(method: str, found: MixedTable, path: Path, frame: pd.DataFrame, dataset: Dataset, options: Json) -> Json:
    """FLAML or AutoGluon in a process of its own.

    Raises:
        DataError: it is not installed, or fails.
    """
    counts = [len(dataset.x_train), len(dataset.x_val)]
    variance = 0.0 if found.task == "classification" else float(frame[found.target][: counts[0]].var(ddof=0))
    request = {"table": str(path), "target": found.target, "task": found.task, "parts": counts, "variance": variance}
    asked = RUNS / f"request-{os.getpid()}.json"
    asked.write_text(json.dumps(request | options | {"scratch": str(RUNS)}))
    folder = OTHERS / method
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._automl", method, str(asked)],
        cwd=_ROOT, env={**os.environ, **threads, "PYTHONPATH": f"{folder}{os.pathsep}{_ROOT}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    asked.unlink()
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"{method} on {found.name}: {said} (is it installed in {folder}? make bench-tables)")
    answer: Json = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _run(found: MixedTable, method: str, seed: int, seconds: float) -> Json:
    path, dataset, frame = _data(found, seed)
    with pinned_threads(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method == "dag-nas":
            record = _network(dataset, seconds, seed)
        elif method in ("boosting", "mlp"):
            record = _baseline(method, dataset, seconds, seed)
        else:
            record = _other(method, found, path, frame, dataset, {"seconds": seconds, "seed": seed})
    return {"table": found.name, "method": method, "seed": seed, "seconds": seconds, "rows": len(frame)} | record


def report(records: Sequence[Json], seconds: float) -> str:
    """The results in Markdown: errors with ranks, latencies, sizes."""
    title, *said = (part.replace("\n", " ") for part in (__doc__ or "").strip().split("\n\n"))
    methods = [name for name in METHODS if any(record["method"] == name for record in records)]
    error = _means(records, methods, "test_error")
    latency, size = _means(records, methods, "inference_seconds"), _means(records, methods, "bytes")
    names = [name for name in TABLES if name in error and "dag-nas" in error[name]]
    accurate = _accurate(records)

    def beside(cells: list[str], other: str) -> list[str]:
        """Cells of the methods, with that of the other pick of the same searches after the first."""
        return [cells[0], other, *cells[1:]] if accurate else cells

    rows, close, on_front = [], 0, 0
    ranks: dict[str, list[float]] = {name: [] for name in methods}
    for name in names:
        known = error[name]
        # Equal errors share a rank.
        for method in known:
            less, equal = (sum(f(value) for value in known.values()) for f in _compared(known[method]))
            ranks[method].append(1 + less + (equal - 1) / 2)
        own = known["dag-nas"], latency[name]["dag-nas"]
        close += 100 * (own[0] - min(known.values())) <= _CLOSE
        rivals = [(known[other], latency[name][other]) for other in known if other != "dag-nas"]
        on_front += not any(one <= own[0] and taken <= own[1] and (one, taken) != own for one, taken in rivals)
        count = next(record["rows"] for record in records if record["table"] == name)
        shown = ((known[m], latency[name][m], size[name][m]) if m in known else None for m in methods)
        cells = ["—" if each is None else _cell(*each) for each in shown]
        if accurate:
            cells = beside(cells, _cell(*(accurate[key][name][_ACCURATE] for key in _SHOWN)))
        rows.append([name, TABLES[name].task, f"{count:,}", *cells])
    mean = [f"{np.mean(ranks[m]):.2f} ({len(ranks[m])})" if ranks[m] else "—" for m in methods]
    rows.append(["**mean rank of the error (tables)**", "", "", *beside(mean, "—")])
    spent = _means(records, methods, "process_seconds")
    means = {m: [of[m] for name, of in spent.items() if name in names and m in of] for m in methods}
    taken_by = [f"{np.mean(means[m]):.0f}" if means[m] else "—" for m in methods]
    rows.append(["process time, mean, s", "", "", *beside(taken_by, "—")])
    seeds = len({record["seed"] for record in records})
    return "\n\n".join(
        [
            f"# {title}",
            *said,
            f"{len(names)} of {len(TABLES)} tables were run; {seconds:g} seconds each; {seeds} "
            f"split{'s' if seeds > 1 else ''}. Error, % / latency, µs / size, kB:",
            table(["table", "task", "rows", *beside(methods, f"{METHODS[0]}, {_ACCURATE}")], rows),
            f"The default pick is within {_CLOSE} points of the least error on {close} of {len(names)} tables, and on "
            f"the front of error and latency on {on_front} of {len(names)}.",
        ]
    ) + "\n"  # fmt: skip


def _cell(error: float, seconds: float, size: float) -> str:
    return f"{100 * error:.2f} / {1e6 * seconds:,.0f} / {size / 1000:,.1f}"


def _accurate(records: Sequence[Json]) -> dict[str, dict[str, dict[str, float]]]:
    """By what is shown, table and pick, what the most accurate networks of all searches are; {} where not every record
    has one: older ones do not."""
    own = [record for record in records if record["method"] == METHODS[0]]
    if not all(_ACCURATE in record for record in own):
        return {}
    found = [{**record[_ACCURATE], "table": record["table"], "method": _ACCURATE} for record in own]
    return {key: _means(found, [_ACCURATE], key) for key in _SHOWN}


def _compared(value: float) -> tuple[Any, Any]:
    return (lambda other: other < value), (lambda other: other == value)


def _means(records: Sequence[Json], methods: Sequence[str], key: str) -> dict[str, dict[str, float]]:
    """By table and method, the mean over splits."""
    found: dict[str, dict[str, list[float]]] = {}
    for record in records:
        if record["method"] in methods:
            found.setdefault(record["table"], {}).setdefault(record["method"], []).append(record[key])
    return {name: {m: float(np.mean(values)) for m, values in of.items()} for name, of in found.items()}


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run what is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tables", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300.0, help="budget of each method on each table")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the splits")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of tables.md and tables.json")
    options = parser.parse_args(arguments)
    RUNS.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for name in options.tables:
            for method in options.methods:
                path = RUNS / f"{name}-{method}-{seed}-{options.seconds:g}.json"
                if path.exists():
                    continue
                try:
                    record = _run(TABLES[name], method, seed, options.seconds)
                except DataError as error:  # a method that is not installed is left out, and said
                    print(error, file=sys.stderr, flush=True)
                    continue
                keep(path, record)
                print(f"{name}, {method}, seed {seed}: {100 * record['test_error']:.2f} %", flush=True)
    # All that is kept for this budget, and not only what was asked for now.
    records = [json.loads(path.read_text()) for path in sorted(RUNS.glob(f"*-{options.seconds:g}.json"))]
    if not any(record["method"] == "dag-nas" for record in records):
        parser.exit(1, "no search was run yet: --methods dag-nas\n")
    page = report(records, options.seconds)
    publish(options.out, "tables", {"hardware": hardware(1), "seconds": options.seconds}, records, page)
    print(page)


if __name__ == "__main__":
    main()
