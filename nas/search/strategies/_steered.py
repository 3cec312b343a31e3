"""What strategies share that steer the size of networks: roots cut from dense networks, children grown and cut.

Such a strategy aims at a number of edges. A *root* is trained from nothing and cut to it; a *child* starts from a
network near that size, gains edges or neurons, and is cut to it (see `nas.search.strategies.guided`). This works where
training may choose edges: genomes of neurons, in jobs without a `training.sparsify` of their own.
"""

from __future__ import annotations

import collections
import math
from abc import ABC
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from nas.errors import NasError
from nas.search.front.constraints import largest_within
from nas.search.front.objectives import Objectives
from nas.search.space import Range, SearchSpace, states
from nas.search.strategies._ladder import Ladder, Network
from nas.search.strategies.guided import cuts_allowed, may_grow
from nas.search.strategies.population import Population
from nas.search.strategies.strategy import OF_THE_FUNCTION, Inheritance, Parent, Strategy
from nas.training.types import Candidate, Genome, Scalar, TrainingConfig, TrialResult, TrialStatus

__all__ = ["SteeredStrategy", "log_uniform"]

# Octaves below the largest first root, in the order in which they are asked: all of the space's first guesses at
# hyperparameters, trained briefly at one size and fully at the largest, so that they differ in nothing else; then other
# sizes by what served best near them. A large network wants more noise than a small one: on MNIST .02 serves best at
# 1,588 edges after 10,000 steps, .8 at 6,352 after 30,000.
_GUESSED: Final = (2, 0)
_ROOTS: Final = (1, 3, 4, 2, 0)
_FIRST: Final = 11  # roots before the first child
_SMALL: Final = 0.04  # of `_wide`: sizes that stay worth a try as long as networks there are any good
# Edges of the largest first root: in all, for each input and output, or for so many samples of the training part, up to
# what was measured: on tables of 37,000 and 70,000 rows 4,000 rather than 1,000 took 2 to 6 % of the best error away.
_ROOT_LEAST, _ROOT_PER_NEURON, _ROOT_SAMPLES, _ROOT_MOST = 1000, 8, 16, 4000
_GROWN: Final = (0.2, 1.5)  # edges that come before a child is cut, as a share of its parent's
_LENGTHS: Final = (0.5, 1.2)  # steps of a child, as a share of a full training; at the end of a search twice that
# The last of a budget goes into gaps of the front. A search of a hundred trials has networks at steps of a tenth to a
# fifth in size, and where errors fall steeply with size that costs whoever wants a certain size more than any
# hyperparameter: on letters, 2.5 points between 336 and 405 edges.
_FILLED: Final = 0.12  # share of the budget
_TOO_POOR: Final = 0.5  # error of the best network, of that of knowing nothing, beyond which no gap is filled
_FILLING: Final = 0.25  # steps of such a child, as a share of a full training
# Means of several networks, at the very end: how many of these are tried, and which.
_MEANS: Final = 1 / 6  # of the networks that were trained
_MEMBERS: Final = (2, 10)  # networks in one
_ANY_SIZE: Final = 0.5  # share of the means of networks of whatever size; others are of those up to a size of the front
_TAKEN: Final = 0.8  # chance of each network to be among those of which the best are taken
_SMALLER, _LARGEST = 0.4, 6.0  # edges of parents, as multiples of those aimed at
_ANY: Final = 0.1  # share of the later roots with hyperparameters from anywhere
_LIKE: Final = 0.75  # share of the others that begin with a dense network of the same kind as their example
_RATE: Final = 0.25  # power of the size with which the learning rate falls: smaller networks learn with longer steps
_AIMS: Final = 3  # sizes among which an aim is chosen
_NEAR: Final = 0.4  # deviation of the logarithm of the edges within which networks count as near a size
_GOOD: Final = 0.35  # power of what networks of a size are worth that counts for it
_DEAR: Final = 0.5  # of the largest first root: of sizes far beyond, each has the same time; of those below, networks
_TRIES: Final = 6  # at a parent that fits
_LARGER: Final = 0.05  # least share of the aims beyond the largest network of the front
_MOVED: Final = 0.1  # how far a child's hyperparameters move at least, as a share of their ranges
_COSTS: Final = 200
_POOR: Final = 10  # how many times as large they may be, where the best network is as poor as knowing nothing


