"""What the time and memory terms of the loss do on MNIST: ``python -m benchmarks.time_loss``.

Masked networks of 784/200/10 neurons that may have any of 37,308 edges are trained with nothing but the objective and
one of the terms, its coefficient swept. Then every network is measured: accuracy on the whole test set, process time
of a training step and of a forward pass, side by side in rounds on one thread, bytes of its trainer; and the
calibration predicts all of these. Written to ``benchmarks/results/time_loss.{json,md,png}``.

``--train`` only trains what ``build/time_loss`` does not hold yet, ``--measure`` only measures what it holds: that is
done again after ``nas calibrate``, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas.graph import DAG, random_dag
from nas.manifold import ManifoldNetwork, compact
from nas.training import (
    DataConfig,
    Dataset,
    TrainingConfig,
    evaluate,
    hardware,
    load_data,
    pinned_threads,
    reference_kernel_seconds,
    train,
)
from nas.training.cost.costs import costs_for
from nas.training.cost.measured import inference_timing, step_timing, timed_trainer, trainer_bytes

__all__ = ["main", "table"]

Json = dict[str, Any]
_ROOT = Path(__file__).parents[1]
NETWORKS = _ROOT / "build" / "time_loss"
RESULTS = _ROOT / "benchmarks" / "results"
SIZES, DENSITY = (784, 200, 10), 0.2
COEFFICIENTS = {
    # of milliseconds of a training step; of MiB
    "time": (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    "memory": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
}
ROUNDS = 5


def configuration(term: str, coefficient: float, steps: int) -> TrainingConfig:
    """One training of the sweep."""
    return TrainingConfig.model_validate(
        {
            "steps": steps,
            "batch_size": 128,
            "learning_rate": 3e-3,
            "losses": {"flow": 0.0, "sparsity": 0.0, term: coefficient},
            "log_every": 500,
        }
    )


def train_one(term: str, coefficient: float, seed: int, steps: int, data: Dataset) -> Path | None:
    """Train and keep one network; None when it is there already."""
    path = NETWORKS / f"{term}-{coefficient:g}-{seed}.npz"
    if path.exists():
        return None
    config = configuration(term, coefficient, steps)
    dag = random_dag(*SIZES, density=DENSITY, rng=np.random.default_rng(seed))
    network = ManifoldNetwork(dag, period=data.period, generator=np.random.default_rng([seed, 0]))
    train(network, data, config, seed)
    small = compact(network)
    NETWORKS.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Any] = {f"array.{name}": value for name, value in small.to_arrays().items()}
    kept |= {"term": term, "coefficient": coefficient, "seed": seed, "steps": steps}
    np.savez(path, **kept, sizes=small.dag.sizes, edges=small.dag.edges)
    return path


def read(path: Path) -> tuple[Json, ManifoldNetwork]:
    """What `train_one` kept."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name.removeprefix("array."): file[name] for name in file.files if name.startswith("array.")}
        record = {name: file[name].item() for name in ("term", "coefficient", "seed", "steps")}
        n_inputs, n_computational, n_outputs = (int(k) for k in file["sizes"])
        dag = DAG(n_inputs, n_computational, n_outputs, file["edges"])
        network = ManifoldNetwork.from_arrays(dag, arrays)
    return record, network


def measure(networks: list[tuple[Json, ManifoldNetwork]], data: Dataset) -> list[Json]:
    """Accuracy, measurements and predictions of every network; times are medians of rounds in which all take part."""
    records = []
    timers = []
    for record, network in networks:
        config = configuration(record["term"], record["coefficient"], 0)
        costs = costs_for(config)
        dag = network.dag
        trainer = timed_trainer(network, data, config)
        timers.append((trainer, network.fold(), config))
        records.append(
            record
            | {
                "test_accuracy": evaluate(network, data.x_test, data.y_test, "classification")["accuracy"],
                "edges": dag.n_edges,
                "neurons": dag.n_computational,
                "train_bytes": trainer_bytes(trainer),
                **costs.predictions(dag),
                "cost_model": costs.source,
            }
        )
    steps: list[list[float]] = [[] for _ in records]
    passes: list[list[float]] = [[] for _ in records]
    for _ in range(ROUNDS):
        for number, (trainer, module, config) in enumerate(timers):
            steps[number].append(step_timing(trainer, 0.1).seconds)
            passes[number].append(inference_timing(module, data, config, 0.1).seconds)
    for record, own_steps, own_passes in zip(records, steps, passes, strict=True):
        record["train_step_seconds"] = statistics.median(own_steps)
        record["inference_seconds"] = statistics.median(own_passes)
    return sorted(records, key=lambda r: (r["term"] != "time", r["coefficient"], r["seed"]))


PAIRS = {
    "training step": ("predicted_train_step_seconds", "train_step_seconds"),
    "inference": ("predicted_inference_seconds", "inference_seconds"),
    "memory": ("predicted_train_bytes", "train_bytes"),
}


def agreement(records: Iterable[Json]) -> dict[str, Json]:
    """R^2 of the predictions as they are (no line is fitted), and the median of their relative errors."""
    records = list(records)
    found = {}
    for name, (predicted, measured) in PAIRS.items():
        p, m = (np.array([record[key] for record in records]) for key in (predicted, measured))
        r2 = 1 - ((p - m) ** 2).sum() / ((m - m.mean()) ** 2).sum()
        found[name] = {"r2": float(r2), "median_residual": float(np.median(np.abs(p / m - 1)))}
    return found


