"""Every alternative must solve the engine's problem, or its time means nothing."""

import numpy as np
import pytest
import torch

from benchmarks._alternatives import alternatives
from benchmarks._dense import DenseChain
from benchmarks._problem import Engine, disagreement, make_problem
from benchmarks._staged import Staged, dense_cells, stages_by_block, stages_by_level
from nas.engine import reference_apply
from nas.graph import DAG, banded, complete, random_dag

GRAPHS = {
    "sparse": random_dag(7, 40, 3, density=0.1, rng=np.random.default_rng(0)),
    "complete": complete(5, 30, 4),
    "banded": banded(6, 50, 2, density=0.15, rng=np.random.default_rng(1)),
    "no computational neuron": DAG(2, 0, 2, [(0, 2), (1, 2), (1, 3)]),
    "neurons without edges": DAG(3, 5, 1, [(0, 4), (4, 8)]),
}
VARIANTS = [(each.name, variant) for each in alternatives() for variant in each.variants]


def reference(problem):
    """Outputs and gradients by the engine's specification, one neuron after another in autograd."""
    weight, bias = problem.weight.clone().requires_grad_(), problem.bias.clone().requires_grad_()
    y = reference_apply(problem.dag, problem.x, weight, bias)
    y.backward(problem.grad_y)
    return y.detach(), weight.grad, bias.grad


@pytest.mark.parametrize("batch", [1, 33])
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize(("name", "variant"), VARIANTS, ids=[f"{name}, {v.name}" for name, v in VARIANTS])
def test_same_values_and_gradients(name, variant, graph, batch):
    problem = make_problem(GRAPHS[graph], batch, dtype=torch.float64)
    execution = variant.make(problem)
    execution.run()
    y = execution.run()  # again: nothing may be left over from the first pass
    assert disagreement(reference(problem), (y, *execution.gradients())) == ""


@pytest.mark.parametrize("size", [1, 7, 16])
def test_blocks_of_any_size(size):
    problem = make_problem(GRAPHS["sparse"], 9, dtype=torch.float64)
    for columns in ("all", "needed"):
        staged = Staged(problem, lambda dag: stages_by_block(dag, size), columns)
        assert disagreement(reference(problem), (staged.run(), *staged.gradients())) == ""


def test_the_engine_is_held_to_the_same():
    problem = make_problem(GRAPHS["sparse"], 9, dtype=torch.float64)
    engine = Engine(problem)
    assert disagreement(reference(problem), (engine.run(), *engine.gradients())) == ""


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_wrong_result_is_noticed(which):
    problem = make_problem(GRAPHS["sparse"], 9)
    right = reference(problem)
    wrong = [part.clone() for part in right]
    wrong[which].view(-1)[0] += 0.1 * wrong[which].norm()
    assert ("outputs", "weight gradient", "bias gradient")[which] in disagreement(right, tuple(wrong))
    wrong[which][:] = torch.nan
    assert disagreement(right, tuple(wrong)) != ""


def test_flops_count_what_a_pass_needs():
    dag = DAG(2, 1, 1, [(0, 2), (1, 2), (2, 3)])
    # forward and weight gradient of three edges, and one of them passes a gradient on; two operations each
    assert make_problem(dag, 5).flops == 5 * 2 * (3 + 3 + 1)
    assert DenseChain(100, 5).flops == 5 * 2 * 3 * 100


def test_dense_cells_bound_the_matrices():
    dag = GRAPHS["sparse"]
    problem = make_problem(dag, 2)
    for partition in (stages_by_level, lambda dag: stages_by_block(dag, 16)):
        for columns in ("all", "needed"):
            staged = Staged(problem, partition, columns)
            cells = sum(stage.outer.numel() + stage.inner.numel() for stage in staged.stages)
            assert dense_cells(dag, partition(dag), columns) == cells
            assert cells >= dag.n_edges
