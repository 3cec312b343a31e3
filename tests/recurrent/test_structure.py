"""Structures with memory: written and read, edited, inherited, saved, exported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from nas import checkpoint
from nas.errors import CheckpointError, ExportError, GraphError
from nas.graph import DAG, add_neuron, first_id_of_trial, random_dag
from nas.graph import add_edge as with_edge
from nas.recurrent import (
    RecurrentDAG,
    RecurrentStructure,
    grow_memory,
    reach_outputs,
    remember,
    shrink_memory,
    unreached_outputs,
)
from nas.training import module_of, structure_of


def structure(memory: int = 3, seed: int = 0, lstm: bool = False) -> RecurrentStructure:
    rng = np.random.default_rng(seed)
    dag = reach_outputs(remember(random_dag(2 + memory, 8, 2 + memory, density=0.4, rng=rng), memory), memory, rng)
    if lstm:
        dag = dag.with_activations(["lstm", "", "relu", "lstm"] * 2)
    return RecurrentStructure(dag, memory, time=5, learn_initial=True)


def arrays_of(module: RecurrentDAG) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}


def trained(found: RecurrentStructure) -> RecurrentDAG:
    module = found.build(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4)))
    return module


X = torch.randn(9, 10, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("lstm", [False, True])
def test_text_gives_an_equal_structure_back(lstm: bool) -> None:
    found = structure(lstm=lstm)
    assert structure_of("recurrent", found.to_json()) == found
    arrays = arrays_of(trained(found))
    torch.testing.assert_close(module_of(found, arrays)(X), trained(found)(X))
    assert found.measures()["edges"] == found.dag.n_edges


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory": 9}, "memory must lie in"),
        ({"memory": True}, "memory of a network with memory cannot be 'True'"),
        ({"time": 0}, "time must lie in"),
        ({"activation": "step"}, "step"),
        ({"outputs": "some"}, "outputs must be"),
        ({"extra": 1}, "is described by memory, time"),
    ],
)
def test_damaged_text_is_refused(change: dict[str, object], message: str) -> None:
    values = json.loads(structure().to_json())
    values["settings"] |= change
    with pytest.raises(GraphError, match=message):
        RecurrentStructure.from_json(json.dumps(values))
    for text in ("", "[]", "{}"):
        with pytest.raises(GraphError, match="a network with memory is"):
            RecurrentStructure.from_json(text)


@pytest.mark.parametrize("lstm", [False, True])
def test_what_is_new_leaves_the_function_as_it_was(lstm: bool) -> None:
    parent = structure(lstm=lstm)
    before, rng = trained(parent), np.random.default_rng(0)
    dag = grow_memory(parent.dag, rng, edges=3, next_id=first_id_of_trial(7))
    dag = add_neuron(dag, 0, keep_edge=True)
    absent = next(
        (source, target)
        for target in range(dag.first_output, dag.n)
        for source in range(dag.n_inputs)
        if not (dag.edges == [source, target]).all(axis=1).any()
    )
    dag = with_edge(dag, *absent)
    child = replace(parent, dag=dag, memory=parent.memory + 1)
    inherited = child.inherit(parent, arrays_of(before), 3)
    assert inherited is not None
    after = module_of(child, inherited)
    torch.testing.assert_close(after(X), before(X), rtol=1e-5, atol=1e-6)
    # The new slot is written to, and its edges into the rest have a gradient: it can come to use.
    after(X).square().sum().backward()
    edges = np.flatnonzero((child.dag.sources == child.dag.n_inputs - 1) & (child.dag.targets < child.dag.n - 1))
    assert edges.size and (after.weight.grad[torch.from_numpy(edges)] != 0).all()  # type: ignore[index]
    assert child.inherit(object(), {}, 0) is None


def test_memory_grows_and_shrinks_back() -> None:
    before = structure().dag
    grown = grow_memory(before, np.random.default_rng(1))
    assert (grown.n_inputs, grown.n_computational, grown.n_outputs) == (before.n_inputs + 1, 8, before.n_outputs + 1)
    assert shrink_memory(grown, 4, 3) == before
    with pytest.raises(GraphError, match="next_id must be larger"):
        grow_memory(before, np.random.default_rng(1), next_id=0)
    with pytest.raises(GraphError, match=r"a slot must lie in 0…3, but is 4"):
        shrink_memory(grown, 4, 4)
    # A slot that goes takes its own edges, no others.
    less = shrink_memory(before, 3, 0)
    slot = {before.n_inputs - 3, before.n - 3}
    assert less.n_edges == sum(not slot & set(edge) for edge in before.edges.tolist())
    assert not unreached_outputs(reach_outputs(less, 2, np.random.default_rng(0)), 2).size


@pytest.mark.parametrize("lstm", [False, True])
def test_checkpoint_round_trip(lstm: bool, tmp_path: Path) -> None:
    module = trained(structure(lstm=lstm))
    checkpoint.save(tmp_path / "n.safetensors", module, {"task": "classification"})
    again = checkpoint.load(tmp_path / "n.safetensors")
    assert isinstance(again, checkpoint.CheckpointRecurrent) and again.record == {"task": "classification"}
    assert RecurrentStructure.of(again) == structure(lstm=lstm)
    torch.testing.assert_close(again(X), module(X), rtol=0, atol=0)


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.safetensors"
    checkpoint.save(path, trained(structure()), {})
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    arrays = safetensors.numpy.load(data)
    path.write_bytes(safetensors.numpy.save({**arrays, "initial": np.zeros(2, np.float32)}, metadata))
    with pytest.raises(CheckpointError, match=r"initial must have shape \(3,\) in its network, but has \(2,\)"):
        checkpoint.load(path)
    path.write_bytes(safetensors.numpy.save({**arrays, "initial": np.full(3, np.nan, np.float32)}, metadata))
    with pytest.raises(CheckpointError, match="initial must be finite"):
        checkpoint.load(path)
    path.write_bytes(safetensors.numpy.save(arrays, {**metadata, "recurrent": "{"}))
    with pytest.raises(CheckpointError, match="is described by JSON"):
        checkpoint.load(path)


@pytest.mark.parametrize("lstm", [False, True])
def test_exports(lstm: bool, tmp_path: Path) -> None:
    module = trained(structure(lstm=lstm)).eval()
    program = checkpoint.export_program(module, tmp_path / "n.pt2").module()
    torch.testing.assert_close(program(X), module(X), rtol=1e-4, atol=1e-5)
    checkpoint.export_graphml(module, tmp_path / "n.graphml")
    assert (tmp_path / "n.graphml").read_text().count("<edge ") == module.dag.n_edges
    checkpoint.export_dot(module, tmp_path / "n.dot")
    assert "weight" in (tmp_path / "n.graphml").read_text()


def test_new_slots_are_named_after_the_first_free_number() -> None:
    before = RecurrentStructure(DAG(2, 0, 2, [(0, 2), (1, 3)], names=("x0", "m0", "y0", "m0'")), 1).dag
    grown = grow_memory(before, np.random.default_rng(0))
    assert grown.names == ("x0", "m0", "m1", "y0", "m0'", "m1'")
    assert grow_memory(shrink_memory(grown, 2, 0), np.random.default_rng(0)).names == (
        "x0",
        "m1",
        "m0",
        "y0",
        "m1'",
        "m0'",
    )


@pytest.mark.parametrize("outputs", ["last", "all"])
@pytest.mark.parametrize("learn_initial", [True, False])
@pytest.mark.parametrize("lstm", [True, False])
def test_onnx_runs_the_steps_one_after_another(outputs: str, learn_initial: bool, lstm: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    dag = random_dag(5, 8, 4, density=0.6, rng=np.random.default_rng(0))
    if lstm:
        dag = dag.with_activations(["lstm", "", "sin", "lstm", "lstm", "relu", "", "lstm"])
    module = RecurrentDAG(dag, 2, time=6, outputs=outputs, learn_initial=learn_initial)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    path = tmp_path / "network.onnx"
    checkpoint.export_onnx(module, path)
    assert path.stat().st_size < 60_000  # the steps share their weights
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    x = torch.randn(7, module.n_inputs)
    found = session.run(None, {"x": x.numpy()})[0]
    np.testing.assert_allclose(found, module(x).detach().numpy().reshape(7, -1), rtol=1e-4, atol=1e-5)
    module.time = None
    with pytest.raises(ExportError, match="set its attribute time"):
        checkpoint.export_onnx(module, path)
