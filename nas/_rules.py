"""Settings of a job that act in some situations only: one row a setting; see `nas._settings`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from nas.search import SpaceOptions, searched_domains
from nas.search.config import ResourcesConfig, SearchConfig, SpaceConfig
from nas.search.front.constraints import Bound
from nas.tracking.config import TrackingConfig
from nas.training.acting import NEURONS, NetworkKind
from nas.training.data.config import TABLE_SUFFIXES, DataConfig
from nas.training.quality.objectives import OBJECTIVES
from nas.training.types import Scalar, Task, TrainingConfig

__all__ = ["RULES", "Rule", "Sections", "Situation", "tasks_of"]


class Sections(Protocol):
    """A job; see `nas.job.Job`."""

    @property
    def data(self) -> DataConfig: ...
    @property
    def space(self) -> SpaceConfig: ...
    @property
    def search(self) -> SearchConfig: ...
    @property
    def training(self) -> TrainingConfig: ...
    @property
    def resources(self) -> ResourcesConfig: ...
    @property
    def tracking(self) -> TrackingConfig: ...


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides whether a setting acts."""

    job: Sections
    options: SpaceOptions | None  # of the space; None: its module is not here, as where a job is only handed on
    fixed: Mapping[str, Scalar]  # training fields that all genomes override
    kinds: tuple[NetworkKind, ...]  # that candidates may be; () where the space is not known

    def option(self, name: str) -> Any:
        """Of the strategy, its default where it is not stated; None where it has no such option."""
        search = self.job.search
        return None if ":" in search.strategy else getattr(search.typed_options(), name, None)

    @property
    def searched(self) -> Mapping[str, Any]:
        """Domains of the training fields that the search chooses."""
        return {} if self.options is None else searched_domains(self.options, self.job.training)

    @property
    def of_neurons(self) -> bool:
        """Whether candidates are, or may be, networks of neurons."""
        return not self.kinds or any(kind in NEURONS.values() for kind in self.kinds)

    @property
    def may_grow(self) -> bool:
        """Whether training may add edges to children."""
        return not self.kinds or NEURONS["free"] in self.kinds

    @property
    def guided(self) -> bool:
        """Whether the strategy may cut children while they train, if they are of neurons.

        See `nas.search.strategies.guided`.
        """
        own = self.job.training.sparsify is not None or any(path.startswith("sparsify.") for path in self.searched)
        return not own and bool(self.option("guided"))

    @property
    def cuts(self) -> bool:
        """Whether training may choose the edges of children."""
        return self.guided and self.of_neurons and "error" in self.job.search.objectives

    @property
    def mutates(self) -> bool:
        """Whether candidates are, or may be, blindly mutated copies of members of a population."""
        return not (self.cuts and self.kinds) or any(kind not in NEURONS.values() for kind in self.kinds)

    @property
    def mutates_genomes(self) -> bool:
        """Whether the space may be asked to change a genome."""
        return self.job.search.strategy != "random"

    @property
    def guesses(self) -> bool:
        """Whether the first candidate has the training section's own values of what is searched."""
        return ":" in self.job.search.strategy or (self.job.search.strategy == "evolution" and self.guided)


@dataclass(frozen=True, slots=True)
class Rule:
    """A setting that acts only in some situations.

    Attributes:
        path: dotted, of a field or a section of the job.
        acts: whether it does.
        why: what the message says where it does not: the reason, and what to do.
    """

    path: str
    acts: Callable[[Situation], bool]
    why: str


_OF_NEURONS: Final = " and ".join(", ".join(n for n, o in OBJECTIVES.items() if o.of_neurons).rsplit(", ", 1))
_LABELLED: Final = ("digits", "wine", "iris", "breast_cancer", "recall", "parity", "mnist")
_NUMBERS: Final = ("diabetes", "addsub")


def _table(at: Situation) -> bool:
    source = at.job.data.source.lower()
    return source.endswith(TABLE_SUFFIXES) or source.startswith("openml:")


def _with_test_part(at: Situation) -> bool:
    return at.job.data.source == "mnist" or at.job.data.source.startswith("idx:")


def tasks_of(data: DataConfig) -> tuple[Task, ...]:
    """What the task may be, as far as a job says it."""
    if data.task != "auto":
        return (data.task,)
    if data.source in _LABELLED or data.source.startswith(("idx:", "images:")):
        return ("classification",)
    return ("regression",) if data.source in _NUMBERS else ("classification", "regression")


def _regression(at: Situation) -> bool:
    return "regression" in tasks_of(at.job.data)


def _of_neurons_only(names: Iterable[str]) -> bool:
    return any(name in OBJECTIVES and OBJECTIVES[name].of_neurons for name in names)


def _rungs(at: Situation) -> bool:
    return bool(at.job.training.rungs)


def _ray(at: Situation) -> bool:
    return at.job.resources.executor == "ray"


def _mlflow(at: Situation) -> bool:
    return at.job.tracking.mlflow


def _champion(at: Situation) -> bool:
    return at.job.tracking.champion is not None


def _strategy(*names: str) -> Callable[[Situation], bool]:
    return lambda at: at.job.search.strategy in names or ":" in at.job.search.strategy


