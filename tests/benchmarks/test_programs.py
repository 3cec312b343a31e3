"""What a DAG adds to programs of torch: a step trains it, alternatives work in its place, and the table is right."""

import pytest
import torch

from benchmarks._graphs import GraphSpec, build
from benchmarks._levels import AutogradLevels
from benchmarks._problem import Engine, make_problem
from benchmarks._programs import KINDS, _alternating, _Inside, _Slice, _step, programs_table


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_trains_the_dag_and_runs_alternatives(kind):
    dag = build(GraphSpec("erdos_renyi", 1_000, 0.005))
    problem = make_problem(dag, 128)
    module = Engine(problem).module
    before = module.weight.detach().clone()
    other = _Inside(AutogradLevels(problem, "needed"))
    steps = {
        name: (_step(kind, middle, dag.n_inputs, dag.n_outputs), 1)
        for name, middle in (("", _Slice(dag.n_outputs)), ("engine", module), ("levels", other))
    }
    steps["engine"][0]()
    assert not torch.equal(module.weight, before)
    steps["levels"][0]()
    assert other.execution.gradients()[0].abs().max() > 0
    taken = _alternating({"": steps[""], "engine": steps["engine"]}, rounds=1)
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in taken.values())


def test_the_table_compares_with_the_best_and_with_the_pass_alone():
    def cell(kind, engine):
        added = {"engine": engine, "level by level": 50 * engine, "torch.sparse by level": 20 * engine}
        return {
            "family": "banded",
            "density": 0.1,
            "edges": 5,
            "depth": 2,
            "kind": kind,
            "without": 1e-3,
            "added": added,
        }

    *_, text = programs_table({"batch": 128, "cells": [cell(KINDS[0], 2e-4), cell(KINDS[1], 1e-4)]})
    alone, between = text.splitlines()[-2:]
    assert "| 0.2 | 1.00 | torch.sparse by level | 4 | 20 | 50 |" in alone
    assert "| 0.1 | 0.50 | torch.sparse by level | 2 | 20 | 50 |" in between
