"""The DAG of a connection matrix: inputs read by outputs, nothing between."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from nas.errors import GraphError
from nas.graph._dag import DAG

__all__ = ["bipartite"]


def bipartite(connections: Any, *, n_inputs: int | None = None, n_outputs: int | None = None) -> DAG:
    """The DAG whose inputs are the columns and whose outputs are the rows of a connection matrix.

    Args:
        connections: (n_outputs, n_inputs), dense or scipy sparse, numbers or booleans; ``M[i, j] != 0`` connects input
            j to output i, as in the weight of ``torch.nn.Linear``. Rows without any connection are allowed.
        n_inputs, n_outputs: what the shape must be, where that is known.

    Raises:
        GraphError: the matrix is not two-dimensional, numeric and finite, or has another shape.
    """
    if scipy.sparse.issparse(connections):
        coordinates = connections.tocoo()
        shape = tuple(int(size) for size in coordinates.shape)
        rows, columns, values = coordinates.row, coordinates.col, np.asarray(coordinates.data)
    else:
        dense = np.asarray(connections)
        shape = dense.shape
        if dense.dtype.kind not in "biuf":
            raise GraphError(f"connections must hold numbers or booleans, but are of type {dense.dtype}")
        rows, columns = np.nonzero(dense) if dense.ndim == 2 else (np.empty(0, int), np.empty(0, int))
        values = dense[rows, columns] if dense.ndim == 2 else dense
    expected = tuple("any" if size is None else size for size in (n_outputs, n_inputs))
    if len(shape) != 2 or any(want not in ("any", size) for want, size in zip(expected, shape, strict=True)):
        hint = "; transpose it" if len(shape) == 2 and shape[::-1] == expected else ""
        raise GraphError(
            f"connections must have shape ({expected[0]}, {expected[1]}), a row an output and a column an input, "
            f"but have shape {tuple(shape)}{hint}"
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise GraphError(f"connections[{rows[bad]}, {columns[bad]}] must be finite, but is {values[bad]}")
    live = values != 0
    pairs = np.stack([columns[live], rows[live].astype(np.int64) + shape[1]], axis=1).astype(np.int64)
    return DAG(shape[1], 0, shape[0], np.unique(pairs, axis=0), allow_unreachable=True)
