"""MNIST on a small chip: ``python -m benchmarks.microcontroller --seeds 5``, then ``--table``.

The question: how few errors on the full test set do networks in integers make that take at most 1.7, 2.6 and 4.8 kB of
flash on a Cortex-M0, code included? Networks are those of `benchmarks.accuracy` with ReLU, on 784 raw pixels without
augmentation, finished in integers (`nas.export_c` with ``finish``). Training sees all but 1,000 of the training
samples. Structure and recipe were chosen on validation samples; how many bits for which size, and the learning rate of
the steps in integers, with test errors of one or two seeds in sight. Bytes are what the compilers make of
the exported file, cycles what simavr counts. One thread, half a minute to two minutes a network.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks._chip import measured
from benchmarks.accuracy import BATCH, configuration, start_graph
from nas.cexport import CSource, Precision, c_source, costs_of_integers
from nas.manifold import ManifoldNetwork
from nas.training import (
    DataConfig,
    Dataset,
    evaluate,
    hardware,
    load_data,
    pinned_threads,
    raw_features,
    train,
)  # fmt: skip

__all__ = ["BUDGETS", "main", "run"]

_ROOT = Path(__file__).parents[1]
RUNS = _ROOT / "build" / "microcontroller"
RESULTS = _ROOT / "benchmarks" / "results"
Json = dict[str, Any]


class Budget(NamedTuple):
    """A size, and how it is reached."""

    flash: int  # bytes
    target: float  # test error, %
    edges: int
    precision: Precision
    recipe: int  # edges of the recipe of `benchmarks.accuracy` that is taken
    hidden: tuple[int, ...] | None = None  # widths of the hidden layers before the first cut; None: the recipe's
    epochs: int | None = None  # None: the recipe's
    cuts: tuple[float, float] | None = None  # shares of the steps before the first and after the last; as above


BUDGETS: Final = (
    Budget(1700, 4.6, 700, "int4", 1500),
    Budget(2600, 3.0, 1030, "int8", 1500),
    # A neuron takes as many bytes as three or four edges, so that fewer of them are worth more edges.
    Budget(4800, 1.9, 2090, "int5", 3100, (100, 32), 300, (0.02, 0.3)),
)
FINISH: Final = 3000
NOTES: Final = Path(__file__).with_name("microcontroller_notes.md")  # published results, with sources


def trained(budget: Budget, seed: int, data: Dataset) -> ManifoldNetwork:
    """The network in floats."""
    config, hidden = configuration(budget.recipe, "ours", len(data.x_train) // BATCH, budget.epochs)
    hidden = budget.hidden or hidden
    assert config.sparsify is not None
    start, end = budget.cuts or (config.sparsify.start, config.sparsify.end)
    cut = config.sparsify.model_copy(update={"edges": budget.edges, "start": start, "end": end})
    config = config.model_copy(update={"activation": "relu", "sparsify": cut})
    dag = start_graph(budget.edges, "ours", hidden, data, np.random.default_rng([seed, 3]))
    network = ManifoldNetwork(
        dag, parametrisation="free", activation="relu", generator=np.random.default_rng([seed, 0])
    )
    train(network, data, config, seed)
    return network.pruned()


def run(budget: Budget, seed: int, data: Dataset) -> Json:
    """One network from training to the chip; what came of it."""
    began = time.process_time()
    network = trained(budget, seed, data)
    seconds = time.process_time() - began
    assert data.mean is not None and data.scale is not None
    raw, test = raw_features(data), np.rint(data.x_test * data.scale + data.mean).astype(np.int64)
    record = {
        "task": data.task,
        "statistics": {"mean": data.mean.tolist(), "scale": data.scale.tolist(), "classes": list(data.classes)},
    }

    def written(finish: int) -> CSource:
        module = network.fold()
        return c_source(
            module, "net", precision=budget.precision, samples=raw, targets=data.y_train, finish=finish, record=record
        )

    def error(source: CSource) -> float:
        assert source.integers is not None
        return float((source.integers.run(test).argmax(axis=1) != data.y_test).mean())

    rounded, finished = written(0), written(FINISH)
    assert finished.integers is not None
    ram = costs_of_integers(finished.integers, classifies=True).ram
    return {
        "budget": budget.flash,
        "edges": budget.edges,
        "precision": budget.precision,
        "seed": seed,
        "float_error": 1 - evaluate(network, data.x_test, data.y_test, "classification")["accuracy"],
        "rounded_error": error(rounded),
        "error": error(finished),
        **measured(finished, test[0], ram)._asdict(),
        "process_seconds": round(seconds, 1),
        "finishing_seconds": round(time.process_time() - began - seconds, 1),
    }


def table(records: list[Json]) -> str:
    """The results in Markdown."""
    lines = [
        "# MNIST on a small chip",
        "",
        " ".join((__doc__ or "").split("\n\n")[1].split()),
        "",
        "Commands: `python -m benchmarks.microcontroller --seeds 5`, then `--table`. Means over seeds; the deviation "
        "and the largest behind them.",
        "",
        "| flash at most | edges | weights | seeds | float error % | rounded % | **error %** | largest | target % | "
        "flash (largest) | flash AVR | RAM | cycles AVR |",
        "| --: | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    rows = sorted(records, key=lambda row: (row["budget"], row["seed"]))
    for flash, found in itertools.groupby(rows, lambda row: row["budget"]):
        group = list(found)
        budget = next(each for each in BUDGETS if each.flash == flash)

        def mean(name: str, rows: list[Json] = group) -> float:
            return float(statistics.mean(row[name] for row in rows))

        errors = [100 * row["error"] for row in group]
        spread = f" ± {statistics.stdev(errors):.2f}" if len(errors) > 1 else ""
        lines.append(
            f"| {flash:,} | {budget.edges:,} | {budget.precision} | {len(group)} | {100 * mean('float_error'):.2f} | "
            f"{100 * mean('rounded_error'):.2f} | **{statistics.mean(errors):.2f}**{spread} | {max(errors):.2f} | "
            f"{budget.target:g} | {mean('flash'):,.0f} ({max(row['flash'] for row in group):,}) | "
            f"{mean('avr_flash'):,.0f} | {mean('ram'):,.0f} | {mean('cycles'):,.0f} |"
        )
    return "\n".join(lines) + "\n\n" + NOTES.read_text(encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.microcontroller", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--budget", type=int, choices=[each.flash for each in BUDGETS], help="bytes (default: all)")
    parser.add_argument("--table", action="store_true", help="only collect the runs into benchmarks/results")
    options = parser.parse_args(arguments)
    RUNS.mkdir(parents=True, exist_ok=True)
    if options.table:
        records = [json.loads(path.read_text()) for path in sorted(RUNS.glob("*.json"))]
        facts = {"hardware": hardware(1), "runs": records}
        (RESULTS / "microcontroller.json").write_text(json.dumps(facts, indent=1) + "\n")
        (RESULTS / "microcontroller.md").write_text(table(records))
        return
    data = load_data(DataConfig(source="mnist", validation=1 / 60))
    with pinned_threads(1):
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for budget in BUDGETS if options.budget is None else [b for b in BUDGETS if b.flash == options.budget]:
                record = run(budget, seed, data)
                (RUNS / f"{budget.flash}-{seed}.json").write_text(json.dumps(record) + "\n")
                print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
