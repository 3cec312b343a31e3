"""What a strategy is: something that is asked for candidates and told their results, and does nothing else.

A strategy does not train, knows nothing of workers, and keeps no state that the study's record could not give back:
after a crash, a new object is told the finished results again and continues. Results are matched by number, and may
come in any order; many asks may be open at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

import numpy as np

from nas.graph import first_id_of_trial
from nas.manifold import mean_of, without_idle_neurons
from nas.search.config import StrategyOptions
from nas.search.front.objectives import Objectives
from nas.search.space import SearchSpace, searched_domains, stable_ids, states
from nas.search.strategies._proposals import Proposer
from nas.search.strategies.guided import CUT_EVERY, CUT_TO, GROWN_BY, cut_overrides, cuts_allowed, may_grow, without_cut
from nas.search.strategies.pace import Pace, work_of
from nas.training.types import Arrays, Candidate, Genome, Scalar, TrainingConfig, TrialResult, TrialStatus

__all__ = ["OF_THE_FUNCTION", "Inheritance", "Parent", "Strategy"]

# Hyperparameters that are part of the function: a child that inherits weights has its parent's.
OF_THE_FUNCTION: Final = frozenset({"activation", "parametrisation", "readout", "closeness"})
_MOVES: Final = 0.5  # chance of a hyperparameter to be another than a parent's: were all others, none would be kept
_EARLY: Final = 0.05  # share of the steps of a training from nothing before the first cut

# Increments of the two-dimensional sequence that fills the unit square most evenly for any number of points
# (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences"): 1/g and 1/g^2, g^3 = g + 1.
_PLASTIC: Final = 1.32471795724474602596


@dataclass(frozen=True, slots=True)
class Parent:
    """What a child inherits from: the trained, live network of a finished trial."""

    number: int
    genome: Genome  # its DAG is the live one
    arrays: Arrays = field(default_factory=dict)  # trained parameters on that DAG (state of its structure)


@dataclass(frozen=True, slots=True)
class Inheritance:
    """How children get their weights; functions, so that strategies need neither a store nor a network class."""

    load: Callable[[int], Parent]
    """The parent by trial number."""
    transfer: Callable[[Parent, Genome, np.random.Generator], Arrays | None]
    """Parameters of the child's genome; None where nothing can be inherited."""
    edge_score: Callable[[Parent], np.ndarray | None]
    """Importance of each edge of the parent's live DAG, (E,); None where unknown."""
    asked: Callable[[int], Genome | None] = lambda number: None
    """The genome of any trial as it was asked, by trial number; None where it is not known (any more)."""


