"""The model card of a network: what it is for, how good and how fast, where it comes from, and how to use it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from nas._text import format_seconds, plain, redacted_address
from nas.tracking.note import front_table
from nas.tracking.plots.lineage import Ancestor, lineage_rows
from nas.tracking.points import (
    FrontPoint,
    format_accuracy,
    format_count,
    format_expected,
    format_number,
)

__all__ = ["model_card"]

_MOST_GENERATIONS = 12
_HARDWARE = ("processor", "gpu", "threads", "cores", "system", "torch", "numba")


def model_card(
    *,
    name: str,
    number: int,
    metrics: Mapping[str, float],
    record: Mapping[str, object],
    line: Sequence[Ancestor],
    front: Sequence[FrontPoint],
    samples: Mapping[str, int],
    sizes: tuple[int, int, int],
    hardware: Mapping[str, str],
    batch: int,
    chosen: str,
    uri: str,
    error: str = "error",
) -> str:
    """The card as Markdown.

    Args:
        name: of the registered model.
        number: trial number.
        metrics: of the trial, timed again where it was.
        record: of its checkpoint (task, data, training, classes, …).
        line: see `nas.tracking.Ancestor`.
        front: all members of the front.
        samples: of each part of the data, by its name.
        sizes: input, computational and output neurons.
        hardware: what process times were taken on.
        batch: samples of the forward pass that was timed.
        chosen: how it was picked from the front.
        uri: of the MLflow store that it is registered in.
        error: what the error is called.
    """
    data, training = _mapping(record, "data"), _mapping(record, "training")
    classes = [escaped(str(each)) for each in _mapping(record, "statistics").get("classes") or ()]  # type: ignore[attr-defined]
    address = uri if uri.startswith("sqlite:") else redacted_address(uri)  # a file's path may have an @
    classifies = "val_accuracy" in metrics
    quality = "accuracy" if classifies else "error"
    write = format_accuracy if classifies else format_number
    shown = {part: write(metrics[f"{part}_{quality}"]) for part in ("val", "test") if f"{part}_{quality}" in metrics}
    told = {"val": "validation", "test": "test"}
    lines = [
        f"# {name}: trial #{number}",
        "",
        f"A sparse feed-forward network, found by `nas search` as the {chosen} of its front: "
        f"{_counted(sizes[0], 'input')}, {_counted(metrics.get('neurons', sizes[1]), 'computational neuron')} in use, "
        f"{_counted(sizes[2], 'output')}, {_counted(metrics.get('edges', 0), 'edge')} "
        f"(density {format_accuracy(metrics.get('density', 0))}, depth {format_count(metrics.get('depth', 0))}).",
        "",
        "## Task",
        "",
        f"{str(record.get('task', '')).capitalize()} of {escaped(str(data.get('source', '?')))}: "
        + ", ".join(f"{format_count(count)} {part}" for part, count in samples.items())
        + " samples"
        + (f"; classes {', '.join(classes[:20])}{' …' if len(classes) > 20 else ''}" if classes else "")
        + ". Inputs are features as they were measured; the scaling is part of the model.",
        "",
        "## Quality",
        "",
        f"| part | {'accuracy' if classifies else error} |",
        "| --- | ---: |",
        *([f"| to expect | {format_expected(metrics, quality)} |"] if "shown_error" in metrics else []),
        *(f"| {told[part]} | {text} |" for part, text in shown.items()),
        "",
        "The validation part chose this network among many, so it flatters it; quote the test part, which chose "
        "nothing, or what is to be expected, from which the flattery has been taken."
        + ("" if classifies or error != "error" else " Errors are mean squared, in units of the scaled targets."),
        "",
        "## Process time",
        "",
        f"- inference: {format_seconds(metrics.get('inference_seconds', float('nan')))} for {format_count(batch)} "
        f"samples (± {format_seconds(metrics.get('inference_spread', float('nan')))}, 95 %)",
        f"- training step: {format_seconds(metrics.get('train_step_seconds', float('nan')))}",
        f"- reference kernel in the same minute: {format_seconds(metrics.get('reference_seconds', float('nan')))}; "
        "compare ratios to it between machines",
        "- taken on "
        + " · ".join(f"{key} {hardware[key]}" for key in _HARDWARE if hardware.get(key, "none") != "none"),
        "",
        "## Training",
        "",
        f"{format_count(int(str(record.get('steps') or 0)))} steps a generation, "
        + ", ".join(
            f"{key} {training[key]}"
            for key in ("optimizer", "learning_rate", "batch_size", "parametrisation", "activation")
            if key in training
        )
        + f", seed {record.get('seed')}.",
        "",
        "## Lineage",
        "",
        *_lineage(line),
        "",
        "## The front it was chosen from",
        "",
        *front_table(front, lambda _: None, error),
        "",
        "## Use",
        "",
        "```python",
        "import mlflow",
        "",
        f"mlflow.set_tracking_uri({json.dumps(address, ensure_ascii=False)})",
        f"model = mlflow.pyfunc.load_model({json.dumps(f'models:/{name}@champion', ensure_ascii=False)})",
        "model.predict(model.input_example)   # rows as they were measured, a table out",
        "```",
        "",
        'Without MLflow: `nas.Predictor.load("network.safetensors")`, the file in the artifacts of the trial\'s run. '
        "It is safetensors; loading it runs no code. Outside the range of its training data nothing is known of it.",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str, most: int = 80) -> str:
    """Text from data, as Markdown shows it: as it is, and nothing else; at most so many characters of it."""
    shown = re.sub(r"([\\`*_{}\[\]<>()#+!|~&:$@=^-])", r"\\\1", " ".join(plain(text, most).split()))
    return re.sub(r"(?i)(?<=www)\.", r"\\.", shown)  # else GitHub makes a link of it


def _lineage(line: Sequence[Ancestor]) -> list[str]:
    names, rows = lineage_rows(line)
    table = ["| " + " | ".join(names) + " |", "| ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    left_out = len(rows) - _MOST_GENERATIONS
    if left_out > 0:
        table.append(f"| | | | | | | {left_out} earlier generations |")
    table += ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows[-_MOST_GENERATIONS:]]
    return table


def _mapping(record: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = record.get(key)
    return found if isinstance(found, Mapping) else {}


def _counted(count: float, what: str) -> str:
    return f"{format_count(count)} {what}" + ("" if count == 1 else "s")
