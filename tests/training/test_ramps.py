"""Numbers that become ramps: which, where they begin and end, and that every reader makes the same of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.checkpoint import EncodedColumn, Encoding
from nas.errors import CheckpointError
from nas.training import DataConfig, LoadedData, read_data
from nas.training.data._ramps import knots_of

N = 600
RNG = np.random.default_rng(3)
FRAME = pd.DataFrame({name: RNG.normal(50, 10, N) for name in ("straight", "bent", "noise")})
FRAME["gaps"] = np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(0, 1, N))
FRAME["few"] = RNG.integers(0, 4, N).astype(float)
FRAME["y"] = (
    FRAME.straight + 2 * (FRAME.bent - 50).abs() + 20 * FRAME.gaps.fillna(0).abs() + (FRAME.few - 1.5) ** 2
    + RNG.normal(0, 3, N)
)  # fmt: skip


def read(path: Path, frame: pd.DataFrame = FRAME, **settings: object) -> LoadedData:
    frame.to_csv(path / "t.csv", index=False)
    return read_data(DataConfig.model_validate({"source": str(path / "t.csv"), "target": "y", **settings}))


def ramped(loaded: LoadedData) -> list[str]:
    return [] if loaded.encoding is None else [each.name for each in loaded.encoding.columns if each.knots]


def test_numbers_of_which_a_line_does_not_say_it_all_become_ramps(tmp_path: Path) -> None:
    loaded = read(tmp_path)
    assert ramped(loaded) == ["bent", "gaps"]
    assert loaded.dataset.n_inputs == 5 + 1 + 2 * 8  # a flag for the gaps
    assert any("bent: number, 8 ramps between its quantiles, 9 inputs" in each.words for each in loaded.findings)
    classes = FRAME.assign(y=np.where(FRAME.y > FRAME.y.median(), "high", "low"))
    assert "bent" in ramped(read(tmp_path, classes))


def test_all_or_none_where_the_job_says_so(tmp_path: Path) -> None:
    assert ramped(read(tmp_path, ramps=True)) == ["straight", "bent", "noise", "gaps"]  # few has four numbers
    assert ramped(read(tmp_path, ramps=False)) == []
    rows = FRAME[["straight", "bent", "noise", "y"]]
    assert read(tmp_path, rows, ramps=False).encoding is None
    assert ramped(read(tmp_path, rows, period=3)) == []  # rows of an image, or steps of a signal


def test_too_few_rows_show_no_bend(tmp_path: Path) -> None:
    assert ramped(read(tmp_path, FRAME[["straight", "noise", "y"]].iloc[:40])) == []


def test_narrow_ramps_where_they_say_more(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"wavy": rng.uniform(0, 1, 2000), "bent": rng.normal(0, 1, 2000), "noise": rng.random(2000)})
    frame["few"] = np.repeat(np.arange(20) + 0.5, 100)  # more quantiles are the same numbers again
    frame["y"] = 3 * frame.bent.abs() + np.sin(30 * frame.wavy) + (frame.few % 2 > 1) + rng.normal(0, 0.3, 2000)
    found = read(tmp_path, frame).encoding
    assert found is not None
    ramps = {each.name: len(each.ramps) for each in found.columns}
    assert ramps == {"wavy": 32, "bent": 8, "noise": 0, "few": 19}


def test_ramps_as_they_were_found_before(tmp_path: Path) -> None:
    before = {"bent": (20.0, 50.0, 80.0), "gone": (0.0, 1.0)}
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    config = DataConfig(source=str(tmp_path / "t.csv"), target="y")
    found = read_data(config, knots=before).encoding
    assert found is not None
    assert {each.name: each.knots for each in found.columns if each.knots} == {"bent": before["bent"]}
    found = read_data(config, knots={}).encoding
    assert found is not None and not any(each.knots for each in found.columns)


def test_wide_tables_are_read_in_no_time(tmp_path: Path) -> None:
    wide = pd.concat([FRAME[["bent", "y"]], pd.DataFrame(RNG.normal(size=(N, 600))).add_prefix("n")], axis=1)
    assert ramped(read(tmp_path, wide)) == []  # more numbers than are looked at one by one
    flags = pd.concat([FRAME[["bent", "y"]], pd.DataFrame(RNG.random((N, 3000)) < 0.5).add_prefix("f")], axis=1)
    assert ramped(read(tmp_path, flags)) == []  # more inputs than a linear model is solved for


def test_knots_are_quantiles_of_the_training_part(tmp_path: Path) -> None:
    train = FRAME.bent.to_numpy()
    assert np.allclose(knots_of(train), np.quantile(train, np.linspace(0, 1, 9)), rtol=1e-6)
    assert knots_of(np.repeat(np.arange(5.0), 30)) == ()
    assert knots_of(np.concatenate([np.zeros(500), np.arange(20.0)])) == ()  # nearly all quantiles are one number


numbers = st.floats(-1e4, 1e4, width=32)


@given(knots=st.lists(numbers, min_size=2, max_size=9, unique=True).map(sorted), x=st.lists(numbers, min_size=1))
def test_ramps_add_up_to_the_place_between_the_knots(knots: list[float], x: list[float]) -> None:
    column = EncodedColumn("x", "number", knots=tuple(knots))
    found = column.apply(np.array(x))
    assert found.shape == (len(x), len(column.inputs)) and (found[:, 0] == x).all()
    places = np.interp(x, knots, np.arange(len(knots)))
    assert np.allclose(found[:, 1:].sum(axis=1), places, atol=1e-9)


def test_encodings_without_knots_stay_readable_by_earlier_programs() -> None:
    plain = Encoding((EncodedColumn("x", "number", 1.0, True),))
    bent = Encoding((EncodedColumn("x", "number", 1.0, True, knots=(0.0, 1.0, 4.0)),))
    assert plain.to_json()["version"] == 1 and bent.to_json()["version"] == 2
    assert Encoding.from_json(bent.to_json()) == bent
    assert "knots" not in plain.to_json()["columns"][0] and Encoding.from_json(plain.to_json()) == plain


@pytest.mark.parametrize("knots", [[1.0], [1.0, 1.0], [2.0, 1.0], [0.0, float("nan")], ["a", "b"], 7])
def test_damaged_knots_are_refused(knots: object) -> None:
    values = Encoding((EncodedColumn("x", "number", knots=(0.0, 1.0)),)).to_json()
    values["columns"][0]["knots"] = knots
    with pytest.raises(CheckpointError, match="damaged"):
        Encoding.from_json(values)
    values = Encoding((EncodedColumn("x", "category", levels=("a",)),)).to_json()
    values["columns"][0]["knots"] = [0.0, 1.0]
    with pytest.raises(CheckpointError, match="damaged"):
        Encoding.from_json(values)
