"""``nas compare``: the fronts of studies beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from nas._files import write_whole
from nas.cli._remote import ELSEWHERE, ask
from nas.cli.console import STORAGE, STORE, console, need_writable, percent, print_json, say, seconds, writing
from nas.errors import JobError

if TYPE_CHECKING:
    from nas.search import Front, StudyStore

__all__ = ["compare"]

_MOST: Final = 6  # studies in one picture


def compare(
    names: Annotated[list[str], typer.Argument(metavar="STUDY STUDY...", help="Two to six studies of one task.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also draw their fronts: a file ending in .png or .html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    store: Path = STORE,
    storage: str | None = STORAGE,
    address: str | None = ELSEWHERE,
) -> None:
    """Compare the fronts of studies: the network that each would pick, and whose members beat whose.

    Examples:

        nas compare digits digits-2

        nas compare digits digits-2 --out compared.png
    """
    if not 2 <= len(names) <= _MOST or len({*names}) < len(names):
        raise JobError(f"compare two to {_MOST} different studies, got {', '.join(names)}")
    if out is not None and out.suffix.lower() not in (".png", ".html"):
        raise JobError(f"--out must end in .png or .html, but is {out}")
    need_writable(out)
    if address:
        ask(address, names[0], ["compare", *names, *(["--json"] if as_json else [])], out)
        return
    from nas.search import StudyStore

    studies = {name: StudyStore.open(store, name, storage=storage) for name in names}
    fronts = {name: study.front() for name, study in studies.items()}
    _comparable(fronts)
    notes = _differences(studies)
    rows = [_row(name, studies[name], found) for name, found in fronts.items()]
    beaten = _beaten(fronts)
    if as_json:
        print_json({"studies": rows, "beaten": beaten, "notes": notes})
    else:
        console.print(_table(rows, next(iter(fronts.values())).objectives.error_label))
        for each in beaten:
            said = f"{each['members']} of the {each['of']} members of {each['study']} are beaten by one of {each['by']}"
            say(said)
        for note in notes:
            say(f"note: {note}")
    if out is not None:
        _draw(out, studies, fronts)
        if not as_json:
            console.print(f"wrote {out}")


def _comparable(fronts: Mapping[str, Front]) -> None:
    """JobError where there is nothing to compare, or it is of another kind."""
    (first, one), *others = fronts.items()
    for name, found in fronts.items():
        if not len(found):
            raise JobError(f"study {name!r} has no complete trial yet")
    for name, found in others:
        if found.objectives.names != one.objectives.names or found.objectives.scorer != one.objectives.scorer:
            kinds = " and ".join(
                f"{each.objectives.error_label} of {', '.join(each.objectives.names)}" for each in (one, found)
            )
            raise JobError(f"studies {first!r} and {name!r} minimise different things ({kinds}); they do not compare")


def _differences(studies: Mapping[str, StudyStore]) -> list[str]:
    """What makes their figures hard to compare."""
    from nas.training import Fingerprint

    notes = []
    (first, one), *others = studies.items()
    before = Fingerprint.from_json((one.header.get("job") or {}).get("fingerprint"))
    for name, study in others:
        now = Fingerprint.from_json((study.header.get("job") or {}).get("fingerprint"))
        if before is not None and now is not None and (difference := before.difference(now)) is not None:
            notes.append(f"{name} has other data than {first}: {difference}")
    return notes


def _row(name: str, study: StudyStore, found: Front) -> dict[str, Any]:
    best = found.best()
    return {
        "study": name,
        "trials": study.counts()["complete"],
        "front": len(found),
        "hypervolume": found.hypervolume,
        "best": best.number,
        "metrics": dict(best.metrics),
    }


def _beaten(fronts: Mapping[str, Front]) -> list[dict[str, Any]]:
    """For each two studies, how many members of one are worse in all objectives than some member of the other."""
    found = []
    for name, front in fronts.items():
        own = [tuple(row["objectives"].values()) for row in front.rows()]
        for other, its in fronts.items():
            if other == name:
                continue
            rivals = [tuple(row["objectives"].values()) for row in its.rows()]
            worse = sum(any(all(b < a for a, b in zip(mine, rival, strict=True)) for rival in rivals) for mine in own)
            found.append({"study": name, "by": other, "members": worse, "of": len(own)})
    return found


def _table(rows: list[dict[str, Any]], error: str) -> Table:
    from nas.tracking import format_expected

    classifies = all("val_accuracy" in row["metrics"] for row in rows)
    quality = "accuracy" if classifies else "error"
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    heading = f"{'accuracy' if classifies else error} (95 %)"
    for name in ("study", "trials", "front", "hypervolume", "best", heading, "test", "inference", "edges"):
        table.add_column(name, justify="left" if name == "study" else "right", no_wrap=True)
    for row in rows:
        m = row["metrics"]
        tested = m.get(f"test_{quality}")
        table.add_row(
            row["study"],
            f"{row['trials']:,}",
            f"{row['front']:,}",
            f"{row['hypervolume']:.4f}",
            str(row["best"]),
            format_expected(m, quality),
            percent(tested) if classifies else "-" if tested is None else f"{tested:.3g}",
            seconds(m.get("inference_seconds")),
            f"{m['edges']:,.0f}" if "edges" in m else "-",
        )
    return table


def _draw(path: Path, studies: Mapping[str, StudyStore], fronts: Mapping[str, Front]) -> None:
    from nas.cli.study_page import front_points
    from nas.tracking import compare_html, compare_png

    points = {name: front_points(studies[name], found) for name, found in fronts.items()}
    first = next(iter(points.values()))
    members = {name: each.members for name, each in points.items()}
    with writing(path):
        if path.suffix.lower() == ".png":
            write_whole(path, compare_png(members, cost=first.cost, error=first.error))
        else:
            write_whole(path, compare_html(members, cost=first.cost, error=first.error))
