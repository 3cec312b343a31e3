"""A study as HTML: one page on all of it, and the table of its front for notebooks."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nas._scratch import scratch
from nas._text import counted
from nas.cli.console import percent, seconds

if TYPE_CHECKING:
    from nas.search import Baselines, Front, FrontMember, Importances, StudyStore
    from nas.tracking import BaselinePoint, FrontPoint

__all__ = ["FrontPoints", "front_html_table", "front_points", "importance_html", "study_page"]

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } td, th { padding: .15rem .7rem; }
th { font-weight: 600; text-align: right; border-bottom: 1px solid #ccc; }
td { text-align: right; } td.text, th.text { text-align: left; }
tr.picked { font-weight: 600; background: #eef7ee; } .faint { color: #777; } img { max-width: 100%; }
pre { background: #f6f6f4; padding: .8rem; overflow-x: auto; } .verdict { font-size: 1.05rem; }
"""
_MOST_CLASSES: Final = 24  # that have a line of their own
_SHOWN: Final = 0.01  # of all importance, below which a hyperparameter is left out
_TABLE: Final = (
    '<table style="border-collapse:collapse;font-variant-numeric:tabular-nums" class="front">{head}{body}</table>'
)


@dataclass(frozen=True, slots=True)
class FrontPoints:
    """What a plot of a front is drawn from."""

    members: list[FrontPoint]
    others: list[FrontPoint]
    cost: str  # metric of the cost axis
    error: str  # what the error is called
    baselines: list[BaselinePoint]
    picks: dict[int, str]  # what members are picked as


def front_points(study: StudyStore, found: Front) -> FrontPoints:
    """The members of a front, the other complete trials and the baselines, without graphs and weights."""
    from nas.tracking import BaselinePoint, FrontPoint
    from nas.training.quality.objectives import OBJECTIVES

    members = [FrontPoint(each.number, each.metrics) for each in found.members]
    known, again = {*found.numbers}, study.retimed()
    others = [
        FrontPoint(each.number, {**each.result.metrics, **again.get(each.number, {})})
        for each in study.records()
        if each.number not in known and each.state == "complete" and each.result is not None
    ]
    costs = [OBJECTIVES[name].metric for name in found.objectives.names if name != "error"]
    baselines = study.baselines()
    compared = [] if baselines is None else [
        BaselinePoint(each.name, each.label, each.metrics, each.reason) for each in baselines.members
    ]  # fmt: skip
    cost = costs[0] if costs else "inference_seconds"
    picks = {found.knee().number: "knee"} | {found.best().number: "best"} if len(found) else {}
    return FrontPoints(members, others, cost, found.objectives.error_label, compared, picks)


def front_html_table(found: Front) -> str:
    """The members of a front as an HTML table; what is picked stands out."""
    from nas.cli.front import front_rows

    if not len(found):
        return "<p>no trial is complete yet, so the front is empty</p>"
    headings, rows = front_rows(found)
    return _table(headings, rows, picked=[bool(row[0]) for row in rows])


def study_page(study: StudyStore) -> str:
    """One page, with everything in it that it shows.

    Raises:
        PickError: no trial is complete.
    """
    from nas.search import beaten_by, verdict

    found = study.front()
    best = found.best()
    baselines = study.baselines()
    said = "" if baselines is None else verdict(found, baselines)
    if (rival := beaten_by(best, baselines)) is not None:
        name = rival.label[0].upper() + rival.label[1:]
        by = "on the validation part by more than its estimate leaves open"
        said = f"{name} beats the network picked (trial {best.number}) {by}: use that instead. {said}"
    header = study.header.get("job") or {}
    counts = study.counts()
    parts = [
        f"<h1>{html.escape(study.name)}</h1>",
        f'<p class="verdict">{html.escape(said)}</p>' if said else "",
        f'<p class="faint">{counted(counts["complete"], "trial")} complete, {counts["stopped"]} stopped at rungs, '
        f"{counts['failed']} failed; hypervolume {found.hypervolume:.4f}</p>",
        *_section("Data", _findings(header)),
        *_section("Front", _front_figure(study, found) + front_html_table(found)),
        *_section("Baselines", "" if baselines is None else _baselines(baselines, found.objectives.error_label)),
        *_section(f"The network picked: trial {best.number}", _network(study, best)),
        *_section("On the test part", _tested(study, best.number)),
        *_section("What decided how good networks are", _importances(study)),
        *_section("Hardware", _hardware(study, best.number)),
        *_section("How to use it", _usage(study, best.number)),
    ]
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(study.name)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _section(title: str, content: str) -> tuple[str, ...]:
    return (f"<h2>{html.escape(title)}</h2>", content) if content else ()


