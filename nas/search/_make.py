"""From the sections of a job to the objects of a search."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from nas._named import import_named
from nas.errors import JobError
from nas.manifold import family_named
from nas.search.config import EvolutionOptions, OptunaOptions, SearchConfig
from nas.search.load import first_problem, refuse_abstract
from nas.search.space import SearchSpace
from nas.search.strategies.evolution import EvolutionStrategy
from nas.search.strategies.inherit import store_inheritance
from nas.search.strategies.optuna_sampler import OptunaStrategy
from nas.search.strategies.random_search import RandomStrategy
from nas.search.strategies.strategy import Strategy
from nas.search.study.store import StudyStore
from nas.training.types import TrainingConfig

__all__ = ["make_strategy"]


def make_strategy(config: SearchConfig, space: SearchSpace, training: TrainingConfig, store: StudyStore) -> Strategy:
    """The strategy that a job names.

    A class of your own (``module:Class``) derives from `Strategy` and is called as
    ``Class(space, training, objectives, seed, inheritance=..., options=...)`` with its own `Strategy.Options`, or where
    it has none with the options as a plain dictionary.

    Raises:
        JobError: a class of one's own, or a closeness, cannot be loaded, or it refuses the options.
    """
    if config.strategy == "random":
        return RandomStrategy(space, training, store.objectives, store.seed)
    try:
        family_named(training.closeness)
    except ValueError as error:
        raise JobError(f"training.closeness: {error}") from error
    own = _own(config.strategy) if ":" in config.strategy else None
    options = config.typed_options() if own is None else _own_options(own, config)
    inheritance = store_inheritance(store, training, weights=bool(getattr(options, "inherit", True)))
    if isinstance(options, EvolutionOptions):
        return EvolutionStrategy(
            space, training, store.objectives, store.seed, inheritance=inheritance, options=options
        )
    if isinstance(options, OptunaOptions):
        return OptunaStrategy(space, training, store, inheritance=inheritance, options=options)
    assert own is not None
    return own(space, training, store.objectives, store.seed, inheritance=inheritance, options=options)


def _own(name: str) -> type[Strategy]:
    module_name, _, class_name = name.partition(":")
    try:
        found = getattr(import_named(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise JobError(f"search.strategy: cannot load {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise JobError(f"search.strategy: {name!r} must name a subclass of nas.search.Strategy")
    refuse_abstract(found, f"search.strategy: {name!r}", "strategy")
    return found


def _own_options(strategy: type[Strategy], config: SearchConfig) -> Any:
    if strategy.Options is None:
        return dict(config.options)
    try:
        return strategy.Options.model_validate(config.options)
    except ValidationError as error:
        raise JobError(first_problem(error, strategy.Options, "search.options")) from error
