"""How near does a search come to a front that is known? ``make bench-nasbench``.

NAS-Bench-201 (Dong 2020): 15,625 cells of four nodes, trained on three data sets, so that a training is a look-up in a
table and the true front is known. A search evaluates 200 cells for validation error and latency; its score is the
hypervolume of what it evaluated over that of the true front, in logarithms scaled to [0, 1] over the table, reference
point (1, 1); mean and standard error over seeds. *evolution*, *optuna* and *random* are the product's strategies, run
as any search is, with a study and a driver; *blind* is evolution that is not told how cells are encoded; *Optuna alone*
is its sampler with the operation of each edge as a categorical parameter and nothing else.

Writes ``benchmarks/results/nasbench201.md`` and ``.json``; a run that was interrupted goes on with ``--resume``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna

from benchmarks._nasbench201 import EDGES, CellSpace, Table, no_data, read_table
from benchmarks._progress import Progress
from benchmarks._tables import Json, table
from nas.search import SearchConfig, SearchSpace, SerialExecutor, StudyStore, make_strategy, run_search
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, hardware

__all__ = ["METHODS", "TABLES", "main", "markdown", "run"]

RESULTS: Final = Path(__file__).with_name("results")
TABLES: Final = ("cifar10", "cifar100", "imagenet16")
MARKS: Final = (50, 100, 200)  # evaluations after which a search is scored; the last is all
TARGETS: Final = {"cifar10": 0.95, "cifar100": 0.93, "imagenet16": 0.93}  # for evolution


class _Blind(CellSpace):
    """The same cells, drawn blindly."""

    encode = SearchSpace.encode  # type: ignore[assignment]


def _product(strategy: str, space: type[CellSpace] = CellSpace, **options: Any) -> Callable[[Table, int], np.ndarray]:
    """A search of the product; gives the errors and latencies (evaluations, 2) in their order."""

    def search(known: Table, seed: int) -> np.ndarray:
        found: list[tuple[float, float]] = []

        def evaluate(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
            result = known.look_up(candidate, dataset, config)
            found.append((result.metrics["val_error"], result.metrics["inference_seconds"]))
            return result

        training = TrainingConfig(steps=1)
        with tempfile.TemporaryDirectory() as folder:
            store = StudyStore.create(Path(folder), "study", seed=seed)
            config = SearchConfig(strategy=strategy, options=options)
            searcher = make_strategy(config, space(), training, store)
            run_search(searcher, SerialExecutor(no_data(), training, evaluate=evaluate), store, trials=MARKS[-1])
        return np.array(found)

    return search


def _optuna_alone(sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Callable[[Table, int], np.ndarray]:
    def search(known: Table, seed: int) -> np.ndarray:
        study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler(seed))
        found = []
        for _ in range(MARKS[-1]):
            trial = study.ask()
            operations = [trial.suggest_categorical(f"{a}-{b}", list(range(5))) for a, b in EDGES]
            found.append(known.values["".join(map(str, operations))])
            study.tell(trial, np.log(found[-1]).tolist())
        return np.array(found)

    return search


METHODS: Final[dict[str, Callable[[Table, int], np.ndarray]]] = {
    "evolution": _product("evolution"),
    "evolution, blind": _product("evolution", _Blind, guided=0.0),
    "optuna: tpe": _product("optuna", sampler="tpe", guided=False),
    "optuna: nsga2": _product("optuna", sampler="nsga2", guided=False),
    "random": _product("random"),
    "Optuna alone: tpe": _optuna_alone(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "Optuna alone: nsga2": _optuna_alone(lambda seed: optuna.samplers.NSGAIISampler(seed=seed)),
}


def run(method: str, known: Table, seed: int) -> Json:
    """One search: its scores, how many different cells it evaluated, what it cost."""
    started = time.process_time()
    values = METHODS[method](known, seed)
    return {
        "method": method,
        "table": known.name,
        "seed": seed,
        "share": [known.share(values[:mark]) for mark in MARKS],
        "distinct": len(np.unique(values, axis=0)),
        "seconds": time.process_time() - started,
    }


def markdown(results: Json) -> str:
    """The results as a page."""
    records = results["records"]
    rows = []
    for method in METHODS:
        mine = [record for record in records if record["method"] == method]
        if not mine:
            continue
        row = [method]
        for name in TABLES:
            shares = np.array([record["share"] for record in mine if record["table"] == name])
            if not len(shares):
                row += ["—"] * 2
                continue
            error = shares[:, -1].std(ddof=1) / np.sqrt(len(shares)) if len(shares) > 1 else float("nan")
            row += [f"{shares[:, -1].mean():.3f} ± {error:.3f}", " / ".join(f"{s:.3f}" for s in shares.mean(0)[:-1])]
        row += [f"{np.mean([record['distinct'] for record in mine]):.0f}"]
        row += [f"{1e3 * np.mean([record['seconds'] for record in mine]) / MARKS[-1]:.0f}"]
        rows.append(row)
    head = ["search"]
    for name in TABLES:
        head += [f"{name}, {MARKS[-1]}", " / ".join(map(str, MARKS[:-1]))]
    seeds = len({record["seed"] for record in records})
    goals = ", ".join(f"{TARGETS[name]:.2f} ({name})" for name in TABLES)
    notes = (
        f"{seeds} seeds. Asked of evolution: at least {goals}. Networks that were measured to be equal count as one "
        "among the different ones. Process time holds the study, the driver and the strategy: there is no training."
    )
    paragraphs = [
        "# A front that is known: NAS-Bench-201",
        " ".join((__doc__ or "").split("\n\n")[1].split()),
        table([*head, "different cells", "ms of process time an evaluation"], rows),
        notes,
        f"Taken on {results['hardware']['processor']}.",
    ]
    return "\n\n".join(paragraphs) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nasbench201", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--out", type=Path, default=RESULTS / "nasbench201.json", help="(default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier run wrote")
    options = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    tables = {name: read_table(name) for name in options.tables}
    results: Json = {"hardware": hardware(1), "marks": MARKS, "records": []}
    if options.resume and options.out.exists():
        results["records"] = json.loads(options.out.read_text())["records"]
    done = {(record["method"], record["table"], record["seed"]) for record in results["records"]}
    progress = Progress(float("inf"))
    options.out.parent.mkdir(exist_ok=True)
    for method in options.methods:
        for name, known in tables.items():
            for seed in range(options.seeds):
                if (method, name, seed) not in done:
                    progress.detail(f"{method}, {name}, seed {seed}")
                    results["records"].append(run(method, known, seed))
                    options.out.write_text(json.dumps(results, indent=1) + "\n")
            shares = [r["share"][-1] for r in results["records"] if (r["method"], r["table"]) == (method, name)]
            progress.say(f"{method:<20} {name:<11} {np.mean(shares):.4f}")
    options.out.with_suffix(".md").write_text(markdown(results))
    print(markdown(results))


if __name__ == "__main__":
    main()
