"""The integer forms: compiled code against the reference bit for bit, and both against the network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import nas
from nas.cexport import CSource, c_source
from nas.engine import ACTIVATIONS, DAGModule
from nas.errors import DataError, ExportError
from nas.graph import DAG
from tests.cexport.compilers import STRICT, Library, needed, run, selftest
from tests.cexport.networks import drawn_networks, network, record_of
from tests.kinds import made, plain

PRECISIONS = ("int8", "int6", "int5", "int4")


def raw_of(record: dict[str, Any], rows: int = 300, seed: int = 7) -> np.ndarray:
    statistics = record["statistics"]
    mean, scale = np.array(statistics["mean"]), np.array(statistics["scale"])
    return mean + scale * np.random.default_rng(seed).normal(size=(rows, mean.size))


def targets(module: nn.Module, record: dict[str, Any], raw: np.ndarray) -> np.ndarray:
    """What the network gives, in the units of its targets."""
    statistics = record["statistics"]
    x = torch.from_numpy((raw - statistics["mean"]) / statistics["scale"])
    with torch.no_grad():
        y = plain(module.double(), x).numpy()
    return y * statistics.get("target_scale", 1.0) + statistics.get("target_mean", 0.0)


def unexplained(found: np.ndarray, expected: np.ndarray) -> float:
    """Mean squared difference as a share of the variance, of the worst output."""
    return float((np.square(found - expected).mean(axis=0) / np.maximum(expected.var(axis=0), 1e-12)).max())


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks=st.lists(drawn_networks(), min_size=6, max_size=6), seed=st.integers(0, 99))
def test_compiled_code_is_the_reference_bit_for_bit(
    networks: list[tuple[DAGModule, dict[str, Any]]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("integers")
    written: dict[str, tuple[CSource, dict[str, Any]]] = {}
    for k, (module, record) in enumerate(networks):
        for precision in PRECISIONS:
            name = f"{precision}_{k}"
            samples = raw_of(record)
            found = nas.export_c(module, folder / f"{name}.c", precision=precision, record=record, samples=samples)
            written[name] = found, record
    library = Library(folder)
    for name, (source, record) in written.items():
        assert source.integers is not None
        inputs = source.integers.inputs
        fixed = inputs.fixed(3 * raw_of(record, 50, seed))  # beyond the ranges, too
        expected = source.integers.run(fixed)
        assert np.abs(expected).max() < 2**31
        kind = inputs.kind.removesuffix("_t")
        returned, outputs = library.predict(name, fixed.astype(kind), expected.shape[1], np.int32)
        np.testing.assert_array_equal(outputs, expected)
        wanted = expected.argmax(axis=1) if record["task"] == "classification" else np.zeros(len(expected))
        np.testing.assert_array_equal(returned, wanted)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_integers_stand_for_what_the_network_gives(activation: str) -> None:
    module = network(4, computational=20, activations=(activation,))
    record = record_of(module, "regression", far=100.0)
    source = c_source(module, precision="int8", record=record, samples=raw_of(record))
    assert source.integers is not None
    raw = raw_of(record, 500, seed=8)
    # The largest squares of squares are rare, and the byte has to reach them.
    most = 0.05 if activation == "square" else 0.005
    assert unexplained(source.integers.values(raw), targets(module, record, raw)) < most


def test_fewer_bits_are_coarser_and_shorter() -> None:
    module = network(5, inputs=12, computational=40, density=0.2, activations=("relu",))
    record = record_of(module, "classification")
    raw = raw_of(record, 500, seed=8)
    lost, count = {}, {}
    for precision in PRECISIONS:
        source = c_source(module, precision=precision, record=record, samples=raw_of(record))
        assert source.integers is not None
        lost[precision] = unexplained(source.integers.values(raw), targets(module, record, raw))
        count[precision] = int(source.source.split("_edges[")[1].split("]")[0])
    assert count["int6"] >= count["int5"] >= count["int4"]  # small weights round to none
    assert count["int4"] < 0.85 * count["int8"]  # three bytes for four, and pairs are filled up
    assert lost["int8"] < lost["int6"] < lost["int5"] < lost["int4"] < 0.2
    assert lost["int8"] < 0.004 < lost["int4"] and lost["int6"] < 0.02


def test_pixels_are_read_as_they_are_and_their_scaling_costs_nothing(tmp_path: Path) -> None:
    module = network(6, inputs=600, computational=30, density=0.02)
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, (400, 600)).astype(float)
    record = record_of(module, "classification", far=0)
    record["statistics"] |= {"mean": [33.3] * 600, "scale": [78.6] * 600}
    source = nas.export_c(module, tmp_path / "net.c", precision="int8", record=record, samples=raw)
    assert "int net_predict(const uint8_t *inputs, int32_t *outputs);" in source.header
    assert "given" not in source.source
    found = Library(tmp_path).predict("net", raw.astype(np.uint8), 3, np.int32)[1] * source.integers.unit
    assert unexplained(found, targets(module, record, raw)) < 0.002


def test_features_of_any_size_are_read_in_fixed_point() -> None:
    module = DAGModule(DAG(4, 0, 1, [(k, 4) for k in range(4)]), bias=False)
    mean, scale = np.array([1e6, 0.0, 300.0, 0.5]), np.array([2.0, 1e-6, 40.0, 0.5])
    record = {"task": "regression", "statistics": {"mean": mean.tolist(), "scale": scale.tolist()}}
    raw = raw_of(record, 500)
    raw[:, 2] = np.rint(raw[:, 2])  # counts
    raw[:, 3] = raw[:, 3] > 0.5
    source = c_source(module, precision="int8", record=record, samples=raw)
    inputs = source.integers.inputs
    assert inputs.kind == "int32_t"  # a million with some bits after the point
    assert inputs.fraction[2] == inputs.fraction[3] == 0 and inputs.fraction[1] > 20
    assert unexplained(source.integers.values(raw), targets(module, record, raw)) < 1e-3
    assert f"NET_FRACTIONS {{{', '.join(map(str, inputs.fraction))}}}" in source.header
    with pytest.raises(DataError, match=r"features must be finite, of shape \(samples, 4\)"):
        inputs.fixed(raw[:, :3])


def test_targets_have_a_unit_that_integers_can_go_on_with() -> None:
    module = network(7, outputs=2)
    record = record_of(module, "regression")
    source = c_source(module, precision="int8", record=record, samples=raw_of(record))
    assert np.log2(source.integers.unit) % 1 == 0
    assert f"#define NET_UNIT {source.integers.unit!r}" in source.header


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_file_of_every_activation_passes_all_tools(precision: str, tmp_path: Path) -> None:
    module = network(3, computational=3 * len(ACTIVATIONS), activations=ACTIVATIONS)
    record = record_of(module, "classification")
    path = tmp_path / "net.c"
    source = nas.export_c(module, path, precision=precision, record=record, samples=raw_of(record))
    assert "float" not in source.source.split("*/", 1)[1] and "math.h" not in source.source
    assert selftest(tmp_path, path, "net") == 0
    path.write_text(
        path.read_text().replace("net_test_outputs[4][3] = {\n    {", "net_test_outputs[4][3] = {\n    {1+")
    )
    assert selftest(tmp_path, path, "net") == 1  # the test can fail
    run(needed("clang"), *STRICT, "-Os", "-c", path, "-o", tmp_path / "net.o")
    run(
        needed("cppcheck"), "--enable=warning,style,performance,portability", "--std=c99", "--quiet",
        "--error-exitcode=1", "--suppress=missingIncludeSystem", path,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("compiler", "options"),
    [("arm-none-eabi-gcc", ("-mcpu=cortex-m0", "-mthumb", "-ffreestanding")), ("avr-gcc", ("-mmcu=atmega328p",))],
)
def test_it_compiles_for_small_processors_without_any_library(
    compiler: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    module = network(3, computational=20, activations=("relu", "tanh", "sin"))
    record = record_of(module, "classification")
    nas.export_c(module, tmp_path / "net.c", precision="int8", record=record, samples=raw_of(record))
    run(needed(compiler), *STRICT, "-Os", *options, "-c", tmp_path / "net.c", "-o", tmp_path / "net.o")
    wanted = run(compiler.replace("gcc", "nm"), "--undefined-only", tmp_path / "net.o").stdout.split()
    foreign = {name for name in wanted if name != "U"}
    # Compilers' own: multiplication of 8-bit processors, and how their start-up code copies tables.
    assert all(name.startswith("__") for name in foreign), foreign


def test_what_integers_cannot_hold_is_refused(tmp_path: Path) -> None:
    module = network(1)
    record = record_of(module, "regression")
    with pytest.raises(ExportError, match="int8 takes its ranges from data; pass samples"):
        nas.export_c(module, tmp_path / "net.c", precision="int8")
    with pytest.raises(ExportError, match="precision must be one of float, int8, int6, int5, int4, but is 'int16'"):
        nas.export_c(module, tmp_path / "net.c", precision="int16")  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="int4 is written as tables; leave layout out"):
        c_source(module, precision="int4", layout="unrolled", samples=raw_of(record))
    with pytest.raises(ExportError, match="with memory is not written in integers"):
        c_source(made("recurrent"), precision="int8", samples=np.zeros((2, 6)))
    with pytest.raises(ExportError, match="outputs are linear, but one applies sigmoid"):
        c_source(nn.Sequential(module, nn.Sigmoid()), precision="int8", samples=raw_of(record))
    assert not list(tmp_path.iterdir())
