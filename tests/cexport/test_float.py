"""The float form, compiled and run, against the network and its predictor."""

import ctypes
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import nas
from nas.cexport import c_source
from nas.checkpoint import Predictor, load, save
from nas.engine import ACTIVATIONS, DAGModule, MaskedLinear
from nas.errors import ExportError
from nas.graph import DAG
from nas.recurrent import RecurrentDAG
from tests.cexport.compilers import STRICT, Library, needed, run, selftest
from tests.cexport.networks import drawn_networks, network, record_of
from tests.kinds import input_of, made, plain

LAYOUTS = ("unrolled", "tables")


def raw_of(record: dict[str, Any], rows: int = 20) -> np.ndarray:
    """Raw features as float32, in which the C code reads them."""
    statistics = record["statistics"]
    mean, scale = np.array(statistics["mean"]), np.array(statistics["scale"])
    return (mean + scale * np.random.default_rng(7).normal(size=(rows, mean.size))).astype(np.float32)


def close(found: np.ndarray, expected: np.ndarray, scale: float = 1.0) -> None:
    """Within 1e-5 of the largest of the expected numbers, and of 1."""
    size = np.maximum(np.abs(expected).max(), 1.0) * scale
    assert np.abs(found - expected).max() <= 1e-5 * size


def double(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """What a module gives in float64, by its definition."""
    rows = torch.from_numpy(np.asarray(x, np.float64))
    with torch.no_grad():
        module = module.double()
        return (module(rows) if isinstance(module, nn.Sequential) else plain(module, rows)).numpy()


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks=st.lists(drawn_networks(), min_size=6, max_size=6))
def test_any_network_compiles_without_a_warning_and_gives_what_it_gave(
    networks: list[tuple[DAGModule, dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("float")
    for k, (module, record) in enumerate(networks):
        for layout in LAYOUTS:
            nas.export_c(module, folder / f"{layout}{k}.c", layout=layout, record=record)
    library = Library(folder)
    for k, (module, record) in enumerate(networks):
        raw = raw_of(record)
        statistics = record["statistics"]
        expected = double(module, (raw.astype(np.float64) - statistics["mean"]) / statistics["scale"])
        scale = 1.0
        if record["task"] == "regression":
            scale = max(*statistics["target_scale"], 1.0)
            expected = expected * statistics["target_scale"] + statistics["target_mean"]
        for layout in LAYOUTS:
            returned, found = library.predict(f"{layout}{k}", raw, expected.shape[1])
            close(found, expected, scale)
            if record["task"] == "classification":
                assert (returned == found.argmax(axis=1)).all()
            else:
                assert (returned == 0).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_activation_passes_its_own_test_under_the_sanitizers(layout: str, tmp_path: Path) -> None:
    module = network(3, computational=3 * len(ACTIVATIONS), activations=ACTIVATIONS)
    path = tmp_path / "net.c"
    written = nas.export_c(module, path, layout=layout, record=record_of(module, "regression"))
    assert all(f"net_{name}(float x)" in written.source for name in ACTIVATIONS if name != "identity")
    assert selftest(tmp_path, path, "net") == 0
    changed = re.sub(r"(net_test_outputs\[4\]\[3\] = \{\s*\{)", r"\g<1>9.0f + ", path.read_text())
    path.write_text(changed)
    assert selftest(tmp_path, path, "net") == 1  # the test can fail


def test_clang_finds_nothing_either_and_cppcheck_neither(tmp_path: Path) -> None:
    module = network(5, activations=("tanh", "gelu", "relu"))
    for layout in LAYOUTS:
        nas.export_c(module, tmp_path / f"{layout}.c", layout=layout, record=record_of(module, "classification"))
    Library(tmp_path, "clang")
    for layout in LAYOUTS:
        run(
            needed("cppcheck"), "--enable=warning,style,performance,portability", "--std=c99", "--quiet",
            "--error-exitcode=1", "--suppress=missingIncludeSystem", tmp_path / f"{layout}.c",
        )  # fmt: skip


def test_a_file_of_a_front_predicts_labels_as_its_predictor(tmp_path: Path) -> None:
    module = network(1, inputs=5)
    record = record_of(module, "classification") | {"study": "wine", "trial": 7, "metrics": {"val_accuracy": 0.97}}
    save(tmp_path / "best.safetensors", module, record)
    predictor = Predictor.load(tmp_path / "best.safetensors")
    written = nas.export_c(predictor, tmp_path / "Best-Net.c")
    assert written.prefix == "best_net"
    assert "Study wine, trial 7" in written.header and "val_accuracy 0.97" in written.source
    assert re.search(r"BEST_NET_CHECKSUM \"[0-9a-f]{16}\"", written.header)
    raw = raw_of(record, 200)
    returned, scores = Library(tmp_path).predict("best_net", raw, 3)
    np.testing.assert_array_equal(np.array(predictor.classes)[returned], predictor.predict(raw))
    close(scores, predictor.outputs(raw))
    assert c_source(load(tmp_path / "best.safetensors"), "best_net").source == written.source


def test_the_checksum_follows_weights_and_scaling() -> None:
    module = network(1)
    record = record_of(module, "regression")
    first = c_source(module, record=record)
    assert first.header == c_source(module, record=record | {"lineage": [1]}).header
    record["statistics"]["mean"][0] += 1
    other = c_source(module, record=record)
    with torch.no_grad():
        module.weight[0] += 1e-3
    third = c_source(module, record=record)
    sums = {re.findall(r"CHECKSUM \"(\w+)\"", each.header)[0] for each in (first, other, third)}
    assert len(sums) == 3


def test_not_a_number_is_an_error_and_not_a_class(tmp_path: Path) -> None:
    module = network(1)
    for layout in LAYOUTS:
        nas.export_c(module, tmp_path / f"{layout}.c", layout=layout, record=record_of(module, "classification"))
    library = Library(tmp_path)
    for layout in LAYOUTS:
        assert library.predict(layout, np.full((1, 6), np.nan, np.float32), 3)[0] == [-1]


def test_a_feature_far_from_zero_keeps_its_digits(tmp_path: Path) -> None:
    module = DAGModule(DAG(1, 0, 1, [(0, 1)]), bias=False)
    record = {"task": "regression", "statistics": {"mean": [1_000_000.3], "scale": [0.5]}}
    for layout in LAYOUTS:
        nas.export_c(module, tmp_path / f"{layout}.c", layout=layout, record=record)
    raw = np.array([[1_000_000.0], [1_000_001.5]], np.float32)
    expected = double(module, (raw.astype(np.float64) - 1_000_000.3) / 0.5)
    for layout in LAYOUTS:
        close(Library(tmp_path).predict(layout, raw, 1)[1], expected)


@pytest.mark.parametrize("kind", ["masked some biases", "wired", "manifold masked", "manifold square"])
def test_other_kinds_of_networks(kind: str, tmp_path: Path) -> None:
    module = made(kind)
    nas.export_c(module, tmp_path / "net.c")
    x = input_of(module).numpy().astype(np.float32)
    expected = double(module, x)
    close(Library(tmp_path).predict("net", x, expected.shape[1])[1], expected)


def test_networks_among_torch_layers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    connections = np.random.default_rng(0).random((6, 10)) < 0.4
    module = nn.Sequential(
        nn.Linear(6, 10), nn.BatchNorm1d(10), nn.SiLU(), nn.Dropout(0.5), MaskedLinear(10, 6, connections),
        nn.Sequential(network(2), nn.Sigmoid()), nn.Tanh(), nn.Linear(3, 2), nn.ReLU(),
    )  # fmt: skip
    module(torch.randn(50, 6))  # gives the norm its statistics
    module.eval()
    for layout in LAYOUTS:
        nas.export_c(module, tmp_path / f"{layout}.c", layout=layout)
    x = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    expected = double(module, x)
    for layout in LAYOUTS:
        close(Library(tmp_path).predict(layout, x, 2)[1], expected)


@pytest.mark.parametrize("kind", ["recurrent", "recurrent all", "recurrent lstm"])
def test_networks_with_memory_step_by_step_and_row_by_row(kind: str, tmp_path: Path) -> None:
    module: RecurrentDAG = made(kind)  # type: ignore[assignment]
    written = nas.export_c(module, tmp_path / "net.c")
    assert selftest(tmp_path, tmp_path / "net.c", "net") == 0
    x = input_of(module).numpy().astype(np.float32)
    expected = double(module, x).reshape(len(x), -1)
    library = Library(tmp_path)
    close(library.predict("net", x, expected.shape[1])[1], expected)
    floats = sum(int(count) for count in re.findall(r"float \w+\[(\d+)\];", written.header))
    state = np.zeros(floats, np.float32)
    outputs = np.zeros(module.n_outputs, np.float32)
    library["net_reset"](ctypes.c_void_p(state.ctypes.data))
    for step in np.ascontiguousarray(x[0].reshape(module.time, -1)):
        arguments = [ctypes.c_void_p(each.ctypes.data) for each in (state, step, outputs)]
        assert library["net_step"](*arguments) == 0
    close(outputs, expected[0, -module.n_outputs :])


def test_rows_whose_steps_are_scaled_differently_have_no_step_of_their_own(tmp_path: Path) -> None:
    module: RecurrentDAG = made("recurrent")  # type: ignore[assignment]
    width = module.n_inputs or 0
    mean, scale = np.arange(width) - 3.0, 1.0 + np.arange(width) % 4
    record = {"task": "regression", "statistics": {"mean": mean.tolist(), "scale": scale.tolist()}}
    written = nas.export_c(module, tmp_path / "net.c", record=record)
    assert "net_step" not in written.header and selftest(tmp_path, tmp_path / "net.c", "net") == 0
    raw = (mean + scale * np.random.default_rng(0).normal(size=(5, width))).astype(np.float32)
    expected = double(module, (raw.astype(np.float64) - mean) / scale)
    close(Library(tmp_path).predict("net", raw, expected.shape[1])[1], expected)


def test_names_of_a_file_cannot_become_code(tmp_path: Path) -> None:
    module = network(1)
    evil = 'a*/ int x; /*"\\\n#error ??/ é'
    record = record_of(module, "classification") | {"study": evil, "feature_names": [evil] * 6}
    record["statistics"]["classes"] = [evil, "b", "c"]
    written = nas.export_c(module, tmp_path / "net.c", record=record)
    Library(tmp_path)
    use = tmp_path / "use" / "use.c"
    use.parent.mkdir()
    use.write_text(
        f'#include "../net.h"\n#include <stdio.h>\nint main(void)\n{{\n    static const char *const names[] = '
        f"{written.prefix.upper()}_CLASSES;\n    fputs(names[0], stdout);\n    return 0;\n}}\n"
    )
    run(needed("gcc"), *STRICT, use, "-o", tmp_path / "use" / "use")
    assert run(tmp_path / "use" / "use").stdout == evil


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    module = network(1)
    with pytest.raises(ExportError, match=r"is a network of layers, which is not written as C; export it as \.onnx"):
        nas.export_c(made("layers"), tmp_path / "net.c")
    with pytest.raises(ExportError, match=r"module '1' is Softmax\(dim=1\), which is not written as C"):
        nas.export_c(nn.Sequential(nn.Linear(3, 3), nn.Softmax(dim=1)), tmp_path / "net.c")
    with pytest.raises(ExportError, match=r"must end in \.c, but is .*net\.cpp"):
        nas.export_c(module, tmp_path / "net.cpp")
    with pytest.raises(ExportError, match="1 to 40 lower-case letters, digits and _, a letter first, but is 'My-Net'"):
        nas.export_c(module, tmp_path / "net.c", prefix="My-Net")
    with pytest.raises(ExportError, match="layout must be one of unrolled, tables, but is 'dense'"):
        nas.export_c(module, tmp_path / "net.c", layout="dense")  # type: ignore[arg-type]
    with pytest.raises(ExportError, match=r"samples must be finite and have shape \(samples, 6\)"):
        nas.export_c(module, tmp_path / "net.c", samples=np.zeros((2, 5)))
    with pytest.raises(ExportError, match="are written unrolled; leave layout out"):
        nas.export_c(made("recurrent"), tmp_path / "net.c", layout="tables")
    with torch.no_grad():
        module.weight[0] = torch.inf
    with pytest.raises(ExportError, match=r"neuron \d+ has a weight or bias of inf"):
        nas.export_c(module, tmp_path / "net.c")
    assert not list(tmp_path.iterdir())
