"""``nas evaluate``: how good and how fast an exported network is, here and now."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from nas.cli.console import console, one_or_all, percent, print_json, seconds
from nas.errors import DataError, JobError, NasError

if TYPE_CHECKING:
    from torch import nn

    from nas.training import DataConfig, Dataset

__all__ = ["evaluate", "evaluate_file", "least_found", "written_score"]

_ROWS = 4096  # samples in one pass
_MOST_CLASSES = 12  # that are listed one by one
_PARTS = ("train", "validation", "test", "all")


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="File written by `nas export` or a search.")],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="What to evaluate on: digits, mnist, …, a .csv/.tsv/.parquet/.npz file, idx:FOLDER, openml:NAME or "
            "module:function (default: the data it was trained on).",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="Target column of a table (data.target; default: as in training); of several targets, once each.",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", help="train, validation, test or all (default: test; of a file of other data: all)."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="data.key=value", help="How to read the data, as in a job; may be repeated."),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Samples a batch when timing.")] = 1024,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads when timing.")] = 1,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            help="Names of scikit-learn's scorers, or module:function, with commas between them: roc_auc,f1 (default: "
            "the usual ones).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Load a checkpoint and evaluate it: accuracy or error, and measured process time on this machine.

    New data is scaled exactly as the network's training data was; the split of the data it was trained on is
    repeated, so that the test part holds samples that no training has seen. Data that is code (module:function) is
    used only where --data names it: a file that comes from elsewhere runs nothing.
    """
    if part is not None and part not in _PARTS:
        raise JobError(f"--part must be one of {', '.join(_PARTS)}, got {part!r}")
    found = evaluate_file(
        checkpoint,
        data=data,
        target=one_or_all(target),
        part=part,
        settings=settings or (),
        batch=batch,
        threads=threads,
        metrics=None if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()],
    )
    if as_json:
        print_json(found)
        return
    console.print(_table(found))


def evaluate_file(
    path: Path,
    *,
    data: str | None = None,
    target: str | Sequence[str] | None = None,
    part: str | None = None,
    settings: Sequence[str] = (),
    batch: int = 1024,
    threads: int = 1,
    metrics: Sequence[str] | None = None,
    scorer: str = "",
    timed: bool = True,
) -> dict[str, Any]:
    """Metrics, structure and process time of the network in a checkpoint file.

    Args:
        data: None: what the network was trained on, which must still be that.
        settings: ``data.key=value``, as in a job.
        metrics: names of scikit-learn's scorers, or ``module:function`` of the user's own, as an objective may be;
            None: the usual ones.
        scorer: what the error is by, see `nas.training.Dataset`.
        timed: False: without process times, where other threads of this process work, too.

    Raises:
        CheckpointError: the file is damaged or no checkpoint.
        DataError: the data cannot be loaded, does not fit the network, or is no longer what it was trained on.
        JobError: there is no such source of data, or it is code that nobody named.
    """
    from nas import checkpoint
    from nas.layers import LayerDAG
    from nas.recurrent import RecurrentDAG
    from nas.training import (
        class_report,
        default_scorers,
        hardware,
        pinned_threads,
        reference_kernel_seconds,
        scorer_values,
        time_inference,
    )
    from nas.training import evaluate as metrics_of
    from nas.training.quality.judged import scorer_loss
    from nas.training.quality.scores import one_class

    try:
        module = checkpoint.load(path)
    except OSError as error:
        raise NasError(f"{path}: cannot be read ({error.strerror})") from error
    config, same = _data_config(module.record, data, target, settings)
    dataset, same, note = _dataset(module.record, config, same, named=data, path=path)
    part = part or ("test" if same or config.source in ("mnist", "digits") else "all")
    dag = module.dag
    # The graph of a network of layers has one node for all inputs, that of one with memory the inputs of a time step.
    layers = module if isinstance(module, LayerDAG) else None
    sizes = module if isinstance(module, LayerDAG | RecurrentDAG) else dag
    n_inputs, n_outputs = sizes.n_inputs, sizes.n_outputs
    if (n_inputs, n_outputs) != (dataset.n_inputs, dataset.n_outputs):
        raise DataError(
            f"{config.source} has {dataset.n_inputs} features and {dataset.n_outputs} outputs, "
            f"but the network in {path} has {n_inputs} inputs and {n_outputs} outputs"
        )
    x, y = _part(dataset, part)
    with pinned_threads(threads):
        found = metrics_of(module, x, y, dataset.task)
        outputs = _outputs(module, x)
    if scorer:
        found["error"] = scorer_loss(dataclasses.replace(dataset, scorer=scorer), outputs, y)
    names = default_scorers(dataset.task, n_outputs) if metrics is None else metrics
    own = [name for name in names if ":" in name and not one_class(name)[1]]
    named = [name for name in names if name not in own]
    unscaled = _unscaled(dataset, outputs, y)
    scores = scorer_values(named, *unscaled, dataset.task, dataset.classes)
    scores |= _own_losses(own, dataset, outputs, y, taken=scores)
    times: dict[str, Any] = {}
    if timed:
        rows = np.resize(np.arange(len(x)), batch)
        timing = time_inference(module, np.ascontiguousarray(x[rows]), threads=threads)
        times = {
            "inference_seconds": timing.seconds,
            "inference_spread": timing.spread,
            "batch": batch,
            "reference_seconds": reference_kernel_seconds(threads),
        }
    return {
        "checkpoint": str(path),
        "data": config.source,
        "part": part,
        "samples": len(x),
        "data_of_training": same if module.record.get("fingerprint") else None,
        "note": note,
        "task": dataset.task,
        **found,
        "scores": scores,
        "classes": class_report(outputs, y, dataset.classes) if dataset.task == "classification" else [],
        "edges": dag.n_edges if layers is None else layers.n_weights,
        "density": dag.density,
        "depth": dag.depth if layers is None else layers.depth,
        **times,
        "hardware": hardware(threads),
    }


