"""What reads files: valid ones to start from, the reader, and the errors that its documentation names."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.errors import CheckpointError, DataError, GraphError, JobError, LayerError

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
USED_EDGES = 100_000  # networks up to this size are also run


@dataclass(frozen=True)
class Target:
    """Cases are shared out by ``weight``; ``kind`` says how to damage the structure (see `damage.STRUCTURED`)."""

    name: str
    kind: str
    suffix: str
    seeds: Callable[[Path], list[bytes]]
    read: Callable[[Path], Any]
    errors: tuple[type[BaseException], ...]
    weight: float = 1.0


def small_dag(seed: int = 0, **options: Any) -> Any:
    from nas.graph import draw_activations, random_dag

    rng = np.random.default_rng(seed)
    dag = random_dag(4, 6, 3, density=0.4, rng=rng, **options)
    return draw_activations(dag, ("sin", "relu"), rng) if seed else dag


# --- jobs


def job_seeds(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in EXAMPLES]


def read_job(path: Path) -> None:
    from nas.job import Job

    Job.from_yaml(path, environment=False).to_mapping()


# --- graphs


def json_seeds(folder: Path) -> list[bytes]:
    from nas.graph import DAG

    named = DAG(2, 1, 1, [(0, 2), (1, 2), (2, 3)], names=["a", "b", "c", "d"], ids=[0, 1, 7, 9])
    return [dag.to_json().encode() for dag in (small_dag(), small_dag(1), named)]


def read_json(path: Path) -> None:
    from nas.graph import DAG

    dag = DAG.from_json(path.read_bytes())
    assert DAG.from_json(dag.to_json()) == dag


def csv_seeds(folder: Path) -> list[bytes]:
    from nas.graph import write_edge_list

    write_edge_list(folder / "e.csv", small_dag(), np.arange(small_dag().n_edges))
    return [(folder / "e.csv").read_bytes(), b"a,b\nb,c\na,c\n", b"source,target\nx,y\n"]


def read_edges(path: Path) -> None:
    from nas.graph import read_edge_list

    assert read_edge_list(path).n > 0


def graphml_seeds(folder: Path) -> list[bytes]:
    from nas.graph import write_graphml

    found = []
    for seed in (0, 1):
        write_graphml(folder / "g.graphml", small_dag(seed), np.arange(small_dag(seed).n_edges))
        found.append((folder / "g.graphml").read_bytes())
    return [*found, b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + found[0].partition(b"?>")[2]]


def read_graphml_file(path: Path) -> None:
    from nas.graph import read_graphml

    assert read_graphml(path).n > 0


def matrix_seeds(folder: Path) -> list[bytes]:
    matrix = small_dag().to_adjacency()
    return [json.dumps({"matrix": m.tolist(), "inputs": 4, "outputs": 3}).encode() for m in (matrix, matrix * 0.5)]


def read_matrix(path: Path) -> None:
    """Whatever array a stranger's numbers make, and whatever counts come with it."""
    from nas.graph import DAG

    try:
        given = json.loads(path.read_bytes())
        matrix = np.array(given["matrix"])
        counts = given["inputs"], given["outputs"]
    except Exception:  # the case never reaches the package
        return
    assert DAG.from_adjacency(matrix, *counts).n == len(matrix)


# --- descriptions of other structures


def layer_seeds(folder: Path) -> list[bytes]:
    from nas.layers import Conv, LayerSpec, Linear, Node

    nodes = [
        Node(name="stem", op=Conv(channels=4), norm="batch", activation="relu"),
        Node(name="two", inputs=("stem", "input"), op=Conv(channels=4), merge="concatenate"),
        Node(name="out", inputs=("two",), op=Linear(features=3)),
    ]
    return [LayerSpec.of((1, 6, 6), nodes).to_json().encode()]


def read_layers(path: Path) -> None:
    from nas.layers import LayerSpec

    LayerSpec.from_json(path.read_text(encoding="utf-8", errors="replace"))


def recurrent_seeds(folder: Path) -> list[bytes]:
    return [recurrent_structure().to_json().encode()]


def recurrent_structure() -> Any:
    from nas.recurrent import RecurrentStructure, reach_outputs, remember

    dag = small_dag().with_activations(["lstm", "", "sin", "", "lstm", "tanh"])
    return RecurrentStructure(reach_outputs(remember(dag, 1), 1, np.random.default_rng(0)), 1, time=4)


def read_recurrent(path: Path) -> None:
    from nas.recurrent import RecurrentStructure

    RecurrentStructure.from_json(path.read_text(encoding="utf-8", errors="replace"))


