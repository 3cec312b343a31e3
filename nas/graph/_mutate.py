"""Random mutation: any number of elementary changes in one pass over the graph.

Acyclicity costs nothing here: edges are drawn among the pairs that point forward in a *random* topological order of the
graph. Any set of such edges keeps it acyclic, and every edge that could be added alone points forward in some order, so
each has a chance, also those that make a renumbering necessary. Reachability costs one pass: a random set of edges that
alone keeps every reached output reachable is put aside, and only what is left may go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nas.errors import GraphError
from nas.graph import _edit
from nas.graph._cells import cells_of_edges, contains, edges_of_cells, sample_missing
from nas.graph._dag import DAG
from nas.graph._kernels import BoolArray, FloatArray, Int64Array, supporting_edges, topological_order
from nas.graph._match import match_edges

SELECTIVITY = 8.0  # the weakest edge is e^8 = 3,000 times as likely to go as the strongest; the weakest tenth: 55 %
LEAST_READ, LEAST_FED = 3, 2  # edges into and out of an inserted neuron, where there are so many neurons
ATTEMPTS = 16  # draws for a new end of a rewired edge before the edge is placed anywhere


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mutated graph and what was done to it."""

    dag: DAG
    description: str  # for people: "add 12 edges, remove 1 neuron"
    changes: Mapping[str, int]  # elementary changes made by each operator, only those that made some


class _Context(NamedTuple):
    """What operators need besides the graph and the number of changes."""

    rng: np.random.Generator
    score: FloatArray | None  # (E,) of the graph at hand
    next_id: int


def mutate(
    dag: DAG,
    rng: np.random.Generator,
    *,
    operators: Mapping[str, float] | None = None,
    count: int = 1,
    edge_score: ArrayLike | None = None,
    next_id: int | None = None,
) -> Mutation:
    """``count`` random elementary changes.

    Every output that an input reaches stays reachable. Where an operator can do no more (all edges exist, or all that
    are left are needed to reach the outputs) its share goes to the others; fewer changes than asked for are made only
    when no operator can do more.

    Operators:
        remove_edges: an edge goes (a weak one rather, see ``edge_score``).
        remove_neurons: a computational neuron goes, with its edges (a weak one rather).
        rewire_edges: an edge (a weak one rather) gets another source or another target.
        add_neurons: a neuron in the middle of a random edge, which stays, so that the function can be preserved.
        insert_neurons: a neuron anywhere in a random topological order, which reads neurons before it and is read by
            neurons after it, about as many as others here; it needs no edge or neuron to start from.
        duplicate_neurons: a second neuron with the same in- and out-edges as a random one.
        add_edges: an edge, uniform among those that point forward in a random topological order.

    Args:
        dag: the graph, which stays as it is.
        rng: source of chance.
        operators: relative frequency of each operator, >= 0; None: all alike.
        count: at least 1.
        edge_score: (E,) importance of each edge, such as \\|weight\\|; only its order matters. None: all alike.
        next_id: first id of new neurons; None: largest id + 1 (see `nas.graph.first_id_of_trial`).

    Returns:
        The mutation; ``changes`` sums to ``count`` unless no operator could do more.

    Raises:
        GraphError: an unknown operator, a wrong count or score, or a graph that no chosen operator can change.
    """
    frequency = _checked_frequencies(operators)
    score = _checked_score(dag, edge_score)
    if count < 1:
        raise GraphError(f"count must be at least 1, but is {count}")
    # Also refuses a wrong next_id if no neuron comes. From the parent's ids, once: a neuron that comes must not get the
    # id of one that has gone in the same mutation, or it would inherit its weights.
    next_id = int(_edit.fresh_ids(dag, 1, next_id)[0])
    result = dag
    done = dict.fromkeys(OPERATORS, 0)
    left = int(count)
    while left and sum(frequency.values()) > 0:
        shares = np.array(list(frequency.values()))
        for name, asked in zip(frequency, rng.multinomial(left, shares / shares.sum()).tolist(), strict=True):
            if not asked:
                continue
            before = result
            result, made = _FUNCTIONS[name](before, asked, _Context(rng, score, next_id))
            if score is not None and result is not before:
                found = match_edges(before, result)
                score = np.where(found >= 0, score[found], np.inf)  # what has just come stays
            next_id = max(next_id, int(result.ids.max()) + 1)
            done[name] += made
            left -= made
            if made < asked:
                frequency[name] = 0.0
    changes = {name: made for name, made in done.items() if made}
    if not changes:
        chosen = ", ".join(name for name, share in _checked_frequencies(operators).items() if share > 0)
        raise GraphError(f"none of the operators {chosen} can change {dag!r}; allow others")
    return Mutation(result, _described(changes), MappingProxyType(changes))


