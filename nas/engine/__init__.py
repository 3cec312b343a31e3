"""Running and training a DAG of neurons at the speed of its edges.

``compile_plan(dag)`` turns a DAG into arrays; `apply` runs a batch through it, differentiably; `DAGModule` wraps both
for use with torch. `reference_apply` is the slow specification that they are tested against.
"""

from pathlib import Path

from nas.engine._activations import ACTIVATIONS, NEEDS_INPUT, activation_function
from nas.engine._function import activation_codes, apply, choose_tiling
from nas.engine._module import DAGModule
from nas.engine._plan import Plan, compile_plan
from nas.engine._reference import reference_apply
from nas.engine._stale import forget_stale_kernels

__all__ = [
    "ACTIVATIONS",
    "NEEDS_INPUT",
    "DAGModule",
    "Plan",
    "activation_codes",
    "activation_function",
    "apply",
    "choose_tiling",
    "compile_plan",
    "reference_apply",
]

forget_stale_kernels(Path(__file__).parent.parent)
