"""What a search publishes of the network it hands over: model, card, lineage and film."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas._files import write_whole
from nas.cli._lineage import line_of
from nas.cli.study import export_network, statistics_of

if TYPE_CHECKING:
    from nas.search import Front, FrontMember, StudyStore
    from nas.tracking import Animation, Champion, FrontPoint, TrackingConfig
    from nas.training import Dataset, PinnedCosts, Recording, TrainingConfig

__all__ = ["animation_of", "make_champion", "write_animation"]

_EXAMPLES = 5
_FRAMES = 120


def make_champion(
    study: StudyStore,
    found: Front,
    member: FrontMember,
    dataset: Dataset,
    training: TrainingConfig,
    *,
    chosen: str,
    tracking: TrackingConfig,
    animation: Animation | None = None,
) -> Champion:
    """All that is published of a member of the front; its checkpoint is written into the study's folder.

    Args:
        chosen: how it was picked, for the card.
        tracking: says what the registered model is called, and where it is.
        animation: of its training, where there is one.

    Raises:
        NasError: the trial's files are damaged.
        OSError: the checkpoint cannot be written.
    """
    from nas.tracking import Champion, model_card

    path = study.folder / "champion.safetensors"
    record = export_network(study, member.number, path)
    result = study.load_result(member.number)
    assert result.dag is not None
    line, others = line_of(study, member.number)
    kinds = [str(kind) for kind in (record.get("columns") or {}).get("kinds") or ()]
    card = model_card(
        name=tracking.model_name,
        number=member.number,
        metrics=member.metrics,
        record=record,
        line=line,
        front=[_point(each) for each in found.members],
        samples={
            "training": len(dataset.x_train),
            "validation": len(dataset.x_val),
            "test": len(dataset.x_test),
        },
        sizes=(dataset.n_inputs, result.dag.n_computational, dataset.n_outputs),
        hardware={key: str(value) for key, value in result.hardware.items()},
        batch=training.inference_batch,
        chosen=chosen,
        uri=tracking.tracking_uri,
        error=found.objectives.error_label,
    )
    return Champion(
        member.number,
        card,
        line,
        others,
        # A structure of the user's own needs the user's code, which a model from the registry would not have.
        checkpoint=None if "structure" in record else path,
        examples=_raw(study, dataset, record),
        feature_names=tuple(record["feature_names"] or ()) if dataset.period is None else (),
        kinds=tuple(kinds) if record.get("encoding") or any(kind != "number" for kind in kinds) else (),
        outputs=_outputs(dataset, record),
        labels=str((record.get("columns") or {}).get("labels") or "text"),
        animation=animation,
    )


def animation_of(
    study: StudyStore,
    number: int,
    dataset: Dataset,
    training: TrainingConfig,
    *,
    frames: int = _FRAMES,
    call: Callable[..., Any] | None = None,
) -> Animation:
    """The film of a trial, which is trained once more from its record.

    Args:
        call: calls a function with arguments where trials are trained; None: here.

    Raises:
        TrialError: it is no network of neurons.
        NasError: the trial has no record, or its files are damaged.
    """
    from nas.errors import NasError
    from nas.tracking import Animation, run_name

    try:
        candidate = study.load_candidate(number)
    except (KeyError, OSError) as error:
        raise NasError(f"trial {number} of study {study.name!r} has no record to train it from again") from error
    recorded = functools.partial(_recorded, study.costs, candidate, dataset, training, frames)
    seen = recorded() if call is None else call(recorded)
    metrics = {
        "val_accuracy" if "val_accuracy" in seen.curves else "val_error": float(
            seen.curves["val_accuracy" if "val_accuracy" in seen.curves else "val_error"][-1]
        ),
        "edges": float(seen.curves["live_edges"][-1]),
    }
    return Animation(seen, period=dataset.period, title=f"{study.name} {run_name(number, metrics).split(' · ')[0]}")


def _recorded(costs: PinnedCosts | None, *given: Any) -> Recording:
    from nas.training import pinned_costs, record_training

    with pinned_costs(costs):
        return record_training(*given)


def _point(member: FrontMember) -> FrontPoint:
    from nas.tracking import FrontPoint

    return FrontPoint(member.number, member.metrics)


def _outputs(dataset: Dataset, record: dict[str, Any]) -> tuple[str, ...]:
    """Names of what the served network answers; see nas.tracking's served network."""
    if dataset.task == "classification":
        return ("label", *(f"probability_{name}" for name in dataset.classes))
    from nas.checkpoint import predicted_columns

    return tuple(predicted_columns(record, dataset.n_outputs))


def _raw(study: StudyStore, dataset: Dataset, record: dict[str, Any]) -> np.ndarray | dict[str, list[Any]]:
    """A few samples of the test part as they were measured: of a table by its columns."""
    kept = (study.header.get("job") or {}).get("examples")
    if kept:
        return {str(name): list(values) for name, values in kept.items()}
    scaling = statistics_of(record)
    x = dataset.x_test[:_EXAMPLES].astype(np.float64)
    if scaling.scale:
        x = x * np.array(scaling.scale) + np.array(scaling.mean)
    digits = [float(f"{value:.6g}") for value in x.ravel()]  # float32 has no more
    return np.array(digits).reshape(x.shape)


def write_animation(path: Path, animation: Animation) -> None:
    """Write a film to a file, as its name says.

    Raises:
        OSError: it cannot be written.
    """
    match path.suffix.lower():
        case ".mp4":
            write_whole(path, animation.mp4)
        case ".html":
            write_whole(path, animation.page)
        case _:
            write_whole(path, animation.png())
