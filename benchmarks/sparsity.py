"""What the factor of the sparsity term does: ``python -m benchmarks.sparsity``.

Two questions. Does the final density follow the factor, over four decades? And do the smooth count that is
differentiated and the true count agree when training ends? Handwritten digits of 8 x 8 pixels, 64/60/10, 2,000 steps,
batch 64; "masked" starts from random DAGs of 30 % density, "manifold" from the complete one with the published initial
values. The smooth count's temperature is 0.5 for the first half of the steps and then falls to 0.005 (the default);
"constant" keeps it at 0.5. Means over seeds. Writes ``benchmarks/results/sparsity.md``, ``.json`` and ``.png``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas.graph import complete, random_dag
from nas.manifold import ManifoldNetwork, Parametrisation
from nas.training import DataConfig, Dataset, TrainingConfig, evaluate, load_data, pinned_threads, train

__all__ = ["FACTORS", "main", "run", "table"]

Json = dict[str, Any]
RESULTS = Path(__file__).with_name("results")
FACTORS = tuple(float(f"{10.0**k:.3g}") for k in np.arange(-3, 1.01, 0.5))
TEMPERATURES = {"annealed": 0.005, "constant": 0.5}
STEPS = 2000


def run(
    parametrisation: Parametrisation, factor: float, temperature: str, seed: int, data: Dataset, steps: int = STEPS
) -> Json:
    """Train one network; its counts and accuracy."""
    rng = np.random.default_rng(seed)
    manifold = parametrisation == "manifold"
    dag = complete(64, 60, 10) if manifold else random_dag(64, 60, 10, density=0.3, rng=rng)
    network = ManifoldNetwork(dag, parametrisation=parametrisation, generator=rng, period=data.period)
    config = TrainingConfig.model_validate(
        {
            "parametrisation": parametrisation,
            "steps": steps,
            "batch_size": 64,
            "log_every": steps,
            "losses": {"flow": 0.0, "sparsity": factor, "final_temperature": TEMPERATURES[temperature]},
        }
    )
    history = train(network, data, config, seed)
    with torch.no_grad():
        smooth = float(network.terms().smooth_edges)
    live = int(network.live_mask().sum())
    return {
        "parametrisation": parametrisation,
        "factor": factor,
        "temperature": temperature,
        "seed": seed,
        "allowed": dag.n_edges,
        "live": live,
        "smooth": smooth,
        "repairs": int(history.curves["repairs"][-1]),
        "test_accuracy": evaluate(network, data.x_test, data.y_test, "classification")["accuracy"],
    }


def table(records: list[Json]) -> str:
    """The means in Markdown."""
    lines = [
        "# The factor of the sparsity term",
        "",
        " ".join((__doc__ or "").split("\n\n")[1].split()),
        "",
        "| parametrisation | temperature | factor | live edges, share of allowed | smooth / true count | worst seed | "
        "test accuracy | repairs |",
        "| --- | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for key, group in _groups(records):
        share = statistics.mean(r["live"] / r["allowed"] for r in group)
        ratios = [r["smooth"] / r["live"] for r in group]
        worst = max(ratios, key=lambda ratio: abs(ratio - 1))
        accuracy = statistics.mean(r["test_accuracy"] for r in group)
        repairs = statistics.mean(r["repairs"] for r in group)
        lines.append(
            f"| {key[0]} | {key[1]} | {key[2]:g} | {share:.3f} | {statistics.mean(ratios):.3f} | {worst:.3f} | "
            f"{100 * accuracy:.1f} % | {repairs:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _groups(records: list[Json]) -> list[tuple[tuple[str, str, float], list[Json]]]:
    found: dict[tuple[str, str, float], list[Json]] = {}
    for record in records:
        found.setdefault((record["parametrisation"], record["temperature"], record["factor"]), []).append(record)
    return list(found.items())


def plot(records: list[Json], path: Path) -> None:
    """Density, and the ratio of the counts, against the factor."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    groups = _groups(records)
    for name, style in (("masked", "o"), ("manifold", "s")):
        for temperature, line in (("annealed", "-"), ("constant", ":")):
            rows = [(key[2], group) for key, group in groups if key[:2] == (name, temperature)]
            if not rows:
                continue
            x = [factor for factor, _ in rows]
            share = [statistics.mean(r["live"] / r["allowed"] for r in group) for _, group in rows]
            ratio = [statistics.mean(r["smooth"] / r["live"] for r in group) for _, group in rows]
            left.loglog(x, share, f"{style}{line}", label=f"{name}, {temperature}")
            right.semilogx(x, ratio, f"{style}{line}", label=f"{name}, {temperature}")
    left.set(xlabel="factor of the sparsity term", ylabel="live edges / allowed edges")
    right.axhspan(0.95, 1.05, color="0.9", zorder=0)
    right.set(xlabel="factor of the sparsity term", ylabel="smooth / true count")
    left.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sparsity", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    data = load_data(DataConfig(source="digits"))
    records = []
    with pinned_threads(1):
        for temperature in TEMPERATURES:
            for parametrisation in ("masked", "manifold"):
                for factor in FACTORS:
                    for seed in range(options.seeds):
                        records.append(run(parametrisation, factor, temperature, seed, data))
                    last = records[-1]
                    print(temperature, parametrisation, factor, last["live"], round(last["smooth"]), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sparsity.json").write_text(json.dumps(records, indent=1) + "\n")
    (RESULTS / "sparsity.md").write_text(table(records))
    plot(records, RESULTS / "sparsity.png")
    print(table(records))


if __name__ == "__main__":
    main()
