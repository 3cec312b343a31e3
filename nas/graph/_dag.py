"""The DAG value object: neurons with roles in a topological numbering, and the edges between them.

Everything else in the package (engine, manifold, search, checkpoints) speaks of neurons and edges by the numbers of a
DAG, so it is immutable, checked once, and keeps its edges in the one order that makes every algorithm a single pass.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.errors import GraphError, UnreachableOutputError
from nas.graph import _cells, _check, _convert, _json, _kernels
from nas.graph._order import listed

if TYPE_CHECKING:
    import networkx


class Role(enum.IntEnum):
    """What a neuron is for."""

    INPUT = 0
    COMPUTATIONAL = 1
    OUTPUT = 2


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False, weakref_slot=True)
class DAG:
    """An immutable directed acyclic graph of neurons.

    Neurons are numbered 0..n-1: inputs first, then computational neurons, outputs last, and every edge goes from a
    smaller to a larger number. Inputs have no in-edges, outputs no out-edges. Two DAGs are equal when their counts,
    edges, ids and activations are; names are labels for people and do not count. All arrays are read-only.

    Attributes:
        n_inputs, n_computational, n_outputs: neurons of each role; at least 1, 0, 1.
        edges: (E, 2) int32, columns source and target, sorted by (target, source).
        ids: (n,) int64, distinct, in 0…2^62: identities that survive mutation and renumbering, so that a child finds
            its parent's weights. 0..n-1 unless given.
        names: one label a neuron, or None.
        allow_unreachable: whether outputs without a path from any input are tolerated.
        activations: what each neuron applies, one word a neuron, or None. "" leaves the choice to the network that
            is built on the graph; inputs and outputs have none of their own, so theirs is "". The graph does not know
            which words there are: the engine does (`nas.engine.ACTIVATIONS`; `nas.recurrent` also knows "lstm").
        sources, targets: (E,) int32, the columns of ``edges``, contiguous.
        in_ptr: (n + 1,) int64; the in-edges of neuron i are ``edges[in_ptr[i]:in_ptr[i + 1]]`` (CSR).
    """

    n_inputs: int
    n_computational: int
    n_outputs: int
    edges: NDArray[np.int32]
    ids: NDArray[np.int64]
    names: tuple[str, ...] | None
    allow_unreachable: bool
    activations: tuple[str, ...] | None
    sources: NDArray[np.int32] = field(init=False)
    targets: NDArray[np.int32] = field(init=False)
    in_ptr: NDArray[np.int64] = field(init=False)
    _memo: dict[str, Any] = field(init=False)

    def __init__(
        self,
        n_inputs: int,
        n_computational: int,
        n_outputs: int,
        edges: ArrayLike,
        ids: ArrayLike | None = None,
        names: Sequence[str] | None = None,
        allow_unreachable: bool = False,
        activations: Sequence[str] | None = None,
    ) -> None:
        """Check and sort the edges.

        Args:
            n_inputs: at least 1.
            n_computational: at least 0.
            n_outputs: at least 1.
            edges: (E, 2) of any integer type and in any order, rows (source, target) with source < target.
            ids: (n,) distinct integers in 0…2^62; 0..n-1 by default.
            names: n strings.
            allow_unreachable: accept outputs that no input reaches.
            activations: n strings, "" for inputs, outputs and neurons without an activation of their own.

        Raises:
            CycleError: a self loop or a cycle; the message names it.
            UnreachableOutputError: some output has no path from any input; the message names them.
            GraphError: any other broken rule: wrong shape or type, unknown neuron, duplicate edge or id, edge into an
                input, out of an output, or against the numbering.
        """
        sizes = (
            _check.checked_count("n_inputs", n_inputs, 1),
            _check.checked_count("n_computational", n_computational, 0),
            _check.checked_count("n_outputs", n_outputs, 1),
        )
        n = _check.checked_count("the number of neurons", sum(sizes), 2)
        put = object.__setattr__
        for name, value in zip(("n_inputs", "n_computational", "n_outputs"), sizes, strict=True):
            put(self, name, value)
        put(self, "names", _check.checked_names(names, n))
        put(self, "ids", _check.checked_ids(ids, n))
        put(self, "allow_unreachable", bool(allow_unreachable))
        put(self, "activations", _check.checked_activations(activations, sizes))
        put(self, "_memo", {})
        checked = _check.checked_edges(edges, sizes, self.label)
        put(self, "edges", checked)
        put(self, "sources", _frozen(np.ascontiguousarray(checked[:, 0])))
        put(self, "targets", _frozen(np.ascontiguousarray(checked[:, 1])))
        counts = np.bincount(self.targets, minlength=n)
        put(self, "in_ptr", _frozen(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)))
        if not self.allow_unreachable and (lost := self.unreachable_outputs()):
            raise UnreachableOutputError(
                f"every output must have a path from some input, but {listed([self.label(i) for i in lost])} "
                f"{'has' if len(lost) == 1 else 'have'} none; add edges or pass allow_unreachable=True"
            )

    # ---------------------------------------------------------------- size and shape

    @property
    def n(self) -> int:
        """Neurons of all roles."""
        return self.n_inputs + self.n_computational + self.n_outputs

    @property
    def sizes(self) -> tuple[int, int, int]:
        """``(n_inputs, n_computational, n_outputs)``."""
        return self.n_inputs, self.n_computational, self.n_outputs

    @property
    def first_output(self) -> int:
        """Number of the first output neuron."""
        return self.n_inputs + self.n_computational

    @property
    def n_edges(self) -> int:
        """E, the number of edges."""
        return int(self.edges.shape[0])

    @property
    def usable_cells(self) -> int:
        """Edges that a DAG of these sizes may have at most: ``(n^2 - n_in^2 - n_out^2 - n_comp) / 2``."""
        return _cells.usable_cells(*self.sizes)

    @property
    def density(self) -> float:
        """Edges / usable cells, in [0, 1]."""
        return self.n_edges / self.usable_cells

    @property
    def roles(self) -> NDArray[np.int8]:
        """`Role` of each neuron, (n,) int8."""
        if "roles" not in self._memo:
            roles = np.repeat(np.array([*Role], dtype=np.int8), self.sizes)
            self._memo["roles"] = _frozen(roles)
        return self._memo["roles"]  # type: ignore[no-any-return]

    def label(self, neuron: int) -> str:
        """How messages call a neuron: its number, and its name where it has one."""
        if self.names is not None and 0 <= neuron < len(self.names):
            return f"{neuron} ({self.names[neuron]!r})"
        return str(neuron)

    # ---------------------------------------------------------------- derived, computed once

    def csc(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Edge numbers grouped by source: ``(out_ptr (n + 1,), order (E,))``, both int64.

        The out-edges of neuron j are ``order[out_ptr[j]:out_ptr[j + 1]]``, by ascending target.
        """
        if "csc" not in self._memo:
            pointer, order = _kernels.group(self.sources, self.n)
            self._memo["csc"] = (_frozen(pointer), _frozen(order))
        return self._memo["csc"]  # type: ignore[no-any-return]

    def levels(self) -> NDArray[np.int32]:
        """Longest path in edges that ends in each neuron, (n,) int32; 0 for neurons without in-edges."""
        if "levels" not in self._memo:
            self._memo["levels"] = _frozen(_kernels.longest_paths(self.sources, self.targets, self.n))
        return self._memo["levels"]  # type: ignore[no-any-return]

    @property
    def depth(self) -> int:
        """Edges on the longest path."""
        return int(self.levels().max())

    def reached_neurons(self) -> NDArray[np.bool_]:
        """Which neurons are an input or have a path from one, (n,)."""
        if "reached" not in self._memo:
            seeds = self.roles == Role.INPUT
            self._memo["reached"] = _frozen(_kernels.reached(self.sources, self.targets, seeds))
        return self._memo["reached"]  # type: ignore[no-any-return]

    def useful_neurons(self) -> NDArray[np.bool_]:
        """Which neurons lie on some path from an input to an output, (n,)."""
        if "useful" not in self._memo:
            leading = _kernels.leading(self.sources, self.targets, self.roles == Role.OUTPUT)
            self._memo["useful"] = _frozen(leading & self.reached_neurons())
        return self._memo["useful"]  # type: ignore[no-any-return]

    def unreachable_outputs(self) -> tuple[int, ...]:
        """Outputs without a path from any input, ascending."""
        lost = np.flatnonzero(~self.reached_neurons()[self.first_output :])
        return tuple((lost + self.first_output).tolist())

    # ---------------------------------------------------------------- construct and convert

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[tuple[Hashable, Hashable]],
        inputs: Iterable[Hashable],
        outputs: Iterable[Hashable],
        *,
        neurons: Iterable[Hashable] | None = None,
        ids: Mapping[Hashable, int] | None = None,
        names: Mapping[Hashable, str] | None = None,
        activations: Mapping[Hashable, str] | None = None,
        allow_unreachable: bool = False,
    ) -> DAG:
        """A DAG from edges between labels of any hashable kind, in any order.

        Inputs and outputs keep their order; computational neurons are sorted topologically, as near as possible to
        the order of ``neurons``, or else of their first appearance in ``edges``. Labels become names (``str(label)``)
        unless they are the numbers 0..n-1 already in order.

        Args:
            edges: pairs (source, target) of labels.
            inputs: labels of the inputs.
            outputs: labels of the outputs.
            neurons: labels of the computational neurons (those of inputs and outputs may be among them); with it, an
                edge that names any other label is refused. Without it, every further label is computational.
            ids: id of each label.
            names: name of each label.
            activations: activation of each label that has one of its own.
            allow_unreachable: accept outputs that no input reaches.

        Raises:
            CycleError: the message names the cycle by its labels.
            GraphError: see the constructor; also a label with two roles, or two labels that are written alike.
        """
        parts = _convert.parts_of_edges(edges, inputs, outputs, neurons, ids, names, activations)
        return cls(**parts._asdict(), allow_unreachable=allow_unreachable)

    @overload
    @classmethod
    def from_networkx(
        cls,
        graph: networkx.DiGraph[Any],
        inputs: Iterable[Hashable] | None = None,
        outputs: Iterable[Hashable] | None = None,
        *,
        weights: Literal[False] = False,
        allow_unreachable: bool = False,
    ) -> DAG: ...
    @overload
    @classmethod
    def from_networkx(
        cls,
        graph: networkx.DiGraph[Any],
        inputs: Iterable[Hashable] | None = None,
        outputs: Iterable[Hashable] | None = None,
        *,
        weights: Literal[True] | str,
        allow_unreachable: bool = False,
    ) -> tuple[DAG, NDArray[np.float64]]: ...
    @classmethod
    def from_networkx(
        cls,
        graph: networkx.DiGraph[Any],
        inputs: Iterable[Hashable] | None = None,
        outputs: Iterable[Hashable] | None = None,
        *,
        weights: bool | str = False,
        allow_unreachable: bool = False,
    ) -> DAG | tuple[DAG, NDArray[np.float64]]:
        """A DAG from a networkx ``DiGraph`` with nodes of any kind.

        Roles come from the arguments, else from the node attribute ``nas_role`` ("input", "computational", "output"),
        else nodes without in-edges are inputs and nodes without out-edges outputs. The node attributes ``nas_id`` and
        ``nas_name`` are kept when every node has them, ``nas_activation`` where a node has it; the graph's attribute
        ``nas_allow_unreachable`` too. Others are not looked at.

        Args:
            graph: nodes that are written alike (1 and "1") are refused, as they would have one name.
            inputs, outputs: nodes, in order.
            weights: return ``(dag, weight)``, the edge attribute of this name (True: "weight") as (E,) float64 in the
                order of ``dag.edges``.
            allow_unreachable: accept outputs that no input reaches.

        Raises:
            GraphError: see `from_edges`; also an undirected graph, an unknown role or a weight that is no number.
        """
        parts = _convert.parts_of_networkx(graph, inputs, outputs)
        allow = allow_unreachable or graph.graph.get("nas_allow_unreachable") is True
        dag = cls(**parts._asdict(), allow_unreachable=allow)
        if weights is False:
            return dag
        values = _convert.weights_of_networkx(graph, "weight" if weights is True else weights)
        return dag, values[_convert.edge_order(parts)]

    def to_networkx(self, weight: ArrayLike | None = None) -> networkx.DiGraph[Any]:
        """A ``DiGraph`` of 0..n-1, as `from_networkx` reads it; edges have ``weight`` (E,) where given.

        Nodes have ``nas_role``, ``nas_id`` and, where given, ``nas_name`` and ``nas_activation``.
        """
        values = None if weight is None else _check.checked_weights(weight, self.n_edges)
        graph = _convert.to_networkx(self.sizes, self.edges, self.ids, self.names, self.activations, values)
        if self.allow_unreachable:
            graph.graph["nas_allow_unreachable"] = True
        return graph

    @overload
    @classmethod
    def from_adjacency(
        cls,
        matrix: Any,
        n_inputs: int,
        n_outputs: int,
        *,
        ids: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        weights: Literal[False] = False,
        allow_unreachable: bool = False,
    ) -> DAG: ...
    @overload
    @classmethod
    def from_adjacency(
        cls,
        matrix: Any,
        n_inputs: int,
        n_outputs: int,
        *,
        ids: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        weights: Literal[True],
        allow_unreachable: bool = False,
    ) -> tuple[DAG, NDArray[np.float64]]: ...
    @classmethod
    def from_adjacency(
        cls,
        matrix: Any,
        n_inputs: int,
        n_outputs: int,
        *,
        ids: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        weights: bool = False,
        allow_unreachable: bool = False,
    ) -> DAG | tuple[DAG, NDArray[np.float64]]:
        """A DAG from a square matrix, dense, scipy sparse or a table of pandas: ``M[i, j] != 0`` is edge j->i.

        (Where rows are sources, as in networkx, give the transpose.) The first ``n_inputs`` rows are inputs, the last
        ``n_outputs`` outputs. Rows between need not be in topological order; ids are the row numbers unless given
        (``ids`` and ``names`` in the order of the rows; names of a table are those of its rows).

        Args:
            matrix: (n, n).
            n_inputs, n_outputs: at least 1.
            ids, names: one a row.
            weights: return ``(dag, weight)``, the entries as (E,) float64 in the order of ``dag.edges``.
            allow_unreachable: accept outputs that no input reaches.

        Raises:
            GraphError: not square, not finite, not numeric, rows and columns of different names; see also the
                constructor.
        """
        n_inputs = _check.checked_count("n_inputs", n_inputs, 1)
        n_outputs = _check.checked_count("n_outputs", n_outputs, 1)
        parts, values = _convert.parts_of_matrix(matrix, n_inputs, n_outputs, ids, names)
        dag = cls(**parts._asdict(), allow_unreachable=allow_unreachable)
        return (dag, values[_convert.edge_order(parts)]) if weights else dag

    def to_adjacency(self, values: ArrayLike | None = None, *, sparse: bool = False) -> Any:
        """The strictly lower triangular matrix (n, n): ``M[i, j]`` is True, or the edge's value, for edge j->i.

        Args:
            values: (E,) a value for each edge, in the order of ``edges``.
            sparse: return a ``scipy.sparse.csr_array`` rather than a dense array.
        """
        entries = np.ones(self.n_edges, dtype=np.bool_) if values is None else np.asarray(values)
        if entries.shape != (self.n_edges,):
            raise GraphError(f"values must have shape ({self.n_edges},), one an edge, but have shape {entries.shape}")
        if sparse:
            import scipy.sparse

            return scipy.sparse.csr_array((entries, self.sources, self.in_ptr), shape=(self.n, self.n))
        matrix = np.zeros((self.n, self.n), dtype=entries.dtype)
        matrix[self.targets, self.sources] = entries
        return matrix

    def to_json(self) -> str:
        """One line of JSON with the format's name and version inside; `from_json` reads it back."""
        return _json.to_json(*self.sizes, self.edges, self.ids, self.names, self.allow_unreachable, self.activations)

    @classmethod
    def from_json(cls, text: str | bytes) -> DAG:
        """The DAG of a text written by `to_json`, with everything checked anew.

        Raises:
            GraphError: not JSON, another format, a newer version, a missing or unknown key, a value of the wrong type
                or out of range; see also the constructor.
        """
        return cls(*_json.from_json(text))

    def with_edges(self, edges: ArrayLike, *, allow_unreachable: bool | None = None) -> DAG:
        """The same neurons with other edges.

        Args:
            edges: a boolean mask (E,) of the edges to keep, or new edges (k, 2).
            allow_unreachable: as in the constructor; None keeps this DAG's setting.
        """
        given = np.asarray(edges)
        if given.dtype == np.bool_:
            if given.shape != (self.n_edges,):
                raise GraphError(f"a mask must have shape ({self.n_edges},), one an edge, but has shape {given.shape}")
            given = self.edges[given]
        allow = self.allow_unreachable if allow_unreachable is None else allow_unreachable
        return DAG(*self.sizes, given, self.ids, self.names, allow, self.activations)

    def with_names(self, names: Sequence[str] | None) -> DAG:
        """The same graph with other names, n strings or None."""
        return DAG(*self.sizes, self.edges, self.ids, names, self.allow_unreachable, self.activations)

    def with_activations(self, activations: Sequence[str] | Mapping[int, str] | None) -> DAG:
        """The same graph with other activations of its computational neurons.

        Args:
            activations: one word for each computational neuron, in their order; or words for some neurons, by number,
                the others keep theirs; or None: no neuron has one of its own.

        Raises:
            GraphError: a wrong count, or a number that is no computational neuron's.
        """
        words = [""] * self.n if self.activations is None else list(self.activations)
        if activations is None:
            words = [""] * self.n
        elif isinstance(activations, Mapping):
            for neuron, word in activations.items():
                if not self.n_inputs <= neuron < self.first_output:
                    raise GraphError(
                        f"only computational neurons ({self.n_inputs}…{self.first_output - 1}) have an activation of "
                        f"their own, but one is given for {neuron}; leave it out"
                    )
                words[neuron] = word
        elif isinstance(activations, str) or len(activations) != self.n_computational:
            raise GraphError(
                f"activations must hold one word for each of the {self.n_computational} computational neurons, but "
                f"got {_check.short(activations)}"
            )
        else:
            words[self.n_inputs : self.first_output] = activations
        return DAG(*self.sizes, self.edges, self.ids, self.names, self.allow_unreachable, words)

    # ---------------------------------------------------------------- value semantics

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DAG):
            return NotImplemented
        return (
            self.sizes == other.sizes
            and np.array_equal(self.edges, other.edges)
            and np.array_equal(self.ids, other.ids)
            and self.activations == other.activations
        )

    def __hash__(self) -> int:
        if "hash" not in self._memo:
            self._memo["hash"] = hash((self.sizes, self.edges.tobytes(), self.ids.tobytes(), self.activations))
        return self._memo["hash"]  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[type[DAG], tuple[Any, ...]]:
        # Through the constructor: arrays come out of a pickle writeable, and derived ones need not travel.
        given = (self.edges, self.ids, self.names, self.allow_unreachable, self.activations)
        return DAG, (*self.sizes, *given)

    def __copy__(self) -> DAG:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> DAG:
        return self

    def __repr__(self) -> str:
        return (
            f"DAG(inputs={self.n_inputs}, computational={self.n_computational}, outputs={self.n_outputs}, "
            f"edges={self.n_edges}, density={self.density:.2%})"
        )


def _frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array
