"""A DAG of neurons as a torch module."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from nas.engine._activations import activation_codes, rectifies
from nas.engine._function import apply
from nas.engine._plan import compile_plan
from nas.graph import DAG

__all__ = ["DAGModule"]

# They let about half of what comes in pass, so that weights start larger by sqrt(2).


class DAGModule(nn.Module):
    """A feed-forward network on any DAG: maps (batch, n_inputs) to (batch, n_outputs); outputs are linear.

    Args:
        dag: the structure.
        activation: σ of the computational neurons, one of `ACTIVATIONS`; or a sequence of these, one for each of
            them in their order. Alone it is for those to which ``dag.activations`` gives none of their own.
        bias: whether neurons have a bias.
        dtype: torch.float32 (default) or torch.float64.
        generator: source of the initial weights; torch's global one by default.
        weight: (n_edges,) initial weights instead, in the order of ``dag.edges``: what `nas.read_edge_list` and others
            return beside a graph.

    Attributes:
        dag: as given, with the activations where a sequence was.
        activation: the one for neurons without one of their own.
        plan: the compiled DAG.
        weight: (n_edges,), in the order of ``dag.edges``. Initially normal with variance gain / in-degree of the
            target (He 2015, arXiv:1502.01852, with the actual number of in-edges as fan-in).
        bias: (n - n_inputs,), in topological order, initially 0; None without.

    Raises:
        ValueError: unknown activation; ``weight`` has another shape.
        GraphError: a sequence of activations of another length than there are computational neurons.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        dag: DAG,
        activation: str | Sequence[str] = "relu",
        bias: bool = True,
        *,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
        weight: ArrayLike | Tensor | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(activation, str):
            dag, activation = dag.with_activations(activation), "identity"
        activation_codes(dag, activation)  # refuses unknown ones
        self.dag = dag
        self.plan = compile_plan(dag)
        self.activation = activation
        dtype = dtype or torch.get_default_dtype()
        self.weight = nn.Parameter(torch.empty(dag.n_edges, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(dag.n - dag.n_inputs, dtype=dtype)) if bias else None
        self.reset_parameters(generator)
        if weight is not None:
            given = torch.as_tensor(weight)
            if given.shape != self.weight.shape:
                raise ValueError(
                    f"weight must have shape ({dag.n_edges},), one an edge, but has shape {tuple(given.shape)}"
                )
            with torch.no_grad():
                self.weight.copy_(given)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the weights anew and set the biases to 0."""
        in_ptr = torch.tensor(self.dag.in_ptr)
        fan_in = (in_ptr[1:] - in_ptr[:-1]).clamp(min=1)
        targets = torch.tensor(self.dag.targets, dtype=torch.long)
        rectifying = torch.from_numpy(rectifies(activation_codes(self.dag, self.activation)))
        gain = torch.where(rectifying[targets], math.sqrt(2.0), 1.0)
        with torch.no_grad():
            self.weight.normal_(generator=generator)
            self.weight.mul_((gain / fan_in[targets].sqrt()).to(self.weight.dtype))
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        # Quicker than attributes, which take as long as hundreds of edges. Where torch.nn.utils has put something else
        # in a parameter's place, the attribute is what counts.
        own = self._parameters
        weight, bias = own.get("weight"), own.get("bias")
        if weight is None or bias is None:
            weight, bias = self.weight, self.bias
        return apply(self.plan, x, weight, bias, activation=self.activation)

    def extra_repr(self) -> str:
        return (
            f"inputs={self.dag.n_inputs}, computational={self.dag.n_computational}, outputs={self.dag.n_outputs}, "
            f"edges={self.dag.n_edges}, activation={self.activation!r}, bias={self.bias is not None}"
        )