# --- checkpoints


def checkpoint_seeds(folder: Path) -> list[bytes]:
    from nas import checkpoint
    from nas.engine import DAGModule

    path = folder / "n.safetensors"
    record = {"task": "classification", "classes": ["a", "b", "c"], "mean": [0.0] * 4, "scale": [1.0] * 4}
    found = []
    for module in (DAGModule(small_dag()), DAGModule(small_dag(1), "tanh"), recurrent_structure().build(0)):
        checkpoint.save(path, module, record)
        found.append(path.read_bytes())
    checkpoint.save_arrays(path, small_dag(), {"weight": np.zeros(small_dag().n_edges, np.float32)}, record)
    return [*found, path.read_bytes()]


def read_checkpoint(path: Path) -> None:
    import torch

    from nas import checkpoint

    try:
        module = checkpoint.load(path)
    except CheckpointError:
        checkpoint.load_arrays(path)  # raises it as well, unless the file is of that kind
        return
    shape = (2, 3, module.features) if hasattr(module, "features") else (2, module.dag.n_inputs)
    if module.dag.n_edges < USED_EDGES and shape[-1] < USED_EDGES:
        with torch.no_grad():
            module(torch.zeros(shape, dtype=next(module.parameters()).dtype))


# --- data


def table_seeds(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    rows = ["a,b,c,label", *(f"{a:.3f},{b:.3f},{k % 5},{'xyz'[k % 3]}" for k, (a, b) in enumerate(rng.random((40, 2))))]
    numbers = ["a,b,y", *(f"{a:.3f},{b:.3f},{a + b:.3f}" for a, b in rng.random((30, 2)))]
    return ["\n".join(rows).encode(), "\n".join(numbers).encode()]


def parquet_seeds(folder: Path) -> list[bytes]:
    import io

    import pandas as pd

    found = []
    for content in table_seeds(folder):
        pd.read_csv(io.BytesIO(content)).to_parquet(folder / "t.parquet")
        found.append((folder / "t.parquet").read_bytes())
    return found


def npz_seeds(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3)).astype("f4"), np.arange(40) % 3
    np.savez_compressed(folder / "d.npz", x=x, y=y)
    one = (folder / "d.npz").read_bytes()
    np.savez(folder / "d.npz", x_train=x, y_train=x[:, :2], x_test=x[:9], y_test=x[:9, :2])
    return [one, (folder / "d.npz").read_bytes()]


def read_data(path: Path) -> None:
    from nas.training import DataConfig, load_data

    data = load_data(DataConfig(source=str(path)))
    assert np.isfinite(data.x_train).all()


def idx_seeds(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    images = b"\x00\x00\x08\x03" + struct.pack(">3I", 20, 4, 4) + rng.integers(0, 256, 320).astype("u1").tobytes()
    labels = b"\x00\x00\x08\x01" + struct.pack(">I", 20) + bytes(k % 4 for k in range(20))
    floats = b"\x00\x00\x0d\x02" + struct.pack(">2I", 5, 3) + rng.random(15).astype(">f4").tobytes()
    return [gzip.compress(each, 1) for each in (images, labels, floats)]


def read_idx_file(path: Path) -> None:
    from nas.training.data.idx import read_idx

    read_idx(path)


DATA = (DataError,)
GRAPH = (GraphError,)
TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("job", "yaml", ".yaml", job_seeds, read_job, (JobError,), 0.8),
        Target("dag json", "json", ".json", json_seeds, read_json, GRAPH, 3),
        Target("edge list", "csv", ".csv", csv_seeds, read_edges, (*GRAPH, OSError), 1.5),
        Target("graphml", "", ".graphml", graphml_seeds, read_graphml_file, (*GRAPH, OSError), 1),
        Target("matrix", "json", ".json", matrix_seeds, read_matrix, GRAPH, 1),
        Target("layers", "json", ".json", layer_seeds, read_layers, (LayerError,), 1),
        Target("recurrent", "json", ".json", recurrent_seeds, read_recurrent, GRAPH, 1),
        Target("checkpoint", "safetensors", ".safetensors", checkpoint_seeds, read_checkpoint, (CheckpointError,), 3),
        Target("table", "csv", ".csv", table_seeds, read_data, DATA, 0.6),
        Target("parquet", "", ".parquet", parquet_seeds, read_data, DATA, 0.4),
        Target("npz", "npz", ".npz", npz_seeds, read_data, DATA, 0.5),
        Target("idx", "gzip", ".gz", idx_seeds, read_idx_file, DATA, 1),
    )
}
