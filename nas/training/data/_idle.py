"""Settings of the `data` section that do nothing for data as it was found, with the reason and what to do.

What a job says of data is judged where it is read; what only the data itself decides, here. A job that states one of
these is refused before its search begins (`nas._settings`); whoever reads the data of an older record is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nas.training.data._raw import RawData
from nas.training.data.config import DataConfig
from nas.training.types import Dataset

__all__ = ["idle_settings"]

_FOR_TABLES: Final = "it is for tables, but these are arrays; delete it"
_OF_DATASET: Final = "the function returns a Dataset, which is taken as it is; delete it, or return arrays or a table"
_OWN_PARTS: Final = "the source has a validation and a test part of its own; delete it"
_OWN_TEST: Final = "the source has a test part of its own; delete it"
_OWN_VALIDATION: Final = "the source has a validation part of its own; delete it"
_CLASSES: Final = "the targets are classes, which have no scale; delete it"
_IN_ORDER: Final = "parts are taken in order (data.split: chronological), and nothing is drawn; delete it"


def idle_settings(config: DataConfig, raw: RawData | None, dataset: Dataset) -> Mapping[str, str]:
    """Fields of the section that change nothing, by name; those that only say what is so anyway are not among them.

    Args:
        config: what was asked for.
        raw: the samples as they were found; None: they were a `Dataset`.
        dataset: what they became.
    """
    if raw is None:
        same = {"source", *(["task"] if config.task == dataset.task else [])}
        return dict.fromkeys((name for name in DataConfig.model_fields if name not in same), _OF_DATASET)
    idle: dict[str, str] = {}
    drawn = config.samples is not None or config.class_weight is not None
    if config.way == "chronological" and not drawn:
        idle["seed"] = _IN_ORDER
    if raw.x_test is not None and raw.x_val is not None:
        fields = ("validation", "test", "split", *(() if drawn else ("seed",)))
        idle.update(dict.fromkeys(fields, _OWN_PARTS))
    elif raw.x_test is not None:
        idle["test"] = _OWN_TEST
    elif raw.x_val is not None:
        idle["validation"] = _OWN_VALIDATION
    if not raw.kinds:
        idle["kinds"] = idle["missing"] = _FOR_TABLES
    if config.ramps is True and not raw.kinds:
        idle["ramps"] = _FOR_TABLES
    elif config.ramps is True and (config.period or raw.period):
        idle["ramps"] = "rows have a period, and pixels or time steps become no ramps; delete it"
    if dataset.task == "classification":
        idle["standardise_targets"] = _CLASSES
    return idle