class Strategy(ABC):
    """Base of all strategies: `ask` and `tell` do the shared work, subclasses fill in `_ask` and `_tell`.

    Docs: docs/how-to/own-strategy.md.

    Args:
        space: where genomes come from.
        training: the job's training section; candidates get its number of steps.
        objectives: what to minimise.
        seed: with the number of a trial, decides everything about its candidate that results do not.
        inheritance: where parents and weights come from; None: children are not bred.
        options: an `Options`, where the class has one; else what the job states, as it is.

    Attributes:
        seconds: of its workers that the search has in all; None: no such limit. Whoever drives the search sets it.
        spent: share of the budget that is used up, in [0, 1]. Likewise, before each ask.
        left: seconds until the budget ends; None: no such limit. Likewise.
        domains: hyperparameters that are searched, by dotted path: the space's, but for those of its defaults whose
            value the job states in its training section.
    """

    Options: ClassVar[type[StrategyOptions] | None] = None
    """What a job may state under ``search.options``, where it names a class of one's own; None: anything."""

    def __init__(
        self,
        space: SearchSpace,
        training: TrainingConfig,
        objectives: Objectives,
        seed: int,
        *,
        inheritance: Inheritance | None = None,
        options: Any = None,
    ) -> None:
        self.inheritance, self.options = inheritance, options
        self.space = space
        self.training = training
        self.objectives = objectives
        self.seed = seed
        self.seconds: float | None = None
        self.spent = 0.0
        self.left: float | None = None
        self.pace = Pace(training)
        self.domains = searched_domains(space.options, training, space.hyperparameters)

    def ask(self, number: int) -> Candidate:
        """The candidate for trial `number`, a number that the study's storage gave out.

        The same number, asked after the same results in the same order, gives the same candidate. What is kept of many
        results (a population, the window of a long study) may depend on the order in which they came.

        Raises:
            NasError: the space could not make this genome; the trial fails, the next may work.
        """
        candidate = self._ask(number, self._rng(number))
        work = self._work(candidate.genome)
        steps = self.pace.fitting(candidate.steps, work, self.seconds, self.left)
        candidate = _shortened(candidate, steps)
        self.pace.asked(number, candidate.steps, work)
        return candidate

    def tell(self, result: TrialResult) -> None:
        """Learns from a result. Failed trials and results without finite objectives teach nothing."""
        self.pace.told(result)
        if result.status is TrialStatus.COMPLETE:
            values = self.objectives.ranked(result)
            if values is not None:
                self._tell(result.number, values)

    @abstractmethod
    def _ask(self, number: int, rng: np.random.Generator) -> Candidate: ...

    def _tell(self, number: int, values: tuple[float, ...]) -> None:  # noqa: B027 - learning nothing is a fair default
        """Learns from a complete trial; by default nothing."""

    def _work(self, genome: Genome) -> float:
        """Of a step of its training, for `Pace`; layers and sequences count as if they had no edges."""
        if genome.structure is not None:
            return work_of(0, 0, 0)
        own = genome.hyperparameters
        before = genome.dag.n_edges * (1 + float(own.get(GROWN_BY, 0.0)))
        return work_of(
            round(before),
            int(own.get(CUT_TO, before)),
            int(own.get("batch_size", self.training.batch_size)),
        )

    def _rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, number])

    def _fresh(
        self,
        number: int,
        rng: np.random.Generator,
        *,
        spread: bool,
        density: float | None = None,
        hyperparameters: Mapping[str, Scalar] | None = None,
    ) -> Candidate:
        """A candidate from nothing.

        Args:
            spread: its size and density are the next of an even sequence.
        """
        size = None
        if spread:
            offset = np.random.default_rng(self.seed).random(2)
            position = (offset + (number + 1) / np.array([_PLASTIC, _PLASTIC**2])) % 1
            size, even = float(position[0]), float(position[1])
            density = even if density is None else density
        genome = self.space.initial(rng, size=size, density=density)
        chosen = hyperparameters or {path: domain.sample(rng) for path, domain in self.domains.items()}
        return self._from_nothing(number, rng, genome, chosen, self.pace.full(self.seconds))

    def _root(
        self,
        number: int,
        rng: np.random.Generator,
        edges: int,
        *,
        steps: int,
        hyperparameters: Mapping[str, Scalar],
        like: Genome | None = None,
    ) -> Candidate:
        """A candidate from nothing that is cut, while it trains, from a far larger network to so many edges.

        Args:
            like: a genome of the same kind as that larger network; None: any kind.
        """
        genome = self.space.large(rng, edges=edges, like=like) or self.space.initial(rng, size=1.0, density=1.0)
        own = {**genome.hyperparameters, **hyperparameters}
        section = cut_overrides(genome.dag, edges, steps, self.training.with_overrides(own), start=_EARLY)
        origin = f"{genome.origin}, cut to {edges:,} of {genome.dag.n_edges:,} edges" if section else genome.origin
        genome = replace(genome, origin=origin)
        return self._from_nothing(number, rng, genome, {**hyperparameters, **section}, steps)

    def _from_nothing(
        self, number: int, rng: np.random.Generator, genome: Genome, chosen: Mapping[str, Scalar], steps: int
    ) -> Candidate:
        dag = genome.dag if genome.structure is not None else stable_ids(genome.dag, first_id_of_trial(number))
        genome = replace(genome, dag=dag, hyperparameters={**genome.hyperparameters, **chosen})
        return Candidate(number, genome, seed=_seed(rng), steps=steps, mutation=genome.origin)

    def _cuts(self, parent: Parent) -> bool:
        """Whether children of `parent` can be cut while they train (see `nas.search.strategies.guided`)."""
        return parent.genome.structure is None and cuts_allowed(self.space, self.training)

    def _child(
        self,
        number: int,
        rng: np.random.Generator,
        parent: Parent,
        inheritance: Inheritance | None,
        *,
        strength: float,
        growth: float,
        steps: int,
        hyperparameters: Mapping[str, Scalar] | None = None,
    ) -> Candidate:
        """A mutated copy of `parent` with its weights."""
        genome = self._genome(parent)
        score = inheritance.edge_score(parent) if inheritance else None
        mutated, description = self.space.mutate(
            genome, rng, strength, growth=growth, edge_score=score, next_id=first_id_of_trial(number)
        )
        chosen = dict(hyperparameters) if hyperparameters is not None else self._perturbed(genome, rng)
        child = replace(mutated, hyperparameters={**mutated.hyperparameters, **chosen})
        return self._inheriting(number, rng, parent, inheritance, child, steps, description)

    def _cut_child(
        self,
        number: int,
        rng: np.random.Generator,
        parent: Parent,
        inheritance: Inheritance | None,
        edges: int,
        *,
        steps: int,
        grow: float = 0.0,
        blind: bool = False,
        hyperparameters: Mapping[str, Scalar] | None = None,
    ) -> Candidate:
        """A child of `parent` with its weights, whose training chooses its edges (see `nas.search.strategies.guided`).

        Args:
            edges: in the end; more than there are where edges come.
            grow: edges that come before the first step, as a share of the parent's.
            blind: edges and neurons come anywhere rather than by gradient; so they do where the child's own
                hyperparameters do not let training add edges.
        """
        genome = self._genome(parent)
        genome = replace(genome, dag=without_idle_neurons(genome.dag)[0])
        before = genome.dag.n_edges
        chosen = dict(hyperparameters) if hyperparameters is not None else self._perturbed(genome, rng)
        own = {**genome.hyperparameters, **chosen}
        said = []
        absent = genome.dag.usable_cells - before  # gradients tell of edges between the neurons that are there only
        blind = (
            blind or round(grow * before) > absent or not may_grow(replace(genome, hyperparameters=own), self.training)
        )
        if grow > 0 and blind:
            genome, what = self.space.mutate(genome, rng, grow, growth=1.0, next_id=first_id_of_trial(number))
            said.append(what)
            grow = 0.0
        elif grow > 0:
            coming = max(1, round(grow * before))
            grow = coming / before
            said.append(f"add {coming:,} edge{'s' if coming > 1 else ''} by gradient")
        section = cut_overrides(genome.dag, edges, steps, self.training.with_overrides(own), grow=grow)
        if not said:
            said.append(f"cut to {edges:,} of {before:,} edges" if section else "train on")
        elif edges < (1 + grow) * genome.dag.n_edges:
            said.append(f"then cut to {edges:,} (of {before:,} before)")
        child = replace(genome, hyperparameters={**own, **section})
        return self._inheriting(number, rng, parent, inheritance, child, steps, ", ".join(said))

    def _mean(self, number: int, rng: np.random.Generator, parents: Sequence[Parent]) -> Candidate:
        """The network whose outputs are the mean of those of ``parents``, which is not trained.

        Args:
            parents: at least two, of free weights and with the same activation; the first counts as the parent.
        """
        dag, arrays = mean_of(
            [(parent.genome.dag, parent.arrays) for parent in parents], next_id=first_id_of_trial(number)
        )
        others = [str(parent.number) for parent in parents[1:]]
        return Candidate(
            number,
            replace(self._genome(parents[0]), dag=dag),
            seed=_seed(rng),
            steps=0,
            parent=parents[0].number,
            mutation=f"mean with trial{'s' if len(others) > 1 else ''} {', '.join(others)}",
            inherited=arrays,
        )

    def _genome(self, parent: Parent) -> Genome:
        """What children of `parent` start from."""
        return without_cut(parent.genome) if self._cuts(parent) else parent.genome

    def _inheriting(
        self,
        number: int,
        rng: np.random.Generator,
        parent: Parent,
        inheritance: Inheritance | None,
        child: Genome,
        steps: int,
        description: str,
    ) -> Candidate:
        inherited = inheritance.transfer(parent, child, rng) if inheritance and _same_kind(parent, child) else None
        return Candidate(
            number,
            child,
            seed=_seed(rng),
            steps=steps if inherited is not None else max(steps, self.pace.full(self.seconds)),
            parent=parent.number,
            mutation=description,
            inherited=inherited,
        )

    def _proposed(
        self, number: int, rng: np.random.Generator, proposer: Proposer, inheritance: Inheritance, steps: int
    ) -> Candidate:
        """The child that a model expects most of."""
        proposal = proposer.propose(rng, first_id_of_trial(number))
        if proposal.parent is None:
            genome = proposal.genome
            if genome.structure is None:
                genome = replace(genome, dag=stable_ids(genome.dag, first_id_of_trial(number)))
            return Candidate(number, genome, _seed(rng), self.pace.full(self.seconds), mutation=proposal.description)
        parent = inheritance.load(proposal.parent)
        return self._inheriting(number, rng, parent, inheritance, proposal.genome, steps, proposal.description)

    def _own_values(self, number: int) -> dict[str, Scalar]:
        """First guesses: what the job states in its training section, else the space's own."""
        section = self.training.model_dump()
        guesses = self.space.first_hyperparameters
        guess = guesses[number % len(guesses)] if guesses else {}
        return {
            path: domain.nearest(
                _at(section, path) if path not in guess or states(self.training, path) else guess[path]
            )
            for path, domain in self.domains.items()
        }

    def _moved(self, values: Mapping[str, Scalar], rng: np.random.Generator, scale: float = 0.1) -> dict[str, Scalar]:
        """About half of the searched hyperparameters moved from `values`; drawn where they have none."""
        moved: dict[str, Scalar] = {}
        for path, domain in self.domains.items():
            if path not in values:
                moved[path] = domain.sample(rng)
            elif rng.random() < _MOVES:
                moved[path] = domain.perturb(values[path], rng, scale)
            else:
                moved[path] = domain.nearest(values[path])
        return moved

    def _perturbed(self, genome: Genome, rng: np.random.Generator, scale: float = 0.1) -> dict[str, Scalar]:
        """Hyperparameters of a child of `genome` that inherits: moved a little, but what its function rests on."""
        moved = self._moved(genome.hyperparameters, rng, scale)
        kept = {
            path: genome.hyperparameters[path] for path in moved if path in OF_THE_FUNCTION & {*genome.hyperparameters}
        }
        return {**moved, **kept}


def _at(section: Mapping[str, Any], path: str) -> Any:
    for name in path.split("."):
        section = (section or {}).get(name)  # type: ignore[assignment]
    return section


def _shortened(candidate: Candidate, steps: int) -> Candidate:
    """The candidate with no more than so many steps, its cuts as much closer together."""
    if steps >= candidate.steps:
        return candidate
    own = dict(candidate.genome.hyperparameters)
    if CUT_EVERY in own:
        own[CUT_EVERY] = max(1, round(int(own[CUT_EVERY]) * steps / candidate.steps))
    return replace(candidate, genome=replace(candidate.genome, hyperparameters=own), steps=steps)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _same_kind(parent: Parent, child: Genome) -> bool:
    """Whether the parent's arrays mean the same in the child: another parametrisation or closeness has others."""
    if parent.genome.structure is not None or child.structure is not None:
        return type(parent.genome.structure) is type(child.structure)
    own, its = parent.genome.hyperparameters, child.hyperparameters
    return all(own.get(key) == its.get(key) for key in ("parametrisation", "closeness"))
