"""Options of a space that a job states and nothing reads.

What a space of one's own does with its options only its code knows. So it is watched at work: it makes networks, and
changes them where the search would, with options that note which of them are read. One that none of this reads does
nothing, whatever its value.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from nas.errors import NasError
from nas.search.config import SpaceConfig
from nas.search.load import space_class
from nas.search.space import SearchSpace, SpaceOptions, TaskShape
from nas.training.types import Dataset

__all__ = ["ROUNDS", "unread_options"]

ROUNDS: Final = 100  # networks that are made before an option counts as one that nothing reads
_WHOLE: Final = frozenset({"__dict__", "__iter__", "model_copy", "model_dump", "model_dump_json"})  # read all of them


def unread_options(config: SpaceConfig, dataset: Dataset, *, mutates: bool) -> dict[str, str]:
    """Stated options of a job's space that do nothing, and why: the space says so (`SearchSpace.unused_options`), or
    does not read them while it makes networks. Not hyperparameters, which the search reads.

    Args:
        config: of the space.
        dataset: of the job.
        mutates: whether the search changes networks, so that options may be of that.
    """
    found = space_class(config)
    wanted = {name for name, value in config.options.items() if value is not None} - {"hyperparameters"}
    read: set[str] = set()
    options = _watched(found.Options, read).model_validate(config.options)
    read.clear()  # what checks them is no use of them
    rng = np.random.default_rng(0)
    try:
        space = found(options, TaskShape.of(dataset))
        begun = {*read}  # in __init__, which counts
        said = {name: why for name, why in space.unused_options(mutates=mutates).items() if name in wanted}
        read &= begun  # what says so is no use of them, either
        for _ in range(ROUNDS):
            if wanted <= {*read, *said}:
                break
            _work(space, rng, mutates)
    except Exception:  # of code of the user's own: the trials will say so, by their reasons
        return {}
    changed = "makes or changes" if mutates else "makes; none is changed by this strategy"
    why = (
        f"space {config.name!r} does not read it in {ROUNDS} networks that it {changed}; delete it, or read it in the "
        "space (in __init__, if it is rarely used)"
    )
    return {name: said.get(name, why) for name in config.options if name in said or name in wanted - read}


def _work(space: SearchSpace, rng: np.random.Generator, mutates: bool) -> None:
    """What searches ask of a space."""
    try:
        genome = space.initial(rng, size=rng.choice([0.0, rng.random()]), density=rng.choice([0.0, rng.random()]))
        space.encode(genome)
        space.large(rng, edges=int(rng.integers(1, 200)))
        if mutates:
            strength, growth = float(rng.uniform(0.01, 0.3)), float(rng.uniform(-1, 1))
            child, _ = space.mutate(genome, rng, strength, growth=growth, next_id=10**6)
            space.cross(genome, child, rng)
    except NasError:  # this network cannot be made; the next may
        return


def _watched(model: type[SpaceOptions], read: set[str]) -> type[SpaceOptions]:
    """A class of the same options that notes in ``read`` which fields are looked at."""
    fields = frozenset(model.model_fields)

    class Watched(model):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> Any:
            if name in fields:
                read.add(name)
            elif name in _WHOLE:
                read.update(fields)
            return super().__getattribute__(name)

    return Watched
