"""``nas export``: a member of the front as a checkpoint file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

import typer

from nas.cli._remote import ELSEWHERE, ask
from nas.cli.console import STORAGE, STORE, command_line, need_writable, percent, say, seconds, writing
from nas.errors import JobError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["describe", "export", "writer_of"]


def export(
    experiment: Annotated[str, typer.Argument(help="Name of the study.")],
    pick: Annotated[
        str,
        typer.Option(
            "--pick",
            help="Which member of the front: best (the smallest that is as accurate as any, within one standard "
            "error), knee (best trade-off), accurate, fast, a trial number, or conditions such as "
            '"accuracy>=0.97" or "edges<=2000, accuracy>=0.9" (on the validation part).',
        ),
    ] = "best",
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("best.safetensors"),
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="safetensors, c, onnx, pt2 (torch.export), graphml or dot (default: by the file's name)."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            help="Of C: float, int8, int6, int5 or int4 (integers, made with the data; default: training.precision of "
            "the study).",
        ),
    ] = None,
    finish: Annotated[
        int | None,
        typer.Option(
            "--finish",
            min=0,
            help="Of C in integers: steps of training in integers (default: where the study was trained for this "
            "precision, those of the trial; else 3,000).",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option("--layout", help="Of C: unrolled (fastest) or tables (smallest; default: by the size)."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Of C: what all names begin with (default: the file's name).")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Of C in integers: the data's module:function, where the study was made with one."),
    ] = None,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Write a network of the front to a file that `nas evaluate` and `nas.load` read, or to another format.

    The file is safetensors: the weights of the live edges, with the graph, the scaling of the inputs, the metrics and
    the origin in its metadata (an ONNX file has the same there). Loading it runs no code. With --out net.c it becomes
    plain C, for where no Python runs: net.c and net.h, with a function that reads raw features and gives labels or
    targets.
    """
    write = writer_of(out, form)
    if write is not _c and {precision, finish, layout, prefix} != {None}:
        raise JobError(
            f"--precision, --finish, --layout and --prefix are of C, but --out is {out}; write --out {out.stem}.c"
        )
    need_writable(out)  # not after the training that makes integers
    if address:
        if write is _c:
            raise JobError("C is two files, and --address brings one: export .safetensors, and make C of it here")
        ask(address, experiment, ["export", experiment, "--pick", pick, *(["--format", form] if form else [])], out)
        return
    if data is not None and write is not _c:
        raise JobError("--data is for C in integers, which are made with the data (--out net.c --precision int8)")
    if write is _c:
        options: dict[str, Any] = {"precision": precision, "finish": finish, "layout": layout, "prefix": prefix}
        options["data"] = data
        write = partial(_c, **options)
    from nas.cli.study import export_network
    from nas.search import StudyStore

    study = StudyStore.open(store, experiment, storage=storage)
    found = study.front()
    member = found.pick(pick)
    with writing(out):
        export_network(study, member.number, out, write=write)
    say(f"wrote {out}: {describe(member.number, member.metrics, found.objectives.error_label)}")
    if write is None:
        say(f"evaluate it: {command_line('evaluate', out)}")


def _c(path: Path, module: nn.Module, record: dict[str, Any], *, data: str | None = None, **options: Any) -> None:
    from nas.cexport import export_c

    options = {**options, **_as_integers(record, options.get("precision"), options.get("finish"), data)}
    export_c(module, path, record=record, **options)


def _as_integers(record: dict[str, Any], precision: str | None, finish: int | None, data: str | None) -> dict[str, Any]:
    """Options of `nas.export_c` for a network of a study: its precision, and what integers are made with.

    A trial that was trained for a precision gets the integers that were measured of it.
    """
    from nas.cexport import FINISHING_STEPS, Precision
    from nas.cli._data import training_part
    from nas.training import finishing_steps, raw_features, raw_targets

    trained = (record.get("training") or {}).get("precision", "float")
    precision = precision or trained
    if precision not in get_args(Precision) or precision == "float":
        return {"precision": precision, "finish": finish or 0}
    dataset = training_part(record, data, f"study {record.get('study')!r} was made with")
    own = finishing_steps(int(record.get("steps", 0))) if precision == trained else FINISHING_STEPS
    return {
        "precision": precision,
        "samples": raw_features(dataset),
        "targets": raw_targets(dataset),
        "finish": own if finish is None else finish,
        "seed": int(record.get("seed", 0)),
    }


def writer_of(path: Path, form: str | None = None) -> Callable[..., None] | None:
    """What writes a network into a file of this format; None: safetensors.

    Args:
        form: the format (default: by the ending of ``path``).

    Raises:
        JobError: there is no such format.
    """
    form = (form or path.suffix.removeprefix(".") or "safetensors").lower()
    if form not in _FORMATS:
        raise JobError(f"--format (or the ending of --out) must be one of {', '.join(_FORMATS)}, but is {form!r}")
    return _FORMATS[form]


def _onnx(path: Path, module: nn.Module, record: dict[str, Any]) -> None:
    from nas.checkpoint import export_onnx

    export_onnx(module, path, record, raw=True)


def _pt2(path: Path, module: nn.Module, record: dict[str, Any]) -> None:
    from nas.checkpoint import export_rows

    export_rows(module, path, record)


def _graphml(path: Path, module: nn.Module, record: dict[str, Any]) -> None:
    from nas.checkpoint import export_graphml

    export_graphml(module, path)


def _dot(path: Path, module: nn.Module, record: dict[str, Any]) -> None:
    from nas.checkpoint import export_dot

    export_dot(module, path)


_FORMATS: Final[dict[str, Callable[..., None] | None]] = {
    "safetensors": None,
    "c": _c,
    "onnx": _onnx,
    "pt2": _pt2,
    "graphml": _graphml,
    "dot": _dot,
}


def describe(number: int, metrics: Mapping[str, float], error: str = "error") -> str:
    """One line that tells a network from the others; ``error`` is what the error is called."""
    if "shown_error" in metrics:
        from nas.tracking import format_expected

        name, quality = ("accuracy", "accuracy") if "shown_accuracy" in metrics else (error, "error")
        quality = f"{name} {format_expected(metrics, quality)}"
    elif "val_accuracy" in metrics:
        quality = f"validation accuracy {percent(metrics['val_accuracy'])}"
    else:
        quality = f"validation {error} {metrics.get('val_error', float('nan')):.4g}"
    return (
        f"trial {number}, {quality}, inference {seconds(metrics.get('inference_seconds'))} a batch, "
        f"{metrics.get('edges', 0):,.0f} edges ({percent(metrics.get('density'), 1)} density)"
    )
