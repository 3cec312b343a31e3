"""How searches on a cluster stand, as their logs say."""

from __future__ import annotations

import threading
from typing import Any

from nas.cli._remote import cluster, entry_of
from nas.errors import NasError

__all__ = ["Submissions"]


class Submissions:
    """The searches on a cluster, looked at again and again.

    The first look at one reads its log; later ones go by what is added to that, which a thread follows meanwhile.

    Args:
        address: of the cluster's job server.

    Raises (all methods):
        NasError: the cluster cannot be reached, knows no such search, or runs a newer version of this program.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._jobs = cluster(address)
        self._logs: dict[str, _Log] = {}

    def names(self) -> list[str]:
        """Of the studies, that of the newest search last."""
        return list(dict.fromkeys(each.study for each in reversed(self._jobs.list())))[::-1]

    def look(self, name: str | None = None) -> dict[str, Any]:
        """How a search stands: by its name or the newest one of a study; None: the last of all."""
        everything = self._jobs.list()
        if not everything:
            raise NasError(f"nothing was submitted to {self._address} yet; see: nas submit --help")
        found = self._jobs.get(name) if name else everything[-1]
        if found.name not in self._logs:
            self._logs[found.name] = _Log(self._jobs, found.name)
        record = self._logs[found.name].last(going_on=found.active)
        record = {"study": found.study, "trials": found.trials, "workers": [], **record, "submission": found.name}
        record["driven"] = found.state == "running"
        if found.state != "running" or "state" not in record:
            record["state"] = found.state
        if found.message:
            record["message"] = found.message
        if not found.active:
            record["workers"] = []
        return record


class _Log:
    """The last status in the log of one search."""

    def __init__(self, jobs: Any, name: str) -> None:
        self._jobs = jobs
        self._name = name
        self._status: dict[str, Any] | None = None
        self._ended = False  # and the status is its last
        self._follower: threading.Thread | None = None

    def last(self, *, going_on: bool) -> dict[str, Any]:
        """Args: going_on: more may be written."""
        if self._ended:
            return self._status or {}
        if self._status is None or not going_on:
            for line in reversed(self._jobs.logs(self._name).splitlines()):
                if self._take(line):
                    break
            self._ended = not going_on
        elif self._follower is None or not self._follower.is_alive():
            self._follower = threading.Thread(target=self._follow, daemon=True)
            self._follower.start()
        return self._status or {}

    def _take(self, line: str) -> bool:
        """Whether a line has a status; it is kept if it is no older than the one that is known."""
        from nas.cli._report import checked

        entry = entry_of(line)
        if entry is None or entry.get("event") != "status":
            return False
        status = checked(entry.get("data"), f"the log of {self._name}")
        if status is not None and str(status.get("time", "")) >= str((self._status or {}).get("time", "")):
            self._status = status
        return True

    def _follow(self) -> None:
        try:
            for line in self._jobs.follow(self._name):
                self._take(line)
        except Exception:  # whatever the network and Ray raise: the next look says what is wrong, or follows anew
            return
