"""Exported networks, run by what they were exported for, against the network itself."""

import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from torch import nn

import nas
from nas.checkpoint import export_dot, export_graphml, export_onnx, export_program, load, save
from nas.engine import ACTIVATIONS, DAGModule, Edge, MaskedLinear, wire
from nas.errors import ExportError
from nas.graph import DAG, complete, draw_activations, layered, random_dag, read_graphml
from nas.manifold import ManifoldNetwork

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def chain(length: int) -> DAG:
    """Every neuron reads the one before it, and some the one before that: as deep as a graph of its size can be."""
    n = length + 3
    edges = [(k, k + 1) for k in range(1, n - 1)] + [(k, k + 2) for k in range(0, n - 3, 3)]
    return DAG(2, length, 1, edges)


def with_constants() -> DAG:
    """Neurons without in-edges, an unused one and an input that nobody reads."""
    return DAG(3, 4, 2, [(0, 5), (3, 5), (3, 8), (4, 7), (0, 7), (5, 8)])


def skewed() -> DAG:
    """In-degrees from 1 to 300 on one level."""
    edges = [(source, 300 + k) for k in range(20) for source in range(1 + k * k * 299 // 361)]
    return DAG(300, 20, 1, [*edges, *((300 + k, 320) for k in range(20))])


DAGS = {
    "random": random_dag(20, 100, 5, density=0.1, rng=np.random.default_rng(0)),
    "dense": complete(6, 15, 4),
    "layers": layered([8, 16, 16, 3]),
    "deep": chain(150),
    "constants": with_constants(),
    "skewed": skewed(),
    "linear": complete(5, 0, 3),
}


def module_of(dag: DAG, activation: str = "tanh", bias: bool = True) -> DAGModule:
    module = DAGModule(dag, activation, bias, generator=torch.Generator().manual_seed(0))
    if module.bias is not None:
        nn.init.normal_(module.bias, generator=torch.Generator().manual_seed(1))
    return module


def run_onnx(path: Path, x: torch.Tensor) -> torch.Tensor:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def check_onnx(module: nn.Module, n_inputs: int, folder: Path) -> Path:
    path = folder / "network.onnx"
    export_onnx(module, path)
    module.eval()
    for batch in (1, 7):
        x = torch.randn(batch, n_inputs, generator=torch.Generator().manual_seed(batch))
        with torch.no_grad():
            torch.testing.assert_close(run_onnx(path, x), module(x), rtol=1e-4, atol=1e-5)
    return path


@pytest.mark.parametrize("name", DAGS)
@pytest.mark.parametrize("bias", [True, False])
def test_onnx_computes_what_the_dag_does(name: str, bias: bool, tmp_path: Path) -> None:
    dag = DAGS[name]
    check_onnx(module_of(dag, bias=bias), dag.n_inputs, tmp_path)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str, tmp_path: Path) -> None:
    module = module_of(DAGS["dense"], activation)
    with torch.no_grad():
        module.weight.mul_(0.3)  # squares of squares have no bounds
    check_onnx(module, 6, tmp_path)
    program = export_program(module)
    x = torch.randn(3, 6)
    torch.testing.assert_close(program.module()(x), module(x), rtol=1e-4, atol=1e-5)


def test_onnx_of_a_sparse_network_has_the_size_of_its_edges(tmp_path: Path) -> None:
    dag = random_dag(2000, 1000, 1000, n_edges=8000, rng=np.random.default_rng(0))
    path = check_onnx(module_of(dag), 2000, tmp_path)
    assert path.stat().st_size < 200_000 + 24 * 8000  # a dense matrix of it would take 44 MB
    layer = MaskedLinear(5000, 4000, DAG_matrix(5000, 4000, 20_000))
    path = check_onnx(layer, 5000, tmp_path)
    assert path.stat().st_size < 50_000 + 24 * 20_000  # dense 80 MB


def DAG_matrix(columns: int, rows: int, edges: int) -> object:  # noqa: N802
    import scipy.sparse

    rng = np.random.default_rng(0)
    place = rng.integers(rows, size=edges), rng.integers(columns, size=edges)
    return scipy.sparse.coo_array((np.ones(edges), place), shape=(rows, columns))


def test_nothing_large_is_gathered_at_once(tmp_path: Path) -> None:
    layer = MaskedLinear(5000, 4000, DAG_matrix(5000, 4000, 100_000))
    model = onnx.load(check_onnx(layer, 5000, tmp_path))
    rows = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.INT32]
    assert max(np.prod(each.dims) for each in rows) <= 2**15


def test_current_opset_and_named_ends(tmp_path: Path) -> None:
    path = check_onnx(module_of(DAGS["random"]), 20, tmp_path)
    model = onnx.load(path)
    assert [entry.version for entry in model.opset_import] == [23]
    assert [each.name for each in model.graph.input] == ["x"]
    assert [each.name for each in model.graph.output] == ["y"]


