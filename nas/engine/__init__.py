"""Running and training a DAG of neurons at the speed of its edges.

``compile_plan(dag)`` turns a DAG into arrays; `apply` runs a batch through it, differentiably; `DAGModule` wraps both
for use with torch. `reference_apply` is the slow specification that they are tested against.
"""

import nas._stamps  # noqa: F401 - before any kernel is: it decides which cached ones are still right
from nas.engine._activations import (
    ACTIVATIONS,
    activate,
    activation_codes,
    activation_function,
    activation_named,
    code_of,
    derivative,
    needs_input,
)
from nas.engine._again import (
    being_compiled,
    gradients_again,
    operations_wanted,
    plain_operations,
    refuse_transforms,
)
from nas.engine._choices import choose_tiling, walks_by_rows
from nas.engine._function import apply
from nas.engine._levels import Level, levels_of, traceable_apply
from nas.engine._masked import Execution, MaskedLinear
from nas.engine._module import DAGModule
from nas.engine._plan import Plan, compile_plan
from nas.engine._reference import reference_apply
from nas.engine._wired import Edge, WiredModule, wire
from nas.engine._workspace import Workspace

__all__ = [
    "ACTIVATIONS",
    "DAGModule",
    "Edge",
    "Execution",
    "Level",
    "MaskedLinear",
    "Plan",
    "WiredModule",
    "Workspace",
    "activate",
    "activation_codes",
    "activation_function",
    "activation_named",
    "apply",
    "being_compiled",
    "choose_tiling",
    "code_of",
    "compile_plan",
    "derivative",
    "gradients_again",
    "levels_of",
    "needs_input",
    "operations_wanted",
    "plain_operations",
    "reference_apply",
    "refuse_transforms",
    "traceable_apply",
    "walks_by_rows",
    "wire",
]
