"""Raw mixed tables: what becomes of their columns, and that a network gets the same from a file as from training."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from nas.checkpoint import Encoding, cells_of
from nas.errors import CheckpointError, DataError
from nas.training import DataConfig, LoadedData, read_data
from nas.training.data._encode import _category, _number

N = 200
RNG = np.random.default_rng(4)
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(18, 80, N).astype(float),
        "city": RNG.choice(["Paris", "Rome", "Oslo"], N),
        "rare": ["often"] * (N - 3) + ["once", "twice", "thrice"],
        "plan": RNG.choice(["basic", "pro"], N),
        "member": RNG.choice([True, False], N),
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, N), "D"),
        "fee": RNG.gamma(2, 20, N).round(2),
        "note": [f"customer {k}" for k in range(N)],
        "kind": RNG.choice(["yes", "no"], N),
    }
)
GAPS = FRAME.assign(age=FRAME.age.where(RNG.random(N) > 0.2), city=FRAME.city.where(RNG.random(N) > 0.1))


def read(path: Path, **settings: object) -> LoadedData:
    return read_data(DataConfig.model_validate({"source": str(path), "target": "kind", **settings}))


def parquet(tmp_path: Path, frame: pd.DataFrame) -> Path:
    frame.to_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_a_mixed_table_goes_in_and_what_becomes_of_it_is_said(tmp_path: Path) -> None:
    loaded = read(parquet(tmp_path, GAPS))
    assert loaded.features == ("age", "city", "rare", "plan", "member", "since", "fee")
    assert loaded.dataset.feature_names == (
        "age", "age missing", "city = (missing)", "city = Oslo", "city = Paris", "city = Rome", "rare = (other)",
        "plan = pro", "member", "since: days", "since: month", "since: weekday", "fee",
    )  # fmt: skip
    said = [f"{each.about} {each.words}" for each in loaded.findings]
    assert "left out note (text, 200 different in 200 rows)" in said
    assert "column city: 4 categories ((missing), Oslo, Paris, Rome), 4 inputs" in said
    assert "column since: date, as days, month, weekday, 3 inputs" in said
    assert any(each.startswith("column age: number, missing ones become the median ") for each in said)
    parts = (loaded.dataset.x_train, loaded.dataset.x_val, loaded.dataset.x_test)
    assert all(np.isfinite(part).all() for part in parts)


@pytest.mark.parametrize(
    "write",
    [
        lambda frame, path: frame.to_csv(path.with_suffix(".csv"), index=False),
        lambda frame, path: frame.to_csv(path.with_suffix(".csv"), index=False, sep=";", decimal=","),
        lambda frame, path: frame.to_csv(path.with_suffix(".tsv"), index=False, sep="\t", encoding="utf-8-sig"),
        lambda frame, path: frame.to_csv(path.with_suffix(".csv.gz"), index=False),
        lambda frame, path: frame.to_csv(path.with_suffix(".csv"), index=False, na_rep="NA"),
    ],
    ids=["csv", "semicolons and commas", "tabs and a mark", "gzipped", "NA"],
)
def test_text_files_say_the_same_as_parquet(tmp_path: Path, write: object) -> None:
    same = GAPS.astype({"city": str}).assign(city=GAPS.city.fillna("none at all"))  # "NA" is a category like any other
    write(same, tmp_path / "t")  # type: ignore[operator]
    path = next(tmp_path.iterdir())
    from_text, binary = read(path).dataset, read(parquet(tmp_path, same)).dataset
    assert from_text.feature_names == binary.feature_names
    assert np.array_equal(from_text.x_train, binary.x_train) and np.array_equal(from_text.x_test, binary.x_test)


def test_kinds_can_be_said(tmp_path: Path) -> None:
    frame = FRAME.assign(fee=RNG.choice([10115, 20095, 80331], N))
    assert "fee" in read(parquet(tmp_path, frame)).dataset.feature_names
    found = read(parquet(tmp_path, frame), kinds={"fee": "category"})
    assert {"fee = 10115", "fee = 20095", "fee = 80331"} <= {*found.dataset.feature_names}
    with pytest.raises(DataError, match="no column 'fe'"):
        read(parquet(tmp_path, frame), kinds={"fe": "category"})
    with pytest.raises(DataError, match="feature column 'city' must hold numbers, but has '"):
        read(parquet(tmp_path, frame), kinds={"city": "number"})


def test_all_refusals_come_at_once(tmp_path: Path) -> None:
    frame = FRAME.assign(age=[f"{k}.5" for k in range(N - 1)] + ["many"], fee=[f"{k + 1},234" for k in range(N)])
    with pytest.raises(DataError) as refused:
        read(parquet(tmp_path, frame))
    one, two = str(refused.value).splitlines()
    assert "column 'age' holds no numbers in all rows: 'many' in row 199" in one and "data.kinds" in one
    assert "column 'fee': '1,234' may be 1234 or 1.234" in two and "number 1,234.5 or number 1,5" in two


def test_a_row_gets_the_same_inputs_alone_and_after_a_file(tmp_path: Path) -> None:
    loaded = read(parquet(tmp_path, GAPS))
    assert loaded.encoding is not None
    again = Encoding.from_json(json.loads(json.dumps(loaded.encoding.to_json())))
    assert again == loaded.encoding
    rows = pd.DataFrame(loaded.examples)
    cells = [cells_of(rows[column.name], column.kind, column.name) for column in again.columns]
    scaled = (again.apply(cells) - loaded.dataset.mean) / loaded.dataset.scale
    assert np.allclose(scaled, loaded.dataset.x_test[: len(rows)], atol=1e-5)


def test_a_category_of_another_spelling_is_other_data(tmp_path: Path) -> None:
    before = read(parquet(tmp_path, FRAME)).fingerprint
    now = read(parquet(tmp_path, FRAME.assign(city=FRAME.city.replace("Rome", "Roma")))).fingerprint
    assert before.difference(now) == "column 'city' has other values"
    assert before.difference(read(parquet(tmp_path, FRAME)).fingerprint) is None


def test_what_training_never_missed_must_not_be_missing(tmp_path: Path) -> None:
    encoding = read(parquet(tmp_path, GAPS)).encoding
    assert encoding is not None
    fee = next(column for column in encoding.columns if column.name == "fee")
    with pytest.raises(DataError, match="column 'fee' is missing in row 1, but the network has seen it in every row"):
        fee.apply(np.array([1.0, np.nan]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d", ""]), min_size=1, max_size=120))
def test_categories_are_those_of_scikit_learn(texts: list[str]) -> None:
    column = np.array(texts, dtype=object)[:, None]
    least = 5 if len(texts) >= 50 else 1
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=32, min_frequency=least, drop="if_binary",
        sparse_output=False,
    ).fit(column)  # fmt: skip
    ours = _category("c", np.array([text or None for text in texts], dtype=object), 32)
    expected = encoder.transform(column)
    given_ = np.array([text or None for text in texts], dtype=object)
    found = ours.apply(given_) if ours.inputs else np.zeros((len(texts), 0))
    if expected.shape[1] == found.shape[1]:
        assert np.array_equal(found, expected)
    else:  # two groups of which one are the others: one input of ours, two of scikit-learn's
        assert np.array_equal(found[:, 0], expected[:, -1]) and found.shape[1] == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=40).filter(any))
def test_missing_numbers_are_filled_as_scikit_learn_does(values: list[float | None]) -> None:
    column = np.array([np.nan if value is None else value for value in values])
    ours = _number("n", "number", column, bool(np.isnan(column).any()))
    expected = SimpleImputer(strategy="median", add_indicator=True).fit_transform(column[:, None])
    assert np.array_equal(ours.apply(column), expected)


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2, "columns": []},
        {"version": 1, "columns": []},
        {"version": 1, "columns": [{"name": "a"}]},
        {"version": 1, "columns": [{"name": "a", "kind": "code", "fill": None, "flagged": False, "levels": [],
                                    "base": None, "other": False, "parts": []}]},
        {"version": 1, "columns": "ab"},
    ],
)  # fmt: skip
def test_a_damaged_encoding_is_refused(damage: object) -> None:
    with pytest.raises(CheckpointError, match="encoding"):
        Encoding.from_json(damage)


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(FRAME.to_csv(index=False).encode())[:-20])
    with pytest.raises(DataError, match=r"t.csv.gz: cannot be unpacked"):
        read(path)


def test_a_workbook_without_its_reader_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path) -> None:
        raise ImportError("Missing optional dependency 'openpyxl'")

    monkeypatch.setattr(pd, "ExcelFile", missing)
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as file:
        file.writestr("xl/workbook.xml", "")
    with pytest.raises(DataError, match="pip install openpyxl"):
        read(tmp_path / "t.xlsx")


def test_a_workbook_is_the_same_data_as_its_table(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        GAPS.to_excel(book, sheet_name="Customers", index=False)
        FRAME.head().to_excel(book, sheet_name="Notes")
    found, same = read(tmp_path / "t.xlsx"), read(parquet(tmp_path, GAPS))
    assert same.fingerprint.difference(found.fingerprint) is None
    np.testing.assert_array_equal(found.dataset.x_train, same.dataset.x_train)
    assert any("sheet 'Customers', the first of 2" in each.words for each in found.findings)


def test_npz_files_may_name_their_arrays_otherwise(tmp_path: Path) -> None:
    x, y = RNG.normal(size=(N, 3)), RNG.integers(0, 2, N)
    for names in (("X", "y"), ("features", "labels"), ("data", "target")):
        np.savez(tmp_path / "d.npz", **{names[0]: x, names[1]: y})  # type: ignore[arg-type]
        assert read_data(DataConfig(source=str(tmp_path / "d.npz"))).dataset.n_inputs == 3
    np.savez(tmp_path / "d.npz", inputs=x, outputs=RNG.normal(size=(N, 3)))  # alike in shape: in their order
    found = read_data(DataConfig(source=str(tmp_path / "d.npz")))
    assert found.dataset.n_outputs == 3
    assert any("'inputs' is taken for x and 'outputs' for y" in each.words for each in found.findings)


@pytest.mark.parametrize("mark", ["NA", "nan", "", "?", "-"])
def test_marks_of_missing_numbers_are_missing(tmp_path: Path, mark: str) -> None:
    frame = FRAME.assign(fee=[mark, *FRAME.fee.astype(str)[1:]])
    frame.to_csv(tmp_path / "t.csv", index=False)
    encoding = read(tmp_path / "t.csv").encoding
    assert encoding is not None
    assert next(column for column in encoding.columns if column.name == "fee").fill is not None


def test_numbers_that_stand_for_missing_values_are_missing_in_numbers_and_in_text() -> None:
    from nas.checkpoint import cells_of

    column = pd.Series([1, -999, 3])
    assert np.isnan(cells_of(column, "number", "a", missing=["-999", "none"])).tolist() == [False, True, False]
    assert cells_of(column, "category", "a", missing=["-999"]).tolist() == ["1", None, "3"]
    assert cells_of(column, "number", "a").tolist() == [1.0, -999.0, 3.0]
    for kind, wanted in (
        ("boolean", "true or false, but has 'ja' in row 1$"),
        ("number", "numbers, but .*as '1234.5'"),
    ):
        with pytest.raises(DataError, match=f"column 'a' must hold {wanted}"):
            cells_of(pd.Series([True, "ja"]), kind, "a")
