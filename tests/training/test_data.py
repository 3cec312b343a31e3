"""Loading data: every source, the split, the scaling, and refusals that name the culprit."""

import gzip
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nas.errors import DataError
from nas.training import DataConfig, Dataset, Statistics, load_data
from nas.training.data.idx import read_idx


def write_idx(path: Path, array: np.ndarray, *, announce: tuple[int, ...] | None = None) -> Path:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *(announce or array.shape))
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return path


def table(rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "width": rng.normal(5, 2, rows),
            "height": rng.normal(size=rows),
            "kind": ["red", "green", "blue"] * (rows // 3),
        }
    )


@pytest.mark.parametrize(
    ("source", "width", "outputs"),
    [
        ("digits", 64, 10),
        ("wine", 13, 3),
        ("iris", 4, 3),
        ("breast_cancer", 30, 2),
        ("diabetes", 10, 1),
        ("addsub", 5, 4),
    ],
)
def test_bundled_sources(source: str, width: int, outputs: int) -> None:
    data = load_data(DataConfig(source=source))
    assert (data.name, data.n_inputs, data.n_outputs) == (source, width, outputs)
    assert len(data.feature_names) == width
    for x, y in ((data.x_train, data.y_train), (data.x_val, data.y_val), (data.x_test, data.y_test)):
        assert x.dtype == np.float32
        assert len(x) == len(y) > 0
        assert np.isfinite(x).all()
        assert y.dtype == (np.int64 if data.task == "classification" else np.float32)


def test_shares_of_the_whole_and_of_each_class() -> None:
    data = load_data(DataConfig(source="digits", validation=0.1, test=0.3))
    total = len(data.x_train) + len(data.x_val) + len(data.x_test)
    assert total == 1797
    assert len(data.x_test) == round(0.3 * total)
    assert len(data.x_val) == round(0.1 * total)
    for part in (data.y_train, data.y_val, data.y_test):
        np.testing.assert_allclose(np.bincount(part) / len(part), 0.1, atol=0.015)


def test_parts_do_not_overlap(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.arange(100.0)[:, None], y=np.arange(100) % 2)
    data = load_data(DataConfig(source=str(tmp_path / "d.npz"), standardise="none"))
    assert sorted(np.concatenate([data.x_train, data.x_val, data.x_test]).ravel()) == list(range(100))


def test_statistics_come_from_the_training_part_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x_train, x_test = rng.normal(3, 2, (80, 2)), rng.normal(1000, 500, (20, 2))
    np.savez(tmp_path / "d.npz", x_train=x_train, y_train=np.arange(80) % 2, x_test=x_test, y_test=np.arange(20) % 2)
    data = load_data(DataConfig(source=str(tmp_path / "d.npz")))
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.x_train.std(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(data.x_test * data.scale + data.mean, x_test, rtol=1e-5)


def test_global_scaling_keeps_relations_between_pixels() -> None:
    data = load_data(DataConfig(source="digits"))
    assert data.period == 8
    assert np.unique(data.scale).size == 1
    assert abs(float(data.x_train.std()) - 1) < 1e-5


def test_constant_features_become_zero(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.column_stack([np.full(50, 7.0), np.arange(50)]), y=np.arange(50) % 2)
    data = load_data(DataConfig(source=str(tmp_path / "d.npz")))
    assert (data.x_train[:, 0] == 0).all()


def test_the_split_depends_on_the_seed_alone() -> None:
    first, same, other = (load_data(DataConfig(source="iris", seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.x_test, same.x_test)
    assert not np.array_equal(first.x_test, other.x_test)


def test_addsub_targets_are_the_documented_sums() -> None:
    data = load_data(DataConfig(source="addsub", samples=500))
    _, b, c, d, e = data.x_test.T
    np.testing.assert_allclose(data.y_test, np.stack([b + e, e - d, b + e + d, e - d - c], axis=1), atol=1e-5)
    assert len(data.x_train) + len(data.x_val) + len(data.x_test) == 500


def test_regression_targets_are_scaled_and_can_be_scaled_back() -> None:
    scaled, raw = (load_data(DataConfig(source="diabetes", standardise_targets=flag)) for flag in (None, False))
    np.testing.assert_allclose(scaled.y_train.mean(), 0, atol=1e-5)
    assert raw.target_mean is None
    np.testing.assert_allclose(scaled.y_test * scaled.target_scale + scaled.target_mean, raw.y_test, rtol=1e-5)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"flowers{suffix}"
    if suffix == ".parquet":
        table().to_parquet(path)
    else:
        table().to_csv(path, sep="\t" if suffix == ".tsv" else ",", index=False)
    data = load_data(DataConfig(source=str(path)))
    assert (data.name, data.classes, data.feature_names) == ("flowers", ("blue", "green", "red"), ("width", "height"))
    data = load_data(DataConfig(source=str(path), target="width", drop=("kind",)))
    assert (data.task, data.n_inputs, data.n_outputs) == ("regression", 1, 1)


def test_numeric_labels_are_sorted_as_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=60), "y": [2, 10, -1] * 20})
    frame.to_csv(tmp_path / "d.csv", index=False)
    assert load_data(DataConfig(source=str(tmp_path / "d.csv"))).classes == ("-1", "2", "10")


