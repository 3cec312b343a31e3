"""Test error of MNIST under a budget of edges: ``make bench-accuracy EDGES=5776 SEEDS=1``.

The question: how accurate is a feed-forward DAG of at most so many edges, those from inputs included, on the 784 raw
pixels? No convolution, no augmentation, no ensemble. The network after the last step is tested, once; every choice in
`RECIPE` and `SIZES` was made on 5,000 (at 3,100 edges 10,000) validation samples of the training set. The final runs
train on all but 1,000 of the training samples. Ends with one JSON line. ``--table`` collects all runs of
``build/accuracy`` into ``benchmarks/results/accuracy.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nas.graph import DAG, complete, layered
from nas.manifold import ManifoldNetwork
from nas.training import DataConfig, Dataset, TrainingConfig, evaluate, hardware, load_data, pinned_threads, train
from nas.training.compression.cuts import balanced_scores, strongest

__all__ = ["METHODS", "Json", "configuration", "main", "run", "table"]

Json = dict[str, Any]
_ROOT = Path(__file__).parents[1]
RUNS = _ROOT / "build" / "accuracy"
RESULTS = _ROOT / "benchmarks" / "results"

PUBLISHED = (
    # method, edges, test error in %; 784-300-100 networks, some of them the best error seen while training
    ("dense", 266_000, "1.64-1.7"),
    ("RigL", 6_300, "1.48"),
    ("SNIP", 5_300, "2.4"),
    ("Dynamic Network Surgery", 4_800, "1.99"),
    ("Sparse Variational Dropout", 3_900, "1.92"),
    ("RigL+", 3_100, "1.69"),
)
NOTES = Path(__file__).with_name("accuracy_notes.md")  # what the table cannot say

TARGETS = {5776: 1.4, 3100: 1.6, 2000: 2.5, 1000: 4.0}

BATCH = 128


class Size(NamedTuple):
    """What depends on the budget."""

    edges: int  # the largest budget it is for
    hidden: tuple[int, ...]  # widths of the hidden layers before the first cut; one layer: its neurons read each other
    noise: float  # deviation of the noise on the inputs while training, in deviations of a pixel: at first ...
    final_noise: float  # ... and at the end
    epochs: int
    weight_decay: float
    cuts: tuple[float, float]  # shares of the steps before the first cut and after the last


SIZES = (
    Size(1500, (40,), 0.4, 0.4, 100, 0.05, (0.05, 0.5)),
    Size(2500, (60,), 0.5, 0.5, 100, 0.05, (0.05, 0.5)),
    Size(4000, (200, 50), 0.8, 0.4, 400, 0.05, (0.01, 0.2)),
    Size(10**9, (200, 50), 0.8, 0.8, 120, 0.05, (0.05, 0.5)),
)
RECIPE: Json = {
    "batch_size": BATCH,
    "learning_rate": 2e-3,
    "optimizer": "adamw",
    "activation": "silu",
    "parametrisation": "free",
    "losses": {"flow": 0.0, "sparsity": 0.0},
}
QUIET: Json = {"input_noise": 0.0, "final_input_noise": None}
PLAIN: Json = {"optimizer": "adam", "weight_decay": 0.0, "activation": "leaky_relu", **QUIET}
# The drop share is the published one, the masks are Erdős-Rényi masks.
RIGL: Json = {"regrow": 0.3, "start": 0.0, "end": 0.75, "every": 500, "criterion": "magnitude"}
MAGNITUDE: Json = {"criterion": "magnitude"}
# What a method changes; `ours` is the recipe. The ablations take one trick away each.
METHODS: dict[str, Json] = {
    "ours": {},
    "static random mask": {"sparsify": None},
    "RigL": {"sparsify": RIGL},
    "magnitude pruning": {"sparsify": MAGNITUDE},
    "plain static random mask": PLAIN | {"sparsify": None},
    "plain RigL": PLAIN | {"sparsify": RIGL},
    "plain magnitude pruning": PLAIN | {"sparsify": MAGNITUDE},
    "without noise": QUIET,
    "with constant noise": {"final_input_noise": None},
    "without weight decay": {"weight_decay": 0.0},
    "with leaky ReLU": {"activation": "leaky_relu"},
    "cut in one": {"sparsify": {"start": 0.25, "end": 0.2501}},
    "cut until 75 % of the steps": {"sparsify": {"end": 0.75}},
    "with half the neurons": {"neurons": 0.5},
    "with one layer that reads itself": {"hidden": (100,)},
    "with twice the neurons": {"neurons": 2.0},
    "with regrowth": {"sparsify": {"regrow": 0.1}},
}
SPARSE_FROM_THE_START = ("static random mask", "RigL")


def configuration(
    edges: int, method: str, steps_an_epoch: int, epochs: int | None = None
) -> tuple[TrainingConfig, tuple[int, ...]]:
    """How a method trains to a budget, and the hidden layers of the DAG it starts from."""
    size = next(row for row in SIZES if edges <= row.edges)
    changes = dict(METHODS[method])
    widths, share = changes.pop("hidden", size.hidden), changes.pop("neurons", 1.0)
    hidden = tuple(round(width * share) for width in widths)
    start, end = size.cuts
    values = RECIPE | {
        "steps": (epochs or size.epochs) * steps_an_epoch,
        "input_noise": size.noise,
        "final_input_noise": size.final_noise,
        "weight_decay": size.weight_decay,
        "log_every": steps_an_epoch,
    }
    values |= changes
    section = changes.get("sparsify", {})
    base = {"edges": edges, "start": start, "end": end, "every": 100, "criterion": "saliency"}
    values["sparsify"] = None if section is None else base | section
    if method.endswith("RigL"):
        values["sparsify"]["initial_edges"] = edges
    return TrainingConfig.model_validate(values), hidden


def start_graph(edges: int, method: str, hidden: tuple[int, ...], data: Dataset, rng: np.random.Generator) -> DAG:
    """The DAG that is cut: complete between inputs, hidden neurons (in one layer: each other too) and outputs.

    What is sparse from the start is cut from the layered DAG of the same widths instead: shared between all pairs of
    neurons, its few edges would mostly skip the layers.
    """
    sparse = method.endswith(SPARSE_FROM_THE_START)
    if len(hidden) == 1 and not sparse:
        return complete(data.n_inputs, hidden[0], data.n_outputs)
    whole = layered((data.n_inputs, *hidden, data.n_outputs), density=1.0, shortcuts=0.0)
    if method.endswith("static random mask"):
        return whole.with_edges(strongest(whole, balanced_scores(whole, rng), edges))
    return whole


def run(edges: int, method: str, seed: int, data: Dataset, epochs: int | None = None, verbose: bool = True) -> Json:
    """Train one network; what came of it."""
    wall, process = time.perf_counter(), time.process_time()
    config, hidden = configuration(edges, method, len(data.x_train) // BATCH, epochs)
    dag = start_graph(edges, method, hidden, data, np.random.default_rng([seed, 3]))
    network = ManifoldNetwork(
        dag, parametrisation="free", activation=config.activation, generator=np.random.default_rng([seed, 0])
    )
    epochs = config.steps // config.point_steps()
    every = max(1, epochs // 10) * config.point_steps()

    def say(step: int, point: Any) -> None:
        if verbose and step % every == 0:
            print(
                f"epoch {step // config.point_steps():4d}  edges {point['live_edges']:7.0f}  "
                f"objective {point['objective']:.4f}  {time.perf_counter() - wall:5.0f} s",
                flush=True,
            )

    train(network, data, config, seed, say)
    final = network.pruned().dag
    assert network.dag.n_edges <= edges
    useful = final.useful_neurons()
    return {
        "edges": network.dag.n_edges,
        "method": method,
        "test_accuracy": evaluate(network, data.x_test, data.y_test, "classification")["accuracy"],
        "validation_accuracy": evaluate(network, data.x_val, data.y_val, "classification")["accuracy"],
        "seconds": round(time.perf_counter() - wall, 1),
        "process_seconds": round(time.process_time() - process, 1),
        "seed": seed,
        "epochs": epochs,
        "hidden": list(hidden),
        "start_edges": dag.n_edges,
        "neurons": int(useful[dag.n_inputs : dag.first_output].sum()),
        "inputs_read": int(useful[: dag.n_inputs].sum()),
        "depth": final.depth,
        "training_samples": len(data.x_train),
    }


def table(records: Iterable[Json]) -> str:
    """The results in Markdown."""
    rows = sorted(records, key=lambda r: (-r["edges"], list(METHODS).index(r["method"]), r["epochs"], r["seed"]))
    lines = [
        "# Test error on MNIST under a budget of edges",
        (__doc__ or "").split("\n\n")[1].replace("\n", " "),
        "| edges | method | test error % | deviation | seeds | epochs | neurons | seconds a run (process) | target % |",
        "| --: | --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for (edges, method, epochs), found in itertools.groupby(rows, lambda r: (r["edges"], r["method"], r["epochs"])):
        group = list(found)
        errors = [100 * (1 - r["test_accuracy"]) for r in group]
        deviation = f"{statistics.stdev(errors):.2f}" if len(errors) > 1 else "-"
        target = f"{TARGETS[edges]:g}" if edges in TARGETS and method == "ours" else ""
        lines.append(
            f"| {edges:,} | {method} | {statistics.mean(errors):.2f} | {deviation} | {len(errors)} | {epochs} | "
            f"{statistics.mean(r['neurons'] for r in group):.0f} | "
            f"{statistics.mean(r['process_seconds'] for r in group):.0f} | {target} |"
        )
    lines += ["", "Published, for orientation:", "", "| method | weights left | test error % |", "| --- | --: | --: |"]
    lines += [f"| {name} | {edges:,} | {error} |" for name, edges, error in PUBLISHED]
    command = "Command of a row: `python -m benchmarks.accuracy --edges EDGES --seeds SEEDS --method METHOD`."
    return "\n".join([lines[0], "", lines[1], "", command, "", *lines[2:]]) + "\n\n" + NOTES.read_text()


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--edges", type=int, default=5776, help="the budget (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--method", choices=METHODS, default="ours", help="(default: %(default)s)")
    parser.add_argument("--epochs", type=int, help="(default: by budget)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    parser.add_argument("--table", action="store_true", help="only collect the runs into benchmarks/results")
    options = parser.parse_args(arguments)
    if options.table:
        records = [json.loads(path.read_text()) for path in sorted(RUNS.glob("*.json"))]
        RESULTS.mkdir(exist_ok=True)
        facts = hardware(options.threads)
        (RESULTS / "accuracy.json").write_text(json.dumps({"hardware": facts, "runs": records}, indent=1) + "\n")
        (RESULTS / "accuracy.md").write_text(table(records))
        return
    data = load_data(DataConfig(source="mnist", validation=1 / 60))
    RUNS.mkdir(parents=True, exist_ok=True)
    records = []
    with pinned_threads(options.threads):
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            record = run(options.edges, options.method, seed, data, options.epochs)
            name = f"{options.edges}-{options.method}-{record['epochs']}-{seed}".replace(" ", "-")
            (RUNS / f"{name}.json").write_text(json.dumps(record) + "\n")
            records.append(record)
            if options.seeds > 1:
                print(json.dumps(record), flush=True)
    if options.seeds == 1:
        print(json.dumps(records[0]))
        return
    accuracies = [record["test_accuracy"] for record in records]
    summary = {
        "edges": records[0]["edges"],
        "test_accuracy": statistics.mean(accuracies),
        "deviation": statistics.stdev(accuracies),
        "seconds": sum(record["seconds"] for record in records),
        "seeds": [record["seed"] for record in records],
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