class SteeredStrategy(Strategy, ABC):
    """Base of `evolution` and `optuna`.

    Args:
        inheritance: where parents and weights come from.
        population: individuals kept as possible parents where size is not steered.
        grow: share of the children that gain edges or neurons before they are cut.
        blind: share of these that gain them anywhere, rather than edges by gradient.
        child_steps: factor of the steps of children.
        guided: False: children mutate blindly.
        (others): see `Strategy`.
    """

    inheritance: Inheritance

    def __init__(
        self,
        space: SearchSpace,
        training: TrainingConfig,
        objectives: Objectives,
        seed: int,
        *,
        inheritance: Inheritance,
        population: int,
        initial: int | None,
        grow: float,
        blind: float,
        child_steps: float,
        guided: bool,
    ) -> None:
        super().__init__(space, training, objectives, seed, inheritance=inheritance)
        self.population = Population(objectives, population)
        self.ladder = Ladder(objectives.error_reference)
        self.steered = guided and "error" in objectives.names and cuts_allowed(space, training) and _of_neurons(space)
        self.grow, self.blind, self.child_steps = grow, blind, child_steps
        self._sizes: list[int] = []  # edges of complete networks
        self._means = 0  # complete networks that are means of others
        linear = space.linear() if self.steered else ()
        most = min(self._top, largest_within(objectives.bounds, []))
        self._linear = tuple(genome for genome in linear if genome.dag.n_edges <= most)
        self.initial = initial or (_FIRST + len(self._linear) if self.steered else population)
        # Of the last networks: by these, bounds of costs become bounds of edges.
        self._costs: collections.deque[Mapping[str, float]] = collections.deque(maxlen=_COSTS)

    def tell(self, result: TrialResult) -> None:
        """Learns from a result."""
        super().tell(result)
        values = self.objectives.values(result)
        if result.status is TrialStatus.COMPLETE and values is not None and "edges" in result.metrics:
            error = values[self.objectives.names.index("error")] if "error" in self.objectives.names else values[0]
            edges = int(result.metrics["edges"])
            if (
                result.steps == 0 < self.training.steps
            ):  # a mean of networks that are known already: nothing to learn sizes or children from
                self._means += 1
                return
            self.ladder.add(Network(result.number, error, edges))
            self._sizes.append(max(edges, 1))
            if self.objectives.bounds:
                self._costs.append(dict(result.metrics))

    def _tell(self, number: int, values: tuple[float, ...]) -> None:
        self.population.add(number, values)

    def _aim(self, number: int, position: float) -> int:
        """Edges to aim at: of a first root, or at a position in [0, 1] of the sizes that are worth a try; no more than
        the bounds of the search allow."""
        most = largest_within(self.objectives.bounds, [*self._costs])
        if number < self.initial or not len(self.ladder):
            guess = self._guess(number)
            place = number - len(self._linear) - self._guesses
            octaves = _ROOTS[place % len(_ROOTS)] if guess is None else _GUESSED[guess]
            return max(self._least, round(min(self._top, most) * 0.5**octaves))
        low, high = self.ladder.span(_SMALL * self._wide)
        low = max(low, self._least)  # aims below it would all become this one
        high = max(high, low + 1)
        if most < high:  # all that is worth a try is within; what is larger is cut to it
            low, high = max(1, min(low, math.floor(most / 2))), max(2, math.floor(most))
        # The worse the best network, the more may be gained by larger ones; by far larger ones where small steps gain
        # nothing: no network of two neurons is much better than one of none at telling two spirals apart.
        poor = self._poor
        beyond = _LARGER + (1 - _LARGER) * poor
        if position >= 1 - beyond:  # nothing else is left where the best network is no better than knowing nothing
            low, high, position = high, round(high * (2 + _POOR * poor)), (position - 1 + beyond) / beyond
        else:
            position /= 1 - beyond
        aim = math.exp(math.log(low) + position * math.log(high / low))
        return max(self._least, round(min(aim, most)))

    def _aim_where_rare(self, number: int, rng: np.random.Generator) -> int:
        """Of some sizes, one near which there are few networks, which are good, and where a try is cheap."""
        aims = [self._aim(number, float(rng.random())) for _ in range(_AIMS)]
        if number < self.initial or not len(self.ladder):
            return aims[0]
        known = np.log(self._sizes)

        def crowd(edges: int) -> float:
            near = np.exp(-0.5 * ((known - math.log(edges)) / _NEAR) ** 2).sum()
            return float((1 + near) * (1 + edges / (_DEAR * self._top)) / self.ladder.worth(edges) ** _GOOD)

        return min(aims, key=crowd)

    @property
    def _guesses(self) -> int:
        """Roots with the space's first guesses at hyperparameters."""
        guesses = len(self.space.first_hyperparameters)
        return guesses * (len(_GUESSED) if guesses > 1 else 1)

    def _guess(self, number: int) -> int | None:
        """Which round of guesses a root belongs to; None: to none."""
        place = number - len(self._linear)
        return place // len(self.space.first_hyperparameters) if 0 <= place < self._guesses else None

    @property
    def _wide(self) -> int:
        """Edges of the largest first root by what goes in and comes out."""
        return max(_ROOT_LEAST, _ROOT_PER_NEURON * (self.space.shape.n_inputs + self.space.shape.n_outputs))

    @property
    def _top(self) -> int:
        """Edges of the largest first root."""
        return max(self._wide, min(self.space.shape.samples // _ROOT_SAMPLES, _ROOT_MOST))

    @property
    def _poor(self) -> float:
        """How poor the best network is, in [0, 1]: as good as can be, to no better than knowing nothing."""
        return min(self.ladder.front[-1].error / self.objectives.error_reference, 1.0)

    @property
    def _least(self) -> int:
        return 2 * self.space.shape.n_outputs

    def _full_steps(self) -> int:
        """Steps of a full training: later ones are longer, as less is left that could follow them."""
        full = self.pace.full(self.seconds)
        return full if "steps" in self.training.model_fields_set else math.ceil(full * (0.8 + 0.6 * self.spent))

    def _root_at(
        self, number: int, rng: np.random.Generator, edges: int, hyperparameters: Mapping[str, Scalar] | None = None
    ) -> Candidate:
        """A network from nothing of that size: as job and space say first; later much like one that is good, or any.

        First of all come the space's linear models, whatever size was aimed at.
        """
        if number < len(self._linear):
            return self._linear_at(number, rng, self._linear[number], hyperparameters)
        like, guess = None, self._guess(number) if hyperparameters is None else None
        if guess is not None:  # all from the same network, with the same samples and steps: they are to be compared
            rng = self._rng(0)
        if guess is not None or not len(self.ladder):
            values = self._at_size(self._own_values(number - len(self._linear)), self._top, edges)
        elif rng.random() < _ANY:
            values = self._moved({}, rng)
        else:
            found = self.ladder.exemplar(edges, rng)
            like = self.inheritance.load(found.number).genome
            scale = 0.0 if number < self.initial else _MOVED
            values = self._at_size(self._moved(like.hyperparameters, rng, scale), found.edges, edges)
        return self._root(
            number,
            rng,
            edges,
            steps=self.pace.full(None) if guess == 0 else self._full_steps(),
            hyperparameters=values if hyperparameters is None else hyperparameters,
            like=like if number >= self.initial and rng.random() < _LIKE else None,
        )

    def _linear_at(
        self, number: int, rng: np.random.Generator, genome: Genome, hyperparameters: Mapping[str, Scalar] | None
    ) -> Candidate:
        own, searched = genome.hyperparameters, self.space.hyperparameters
        if hyperparameters is None:
            chosen = {path: own[path] for path in self.domains if path in own and not states(self.training, path)}
            hyperparameters = {**self._own_values(0), **chosen}
        genome = replace(genome, hyperparameters={path: own[path] for path in own if path not in searched})
        return self._from_nothing(number, rng, genome, hyperparameters, self._full_steps())

    def _at_size(self, values: dict[str, Scalar], before: int, after: int) -> dict[str, Scalar]:
        """Hyperparameters that serve networks of one size, for another."""
        domain = self.domains.get("learning_rate")
        if isinstance(domain, Range) and not states(self.training, "learning_rate"):
            rate = float(values["learning_rate"]) * (before / after) ** _RATE
            values["learning_rate"] = domain.nearest(rate)
        return values

    def _parent_for(
        self, edges: int, rng: np.random.Generator, hyperparameters: Mapping[str, Scalar] | None = None
    ) -> Network | None:
        """A network from which one of that size may come: about as large, larger, or smaller.

        Args:
            edges: of the child.
            rng: source of chance.
            hyperparameters: of the child, where they are chosen already; those that its function rests on (its
                activation) must be the parent's. None where no parent has them.
        """
        for _ in range(_TRIES):
            found = self.ladder.parent(edges, _SMALLER, _LARGEST, rng)
            if found is None or hyperparameters is None:
                return found
            known = self.inheritance.load(found.number).genome.hyperparameters
            chosen = OF_THE_FUNCTION & hyperparameters.keys()  # what the space fixes is the same for all
            if all(hyperparameters[path] == known.get(path) for path in chosen):
                return found
        return None

    def _gap(self, rng: np.random.Generator) -> tuple[int, Network] | None:
        """At the end of a budget, a size that the front lacks, and the member from which it is to be cut.

        None where the best network is poor: a better one is still to be found then.
        """
        if self.spent <= 1 - _FILLED or not len(self.ladder) or self._poor > _TOO_POOR:
            return None
        return self.ladder.gap(self._sizes, rng)

    def _filling(self, number: int, rng: np.random.Generator, edges: int, parent: Network) -> Candidate:
        """A child that is cut to a size a little below its parent's and trained briefly, as it is nearly trained."""
        full = self.pace.full(self.seconds)
        steps = full if "steps" in self.training.model_fields_set else math.ceil(_FILLING * full)
        origin = self.inheritance.load(parent.number)
        same = self._perturbed(origin.genome, rng, 0.0)
        return self._cut_child(number, rng, origin, self.inheritance, edges, steps=steps, hyperparameters=same)

    def _joined(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """A mean of several networks; None where enough are known, or there is none to try."""
        if self._means >= _MEANS * len(self._sizes):
            return None
        members = self._members(rng)
        if len(members) < 2:
            return None
        mean = self._mean(number, rng, members)
        return mean if self.space.accepts(mean.genome) else None

    def _members(self, rng: np.random.Generator) -> list[Parent]:
        """Networks of which a mean is worth a try: the best of some that apply the same activation.

        Fewer than two where there are no two, or a mean of these would be larger than is allowed.
        """
        front = self.ladder.front
        largest = math.inf if rng.random() < _ANY_SIZE else front[int(rng.integers(len(front)))].edges
        wanted = int(rng.integers(_MEMBERS[0], _MEMBERS[1], endpoint=True))
        within = largest_within(self.objectives.bounds, [*self._costs])
        found: list[Parent] = []
        for network in self.ladder.best(largest):
            if rng.random() >= _TAKEN:
                continue
            parent = self.inheritance.load(network.number)
            if not parent.arrays or not may_grow(parent.genome, self.training):
                return []
            if found and not _same_function(parent, found[0]):
                continue
            within -= network.edges
            if len(found) == wanted or within < 0:
                break
            found.append(parent)
        return found

    def _child_at(
        self,
        number: int,
        rng: np.random.Generator,
        edges: int,
        parent: Network,
        hyperparameters: Mapping[str, Scalar] | None = None,
        grow: float | None = None,
    ) -> Candidate:
        """A child of that size.

        Args:
            grow: edges that come before it is cut, beyond those that its size needs, as a share of its parent's;
                None: drawn.
        """
        longer = 1 + self.spent
        steps = math.ceil(self.child_steps * self.pace.full(self.seconds) * longer * log_uniform(_LENGTHS, rng))
        if "steps" in self.training.model_fields_set:
            steps = math.ceil(self.child_steps * self.training.steps)
        # A larger child can only come by growth, and of about the same size only growth makes it another.
        grows = rng.random() < self.grow or edges > parent.edges
        beyond = log_uniform(_GROWN, rng) if grow is None else grow
        grow = max(edges / parent.edges - 1, 0.0) + beyond if grows and self.grow > 0 else 0.0
        origin = self.inheritance.load(parent.number)
        if hyperparameters is None:  # the poorer the best network, the farther from what its parent had
            hyperparameters = self._perturbed(origin.genome, rng, _MOVED + (1 - _MOVED) * self._poor)
            hyperparameters = self._at_size(hyperparameters, parent.edges, edges)
        return self._cut_child(
            number,
            rng,
            origin,
            self.inheritance,
            edges,
            steps=steps,
            grow=min(grow, 10.0),
            blind=rng.random() < (self.blind if edges <= parent.edges else 0.5 * (1 + self.blind)),
            hyperparameters=hyperparameters,
        )


def _of_neurons(space: SearchSpace) -> bool:
    """Whether genomes are DAGs of neurons: structures (layers, one's own) have no edges that training could choose."""
    try:
        return space.initial(np.random.default_rng(0)).structure is None
    except NasError:  # a genome that cannot be made is the trial's failure
        return False


def _same_function(parent: Parent, other: Parent) -> bool:
    """Whether their weights mean the same: activations and the like are equal."""
    own, its = parent.genome.hyperparameters, other.genome.hyperparameters
    return all(own.get(path) == its.get(path) for path in OF_THE_FUNCTION)


def log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """A number between the bounds, its logarithm uniform."""
    low, high = bounds
    return math.exp(rng.uniform(math.log(low), math.log(high)))