def test_idx_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 10)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (count, 4, 5)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.arange(count) % 2)
    data = load_data(DataConfig(source=f"idx:{tmp_path}"))
    assert (data.n_inputs, data.n_outputs, data.period, len(data.x_test)) == (20, 2, 5, 10)


def test_mnist_is_found_through_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nas.training.data.idx.__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(DataError, match="set NAS_DATA_DIR to their folder"):
        load_data(DataConfig(source="mnist"))
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", np.zeros((30, 2, 2)) + np.arange(30)[:, None, None])
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(30) % 3)
    assert len(load_data(DataConfig(source="mnist")).x_test) == 30


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-20]), "cannot be read|holds only"),
        (lambda p: p.write_bytes(b"not gzip"), "cannot be read"),
        (lambda p: p.write_bytes(gzip.compress(b"\0\0\x08")), "no IDX file"),
        (lambda p: p.write_bytes(gzip.compress(b"\x1a\0\x08\x01\0\0\0\x01x")), "no IDX file"),
        (lambda p: p.write_bytes(gzip.compress(b"\0\0\x08\x03\0\0")), "truncated inside the header"),
        (lambda p: write_idx(p, np.zeros((2, 2)), announce=(3, 2)), "announces 6 bytes of data, the file holds only 4"),
        (lambda p: write_idx(p, np.zeros((2, 2)), announce=(1, 2)), "the file holds more"),
        (lambda p: write_idx(p, np.zeros((2, 2)), announce=(2**31, 2**31)), "at most"),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path: Path, damage, message: str) -> None:
    path = write_idx(tmp_path / "a.gz", np.zeros((20, 20)))
    damage(path)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def csv(tmp_path: Path, frame: pd.DataFrame) -> str:
    path = tmp_path / "d.csv"
    frame.to_csv(path, index=False)
    return str(path)


def test_nan_names_column_and_row(tmp_path: Path) -> None:
    frame = table()
    frame.loc[7, "height"] = np.inf
    with pytest.raises(DataError, match=r"feature 'height' is inf in row 7"):
        load_data(DataConfig(source=csv(tmp_path, frame)))
    x = table()[["width", "height"]].to_numpy(copy=True)
    x[7, 1] = np.nan  # of arrays nothing is filled
    np.savez(tmp_path / "d.npz", x=x, y=table()["kind"].to_numpy(dtype=str))
    with pytest.raises(DataError, match=r"feature 'x1' is nan in row 7|feature '?1'? is nan in row 7"):
        load_data(DataConfig(source=str(tmp_path / "d.npz")))
    frame = table()
    frame.loc[4, "kind"] = None
    with pytest.raises(DataError, match=r"target column 'kind' is empty in row 4"):
        load_data(DataConfig(source=csv(tmp_path, frame)))


