"""Families of closeness: each says how strong an edge is by where its neurons lie, in one entry of `FAMILIES`.

To add one, add an entry, or name it ``module:NAME`` in a job (`training.closeness`): a torch function, and what its
parameters start from. Whatever a family lacks a kernel for is done by torch operations, training included
(`nas.training.plain`). The published one, with kernels, is described in `nas.manifold._closeness`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from torch import Tensor

from nas._named import import_named
from nas.manifold._fused import fused_d
from nas.manifold._reference import gauss_wave

__all__ = ["DEFAULT_FAMILY", "FAMILIES", "Family", "Init", "Start", "family_named"]

Init = Literal["published", "open"]

DEFAULT_FAMILY: Final = "gauss_wave"
_TAKEN: Final = frozenset({"weight", "gain", "bias", "cutoff", "position", "offset", "period"})  # arrays of networks


@dataclass(frozen=True, slots=True)
class Start:
    """What initial values are drawn for: m non-input neurons.

    Attributes:
        init: "published", or "open": every edge starts close to 1, because its weight is learned as well.
        span: gives middle and half-width of the displacements of each neuron's in-edges, each (m,).
    """

    init: Init
    generator: np.random.Generator
    n: int
    m: int
    n_inputs: int
    period: float
    span: Callable[[], tuple[np.ndarray, np.ndarray]]

    def normal(self, mean: float, deviation: float) -> np.ndarray:
        """Independent normal values, (m,)."""
        return self.generator.normal(mean, deviation, self.m)


@dataclass(frozen=True, slots=True)
class Family:
    """One family.

    Attributes:
        parameters: names of the numbers that each non-input neuron has.
        d: ``d(p, period, *parameters)``, differentiable torch operations: the closeness (E,) in [-1, 1] before the
            cutoff, of the displacements p (E,) and each edge's target's parameters, each (E,).
        initial: values (m,) of the parameters, in their order.
        lengths: parameters that are lengths in neurons, and so learn in proportion to how many there are.
        fused: the same compiled, as the training kernels have it: ``fused(p, in_ptr, period, *parameters)`` with the
            edges grouped by target and parameters (m,); None: there are no kernels.

    Raises:
        ValueError: a parameter is called as another array of a network, or named twice.
    """

    parameters: tuple[str, ...]
    d: Callable[..., Tensor]
    initial: Callable[[Start], list[np.ndarray]]
    lengths: frozenset[str] = frozenset()
    fused: Callable[..., Tensor] | None = None

    def __post_init__(self) -> None:
        wrong = sorted(_TAKEN & {*self.parameters}) or [n for n in self.parameters if self.parameters.count(n) > 1]
        if wrong or not {*self.lengths} <= {*self.parameters}:
            raise ValueError(f"parameters of a closeness need names of their own, but there are {self.parameters}")


# The open start: d = 0.9 x (gauss >= 0.6) x (wave >= 0.9 almost everywhere), against a cutoff of 0.05.
OPEN_ALPHA, OPEN_BETA, OPEN_GAMMA = 3.0, -0.95, -4.0


def _initial(start: Start) -> list[np.ndarray]:
    normal, m = start.normal, start.m
    if start.init == "published":
        return [
            normal(5.0, 1.0),
            normal(0.0, 0.01),
            normal(0.0, 1.0),
            normal(0.0, 1.0),
            normal(math.pi / 2, 0.01 * math.pi),
            normal(start.n_inputs**0.66, start.n**0.33),
            normal(0.0, start.period / 2),
        ]
    middle, reach = start.span()
    return [
        normal(OPEN_ALPHA, 0.1),
        normal(OPEN_BETA, 0.01),
        normal(OPEN_GAMMA, 0.1),
        normal(0.0, 1.0),
        normal(math.pi / 2, 0.01 * math.pi),
        reach * start.generator.uniform(1.0, 2.0, m),
        middle + 0.1 * reach * start.generator.normal(0.0, 1.0, m),
    ]


FAMILIES: Final[dict[str, Family]] = {
    DEFAULT_FAMILY: Family(
        ("alpha", "beta", "gamma", "theta", "phi", "sigma", "mu"), gauss_wave, _initial,
        lengths=frozenset({"sigma", "mu"}), fused=fused_d,
    ),
}  # fmt: skip


def family_named(name: str) -> Family:
    """The family of a name, ``module:NAME`` imported and known by it from then on.

    Raises:
        ValueError: there is none.
    """
    if name not in FAMILIES and ":" in name:
        module, _, attribute = name.partition(":")
        try:
            found = getattr(import_named(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"closeness {name!r} cannot be imported: {error}") from error
        if not isinstance(found, Family):
            raise ValueError(f"closeness {name!r} must be a nas.manifold.Family, but is {type(found).__name__}")
        FAMILIES[name] = found
    if name not in FAMILIES:
        raise ValueError(f"closeness must be one of {', '.join(FAMILIES)}, or module:NAME, but got {name!r}")
    return FAMILIES[name]
