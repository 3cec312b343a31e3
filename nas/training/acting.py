"""Which fields of a job's training section act on which kind of network: one declaration a kind.

A field that does nothing is a wrong result with a straight face, so a job that states one is refused when it is read
(`nas._settings`). The table of docs/how-to/settings.md and the JSON Schema come from here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from nas.manifold import TERMS
from nas.training.types import TrainingConfig

__all__ = ["KINDS", "LAYERS", "MODULES", "NEURONS", "SEQUENCES", "NetworkKind", "acting_table", "training_paths"]


@dataclass(frozen=True, slots=True)
class NetworkKind:
    """What a space's networks are to a trainer.

    Attributes:
        name: in messages, after "networks of".
        unused: by dotted path of the training section, a field or a whole section, what to do instead of stating it.
    """

    name: str
    unused: Mapping[str, str]

    def why_unused(self, path: str) -> str | None:
        """What to do instead where the field at ``path`` does nothing; None where it acts."""
        parts = path.split(".")
        prefixes = (".".join(parts[: k + 1]) for k in range(len(parts)))
        return next((self.unused[prefix] for prefix in prefixes if prefix in self.unused), None)


_LEARNED: Final = "only where an edge has a closeness (space: manifold with parametrisation masked or manifold)"
_FREE: Final[dict[str, str]] = {
    **{
        f"losses.{name}": f"it pulls on closeness, {_LEARNED}; {term.instead_of_neurons or term.instead}"
        for name, term in TERMS.items()
        if term.of_shares
    },
    "losses.temperature": f"it is of the count of edges by closeness, {_LEARNED}",
    "losses.final_temperature": f"it is of the count of edges by closeness, {_LEARNED}",
    "structure_until": f"training shapes structure {_LEARNED}; training.sparsify.end says when cuts end",
    "on_lost_output": f"training can lose an output {_LEARNED}; cuts never do",
    "closeness": f"there is closeness {_LEARNED}",
}
_FREE_ONLY: Final = "only free weights (parametrisation: free) can come where none were"
_GROWING: Final[dict[str, str]] = {"sparsify.grow": _FREE_ONLY, "sparsify.regrow": _FREE_ONLY}
_MANIFOLD: Final[dict[str, str]] = {
    **_GROWING,
    "sparsify.criterion": "there is no weight whose moments tell saliency; parametrisation: masked or free has them",
}

_FIXED: Final = "their structure stays as it is while they train"
_MODULES: Final[dict[str, str]] = {
    **{f"losses.{name}": f"{_FIXED}; {term.instead}" for name, term in TERMS.items()},
    "losses.temperature": f"{_FIXED}; it is of the count of edges by closeness",
    "losses.final_temperature": f"{_FIXED}; it is of the count of edges by closeness",
    "structure_until": _FIXED,
    "on_lost_output": f"{_FIXED}, so that no output is lost",
    "sparsify": f"{_FIXED}; let the search mutate it",
    "parametrisation": "they have weights of their own; it is of the edges between neurons",
    "closeness": "they have weights of their own; it is of the edges between neurons",
    "latency": "C is written of networks of neurons without memory; leave it out",
    "precision": "integers are of networks of neurons without memory; leave it out",
    "readout": "their last layer is the output; it is of networks of neurons",
}

NEURONS: Final[Mapping[str, NetworkKind]] = {
    "free": NetworkKind("neurons with free weights", _FREE),
    "masked": NetworkKind("neurons with masked weights", _GROWING),
    "manifold": NetworkKind("neurons whose weights are their closeness", _MANIFOLD),
}
"""By ``training.parametrisation``."""

MODULES: Final = NetworkKind("modules", {**_MODULES, "activation": "a structure says itself which activations it has"})
"""Any structure that is trained as a torch module; what a space of your own takes where its genomes have one."""

LAYERS: Final = NetworkKind(
    "layers", {**_MODULES, "activation": "each layer has its own; space.options.activations says which there are"}
)
SEQUENCES: Final = NetworkKind(
    "neurons with memory",
    {**_MODULES, "activation": "space.options.activation is that of their neurons, and activations gives each its own"},
)
KINDS: Final = (*NEURONS.values(), LAYERS, SEQUENCES)


def training_paths(model: type[BaseModel] = TrainingConfig, prefix: str = "") -> list[str]:
    """Dotted paths of all fields of the training section, in its order."""
    paths: list[str] = []
    for name, field in model.model_fields.items():
        found = [
            part for part in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(part, type)
        ]
        section = next((part for part in found if issubclass(part, BaseModel)), None)
        paths += [prefix + name] if section is None else training_paths(section, f"{prefix}{name}.")
    return paths


def acting_table(kinds: Iterable[NetworkKind] = KINDS) -> str:
    """A Markdown table: for each field of the training section, on which kinds of networks it acts."""
    kinds = tuple(kinds)
    lines = ["| field of `training` | " + " | ".join(kind.name for kind in kinds) + " |", "| --- " * (len(kinds) + 1)]
    lines[1] += "|"
    for path in training_paths():
        marks = ("acts" if kind.why_unused(path) is None else "refused" for kind in kinds)
        lines.append(f"| `{path}` | " + " | ".join(marks) + " |")
    return "\n".join(lines)
