"""Structural loss terms: one entry each, of which torch, fused kernels, CUDA, job fields, curves and pictures are made.

    L = k_objective objective + sum over terms of k_term (constant + sum over its measures of coefficient value)

A term is made of *measures*. A measure is a formula of one edge; its total over the network, the sum over edges or the
number of neurons that have such edges; and a formula of that total. Gradients come from the formulas. What needs more
than one look at the graph (a recursion over paths, say) is no measure: its gradient is no formula of an edge.

To add a term, add an entry to `TERMS`; `tests/training/test_loss_terms.py` then compares it on every back end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, Protocol

import torch

from nas.engine.formulas import KERNEL, NUMBER, Expression, kernel_function, slope_of, tensor_of, variable, x

if TYPE_CHECKING:
    from nas.manifold._losses import CostModel

__all__ = [
    "EDGES", "FLOW", "LARGEST_SHARE", "NEURONS", "TERMS", "LossTerm", "Measure", "Priced", "direction", "measures_of",
    "share", "strength",
]  # fmt: skip

strength, direction, share = map(variable, ("strength", "direction", "share"))
"""Of an edge: |c| after the cutoff (|v| without closeness), 0 where it is dead; +1 where it leads from an input to a
computational neuron, -1 from a computational neuron to an output, else 0; and how much it counts as live, [0, 1], see
`nas.manifold.smooth_edges` (1 without closeness)."""

# Of a share, in products of (1 - share), by which gradients divide.
LARGEST_SHARE: Final = 1.0 - 1e-6


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a network's structure.

    Attributes:
        edge: of an edge, an expression of `strength` (dead edges count as 0) or of `share` (shares below 1e-8 are left
            out, so it must be 0 at 0 and not steep there), and of `direction`.
        over: "edges": its sum over all of them. "neurons": the sum over neurons of 1 - the product over their in-edges
            of (1 - it), for what lies in [0, 1] and is made of shares.
        value: of that total, an expression of `x`.

    Raises:
        ValueError: the formula is of other numbers, or is not 0 where there is no edge.
    """

    edge: Expression
    over: Literal["edges", "neurons"] = "edges"
    value: Expression = x

    def __post_init__(self) -> None:
        if self.of_share == self.edge.uses(strength):
            raise ValueError(f"a measure must be of strength or of share, but is of {self.edge}")
        if self.over == "neurons" and not self.of_share:
            raise ValueError(f"what counts neurons must be of share, but is of {self.edge}")
        if self.of_share and self._at_zero(self.edge) != 0:
            raise ValueError(f"a formula of share must be 0 at share 0, but {self.edge} is {self._at_zero(self.edge)}")

    def __str__(self) -> str:
        return f"{KERNEL.text(self.value)} of {self.over} {KERNEL.text(self.edge)}"

    @property
    def of_share(self) -> bool:
        """Whether it is made of shares; else of strengths."""
        return self.edge.uses(share)

    @property
    def regular(self) -> bool:
        """Whether formula and slope are finite, and the formula 0, at strength 0, so that dead edges need no care."""
        return self._at_zero(self.edge) == 0 and math.isfinite(self._at_zero(self.slope))

    @property
    def slope(self) -> Expression:
        """Of `edge`, by strength or by share."""
        return slope_of(self.edge, share if self.of_share else strength)

    @staticmethod
    def _at_zero(formula: Expression) -> float:
        zero = torch.zeros((), dtype=torch.float64)
        return float(tensor_of(formula, strength=zero, share=zero, direction=zero + 1))

    def of_total(self, total: float) -> float:
        """`value` of a number."""
        return float(_number_function(self.value)(total))


@lru_cache(maxsize=64)
def _number_function(formula: Expression) -> Callable[[float], float]:
    return kernel_function(["def value(x):", f"    return {NUMBER.text(formula)}"], "measure")


FLOW: Final = Measure(strength * direction, value=x * x)
EDGES: Final = Measure(share)
NEURONS: Final = Measure(share, over="neurons")


class Priced(Protocol):
    """What coefficients may depend on: allowed edges, and what the network costs on this machine."""

    @property
    def n_edges(self) -> int: ...

    @property
    def time(self) -> CostModel:
        """Seconds of a training step."""
        ...

    @property
    def memory(self) -> CostModel:
        """Bytes of the trainer."""
        ...


@dataclass(frozen=True, slots=True)
class LossTerm:
    """One term of the loss; its name is that of its field in `training.losses`, and of its curve.

    Attributes:
        factor: k where nobody says; more than 0: the term is always recorded, otherwise where it is used.
        description: of the field, for people.
        measures: what it is made of.
        coefficients: of the measures, one each, and a constant where there is one more.
        instead: advice for networks that are not of neurons, where no term acts.
        instead_of_neurons: advice for neurons without closeness, where terms of shares do not act, if it is another.
        colour: of its curve.
        logarithmic: whether its curve is drawn so.
    """

    factor: float
    description: str
    measures: tuple[Measure, ...]
    coefficients: Callable[[Priced], tuple[float, ...]] = lambda _: (1.0,)
    instead: str = "make edges an objective"
    instead_of_neurons: str = ""
    colour: str = "#3b4252"
    logarithmic: bool = False

    @property
    def of_shares(self) -> bool:
        """Whether it acts only where edges have closeness."""
        return all(measure.of_share for measure in self.measures)


def _priced(cost: CostModel, unit: float) -> tuple[float, ...]:
    return unit * cost.per_edge, unit * cost.per_neuron, unit * cost.per_step


TERMS: Final[dict[str, LossTerm]] = {
    # Flow is squared total strength, so it grows with the square of the edges: 1e6 at 2,000 open edges, 1e8 at 20,000.
    # At 1e-10 its pull on an edge of a 20,000-edge network is that of sparsity at 0.1 (masked MNIST 784/200/10,
    # 5,000 steps: 37,308 allowed edges end as 16,424 with 97.4 % test accuracy, without flow as 28,534 with 97.7 %).
    "flow": LossTerm(
        1e-10, "Factor of the flow loss (see nas.manifold.flow).", (FLOW,),
        instead="it is a term of networks of neurons", colour="#0f9d76", logarithmic=True,
    ),
    "sparsity": LossTerm(
        0.1, "Factor of the smooth share of allowed edges that are live, 0…1.", (EDGES,),
        lambda network: (1 / max(network.n_edges, 1),), instead_of_neurons="cut edges with training.sparsify",
        colour="#e0661c",
    ),
    "time": LossTerm(
        0.0, "Factor of the predicted seconds of a training step, in milliseconds.", (EDGES, NEURONS),
        lambda network: _priced(network.time, 1e3), "make inference_time or training_time an objective",
    ),
    "memory": LossTerm(
        0.0, "Factor of the predicted memory of a training step, in MiB.", (EDGES, NEURONS),
        lambda network: _priced(network.memory, 2.0**-20),
    ),
}  # fmt: skip


def measures_of(terms: Mapping[str, LossTerm] | Iterable[LossTerm] | None = None) -> tuple[Measure, ...]:
    """All measures that terms (default: `TERMS`) are made of, each once, in their order."""
    found = TERMS if terms is None else terms
    entries = found.values() if isinstance(found, Mapping) else found
    return tuple(dict.fromkeys(measure for term in entries for measure in term.measures))
