"""Outputs that lose their last path, and what to do about it: ``python -m benchmarks.connectivity``.

The published set-ups at the published and at too high learning rates, and under sparsity factors that close nearly
everything. `fail` ends a trial when an output loses its last path; `restore` takes back the step on every output's
strongest path; `regrow` also draws the output's closeness anew and opens the cutoff (see
`nas.training.compression.connectivity`).
Toy: 5/16/4, published manifold, 5,000 steps, batch 50, test MSE. Digits: 64/60/10, 2,000 steps, batch 64, test error
in %; masked or the published manifold with squared outputs. Writes ``benchmarks/results/connectivity.md``
and ``.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from nas.errors import TrialError
from nas.graph import complete, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import DataConfig, Dataset, TrainingConfig, evaluate, load_data, pinned_threads, train

__all__ = ["SETUPS", "main", "run", "table"]

Json = dict[str, Any]
RESULTS = Path(__file__).with_name("results")
TOY: Json = {
    "steps": 5000,
    "batch_size": 50,
    "schedule": "constant",
    "parametrisation": "manifold",
    "readout": "linear",
    "losses": {"objective": 1e4, "flow": 1.0, "sparsity": 0.0},
}
DIGITS: Json = {"steps": 2000, "batch_size": 64, "schedule": "constant"}
PUBLISHED: Json = DIGITS | {
    "parametrisation": "manifold",
    "readout": "square",
    "losses": {"objective": 1e3, "flow": 1e-4, "sparsity": 0.0},
}
# name -> data set, training section
SETUPS: dict[str, tuple[str, Json]] = {
    "toy, published": ("addsub", TOY | {"learning_rate": 1e-3}),
    "toy, rate x 10": ("addsub", TOY | {"learning_rate": 1e-2}),
    "toy, rate x 50": ("addsub", TOY | {"learning_rate": 5e-2}),
    "toy, sparsity 1e5": ("addsub", TOY | {"learning_rate": 1e-3, "losses": TOY["losses"] | {"sparsity": 1e5}}),
    "digits manifold, published rate": ("digits", PUBLISHED | {"learning_rate": 2e-3}),
    "digits manifold, rate x 10": ("digits", PUBLISHED | {"learning_rate": 2e-2}),
    "digits manifold, sparsity 1e5": (
        "digits",
        PUBLISHED | {"learning_rate": 2e-3, "losses": PUBLISHED["losses"] | {"sparsity": 1e5}},
    ),
    "digits masked, sparsity 100": ("digits", DIGITS | {"learning_rate": 5e-3, "losses": {"sparsity": 100.0}}),
    "digits masked, rate 0.1, sparsity 10": ("digits", DIGITS | {"learning_rate": 0.1, "losses": {"sparsity": 10.0}}),
}
OPTIONS = ("fail", "restore", "regrow")


def load(source: str) -> Dataset:
    """A data set of `SETUPS`."""
    if source == "addsub":
        return load_data(DataConfig(source="addsub", samples=312_500, validation=0.1, test=0.1, period=5))
    return load_data(DataConfig(source=source))


def run(setup: str, option: str, seed: int, data: Dataset, steps: int | None = None) -> Json:
    """Train one network; how it ended."""
    section = SETUPS[setup][1] | {"on_lost_output": option}
    section["log_every"] = section["steps"] = steps or section["steps"]
    config = TrainingConfig.model_validate(section)
    rng = np.random.default_rng([seed, 0])
    sizes = (data.n_inputs, 16 if data.name == "addsub" else 60, data.n_outputs)
    dag = complete(*sizes) if config.parametrisation == "manifold" else random_dag(*sizes, density=0.3, rng=rng)
    network = ManifoldNetwork(
        dag, parametrisation=config.parametrisation, generator=rng, period=data.period, readout=config.readout
    )
    record: Json = {"setup": setup, "option": option, "seed": seed}
    try:
        history = train(network, data, config, seed)
    except TrialError as error:
        return record | {"end": str(error).split(":")[0]}
    quality = evaluate(network, data.x_test, data.y_test, data.task)
    return record | {
        "end": "complete",
        "error": quality["error"],
        "loss": quality["loss"],
        "edges": network.pruned().dag.n_edges,
        "repairs": int(history.curves["repairs"][-1]),
    }


def table(records: list[Json]) -> str:
    """How many seeds end well, and how well, in Markdown."""
    lines = [
        "# Outputs that lose their last path",
        "",
        " ".join((__doc__ or "").split("\n\n")[1].split()),
        "",
        "| set-up | option | complete | lost an output | diverged | test error, median | worst | repairs, median | "
        "edges, median |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for setup in SETUPS:
        for option in OPTIONS:
            group = [r for r in records if (r["setup"], r["option"]) == (setup, option)]
            if not group:
                continue
            well = [r for r in group if r["end"] == "complete"]
            lost, diverged = (sum(r["end"] == end for r in group) for end in ("lobotomised", "diverged"))
            cells = ["", "", "", ""]
            if well:
                factor, digits = (1, "{:.2g}") if setup.startswith("toy") else (100, "{:.1f} %")
                errors = [factor * r["error"] for r in well]
                cells = [digits.format(statistics.median(errors)), digits.format(max(errors))]
                cells += [f"{statistics.median(r[name] for r in well):.0f}" for name in ("repairs", "edges")]
            lines.append(
                f"| {setup} | {option} | {len(well)} of {len(group)} | {lost} | {diverged} | {' | '.join(cells)} |"
            )
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.connectivity", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    data = {source: load(source) for source in ("addsub", "digits")}
    records = []
    with pinned_threads(1):
        for setup, (source, _) in SETUPS.items():
            for option in OPTIONS:
                records += [run(setup, option, seed, data[source]) for seed in range(options.seeds)]
                print(setup, option, [r.get("error", r["end"]) for r in records[-options.seeds :]], flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "connectivity.json").write_text(json.dumps(records, indent=1) + "\n")
    (RESULTS / "connectivity.md").write_text(table(records))
    print(table(records))


if __name__ == "__main__":
    main()
