"""Pictures of anything that has a graph."""

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from nas.engine import DAGModule, MaskedLinear, wire
from nas.errors import GraphError
from nas.graph import random_dag
from nas.manifold import ManifoldNetwork
from nas.tracking import draw

PNG = b"\x89PNG\r\n"


def test_pictures_of_graphs_and_networks(tmp_path: Path) -> None:
    dag = random_dag(4, 8, 2, density=0.4, rng=np.random.default_rng(0))
    plain = draw(dag, tmp_path / "dag.png", title="a graph")
    assert plain.startswith(PNG)
    assert (tmp_path / "dag.png").read_bytes() == plain
    networks = [
        DAGModule(dag),
        MaskedLinear(3, 2, np.ones((2, 3))),
        wire([("a", "y")], ["a"], ["y"]),
        ManifoldNetwork(dag, generator=np.random.default_rng(0)),
    ]
    for network in networks:
        assert draw(network).startswith(PNG)
    assert draw(networks[0]) != draw(dag)  # coloured by the weights


def test_what_has_no_graph_is_refused() -> None:
    with pytest.raises(GraphError, match="this is a Linear"):
        draw(nn.Linear(2, 2))