def table(results: Json) -> str:
    """The results in Markdown."""
    facts = results["hardware"]
    lines = [
        "# The time and memory terms of the loss, on MNIST",
        "",
        (__doc__ or "").split("\n\n")[1].replace("\n", " "),
        "",
        f"{facts['processor']}, 1 thread, batch 128 (training) and 1,024 (inference); reference kernel "
        f"{1e3 * results['reference_seconds']:.2f} ms; cost model: {results['runs'][0]['cost_model']}.",
        "",
        "| term | coefficient | test error % | edges | neurons | training step µs, measured | predicted | "
        "inference µs, measured | predicted | memory KiB, measured | predicted |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    groups: dict[tuple[str, float], list[Json]] = {}
    for run in results["runs"]:
        groups.setdefault((run["term"], run["coefficient"]), []).append(run)
    for (term, coefficient), runs in groups.items():
        mean = {
            key: statistics.mean(run[key] for run in runs) for key in runs[0] if isinstance(runs[0][key], float | int)
        }
        lines.append(
            f"| {term if coefficient else 'none'} | {coefficient:g} | {100 * (1 - mean['test_accuracy']):.2f} | "
            f"{mean['edges']:,.0f} | {mean['neurons']:.0f} | {1e6 * mean['train_step_seconds']:.0f} | "
            f"{1e6 * mean['predicted_train_step_seconds']:.0f} | {1e6 * mean['inference_seconds']:.0f} | "
            f"{1e6 * mean['predicted_inference_seconds']:.0f} | {mean['train_bytes'] / 1024:,.0f} | "
            f"{mean['predicted_train_bytes'] / 1024:,.0f} |"
        )
    seeds = len(next(iter(groups.values())))
    means = f"Means of {seeds} seeds. " if seeds > 1 else "One seed. "
    lines += ["", f"{means}Predicted against measured, all networks, no line fitted between them:", ""]
    lines += ["| what | R² | median relative error |", "| --- | --: | --: |"]
    lines += [
        f"| {name} | {found['r2']:.3f} | {100 * found['median_residual']:.1f} % |"
        for name, found in results["agreement"].items()
    ]
    lines += ["", "![accuracy against measured time, and predicted against measured](time_loss.png)"]
    return "\n".join(lines) + "\n"


def draw(results: Json, path: Path) -> None:
    """Accuracy against measured time, predicted against measured time, accuracy against memory."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, (front, both, memory) = pyplot.subplots(1, 3, figsize=(13.5, 4.2), layout="constrained")
    by_term = {term: [run for run in results["runs"] if run["term"] == term] for term in COEFFICIENTS}
    for term, runs in by_term.items():
        error = [100 * (1 - run["test_accuracy"]) for run in runs]
        front.scatter([1e6 * run["train_step_seconds"] for run in runs], error, label=f"{term} term", s=22)
        memory.scatter([run["train_bytes"] / 1024 for run in runs], error, label=f"{term} term", s=22)
    front.set_xlabel("training step, measured, µs")
    memory.set_xlabel("memory of the trainer, measured, KiB")
    for axes in (front, memory):
        axes.set_ylabel("test error, %")
        axes.set_yscale("log")
        axes.legend(frameon=False)
    for number, name in enumerate(("training step", "inference")):
        predicted, measured = PAIRS[name]
        found = results["agreement"][name]
        both.scatter(
            [1e6 * run[measured] for run in results["runs"]],
            [1e6 * run[predicted] for run in results["runs"]],
            label=f"{name}, R² = {found['r2']:.3f}", s=22, color=f"C{number + 2}",
        )  # fmt: skip
    ends = [min(both.get_xlim()[0], both.get_ylim()[0]), max(both.get_xlim()[1], both.get_ylim()[1])]
    both.plot(ends, ends, ":", color="0.5", zorder=0)
    both.set_xlabel("measured, µs")
    both.set_ylabel("predicted, µs")
    both.legend(frameon=False)
    both.set_yscale("log")
    for axes in (front, both, memory):
        axes.set_xscale("log")
        axes.grid(True, alpha=0.3)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,g}"))
            axis.set_minor_formatter(ticker.NullFormatter())
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_loss", description=__doc__)
    parser.add_argument("--train", action="store_true", help="only train")
    parser.add_argument("--measure", action="store_true", help="only measure")
    parser.add_argument("--steps", type=int, default=3000, help="of each training (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    data = load_data(DataConfig(source="mnist", validation=1 / 12))
    with pinned_threads(1):
        if not options.measure:
            for seed in range(options.seeds):
                for term, coefficients in COEFFICIENTS.items():
                    for coefficient in coefficients:
                        if train_one(term, coefficient, seed, options.steps, data):
                            print(f"{term} {coefficient:g}, seed {seed}: trained", flush=True)
        if options.train:
            return
        runs = measure([read(path) for path in sorted(NETWORKS.glob("*.npz"))], data)
        results: Json = {
            "hardware": hardware(torch.get_num_threads()),
            "reference_seconds": reference_kernel_seconds(1),
            "agreement": agreement(runs),
            "runs": runs,
        }
    (RESULTS / "time_loss.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "time_loss.md").write_text(table(results))
    draw(results, RESULTS / "time_loss.png")
    print(json.dumps(results["agreement"]))


if __name__ == "__main__":
    main()
