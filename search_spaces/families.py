"""Networks of neurons drawn from families of graphs (or read from files), to find out which family suits a task.

With ``strategy: random`` a job is a study: families at equal numbers of edges, each trial trained from nothing. The
line that tells a trial from the others (its ``mutation``) is the family and what it was drawn with. With ``evolution``
and ``optuna`` the families are the start, which is one network unless `initial` asks for more: one hidden layer where
``layered`` is among the families, else a large one of some family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

import numpy as np
from pydantic import Field, field_validator

from nas import graph
from nas.errors import GraphError
from nas.graph import DAG
from nas.search_spaces._dags import DagOptions, DagSpace
from nas.training import Genome

__all__ = ["FAMILIES", "Families", "FamiliesOptions", "Space", "draw_family"]

Sizes = tuple[int, int, int]
_FILES: Final = (".csv", ".graphml")


def _even_share(available: np.ndarray, edges: int) -> int:
    """The smallest limit under which neurons with so many candidates each have ``edges`` among them."""
    shares = range(1, int(available.max()) + 1)
    return next((share for share in shares if np.minimum(available, share).sum() >= edges), shares[-1])


def _fan_in(sizes: Sizes, edges: int) -> int:
    inputs, computational, outputs = sizes
    return _even_share(inputs + np.minimum(np.arange(computational + outputs), computational), edges)


def _fan_out(sizes: Sizes, edges: int) -> int:
    inputs, computational, outputs = sizes
    return _even_share(outputs + np.minimum(np.arange(inputs + computational), computational), edges)


def _random(sizes: Sizes, edges: int, rng: np.random.Generator) -> tuple[DAG, str]:
    probability = edges / graph.usable_cells(*sizes)
    return graph.erdos_renyi(*sizes, probability=probability, rng=rng), f"probability {probability:.3g}"


def _scale_free(sizes: Sizes, edges: int, rng: np.random.Generator) -> tuple[DAG, str]:
    fan_in = _fan_in(sizes, edges)
    return graph.barabasi_albert(*sizes, fan_in=fan_in, rng=rng), f"fan-in {fan_in}"


def _small_world(sizes: Sizes, edges: int, rng: np.random.Generator) -> tuple[DAG, str]:
    fan_in, rewiring = _fan_in(sizes, edges), float(rng.random())
    dag = graph.watts_strogatz(*sizes, fan_in=fan_in, rewiring=rewiring, rng=rng)
    return dag, f"fan-in {fan_in}, rewiring {rewiring:.2f}"


def _limited(sizes: Sizes, edges: int, rng: np.random.Generator) -> tuple[DAG, str]:
    """In- and out-degrees about equal, with the room that chance needs."""
    fan_in, fan_out = _fan_in(sizes, edges) + 1, 2 * _fan_out(sizes, edges)
    dag = graph.degree_limited(*sizes, n_edges=edges, max_fan_in=fan_in, max_fan_out=fan_out, rng=rng)
    return dag, f"fan-in up to {fan_in}, fan-out up to {fan_out}"


def _layered(sizes: Sizes, edges: int, rng: np.random.Generator) -> tuple[DAG, str]:
    """One to four hidden layers of equal size; up to a third of the edges skip layers."""
    hidden = int(rng.integers(1, min(4, sizes[1]) + 1)) if sizes[1] else 0
    widths = [sizes[1] // hidden + (place < sizes[1] % hidden) for place in range(hidden)]
    layers = [sizes[0], *widths, sizes[2]]
    near = sum(a * b for a, b in pairwise(layers))
    far = graph.usable_cells(*sizes) - near - sum(width * (width - 1) // 2 for width in widths)
    skipping = min(float(rng.random()) / 3, far / edges) if far else 0.0
    density, shortcuts = min(1.0, (1 - skipping) * edges / near), skipping * edges / far if far else 0.0
    dag = graph.layered(layers, density=density, shortcuts=min(1.0, shortcuts), rng=rng)
    return dag, f"layers {'/'.join(map(str, layers))}, {skipping:.0%} shortcuts"


def _banded(sizes: Sizes, edges: int, rng: np.random.Generator) -> tuple[DAG, str]:
    return graph.banded(*sizes, n_edges=edges, rng=rng), "nearest sources"


FAMILIES: Final[dict[str, Callable[[Sizes, int, np.random.Generator], tuple[DAG, str]]]] = {
    "erdos_renyi": _random,
    "barabasi_albert": _scale_free,
    "watts_strogatz": _small_world,
    "degree_limited": _limited,
    "layered": _layered,
    "banded": _banded,
}


def draw_family(family: str, sizes: Sizes, edges: int, rng: np.random.Generator) -> tuple[DAG, str]:
    """A DAG of a family with so many edges or a few less, and what it was drawn with; or that of a file.

    Args:
        family: a key of `FAMILIES`, or a file of edges (.csv, .graphml), whose graph is taken as it is.
        sizes: inputs, computational neurons, outputs.
        edges: at least one a computational or output neuron is drawn.
        rng: source of all randomness.

    Raises:
        GraphError: the family has no graph of these sizes, or the file is no graph of this task.
    """
    if family.endswith(_FILES):
        dag = graph.read_edge_list(family) if family.endswith(".csv") else graph.read_graphml(family)
        if (dag.n_inputs, dag.n_outputs) != (sizes[0], sizes[2]):
            raise GraphError(
                f"{family} has {dag.n_inputs} inputs and {dag.n_outputs} outputs, but the data has {sizes[0]} features "
                f"and needs {sizes[2]} outputs"
            )
        return dag, "from file"
    least, most = sizes[1] + sizes[2], graph.usable_cells(*sizes)
    wanted = min(max(edges, least), most)
    dag, detail = FAMILIES[family](sizes, wanted, rng)
    if dag.n_edges > wanted:  # a fan-in is a whole number, but fair families have equal counts
        dag = graph.mutate(dag, rng, operators={"remove_edges": 1.0}, count=dag.n_edges - wanted).dag
    return dag, detail


class FamiliesOptions(DagOptions):
    """Sizes as for other DAGs; the density decides the number of edges, which is about the same in every family."""

    families: tuple[str, ...] = Field(
        tuple(FAMILIES),
        min_length=1,
        description=f"Drawn from with equal chances: {', '.join(FAMILIES)}, or files of edges ({', '.join(_FILES)}).",
    )

    @field_validator("families")
    @classmethod
    def _known(cls, families: tuple[str, ...]) -> tuple[str, ...]:
        for family in families:
            if family not in FAMILIES and not family.endswith(_FILES):
                raise ValueError(f"{family!r} is none of {', '.join(FAMILIES)}, nor a file ({', '.join(_FILES)})")
        return families


class Families(DagSpace):
    """DAGs with free weights, each from a family drawn at random."""

    Options = FamiliesOptions
    options: FamiliesOptions
    fixed = {"parametrisation": "free"}

    def unused_options(self, *, mutates: bool) -> Mapping[str, str]:
        """Sizes, where all graphs are read from files."""
        if not all(family.endswith(_FILES) for family in self.options.families):
            return {}
        return dict.fromkeys(("n_computational", "density"), "all families are files, whose sizes they have; delete it")

    def large(self, rng: np.random.Generator, *, edges: int | None = None, like: Genome | None = None) -> Genome | None:
        """As for any DAG; None where no family is ``layered``."""
        return super().large(rng, edges=edges, like=like) if "layered" in self.options.families else None

    def initial(self, rng: np.random.Generator, *, size: float | None = None, density: float | None = None) -> Genome:
        """A DAG of some family, at the given positions of the options' ranges."""
        family = self.options.families[int(rng.integers(len(self.options.families)))]
        neurons, share = self._sizes(rng, size, density)
        sizes = (self.shape.n_inputs, neurons, self.shape.n_outputs)
        edges = round(share * graph.usable_cells(*sizes))
        if self.options.max_edges is not None:
            edges = min(edges, self.options.max_edges)
        dag, detail = draw_family(family, sizes, edges, rng)
        if self.options.max_edges is not None and dag.n_edges > self.options.max_edges:
            raise GraphError(
                f"{family} has {dag.n_edges} edges, space.options.max_edges is {self.options.max_edges}; allow "
                "more, or give a smaller graph"
            )
        return Genome(self._activated(dag, rng), dict(self.fixed), origin=f"{family}: {detail}")


Space = Families
