"""Several trained networks as one: their neurons side by side, their outputs the mean."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from nas.graph import DAG
from nas.manifold._network import parametrisation_of

__all__ = ["mean_of"]


def mean_of(
    networks: Sequence[tuple[DAG, Mapping[str, np.ndarray]]], *, next_id: int
) -> tuple[DAG, dict[str, np.ndarray]]:
    """The network whose outputs are the mean of those of several, which err less than one where their errors differ
    (Perrone and Cooper 1993, "When networks disagree").

    It is a DAG like any other: inputs and outputs are shared, the computational neurons of all stand side by side, and
    what they send to an output counts one share each. An edge from an input to an output that several have is one.

    Args:
        networks: DAG and `ManifoldNetwork.to_arrays` of each, of free weights; with the same numbers of inputs and
            outputs, the same activation and outputs without one.
        next_id: first id of the neurons of all but the first network, which keeps its own.

    Returns:
        DAG and arrays of the mean.

    Raises:
        ValueError: no network, weights that are not free, or other numbers of inputs or outputs.
    """
    if not networks:
        raise ValueError("a mean needs at least one network, but got none")
    first = networks[0][0]
    for dag, arrays in networks:
        if (kind := parametrisation_of(arrays)) != "free":
            raise ValueError(f"a mean is of networks with free weights, but one is {kind}")
        if (dag.n_inputs, dag.n_outputs) != (first.n_inputs, first.n_outputs):
            raise ValueError(
                f"a mean is of networks with the same inputs and outputs, but one has {dag.n_inputs} and "
                f"{dag.n_outputs}, another {first.n_inputs} and {first.n_outputs}"
            )
    own = [dag.n_computational for dag, _ in networks]
    ends = first.n_inputs + np.cumsum(own)
    n_outputs, share = first.n_outputs, 1 / len(networks)
    n = int(ends[-1]) + n_outputs
    cells, weights = [], []
    bias = np.zeros(n - first.n_inputs)
    for (dag, arrays), end in zip(networks, ends.tolist(), strict=True):
        number = np.concatenate(
            [np.arange(dag.n_inputs), np.arange(end - dag.n_computational, end), np.arange(n - n_outputs, n)]
        )
        into_output = dag.targets >= dag.first_output
        cells.append(number[dag.targets] * n + number[dag.sources])
        weights.append(np.where(into_output, share, 1.0) * arrays["weight"])
        of = slice(end - dag.n_computational - first.n_inputs, end - first.n_inputs)
        bias[of] = arrays["bias"][: dag.n_computational]
        bias[-n_outputs:] += share * arrays["bias"][dag.n_computational :]
    cell, place = np.unique(np.concatenate(cells), return_inverse=True)  # as a DAG sorts its edges
    weight = np.bincount(place, np.concatenate(weights))
    dags = [dag for dag, _ in networks]
    fresh = next_id + np.arange(sum(own[1:]))
    names = None
    if first.names is not None:
        names = (*first.names[: first.first_output], *(f"n{identity}" for identity in fresh.tolist()))
        names = (*names, *first.names[first.first_output :])
    activations = None
    if any(dag.activations is not None for dag in dags):
        words = [(dag.activations or ("",) * dag.n)[dag.n_inputs : dag.first_output] for dag in dags]
        activations = (*("",) * first.n_inputs, *itertools.chain(*words), *("",) * n_outputs)
    mean = DAG(
        first.n_inputs,
        sum(own),
        n_outputs,
        np.stack([cell % n, cell // n], axis=1),
        ids=np.concatenate([first.ids[: first.first_output], fresh, first.ids[first.first_output :]]),
        names=names,
        allow_unreachable=any(dag.allow_unreachable for dag in dags),
        activations=activations,
    )
    return mean, {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}
