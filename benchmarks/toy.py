"""How often the toy of examples/manifold_toy_best.yaml is solved: ``python -m benchmarks.toy``.

Solved means: test error at most 1e-6 and no edge from the idle input a on a path to an output. The seeds, from 1,000,
had no part in choosing the example's settings. Prints a line for each that fails, and the count.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nas.graph import complete
from nas.job import Job
from nas.manifold import ManifoldNetwork
from nas.training import evaluate, load_data, pinned_threads, train

EXAMPLE = Path(__file__).parents[1] / "examples" / "manifold_toy_best.yaml"


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.toy", description=__doc__)
    parser.add_argument("--seeds", type=int, default=60, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    job = Job.from_yaml(EXAMPLE)
    data, config = load_data(job.data), job.training.with_overrides({"evaluate_every": 5000, "log_every": 5000})
    solved, errors = 0, []
    with pinned_threads(1):
        for seed in range(1000, 1000 + options.seeds):
            network = ManifoldNetwork(
                complete(5, 16, 4), generator=np.random.default_rng([seed, 0]), period=data.period
            )
            train(network, data, config, seed)
            dag = network.pruned().dag
            error = evaluate(network, data.x_test, data.y_test, data.task)["error"]
            idle = int((dag.sources == 0).sum())
            errors.append(error)
            if error <= 1e-6 and not idle:
                solved += 1
            else:
                print(f"seed {seed}: test error {error:.1e}, {dag.n_edges} edges, {idle} of them from a")
    print(f"{solved} of {options.seeds} solved; test error: median {np.median(errors):.1e}")


if __name__ == "__main__":
    main()
