"""Searches as Ray Jobs: submitted to the head node over HTTP, and asked about there.

Ray guards its ports with a token; whoever submits needs it in ``RAY_AUTH_TOKEN``, or in a file that
``RAY_AUTH_TOKEN_PATH`` names (default ``~/.ray/auth_token``).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import logging
import re
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from nas._scratch import scratch
from nas._text import redacted
from nas.errors import NasError
from nas.job import Job
from nas.workers.package import CODE, write_package

__all__ = ["ClusterError", "ClusterJobs", "Submission"]

_AGENT_PORT: Final = 52365  # of Ray, where none is stated
_PATIENCE_MINUTES: Final = 30  # with a database or a disk: nobody is there to start the search again
_PATIENCE_SECONDS: Final = 120.0  # with a head node that has just been started
_SILENT_SECONDS: Final = 5.0  # of that wait
_NO_AGENT: Final = "No available agent"  # in what Ray says
_CONNECT_SECONDS: Final = 10.0
_REPLY_SECONDS: Final = 60.0  # for the next bytes of an answer
_ANSWER_SECONDS: Final = 300.0  # for a question about a study
_STORE: Final = "nas-runs"  # of searches that were submitted before they said which, or that this head forgot
_BEGIN: Final = "nas-answer:"  # a line before the answer; what is before it is Ray's
_RAYS: Final = "Running entrypoint for job "  # Ray's line, which it writes late: that may be amid what the command says
_PACKAGE: Final = "working_dir"  # in a runtime environment
_MARK: Final = "nas-file:"  # before a file and after it, in what a question prints
_GRACE_SECONDS: Final = 90  # a search that is stopped lets trials end (10 s) and MLflow be told (60 s)


class ClusterError(NasError, RuntimeError):
    """The head node cannot be reached, refuses, or does not know a submission."""


class _UnknownError(ClusterError):
    """The head node knows of no such search."""


class _NotBegunError(ClusterError):
    """What was to answer a question did not start."""


class _RefusedError(ClusterError):
    """A question was answered with an error."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A search that was submitted to a cluster."""

    name: str
    study: str
    trials: int
    state: str  # pending, running, stopped, succeeded or failed
    started: datetime.datetime | None
    ended: datetime.datetime | None
    message: str  # why it failed, as Ray has it

    @property
    def active(self) -> bool:
        """Whether it runs or waits to."""
        return self.state in ("pending", "running")


class _Client(JobSubmissionClient):
    """Ray's, which waits for ever for a server that takes a question and says nothing."""

    def _do_request(self, method: str, endpoint: str, **arguments: Any) -> requests.Response:
        asked: requests.Response = super()._do_request(
            method, endpoint, **{"timeout": (_CONNECT_SECONDS, _REPLY_SECONDS), **arguments}
        )
        return asked


