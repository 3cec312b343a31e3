"""How parts are drawn: by classes, by groups, by time; and folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nas.errors import DataError
from nas.training import DataConfig, LoadedData, read_data


def table(folder: Path, **columns: object) -> str:
    rng = np.random.default_rng(0)
    rows = 400
    values = {
        "a": rng.normal(size=rows),
        "patient": [f"p{k // 8}" for k in rng.permutation(rows)],
        "day": pd.date_range("2024-01-01", periods=rows // 4).repeat(4)[rng.permutation(rows)].strftime("%Y-%m-%d"),
        "y": rng.choice(["no", "yes"], rows),
        **columns,
    }
    path = folder / "t.csv"
    pd.DataFrame(values).to_csv(path, index=False)
    return str(path)


def parts(source: str, **settings: object) -> tuple[LoadedData, list[np.ndarray]]:
    """The data, and the rows of its three parts, by the value of `a`."""
    found = read_data(DataConfig.model_validate({"source": source, **settings}))
    frame = pd.read_csv(source)
    place = found.dataset.feature_names.index("a")
    assert found.dataset.mean is not None and found.dataset.scale is not None
    rows = []
    for part in (found.dataset.x_train, found.dataset.x_val, found.dataset.x_test):
        a = part[:, place] * found.dataset.scale[place] + found.dataset.mean[place]
        rows.append(np.abs(frame["a"].to_numpy()[None] - a[:, None]).argmin(axis=1))
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(frame)))
    return found, rows


def test_rows_of_one_group_stay_together(tmp_path: Path) -> None:
    source = table(tmp_path)
    found, rows = parts(source, group="patient")
    patients = pd.read_csv(source)["patient"].to_numpy()
    train, val, test = ({*patients[part]} for part in rows)
    assert not train & val and not train & test and not val & test
    assert abs(len(rows[2]) - 80) <= 16 and abs(len(rows[1]) - 60) <= 16
    assert "patient" not in found.dataset.feature_names
    shares = f"rows of one patient together ({len(train)}, {len(val)} and {len(test)} of these)"
    assert any(shares in each.words for each in found.findings)
    # Of few groups nobody can tell how others differ, however many samples they have.
    few = f"the validation part has rows of {len(val)} groups (by patient): what is shown of networks"
    assert len(val) < 10 and any(each.words.startswith(few) for each in found.findings)
    day = read_data(DataConfig(source=source, group="day")).findings
    assert any("rows of one day together (" in each.words for each in day)
    assert not any("intervals" in each.words for each in day)
    again = parts(source, group="patient")[1]
    assert all((one == two).all() for one, two in zip(rows, again, strict=True))


def test_the_latest_rows_are_the_test_part(tmp_path: Path) -> None:
    source = table(tmp_path)
    found, rows = parts(source, time="day")
    days = pd.read_csv(source)["day"].to_numpy()
    train, val, test = (days[part] for part in rows)
    assert max(train) < min(val) <= max(val) < min(test)
    assert (len(val), len(test)) == (60, 80)
    assert not any(name.startswith("day") for name in found.dataset.feature_names)
    assert any(name.startswith("day") for name in parts(source, time="day", keep=["day"])[0].dataset.feature_names)
    in_order = parts(source, split="chronological")[1]
    assert [part.tolist() for part in in_order] == [list(range(260)), list(range(260, 320)), list(range(320, 400))]


def test_rows_of_one_time_are_not_torn_apart(tmp_path: Path) -> None:
    source = table(tmp_path, day=np.repeat([1, 2, 3, 4], 100))
    rows = parts(source, time="day")[1]
    assert [len(part) for part in rows] == [200, 100, 100]
    with pytest.raises(DataError, match="data.time: day is the same in all rows left"):
        read_data(DataConfig(source=table(tmp_path, day=np.ones(400)), time="day"))


def test_classes_keep_their_share_unless_it_is_random(tmp_path: Path) -> None:
    source = table(tmp_path, y=np.where(np.arange(400) % 10 == 0, "rare", "often"))
    assert (read_data(DataConfig(source=source)).dataset.y_test == 1).sum() == 8
    at_random = [
        (read_data(DataConfig(source=source, split="random", seed=k)).dataset.y_test == 1).sum() for k in (1, 2, 3)
    ]
    assert {*at_random} != {8}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "grouped"}, "needs data.group"),
        ({"group": "patient", "time": "day"}, "two ways to split"),
        ({"group": "patient", "split": "random"}, "data.group means data.split: grouped"),
        ({"group": "y", "target": "y"}, "both data.target and data.group or time"),
        ({"source": "digits", "group": "patient"}, "data.group names a column of a table"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate({"source": "t.csv", **settings})


def test_columns_of_the_split_must_be_there_and_say_something(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'who'"):
        read_data(DataConfig(source=table(tmp_path), group="who"))
    with pytest.raises(DataError, match="has 1 values in all"):
        read_data(DataConfig(source=table(tmp_path, patient="p"), group="patient"))
    with pytest.raises(DataError, match="column 'patient' holds a category; expected dates or numbers"):
        read_data(DataConfig(source=table(tmp_path), time="patient"))
    late = np.where(np.arange(400) > 390, "new", "old")
    with pytest.raises(DataError, match="class 'new' is in the test part but not in training"):
        read_data(DataConfig(source=table(tmp_path, y=late), split="chronological"))


def images(folder: Path, *, size: tuple[int, int] = (6, 4), mode: str = "L") -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, bright in (("cat", 40), ("dog", 200)):
        (folder / name).mkdir(parents=True)
        for k in range(12):
            shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
            pixels = (bright + rng.integers(-20, 20, shape)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{k}.png")


def test_a_folder_a_class(tmp_path: Path) -> None:
    images(tmp_path / "pets")
    found = read_data(DataConfig(source=str(tmp_path / "pets"))).dataset
    assert (found.classes, found.n_inputs, found.period) == (("cat", "dog"), 24, 6)
    assert (found.x_test.mean(axis=1) > 0).tolist() == (found.y_test == 1).tolist()
    (tmp_path / "pets" / "cat" / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"broken.png: no image that can be read"):
        read_data(DataConfig(source=f"images:{tmp_path / 'pets'}"))
    with pytest.raises(DataError, match="no images; expected a folder for each class"):
        read_data(DataConfig(source=f"images:{tmp_path / 'pets' / 'cat'}"))


def test_images_in_parts_and_colours(tmp_path: Path) -> None:
    images(tmp_path / "pets" / "train", mode="RGB", size=(100, 80))
    images(tmp_path / "pets" / "test", mode="L", size=(8, 8))
    found = read_data(DataConfig(source=f"images:{tmp_path / 'pets'}", pixels=5)).dataset
    assert (len(found.x_test), found.n_inputs, found.period) == (24, 75, 15)
    assert read_data(DataConfig(source=f"images:{tmp_path / 'pets'}")).dataset.n_inputs == 3 * 32 * 32
