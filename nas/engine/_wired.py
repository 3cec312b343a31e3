"""Networks wired by hand: named neurons, edges with given weights, fixed signs, frozen edges, read back as a table.

A fixed sign is a parametrisation, not a clip: the weight of such an edge is sign · |value|, which no step of any
optimiser can turn over; where a step would, the weight comes back on its own side, and a value of 0 has a gradient (see
`_folded`). Chosen by measurement against squares, softplus, exp, clipping at 0 after each step, and a one-sided
gradient: `python -m benchmarks.signs`, figures in benchmarks/results/signs.md. A square's slope vanishes with its
root, so that weight decay drives it to exactly 0, from where nothing brings it back; softplus and exp crawl where
weights are small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nas.engine._activations import activation_function
from nas.engine._function import apply
from nas.engine._module import DAGModule
from nas.engine._plan import compile_plan
from nas.engine._written import written_through
from nas.errors import GraphError
from nas.graph import DAG, Role

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Edge", "Sign", "WiredModule", "wire"]

Sign = Literal["+", "-"]
Rule = Callable[[np.random.Generator], float]

_SIGNS = {"+": 1.0, "-": -1.0}


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection between two named neurons.

    Raises:
        GraphError: weight and sign contradict each other, or are of a wrong kind; the message names the edge.
    """

    source: Hashable
    target: Hashable
    weight: float | Rule | None = None  # initial; a rule draws it (rng -> float); None: normal, variance 1 / in-degree
    sign: Sign | None = None  # fixed during training; a drawn weight takes it over
    frozen: bool = False  # the weight never changes

    def __post_init__(self) -> None:
        if self.sign not in (None, "+", "-"):
            raise GraphError(f"edge {self}: sign must be '+', '-' or None, but is {self.sign!r}")
        if self.weight is None or callable(self.weight):
            return
        if isinstance(self.weight, bool) or not isinstance(self.weight, int | float | np.number):
            raise GraphError(f"edge {self}: weight must be a number, a rule or None, but is {self.weight!r}")
        self.checked(float(self.weight))

    def checked(self, weight: float) -> float:
        """``weight`` if this edge may start with it."""
        if not math.isfinite(weight):
            raise GraphError(f"edge {self}: the weight must be finite, but is {weight}")
        if self.sign is not None and weight * _SIGNS[self.sign] < 0:
            raise GraphError(
                f"edge {self}: the sign is fixed at {self.sign!r}, but the weight is {weight:g}; change one of the two"
            )
        return weight

    def __str__(self) -> str:
        return f"{self.source!r}->{self.target!r}"


AnyEdge = Edge | tuple[Hashable, Hashable] | tuple[Hashable, Hashable, float | Rule | None]