def _remove_edges(dag: DAG, count: int, context: _Context) -> tuple[DAG, int]:
    victims = _dispensable_edges(dag, count, context)
    keep = np.ones(dag.n_edges, dtype=np.bool_)
    keep[victims] = False
    return (dag.with_edges(keep) if victims.size else dag), int(victims.size)


def _remove_neurons(dag: DAG, count: int, context: _Context) -> tuple[DAG, int]:
    support = _support(dag, context.rng.random(dag.n_edges))
    free = np.ones(dag.n, dtype=np.bool_)
    free[: dag.n_inputs] = free[dag.first_output :] = False
    free[dag.sources[support]] = free[dag.targets[support]] = False
    candidates = np.flatnonzero(free)
    count = min(count, candidates.size)
    if not count:
        return dag, 0
    score = None
    if context.score is not None:  # as important as what it receives or what it sends, whichever is less
        received = np.bincount(dag.targets, weights=context.score, minlength=dag.n)
        sent = np.bincount(dag.sources, weights=context.score, minlength=dag.n)
        score = np.minimum(received, sent)[candidates]
    keep = np.ones(dag.n, dtype=np.bool_)
    keep[candidates[_last(_staying(candidates.size, context.rng, score), count)]] = False
    return _edit.keep_neurons(dag, keep), count


def _rewire_edges(dag: DAG, count: int, context: _Context) -> tuple[DAG, int]:
    rng = context.rng
    victims = _dispensable_edges(dag, count, context)
    if dag.n_edges == dag.usable_cells or not victims.size:
        return dag, 0
    keep = np.ones(dag.n_edges, dtype=np.bool_)
    keep[victims] = False
    order, place = _random_order(dag, keep, rng)
    kept = cells_of_edges(place[dag.sources[keep]], place[dag.targets[keep]], dag.sizes)
    sources, targets = place[dag.sources[victims]], place[dag.targets[victims]]
    # Cells that no rewired edge may take: those of edges that stay, and of edges that go.
    forward = sources < targets
    taken = np.sort(np.concatenate([kept, cells_of_edges(sources[forward], targets[forward], dag.sizes)]))
    free = dag.usable_cells - taken.size
    if free < victims.size:  # nearly complete: fewer edges may go, or too few cells are new
        return _rewire_edges(dag, free, context) if free else (dag, 0)
    new = np.empty(0, dtype=np.int64)
    waiting = np.arange(victims.size)
    for _ in range(ATTEMPTS):
        if not waiting.size:
            break
        moves_source = rng.random(waiting.size) < 0.5
        low = np.where(moves_source, 0, np.maximum(sources[waiting] + 1, dag.n_inputs))
        high = np.where(moves_source, np.minimum(targets[waiting], dag.first_output), dag.n)
        end = rng.integers(low, high)
        cells = cells_of_edges(
            np.where(moves_source, end, sources[waiting]), np.where(moves_source, targets[waiting], end), dag.sizes
        )
        accepted = np.zeros(waiting.size, dtype=np.bool_)
        accepted[np.unique(cells, return_index=True)[1]] = True
        accepted &= ~contains(taken, cells) & ~np.isin(cells, new)
        new = np.concatenate([new, cells[accepted]])
        waiting = waiting[~accepted]
    if waiting.size:  # no free cell beside either end was found: any other one
        taken = np.sort(np.concatenate([taken, new]))
        new = np.concatenate([new, sample_missing(taken, dag.usable_cells, waiting.size, rng)])
    return _from_cells(dag, np.concatenate([kept, new]), order), int(victims.size)


def _add_neurons(dag: DAG, count: int, context: _Context) -> tuple[DAG, int]:
    count = min(count, dag.n_edges)
    edges = context.rng.choice(dag.n_edges, size=count, replace=False)
    return (_edit.split_edges(dag, edges, keep_edges=True, next_id=context.next_id) if count else dag), count


