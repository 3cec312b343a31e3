"""``nas predict``: a network's answers for the rows of a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nas._files import write_whole
from nas._scratch import scratch
from nas._text import is_formula, is_number
from nas.cli._remote import ELSEWHERE, cluster
from nas.cli._rows import rows_to_predict
from nas.cli.console import STORAGE, STORE, asking, console, need_writable, writing
from nas.errors import JobError, NasError

if TYPE_CHECKING:
    import pandas as pd

    from nas.checkpoint import Predictor

__all__ = ["predict"]

_WRITTEN: Final[dict[str, Callable[[pd.DataFrame], bytes | str]]] = {
    ".csv": lambda answers: _harmless(answers).to_csv(index=False),
    ".tsv": lambda answers: _harmless(answers).to_csv(index=False, sep="\t"),
    ".parquet": lambda answers: answers.to_parquet(index=False),
}


def predict(
    model: Annotated[str, typer.Argument(help="A file written by `nas export` or a search, or the name of a study.")],
    table: Annotated[
        str,
        typer.Argument(
            help="A .csv, .tsv, .parquet or .xlsx file; the target may be there or not. Or a folder of images, an "
            "image, an .npz or IDX file, or module:function, which returns rows."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write: .csv, .tsv or .parquet (default: CSV on standard output)."),
    ] = None,
    pick: Annotated[
        str | None, typer.Option("--pick", help="Which member of the front of a study, as in `nas export`.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="data.key=value", help="How to read the table, as in a job; may be repeated."),
    ] = None,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Predict for every row of a table: the label and each class's probability, or the targets in their own units.

    Columns are found by name and scaled as in training; the file is read like the table of the training. Images are
    resized as those of the training were; each row of the answers begins with the file.

    Examples:

        nas predict best.safetensors customers.csv --out predictions.csv

        nas predict churn customers.csv

        nas predict shapes photos/ --out predictions.csv
    """
    if out is not None and out.suffix.lower() not in _WRITTEN:
        raise JobError(f"--out must end in {', '.join(_WRITTEN)}, but is {out}")
    need_writable(out)
    predictor = _predictor(model, pick, store, storage, address)
    rows, names = rows_to_predict(table, predictor.module.record, predictor.n_inputs, settings or [])
    answers = predictor.answers(rows)
    if names:
        answers.insert(0, "file", names)
    if out is None:
        _harmless(answers).to_csv(sys.stdout, index=False)
        return
    with writing(out):
        _written(answers, out)
    console.print(f"wrote {out}: {len(answers):,} rows")


def _written(answers: pd.DataFrame, out: Path) -> None:
    write_whole(out, _WRITTEN[out.suffix.lower()](answers))


def _harmless(answers: pd.DataFrame) -> pd.DataFrame:
    """Labels and names of a stranger's model that a spreadsheet would run as formulas, behind an apostrophe."""

    def cell(value: object) -> object:
        return f"'{value}" if isinstance(value, str) and is_formula(value) and not is_number(value) else value

    return answers.rename(columns=cell).map(cell)


def _predictor(model: str, pick: str | None, store: Path, storage: str | None, address: str | None) -> Predictor:
    from nas.checkpoint import Predictor
    from nas.search import StudyStore
    from nas.study import Study

    if address and not Path(model).is_file():
        with scratch("predict") as folder:
            network = folder / "network.safetensors"
            words = ("export", model, *(() if pick is None else ("--pick", pick)), "--out", network.name)
            network.write_bytes(cluster(address).ask(model, words, (network.name,), asking(address))[1][network.name])
            return Predictor.load(network)
    if not Path(model).is_file() and StudyStore.exists(store, model, storage=storage):
        return Study.open(model, store=store, storage=storage).best(pick)
    if pick is not None:
        raise JobError(f"--pick chooses from a study, but {store} has no study {model!r}")
    try:
        return Predictor.load(model)
    except OSError as error:
        raise NasError(f"{model}: neither a file that can be read ({error.strerror}) nor a study in {store}") from error
