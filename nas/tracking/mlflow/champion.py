"""The network that a search hands over: a registered model, a card, its lineage, and perhaps a film of its training."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.tracking.plots.animation import Animation
from nas.tracking.plots.lineage import Ancestor, lineage_html, lineage_png

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

__all__ = ["Champion", "champion_files", "save_served"]

_CODE = Path(__file__).with_name("_served_network.py")
_LABELS = {"integer": "long", "boolean": "boolean"}
_MOST_COLUMNS = 100  # features of a table that the signature names one by one
_NEEDED = ("dag-nas", "torch", "numpy", "numba", "safetensors", "pandas")  # to load the model elsewhere


@dataclass(frozen=True, slots=True, eq=False)
class Champion:
    """A finished trial, with all that is published of it."""

    number: int  # trial number in the study
    card: str  # Markdown
    line: Sequence[Ancestor]  # from its first ancestor to itself
    others: Sequence[Mapping[str, float]] = ()  # metrics of the other trials, for the picture of the lineage
    checkpoint: Path | None = None  # safetensors with the scaling in its record; None: nothing is registered
    # Features as they were measured: (k, n_inputs), or of a table k values of each column, None where missing.
    examples: np.ndarray | Mapping[str, Sequence[Any]] | None = None
    feature_names: tuple[str, ...] = ()  # of a table's columns; empty for images
    kinds: tuple[str, ...] = ()  # of these: number, integer, boolean, category, date; (): numbers all
    outputs: tuple[str, ...] = ()  # names of the columns that the served model answers
    labels: str = "text"  # type of what it answers as label: integer, boolean or text
    animation: Animation | None = None


def champion_files(champion: Champion, folder: Path) -> list[Path]:
    """Write the card, the lineage and the film into `folder`; raises what drawing raises."""
    card, picture, page = folder / "model_card.md", folder / "lineage.png", folder / "lineage.html"
    card.write_text(champion.card, encoding="utf-8")
    picture.write_bytes(lineage_png(champion.line, champion.others))
    page.write_text(lineage_html(champion.line, champion.others), encoding="utf-8")
    files = [card, picture, page]
    if champion.animation is not None:
        film, player = folder / "animation.mp4", folder / "animation.html"
        film.write_bytes(champion.animation.mp4)
        player.write_text(champion.animation.page, encoding="utf-8")
        files += [film, player]
    return files


def save_served(champion: Champion, folder: Path) -> Path:
    """Write the network as an MLflow model into the new folder `folder` / "model"; raises what MLflow raises."""
    import mlflow.pyfunc

    assert champion.checkpoint is not None and champion.examples is not None
    target, network = folder / "model", folder / "network.safetensors"
    shutil.copyfile(champion.checkpoint, network)
    kinds = (champion.kinds or ("number",) * len(champion.feature_names)) if _is_table(champion) else ()
    with warnings.catch_warnings(), _quiet("mlflow.pyfunc"):
        warnings.simplefilter("ignore")  # hints for those who write models by hand
        mlflow.pyfunc.save_model(
            path=str(target),
            python_model=str(_CODE),
            artifacts={"network": str(network)},
            signature=_signature(champion),
            input_example=_example(champion),
            metadata={"columns": dict(zip(champion.feature_names, kinds, strict=True))} if kinds else None,
            pip_requirements=[f"{name}=={version}" for name in _NEEDED if (version := _version(name))],
        )
    return target


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A library's logger without what it says when all is well."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _signature(champion: Champion) -> ModelSignature:
    """What the model answers. Its inputs are left to the network itself, which takes what it was trained on however it
    comes (arrays of any numeric type, tables with integers where there were decimal numbers, dates as text, CSV over
    HTTP), and says what is wrong with the rest; MLflow would refuse all but the very types that it is told.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    label = _LABELS.get(champion.labels, "string")
    outputs: list[Any] = [ColSpec(label if name == "label" else "double", name) for name in champion.outputs]
    return ModelSignature(outputs=Schema(outputs))


def _example(champion: Champion) -> Any:
    import pandas as pd

    assert champion.examples is not None
    if not isinstance(champion.examples, np.ndarray):
        return pd.DataFrame(dict(champion.examples))
    values = champion.examples.astype(np.float64)
    return pd.DataFrame(values, columns=list(champion.feature_names)) if _is_table(champion) else values


def _is_table(champion: Champion) -> bool:
    return 0 < len(champion.feature_names) <= _MOST_COLUMNS or isinstance(champion.examples, Mapping)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