def least_found(classes: Sequence[dict[str, Any]], most: int) -> Sequence[dict[str, Any]]:
    """All of a report on classes, or where there are more than ``most`` those of which least is found."""
    if len(classes) <= most:
        return classes
    return sorted(classes, key=lambda each: 2.0 if each["recall"] is None else each["recall"])[:most]


def _own_losses(
    names: Sequence[str], dataset: Dataset, outputs: np.ndarray, y: np.ndarray, taken: Collection[str]
) -> dict[str, float]:
    """What functions of the user's own say of outputs, by their names; with the module where a name is taken or
    several have it."""
    from nas.training.quality.judged import scorer_label, scorer_loss

    labels = [scorer_label(name) for name in names]
    try:
        return {
            name if label in taken or labels.count(label) > 1 else label: scorer_loss(
                dataclasses.replace(dataset, scorer=name), outputs, y
            )
            for name, label in zip(names, labels, strict=True)
        }
    except JobError as error:
        raise JobError(f"--metrics{str(error).removeprefix('search.objectives')}") from error


def _outputs(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """What a network answers for all samples, (samples, n_outputs) float64."""
    import torch

    with torch.no_grad():
        parts = [module(torch.from_numpy(x[start : start + _ROWS])) for start in range(0, len(x), _ROWS)]
    found: np.ndarray = torch.cat(parts).double().numpy()
    return found


def _unscaled(dataset: Dataset, outputs: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and targets of a regression in the targets' own units; of a classification as they are."""
    if dataset.target_scale is None or dataset.target_mean is None:
        return outputs, y
    back = (values.astype(np.float64) * dataset.target_scale + dataset.target_mean for values in (outputs, y))
    answered, expected = back
    return answered, expected


def _dataset(
    record: dict[str, Any], config: DataConfig, same: bool, *, named: str | None, path: Path
) -> tuple[Dataset, bool, str | None]:
    """The data, whether it is what the network was trained on, and what to say of that.

    Args:
        same: whether it has the same source.
        named: what somebody asked for; None: what the network was trained on.
        path: of the network.
    """
    from nas.checkpoint import Encoding
    from nas.cli._data import as_trained, recorded_data
    from nas.cli.study import statistics_of
    from nas.training import Fingerprint

    before = Fingerprint.from_json(record.get("fingerprint"))
    columns = record.get("columns") or {}
    dropped = (record.get("data") or {}).get("drop") or ()
    try:
        loaded = recorded_data(
            as_trained(config, record) if same and before is None else config,
            named,
            f"the network in {path} was trained on",
            statistics=statistics_of(record) if record.get("statistics") else None,
            features=record.get("feature_names") or (),
            encoding=Encoding.from_json(record.get("encoding")),
            spare={*dropped, *columns.get("left_out", ()), *columns.get("targets", ())} - {*config.drop},
        )
    except DataError as error:
        if named is not None:
            raise
        raise DataError(f"{error}; the network was trained on it, --data names other data") from error
    dataset, now = loaded.dataset, loaded.fingerprint
    if before is None:
        unknown = "an earlier version wrote the file: whether these are still the data of its training is not known"
        return dataset, same, unknown if same else None
    if not same:
        known = before.same_samples(now)
        return dataset, False, "all samples of its training are among these" if known else None
    difference = before.difference(now)
    if difference is None:
        return dataset, True, None
    if named is None:
        raise DataError(
            f"{config.source}: no longer what the network was trained on: {difference}; so samples of its training may "
            f"be in any part now. To evaluate on all of it as other data: --data {config.source}"
        )
    return dataset, False, f"no longer what the network was trained on: {difference}"


def _data_config(
    record: dict[str, Any], data: str | None, target: str | Sequence[str] | None, settings: Sequence[str]
) -> tuple[DataConfig, bool]:
    """Which data to load, and whether its source is what the network was trained on."""
    from pydantic import ValidationError

    from nas._jobfile import apply_overrides
    from nas.job import plain_words
    from nas.training import DataConfig

    try:
        trained_on = DataConfig.model_validate(record.get("data") or {}) if record.get("data") else None
    except ValidationError:  # written by another version; the caller may still say what to use
        trained_on = None
    if data is None and trained_on is None:
        raise JobError("the checkpoint does not say what it was trained on; name the data with --data")
    same = trained_on is not None and data in (None, trained_on.source)
    values = trained_on.model_dump() if trained_on is not None else {}
    if not same:
        # Of other data, only what describes the columns may still hold.
        values = {key: values[key] for key in ("target", "task") if key in values and _is_table(data or "")}
        values["source"] = data
    if target is not None:
        values["target"] = target
    section = {"data": values}
    apply_overrides(section, settings)
    if strange := next((each for each in settings if not each.strip().startswith("data.")), None):
        raise JobError(f"--set {strange!r}: expected data.key=value, e.g. data.separator=;")
    try:
        return DataConfig.model_validate(values), same
    except ValidationError as error:
        problem = plain_words(str(error.errors()[0]["msg"]))
        raise JobError(f"--data {data!r}: {problem}") from error


def _is_table(source: str) -> bool:
    from nas.training import TABLE_SUFFIXES

    return source.lower().endswith(TABLE_SUFFIXES) or source.startswith("openml:")


def _part(dataset: Dataset, part: str) -> tuple[np.ndarray, np.ndarray]:
    parts = {
        "train": (dataset.x_train, dataset.y_train),
        "validation": (dataset.x_val, dataset.y_val),
        "test": (dataset.x_test, dataset.y_test),
    }
    if part != "all":
        return parts[part]
    return (
        np.concatenate([x for x, _ in parts.values()]),
        np.concatenate([y for _, y in parts.values()]),
    )


def written_score(name: str, value: float | None) -> str:
    """A scorer's value as people read it: errors, which scorers have negative, as they are."""
    shown = name.removeprefix("neg_")
    if value is None:
        return f"{shown} -"
    return f"{shown} {-value if shown != name else value:.4g}"


def _table(found: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    machine = found["hardware"]
    table.add_row("network", f"{found['checkpoint']}")
    table.add_row("data", f"{found['data']}, {found['part']} part, {found['samples']:,} samples")
    if found["note"]:
        table.add_row("note", Text(found["note"], style="yellow"))
    if found["task"] == "classification":
        table.add_row("accuracy", Text(percent(found["accuracy"]), "bold"))
        table.add_row("loss", f"{found['loss']:.4g} (cross-entropy)")
    else:
        table.add_row(
            "error", Text.assemble((f"{found['error']:.5g}", "bold"), f" (mean squared; r² {found['r2']:.4f})")
        )
    if found["scores"]:
        table.add_row("scores", ", ".join(written_score(name, value) for name, value in found["scores"].items()))
    classes = found["classes"]
    for each in least_found(classes, _MOST_CLASSES):
        samples = f"{each['samples']:,} sample{'s' if each['samples'] != 1 else ''}"
        words = f"{samples}, recall {percent(each['recall'], 1)}, precision {percent(each['precision'], 1)}"
        table.add_row("class", Text(f"{each['class']}: {words}"))
    if len(classes) > _MOST_CLASSES:
        table.add_row("class", f"… and {len(classes) - _MOST_CLASSES:,} more, of which no less is found")
    table.add_row("structure", f"{found['edges']:,} edges, depth {found['depth']}, density {percent(found['density'])}")
    spread, ratio = seconds(found["inference_spread"]), found["inference_seconds"] / found["reference_seconds"]
    table.add_row(
        "inference",
        f"{seconds(found['inference_seconds'])} ± {spread} process time a batch of {found['batch']}; "
        f"{ratio:.3g} x the reference kernel",
    )
    threads = machine["threads"]
    table.add_row(
        "on", f"{machine['processor']}, {threads} thread{'s' if threads != 1 else ''}, torch {machine['torch']}"
    )
    return table
