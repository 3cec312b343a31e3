"""The sparsity term does what its factor says: fewer edges the larger it is, and in the end it counts the true ones."""

import itertools

import numpy as np
import pytest

from nas.graph import complete
from nas.manifold import ManifoldNetwork
from nas.training import DataConfig, TrainingConfig, load_data, pinned_threads, train

FACTORS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # four decades


@pytest.mark.parametrize("parametrisation", ["masked", "manifold"])
def test_density_follows_the_factor_and_the_counts_agree_in_the_end(parametrisation: str) -> None:
    data = load_data(DataConfig(source="iris"))
    shares = []
    with pinned_threads(1):
        for factor in FACTORS:
            counts = []
            for seed in range(4):
                rng = np.random.default_rng(seed)
                net = ManifoldNetwork(complete(4, 20, 3), parametrisation=parametrisation, generator=rng)  # type: ignore[arg-type]
                config = TrainingConfig.model_validate(
                    {
                        "steps": 1000,
                        "log_every": 1000,
                        "batch_size": 32,
                        "learning_rate": 1e-2,
                        "parametrisation": parametrisation,
                        "losses": {"flow": 0.0, "sparsity": factor},
                    }
                )
                train(net, data, config, seed)
                live = int(net.live_mask().sum())
                counts.append((live, float(net.terms().smooth_edges.detach())))
            live, smooth = np.sum(counts, axis=0)
            assert smooth == pytest.approx(live, rel=0.05), factor
            shares.append(live)
    # Below some factor the objective alone decides, give or take what chance does to a few edges.
    for less, more in itertools.pairwise(shares):
        assert more <= 1.03 * less, shares
    assert shares[-1] < 0.6 * shares[0], shares