def mixed() -> nn.Sequential:
    torch.manual_seed(0)
    connections = np.random.default_rng(0).random((12, 10)) < 0.4
    network = nn.Sequential(
        nn.Linear(7, 10),
        nn.BatchNorm1d(10),
        nn.SiLU(),
        nn.Dropout(0.5),
        MaskedLinear(10, 12, connections, np.arange(12) % 2),
        nn.Sequential(nn.GELU(), module_of(random_dag(12, 30, 4, density=0.2, rng=np.random.default_rng(0)))),
        nn.LeakyReLU(0.2),
        nn.Linear(4, 3, bias=False),
        nn.Softmax(dim=1),
    )
    network(torch.randn(50, 7))  # gives the norm its statistics
    return network.eval()


def test_networks_among_torch_layers(tmp_path: Path) -> None:
    network = mixed()
    check_onnx(network, 7, tmp_path)
    path = tmp_path / "network.pt2"
    export_program(network, path)
    loaded = torch.export.load(path).module()
    for batch in (1, 2, 33):
        x = torch.randn(batch, 7)
        torch.testing.assert_close(loaded(x), network(x), rtol=1e-4, atol=1e-5)
    assert not any(module.training for module in network.modules())
    export_program(network.train())
    assert all(module.training for module in network.modules())


def test_manifold_and_wired_networks_are_folded(tmp_path: Path) -> None:
    network = ManifoldNetwork(DAGS["random"], parametrisation="masked", generator=np.random.default_rng(0))
    wired = wire([Edge("a", "h", 2.0, sign="+"), Edge("h", "y"), ("b", "y")], ["a", "b"], ["y"])
    for module, n_inputs in ((network, 20), (wired, 2)):
        check_onnx(module, n_inputs, tmp_path)
        x = torch.randn(5, n_inputs)
        program = export_program(module)
        torch.testing.assert_close(program.module()(x), module(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dag", [chain(30), with_constants(), complete(5, 0, 3)])
def test_programs_of_odd_graphs(dag: DAG) -> None:
    module = module_of(dag, bias=dag.n != 9)
    x = torch.randn(4, dag.n_inputs)
    torch.testing.assert_close(export_program(module).module()(x), module(x), rtol=1e-4, atol=1e-5)


def test_a_program_names_no_folder_of_the_machine_that_wrote_it(tmp_path: Path) -> None:
    dag = DAG.from_edges([("a", "h"), ("h", "y")], inputs=["a"], outputs=["y"])
    export_program(DAGModule(dag), tmp_path / "network.pt2")
    assert str(Path(nas.__file__).parent).encode() not in (tmp_path / "network.pt2").read_bytes()


def test_programs_contain_plain_torch_operations_only() -> None:
    program = export_program(module_of(DAGS["dense"]))
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert all(target.startswith("aten.") or "getitem" in target or "sym_size" in target for target in targets), targets


def test_graphs_with_weights(tmp_path: Path) -> None:
    wired = wire([Edge("a", "h", 2.0, sign="+"), Edge("h", "y", -0.5)], ["a"], ["y"])
    export_graphml(wired, tmp_path / "x.graphml")
    assert read_graphml(tmp_path / "x.graphml") == wired.dag
    weights = {(s, t): value for s, t, value in nx.read_graphml(tmp_path / "x.graphml").edges(data="weight")}
    assert weights == {("0", "1"): pytest.approx(2.0), ("1", "2"): -0.5}
    export_dot(wired, tmp_path / "x.dot")
    assert 'label="-0.5", weight=1, color=orange' in (tmp_path / "x.dot").read_text()
    layer = MaskedLinear(2, 2, np.eye(2))
    export_dot(layer, tmp_path / "x.dot")
    assert (tmp_path / "x.dot").read_text().count("color=") == 2
    export_dot(layer.dag, tmp_path / "x.dot")
    assert "color=" not in (tmp_path / "x.dot").read_text()
    with pytest.raises(ExportError, match="not of Linear"):
        export_dot(nn.Linear(2, 2), tmp_path / "x.dot")


def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    network = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), nn.LSTM(3, 3)))
    with pytest.raises(ExportError, match=r"module '1\.1' is of the kind LSTM"):
        export_onnx(network, path)
    with pytest.raises(ExportError, match="module '1' reads 4 numbers a sample, but the one before it gives 3"):
        export_onnx(nn.Sequential(nn.Linear(3, 3), nn.Linear(4, 3)), path)
    with pytest.raises(ExportError, match="no"):
        export_onnx(nn.ReLU(), path)
    with pytest.raises(ExportError, match="inputs of a ReLU are not known; pass n_inputs"):
        export_program(nn.ReLU())
    assert not path.exists()


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match=r"pip install 'dag-nas\[export\]'"):
        export_onnx(module_of(DAGS["dense"]), tmp_path / "x.onnx")


def test_onnx_knows_activations_by_neuron(tmp_path):
    rng = np.random.default_rng(4)
    dag = draw_activations(random_dag(5, 30, 3, density=0.3, rng=rng), ACTIVATIONS, rng)
    module = DAGModule(dag, "tanh")
    save(tmp_path / "mixed.safetensors", module, {})
    again = load(tmp_path / "mixed.safetensors")
    assert again.dag == dag
    x = torch.randn(7, 5)
    torch.testing.assert_close(again(x), module(x))
    export_onnx(module, tmp_path / "mixed.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "mixed.onnx")
    (y,) = session.run(None, {"x": x.numpy()})
    np.testing.assert_allclose(y, module(x).detach().numpy(), rtol=1e-4, atol=1e-5)
