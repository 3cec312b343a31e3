"""What networks are judged by: what the job says, else the error, or the balanced one where classes are very unequal.

At 97 to 3, a network that never finds the rare class has 97 % accuracy. Compared by that, all networks are as good
within what some hundred validation samples can tell, and the smallest of them, which finds nothing, is picked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from nas.search.config import SearchConfig
from nas.training import DataConfig, Dataset, Finding, LoadedData
from nas.training.quality.judged import PLAIN, scorer_label
from nas.training.quality.scores import of_class, one_class

__all__ = ["scorer_label", "weigh_alike", "with_scorer"]

UNEQUAL: Final = 0.2  # of its even share: a class that has less is rare
_BALANCED: Final = "balanced_accuracy"


def weigh_alike(job_data: DataConfig, data: LoadedData) -> bool:
    """Whether classes should count alike in training, because they do in what networks are judged by, and nobody said
    what they count.

    At 97 to 3, what minimises the cross-entropy finds a third of the rare class where nine tenths can be found.
    """
    return data.dataset.scorer == _BALANCED and job_data.class_weight is None


def with_scorer(data: LoadedData, config: SearchConfig) -> LoadedData:
    """The data with the scorer by which its networks are judged, and a finding that says so."""
    dataset = data.dataset
    key = "search.objectives"
    if config.scorer not in (None, PLAIN):
        stated = str(config.scorer)
        scorer = of_class(stated, dataset.classes, _counts(dataset))
        other = f"; {stated}:{{LABEL}} judges another class" if scorer != stated else ""
        own = ", less of which is better" if stated.partition(":")[2] and not one_class(stated)[1] else ""
        found = Finding("judged by", scorer_label(scorer) + own + other, key)
        return replace(data, dataset=replace(dataset, scorer=scorer), findings=(*data.findings, found))
    if dataset.task != "classification" or "error" not in config.objectives:
        return data
    counts = _counts(dataset)
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


def _counts(dataset: Dataset) -> np.ndarray:
    """Samples of each class, (classes,); of the validation part, whose rows no weights repeat."""
    classes = dataset.task == "classification"
    return np.bincount(dataset.y_val, minlength=dataset.n_outputs) if classes else np.zeros(0)