def test_wrong_columns_are_named(tmp_path: Path) -> None:
    source = csv(tmp_path, table())
    with pytest.raises(DataError, match=r"no column 'colour'; the columns are width, height, kind"):
        load_data(DataConfig(source=source, target="colour"))
    with pytest.raises(DataError, match=r"feature column 'kind' must hold numbers, but has 'red' in row"):
        load_data(DataConfig(source=source, target="width", kinds={"kind": "number"}))
    with pytest.raises(DataError, match="no feature column is left"):
        load_data(DataConfig(source=source, drop=("width", "height")))


def test_unusable_classes_are_named(tmp_path: Path) -> None:
    frame = table()
    frame.loc[0, "kind"] = "violet"
    with pytest.raises(DataError, match=r"class 'violet' has 1 sample"):
        load_data(DataConfig(source=csv(tmp_path, frame)))
    frame["kind"] = "red"
    with pytest.raises(DataError, match="all labels are 'red'"):
        load_data(DataConfig(source=csv(tmp_path, frame)))
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y + 1)
    with pytest.raises(DataError, match="label '2' in the test part is unknown; the classes are 0, 1"):
        load_data(DataConfig(source=str(tmp_path / "d.npz")))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(3)}, "no array 'x_train'"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(4)}, r"shape \(3, 2\), targets \(4,\)"),
        ({"x": np.zeros(3), "y": np.zeros(3)}, r"expected \(samples, features\)"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "at least one"),
        ({"x": np.full((9, 2), "a"), "y": np.zeros(9)}, "expected numbers"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(3), "x_test": np.zeros((3, 2))}, "must be given together"),
        ({"x": np.zeros((9, 2)), "y": np.zeros(9), "x_test": np.zeros((9, 3)), "y_test": np.zeros(9)}, "3 wide"),
        ({"x": np.zeros((2, 2)), "y": np.array([0.5, 1.5])}, "too few"),
        ({"x": np.zeros((30, 2)), "y": np.array([0.5] * 29 + [np.inf])}, "target 0 is inf in row 29"),
    ],
)
def test_unusable_arrays_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load_data(DataConfig(source=str(tmp_path / "d.npz")))


def test_pickles_and_missing_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.array([{"a": 1}], dtype=object), y=np.zeros(1))
    with pytest.raises(DataError, match="pickles are refused"):
        load_data(DataConfig(source=str(tmp_path / "d.npz")))
    with pytest.raises(DataError, match=r"gone.csv: no such file"):
        load_data(DataConfig(source=str(tmp_path / "gone.csv")))


def test_an_npz_header_that_announces_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((9, 2), np.float32), y=np.zeros(9))
    with zipfile.ZipFile(tmp_path / "d.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["x.npy"] = members["x.npy"].replace(b"'shape': (9, 2)", b"'shape': (9, 2000000000000)")
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match=r"x.npy announces 72000000000000 bytes of data, the file holds \d+"):
        load_data(DataConfig(source=str(tmp_path / "d.npz")))


def test_a_function_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_data.py").write_text(
        "import numpy as np\n"
        "def pair(): return np.arange(60.0).reshape(30, 2), np.arange(30) % 2\n"
        "def broken(): raise KeyError('disk')\n"
        "def wrong(): return 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_data(DataConfig(source="my_own_data:pair")).n_outputs == 2
    with pytest.raises(DataError, match=r"the function failed .KeyError: 'disk'"):
        load_data(DataConfig(source="my_own_data:broken"))
    with pytest.raises(DataError, match="got int; expected"):
        load_data(DataConfig(source="my_own_data:wrong"))
    with pytest.raises(DataError, match="cannot be imported"):
        load_data(DataConfig(source="my_own_data:absent"))


