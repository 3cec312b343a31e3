"""Whole numbers that are names become categories, and others stay numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas
from nas.checkpoint import UnlikeTrainingWarning
from nas.cli._rows import rows_to_predict
from nas.training import DataConfig, LoadedData, read_data

N = 3000
SCHOOLS = 40


def table(seed: int = 0) -> pd.DataFrame:
    """Pupils of schools whose numbers say nothing by their size; years, hours and counts that do."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "school": rng.integers(100, 100 + SCHOOLS, N),
            "year": rng.integers(1990, 2020, N),
            "hour": rng.integers(0, 24, N),
            "idle": rng.integers(0, 50, N),
            "size": rng.normal(size=N),
        }
    )
    effects = rng.normal(size=SCHOOLS)
    frame["score"] = effects[frame.school - 100] + 0.05 * (frame.year - 2005) + np.cos(frame.hour / 12 * np.pi)
    frame["score"] += rng.normal(size=N) * 0.5
    return frame


def read(frame: pd.DataFrame, path: Path, **settings: object) -> LoadedData:
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return read_data(DataConfig.model_validate({"source": str(path), "target": "score", **settings}))


def kinds(loaded: LoadedData) -> dict[str, str]:
    return dict(zip(loaded.features, loaded.columns["kinds"], strict=True))  # type: ignore[call-overload]


@pytest.mark.parametrize("seed", range(3))
def test_names_become_categories_and_what_varies_smoothly_stays_a_number(seed: int, tmp_path: Path) -> None:
    loaded = read(table(seed), tmp_path / "t.csv")
    others = {"year": "integer", "hour": "integer", "idle": "integer", "size": "number"}
    assert kinds(loaded) == {"school": "category", **others}
    (said,) = (each.words for each in loaded.findings if each.about == "note")
    assert "column school holds whole numbers that say more of the target as categories" in said
    assert "data.kinds: {school: number} keeps numbers" in said


@pytest.mark.parametrize("form", ["csv", "csv with gaps", "parquet", "parquet with gaps"])
def test_it_is_the_table_that_one_gets_by_saying_so(form: str, tmp_path: Path) -> None:
    frame = table()
    if form.endswith("gaps"):
        frame["school"] = frame["school"].astype("Int64").where(np.arange(N) % 50 != 0)
        if form.startswith("csv"):  # then they are written 113.0
            frame["school"] = frame["school"].astype(float)
    path = tmp_path / f"t.{form.partition(' ')[0]}"
    found, stated = read(frame, path), read(frame, path, kinds={"school": "category"})
    assert kinds(found) == kinds(stated) and found.encoding == stated.encoding
    assert found.fingerprint.difference(stated.fingerprint) is None
    for name in ("x_train", "x_val", "x_test", "y_train", "y_test"):
        assert np.array_equal(getattr(found.dataset, name), getattr(stated.dataset, name))


def test_numbers_that_are_written_in_several_ways_stay_numbers(tmp_path: Path) -> None:
    """Another table might write them otherwise, and they would be other categories."""
    frame = table()
    padded = read(frame.assign(school=frame["school"].map("{:05d}".format)), tmp_path / "t.csv")
    assert kinds(padded)["school"] == "integer"
    assert any("data.kinds: {school: category} keeps them apart" in each.words for each in padded.findings)


def test_what_is_stated_is_done(tmp_path: Path) -> None:
    assert kinds(read(table(), tmp_path / "t.csv", kinds={"school": "number"}))["school"] == "number"


def test_classes_are_judged_as_well(tmp_path: Path) -> None:
    frame = table()
    frame["score"] = np.where(frame["score"] > frame["score"].median(), "pass", "fail")
    found = kinds(read(frame, tmp_path / "t.csv"))
    assert [name for name, kind in found.items() if kind == "category"] == ["school"]


def test_only_the_training_part_decides(tmp_path: Path) -> None:
    frame = table()
    train = read(frame, tmp_path / "t.csv", split="chronological", test=0.5, validation=0.2).dataset.x_train
    frame.loc[len(train) :, "score"] = 0.0  # nothing is to be learnt from the rest
    loaded = read(frame, tmp_path / "t.csv", split="chronological", test=0.5, validation=0.2)
    assert kinds(loaded)["school"] == "category"


@pytest.mark.parametrize("rows", [60, 150])
def test_few_rows_say_nothing_for_certain(rows: int, tmp_path: Path) -> None:
    assert "category" not in kinds(read(table()[:rows], tmp_path / "t.csv")).values()


@pytest.mark.parametrize(("shops", "tells", "inputs"), [(80, True, 80), (80, False, 32), (20, True, 20)])
def test_many_categories_get_inputs_where_they_say_more(shops: int, tells: bool, inputs: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"shop": [f"S{k}" for k in rng.integers(0, shops, N)], "size": rng.normal(size=N)})
    effects = dict(zip(frame["shop"].unique(), rng.normal(size=shops), strict=True))
    frame["score"] = frame["size"] + rng.normal(size=N) * 0.5 + (frame["shop"].map(effects) if tells else 0.0)
    loaded = read(frame, tmp_path / "t.csv")
    assert sum(name.startswith("shop = ") for name in loaded.dataset.feature_names) == inputs


@pytest.mark.slow
def test_rows_to_predict_have_numbers(tmp_path: Path) -> None:
    """An exported network takes the numbers as the table has them, whole or as floats, and one that it never saw."""
    frame = table()
    frame.to_csv(tmp_path / "t.csv", index=False)
    study = nas.search(
        tmp_path / "t.csv", target="score", trials=4, training={"steps": 400}, store=tmp_path / "store",
        executor="serial", verbose=False,
    )  # fmt: skip
    network = study.best("accurate")
    rows = frame.drop(columns="score")[:50]
    said = network.predict(rows)
    assert np.allclose(network.predict(rows.astype({"school": float})), said)
    with pytest.warns(UnlikeTrainingWarning, match="'school' has '7'"):
        assert np.isfinite(network.predict(rows.assign(school=7))).all()
    assert not np.allclose(network.predict(rows.assign(school=rows["school"].to_numpy()[::-1])), said)
    # Of a file: 13 is written 13.0 where one is missing, and other columns as whoever sends rows writes them.
    sent = rows.astype({"school": float}).astype({"school": str, "size": object})
    sent.loc[0, "school"] = ""
    sent["size"] = [f"{1000 + value:,.6f} kg" for value in rows["size"]]
    sent.to_csv(tmp_path / "rows.csv", index=False)
    read_again, _ = rows_to_predict(str(tmp_path / "rows.csv"), network.module.record, network.n_inputs, [])
    assert np.allclose(network.predict(read_again.assign(size=rows["size"]))[1:], said[1:])
    assert np.allclose(read_again["size"] - 1000, rows["size"], atol=1e-5)


@pytest.mark.parametrize("gaps", [False, True])
def test_whole_numbers_beside_missing_ones_are_names_as_well(gaps: bool, tmp_path: Path) -> None:
    frame = table().astype({"school": float})
    if gaps:
        frame.loc[::41, "school"] = np.nan
    loaded = read(frame, tmp_path / "t.csv")
    assert kinds(loaded)["school"] == "category"
    assert loaded.encoding is not None
    column = next(each for each in loaded.encoding.columns if each.name == "school")
    assert "113" in column.categories and ("" in column.categories or not gaps)
    assert list(column.spelt(np.array(["113.0", "113", None, "x", "113.5"], dtype=object))) == [
        "113",
        "113",
        "",
        "x",
        "113.5",
    ]