def _findings(header: Mapping[str, Any]) -> str:
    rows = [[str(cell) for cell in found] for found in header.get("findings") or ()]
    return _table([], rows, text=range(3)) if rows else ""


def _front_figure(study: StudyStore, found: Front) -> str:
    from nas.tracking import front_figure

    points = front_points(study, found)
    figure = front_figure(
        points.members,
        points.others,
        title=study.name,
        cost=points.cost,
        error=points.error,
        baselines=points.baselines,
        picks=points.picks,
    )
    drawn: str = figure.to_html(
        full_html=False, include_plotlyjs=True, default_height="35rem", config={"displaylogo": False}
    )
    return drawn


def _baselines(baselines: Baselines, label: str) -> str:
    classification = all("val_accuracy" in each.metrics for each in baselines.found)
    quality, heading = ("accuracy", "accuracy") if classification else ("error", label)
    rows = []
    for each in baselines.members:
        m = each.metrics
        shown = [m.get(f"{part}_{quality}") for part in ("val", "test")]
        rows.append(
            [
                each.label + (f" failed: {each.reason}" if each.reason else ""),
                *(percent(value) if classification else "-" if value is None else f"{value:.4g}" for value in shown),
                seconds(m.get("inference_seconds")),
                f"{m['edges']:,.0f}" if "edges" in m else "-",
                seconds(m.get("training_seconds")),
            ]
        )
    return _table(["", f"validation {heading}", f"test {heading}", "inference", "edges", "trained in"], rows, text=[0])


def _network(study: StudyStore, best: FrontMember) -> str:
    from nas.cli._lineage import line_of
    from nas.cli.export import describe
    from nas.cli.study import drawn_network
    from nas.tracking import curves_png, dag_png, lineage_png

    result = study.load_result(best.number)
    pictures = []
    if result.dag is not None:
        dag, weights = drawn_network(study, result)
        period = (study.header.get("job") or {}).get("period")
        pictures.append(_picture(dag_png(dag, weights, title=f"trial {best.number}", period=period), "its graph"))
    pictures.append(_picture(curves_png(result.history, title=f"trial {best.number}"), "its training"))
    line, others = line_of(study, best.number)
    if len(line) > 1:
        pictures.append(_picture(lineage_png(line, others, title=f"trial {best.number}"), "its ancestors"))
    return f"<p>{html.escape(describe(best.number, best.metrics, study.objectives.error_label))}</p>" + "".join(
        pictures
    )


def _tested(study: StudyStore, number: int) -> str:
    """Scores and a line for each class; "" of a structure of one's own, which no file of a network holds."""
    from nas.cli._evaluate import evaluate_file, least_found, written_score
    from nas.cli.study import export_network
    from nas.errors import NasError

    source = ((study.header.get("job") or {}).get("job") or {}).get("data", {}).get("source")
    with scratch("report") as folder:
        path = folder / "network.safetensors"
        try:
            export_network(study, number, path)
            judged = study.objectives
            found = evaluate_file(path, data=source, part="test", scorer=judged.scorer, timed=False)
        except NasError as error:
            return f'<p class="faint">not evaluated again: {html.escape(str(error))}</p>'
    scores = ", ".join(written_score(name, value) for name, value in found["scores"].items())
    if judged.scorer:
        scores = f"{judged.error_label} {found['error']:.4g}, {scores}"
    rows = [
        [str(each["class"]), f"{each['samples']:,}", *(percent(each[key], 1) for key in ("recall", "precision", "f1"))]
        for each in least_found(found["classes"], _MOST_CLASSES)
    ]
    table = _table(["class", "samples", "recall", "precision", "F1"], rows) if rows else ""
    if (more := len(found["classes"]) - len(rows)) > 0:
        table += _faint(f"and {more:,} more classes, of which no less is found")
    return f"<p>{found['samples']:,} samples: {html.escape(scores)}</p>{table}"