def _insert_neurons(dag: DAG, count: int, context: _Context) -> tuple[DAG, int]:
    rng = context.rng
    order, place = _random_order(dag, np.ones(dag.n_edges, dtype=np.bool_), rng)
    # A neuron reads and feeds as many as are usual here, but at least some: on one edge in it could only copy.
    usual = dag.n_edges / max(dag.n_computational + dag.n_outputs, 1)
    sources, targets = [dag.sources], [dag.targets]
    stands = rng.uniform(dag.n_inputs - 0.5, dag.first_output - 0.5, count)
    # What it reads must tell of the inputs, and what it feeds must matter, or it would do nothing.
    told = dag.reached_neurons().copy()
    told[: dag.n_inputs] = True
    matters = dag.useful_neurons().copy()
    matters[dag.first_output :] = True
    for number, stand in enumerate(stands, start=dag.n):
        before, after = order[: int(stand + 1)], order[int(stand + 1) :]
        before, after = before[told[before]], after[matters[after]]
        read = rng.choice(before, min(before.size, max(LEAST_READ, rng.poisson(usual))), replace=False)
        feeds = rng.choice(after, min(after.size, max(LEAST_FED, rng.poisson(0.5 * usual))), replace=False)
        sources += [read, np.full(feeds.size, number)]
        targets += [np.full(read.size, number), feeds]
    ends = np.concatenate(sources).astype(np.int32), np.concatenate(targets).astype(np.int32)
    return _edit.with_neurons(dag, *ends, stands, context.next_id, base=place.astype(np.float64)), count


def _duplicate_neurons(dag: DAG, count: int, context: _Context) -> tuple[DAG, int]:
    count = min(count, dag.n_computational)
    if not count:
        return dag, 0
    originals = np.sort(dag.n_inputs + context.rng.choice(dag.n_computational, size=count, replace=False))
    copy = np.full(dag.n, -1, dtype=np.int32)
    copy[originals] = dag.n + np.arange(count, dtype=np.int32)
    into, out_of = copy[dag.targets] >= 0, copy[dag.sources] >= 0
    sources = np.concatenate([dag.sources, dag.sources[into], copy[dag.sources[out_of]]])
    targets = np.concatenate([dag.targets, copy[dag.targets[into]], dag.targets[out_of]])
    place = originals.astype(np.float64) + 0.5
    return _edit.with_neurons(dag, sources, targets, place, context.next_id, like=originals), count


def _add_edges(dag: DAG, count: int, context: _Context) -> tuple[DAG, int]:
    count = min(count, dag.usable_cells - dag.n_edges)
    if not count:
        return dag, 0
    order, place = _random_order(dag, np.ones(dag.n_edges, dtype=np.bool_), context.rng)
    taken = np.sort(cells_of_edges(place[dag.sources], place[dag.targets], dag.sizes))
    new = sample_missing(taken, dag.usable_cells, count, context.rng)
    return _from_cells(dag, np.concatenate([taken, new]), order), count


_FUNCTIONS: dict[str, Callable[[DAG, int, _Context], tuple[DAG, int]]] = {
    "remove_edges": _remove_edges,
    "remove_neurons": _remove_neurons,
    "rewire_edges": _rewire_edges,
    "add_neurons": _add_neurons,
    "insert_neurons": _insert_neurons,
    "duplicate_neurons": _duplicate_neurons,
    "add_edges": _add_edges,
}
OPERATORS = tuple(_FUNCTIONS)  # in the order of execution: what is weak goes before anything new comes
_PHRASES = {
    "remove_edges": ("remove", "edge"),
    "remove_neurons": ("remove", "neuron"),
    "rewire_edges": ("rewire", "edge"),
    "add_neurons": ("add", "neuron"),
    "insert_neurons": ("insert", "neuron"),
    "duplicate_neurons": ("duplicate", "neuron"),
    "add_edges": ("add", "edge"),
}


def _described(changes: Mapping[str, int]) -> str:
    parts = []
    for name, made in changes.items():
        verb, noun = _PHRASES[name]
        parts.append(f"{verb} {made} {noun}{'s' if made > 1 else ''}")
    return ", ".join(parts)


def _dispensable_edges(dag: DAG, count: int, context: _Context) -> Int64Array:
    """Up to ``count`` edges (k,) that may go together, weak ones rather."""
    staying = _staying(dag.n_edges, context.rng, context.score)
    candidates = np.flatnonzero(~_support(dag, -staying))
    return candidates[_last(staying[candidates], min(count, candidates.size))]


def _support(dag: DAG, key: FloatArray) -> BoolArray:
    """Edges that must stay, those of small ``key`` rather (see `supporting_edges`)."""
    reach = dag.reached_neurons()
    return supporting_edges(dag.sources, dag.targets, reach, dag.n_inputs, dag.first_output, key)


