"""What the driver knows of its study without asking the database: the state of every trial, as of now.

Everything that happens to a trial is an entry: written into the journal at once, taken over here, and handed to the
`Writer`, which brings it into the database with others. So the cost of an entry does not grow with the study, and a
killed driver has lost nothing: the next one reads the database, then the journal.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from optuna.trial import TrialState

from nas._text import plain
from nas.search.errors import StudyError
from nas.search.study._journal import Journal
from nas.search.study._rows import Change, Rows
from nas.search.study._writer import Writer
from nas.search.study.records import Rung, result_of, rung_json

__all__ = ["Live", "overlaid"]

_MOST_LINES: Final = 4000  # of a journal, before it is cut back
_REMEMBERED: Final = 1024  # records of ended trials kept in memory: strategies ask for those of parents


class Live:
    """The states of a study's trials, and the only way to change them.

    Args:
        rows, journal: of the study.
        write: brings changes into the database.
        behind: write in batches by a thread; False: at once.
        survived: whether a trial that only the journal says has ended, with this result, has ended indeed.

    Raises:
        StudyError: the journal is damaged.
    """

    def __init__(
        self,
        rows: Rows,
        journal: Journal,
        write: Callable[[list[Change]], None],
        *,
        behind: bool,
        name: str = "",
        survived: Callable[[int, Mapping[str, Any]], bool] = lambda number, result: True,
    ) -> None:
        self._rows = rows
        self._journal = journal
        self._write = write
        self._survived = survived
        self.states: dict[int, TrialState] = rows.states()
        self._pauses: dict[int, dict[int, Mapping[str, Any]]] = {}  # entries of running trials, by number and step
        self.records: OrderedDict[int, Mapping[str, Any]] = OrderedDict()  # what was asked, of the last trials
        self._writer = Writer(write, f"study-{name}") if behind else None
        for change in self._beyond_database():
            self._put(change)
        self.next = max(self.states, default=-1) + 1

    def begun(self) -> int:
        """A new trial; its number."""
        number = self.next
        self._add({"n": number, "begun": time.time()})
        self.next += 1  # not before: where the disk is full there is no such trial
        return number

    def asked(self, number: int, record: Mapping[str, Any], sampled: Mapping[str, Any]) -> None:
        """What a trial is to train; `sampled`: see `Sampling.sampled`."""
        self._add({"n": number, "asked": record, **sampled})

    def paused(self, number: int, rung: Rung, value: float) -> None:
        """A trial has paused; `value`: its intermediate value."""
        self._add({"n": number, "rung": rung_json(rung), "value": value})

    def ended(self, number: int, state: TrialState, values: tuple[float, ...], result: Mapping[str, Any]) -> None:
        """A trial has ended."""
        self._add({"n": number, "ended": time.time(), "state": state.name, "values": values, "result": result})
        if self._journal.lines > _MOST_LINES:
            self._cut_back()

    def rungs(self, number: int) -> tuple[Rung, ...]:
        """At which a running trial has paused so far."""
        return tuple(Rung(**entry["rung"]) for _, entry in sorted(self._pauses.get(number, {}).items()))

    def unwritten(self, number: int) -> bool:
        """Whether the database lacks something of a trial."""
        return self._writer is not None and self._writer.has(number)

    def flush(self) -> None:
        """Return when the database has everything."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """The same, then end the thread and cut the journal back to what the database cannot hold."""
        try:
            if self._writer is not None:
                self._writer.close()
            if self._journal.lines and self._writer is not None:
                self._cut_back()
        finally:
            self._journal.close()

    def _add(self, entry: dict[str, Any]) -> None:
        self._journal.add(entry)
        self._put(self._take(entry))

    def _put(self, change: Change) -> None:
        if self._writer is not None:
            self._writer.put(change)
        else:
            self._write([change])

    def _take(self, entry: Mapping[str, Any]) -> Change:
        """An entry's change, taken over here."""
        change = _change(entry)
        number = change.number
        self.states[number] = change.state
        if change.state.is_finished():
            self._pauses.pop(number, None)
        elif "rung" in entry:
            self._pauses.setdefault(number, {})[entry["rung"]["step"]] = entry
        elif "asked" in entry:
            self.records[number] = entry["asked"]
            if len(self.records) > _REMEMBERED:
                self.records.popitem(last=False)
        return change

    def _beyond_database(self) -> list[Change]:
        changes: dict[int, Change] = {}
        for entry in _entries(self._journal):
            if self.states.get(entry["n"], TrialState.RUNNING).is_finished():
                continue
            if "ended" in entry and not self._survived(entry["n"], entry["result"]):
                continue
            change = self._take(entry)
            known = changes.setdefault(change.number, change)
            if known is not change:
                known.merge(change)
        return list(changes.values())

    def _cut_back(self) -> None:
        self.flush()
        self._journal.rewrite(entry for rungs in self._pauses.values() for entry in rungs.values())


def overlaid(journal: Journal) -> dict[int, Change]:
    """What the journal of a study that somebody else drives says beyond the database, by number."""
    changes: dict[int, Change] = {}
    for entry in _entries(journal):
        change = _change(entry)
        known = changes.setdefault(change.number, change)
        if known is not change:
            known.merge(change)
    return changes


def _entries(journal: Journal) -> Iterator[dict[str, Any]]:
    """The entries of a journal, each whole.

    Raises:
        StudyError: one is not, so that nobody knows what it said.
    """
    for entry in journal.read():
        try:
            if type(entry["n"]) is not int or entry["n"] < 0:
                raise ValueError(f"trial {entry['n']!r}")
            _change(entry)
            if "ended" in entry:
                result_of(entry["n"], entry["result"])
            elif "rung" in entry:
                Rung(**entry["rung"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise StudyError(
                f"{journal.path} holds an entry that is none ({error!r}): {plain(json.dumps(entry), 100)}; restore the "
                "folder of the study from a copy, or remove that line"
            ) from error
        yield entry


def _change(entry: Mapping[str, Any]) -> Change:
    change = Change(entry["n"])
    if "begun" in entry:
        change.begun = float(entry["begun"])
    elif "asked" in entry:
        change.record = entry["asked"]
        change.params = {name: (value, domain) for name, (value, domain) in entry.get("params", {}).items()}
        change.system, change.study = entry.get("system", {}), entry.get("study", {})
    elif "rung" in entry:
        change.reported = {entry["rung"]["step"]: entry["value"]}
    elif "ended" in entry:
        change.ended, change.state = float(entry["ended"]), TrialState[entry["state"]]
        change.values, change.result = tuple(entry["values"]), entry["result"]
    else:
        raise ValueError("neither begun, asked, at a rung nor ended")
    return change
