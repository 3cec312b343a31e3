"""Networks as programs of ``torch.export``: files that run with torch alone, in Python or C++."""

from __future__ import annotations

import io
import json
import os
import warnings
from typing import Any

import torch
from torch import nn

from nas._files import write_whole
from nas.checkpoint._encoding import MISSING, EncodedColumn, Encoding, date_part
from nas.checkpoint._file import Record
from nas.checkpoint._folded import folded
from nas.engine import DAGModule, MaskedLinear
from nas.errors import ExportError
from nas.layers import LayerDAG
from nas.recurrent import RecurrentDAG

__all__ = ["RawRows", "export_program", "export_rows"]


class RawRows(nn.Module):
    """A network that takes rows as they were measured, (batch, columns), and answers in the units of its targets.

    A number is NaN where it is missing; a category is its place in ``EncodedColumn.categories``, and any further number
    or NaN one that is not among them; a date is seconds since 1970. A classification answers with a score a class.
    In float64; of float32 dates are exact to two minutes.

    Args:
        network: from inputs to outputs.
        record: of it: scaling, and what becomes of the columns of a table.

    Attributes:
        columns: numbers of a row.

    Raises:
        CheckpointError: the record's encoding is damaged.
    """

    def __init__(self, network: nn.Module, record: Record) -> None:
        super().__init__()
        statistics = record.get("statistics") or {}
        for name in ("mean", "scale", "target_mean", "target_scale"):
            self.register_buffer(name, torch.tensor(statistics.get(name) or [], dtype=torch.float64))
        # Makes rows of any type float64: of a program that casts, torch.export checks the type that it was traced with.
        self.register_buffer("zero", torch.zeros(1, dtype=torch.float64))
        self.network = network
        self._encoding = Encoding.from_json(record.get("encoding"))
        self.columns = len(statistics.get("mean") or ()) if self._encoding is None else len(self._encoding.columns)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (batch, outputs), of the network's type."""
        x = x + self.get_buffer("zero")
        if self._encoding is not None:
            parts = [_inputs(column, x[:, place]) for place, column in enumerate(self._encoding.columns)]
            x = torch.stack([each for part in parts for each in part], dim=1)
        mean, scale, target_mean, target_scale = (
            self.get_buffer(name) for name in ("mean", "scale", "target_mean", "target_scale")
        )
        if len(mean):
            x = (x - mean) / scale
        answers: torch.Tensor = self.network(x.float())
        return (answers * target_scale + target_mean).to(answers.dtype) if len(target_mean) else answers


def _inputs(column: EncodedColumn, cells: torch.Tensor) -> list[torch.Tensor]:
    """The inputs (batch,) that a column (batch,) becomes, see `EncodedColumn.apply`."""
    if column.kind == "category":
        known = column.categories
        unknown = known.index(MISSING) if MISSING in known else len(known)
        codes = torch.where(cells.isnan(), torch.full_like(cells, unknown), cells)
        found = [codes == code for code in range(len(column.levels))]
        found += [(codes < 0) | (codes >= len(known))] if column.other else []
        return [each.double() for each in found]
    missing = cells.isnan()
    filled = cells if column.fill is None else torch.where(missing, torch.full_like(cells, column.fill), cells)
    found = [filled] if column.kind != "date" else [_date(filled, part) for part in column.parts]
    ramps = [((filled - low) / (high - low)).clamp(0.0, 1.0) for low, high in column.ramps]
    return [*found, *([missing.double()] if column.flagged else []), *ramps]


def _date(seconds: torch.Tensor, part: str) -> torch.Tensor:
    def choose(test: torch.Tensor, one: float, other: float) -> torch.Tensor:
        return torch.where(test, torch.full_like(seconds, one), torch.full_like(seconds, other))

    found: torch.Tensor = date_part(seconds, part, torch.floor, choose)
    return found


def export_rows(module: nn.Module, path: str | os.PathLike[str], record: Record) -> None:
    """Write a network as a program that takes `RawRows`; what they are lies in the file as ``columns.json``.

    That is a list of the columns in order, with name, kind, notation and, of a category, what its codes mean:

        extra = {"columns.json": "", "classes.json": ""}
        program = torch.export.load("network.pt2", extra_files=extra).module()

    Raises:
        CheckpointError: the record's encoding is damaged.
        OSError: the file cannot be written.
    """
    whole = RawRows(module, record)
    encoding = Encoding.from_json(record.get("encoding"))
    names = record.get("feature_names") or [f"x{place}" for place in range(whole.columns)]
    columns = [EncodedColumn(str(name), "number") for name in names] if encoding is None else encoding.columns
    said = [
        {"name": each.name, "kind": each.kind, "notation": each.notation}
        | ({"categories": each.categories} if each.kind == "category" else {})
        for each in columns
    ]
    classes = (record.get("statistics") or {}).get("classes") or []
    program = export_program(whole, n_inputs=whole.columns or None, dtype=torch.float64)
    _saved(program, path, {"columns.json": json.dumps(said), "classes.json": json.dumps(classes)})


def export_program(
    module: nn.Module,
    path: str | os.PathLike[str] | None = None,
    *,
    n_inputs: int | None = None,
    dtype: torch.dtype | None = None,
) -> torch.export.ExportedProgram:
    """The program of a network in evaluation mode, for batches of any size; also written to a file if wanted.

    ``torch.export.load(path).module()`` runs it where this package is not installed: a DAG is written as plain torch
    operations, level by level, which are slower than the engine. Tracing takes about a tenth of a second a level.

    Args:
        module: any module that maps (batch, inputs) to outputs; its networks may stand anywhere in it.
        path: by convention ending in ``.pt2``.
        n_inputs: inputs of ``module``; found by itself if its first layer is one of this package or ``nn.Linear``.
        dtype: of the inputs (default: of the parameters).

    Raises:
        ExportError: the number of inputs is not known.
        OSError: the file cannot be written.
    """
    module = _folded_within(module)
    width = n_inputs if n_inputs is not None else _inputs_of(module)
    if width is None:
        raise ExportError(f"the inputs of a {type(module).__name__} are not known; pass n_inputs")
    parameter = next(module.parameters(), torch.zeros(0))
    example = torch.zeros(2, width, dtype=dtype or parameter.dtype, device=parameter.device)
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            program = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    finally:
        for each, training in modes:
            each.training = training
    if path is not None:
        _saved(program, path)
    return program


def _saved(
    program: torch.export.ExportedProgram, path: str | os.PathLike[str], extra: dict[str, Any] | None = None
) -> None:
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # folders of this machine, which are nobody's business where the file goes
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No complete tensor found")
        # Not into the file itself: where the disk is full, torch ends the whole process (std::terminate).
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files=extra)
    write_whole(path, buffer.getvalue())


def _folded_within(module: nn.Module) -> nn.Module:
    """``module`` with the networks of an ``nn.Sequential`` folded; modules of one's own must hold folded ones."""
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*(_folded_within(child) for child in module))
    if isinstance(module, RawRows):
        module.network = _folded_within(module.network)
        return module
    return folded(module)


def _inputs_of(module: nn.Module) -> int | None:
    if isinstance(module, DAGModule):
        return module.dag.n_inputs
    if isinstance(module, MaskedLinear | nn.Linear):
        return module.in_features
    if isinstance(module, LayerDAG | RecurrentDAG):
        return module.n_inputs
    if isinstance(module, nn.Sequential):
        return next((found for child in module if (found := _inputs_of(child)) is not None), None)
    return None
