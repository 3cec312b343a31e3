"""The trainable network of one DAG: which weights its edges have, and what its structure costs.

Three parametrisations of the weight of edge j -> i:

    manifold    W_ij = c_ij             structure and strength from the closeness alone; gain a, bias b of every neuron
    masked      W_ij = c_ij v_ij        learned structure times a free weight; the gain would be redundant and is 1
    free        W_ij = v_ij             the ordinary feed-forward network on the DAG; all allowed edges are live

An edge is live when c != 0 (free: always). A free weight that happens to be 0 does not make an edge dead: it has
gradient, a closed edge has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from nas import engine
from nas.graph import DAG
from nas.manifold._closeness import Closeness, Init, Strengths
from nas.manifold._families import DEFAULT_FAMILY
from nas.manifold._fold import fold, pruned
from nas.manifold._losses import TEMPERATURE, LossTerms, flow_signs, smooth_edges
from nas.manifold._readout import Readout, unrolled

__all__ = ["ManifoldNetwork", "Parametrisation", "initial_weight", "parametrisation_of"]

Parametrisation = Literal["masked", "manifold", "free"]
Arrays = Mapping[str, np.ndarray]

# What the source of an edge emits, squared and averaged, when it starts with unit variance: a standardised input, and
# a computational neuron behind a rectifier (He 2015).
INPUT_POWER, COMPUTATIONAL_POWER = 1.0, 0.5
# How much faster than its weights a masked network's closeness learns, and the share of all neurons that is the unit of
# its lengths (sigma, mu). Means of five seeds of digits, 64/60/10 at 30 % (2,055 edges), 1,000 steps, rate 5e-3,
# by factor of the sparsity term: 96.0 % test accuracy at 1,998 edges (0.1), 96.3 % at 1,628 (0.3), 94.7 % at 1,171 (1).
# At 1 (and 2e-3) the structure hardly moves: 2,027 edges at factor 1. At 20 outputs were lost.
CLOSENESS_RATE = 5.0
LENGTH_SHARE = 0.1
COMPUTATIONAL_VARIANCE = 1.0
# Outputs start small, so that no class is preferred before anything is learned.
OUTPUT_VARIANCE = 0.1


class ManifoldNetwork(nn.Module):
    """A network on the allowed edges of a DAG.

    Args:
        dag: the allowed edges.
        parametrisation: see the top of this file.
        activation: of the computational neurons, one of `nas.engine.ACTIVATIONS`; outputs are linear.
        period: see `Closeness`.
        generator: draws the initial values.
        init: of the closeness; None: "published" for manifold, "open" for masked.
        readout: how outputs read the network, see `nas.manifold._readout`.
        family: of the closeness, see `nas.manifold.FAMILIES`.

    Attributes:
        temperature: of the smooth counts, see `nas.manifold.smooth_edges`; whoever trains the network sets it.

    Raises:
        ValueError: an argument is out of range.
    """

    flow_signs: Tensor

    def __init__(
        self,
        dag: DAG,
        *,
        generator: np.random.Generator,
        parametrisation: Parametrisation = "masked",
        activation: str = "leaky_relu",
        period: float | None = None,
        init: Init | None = None,
        readout: Readout = "activated",
        family: str = DEFAULT_FAMILY,
    ):
        super().__init__()
        if readout not in get_args(Readout):
            raise ValueError(f"readout must be one of {', '.join(get_args(Readout))}, but got {readout!r}")
        if parametrisation not in get_args(Parametrisation):
            raise ValueError(
                f"parametrisation must be one of {', '.join(get_args(Parametrisation))}, but got {parametrisation!r}"
            )
        if activation not in engine.ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(engine.ACTIVATIONS)}, but got {activation!r}")
        self.dag = dag
        self.parametrisation: Parametrisation = parametrisation
        self.activation = activation
        self.readout: Readout = readout
        self.family = family
        self.temperature = TEMPERATURE
        self.plan = engine.compile_plan(dag)
        self._unrolled = None if readout == "activated" else unrolled(dag, activation, readout)
        self._unrolled_plan = None if self._unrolled is None else engine.compile_plan(self._unrolled.dag)
        self.closeness: Closeness | None = None
        self.weight: nn.Parameter | None = None
        self.gain: nn.Parameter | None = None
        m = dag.n - dag.n_inputs
        bias = np.zeros(m)
        if parametrisation != "free":
            chosen = init or ("published" if parametrisation == "manifold" else "open")
            self.closeness = Closeness(dag, period=period, generator=generator, init=chosen, family=family)
        if parametrisation == "manifold":
            self.gain = _parameter(generator.normal(0.0, 1.0, m))
            bias = generator.normal(0.0, 1.0, m)
        else:
            self.weight = _parameter(initial_weight(dag, self.closeness_values(), generator))
        self.bias = _parameter(bias)
        if readout != "activated":  # not trained: such outputs have none (but see `pruned`)
            with torch.no_grad():
                self.bias[dag.n_computational :] = 0.0
                if self.gain is not None:
                    self.gain[dag.n_computational :] = 1.0
        self.register_buffer("flow_signs", flow_signs(dag), persistent=False)

    @property
    def compiled(self) -> bool:
        """Whether the compiled training knows its closeness; else torch operations train it."""
        return self.closeness is None or self.closeness.family.fused is not None

    def closeness_values(self) -> np.ndarray:
        """c of every allowed edge now, (E,), without gradient; free: 1."""
        with torch.no_grad():
            c: np.ndarray = (
                self.strengths().c.cpu().numpy() if self.closeness is not None else np.ones(self.dag.n_edges)
            )
        return c

    def strengths(self) -> Strengths:
        """Closeness of every allowed edge.

        Raises:
            ValueError: the parametrisation is "free", which has none.
        """
        if self.closeness is None:
            raise ValueError("a free network has no closeness; use parametrisation 'masked' or 'manifold'")
        strengths: Strengths = self.closeness()
        return strengths

    def edge_weights(self) -> Tensor:
        """W of every allowed edge, (E,), 0 where dead; differentiable."""
        return self._weights(None if self.closeness is None else self.strengths())

    def live_mask(self) -> np.ndarray:
        """Which allowed edges are live, bool (E,)."""
        live: np.ndarray = self.closeness_values() != 0
        return live

    def terms(self) -> LossTerms:
        """Flow and smooth edges. Free networks: flow of |v|, and every edge counts as 1, without gradient."""
        return self._terms(None if self.closeness is None else self.strengths())

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, n_outputs) of inputs (batch, n_inputs)."""
        return self._apply_to(x, None if self.closeness is None else self.strengths())

    def forward_with_terms(self, x: Tensor) -> tuple[Tensor, LossTerms, Tensor]:
        """`forward`, `terms` and the live mask (E,) in one evaluation of the closeness: what a training step needs."""
        strengths = None if self.closeness is None else self.strengths()
        if strengths is None:
            live = torch.ones(self.dag.n_edges, dtype=torch.bool, device=self.bias.device)
        else:
            live = strengths.c.detach() != 0
        return self._apply_to(x, strengths), self._terms(strengths), live

    def _weights(self, strengths: Strengths | None) -> Tensor:
        if strengths is None:
            assert self.weight is not None
            return self.weight
        closeness = strengths.c.to(self.bias.dtype)
        return closeness if self.weight is None else closeness * self.weight

    def _terms(self, strengths: Strengths | None) -> LossTerms:
        if strengths is None:
            assert self.weight is not None
            magnitude, smooth = self.weight.abs(), torch.ones_like(self.weight)
        else:
            magnitude, smooth = strengths.c.abs(), smooth_edges(strengths.d, strengths.kappa, self.temperature)
        return LossTerms(magnitude, smooth, self.flow_signs, self.dag)

    def _apply_to(self, x: Tensor, strengths: Strengths | None) -> Tensor:
        live = None
        # An operation that is followed must not depend on which edges are live just now: dead ones have weight 0.
        if strengths is not None and not engine.operations_wanted():
            alive = strengths.c.detach() != 0
            live = alive if engine.being_compiled() or alive.is_meta or not alive.all() else None
        weight = self._weights(strengths)
        if self._unrolled is not None:
            return self._apply_unrolled(x, weight, live)
        return engine.apply(self.plan, x, weight, self.bias, self.gain, activation=self.activation, live=live)

    def _apply_unrolled(self, x: Tensor, weight: Tensor, live: Tensor | None) -> Tensor:
        assert self._unrolled is not None
        device = weight.device
        dag, places = self._unrolled.dag, torch.from_numpy(self._unrolled.edges).to(device)
        own = torch.from_numpy(self._unrolled.neurons).to(device)
        gain: Tensor | None = self.gain
        bias: Tensor = self.bias
        last = torch.arange(len(bias), device=device) >= self.dag.n_computational
        bias = torch.where(last, bias.detach(), bias)
        if gain is not None:
            gain = torch.where(last, gain.detach(), gain)
            targets = torch.from_numpy(self.dag.targets.astype(np.int64) - self.dag.n_inputs).to(device)
            weight = weight * gain[targets]
        everything = torch.ones(dag.n_edges, dtype=weight.dtype, device=device).index_put((places,), weight)
        bias = torch.where(own >= 0, bias[own.clamp(min=0)], 0.0)
        if live is not None:
            live = torch.ones(dag.n_edges, dtype=torch.bool, device=device).index_put((places,), live)
        assert self._unrolled_plan is not None
        return engine.apply(self._unrolled_plan, x, everything, bias, None, activation=self.activation, live=live)

    def parameter_groups(self, learning_rate: float, weight_decay: float = 0.0) -> list[dict[str, Any]]:
        """Parameters with the learning rate each needs, for a torch optimiser; only free weights and gains decay.

        The closeness of a masked network moves `CLOSENESS_RATE` times as fast as its free weights, and lengths (sigma
        and mu), which are in neurons and not of order 1, in proportion to the number of neurons. The published set-up
        ("manifold") has one rate.
        """
        groups: list[dict[str, Any]] = [
            {"params": [p for p in (self.weight, self.gain) if p is not None], "weight_decay": weight_decay},
            {"params": [self.bias]},
        ]
        if self.closeness is None:
            return [{"lr": learning_rate} | group for group in groups]
        masked = self.parametrisation == "masked"
        rate = learning_rate * (CLOSENESS_RATE if masked else 1.0)
        stretch = max(1.0, LENGTH_SHARE * self.dag.n) if masked else 1.0
        own, family = dict(self.closeness.named_parameters()), self.closeness.family
        lengths = [own.pop(name) for name in family.parameters if name in family.lengths]
        others = [*own.values()]
        groups += [{"params": others, "lr": rate}, {"params": lengths, "lr": rate * stretch}]
        return [{"lr": learning_rate} | group for group in groups]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Every parameter (and the closeness' buffers and period) by name, float32 copies; see `load_arrays`."""
        arrays = {name.removeprefix("closeness."): value.numpy().copy() for name, value in self.state_dict().items()}
        if self.closeness is not None:
            arrays["period"] = np.array(self.closeness.period, dtype=np.float32)
        return arrays

    def load_arrays(self, arrays: Arrays) -> None:
        """Take over what `to_arrays` returned, or what `inherit` made of it.

        Raises:
            ValueError: an array is missing, unknown, not finite or of the wrong shape; nothing is changed then.
        """
        own = self.to_arrays()
        if missing := sorted(own.keys() - arrays.keys()):
            raise ValueError(f"a {self.parametrisation} network needs the arrays {', '.join(missing)} too")
        if unknown := sorted(arrays.keys() - own.keys()):
            raise ValueError(f"a {self.parametrisation} network has no arrays {', '.join(unknown)}")
        for name, value in arrays.items():
            if value.shape != own[name].shape:
                raise ValueError(f"array {name} must have shape {own[name].shape} on {self.dag}, but has {value.shape}")
            if not np.isfinite(value).all():
                raise ValueError(f"array {name} must be finite, but holds NaN or infinity")
        if self.closeness is not None:
            if not arrays["period"] > 0:
                raise ValueError(f"array period must be positive, but is {arrays['period']}")
            self.closeness.period = float(arrays["period"])
        with torch.no_grad():
            for name, tensor in self.state_dict().items():
                tensor.copy_(torch.from_numpy(np.array(arrays[name.removeprefix("closeness.")])))

    @classmethod
    def from_arrays(
        cls,
        dag: DAG,
        arrays: Arrays,
        *,
        activation: str = "leaky_relu",
        readout: Readout = "activated",
        family: str = DEFAULT_FAMILY,
    ) -> ManifoldNetwork:
        """The network on ``dag`` whose `to_arrays` are ``arrays``; their names tell the parametrisation.

        Raises:
            ValueError: see `load_arrays`.
        """
        network = cls(
            dag,
            parametrisation=parametrisation_of(arrays),
            activation=activation,
            readout=readout,
            family=family,
            generator=np.random.default_rng(0),  # every value drawn is overwritten
        )
        network.load_arrays(arrays)
        return network

    def like(self, dag: DAG, arrays: Arrays) -> ManifoldNetwork:
        """A network of the same kind on ``dag`` with these `to_arrays`.

        Raises:
            ValueError: see `load_arrays`.
        """
        return ManifoldNetwork.from_arrays(
            dag, arrays, activation=self.activation, readout=self.readout, family=self.family
        )

    def become(self, other: ManifoldNetwork) -> None:
        """Take over the DAG and the parameters of ``other``, not copied; how training in place changes edges."""
        for name in (
            "dag",
            "parametrisation",
            "activation",
            "readout",
            "family",
            "temperature",
            "_unrolled",
            "_unrolled_plan",
            "plan",
            "closeness",
            "weight",
            "gain",
            "bias",
            "flow_signs",
        ):
            setattr(self, name, getattr(other, name))

    def pruned(self) -> ManifoldNetwork:
        """The same function on the live edges that lie on a path from an input to an output; all neurons stay.

        What neurons without a path from any input emit is constant, and goes into the biases of their readers.

        Raises:
            UnreachableOutputError: an output has lost its last path.
        """
        return pruned(self)

    def fold(self) -> engine.DAGModule:
        """The same function as a plain module: `pruned`, gains inside the weights, unused neurons dropped (ids stay).

        Raises:
            UnreachableOutputError: an output has lost its last path.
        """
        return fold(self)


def parametrisation_of(arrays: Arrays) -> Parametrisation:
    """The parametrisation whose `ManifoldNetwork.to_arrays` has these names."""
    if "cutoff" not in arrays:
        return "free"
    return "masked" if "weight" in arrays else "manifold"


def _parameter(values: np.ndarray) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.asarray(values, dtype=np.float32)))


def initial_weight(dag: DAG, c: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Normal free weights (E,) that give every neuron's sum its target variance, whatever its edges' strengths ``c``.

    With computational sources only and c = 1 this is He's sqrt(2 / in-degree).
    """
    power = np.where(dag.sources < dag.n_inputs, INPUT_POWER, COMPUTATIONAL_POWER) * np.square(c, dtype=np.float64)
    incoming = np.bincount(dag.targets, weights=power, minlength=dag.n)
    variance = np.where(np.arange(dag.n) < dag.first_output, COMPUTATIONAL_VARIANCE, OUTPUT_VARIANCE)
    deviation = np.sqrt(variance / np.maximum(incoming, 1e-3))
    weight: np.ndarray = generator.normal(size=dag.n_edges) * deviation[dag.targets]
    return weight
