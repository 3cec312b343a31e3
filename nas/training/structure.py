"""What a genome may build besides a DAG of neurons: any torch module that can be described by text and rebuilt.

A genome without a structure is a network of neurons on its DAG. One with a structure is whatever that builds; its DAG
is then a picture of it, in units of its own. Everything between a strategy and a worker treats structures alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import nn

from nas.errors import GraphError
from nas.graph import DAG
from nas.layers import LayerStructure
from nas.recurrent import RecurrentStructure

__all__ = ["Structure", "module_of", "register_structure", "structure_of"]


class Structure(Protocol):
    """An immutable, picklable value."""

    kind: ClassVar[str]
    """A name of its own, under which `register_structure` knows how to read it back."""

    @property
    def dag(self) -> DAG:
        """A picture of it: drawn in the tracker, and kept beside the weights."""
        ...

    def to_json(self) -> str:
        """Text from which the reader that is registered for `kind` makes an equal value."""
        ...

    def build(self, seed: int) -> nn.Module:
        """A module that maps (batch, n_inputs) to (batch, n_outputs); its state dictionary is what is saved."""
        ...

    def inherit(self, parent: Any, arrays: Mapping[str, np.ndarray], seed: int) -> Mapping[str, np.ndarray] | None:
        """A state dictionary for this structure from its (trained) parent's; None where nothing can be inherited."""
        ...

    def measures(self) -> dict[str, float]:
        """Size in the words of a `TrialResult`: edges, density, depth, neurons, or their equivalents."""
        ...


_READERS: dict[str, Callable[[str], Structure]] = {
    LayerStructure.kind: LayerStructure.from_json,
    RecurrentStructure.kind: RecurrentStructure.from_json,
}


def register_structure(kind: str, reader: Callable[[str], Structure]) -> None:
    """Make structures of your own readable in this process.

    Args:
        kind: as in `Structure.kind`.
        reader: inverse of `Structure.to_json`; must run no code that the text names.
    """
    _READERS[kind] = reader


def structure_of(kind: str, text: str) -> Structure:
    """The structure that `text` describes.

    Raises:
        NasError: nobody registered that kind, or the text is damaged.
    """
    if kind not in _READERS:
        raise GraphError(
            f"structures must be of a kind that is known ({', '.join(_READERS)}), but this is {kind[:40]!r}; "
            "import the module that registers it (nas.training.register_structure)"
        )
    return _READERS[kind](text)


def module_of(structure: Structure, arrays: Mapping[str, np.ndarray]) -> nn.Module:
    """The module of a structure with its trained state, in evaluation mode.

    Raises:
        ValueError: arrays are missing, too many, or of other shapes.
    """
    module = structure.build(0)
    try:
        module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    except RuntimeError as error:
        raise ValueError(f"the arrays do not fit the structure: {error}") from None
    return module.eval()
