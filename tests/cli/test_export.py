"""``nas export`` to formats of other programs."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

import nas as package
from nas.cli import app
from tests.cexport.compilers import Library, selftest

JOB = """
data: {source: iris}
space: {name: neuron_dag, options: {n_computational: 5, density: 0.3}}
search: {trials: 2, objectives: [error, edges], baselines: false}
training: {steps: 10, batch_size: 32, log_every: 10}
resources: {executor: serial}
tracking: {mlflow: false}
"""


def nas(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="nas")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    (folder / "iris.yaml").write_text(JOB)
    result = nas("search", folder / "iris.yaml", "--set", f"tracking.store={folder / 'store'}")
    assert result.exit_code == 0, result.output
    return folder / "store"


def test_every_format_holds_the_same_network(store: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    for name in ("n.safetensors", "n.onnx", "n.pt2", "n.graphml", "n.dot"):
        result = nas("export", "iris", "--store", store, "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert "evaluate it" in result.output or name != "n.safetensors"
    module = package.load(tmp_path / "n.safetensors")
    x = torch.randn(5, 4)
    expected = module(x).detach()
    session = onnxruntime.InferenceSession(str(tmp_path / "n.onnx"), providers=["CPUExecutionProvider"])
    statistics = module.record["statistics"]
    raw = x.double() * torch.tensor(statistics["scale"]) + torch.tensor(statistics["mean"])  # scaled within the file
    answered = session.run(["y"], {"features": raw.numpy()})[0]
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)
    properties = {each.key: each.value for each in onnx.load(tmp_path / "n.onnx").metadata_props}
    assert json.loads(properties["record"])["statistics"] == module.record["statistics"]
    program = torch.export.load(tmp_path / "n.pt2").module()
    torch.testing.assert_close(program(raw.float()).detach(), expected, rtol=1e-4, atol=1e-4)
    assert nx.read_graphml(tmp_path / "n.graphml").number_of_edges() == module.dag.n_edges
    assert (tmp_path / "n.dot").read_text().count(" -> ") == module.dag.n_edges


def test_the_format_may_be_named_and_must_be_known(store: Path, tmp_path: Path) -> None:
    assert nas("export", "iris", "--store", store, "--out", tmp_path / "x", "--format", "dot").exit_code == 0
    assert (tmp_path / "x").read_text().startswith("digraph {")
    refused = nas("export", "iris", "--store", store, "--out", tmp_path / "x.h5")
    assert refused.exit_code == 2
    assert "must be one of safetensors, c, onnx, pt2, graphml, dot, but is 'h5'" in " ".join(refused.output.split())


def test_a_network_of_the_front_as_c_predicts_as_its_checkpoint_does(store: Path, tmp_path: Path) -> None:
    assert nas("export", "iris", "--store", store, "--out", tmp_path / "n.safetensors").exit_code == 0
    result = nas(
        "export", "iris", "--store", store, "--out", tmp_path / "n.c", "--prefix", "iris", "--layout", "tables"
    )
    assert result.exit_code == 0, result.output
    assert "#define IRIS_INPUTS 4" in (tmp_path / "n.h").read_text()
    assert "Study iris, trial" in (tmp_path / "n.c").read_text()
    predictor = package.Predictor.load(tmp_path / "n.safetensors")
    raw = np.random.default_rng(0).uniform([4, 2, 1, 0], [8, 4, 7, 3], (50, 4)).astype(np.float32)
    returned, _ = Library(tmp_path).predict("iris", raw, 3)
    np.testing.assert_array_equal(np.array(predictor.classes)[returned], predictor.predict(raw))
    refused = nas("export", "iris", "--store", store, "--out", tmp_path / "x.onnx", "--prefix", "iris")
    assert refused.exit_code == 2
    assert "--precision, --finish, --layout and --prefix are of C" in " ".join(refused.output.split())


def test_integers_take_their_ranges_from_the_data_of_the_study(store: Path, tmp_path: Path) -> None:
    for precision in ("int8", "int4"):
        out = tmp_path / f"{precision}.c"
        result = nas("export", "iris", "--store", store, "--out", out, "--precision", precision)
        assert result.exit_code == 0, result.output
        assert selftest(tmp_path, out, precision) == 0
    assert "const int16_t *inputs, int32_t *outputs" in (tmp_path / "int8.h").read_text()
    refused = nas("export", "iris", "--store", store, "--out", tmp_path / "x.c", "--precision", "int2")
    assert "precision must be one of float, int8, int6, int5, int4, but is 'int2'" in " ".join(refused.output.split())
