"""Numbers and dates as people and spreadsheets write them: read where they say one thing, the same ever after."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.checkpoint import CLOCK, EncodedColumn, Encoding, Notation, cells_of, clock_seconds
from nas.errors import DataError
from nas.training import DataConfig, LoadedData, load_data, read_data
from nas.training.data._notation import date_notation, number_notation

N = 120
RNG = np.random.default_rng(11)
VALUES = RNG.lognormal(8, 2, N).round(2)
LABELS = np.where(np.median(VALUES) < VALUES, "much", "little")


def written(value: float, decimal: str = ".", thousands: str = ",", unit: str = "{}") -> str:
    text = f"{abs(value):,.2f}".replace(",", "_").replace(".", decimal).replace("_", thousands)
    return ("-" if value < 0 else "") + unit.format(text)


@pytest.mark.parametrize(
    ("decimal", "thousands", "unit"),
    [
        (".", ",", "{}"),
        (",", ".", "{}"),
        (",", " ", "{}"),
        (",", "\u202f", "{} €"),
        (".", "'", "CHF {}"),
        (".", ",", "${}"),
        (",", ".", "{} €"),
        (".", "", "{}%"),
        (",", "", "{} %"),
        (",", ".", "{} kg"),
        (".", ",", "R$ {}"),
    ],
)
@pytest.mark.parametrize("how", ["file", "frame"])
def test_amounts_are_numbers_whoever_writes_them(
    tmp_path: Path, decimal: str, thousands: str, unit: str, how: str
) -> None:
    frame = pd.DataFrame({"v": [written(v, decimal, thousands, unit) for v in VALUES], "y": LABELS})
    path = tmp_path / ("t.csv" if how == "file" else "t.parquet")
    frame.to_csv(path, index=False, sep=";") if how == "file" else frame.to_parquet(path)
    found = read_data(DataConfig(source=str(path)))
    assert found.encoding is not None
    (column,) = found.encoding.columns
    assert column.kind == "number" and any("written as" in each.words for each in found.findings)
    cells = cells_of(frame.v, column.kind, "v", column.notation)
    np.testing.assert_allclose(cells, VALUES)
    np.testing.assert_allclose(cells_of(pd.Series(VALUES), "number", "v", column.notation), VALUES)  # numbers are
    # A file of one row, which alone may say two things, is read as the training part was.
    one = load_data(DataConfig(source=str(path), kinds={"v": column.stated}), features=("v",), encoding=found.encoding)
    np.testing.assert_array_equal(one.x_train, found.dataset.x_train)


@pytest.mark.parametrize(
    ("texts", "notation"),
    [
        (["1,234", "950", "12,000"], "1,234.5"),  # beside whole numbers that have no mark only below a thousand
        (["1.234.567", "1.500"], "1.234,5"),
        (["$1,234", "$12,500"], "$1,234.5"),  # money has two decimals or none
        (["(1,234.50)", "99.00", "−5.00"], "1,234.5"),
        (["12 %", "3,5 %"], "1,5 %"),
        (["1.5 €", "2.25"], "1.5 €"),
        (["12:30", "1 days 02:03:04", "-0:05:00"], CLOCK),
        (["12%", "0.5"], None),  # parts of a hundred, or of one
        (["3 kg", "200 g"], None),
        (["€3", "$4"], None),
        (["1.2.3", "1.2.4"], None),
        (["P1", "P12"], None),
        (["06 12 34 56 78", "06 99 12 34 11"], None),
        (["12A", "12B"], None),
    ],
)
def test_all_cells_together_say_what_marks_mean(texts: list[str], notation: str | None) -> None:
    assert number_notation(dict.fromkeys(texts)) == notation


def test_what_the_cells_leave_open_is_refused() -> None:
    with pytest.raises(DataError, match=r"'1,234' may be 1234 or 1.234: .* number 1,234.5 or number 1,5"):
        number_notation(["1,234", "22,345"])
    assert number_notation(["1,234", "22,345"], ",") == "1,5"
    assert number_notation(["1,234", "22,345"], ".") == "1,234.5"
    with pytest.raises(DataError, match=r"'01/02/2024' may be 02 January 2024 or 01 February 2024: .* date %d/%m/%Y"):
        date_notation(["01/02/2024", "03/04/2024"])


@given(
    st.lists(st.floats(-1e9, 1e9).map(lambda value: round(value, 2)), min_size=1, max_size=30),
    st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'"), (",", "")]),
    st.sampled_from(["{}", "{} €", "${}", "{}%"]),
)
def test_a_notation_reads_what_it_writes(values: list[float], marks: tuple[str, str], unit: str) -> None:
    texts = [written(value, *marks, unit) for value in values]
    found = number_notation(dict.fromkeys(texts))
    if found is None:  # plain numbers, which need none
        return
    read = [Notation.of(found).read(text) for text in texts]
    assert read == [pytest.approx(value, abs=1e-6) for value in values]


@pytest.mark.parametrize(
    ("form", "notation"),
    [
        ("%m/%d/%Y", "%m/%d/%Y"),
        ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M"),
        ("%m/%d/%y %I:%M %p", "%m/%d/%y %I:%M %p"),
        ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"),
        ("%d %b %Y", "%d %b %Y"),
        ("%B %d, %Y", "%B %d, %Y"),
        ("%b %Y", "%b %Y"),
        ("%Y/%m/%d", "%Y/%m/%d"),
    ],
)
def test_dates_of_other_countries_are_dates(tmp_path: Path, form: str, notation: str) -> None:
    dates = pd.Timestamp("2019-03-01") + pd.to_timedelta(RNG.integers(0, 900 * 1440, N), "min")
    texts = dates.strftime(form)
    pd.DataFrame({"d": texts, "y": LABELS}).to_csv(tmp_path / "t.csv", index=False)
    found = read_data(DataConfig(source=str(tmp_path / "t.csv")))
    assert found.encoding is not None and found.encoding.columns[0].stated == f"date {notation}"
    want = (pd.to_datetime(texts, format=form) - pd.Timestamp("1970-01-01")).total_seconds()
    np.testing.assert_allclose(cells_of(pd.Series(texts), "date", "d", notation), want)
    iso = pd.Series(pd.to_datetime(texts, format=form).strftime("%Y-%m-%d %H:%M:%S"))
    np.testing.assert_allclose(cells_of(iso, "date", "d", notation), want)


def read(tmp_path: Path, column: object, **settings: object) -> LoadedData:
    pd.DataFrame({"c": column, "a": VALUES, "y": LABELS}).to_csv(tmp_path / "t.csv", index=False)
    return read_data(DataConfig.model_validate({"source": str(tmp_path / "t.csv"), **settings}))


def test_durations_and_times_of_day_are_seconds(tmp_path: Path) -> None:
    seconds = RNG.integers(0, 300_000, N)
    for texts in (
        pd.Series(pd.to_timedelta(seconds, "s")).astype(str),
        [f"{s // 3600}:{s // 60 % 60:02}:{s % 60:02}" for s in seconds],
    ):
        found = read(tmp_path, texts)
        assert found.encoding is not None and found.encoding.columns[0].stated == "number h:m:s"
        np.testing.assert_allclose(cells_of(pd.Series(texts), "number", "c", CLOCK), seconds)
    typed = pd.DataFrame({"c": pd.to_timedelta(seconds, "s"), "a": VALUES, "y": LABELS})
    typed.to_parquet(tmp_path / "t.parquet")  # what is typed there is text in a CSV of the same rows
    read_typed = read_data(DataConfig(source=str(tmp_path / "t.parquet")))
    assert read_typed.encoding is not None and read_typed.encoding.columns[0].stated == "number h:m:s"
    assert clock_seconds("-1 days +23:00:00") == -3600 and clock_seconds("1:99") is None
    np.testing.assert_allclose(cells_of(pd.Series(pd.to_timedelta(seconds, "s")), "number", "c"), seconds)


def test_words_among_numbers_are_missing_where_it_is_said(tmp_path: Path) -> None:
    texts = np.where(np.arange(N) % 7, VALUES.astype(str), "on request")
    with pytest.raises(DataError, match=r"'on request' in row 0 .*18 such cells in all.*data.missing: \[on request\]"):
        read(tmp_path, texts)
    found = read(tmp_path, texts, missing=["on request"])
    assert found.encoding is not None and found.encoding.columns[0].flagged
    marks = read(tmp_path, np.where(np.arange(N) % 7, VALUES.astype(str), "#DIV/0!"))
    np.testing.assert_array_equal(marks.dataset.x_train, found.dataset.x_train)
    dates = np.where(np.arange(N) % 40, "2024-05-" + pd.Series(np.arange(N) % 28 + 1).astype(str).str.zfill(2), "soon")
    with pytest.raises(DataError, match=r"'c' holds no dates in all rows: 'soon' in row 0"):
        read(tmp_path, dates)
    assert read(tmp_path, dates, missing=["soon"]).encoding is not None


def test_amounts_can_be_targets_but_few_of_them_are_classes(tmp_path: Path) -> None:
    pd.DataFrame({"a": VALUES, "price": [written(v, unit="${}") for v in VALUES]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    found = read_data(DataConfig(source=str(tmp_path / "t.csv")))
    assert found.dataset.task == "regression" and found.dataset.target_mean is not None
    assert abs(float(found.dataset.target_mean[0]) / VALUES.mean() - 1) < 0.5
    assert any("target price is written as $1,234.5" in each.words for each in found.findings)
    pd.DataFrame({"a": VALUES, "rate": ["10%", "20%"] * (N // 2)}).to_csv(tmp_path / "t.csv", index=False)
    assert read_data(DataConfig(source=str(tmp_path / "t.csv"))).dataset.classes == ("10%", "20%")


def test_a_notation_is_kept_and_damaged_ones_are_refused() -> None:
    column = EncodedColumn("c", "number", notation="1.234,5 €")
    assert not column.plain and Encoding.from_json(Encoding((column,)).to_json()) == Encoding((column,))
    for kinds in ({"c": "number 12"}, {"c": "category 1"}, {"c": "date tomorrow"}, {"c": "money"}):
        with pytest.raises(ValueError, match="column 'c': (expected|a (category|date) has no notation)"):
            DataConfig(source="t.csv", kinds=kinds)
