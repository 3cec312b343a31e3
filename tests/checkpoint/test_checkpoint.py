"""Checkpoints: what comes back is what went in, and nothing damaged or foreign comes back at all."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

import nas
from nas.checkpoint import CheckpointModule, load, load_arrays, save, save_arrays
from nas.checkpoint import _file as file_module
from nas.engine import DAGModule
from nas.errors import CheckpointError
from nas.graph import DAG, random_dag
from nas.manifold import ManifoldNetwork

RECORD = {
    "task": "classification",
    "classes": ["naïve", "b"],
    "mean": np.arange(5, dtype=np.float32) / 3,
    "metrics": {"test_accuracy": np.float64(0.97), "edges": np.int64(12)},
    "lineage": [3, 1, None],
}


def graph() -> DAG:
    return random_dag(5, 9, 2, density=0.5, rng=np.random.default_rng(0))


def module(bias: bool = True, dtype: torch.dtype = torch.float32) -> DAGModule:
    return DAGModule(graph(), "tanh", bias, dtype=dtype, generator=torch.Generator().manual_seed(0))


def inputs(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(20, 5, dtype=dtype, generator=torch.Generator().manual_seed(1))


def metadata_of(path: Path) -> dict[str, str]:
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata: dict[str, str] = header["__metadata__"]
    return metadata


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "best.safetensors"
    save(path, module(), RECORD)
    return path


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_comes_back_with_its_predictions(tmp_path: Path, bias: bool, dtype: torch.dtype) -> None:
    original = module(bias, dtype)
    save(tmp_path / "m", original, {})
    restored = load(tmp_path / "m")
    assert torch.equal(restored(inputs(dtype)), original(inputs(dtype)))
    assert restored.dag == original.dag
    assert restored.activation == "tanh"
    assert not restored.training


def test_a_trained_network_comes_back_with_its_predictions(tmp_path: Path) -> None:
    net = ManifoldNetwork(graph(), generator=np.random.default_rng(0), period=3)
    nas.save(tmp_path / "m", net.fold(), {})
    torch.testing.assert_close(nas.load(tmp_path / "m")(inputs()), net(inputs()), rtol=0, atol=1e-6)


def test_the_record_comes_back_as_plain_data(saved: Path) -> None:
    record = load(saved).record
    assert record["classes"] == ["naïve", "b"]
    assert record["metrics"] == {"test_accuracy": 0.97, "edges": 12}
    assert record["lineage"] == [3, 1, None]
    np.testing.assert_array_equal(np.array(record["mean"], dtype=np.float32), RECORD["mean"])


def test_arrays_come_back_with_shapes_and_types(tmp_path: Path) -> None:
    dag = graph()
    arrays = {"cutoff": np.array(-1.5, np.float32), "weight": np.arange(6.0).reshape(2, 3).T, "none": np.zeros(0)}
    save_arrays(tmp_path / "a", dag, arrays, {"trial": 3})
    restored_dag, restored, record = load_arrays(tmp_path / "a")
    assert restored_dag == dag
    assert record == {"trial": 3}
    assert restored.keys() == arrays.keys()
    for name, value in arrays.items():
        assert restored[name].dtype == value.dtype
        assert restored[name].shape == value.shape
        np.testing.assert_array_equal(restored[name], value)


def test_arrays_may_be_none(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a", graph(), {})
    assert load_arrays(tmp_path / "a")[1:] == ({}, {})


def test_every_truncation_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    for length in range(len(data)):
        saved.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match=r"best.safetensors is truncated or no safetensors file"):
            load(saved)


def test_appended_bytes_are_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match="truncated or no safetensors file"):
        load(saved)


def test_damaged_bytes_never_raise_anything_else(saved: Path) -> None:
    data = saved.read_bytes()
    rng = np.random.default_rng(0)
    header = int.from_bytes(data[:8], "little")
    refused = 0
    for _ in range(400):
        changed = bytearray(data)
        for place in rng.integers(0, header + 8, size=rng.integers(1, 4)):
            changed[place] = rng.integers(0, 256)
        saved.write_bytes(bytes(changed))
        try:
            assert isinstance(load(saved), CheckpointModule)  # damage inside a name or number of the record
        except CheckpointError:
            refused += 1
    assert refused > 200


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


def test_a_pickle_is_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load(path)
    torch.save(module(), path)
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load(path)
    assert not (tmp_path / "exploded").exists()


def rewritten(path: Path, arrays: dict[str, np.ndarray] | None = None, **metadata: str | None) -> None:
    """Write ``path`` again with other arrays or metadata (None: left out), as a valid safetensors file."""
    kept = {**metadata_of(path), **metadata}
    tensors = safetensors.numpy.load(path.read_bytes()) if arrays is None else arrays
    path.write_bytes(safetensors.numpy.save(tensors, {k: v for k, v in kept.items() if v is not None}))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": None}, "metadata does not say format 'dag-nas' .found nothing"),
        ({"format": "pt"}, "found 'pt'"),
        ({"version": "2"}, "format version '2', this package reads version 1"),
        ({"kind": "arrays"}, "holds 'arrays', not 'module'; use nas.checkpoint.load_arrays"),
        ({"kind": "soup"}, "holds 'soup', not 'module'$"),
        ({"dag": None}, "lacks 'dag' in its metadata"),
        ({"record": None}, "lacks 'record' in its metadata"),
        ({"dag": "{}"}, "holds a damaged graph"),
        ({"dag": "[" * 100_000}, "holds a damaged graph"),
        ({"record": "{"}, "holds a damaged record"),
        ({"record": "[" * 100_000}, "holds a damaged record"),
        ({"record": "[1]"}, "must hold a JSON object as its record, but holds list"),
        ({"activation": "os.system"}, "needs the activation 'os.system'; known are"),
        ({"activation": None}, "needs the activation None"),
    ],
)
def test_wrong_metadata_is_refused(saved: Path, metadata: dict[str, str | None], message: str) -> None:
    rewritten(saved, **metadata)
    with pytest.raises(CheckpointError, match=message):
        load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("weight"), r"must hold weight and perhaps bias, but holds \['bias'\]"),
        (lambda a: a.update(more=np.zeros(1)), "must hold weight and perhaps bias"),
        (lambda a: a.update(weight=a["weight"][:-1]), r"weight must have shape \(\d+,\) in its network, but has"),
        (lambda a: a.update(bias=a["bias"][None]), r"bias must have shape \(11,\) in its network, but has \(1, 11\)"),
        (lambda a: a.update(bias=a["bias"].astype(np.float64)), "must be float32 or float64 throughout, but are"),
        (lambda a: a.update(weight=a["weight"].astype(np.int32)), "float64 throughout, but are .*int32"),
        (lambda a: a.update(bias=np.full_like(a["bias"], np.inf)), "bias must be finite"),
    ],
)
def test_arrays_that_do_not_fit_the_graph_are_refused(saved: Path, change: object, message: str) -> None:
    arrays = safetensors.numpy.load(saved.read_bytes())
    arrays = {name: arrays[name] for name in sorted(arrays)}
    change(arrays)  # type: ignore[operator]
    rewritten(saved, {name: np.ascontiguousarray(value) for name, value in arrays.items()})
    with pytest.raises(CheckpointError, match=message):
        load(saved)


def test_a_file_without_metadata_or_with_other_than_text_is_refused(saved: Path) -> None:
    saved.write_bytes(safetensors.numpy.save({"weight": np.zeros(2, np.float32)}))
    with pytest.raises(CheckpointError, match="has no metadata; it was not saved by this package"):
        load(saved)
    header = json.dumps({"__metadata__": {"format": ["dag-nas"]}}).encode()
    saved.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="has metadata that is not text"):
        load(saved)
    saved.write_bytes((2).to_bytes(8, "little") + b"[]")
    with pytest.raises(CheckpointError, match="has no metadata"):
        load(saved)


def test_a_type_that_numpy_lacks_is_refused(saved: Path) -> None:
    header = json.dumps(
        {"__metadata__": metadata_of(saved), "weight": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
    ).encode()
    saved.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(CheckpointError, match=r"truncated or no safetensors file|must be float32 or float64|shape"):
        load(saved)


def test_a_header_that_claims_to_be_huge_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="its first bytes are not those of one"):
        load(path)


def test_metadata_too_long_to_be_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "MAX_HEADER_BYTES", 2000)
    with pytest.raises(CheckpointError, match="graph and record must fit in 2000 bytes, but take"):
        save(tmp_path / "m", module(), {"notes": "x" * 3000})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("record", [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}, {("a", 1): 2}])
def test_records_that_json_cannot_hold_are_refused_and_the_old_file_stays(saved: Path, record: object) -> None:
    before = saved.read_bytes()
    with pytest.raises(CheckpointError, match=r"a record may hold numbers .finite., text, lists and mappings"):
        save(saved, module(), record)  # type: ignore[arg-type]
    assert saved.read_bytes() == before


def test_a_failed_write_leaves_the_old_file_and_nothing_else(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save(saved, module(), {})
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert saved.read_bytes() == before


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save(tmp_path / "nowhere" / "m", module(), {})


def test_arrays_are_no_network_and_the_other_way_round(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds 'module', not 'arrays'; use nas.checkpoint.load"):
        load_arrays(saved)
    save_arrays(tmp_path / "a", graph(), {})
    with pytest.raises(CheckpointError, match=r"holds 'arrays', not 'module'; use nas.checkpoint.load_arrays"):
        load(tmp_path / "a")


def test_the_root_package_exports_what_it_says() -> None:
    for name in nas.__all__:
        assert getattr(nas, name).__name__.removeprefix("nas.") == name  # the package search is a function, too
        assert name in dir(nas)
    with pytest.raises(AttributeError, match="module 'nas' has no attribute 'nothing'"):
        nas.nothing  # noqa: B018
