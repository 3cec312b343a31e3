"""The metrics of a trial in little memory: the tracker knows those of every trial of a search."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping

__all__ = ["Metrics"]

_names: dict[tuple[str, ...], tuple[str, ...]] = {}  # one tuple for all trials with the same metrics


class Metrics(Mapping[str, float]):
    """A read-only mapping, a tenth of the size of a dictionary.

    >>> dict(Metrics({"edges": 3.0, "depth": 2.0}))
    {'edges': 3.0, 'depth': 2.0}
    """

    __slots__ = ("_keys", "_values")

    def __init__(self, values: Mapping[str, float]) -> None:
        keys = tuple(values)
        self._keys = _names.setdefault(keys, keys)
        self._values = array("d", values.values())

    def __getitem__(self, name: str) -> float:
        try:
            return self._values[self._keys.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