def test_a_foreign_file_is_read_with_the_networks_statistics(tmp_path: Path) -> None:
    trained_on = load_data(DataConfig(source="wine"))
    statistics = Statistics.of(trained_on)
    x = np.random.default_rng(0).normal(size=(40, 13))
    np.savez(tmp_path / "d.npz", x=x, y=np.array(["class_0", "class_1"])[np.arange(40) % 2])
    data = load_data(DataConfig(source=str(tmp_path / "d.npz")), statistics=statistics)
    assert data.classes == trained_on.classes
    np.testing.assert_allclose(data.mean, trained_on.mean)
    np.savez(tmp_path / "e.npz", x=x[:, :5], y=np.arange(40) % 2)
    with pytest.raises(DataError, match="5 features, but the network was trained on 13"):
        load_data(DataConfig(source=str(tmp_path / "e.npz")), statistics=statistics)


def test_columns_are_put_into_the_networks_order(tmp_path: Path) -> None:
    frame = table()
    in_order = load_data(DataConfig(source=csv(tmp_path, frame)))
    names = in_order.feature_names
    shuffled = csv(tmp_path, frame[[*names[::-1], "kind"]])
    data = load_data(DataConfig(source=shuffled), statistics=Statistics.of(in_order), features=names)
    assert data.feature_names == names
    np.testing.assert_allclose(data.x_train, in_order.x_train, rtol=1e-5)
    renamed = csv(tmp_path, frame.rename(columns={names[0]: "breadth"}))
    with pytest.raises(DataError, match=rf"column '{names[0]}' is missing"):
        load_data(DataConfig(source=renamed), features=names)
    wider = csv(tmp_path, frame.assign(**{"kind": frame["kind"], "depth": 1.0})[["depth", *names, "kind"]])
    with pytest.raises(DataError, match="column 'depth' is none of the network's inputs"):
        load_data(DataConfig(source=wider), features=names)
    foreign = csv(tmp_path, frame.rename(columns={name: f"my {name}" for name in names}))
    with pytest.raises(DataError, match=rf"column '{names[0]}' \(and 1 more like it\) is missing"):
        load_data(DataConfig(source=foreign), features=names)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "nope"}, "expected one of digits"),
        ({"validation": 0.6, "test": 0.5}, "nothing is left to train on"),
        ({"validation": 0}, "greater than 0"),
        ({"samples": 1}, "greater than or equal to 10"),
    ],
)
def test_bad_configurations(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate(values)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(30, 120),
    classes=st.integers(2, 4),
    validation=st.floats(0.15, 0.4),
    test=st.floats(0.15, 0.4),
    seed=st.integers(0, 1000),
)
def test_any_split_keeps_every_sample_and_class(
    tmp_path_factory: pytest.TempPathFactory, rows: int, classes: int, validation: float, test: float, seed: int
) -> None:
    path = tmp_path_factory.mktemp("split") / "d.npz"
    np.savez(path, x=np.arange(float(rows))[:, None], y=np.arange(rows) % classes)
    config = DataConfig(source=str(path), validation=validation, test=test, seed=seed, standardise="none")
    data: Dataset = load_data(config)
    seen = np.concatenate([data.x_train, data.x_val, data.x_test]).ravel()
    assert sorted(seen) == list(range(rows))
    for part in (data.y_train, data.y_val, data.y_test):
        assert set(part) == set(range(classes))


def test_unit_scaling_brings_images_to_the_unit_range() -> None:
    data = load_data(DataConfig(source="digits", standardise="unit"))
    assert data.x_train.min() == 0.0
    assert data.x_train.max() == 1.0
    assert data.mean is not None
    assert not data.mean.any()


def test_an_idx_header_that_announces_more_than_the_file_holds_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 2**32 - 1) + bytes(100)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="announce 4294967295 when expanded, more than 200 times as many"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