def _staying(size: int, rng: np.random.Generator, score: FloatArray | None) -> FloatArray:
    """A random key for each of ``size`` things; those of smallest key go first.

    With scores: removal in the order of these keys draws without replacement with probability proportional to
    exp(-SELECTIVITY * rank / size) (the Gumbel-top-k trick: Kool, van Hoof and Welling 2019).
    """
    key = -rng.gumbel(size=size)
    if score is not None:
        order = np.argsort(score)
        ordered = score[order]
        new = np.ones(size, dtype=np.bool_)
        new[1:] = ordered[1:] != ordered[:-1]
        first = np.flatnonzero(new)  # equal scores share the smallest rank
        rank = np.empty(size)
        rank[order] = np.repeat(first, np.diff(first, append=size))
        key += SELECTIVITY * rank / size
    return key


def _last(staying: FloatArray, count: int) -> Int64Array:
    """Positions of the ``count`` smallest keys."""
    if count >= staying.size:
        return np.arange(staying.size)
    return np.argpartition(staying, count)[:count]


def _random_order(dag: DAG, mask: BoolArray, rng: np.random.Generator) -> tuple[Int64Array, Int64Array]:
    """A random topological order (n,) of the graph with the edges of the mask, and the place (n,) of each neuron."""
    rank = np.arange(dag.n)
    rng.shuffle(rank[dag.n_inputs : dag.first_output])
    order = topological_order(dag.sources[mask], dag.targets[mask], rank)
    place = np.empty_like(order)
    place[order] = np.arange(dag.n)
    return order, place


def _from_cells(dag: DAG, cells: Int64Array, order: Int64Array) -> DAG:
    """The neurons of ``dag`` with the edges of cells in the numbering of ``order``."""
    edges = order[edges_of_cells(cells, dag.sizes)].astype(np.int32)
    return _edit.rebuilt(dag, np.ascontiguousarray(edges[:, 0]), np.ascontiguousarray(edges[:, 1]))


def _checked_frequencies(operators: Mapping[str, float] | None) -> dict[str, float]:
    given = dict.fromkeys(OPERATORS, 1.0) if operators is None else operators
    for name, share in given.items():
        if name not in OPERATORS:
            raise GraphError(f"unknown operator {name!r}; known: {', '.join(OPERATORS)}")
        if not 0 <= share < np.inf:
            raise GraphError(f"the frequency of operator {name} must be finite and >= 0, but is {share}")
    if sum(given.values()) <= 0:
        raise GraphError("some operator must have a frequency > 0, but none has; give one")
    return {name: float(given[name]) for name in OPERATORS if name in given}


def _checked_score(dag: DAG, edge_score: ArrayLike | None) -> FloatArray | None:
    if edge_score is None:
        return None
    score = np.asarray(edge_score, dtype=np.float64)
    if score.shape != (dag.n_edges,):
        raise GraphError(f"edge_score must have shape ({dag.n_edges},), one an edge, but has shape {score.shape}")
    if not np.isfinite(score).all():
        bad = int(np.flatnonzero(~np.isfinite(score))[0])
        source, target = dag.edges[bad].tolist()
        raise GraphError(
            f"edge_score must be finite, but that of edge {dag.label(source)}->{dag.label(target)} is {score[bad]}"
        )
    return score


def draw_activations(dag: DAG, words: Sequence[str], rng: np.random.Generator, *, redraw: int = 0) -> DAG:
    """``dag`` in which every computational neuron has an activation of its own, drawn from ``words`` where it had none.

    Args:
        dag: the graph.
        words: what to draw from (see `DAG.activations`).
        rng: source of chance.
        redraw: so many neurons, drawn at random, get another one even if they have one.

    Raises:
        GraphError: ``words`` is empty, or there are fewer neurons than ``redraw``.
    """
    if not words or not 0 <= redraw <= dag.n_computational:
        raise GraphError(f"give at least one activation and 0 <= redraw <= {dag.n_computational}, not {redraw}")
    own = np.array(dag.activations or [""] * dag.n, dtype=object)[dag.n_inputs : dag.first_output]
    new = own == ""
    new[rng.choice(dag.n_computational, redraw, replace=False)] = True
    own[new] = rng.choice(np.array(words, dtype=object), int(new.sum()))
    return dag.with_activations(own.tolist())
