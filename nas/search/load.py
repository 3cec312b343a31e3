"""From the name of a space in a job file to the space, and to what its networks are."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ValidationError

from nas._named import import_named
from nas.errors import JobError, NasError
from nas.search.config import SpaceConfig
from nas.search.space import Choice, SearchSpace, SpaceOptions, TaskShape
from nas.training.acting import NEURONS, NetworkKind
from nas.training.structure import structure_of
from nas.training.types import Dataset, Genome, Scalar, TrainingConfig

__all__ = [
    "first_genome",
    "first_problem",
    "kinds_of",
    "load_space",
    "refuse_abstract",
    "refuse_unreadable",
    "space_class",
    "space_options",
]


def load_space(config: SpaceConfig, dataset: Dataset | TaskShape) -> SearchSpace:
    """The space that a job names, see `space_class`.

    Raises:
        JobError: no such module or class, or options that it refuses.
    """
    found = space_class(config)
    options = space_options(found, config)
    return found(options, dataset if isinstance(dataset, TaskShape) else TaskShape.of(dataset))


def space_class(config: SpaceConfig) -> type[SearchSpace]:
    """The class of the space that a job names: ``Space`` of a module of `search_spaces`, or ``module:Class``.

    Raises:
        JobError: there is no such module or class.
    """
    module_name, _, class_name = config.name.partition(":")
    if not class_name:
        module_name, class_name = f"nas.search_spaces.{config.name}", "Space"
    try:
        module = import_named(module_name) if ":" in config.name else importlib.import_module(module_name)
        found = getattr(module, class_name)
    except (ImportError, AttributeError) as error:
        raise JobError(
            f'space.name: cannot load {config.name!r} ({error}); use "neuron_dag", "manifold", "families", '
            '"layer_dag", "recurrent", or "module:Class" of an importable module'
        ) from error
    if not (isinstance(found, type) and issubclass(found, SearchSpace)):
        raise JobError(f"space.name: {config.name!r} must name a subclass of nas.search.SearchSpace, got {found!r}")
    refuse_abstract(found, f"space.name: {config.name!r}", "space")
    return found


def refuse_abstract(found: type, where: str, what: str) -> None:
    """Refuse a class of the user's own that lacks methods: Python would say so only when one is made, in its own words.

    Args:
        where: the key of the job and what it names, for the message.
        what: the class is to be, e.g. "space".

    Raises:
        JobError: it lacks some.
    """
    if lacks := ", ".join(sorted(getattr(found, "__abstractmethods__", ()))):
        raise JobError(f"{where} lacks {lacks}, which a {what} has to have")


def first_genome(space: SearchSpace) -> Genome | None:
    """A genome to look at before any trial; None where this one cannot be made: the next may, or the trials say why."""
    try:
        return space.initial(np.random.default_rng(0))
    except NasError:
        return None


def refuse_unreadable(genome: Genome) -> None:
    """Before any trial: whether structures of a space can be made and read again, as resuming and exporting must.

    Args:
        genome: of the space.

    Raises:
        JobError: they cannot: a module of the user's own was not allowed, or cannot be made; a structure of the user's
            own has no reader, or is not what its text says.
    """
    structure = genome.structure
    if structure is None:
        return
    try:
        text = structure.to_json()
        again = structure_of(structure.kind, text).to_json()
        structure.build(0)
    except NasError as error:
        raise JobError(f"space.name: the first network of this space cannot be read again or made: {error}") from error
    if again != text:
        raise JobError(
            f"space.name: structures of kind {structure.kind!r} must be read again as they were written, but "
            f"{text[:80]!r} came back as {again[:80]!r}"
        )


def space_options(found: type[SearchSpace], config: SpaceConfig) -> SpaceOptions:
    """The options of a job's space.

    Raises:
        JobError: it refuses them.
    """
    try:
        return found.Options.model_validate(config.options)
    except ValidationError as error:
        raise JobError(first_problem(error, found.Options, "space.options")) from error


def kinds_of(
    kind: NetworkKind | None, fixed: Mapping[str, Scalar], options: SpaceOptions, training: TrainingConfig
) -> tuple[NetworkKind, ...]:
    """The kinds of networks that a job's candidates may be; several where the search chooses the parametrisation.

    Args:
        kind, fixed: of the space, see `SearchSpace`.
    """
    if kind is not None:
        return (kind,)
    key = "parametrisation"
    found: tuple[Scalar, ...] = (fixed.get(key, training.parametrisation),)
    domain = options.hyperparameters.get(key)
    if key not in fixed and isinstance(domain, Choice):
        found = domain.choices
    return tuple(NEURONS[str(name)] for name in found)


def first_problem(error: ValidationError, model: type[BaseModel], section: str) -> str:
    """What is wrong with the options in a section, and what is allowed."""
    problem = error.errors()[0]
    path = ".".join((section, *(str(part) for part in problem["loc"])))
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(problem["loc"][-1]), model.model_fields, n=1)
        hint = f"did you mean {near[0]}? " if near and len(problem["loc"]) == 1 else ""
        return f"{path}: unknown key; {hint}the options are {', '.join(model.model_fields) or 'none'}"
    return f"{path}: {problem['msg']}, got {problem['input']!r}"
