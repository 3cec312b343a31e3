"""A linear layer that has only some of its connections: a drop-in for ``torch.nn.Linear``."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from nas.engine._function import apply
from nas.engine._plan import compile_plan
from nas.engine._written import written_through
from nas.errors import GraphError
from nas.graph import DAG, bipartite

__all__ = ["Execution", "MaskedLinear"]

Execution = Literal["auto", "dense", "engine"]

# Where dense is faster, forward and with gradients, float32, one core (process time): always below 128 x 128, where
# calls outweigh numbers (engine / dense 1.2 to 2 at 32 x 32, 0.5 to 1.2 at 128 x 128), and when more than half of a
# larger matrix is connected. At 1,000 x 1,000 and batch 128 a training step takes, engine / dense: 0.06 at 0.5 %,
# 0.18 at 10 %, 0.34 at 20 %, 0.64 at 40 %; at 256 x 784 and batch 1,024: 0.16, 0.29, 0.39, 0.74.
DENSE_CELLS = 128 * 128
DENSE_DENSITY = 0.5


def _matrix(connections: Tensor) -> Any:
    """As numpy or, where a tensor is sparse, scipy has it."""
    if connections.layout == torch.strided:
        return connections.numpy()
    found = connections.to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
    return scipy.sparse.coo_array((found.values().numpy(), found.indices().numpy()), tuple(found.shape))


class MaskedLinear(nn.Module):
    """``y = x Wᵀ + b`` with W zero where there is no connection, and nothing stored or computed there.

    Equal to ``torch.nn.Linear`` with its weight multiplied by the matrix, in value and gradient.

    Args:
        in_features: columns of the matrix.
        out_features: rows of the matrix.
        connections: (out_features, in_features), NumPy array, torch tensor (sparse ones, too), nested list or scipy
            sparse matrix of numbers or booleans; non-zero: connected. Rows without connections give their bias alone.
        bias: True; False: none; or a mask (out_features,): which outputs have one.
        execution: "dense" multiplies by the dense matrix (made from the values at each call), "engine" runs over the
            connections; "auto": dense below `DENSE_CELLS` cells or above `DENSE_DENSITY` of them connected. What the
            engine cannot run (a device or a type other than float32 and float64 on the CPU) is dense anyway.
        generator: source of the initial values; torch's global one by default.

    Attributes:
        edge_values: (E,) parameter, the weights of the connections, in the order of ``dag.edges`` (row by row).
        bias_values: parameter, the biases of the outputs that have one; None without.
        dag: the connections as a DAG of inputs and outputs.

    Initial values are uniform within ± 1 / sqrt(connections of the row), those of ``torch.nn.Linear`` for rows with
    all of them.

    Raises:
        GraphError: matrix or mask have a wrong shape, or hold something other than finite numbers.
        ValueError: unknown execution.
    """

    sources: Tensor
    targets: Tensor
    cells: Tensor
    bias_places: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        connections: Any,
        bias: bool | Any = True,
        *,
        execution: Execution = "auto",
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if execution not in get_args(Execution):
            raise ValueError(f"execution must be one of {', '.join(get_args(Execution))}, but is {execution!r}")
        if isinstance(connections, Tensor):
            connections = _matrix(connections.detach().cpu())
        self.dag: DAG = bipartite(connections, n_inputs=in_features, n_outputs=out_features)
        self.in_features, self.out_features = self.dag.n_inputs, self.dag.n_outputs
        self.execution: Execution = execution
        self.plan = compile_plan(self.dag)
        rows = self.dag.targets.astype(np.int64) - self.in_features
        columns = self.dag.sources.astype(np.int64)
        # Kept with the values: in another matrix they would mean something else.
        self.register_buffer("sources", torch.from_numpy(columns.astype(np.int32)))
        self.register_buffer("targets", torch.from_numpy(rows.astype(np.int32)))
        self.register_buffer("cells", torch.from_numpy(rows * self.in_features + columns), persistent=False)
        places = np.flatnonzero(_bias_mask(bias, self.out_features))
        self.register_buffer("bias_places", torch.from_numpy(places))
        dtype = dtype or torch.get_default_dtype()
        self.edge_values = nn.Parameter(torch.empty(self.dag.n_edges, dtype=dtype))
        self.bias_values = nn.Parameter(torch.empty(places.size, dtype=dtype)) if places.size else None
        self.reset_parameters(generator)

    @classmethod
    def from_linear(
        cls, linear: nn.Linear, connections: Any, bias: bool | Any = True, *, execution: Execution = "auto"
    ) -> MaskedLinear:
        """A layer with the weights of ``linear`` where it is connected, and its biases where it has them."""
        bias = False if linear.bias is None else bias
        layer = cls(
            linear.in_features, linear.out_features, connections, bias, execution=execution, dtype=linear.weight.dtype
        ).to(linear.weight.device)
        with torch.no_grad():
            layer.edge_values.copy_(linear.weight.reshape(-1)[layer.cells])
            if layer.bias_values is not None:
                layer.bias_values.copy_(linear.bias[layer.bias_places])
        return layer

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw weights and biases anew."""
        connected = torch.from_numpy(np.diff(self.dag.in_ptr)[self.in_features :]).to(self.edge_values.device)
        bound = connected.clamp(min=1).to(self.edge_values.dtype).rsqrt()
        self.edge_values.uniform_(-1, 1, generator=generator).mul_(bound[self.targets.long()])
        if self.bias_values is not None:
            self.bias_values.uniform_(-1, 1, generator=generator).mul_(bound[self.bias_places])

    @property
    def weight(self) -> Tensor:
        """W, dense (out_features, in_features), exactly 0 where not connected; differentiable.

        What is written into it in place (``nn.init``, ``copy_``, ``.data =``) becomes the `edge_values` where it is
        connected; the rest of what is written is dropped.
        """
        return written_through(self._dense_weight(), self._write_weight)

    @property
    def bias(self) -> Tensor | None:
        """b, (out_features,), exactly 0 for outputs without a bias; None if there is none. Written as `weight`."""
        bias = self._dense_bias()
        return bias if bias is None or bias is self.bias_values else written_through(bias, self._write_bias)

    def _dense_weight(self) -> Tensor:
        flat = self.edge_values.new_zeros(self.out_features * self.in_features)
        return flat.index_copy(0, self.cells, self.edge_values).view(self.out_features, self.in_features)

    def _dense_bias(self) -> Tensor | None:
        if self.bias_values is None or self.bias_values.numel() == self.out_features:
            return self.bias_values
        return self.bias_values.new_zeros(self.out_features).index_copy(0, self.bias_places, self.bias_values)

    @torch.no_grad()
    def _write_weight(self, dense: Tensor) -> None:
        self.edge_values.copy_(dense.reshape(-1)[self.cells])

    @torch.no_grad()
    def _write_bias(self, dense: Tensor) -> None:
        assert self.bias_values is not None
        self.bias_values.copy_(dense[self.bias_places])

    @property
    def density(self) -> float:
        """Connections / cells of the matrix, in [0, 1]."""
        return self.dag.n_edges / (self.in_features * self.out_features)

    @property
    def runs_dense(self) -> bool:
        """Which way `forward` takes now."""
        values = self.edge_values
        if values.device.type != "cpu" or values.dtype not in (torch.float32, torch.float64):
            return True
        if self.execution != "auto":
            return self.execution == "dense"
        return self.in_features * self.out_features < DENSE_CELLS or self.density > DENSE_DENSITY

    def forward(self, x: Tensor) -> Tensor:
        """(…, out_features) of (…, in_features)."""
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x must have shape (…, {self.in_features}), but has {tuple(x.shape)}")
        if self.runs_dense:
            return nn.functional.linear(x, self._dense_weight(), self._dense_bias())
        rows = x.reshape(-1, self.in_features)
        y = apply(self.plan, rows, self.edge_values, self._dense_bias(), activation="identity")
        return y.reshape(*x.shape[:-1], self.out_features)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *arguments: Any) -> None:
        messages: list[str] = arguments[-1]
        if prefix + "values" in state_dict:  # what they were called first, a name that torch's parametrizations refuse
            state_dict[prefix + "edge_values"] = state_dict.pop(prefix + "values")
        for name in ("sources", "targets", "bias_places"):
            given, own = state_dict.get(prefix + name), getattr(self, name)
            if given is not None and not torch.equal(given.cpu(), own.cpu()):
                messages.append(f"{prefix}{name}: the saved layer has other connections than this one")
                return
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def extra_repr(self) -> str:
        """For ``repr``."""
        biases = 0 if self.bias_values is None else self.bias_values.numel()
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, connections={self.dag.n_edges} "
            f"({self.density:.1%}), biases={biases}, runs={'dense' if self.runs_dense else 'engine'}"
        )


def _bias_mask(bias: bool | Any, out_features: int) -> np.ndarray:
    if isinstance(bias, bool | np.bool_):
        return np.full(out_features, bool(bias))
    mask = np.asarray(bias.detach().cpu() if isinstance(bias, Tensor) else bias)
    if mask.shape != (out_features,) or mask.dtype.kind not in "biuf":
        raise GraphError(
            f"bias must be True, False or a mask of shape ({out_features},), one entry an output, "
            f"but is {mask.dtype} of shape {mask.shape}"
        )
    found: np.ndarray = mask != 0
    return found