class ClusterJobs:
    """The searches on one cluster.

    Args:
        address: of the head node's job server, e.g. ``http://10.0.0.1:8265``.

    Raises (all methods):
        ClusterError: nobody answers, the token is missing or wrong, or Ray refuses.
    """

    def __init__(self, address: str) -> None:
        for name in ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging"):
            logging.getLogger(name).setLevel(logging.WARNING)  # they report uploads
        self.address = address
        with self._reported():
            try:
                self._client = _Client(address)
            except ValueError as error:  # Ray's own words are of other addresses
                raise ClusterError(
                    f"{address!r} is no address of a head node; expected one such as http://10.0.0.1:8265"
                ) from error

    def submit(
        self,
        job: Job,
        root: Path,
        *,
        copy_data: bool = True,
        log_level: str = "info",
        environment: dict[str, str] | None = None,
        on_wait: Callable[[str], object] = lambda why: None,
    ) -> Submission:
        """Packages `job` with the local modules and data that it names, and submits ``nas search --resume-or-start``.

        Args:
            job: with paths relative to `root`.
            copy_data: see `write_package`.
            log_level: of the driver and the workers.
            environment: variables for the driver; Ray shows them to whoever may see jobs, so no secrets.
            on_wait: told once why the cluster cannot run anything yet, which a head node that was just started can
                not for some seconds.

        Raises:
            JobError: something that the job names is missing or too large.
            ClusterError: the study is being searched on this cluster already.
        """
        study = job.tracking.experiment
        for other in self.list():
            if other.study == study and other.active:
                stop = f"nas stop {other.name} --address {shlex.quote(self.address)}"
                raise ClusterError(
                    f"study {study!r} is {other.state} on this cluster as {other.name}; stop that first ({stop}), or "
                    "submit another with --set tracking.experiment=NAME"
                )
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
        name = f"{study}-{stamp}-{secrets.token_hex(2)}"
        with scratch("submit") as folder, self._reported():
            # The cluster knows its own address, and tells its jobs.
            here = job.model_copy(update={"resources": job.resources.model_copy(update={"address": None})})
            written = write_package(here, root, folder, copy_data=copy_data)
            runtime_env = {
                "working_dir": str(folder),
                "env_vars": {
                    "NAS_CODE": CODE,
                    "PYTHONUNBUFFERED": "1",
                    "RAY_JOB_STOP_WAIT_TIME_S": str(_GRACE_SECONDS),
                    **(environment or {}),
                },
            }
            metadata = {
                "nas.study": study,
                "nas.trials": str(job.search.trials),
                "nas.store": str(job.tracking.store),
                **_plain_database(job),
            }
            began, said = time.monotonic(), False
            while True:
                try:
                    self._client.submit_job(
                        entrypoint=_entrypoint(written, log_level),
                        submission_id=name,
                        runtime_env=runtime_env,
                        metadata=metadata,
                    )
                    break
                except RuntimeError as error:
                    # The head answers some seconds before it can run anything.
                    waited = time.monotonic() - began
                    if _NO_AGENT not in str(error) or waited > _PATIENCE_SECONDS:
                        raise
                    if waited > _SILENT_SECONDS and not said:
                        said = True
                        on_wait(f"{self._no_agent()}; trying for {_PATIENCE_SECONDS / 60:.0f} minutes")
                    time.sleep(1.0)
        return self.get(name)

    def list(self) -> list[Submission]:
        """The searches that were submitted to this cluster, oldest first."""
        found = [_submission(details) for details in self._searches()]
        return sorted(found, key=lambda each: (each.started is None, each.started, each.name))

    def _searches(self) -> Sequence[JobDetails]:
        with self._reported():
            return [details for details in self._client.list_jobs() if _is_search(details)]

    def get(self, name: str) -> Submission:
        """A search by its name, or the newest one of the study of that name."""
        everything = self.list()
        for each in reversed(everything):
            if name in (each.name, each.study):
                return each
        known = ", ".join(each.name for each in everything[-8:]) or "none"
        raise _UnknownError(f"no search {name!r} on {self.address}; there are: {known}")

    def logs(self, name: str) -> str:
        """What a search has printed so far."""
        with self._reported():
            return str(self._client.get_job_logs(self.get(name).name))

    def follow(self, name: str) -> Iterator[str]:
        """What a search prints, line by line, until it ends."""
        lines = self._client.tail_job_logs(self.get(name).name)
        rest = ""
        with self._reported(), asyncio.Runner() as runner:
            while True:
                try:
                    text: str = runner.run(anext(lines))  # type: ignore[arg-type]
                except StopAsyncIteration:
                    break
                *whole, rest = (rest + text).split("\n")
                yield from whole
        if rest:
            yield rest

    def stop(self, name: str) -> Submission:
        """Asks a search to stop: no new trials, ten seconds for running ones, every finished one is kept."""
        found = self.get(name)
        if found.active:
            with self._reported():
                self._client.stop_job(found.name)
        return found

    def ask(
        self,
        name: str,
        arguments: Sequence[str],
        files: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> tuple[str, dict[str, bytes]]:
        """What a command says there of a study that was searched there.

        Args:
            name: of a search, or of its study. One that this head node knows nothing of, which forgets all when it is
                started again, is looked for in its store.
            arguments: of ``nas``, without store and database, e.g. ``["front", "digits"]``.
            files: that the command writes, by names without folders.
            environment: variables for the command; Ray shows them to whoever may see jobs, so no secrets.

        Returns:
            What it printed, and the files' contents.

        Raises:
            ClusterError: it failed; the message is what it printed.
        """
        try:
            details = self._details(self.get(name).name)
        except _UnknownError as unknown:
            try:
                return self._asked(_question(_STORE, arguments, files), {"env_vars": dict(environment or {})})
            except _RefusedError as error:
                raise ClusterError(f"{unknown}; of the studies in its store: {error}") from error
        metadata = details.metadata or {}
        question = _question(metadata.get("nas.store", _STORE), arguments, files, metadata.get("nas.storage"))
        runtime_env = dict(details.runtime_env or {})
        runtime_env["env_vars"] = {**(runtime_env.get("env_vars") or {}), **(environment or {})}
        try:
            return self._asked(question, runtime_env)
        except _NotBegunError:
            if _PACKAGE not in runtime_env:
                raise
            # Ray throws packages away some time after their search; few questions need code of the search's own.
            return self._asked(question, {key: value for key, value in runtime_env.items() if key != _PACKAGE})

    def places(self) -> Sequence[str]:
        """A search of each store that searches were submitted to."""
        found = {}
        for each in self._searches():
            metadata = each.metadata or {}
            found[metadata.get("nas.store", _STORE), metadata.get("nas.storage")] = str(each.submission_id)
        return sorted(found.values())

    def _details(self, name: str) -> JobDetails:
        with self._reported():
            return self._client.get_job_info(name)

    def _asked(self, question: str, runtime_env: Mapping[str, Any]) -> tuple[str, dict[str, bytes]]:
        """Runs a shell command on the head node; see `ask`."""
        with self._reported():
            asked = self._client.submit_job(
                entrypoint=question,
                submission_id=f"ask-{secrets.token_hex(6)}",
                runtime_env={**runtime_env, "env_vars": {**runtime_env["env_vars"], "PYTHONUNBUFFERED": "1"}},
            )
            deadline = time.monotonic() + _ANSWER_SECONDS
            while not (state := self._client.get_job_status(asked)).is_terminal():
                if time.monotonic() > deadline:
                    self._client.stop_job(asked)
                    raise ClusterError(f"{self.address} did not answer within {_ANSWER_SECONDS:.0f} s ({asked})")
                time.sleep(0.5)
            printed = str(self._client.get_job_logs(asked))
        if state is not JobStatus.SUCCEEDED:
            if _BEGIN not in printed:
                why = _first_line(_why(self._details(asked)) or f"{asked} is {state.value.lower()}")
                raise _NotBegunError(f"{self.address} could not be asked: {why}")
            said = _answer(printed)[0].strip().removeprefix("error: ")
            raise _RefusedError(said or f"{asked} is {state.value.lower()}")
        return _answer(printed)

    def _no_agent(self) -> str:
        return (
            f"the head node at {self.address} answers, but the agent there that starts searches does not: either the "
            f"node was started just now, or another process there has port {_AGENT_PORT}, and Ray needs "
            "ray start --dashboard-agent-listen-port=PORT"
        )

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except AuthenticationError as error:
            raise ClusterError(
                f"{self.address} asks for a token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) "
                f"to that of the head node ({_first_line(error)})"
            ) from error
        except (ConnectionError, requests.ConnectionError, requests.Timeout) as error:
            raise ClusterError(
                f"nothing answers at {self.address}; is the head node up, with its dashboard on that port "
                f"(ray start --head, port 8265)? ({_first_line(error)})"
            ) from error
        except RuntimeError as error:
            if isinstance(error, NasError):
                raise
            if _NO_AGENT in str(error):
                raise ClusterError(self._no_agent()) from error
            raise ClusterError(f"Ray at {self.address} refuses: {_first_line(error)}") from error


def _entrypoint(job: Job, log_level: str) -> str:
    search = f"search job.yaml --resume-or-start --patience {_PATIENCE_MINUTES}"
    return f"NAS_STORE={_where(str(job.tracking.store))} exec nas --log-format json --log-level {log_level} {search}"


def _where(store: str) -> str:
    """The store of a job, as what a shell on the head node assigns. One that is stated in full is meant; below the
    package, results would vanish with it."""
    return shlex.quote(store) if Path(store).is_absolute() else f'${{NAS_STORE:-"$HOME"/{shlex.quote(store)}}}'


def _plain_database(job: Job) -> dict[str, str]:
    """Metadata with the database that a job states, for questions; one with a password is not shown around."""
    stated = job.tracking.storage or ""
    nameless = re.sub(r"(?<=://)[^:@/]*@", "", stated)  # a name alone is no secret
    return {"nas.storage": stated} if stated and redacted(nameless) == nameless else {}


def _question(store: str, arguments: Sequence[str], files: Sequence[str], storage: str | None = None) -> str:
    """A shell command that runs ``nas`` in a folder of its own, and prints what it wrote as lines of base64.

    Args:
        store, storage: of the study; the head node's own database where none is stated.
    """
    written = "".join(
        f" && echo {_MARK} {shlex.quote(file)} && base64 {shlex.quote(file)} && echo {_MARK}" for file in files
    )
    database = f" && NAS_STORAGE={shlex.quote(storage)} && export NAS_STORAGE" if storage else ""
    return (
        f"NAS_STORE={_where(store)} && export NAS_STORE{database} && folder=$(mktemp -d) && "
        f"trap 'rm -rf \"$folder\"' EXIT && trap 'exit 1' INT TERM && cd \"$folder\" && "
        f"echo {_BEGIN} && nas {shlex.join(arguments)}{written}"
    )


def _answer(printed: str) -> tuple[str, dict[str, bytes]]:
    """The text and the files in what a question printed."""
    text: list[str] = []
    files: dict[str, list[str]] = {}
    into: list[str] | None = None
    lines = printed.splitlines()
    for line in lines[lines.index(_BEGIN) + 1 :] if _BEGIN in lines else lines:
        if line.startswith(_RAYS):
            continue
        if line.startswith(_MARK):
            name = line.removeprefix(_MARK).strip()
            into = files.setdefault(name, []) if name else None
        else:
            (text if into is None else into).append(line)
    return "\n".join(text), {name: base64.b64decode("".join(lines)) for name, lines in files.items()}


def _is_search(details: JobDetails) -> bool:
    return bool(details.submission_id) and "nas.study" in (details.metadata or {})


def _submission(details: JobDetails) -> Submission:
    metadata = details.metadata or {}
    failed = details.status is JobStatus.FAILED
    return Submission(
        name=str(details.submission_id),
        study=metadata["nas.study"],
        trials=int(metadata.get("nas.trials", 0)),
        state=details.status.value.lower(),
        started=_moment(details.start_time),
        ended=_moment(details.end_time),
        message=_why(details) if failed else "",
    )


def _why(details: JobDetails) -> str:
    if details.driver_exit_code == 127:
        return "the head node has no command `nas`; install the program there, in the environment of Ray"
    return str(details.message or "")


def _moment(milliseconds: int | None) -> datetime.datetime | None:
    return None if not milliseconds else datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)


def _first_line(error: BaseException | str) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)[:300]