class WiredModule(nn.Module):
    """A network wired by `wire`: maps (batch, inputs) to (batch, outputs), both in the order they were given in.

    Attributes:
        dag: the structure, with names.
        edge_values: parameter, one entry a trainable edge: its weight; only its magnitude where the sign is fixed.
        bias: parameter (n - n_inputs,), in topological order; None without.
        activation: of the computational neurons; outputs are linear.
    """

    trainable: Tensor
    signs: Tensor
    initial: Tensor
    bias: nn.Parameter | None

    def __init__(
        self, dag: DAG, edges: Sequence[Edge], weights: np.ndarray, activation: str, bias: np.ndarray | None
    ) -> None:
        """See `wire`; ``edges`` and ``weights`` (E,) are in the order of ``dag.edges``."""
        super().__init__()
        activation_function(activation)
        self.dag = dag
        self.edges = tuple(edges)
        self.activation = activation
        self.plan = compile_plan(dag)
        dtype = torch.get_default_dtype()
        trainable = np.flatnonzero([not edge.frozen for edge in edges])
        signs = np.array([_SIGNS.get(edge.sign or "", 0.0) for edge in edges])[trainable]
        self.register_buffer("trainable", torch.from_numpy(trainable), persistent=False)
        self.register_buffer("signs", torch.tensor(signs, dtype=dtype), persistent=False)
        self.register_buffer("initial", torch.tensor(weights, dtype=dtype))
        self.edge_values = nn.Parameter(torch.tensor(weights[trainable], dtype=dtype))
        self.bias = None if bias is None else nn.Parameter(torch.tensor(bias, dtype=dtype))

    @property
    def weight(self) -> Tensor:
        """W (E,), in the order of ``dag.edges``; differentiable.

        What is written into it in place (``nn.init``, ``copy_``, ``.data =``) goes to `edge_values`.

        Raises:
            GraphError: on writing: another weight for a frozen edge, or one that its fixed sign does not allow.
        """
        return written_through(self._weights(), self._write_weights)

    @torch.no_grad()
    def _write_weights(self, weights: Tensor) -> None:
        now = self._weights()
        for number in torch.nonzero(weights != now).flatten().tolist():
            edge, value = self.edges[number], float(weights[number])
            if edge.frozen:
                held = float(now[number])
                raise GraphError(f"edge {edge}: it is frozen at {held:g}, but {value:g} was written to it")
            edge.checked(value)
        values = weights.index_select(0, self.trainable)
        changed = values != now.index_select(0, self.trainable)  # the others keep every bit of their values
        self.edge_values.copy_(torch.where(changed, values, self.edge_values))

    def _weights(self) -> Tensor:
        values = torch.where(self.signs == 0, self.edge_values, self.signs * _folded(self.edge_values))
        return self.initial.index_copy(0, self.trainable, values)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, outputs) of (batch, inputs)."""
        return apply(self.plan, x, self._weights(), self.bias, activation=self.activation)

    def table(self) -> pd.DataFrame:
        """One row an edge: source, target, weight and learned ("+", "-", "0") now, sign (what is fixed, or ""),
        frozen, and the initial weight. `wire` accepts it: training may go on from there.
        """
        import pandas as pd

        weights = self.weight.detach().cpu().numpy().astype(np.float64)
        return pd.DataFrame(
            {
                "source": [edge.source for edge in self.edges],
                "target": [edge.target for edge in self.edges],
                "weight": weights,
                "learned": ["+" if value > 0 else "-" if value < 0 else "0" for value in weights],
                "sign": [edge.sign or "" for edge in self.edges],
                "frozen": [edge.frozen for edge in self.edges],
                "initial": self.initial.cpu().numpy().astype(np.float64),
            }
        )

    def neurons(self) -> pd.DataFrame:
        """One row a neuron in topological order: name, role, and bias (NaN for inputs; 0 without biases)."""
        import pandas as pd

        dag = self.dag
        bias = np.zeros(dag.n - dag.n_inputs) if self.bias is None else self.bias.detach().cpu().numpy()
        return pd.DataFrame(
            {
                "neuron": list(dag.names or ()),
                "role": [Role(role).name.lower() for role in dag.roles.tolist()],
                "bias": np.concatenate([np.full(dag.n_inputs, np.nan), bias]),
            }
        )

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *arguments: Any) -> None:
        if prefix + "raw" in state_dict:  # of earlier programs, in which the magnitude of a fixed sign was its square
            state_dict[prefix + "edge_values"] = unsquared(state_dict.pop(prefix + "raw"), self.signs)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def fold(self) -> DAGModule:
        """The same function with plain weights: what `nas.save` and the exporters write."""
        module = DAGModule(self.dag, self.activation, self.bias is not None, dtype=self.edge_values.dtype)
        with torch.no_grad():
            module.weight.copy_(self.weight)
            if self.bias is not None and module.bias is not None:
                module.bias.copy_(self.bias)
        return module

    def extra_repr(self) -> str:
        """For ``repr``."""
        fixed = int((self.signs != 0).sum())
        return (
            f"neurons={self.dag.n}, edges={len(self.edges)}, frozen={len(self.edges) - self.edge_values.numel()}, "
            f"fixed signs={fixed}, activation={self.activation!r}, bias={self.bias is not None}"
        )


def unsquared(raw: Tensor, signs: Tensor) -> Tensor:
    """Weights of edges whose ``signs`` are fixed (not 0) and are held as roots of their magnitudes."""
    return torch.where(signs == 0, raw, signs.to(raw.dtype) * raw.square())


def _folded(values: Tensor) -> Tensor:
    """|values|, with a slope of 1 at 0, where that of `torch.abs` is 0: a weight of 0 can leave it."""
    return torch.where(values < 0, -values, values)


def wire(
    edges: Iterable[AnyEdge] | pd.DataFrame,
    inputs: Iterable[Hashable],
    outputs: Iterable[Hashable],
    *,
    activation: str = "tanh",
    bias: bool | Mapping[Hashable, float] = True,
    rng: np.random.Generator | None = None,
) -> WiredModule:
    """A trainable network from edges between named neurons.

    Args:
        edges: `Edge`s, or tuples (source, target) or (source, target, weight), in any order; or a table with the
            columns source and target and perhaps weight, sign and frozen.
        inputs: names of the inputs, in the order of the columns of the data.
        outputs: names of the outputs, in order. Every other name is a computational neuron.
        activation: of the computational neurons, one of `ACTIVATIONS`.
        bias: whether neurons have a bias; or the initial biases of some, by name, the others starting at 0.
        rng: draws the weights that are not given; a fixed seed by default.

    Raises:
        CycleError, UnreachableOutputError, GraphError: the edges make no DAG, or an edge's weight and sign contradict
            each other; the message names the neurons.
        ValueError: unknown activation.
    """
    given = [_edge(each) for each in (_rows(edges) if hasattr(edges, "columns") else edges)]
    inputs, outputs = list(inputs), list(outputs)
    pairs = [(edge.source, edge.target) for edge in given]
    labels = list(dict.fromkeys([*inputs, *outputs, *(label for pair in pairs for label in pair)]))
    names = {label: str(label) for label in labels}
    if len(set(names.values())) < len(labels):
        same = next(label for label in labels if sum(name == names[label] for name in names.values()) > 1)
        raise GraphError(f"names of neurons must differ as text too, but there are two of {names[same]!r}; rename one")
    dag = DAG.from_edges(pairs, inputs, outputs, names=names)
    by_pair = {(names[edge.source], names[edge.target]): edge for edge in given}
    assert dag.names is not None
    ordered = [by_pair[dag.names[source], dag.names[target]] for source, target in dag.edges.tolist()]
    generator = rng if rng is not None else np.random.default_rng(0)
    fan_in = np.diff(dag.in_ptr)[dag.targets]
    weights = np.array([_start(edge, int(k), generator) for edge, k in zip(ordered, fan_in, strict=True)])
    return WiredModule(dag, ordered, weights, activation, _biases(bias, dag))


def _edge(given: Any) -> Edge:
    if isinstance(given, Edge):
        return given
    if isinstance(given, tuple) and len(given) in (2, 3):
        return Edge(*given)
    raise GraphError(f"an edge is an Edge, (source, target) or (source, target, weight), but there is {given!r}")


def _rows(table: Any) -> list[Edge]:
    missing = [name for name in ("source", "target") if name not in table.columns]
    if missing:
        raise GraphError(f"a table of edges needs the columns source and target, but lacks {' and '.join(missing)}")

    def plain(value: Any) -> Any:
        return None if value is None or value == "" or value != value else value  # NaN differs from itself

    return [
        Edge(
            row["source"],
            row["target"],
            plain(row.get("weight")),
            plain(row.get("sign")),
            bool(plain(row.get("frozen")) or False),
        )
        for row in table.to_dict("records")
    ]


def _start(edge: Edge, fan_in: int, rng: np.random.Generator) -> float:
    if edge.weight is not None and not callable(edge.weight):
        return float(edge.weight)
    drawn = float(rng.normal(0, fan_in**-0.5) if edge.weight is None else edge.weight(rng))
    return edge.checked(drawn if edge.sign is None else _SIGNS[edge.sign] * abs(drawn))


def _biases(bias: bool | Mapping[Hashable, float], dag: DAG) -> np.ndarray | None:
    if isinstance(bias, bool):
        return np.zeros(dag.n - dag.n_inputs) if bias else None
    assert dag.names is not None
    place = {name: number - dag.n_inputs for number, name in enumerate(dag.names)}
    values = np.zeros(dag.n - dag.n_inputs)
    for label, value in bias.items():
        at = place.get(str(label))
        if at is None or at < 0:
            what = "an unknown neuron" if at is None else "an input, which has none"
            raise GraphError(f"bias is given for {label!r}, {what}; name a computational or output neuron")
        if not math.isfinite(value):
            raise GraphError(f"the bias of {label!r} must be finite, but is {value}")
        values[at] = value
    return values
