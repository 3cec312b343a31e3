"""A fingerprint is equal where data is, and says what differs where it is not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas.errors import DataError
from nas.training import DataConfig, Fingerprint, read_data
from nas.training.data.fingerprint import row_codes

RNG = np.random.default_rng(8)
FRAME = pd.DataFrame(
    {"a": RNG.normal(size=80), "b": RNG.normal(size=80), "c": RNG.normal(size=80), "y": RNG.choice(["p", "q"], 80)}
)


def of(tmp_path: Path, frame: pd.DataFrame, **settings: object) -> Fingerprint:
    frame.to_csv(tmp_path / "t.csv", index=False)
    return read_data(DataConfig.model_validate({"source": str(tmp_path / "t.csv"), **settings})).fingerprint


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            FRAME[["b", "a", "c", "y"]],
            "columns were in the order 'a', 'b', 'c', and are in the order 'b', 'a', 'c'",
        ),
        (FRAME.assign(b=FRAME.b * 1000), "column 'b' has other values"),
        (FRAME.assign(a=FRAME.b, b=FRAME.a), "columns 'a', 'b' have traded places"),
        (FRAME.assign(y=FRAME.y.map({"p": "q", "q": "p"})), "its targets have other values"),
        (FRAME.iloc[:-1], "it had 80 rows and has 79"),
        (FRAME.iloc[::-1], "its rows are in another order"),
        (FRAME.rename(columns={"c": "d"}), "it no longer has 'c' and now has 'd' among its columns"),
        (FRAME.drop(columns="c"), "it no longer has 'c' among its columns"),
        (FRAME.assign(y=RNG.normal(size=80)), "its targets were taken for classification, now for regression"),
        (FRAME.assign(y=FRAME.y.str.upper()), "its classes were 'p', 'q', and are 'P', 'Q'"),
        (FRAME.assign(a=FRAME.a.where(FRAME.index != 41, 0.5)), "column 'a' has other values"),
    ],
)
def test_what_differs_is_said(tmp_path: Path, changed: pd.DataFrame, words: str) -> None:
    before = of(tmp_path, FRAME)
    difference = before.difference(of(tmp_path, changed))
    assert difference is not None and words in difference


def test_the_same_data_is_the_same_however_it_is_stored(tmp_path: Path) -> None:
    before = of(tmp_path, FRAME)
    assert before.difference(of(tmp_path, FRAME)) is None
    assert Fingerprint.from_json(json.loads(json.dumps(before.to_json()))) == before
    FRAME.to_parquet(tmp_path / "t.parquet")
    assert before.difference(read_data(DataConfig(source=str(tmp_path / "t.parquet"))).fingerprint) is None
    assert "split into other parts" in str(before.difference(of(tmp_path, FRAME, seed=3)))
    assert before.same_samples(of(tmp_path, FRAME.iloc[::-1], seed=3))
    assert not before.same_samples(of(tmp_path, FRAME.assign(y=FRAME.y[::-1].to_numpy())))


def test_other_records_are_no_fingerprint() -> None:
    for values in (None, {}, {"version": 2}, {"version": 1, "rows": 3}, "x"):
        assert Fingerprint.from_json(values) is None


def test_wide_data_is_summed_up_as_a_whole(tmp_path: Path) -> None:
    x = RNG.normal(size=(40, 600))
    found = []
    for values in (x, x.astype(np.float32).astype(np.float64), np.where(np.arange(600) == 599, 0.0, x)):
        np.savez(tmp_path / "d.npz", x=values, y=np.arange(40) % 2)
        found.append(read_data(DataConfig(source=str(tmp_path / "d.npz"))).fingerprint)
    assert found[0].columns == ()
    assert found[0].difference(found[1]) == found[0].difference(found[2]) == "its inputs have other values"


def test_row_codes_tell_rows_apart() -> None:
    x = RNG.integers(0, 3, (1500, 4)).astype(float)
    codes = row_codes(x)
    assert len(np.unique(codes)) == len(np.unique(x, axis=0)) == 81
    assert (
        row_codes(np.array([[0.0, 1.0], [1.0, 0.0], [-0.0, 1.0]])).tolist()[0::2]
        == row_codes(np.array([[0.0, 1.0]] * 2)).tolist()
    )
    assert row_codes(np.array([[0.0, 1.0]])) != row_codes(np.array([[1.0, 0.0]]))


def test_a_function_that_is_random_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "random_data.py").write_text(
        "import numpy as np\n"
        "def loose(): return np.random.default_rng().normal(size=(40, 2)), np.arange(40) % 2\n"
        "def fixed(): return np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DataError, match="called a second time, the function returns other data .* fixed seed"):
        read_data(DataConfig(source="random_data:loose"), twice=True)
    assert read_data(DataConfig(source="random_data:fixed"), twice=True).dataset.n_inputs == 2


def test_tables_of_functions_keep_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table_data.py").write_text(
        "import numpy as np, pandas as pd\n"
        "rng = np.random.default_rng(0)\n"
        "F = pd.DataFrame({'a': rng.normal(size=40), 'b': rng.normal(size=40) + 9})\n"
        "Y = pd.Series(['01', '1'] * 20)\n"
        "def pair(): return F, Y\n"
        "def whole(): return F.assign(y=Y)\n"
        "def parts(): return {'x_train': F, 'y_train': Y, 'x_test': F[['b', 'a']], 'y_test': Y}\n"
        "def other(): return {'x_train': F, 'y_train': Y, 'x_test': F.rename(columns={'a': 'c'}), 'y_test': Y}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("pair", "whole", "parts"):
        data = read_data(DataConfig(source=f"table_data:{name}")).dataset
        assert (data.feature_names, data.classes) == (("a", "b"), ("01", "1"))
        assert data.mean is not None and 8 < data.mean[1] < 10
        assert abs(data.x_test[:, 1].mean()) < 1
    with pytest.raises(DataError, match="column 'a' is in one part only"):
        read_data(DataConfig(source="table_data:other"))
    with pytest.raises(DataError, match="data.target names a column of one table, but the function returns"):
        read_data(DataConfig(source="table_data:pair", target="y"))


def test_tables_of_functions_may_hold_what_files_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixed_data.py").write_text(
        "import numpy as np, pandas as pd\n"
        "rng = np.random.default_rng(0)\n"
        "def table(n): return pd.DataFrame({'size': rng.normal(size=n), 'city': rng.choice(['Oslo', 'Rome'], n)})\n"
        "F, T, V = table(80), table(20), table(10)\n"
        "F.loc[::9, 'size'], T.loc[0, 'city'] = None, 'Bern'\n"
        "def price(t): return ((t['city'] == 'Rome') * 3.0 + rng.normal(size=len(t))).rename('price')\n"
        "YF, YT, YV = price(F), price(T), price(V)\n"
        "def pair(): return F, YF\n"
        "def none(): return F, None\n"
        "def uneven(): return F, [[1], [1, 2]] * 40\n"
        "def no_columns(): return F, np.empty((80, 0))\n"
        "def two(t): return pd.DataFrame({'p': t['city'] == 'Rome', 'q': rng.normal(size=len(t)) - 50}, dtype=float)\n"
        "Y2, Z2 = two(F), two(T)[['q', 'p']]\n"
        "def several(): return dict(x_train=F, y_train=Y2, x_test=T, y_test=Z2)\n"
        "def parts(): return dict(x_train=F, y_train=YF, x_test=T, y_test=YT, x_val=V, y_val=YV.to_numpy())\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("pair", "parts"):
        found = read_data(DataConfig(source=f"mixed_data:{name}"))
        data = found.dataset
        assert (found.features, data.feature_names) == (("size", "city"), ("size", "size missing", "city = Rome"))
        assert np.isfinite(data.x_train).all() and found.columns["targets"] == ["price"]
    assert (len(data.x_train), len(data.x_val), len(data.x_test)) == (80, 10, 20)
    for name, said in [("none", "y is NoneType"), ("uneven", "y cannot be an array"), ("no_columns", "no columns")]:
        with pytest.raises(DataError, match=said):
            read_data(DataConfig(source=f"mixed_data:{name}"))
    several = read_data(DataConfig(source="mixed_data:several", ramps=False)).dataset
    assert abs(several.y_test[:, 1].mean()) < 1  # targets are found by name, too: q is about -50
    by_hand = [sum(1 for city in cities if city > 0) for cities in (data.x_train[:, 2], data.x_test[:, 2])]
    monkeypatch.syspath_prepend(str(tmp_path))
    import mixed_data  # type: ignore[import-not-found]

    assert by_hand == [int((each["city"] == "Rome").sum()) for each in (mixed_data.F, mixed_data.T)]