_NOT_CUT: Final = (
    "training chooses no edges of children here (guided: false, training.sparsify, no network of neurons, or no error "
    "among the objectives)"
)
_NOT_GROWN: Final = _NOT_CUT + ", or none has free weights"
_CUT: Final = "training chooses the edges of children here, and no child mutates; delete it, or state guided: false"
_OWN_PROCESS: Final = "executor: serial runs everything in this process; delete it, or use executor: ray"

RULES: Final[tuple[Rule, ...]] = (
    Rule("data.target", _table, "the source says itself what its targets are; only tables have columns; delete it"),
    Rule("data.drop", _table, "only tables have columns that can be left out; delete it"),
    Rule("data.test", lambda at: not _with_test_part(at), "the source has a test part of its own; delete it"),
    Rule("data.standardise_targets", _regression, "the targets are classes, which have no scale; delete it"),
    Rule(
        "search.objectives",
        lambda at: at.of_neurons or not _of_neurons_only(at.job.search.objectives),
        f"{_OF_NEURONS} are known of networks of neurons only; name edges or inference_time",
    ),
    Rule(
        "search.constraints",
        lambda at: at.of_neurons or not _of_neurons_only(Bound.parse(text).name for text in at.job.search.constraints),
        f"{_OF_NEURONS} are known of networks of neurons only; bound edges or inference_time",
    ),
    Rule("search.halving", _rungs, "it says who goes on at training.rungs, and there are none; state rungs"),
    Rule(
        "search.halving.keep",
        lambda at: at.job.search.halving.pruner != "median",
        "the median pruner keeps the better half; delete it",
    ),
    Rule(
        "search.halving.rule",
        lambda at: at.job.search.halving.pruner is None and len(at.job.search.objectives) > 1,
        "there is but one objective to compare by; delete it",
    ),
    Rule(
        "search.halving.window",
        lambda at: at.job.search.halving.pruner is None,
        "one of Optuna's pruners decides, which compares all trials; delete it",
    ),
    Rule("search.options.guided", lambda at: at.option("guided") is None or at.of_neurons, _NOT_CUT),
    Rule("search.options.roots", lambda at: at.cuts, _NOT_CUT),
    Rule("search.options.grow", lambda at: at.cuts, _NOT_CUT),
    Rule("search.options.blind", lambda at: at.cuts and at.may_grow, _NOT_GROWN),
    Rule("search.options.blind", lambda at: at.option("grow") != 0, "no child grows (grow: 0); delete one of the two"),
    Rule("search.options.means", lambda at: at.cuts and at.may_grow, _NOT_GROWN),
    Rule(
        "search.options.means",
        lambda at: at.option("inherit") is not False and at.option("roots") != 1,
        "no network has the weights of others (inherit: false, or roots: 1); delete one of the two",
    ),
    Rule("search.options.tournament", lambda at: at.mutates, _CUT),
    Rule("search.options.strength", lambda at: at.mutates, _CUT),
    Rule(
        "search.options.population",
        lambda at: at.mutates or at.option("sampler") in ("nsga2", "nsga3"),
        _CUT,
    ),
    Rule(
        "search.options.child_steps",
        lambda at: at.option("inherit") is not False,
        "children that inherit nothing are trained as long as others; delete it",
    ),
    Rule(
        "search.options.startup_trials",
        lambda at: at.option("sampler") in ("tpe", "gp"),
        "only the samplers tpe and gp have a model that must be started; delete it",
    ),
    Rule("resources.address", _ray, _OWN_PROCESS),
    Rule("resources.workers", _ray, _OWN_PROCESS),
    Rule("resources.trial_minutes", _ray, "executor: serial cannot end a trial that hangs; delete it, or use ray"),
    Rule(
        "resources.gpus",
        lambda at: at.job.resources.gpus == 0 or at.job.resources.on_gpu,
        "device is cpu, so that workers would hold GPUs that nothing uses; delete it, or device",
    ),
    Rule("tracking.mlflow_uri", _mlflow, "mlflow is false; delete one of the two"),
    Rule("tracking.champion", _mlflow, "champions are models in MLflow, and mlflow is false; delete one of the two"),
    Rule("tracking.model", _mlflow, "models are registered in MLflow, and mlflow is false; delete one of the two"),
    Rule("tracking.animation", _mlflow, "films are kept in MLflow, and mlflow is false; `nas watch` makes one"),
    Rule("tracking.model", _champion, "champion is null, so that no model is registered; delete one of the two"),
    Rule(
        "search.least_gain",
        lambda at: at.job.search.stop == "converged",
        "it says when a search ends by itself; set search.stop: converged, or leave it out",
    ),
    Rule("tracking.animation", _champion, "it films the champion, and champion is null; `nas watch` makes one"),
    Rule(
        "tracking.animation",
        lambda at: at.of_neurons,
        "only networks of neurons can be filmed while they learn; delete it",
    ),
    Rule(
        "training.activation",
        lambda at: not getattr(at.options, "activations", ()),
        "space.options.activations gives each neuron one of its own; delete one of the two",
    ),
    Rule(
        "space.options.activation",
        lambda at: not getattr(at.options, "activations", ()),
        "activations gives each neuron one of its own; delete one of the two",
    ),
    *(
        Rule(
            f"space.options.{name}",
            _strategy("evolution", "optuna"),
            "it limits what mutation makes, and strategy: random mutates nothing; delete it",
        )
        for name in ("max_memory", "memory_mutation", "max_nodes")
    ),
)