def _importances(study: StudyStore) -> str:
    from nas.search import importances, unknown_importances

    found = importances(study.records())
    return importance_html(found) if found is not None else _faint(unknown_importances(study.records()))


def importance_html(found: Importances) -> str:
    """Importances as a table with bars, and a sentence on them; where they are not known, what the best trials had."""
    shown = [each for each in found.members if each.share >= _SHOWN or not found.told]
    rows = [
        [
            _text(each.name.replace("_", " ")),
            *([_bar(each.share, shown[0].share)] if found.told else []),
            _text(each.best),
            _text(each.all),
        ]
        for each in shown
    ]
    names = ("", *(("importance",) if found.told else ()), "the best quarter of all sizes", "all trials")
    head = "".join(f'<th class="text" style="text-align:left">{name}</th>' for name in names)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return _TABLE.format(head=f"<thead><tr>{head}</tr></thead>", body=f"<tbody>{body}</tbody>") + _faint(found.words)


def _text(cell: str) -> str:
    return f'<td class="text" style="text-align:left">{html.escape(cell)}</td>'


def _bar(share: float, largest: float) -> str:
    width = f"width:{12 * share / largest:.2f}rem"  # all its style in place: notebooks have no sheet of ours
    style = f"{width};display:inline-block;height:.7rem;background:#1f6fd6;border-radius:2px"
    return f'<td class="text" style="text-align:left"><span style="{style}"></span> {percent(share, 0)}</td>'


def _faint(words: str) -> str:
    return f'<p class="faint">{html.escape(words)}</p>'


def _hardware(study: StudyStore, number: int) -> str:
    found = study.load_result(number).hardware
    return _table([], [[str(key), str(value)] for key, value in found.items()], text=range(2)) if found else ""


def _usage(study: StudyStore, number: int) -> str:
    from nas.cli._rows import rows_of
    from nas.cli.console import command_line

    store = study.root.absolute()
    source = ((study.header.get("job") or {}).get("job") or {}).get("data", {}).get("source", "")
    code = (
        "import nas\n\n"
        f"study = nas.Study.open({study.name!r}, store={str(store)!r})\n"
        f"network = study.best({number})\n"
        "network.predict(rows)              # rows as they were measured, e.g. a pandas table\n"
        f'study.export("network.safetensors", {number})   # or .onnx, .pt2\n'
    )
    file = f"{study.name}.safetensors"
    shell = (
        command_line(
            "predict", study.name, rows_of(source), "--pick", str(number), "--out", "predictions.csv", store=store
        ),
        command_line("export", study.name, "--pick", str(number), "--out", file, store=store),
    )
    return f"<pre>{html.escape(code)}</pre><p>In a shell:</p><pre>{html.escape(chr(10).join(shell))}</pre>"


def _picture(content: bytes | None, what: str) -> str:
    if content is None:
        return ""
    return f'<p><img alt="{html.escape(what)}" src="data:image/png;base64,{base64.b64encode(content).decode()}"></p>'


def _table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text: Iterable[int] = (0,),
    picked: Sequence[bool] = (),
) -> str:
    """An HTML table.

    Args:
        text: columns that are aligned left.
        picked: which rows stand out.
    """
    left = {*text}

    def cells(row: Sequence[str], tag: str) -> str:
        kinds = [' class="text" style="text-align:left"' if place in left else "" for place in range(len(row))]
        return "".join(f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for cell, kind in zip(row, kinds, strict=True))

    head = f"<thead><tr>{cells(headings, 'th')}</tr></thead>" if headings else ""
    marked = [*picked, *[False] * (len(rows) - len(picked))]
    style = ' class="picked" style="font-weight:600;background:#eef7ee;color:#222"'
    body = "".join(
        f"<tr{style if mark else ''}>{cells(row, 'td')}</tr>" for row, mark in zip(rows, marked, strict=True)
    )
    return _TABLE.format(head=head, body=f"<tbody>{body}</tbody>")
