"""Settings that a job states and that would do nothing: found when it is read, so that none is accepted in silence.

What of the training section acts is said by the kind of the space's networks (`nas.training.NetworkKind`); what of the
other sections acts depends on single values elsewhere (`nas._rules`). Only what is stated counts: a default that has no
use here is no claim of anybody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from nas._jobfile import KeyPath, dotted
from nas._metrics_named import wrong_metrics, wrong_pick
from nas._rules import RULES, Sections, Situation
from nas.errors import JobError
from nas.search import PickError
from nas.search.load import kinds_of, space_class, space_options
from nas.search.unread import unread_options
from nas.training import LoadedData
from nas.training.acting import MODULES
from nas.training.types import Dataset, Genome

__all__ = ["refuse_pick", "refuse_unread", "refuse_unused", "stated_paths", "unused_settings"]

_NO_IMAGES: Final = (
    "it does nothing here: it moves images, but nothing says that the data are any; delete it, or state data.period "
    "and data.channels"
)


def refuse_unused(job: Sections, genome: Genome | None, data: LoadedData) -> None:
    """As when the job was read, now that a genome of its space and its data can be looked at: they may say more.

    Args:
        genome: of the space; None where none could be made.
        data: of the job.

    Raises:
        JobError: a setting is stated that would do nothing, or a bound of what networks do not have.
    """
    problems = [f"{dotted(path)}: {why}" for path, why in unused_settings(job, genome, data.dataset)]
    stated = {name for name, *_ in stated_paths(job.data)}
    problems += [f"data.{name}: it does nothing here: {why}" for name, why in data.idle.items() if name in stated]
    if problems:
        raise JobError("\n".join(problems))


def refuse_pick(how: str, job: Sections, genome: Genome | None, data: LoadedData) -> None:
    """Before a search: whether a network of its front could be picked so (see `nas.search.Front.pick`).

    Args:
        genome: of the space; None where none could be made.
        data: of the job.

    Raises:
        PickError: none could.
    """
    if wrong := wrong_pick(how, _situation(job, genome), data.dataset):
        raise PickError(wrong)


def refuse_unread(job: Sections, dataset: Dataset) -> None:
    """Before any trial: whether something reads each option of the space that the job states.

    Raises:
        JobError: one does nothing.
    """
    found = unread_options(job.space, dataset, mutates=_situation(job, None).mutates_genomes)
    if found:
        raise JobError("\n".join(f"space.options.{name}: it does nothing here: {why}" for name, why in found.items()))


def unused_settings(
    job: Sections, genome: Genome | None = None, dataset: Dataset | None = None
) -> Iterator[tuple[KeyPath, str]]:
    """What ``job`` states and nothing uses: its path, and the rest of a message about it.

    Where the space's module cannot be imported, as on a machine from which a job is submitted, what depends on the
    space is left to who runs it.

    Args:
        genome: of the space, if there is one: what it overrides and whether it has a structure is heeded, too.
        dataset: of the job, if it has been read: then it is known which metrics networks have.

    Raises:
        JobError: the space refuses its options.
    """
    at = _situation(job, genome)
    stated = set(stated_paths(job))
    told: set[KeyPath] = set()
    for path in stated_paths(job.training):
        if path[:-1] in told:  # a section that is unused is told once
            continue
        if (why := _why_not_trained(at, ".".join(map(str, path)))) is not None:
            told.add(path)
            yield ("training", *path), why
    if ("space", "options", "hyperparameters") in stated:
        for name in at.searched:
            if (why := _why_unused(at, name)) is not None:
                yield ("space", "options", "hyperparameters", name), why
    for rule in RULES:
        path = tuple(rule.path.split("."))
        if path[:2] == ("search", "options") and ":" in job.search.strategy:
            continue  # a strategy of one's own, whose options only happen to be called so
        if path in stated and not rule.acts(at):
            yield path, f"it does nothing here: {rule.why}"
    if dataset is not None and not dataset.channels:
        if job.training.input_shift:
            yield ("training", "input_shift"), _NO_IMAGES
        if ("space", "options", "hyperparameters") in stated and "input_shift" in at.searched:
            yield ("space", "options", "hyperparameters", "input_shift"), _NO_IMAGES
    yield from wrong_metrics(at, dataset)


def stated_paths(section: Any) -> Iterator[KeyPath]:
    """Paths of all fields that a section of a job states, sections included; null and empty values state nothing."""
    for name in type(section).model_fields if isinstance(section, BaseModel) else section:
        if isinstance(section, BaseModel) and name not in section.model_fields_set:
            continue
        value = getattr(section, name) if isinstance(section, BaseModel) else section[name]
        if value is None or (isinstance(value, tuple | list | dict) and not value):
            continue
        yield (name,)
        if isinstance(value, BaseModel) or (isinstance(value, dict) and name == "options"):
            yield from ((name, *rest) for rest in stated_paths(value))


def _situation(job: Sections, genome: Genome | None) -> Situation:
    try:
        space = space_class(job.space)
    except JobError:
        return Situation(job, None, {}, ())
    options = space_options(space, job.space)
    fixed = dict(space.fixed)
    if genome is not None:
        searched = options.hyperparameters
        fixed |= {path: value for path, value in genome.hyperparameters.items() if path not in searched}
        if genome.structure is not None and space.kind is None:
            return Situation(job, options, fixed, (MODULES,))
    elif ":" in job.space.name and space.kind is None:
        return Situation(job, options, fixed, ())  # one's own: only a genome tells whether it is of neurons
    return Situation(job, options, fixed, kinds_of(space.kind, fixed, options, job.training))


def _why_not_trained(at: Situation, path: str) -> str | None:
    """Why a stated field of the training section does nothing; None where it acts."""
    if (why := _why_unused(at, path)) is not None:
        return why
    if path not in at.searched or at.guesses:
        return None
    return (
        f"it does nothing here: the search chooses it for every trial; delete it, or take {path} out of "
        "space.options.hyperparameters"
    )


def _why_unused(at: Situation, path: str) -> str | None:
    name = at.job.space.name
    if path in at.fixed:
        value: Any = at.job.training
        for part in path.split("."):
            value = getattr(value, part)
        if value == at.fixed[path] and path not in at.searched:
            return None
        return f"it does nothing here: space {name!r} has {at.fixed[path]!r} for all; delete it, or use another space"
    reasons = [kind.why_unused(path) for kind in at.kinds]
    if not reasons or None in reasons:
        return None
    return f"it does nothing for networks of {at.kinds[0].name}, of which space {name!r} is: {reasons[0]}"
