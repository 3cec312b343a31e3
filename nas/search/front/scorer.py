"""What networks are judged by: what the job says, else the error, or the balanced one where classes are very unequal.

At 97 to 3, a network that never finds the rare class has 97 % accuracy. Compared by that, all networks are as good
within what some hundred validation samples can tell, and the smallest of them, which finds nothing, is picked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from nas.search.config import SearchConfig
from nas.training import Dataset, Finding, LoadedData
from nas.training.quality.judged import PLAIN, scorer_label

__all__ = ["scorer_label", "with_scorer"]

UNEQUAL: Final = 0.2  # of its even share: a class that has less is rare
_BALANCED: Final = "balanced_accuracy"


# Of two classes these judge one, which scikit-learn calls positive: the last in the order of the labels.
_ONE_CLASS: Final = frozenset({"average_precision", "f1", "jaccard", "precision", "recall"})


def _of_class(dataset: Dataset, scorer: str) -> str:
    if scorer not in _ONE_CLASS or len(dataset.classes) != 2:
        return ""
    both = "" if scorer == "average_precision" else f" ({scorer}_macro is of both)"
    return f", of class {dataset.classes[-1]}{both}"


def with_scorer(data: LoadedData, config: SearchConfig) -> LoadedData:
    """The data with the scorer by which its networks are judged, and a finding that says so."""
    dataset = data.dataset
    key = "search.objectives"
    if config.scorer not in (None, PLAIN):
        found = Finding("judged by", scorer_label(str(config.scorer)) + _of_class(dataset, str(config.scorer)), key)
        return replace(data, dataset=replace(dataset, scorer=str(config.scorer)), findings=(*data.findings, found))
    if dataset.task != "classification" or "error" not in config.objectives:
        return data
    counts = np.bincount(dataset.y_val, minlength=dataset.n_outputs)
    rare = int(counts.argmin())
    share = counts[rare] / counts.sum()
    if share * dataset.n_outputs >= UNEQUAL:
        return data
    unequal = f"class {dataset.classes[rare]} is {100 * share:.2g} % of the samples, too few for the accuracy to show"
    if config.scorer is None:
        found = Finding("judged by", f"{_BALANCED}: {unequal}", key)
        return replace(data, dataset=replace(dataset, scorer=_BALANCED), findings=(*data.findings, found))
    costs = ", ".join(name for name in config.objectives if name != "error")
    found = Finding("note", f"{unequal}; [{_BALANCED}{', ' if costs else ''}{costs}] would", key)
    return replace(data, findings=(*data.findings, found))
