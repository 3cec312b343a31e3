"""Text tables mean what they can only mean, or are refused with the setting that decides."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nas.errors import DataError
from nas.training import DataConfig, LoadedData, load_data, read_data

RNG = np.random.default_rng(5)
A, B = (RNG.normal(size=60).round(4).astype(str) for _ in range(2))
LABELS = ["ash", "fir"] * 30


def text(header: str, *columns: list[str] | np.ndarray, separator: str = ",") -> str:
    rows = [separator.join(cells) for cells in zip(*columns, strict=True)]
    return "\n".join([header, *rows]) + "\n"


def read(tmp_path: Path, content: str | bytes, name: str = "t.csv", **settings: object) -> LoadedData:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_data(DataConfig.model_validate({"source": str(path), **settings}))


def commas(values: np.ndarray) -> list[str]:
    return [value.replace(".", ",") for value in values]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (text("a;b;y", A, B, LABELS, separator=";"), "t.csv"),
        (text("a\tb\ty", A, B, LABELS, separator="\t"), "t.csv"),
        (text("a,b,y", A, B, LABELS), "t.tsv"),
        (text("a|b|y", A, B, LABELS, separator="|"), "t.csv"),
        (text("a;b;y", commas(A), commas(B), LABELS, separator=";"), "t.csv"),
        (text("a\tb\ty", commas(A), commas(B), LABELS, separator="\t"), "t.tsv"),
        (text("a,b,y", A, B, LABELS).encode("utf-8-sig"), "t.csv"),
        (text("a,b,y", A, B, LABELS).encode("utf-16"), "t.csv"),
        (text("a,b,y", A, B, LABELS).encode("utf-16-le"), "t.csv"),
        (text("a,b,y", A, B, LABELS).encode("utf-16-be"), "t.csv"),
        (text(' "a" , b ,"y"', A, B, LABELS).replace(' "a" ', '"a"'), "t.csv"),
        (text("a,b,y", A, B, LABELS).replace("\n", "\r\n"), "t.csv"),
    ],
)
def test_every_writing_of_a_table_is_the_same_data(tmp_path: Path, content: str | bytes, name: str) -> None:
    plain = read(tmp_path, text("a,b,y", A, B, LABELS), "plain.csv")
    found = read(tmp_path, content, name)
    assert found.dataset.feature_names == ("a", "b")
    assert found.dataset.classes == ("ash", "fir")
    assert plain.fingerprint.difference(found.fingerprint) is None
    np.testing.assert_array_equal(found.dataset.x_train, plain.dataset.x_train)


def test_targets_have_the_decimal_mark_of_the_table(tmp_path: Path) -> None:
    found = read(tmp_path, text("a;b;y", commas(A), commas(A[::-1]), commas(B), separator=";")).dataset
    assert found.task == "regression"
    assert found.target_mean is not None and found.target_scale is not None
    back = found.y_train[:, 0] * found.target_scale[0] + found.target_mean[0]
    assert np.abs(back[:, None] - B.astype(float)).min(axis=1).max() < 1e-6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            text("a,b,y", A, B, ["śnieg", "Łódź"] * 30).encode("cp1250"),
            "byte 0x9c in line 2 is not UTF-8; .* data.encod",
        ),
        (text("a,b,y", A, B, LABELS).replace("ash", "a\0sh"), r"holds a zero byte, .* UTF-16. \(data.encoding\)"),
        (text("a;b;y", ["1,234"] * 60, B, LABELS, separator=";"), r"'1,234' in column 'a' may be 1234 or 1.234; set"),
        (text("a;b;y", commas(A), B, LABELS, separator=";"), "have decimal commas, but column 'b' decimal po"),
        (
            text("a;b;y", ["1.234,5", "7.100,2", "1,5.2"] * 20, ["3"] * 60, LABELS, separator=";"),
            "several units or marks",
        ),
        (text("a,b,y", ['"1,234"', '"22,345"'] * 30, B, LABELS), "'1,234' may be 1234 or 1.234: .* number 1,234.5 or"),
        (text("a,b,y", ["01/02/2024", "03/04/2024"] * 30, B, LABELS), "may be 02 January 2024 or 01 February 2024"),
        (
            text("5.1,3.5,ash", A, B, LABELS),
            r"first line holds numbers \(5.1\) .* data.header: true if .* false",
        ),
        (text("1;2;3", A, B, A[::-1], separator=";"), "so it may be data; set data.header"),
        (text("a,b", A, B, LABELS), "names 2 columns, but the next has 3 cells"),
        (text("a,b,y", A, B, LABELS) + "1,2,3,4\n", "Expected 3 fields in line 62, saw 4"),
        (
            "made by x\n\n" + text("a,b,y", A, B, LABELS),
            "line 1, 'made by x', has 1 cells, and after 1 such lines .* are 3",
        ),
        (text("a,b,y", [*A[:59], "many"], B, LABELS), "'many' in row 59"),
        (text("a,b,y", [*A[:59], "inf"], B, LABELS), "inf"),
        (text("a,b,y", [*A[:59], "1e999"], B, LABELS), "feature.* 'a' .*(inf|1e999)"),
        (text("a,b,y", A, B, [*LABELS[:59], " "]), "target column 'y' is empty in row 59"),
        (text("a,b,y", A, B, [*A[:59], "NA"]), "target column 'y' holds numbers, but 'NA' in row 59"),
        (text("a,b,y", [f"{2**60 + k % 7}" for k in range(60)], B, LABELS), r"beyond 2\^53"),
        (text("a,b,y", [f"{10**25 + k}" for k in range(60)], B, LABELS), "'a' holds .* of more than 18 digits"),
        (
            text("a,b,y", A, B, ["3.5"] * 60),
            "target is 3.5 in every row .*; there is nothing to learn",
        ),
    ],
)
def test_what_may_mean_two_things_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_settings_decide_what_the_file_does_not(tmp_path: Path) -> None:
    found = read(tmp_path, text("5.1,3.5,ash", A, B, LABELS), header=False).dataset
    assert found.feature_names == ("x0", "x1")
    assert len(found.x_train) + len(found.x_val) + len(found.x_test) == 61
    assert read(tmp_path, text("1,2,3", A, B, LABELS), header=True).dataset.feature_names == ("1", "2")
    assert read(tmp_path, text("2019,2020,kind", A, B, LABELS), target="kind").dataset.feature_names == ("2019", "2020")
    odd = ["1,234", "2,345", "3,001", "4,777"] * 15
    decimal = read(tmp_path, text("a;b;y", odd, commas(B), LABELS, separator=";"), decimal=",")
    np.testing.assert_allclose([decimal.columns["low"][0], decimal.columns["high"][0]], [1.234, 4.777])  # type: ignore[index]
    accented = text("a,b,y", A, B, ["é", "fir"] * 30).encode("cp1252")
    assert read(tmp_path, accented, encoding="cp1252").dataset.classes == ("fir", "é")
    assert read(tmp_path, text("a^b^y", A, B, LABELS, separator="^"), separator="^").dataset.n_inputs == 2


WESTERN = {
    "German": "Straße Größe ÄPFEL Übung Müller 10 °C 5 € µm m²",
    "French": "d’été cœur Noël À côté l‘œuvre",
    "Spanish": "niño ¿qué? ¡hola! 1ª 2º Ñandú",
    "Danish": "Ærø Århus smørrebrød",
    "Icelandic": "þú ð Þór",
    "Catalan": "col·lecció",
    "signs": "“so” – … ½ ¼ ±3",
}
FOREIGN = {
    "Polish": ("cp1250", "zażółć gęślą jaźń"),
    "Czech": ("cp1250", "Příbram žluťoučký kůň"),
    "Latin-2": ("iso8859-2", "Plzeň žluť šunka"),
    "Romanian": ("cp1250", "şcoală ţară"),
    "Russian": ("cp1251", "Москва"),
    "Greek": ("cp1253", "Αθήνα"),
    "DOS": ("cp850", "Müller Straße"),
    "Macintosh": ("mac_roman", "Müller été"),
    "Japanese": ("shift_jis", "東京 大阪"),
    "Chinese": ("gbk", "北京 上海"),
    "Hebrew": ("cp1255", "שלום"),
}


@pytest.mark.parametrize("language", WESTERN)
def test_western_tables_of_windows_are_read_and_it_is_said(tmp_path: Path, language: str) -> None:
    labels = [WESTERN[language], "fir"] * 30
    found = read(tmp_path, text("a,b,y", A, B, labels).encode("cp1252"))
    assert {*found.dataset.classes} == {*labels}
    assert any("CP1252" in each.words and "data.encoding" in each.key for each in found.findings)


@pytest.mark.parametrize("language", FOREIGN)
def test_letters_of_other_encodings_never_become_western_ones_in_silence(tmp_path: Path, language: str) -> None:
    encoding, words = FOREIGN[language]
    table = text("a,b,y", A, B, [words, "fir"] * 30).encode(encoding)
    with pytest.raises(DataError, match="data.encoding"):
        read(tmp_path, table)
    assert words in read(tmp_path, table, encoding=encoding).dataset.classes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"source": "digits", "separator": ";"},
            "data.separator is for .csv and .tsv files, but .* 'digits'",
        ),
        ({"source": "a.parquet", "header": False}, "data.header is for .csv"),
        ({"source": "a.npz", "keep": ["x0"]}, "data.keep is for tables"),
        ({"source": "a.csv", "separator": "ab"}, "one character"),
        ({"source": "a.csv", "encoding": "klingon"}, "expected auto or an encoding"),
        ({"source": "a.csv", "drop": ["a"], "keep": ["a"]}, "column 'a' is named in both data.drop and data.keep"),
        ({"source": "a.csv", "target": "a", "drop": ["a"]}, "both data.target and data.drop"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate(values)


def test_many_columns_take_no_quadratic_time(tmp_path: Path) -> None:
    """20,000 names: counting each in the list of all took a minute."""
    names = ",".join(f"c{k}" for k in range(20_000))
    path = tmp_path / "wide.csv"
    path.write_text(f"{names},c0\n" + "1," * 20_000 + "x\n")
    with pytest.raises(DataError, match="beside the target c0.1: 'c0' is left out"):
        load_data(DataConfig(source=str(path)))


def test_a_line_that_ends_early_has_no_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = [f"{'pq'[k % 2]},{k * 37 % 11},{k * 53 % 7}" for k in range(60)]
    path.write_text("\n".join(["y,a,b", *lines[:30], "p,3", *lines[30:]]))
    with pytest.raises(
        DataError, match="the line that ends in line 32 of the file has 2 cells, but there are 3 columns"
    ):
        read_data(DataConfig(source=str(path), target="y"))
    path.write_text("\n".join(["y,a,b", *lines[:30], "p,3,", "", *lines[30:]]))
    assert read_data(DataConfig(source=str(path), target="y")).findings[0].words.endswith("61 samples")


def test_row_names_without_a_name_are_refused(tmp_path: Path) -> None:
    """As R writes them: one cell more than the first line has names."""
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "".join(f"{k},{k * 37 % 11},{k * 53 % 7},{k % 2}\n" for k in range(60)))
    with pytest.raises(DataError, match="the first line names 3 columns, but the next has 4 cells"):
        read_data(DataConfig(source=str(path)))


def test_columns_named_twice_are_called_as_pandas_calls_them(tmp_path: Path) -> None:
    content = text("a,b,a,a.1, a,y", A, B, A[::-1], B[::-1], A, LABELS)
    found = read(tmp_path, content, target="y")
    names = pd.read_csv(tmp_path / "t.csv", skipinitialspace=True).columns
    assert found.features == tuple(names[:-1]) == ("a", "b", "a.2", "a.1", "a.3")
    assert any("columns named twice: a.2, a.3" in each.words for each in found.findings)


def test_comments_above_are_left_out_and_lines_may_end_in_a_separator(tmp_path: Path) -> None:
    plain = read(tmp_path, text("a,b,y", A, B, LABELS), "plain.csv")
    above = read(tmp_path, "# made by x\n# a, comma\n" + text("a,b,y", A, B, LABELS))
    assert plain.fingerprint.difference(above.fingerprint) is None
    assert any("without 2 lines of comment above" in each.words for each in above.findings)
    assert read(tmp_path, text("#a,b,y", A, B, LABELS)).features == ("#a", "b")
    trailing = read(tmp_path, text("a,b,y,", A, B, LABELS, [""] * 60))
    assert trailing.dataset.classes == ("ash", "fir") and trailing.features == ("a", "b")


def test_points_between_thousands_go_with_decimal_commas(tmp_path: Path) -> None:
    people = [f"{1 + k * 7 % 61}.{100 + k * 13 % 61}" for k in range(60)]
    found = read(tmp_path, text("a;people;y", commas(A), people, LABELS, separator=";"))
    assert found.encoding is not None and found.encoding.columns[1].stated == "number 1.234,5"
    assert read(tmp_path, text("a;b;y", commas(A), commas(B), LABELS, separator=";")).encoding is None


def test_a_refused_encoding_shows_what_it_may_be(tmp_path: Path) -> None:
    for encoding, words in [
        ("cp1250", ["Łódź", "Kraków"]),
        ("cp1251", ["Москва", "Казань"]),
        ("koi8_r", ["Омск", "Пермь"]),
    ]:
        content = text("a,b,y", A, B, words * 30).encode(encoding)
        with pytest.raises(DataError, match=rf"data.encoding \(.*{encoding} reads '{words[0]}'"):
            read(tmp_path, content)
        assert read(tmp_path, content, encoding=encoding).dataset.classes == tuple(sorted(words))
    hungarian = text("a,b,y", A, B, ["Győr", "Pécs"] * 30).encode("cp1250")
    assert any("e.g. 'Gyõr', which CP1250 reads 'Győr'" in each.words for each in read(tmp_path, hungarian).findings)


def test_stated_categories_keep_their_spelling(tmp_path: Path) -> None:
    codes = [["01", "1", "001", ""][k % 4] for k in range(60)]
    encoding = read(tmp_path, text("code,a,y", codes, A, LABELS), kinds={"code": "category"}).encoding
    assert encoding is not None
    column = encoding.columns[0]
    assert column.kind == "category"
    assert {level for level in (column.base, *column.levels) if level} == {"01", "1", "001"}
