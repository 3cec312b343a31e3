"""Columns that are no measurements are left out of tables, and said; measurements stay."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nas.errors import DataError
from nas.training import DataConfig, LoadedData, read_data

N = 200
RNG = np.random.default_rng(7)


def read(tmp_path: Path, column: object, name: str = "c", **settings: object) -> LoadedData:
    frame = pd.DataFrame({name: column, "a": RNG.normal(size=N), "y": ["p"] * (N // 2) + ["q"] * (N // 2)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    return read_data(DataConfig.model_validate({"source": str(tmp_path / "t.csv"), **settings}))


IDS = np.random.default_rng(8).choice(10**9, N, replace=False)
SHUFFLED = RNG.permutation(N)


@pytest.mark.parametrize(
    "column",
    [
        np.arange(N),
        np.arange(N)[::-1],
        np.arange(N) * 10 + 7,
        np.arange(N).astype(float),
        SHUFFLED,  # a saved index of a table that was sorted since
        RNG.permutation(3 * N)[:N],  # of which rows were removed
        np.cumsum(RNG.integers(1, 10**6, N)),  # times in whole seconds, in order
        np.linspace(0, 1, N),
        SHUFFLED / N,
        np.arange(N) + 10**9,
        [f"sample {k}" for k in range(N)],
        pd.date_range("2020-01-01", periods=N).astype(str),
        np.full(N, 3.25),
        ["same"] * N,
        [""] * N,
    ],
    ids=lambda column: str(column)[:20],
)
def test_what_is_left_over_is_left_out_and_said(tmp_path: Path, column: object) -> None:
    found = read(tmp_path, column)
    assert found.dataset.feature_names == ("a",)
    said = next(each for each in found.findings if each.about == "left out")
    assert said.words.startswith("c (") and said.key == "data.keep"


@pytest.mark.parametrize(
    "column",
    [
        RNG.normal(size=N),  # differ in every row
        np.sort(RNG.normal(size=N)),
        RNG.permutation(10**7)[:N],  # whole numbers that are all different by chance
        RNG.integers(0, 50, N),
        np.repeat(np.arange(N // 4), 4),
        [True, False] * (N // 2),
        np.where(np.arange(N) == 3, 1.0, 0.0),
    ],
    ids=lambda column: str(column)[:20],
)
def test_measurements_stay(tmp_path: Path, column: object) -> None:
    assert read(tmp_path, column).features == ("c", "a")


def test_a_saved_index_teaches_nothing_unless_asked_for(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": RNG.normal(size=N), "y": ["p"] * (N // 2) + ["q"] * (N // 2)})
    frame.to_csv(tmp_path / "t.csv")
    assert read_data(DataConfig(source=str(tmp_path / "t.csv"))).dataset.feature_names == ("a",)
    kept = read_data(DataConfig(source=str(tmp_path / "t.csv"), keep=("Unnamed: 0",)))
    assert kept.features == ("Unnamed: 0", "a")
    assert not any(each.about == "left out" for each in kept.findings)
    with pytest.raises(DataError, match="no column 'b'; the"):
        read_data(DataConfig(source=str(tmp_path / "t.csv"), keep=("b",)))


def test_dates_that_are_left_out_are_shown_as_dates_and_say_that_rows_may_be_split_by_them(tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", periods=N).strftime("%d.%m.%Y")
    said = [f"{each.about} {each.words}" for each in read(tmp_path, days).findings]
    assert "left out c (evenly spaced from 2020-01-01 to 2020-07-18, as row numbers and times are)" in said
    split = "note the rows are sorted by date c; if the network is for later ones, data.time: c makes the latest rows"
    assert any(line.startswith(split) for line in said)
    by_order = read(tmp_path, days, split="chronological", task="regression", target="a")
    assert not any("data.time: c" in each.words for each in by_order.findings)
    assert not any("data.time" in each.words for each in read(tmp_path, np.roll(days, 7)).findings)


def test_a_table_of_nothing_else_says_how_to_keep_it(tmp_path: Path) -> None:
    pd.DataFrame({"t": np.arange(N), "y": RNG.normal(size=N)}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"'t' is left out \(evenly spaced .*\), data.keep: \[t\] keeps it"):
        read_data(DataConfig(source=str(tmp_path / "t.csv")))
    assert read_data(DataConfig(source=str(tmp_path / "t.csv"), keep=("t",))).dataset.n_inputs == 1


def test_the_index_of_a_parquet_file_is_said(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": RNG.normal(size=N), "y": ["p", "q"] * (N // 2)})
    frame.index = pd.Index([f"p{k}" for k in range(N)], name="patient")
    frame.to_parquet(tmp_path / "t.parquet")
    found = read_data(DataConfig(source=str(tmp_path / "t.parquet")))
    assert found.dataset.feature_names == ("a",)
    assert any("patient (the index of the table)" in each.words for each in found.findings)
    frame.reset_index().set_index("y").to_parquet(tmp_path / "y.parquet")
    target = read_data(DataConfig(source=str(tmp_path / "y.parquet"), target="y"))
    assert target.dataset.classes == ("p", "q")


def test_several_columns_in_one_word_are_refused_with_how_they_are_written(tmp_path: Path) -> None:
    hint = r"no column 'a, c'; several columns are a list, \[a, c\], and several targets --target a --target c; the"
    with pytest.raises(DataError, match=hint):
        read(tmp_path, RNG.normal(size=N), target="a, c")


def test_categories_of_a_parquet_file_are_what_they_were_before_they_were_written(tmp_path: Path) -> None:
    numbers = RNG.integers(1, 5, N)
    frame = pd.DataFrame({"shop": pd.Categorical(numbers), "floor": pd.Categorical(numbers, ordered=True)})
    frame.assign(a=RNG.normal(size=N), y=["p", "q"] * (N // 2)).to_parquet(tmp_path / "t.parquet")
    found = read_data(DataConfig(source=str(tmp_path / "t.parquet")))
    assert found.dataset.feature_names == ("shop = 1", "shop = 2", "shop = 3", "shop = 4", "floor", "a")


def test_arrays_lose_no_column_but_doubts_are_said(tmp_path: Path) -> None:
    x = np.column_stack([np.arange(N), RNG.normal(size=N), np.full(N, 2.0)])
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(N) % 2)
    found = read_data(DataConfig(source=str(tmp_path / "d.npz")))
    assert found.dataset.n_inputs == 3
    notes = " ".join(each.words for each in found.findings if each.about == "note")
    assert "feature x0 is evenly spaced" in notes and "feature x2 is 2 in every row" in notes
    dropped = read_data(DataConfig(source=str(tmp_path / "d.npz"), drop=("x0", "x2"))).dataset
    assert dropped.feature_names == ("x1",)
    with pytest.raises(DataError, match="no feature 'x9' to drop"):
        read_data(DataConfig(source=str(tmp_path / "d.npz"), drop=("x9",)))
    with pytest.raises(DataError, match="data.target names columns of a table, but this is arrays"):
        read_data(DataConfig(source=str(tmp_path / "d.npz"), target="y"))


def test_samples_that_training_has_seen_are_said(tmp_path: Path) -> None:
    x = np.repeat(RNG.normal(size=(N // 10, 3)), 10, axis=0)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(N) // 10 % 2)
    notes = [each.words for each in read_data(DataConfig(source=str(tmp_path / "d.npz"))).findings]
    assert any("40 of 40 test samples have exactly the features of training samples" in note for note in notes)


def test_small_and_far_values_keep_their_differences(tmp_path: Path) -> None:
    """A capacitance in farad varies by 1e-13, a time in seconds by 100 around 1.7e9; both are scaled to deviation 1."""
    small = read(tmp_path, RNG.normal(5e-12, 1e-13, N))
    assert 0.9 < small.dataset.x_train[:, 0].std() < 1.1
    times = RNG.normal(1.7e9, 100, N)
    far = read(tmp_path, times)
    assert far.dataset.mean is not None and far.dataset.scale is not None
    back = far.dataset.x_train[:, 0].astype(np.float64) * far.dataset.scale[0] + far.dataset.mean[0]
    assert np.abs(np.sort(back)[:, None] - times).min(axis=1).max() < 1e-3
    frame = pd.DataFrame({"a": RNG.normal(size=N), "y": times})
    frame.to_csv(tmp_path / "y.csv", index=False)
    targets = read_data(DataConfig(source=str(tmp_path / "y.csv"))).dataset
    assert len(np.unique(targets.y_train)) == len(targets.y_train)


def notes(found: LoadedData) -> list[str]:
    return [each.words for each in found.findings if each.about == "note"]


@pytest.mark.parametrize(
    "column",
    [
        ["p1"] * (N // 2) + ["q1"] * (N // 2),
        np.repeat([3, 8], N // 2),
        np.repeat([False, True], N // 2),
        np.concatenate([RNG.integers(0, 4, N // 2), RNG.integers(5, 9, N // 2)]),  # each value of one class
    ],
    ids=["text", "numbers", "booleans", "finer classes"],
)
def test_a_feature_that_says_the_class_is_said(tmp_path: Path, column: object) -> None:
    found = read(tmp_path, column)
    assert "c" in " ".join(found.dataset.feature_names)
    assert any("feature c says the target in every row" in note for note in notes(found))


def test_what_nearly_says_the_class_or_has_many_values_is_a_measurement(tmp_path: Path) -> None:
    nearly = np.repeat([3, 8], N // 2)
    nearly[7] = 8
    apart = np.concatenate([RNG.normal(-9, 1, N // 2), RNG.normal(9, 1, N // 2)])
    assert not notes(read(tmp_path, nearly)) and not notes(read(tmp_path, apart))


def test_a_target_in_other_units_is_said(tmp_path: Path) -> None:
    y = RNG.normal(size=N)
    frame = pd.DataFrame({"fahrenheit": 32 + 1.8 * y, "near": y + 1e-3 * RNG.normal(size=N), "celsius": y})
    frame.to_csv(tmp_path / "t.csv", index=False)
    (note,) = notes(read_data(DataConfig(source=str(tmp_path / "t.csv"))))
    assert note.startswith("feature fahrenheit says the target in every row")


def test_a_feature_by_which_the_rows_are_sorted_is_said(tmp_path: Path) -> None:
    batches = np.repeat(np.arange(N // 4), 4)
    for column in (batches, batches[::-1] / 3):
        assert any("the rows are sorted by feature c" in note for note in notes(read(tmp_path, column)))
    for column in (RNG.permutation(batches), np.repeat(np.arange(10), N // 10)):
        assert not any("sorted" in note for note in notes(read(tmp_path, column)))


def test_ids_that_may_be_measurements_are_said(tmp_path: Path) -> None:
    assert any("feature c is a whole number that differs" in note for note in notes(read(tmp_path, IDS)))
    for column in (IDS + 0.5, np.where(IDS[0] == IDS, IDS[1], IDS), RNG.normal(size=N)):
        assert not any("id, leave" in note for note in notes(read(tmp_path, column)))


@pytest.mark.parametrize("unit", [" kg", "€", "mm", " m/s²", "%"])
def test_numbers_with_units_are_no_categories(tmp_path: Path, unit: str) -> None:
    values = RNG.normal(size=N).round(1)
    texts = [f"{value:.1f}{unit}" for value in values]
    found = read(tmp_path, texts)
    assert found.encoding is not None and found.encoding.columns[0].stated == f"number 1.5{unit}"
    np.testing.assert_allclose(found.dataset.x_train[:, 0].std(), 1, rtol=1e-5)
    with pytest.raises(DataError, match=r"'c' holds numbers with several units or marks \(e.g. '.*write all alike"):
        read(tmp_path, [f"{value:.1f}{unit if k % 5 else 't'}" for k, value in enumerate(values)])
    assert read(tmp_path, texts, kinds={"c": "category"}).encoding is not None


def test_codes_with_letters_are_categories(tmp_path: Path) -> None:
    codes = [f"{RNG.integers(1, 9)}{'ABCDEFG'[RNG.integers(7)]}" for _ in range(N)]
    encoding = read(tmp_path, codes).encoding
    assert encoding is not None and encoding.columns[0].kind == "category"


def test_numbers_with_leading_zeros_may_be_codes(tmp_path: Path) -> None:
    zips = [f"{zip_:05d}" for zip_ in RNG.choice([1067, 4109, 20095, 80331], N)]
    said = "column c is read as numbers, 0(1067|4109) as (1067|4109); if these are codes, data.kinds: {c: category}"
    assert any(re.match(said, note) for note in notes(read(tmp_path, zips)))
    found = read(tmp_path, zips, kinds={"c": "category"})
    assert found.encoding is not None and "01067" in found.encoding.columns[0].levels
    assert not any("codes" in note for note in notes(found))
    frame = pd.DataFrame({"c": zips, "a": RNG.normal(size=N), "y": ["p"] * (N // 2) + ["q"] * (N // 2)})
    for kind, count in (("object", 1), ("category", 0)):
        frame.astype({"c": kind}).to_parquet(tmp_path / "t.parquet")
        found = read_data(DataConfig(source=str(tmp_path / "t.parquet")))
        assert sum("read as numbers" in note for note in notes(found)) == count
    assert not any("codes" in note for note in notes(read(tmp_path, RNG.integers(0, 9, N))))


def test_numbers_that_may_stand_for_missing_values_are_said_and_may_be_named_as_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"vibration": rng.gamma(2, 1, 200).round(3), "age": rng.integers(18, 90, 200)})
    table["answer"], table["wide"] = rng.integers(1, 6, 200), rng.normal(0, 900, 200)
    for name, number in (("vibration", -999), ("age", 999), ("answer", -9), ("wide", -999)):
        table.loc[table.sample(9, random_state=1).index, name] = number
    table["y"] = rng.normal(size=200)
    table.to_csv(tmp_path / "t.csv", index=False)

    def notes(**more: Any) -> list[str]:
        found = read_data(DataConfig(source=str(tmp_path / "t.csv"), ramps=False, **more)).findings
        return [each.words for each in found if "missing value" in each.words]

    said = notes()
    assert len(said) == 3 and all(text.startswith("column ") for text in said)
    assert any("vibration is -999 in 9 rows" in text and "data.missing: [-999]" in text for text in said)
    assert not any("wide" in text for text in said)  # one number of many
    (left,) = notes(missing=[-999, 999.0])
    assert "answer is -9" in left
    assert DataConfig(source="t.csv", missing=-999).missing == ("-999",)
    with pytest.raises(ValidationError):
        DataConfig(source="t.csv", missing=[True])
