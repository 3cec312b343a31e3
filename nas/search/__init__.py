"""Search: strategies that are asked for candidates and told results, the record of a study, and its Pareto front.

Nothing here trains or knows where training happens: an `Executor` evaluates, `run_search` connects the two.

`nas.search(…)`, a whole search in one line, is `nas.study.search`: this package can be called.
"""

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

import nas.search._bars  # noqa: F401 - before Optuna
from nas.search._driver import Progress, run_search
from nas.search._make import make_strategy
from nas.search._replay import Replay, replay
from nas.search._warm_up import warm_up
from nas.search.baselines.run import Baseline, Baselines, baseline_seconds, record_baselines, train_baselines
from nas.search.config import (
    UNLIMITED,
    EvolutionOptions,
    HalvingConfig,
    OptunaOptions,
    RandomOptions,
    ResourcesConfig,
    SearchConfig,
    SpaceConfig,
    StrategyOptions,
)
from nas.search.errors import PickError, StorageError, StudyError
from nas.search.executor import (
    Evaluate,
    EvaluateGroup,
    Executor,
    SerialExecutor,
    WorkerView,
    evaluated,
)
from nas.search.front.front import Front, FrontMember, metrics_of_pick
from nas.search.front.importance import Importance, Importances, importances, unknown_importances
from nas.search.front.objectives import Objectives, error_reference
from nas.search.front.retime import Timed, retime, time_side_by_side
from nas.search.front.saturation import AnytimeCurve, CurvePoint, Saturation, saturation
from nas.search.front.scorer import scorer_label, weigh_alike, with_scorer
from nas.search.front.verdict import beaten_by, verdict
from nas.search.load import first_genome, load_space, refuse_unreadable
from nas.search.rebuild import rebuild_module, rebuild_network, trained_module, trained_network
from nas.search.space import (
    DEFAULT_HYPERPARAMETERS,
    Choice,
    Range,
    SearchSpace,
    SpaceOptions,
    TaskShape,
    searched_domains,
    stable_ids,
)
from nas.search.strategies.evolution import EvolutionStrategy
from nas.search.strategies.halving import Halving
from nas.search.strategies.inherit import store_inheritance
from nas.search.strategies.optuna_sampler import OptunaStrategy
from nas.search.strategies.pace import work_of
from nas.search.strategies.population import Individual, Population
from nas.search.strategies.random_search import RandomStrategy
from nas.search.strategies.strategy import Inheritance, Parent, Strategy
from nas.search.study.records import Rung, TrialRecord
from nas.search.study.store import StudyStore
from nas.training.quality.objectives import OBJECTIVES, Objective, ObjectiveScale

__all__ = [
    "DEFAULT_HYPERPARAMETERS",
    "OBJECTIVES",
    "UNLIMITED",
    "AnytimeCurve",
    "Baseline",
    "Baselines",
    "Choice",
    "CurvePoint",
    "Evaluate",
    "EvaluateGroup",
    "EvolutionOptions",
    "EvolutionStrategy",
    "Executor",
    "Front",
    "FrontMember",
    "Halving",
    "HalvingConfig",
    "Importance",
    "Importances",
    "Individual",
    "Inheritance",
    "Objective",
    "ObjectiveScale",
    "Objectives",
    "OptunaOptions",
    "OptunaStrategy",
    "Parent",
    "PickError",
    "Population",
    "Progress",
    "RandomOptions",
    "RandomStrategy",
    "Range",
    "Replay",
    "ResourcesConfig",
    "Rung",
    "Saturation",
    "SearchConfig",
    "SearchSpace",
    "SerialExecutor",
    "SpaceConfig",
    "SpaceOptions",
    "StorageError",
    "Strategy",
    "StrategyOptions",
    "StudyError",
    "StudyStore",
    "TaskShape",
    "Timed",
    "TrialRecord",
    "WorkerView",
    "baseline_seconds",
    "beaten_by",
    "error_reference",
    "evaluated",
    "first_genome",
    "importances",
    "load_space",
    "make_strategy",
    "metrics_of_pick",
    "rebuild_module",
    "rebuild_network",
    "record_baselines",
    "refuse_unreadable",
    "replay",
    "retime",
    "run_search",
    "saturation",
    "scorer_label",
    "searched_domains",
    "stable_ids",
    "store_inheritance",
    "time_side_by_side",
    "train_baselines",
    "trained_module",
    "trained_network",
    "unknown_importances",
    "verdict",
    "warm_up",
    "weigh_alike",
    "with_scorer",
    "work_of",
]


class _Callable(ModuleType):
    """The type of this package, because the function of its name is what people call."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """A whole search in one line; see `nas.study.search`."""
        # By name, because the function is made of all the parts, and this is one of them.
        return importlib.import_module("nas.study").search(*arguments, **keywords)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(importlib.import_module("nas.study").search)


sys.modules[__name__].__class__ = _Callable
