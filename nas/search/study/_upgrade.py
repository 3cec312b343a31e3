"""Studies of earlier versions: a database in the store, and a file of what it did not have yet.

Version 0.1 wrote ``optuna.db`` in batches, a moment behind ``journal.jsonl`` in the study's folder. Its studies stay in
that database; the entries of the file are brought into it once, by whoever holds the study next, and the file goes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from optuna.distributions import json_to_distribution
from optuna.trial import TrialState

from nas._files import ordinary
from nas._text import plain
from nas.search.errors import StudyError
from nas.search.study._journal import MOST_LINE
from nas.search.study._trials import Trials
from nas.search.study.records import RECORD, Rung, result_of

__all__ = ["FORMER_JOURNAL", "bring_over", "former_entries"]

FORMER_JOURNAL: Final = "journal.jsonl"
_FORMAT: Final = 1


def former_entries(path: Path) -> list[dict[str, Any]]:
    """The entries of a former journal, each whole, oldest first; none where there is no file.

    Raises:
        StudyError: one is not, so that nobody knows what it said, or a newer version wrote them.
    """
    entries: list[dict[str, Any]] = []
    with contextlib.suppress(FileNotFoundError), ordinary(path) as file:
        while line := file.readline(MOST_LINE):
            if len(line) < MOST_LINE and not line.endswith(b"\n"):  # torn
                break
            entries.append(_entry(path, len(entries) + 1, line.removesuffix(b"\n")))
    if entries and "format" in entries[0] and (found := entries.pop(0)["format"]) != _FORMAT:
        raise StudyError(f"{path} has format {found}, this program reads {_FORMAT}; upgrade to open it")
    for entry in entries:
        try:
            _check(entry)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise StudyError(
                f"{path} holds an entry that is none ({error!r}): {plain(json.dumps(entry), 100)}; restore the folder "
                "of the study from a copy, or remove that line"
            ) from error
    return entries


def bring_over(
    entries: list[dict[str, Any]], trials: Trials, survived: Callable[[int, Mapping[str, Any]], bool]
) -> None:
    """Does to the trials what a former journal says; doing it again changes nothing.

    Args:
        survived: whether a trial that has ended, with this result, still has its file.
    """
    for entry in entries:
        number = entry["n"]
        if trials.states.get(number, TrialState.RUNNING).is_finished():
            continue
        known = trials.get(number)
        if "begun" in entry and known is None:
            trials.begin(number)
        elif "asked" in entry and (known is None or RECORD not in known.user_attrs):
            params, distributions = _params(entry)
            trials.remember(entry.get("study", {}))
            trials.ask(number, entry["asked"], params, distributions, entry.get("system", {}))
        elif "rung" in entry:
            trials.pause(number, Rung(**entry["rung"]), entry["value"])
        elif "ended" in entry and survived(number, entry["result"]):
            result = {**entry["result"], "ended": entry["ended"]}
            trials.end(number, TrialState[entry["state"]], entry["values"], result)
    trials.settle()


def _entry(path: Path, place: int, line: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        entry = json.loads(line)
        if isinstance(entry, dict):
            return entry
    raise StudyError(
        f"{path}, line {place}, is damaged, so what happened to a trial is not known: "
        f"{plain(line.decode(errors='replace'), 100)}; restore the folder of the study from a copy, or remove that line"
    )


def _check(entry: Mapping[str, Any]) -> None:
    """KeyError, ValueError, TypeError or AttributeError where an entry is none."""
    if type(entry["n"]) is not int or entry["n"] < 0:
        raise ValueError(f"trial {entry['n']!r}")
    if "begun" in entry:
        float(entry["begun"])
    elif "asked" in entry:
        _params(entry)
        {**entry["asked"], **entry.get("system", {}), **entry.get("study", {})}
    elif "rung" in entry:
        Rung(**entry["rung"])
        float(entry["value"])
    else:
        float(entry["ended"])
        TrialState[entry["state"]], tuple(entry["values"])
        result_of(entry["n"], entry["result"])


def _params(entry: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values and distributions of the parameters that samplers chose."""
    given: Iterator[tuple[str, Any]] = iter(entry.get("params", {}).items())
    found = {name: (value, json_to_distribution(text)) for name, (value, text) in given}
    values = {name: domain.to_external_repr(value) for name, (value, domain) in found.items()}
    return values, {name: domain for name, (_, domain) in found.items()}
