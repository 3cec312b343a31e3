"""The processes of deploy/compose.yaml without containers: PostgreSQL, the MLflow server, Ray nodes.

For the integration test and the chaos test. Everything listens on loopback, lives in one folder, and is killed when
its object is closed. The commands are those that the compose file states, with other ports and addresses.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil
import yaml

__all__ = [
    "HEAD_ADDRESS",
    "MlflowServer",
    "Postgres",
    "RayNode",
    "Secrets",
    "compose",
    "free_port",
    "postgres_programs",
    "wait_for",
    "working_folder",
]

ROOT: Final = Path(__file__).parents[1]
# On loopback, but not 127.0.0.1, for which Ray takes the address of the machine.
HEAD_ADDRESS: Final = "127.0.0.2"
_BIN: Final = Path(sys.executable).parent


class Secrets:
    """What deploy/.env holds, drawn anew."""

    def __init__(self) -> None:
        self.postgres, self.mlflow, self.cookies, self.ray = (secrets.token_hex(24) for _ in range(4))
        self.mlflow_user = "nas"


def compose() -> dict[str, Any]:
    """The services of deploy/compose.yaml."""
    services: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    return services


def postgres_programs() -> Path | None:
    """The folder with initdb and postgres, None where PostgreSQL's server is not installed."""
    places = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@contextlib.contextmanager
def working_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can enter, unlike those of pytest; removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="nas-services-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(done: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    """Waits until `done`.

    Raises:
        TimeoutError: it was not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.2)


class _Service:
    """A process that can be started, killed without warning and started again."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self, command: list[str], environment: Mapping[str, str], user: str | None = None) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", **environment},
                start_new_session=True,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
            )

    def tree(self) -> list[psutil.Process]:
        """It and everything below it."""
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def kill(self) -> None:
        """kill -9 of the process and everything below it."""
        if self._process is None:
            return
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self._process.wait(30)

    close = kill


class Postgres(_Service):
    """A PostgreSQL server with the three databases of deploy/, run by a user that is not root."""

    def __init__(self, folder: Path, password: str) -> None:
        super().__init__("postgres", folder)
        programs = postgres_programs()
        if programs is None:
            raise RuntimeError("PostgreSQL's server is not installed: apt-get install postgresql")
        self.port = free_port()
        self._programs = programs
        self._password = password
        self._data = folder / "postgres"
        self._data.mkdir(mode=0o700)
        self._user = None
        if os.geteuid() == 0:  # which PostgreSQL refuses
            names = {entry.pw_name for entry in pwd.getpwall()}
            self._user = "postgres" if "postgres" in names else "nobody"
            os.chown(self._data, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        secret = self._data / "password"
        secret.write_text(password)
        secret.chmod(0o644)
        self._run("initdb", "--username=nas", "--auth=scram-sha-256", f"--pwfile={secret}", "-D", self._data / "data")
        secret.unlink()

    def _run(self, program: str, *words: object) -> None:
        subprocess.run(
            [self._programs / program, *map(str, words)],
            check=True,
            capture_output=True,
            user=self._user,
            extra_groups=None if self._user is None else [],
            cwd=self._data,
        )

    def start(self, *, wait: bool = True) -> None:
        """Starts it, and by default waits until it answers."""
        command = [
            str(self._programs / "postgres"), "-D", str(self._data / "data"), "-h", "127.0.0.1", "-p", str(self.port),
            "-k", str(self._data), "-c", "shared_buffers=16MB",
        ]  # fmt: skip
        self._start(command, {}, self._user)
        if wait:
            wait_for(lambda: self.answers("postgres"), f"PostgreSQL (see {self.log})")

    def create_databases(self) -> None:
        """What deploy/postgres/databases.sh does."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE nas")
            connection.execute("CREATE DATABASE mlflow")
            connection.execute("CREATE DATABASE mlflow_users")

    def answers(self, database: str) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(database), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        return f"postgresql://nas:{self._password}@127.0.0.1:{self.port}/{database}"


class MlflowServer(_Service):
    """deploy/mlflow-server.sh on a `Postgres`."""

    def __init__(self, folder: Path, postgres: Postgres, known: Secrets, artifacts: Path, workers: int = 1) -> None:
        super().__init__("mlflow", folder)
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._environment = {
            "MLFLOW_BACKEND_STORE_URI": postgres.url("mlflow"),
            "MLFLOW_AUTH_DATABASE_URI": postgres.url("mlflow_users"),
            "MLFLOW_AUTH_ADMIN_USERNAME": known.mlflow_user,
            "MLFLOW_AUTH_ADMIN_PASSWORD": known.mlflow,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": known.cookies,
            "MLFLOW_ARTIFACTS": str(artifacts),
            "MLFLOW_PORT": str(self.port),
            "MLFLOW_WORKERS": str(workers),
        }

    def start(self, *, wait: bool = True) -> None:
        self._start([str(ROOT / "deploy" / "mlflow-server.sh")], self._environment)
        if wait:
            wait_for(self.answers, f"the MLflow server (see {self.log})", 180)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


class RayNode(_Service):
    """A node by the command of the compose file's ``ray-head`` or ``ray-worker``.

    Args:
        head: the head node that it joins; None: it is the head.
        environment: of the node and of the drivers on it.
    """

    def __init__(
        self,
        folder: Path,
        known: Secrets,
        *,
        name: str,
        head: RayNode | None = None,
        cpus: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, folder)
        self.gcs: str = head.gcs if head else f"{HEAD_ADDRESS}:{free_port()}"
        self.dashboard: int = head.dashboard if head else free_port()
        service = compose()["ray-worker" if head else "ray-head"]
        replaced = {
            "ray-node": str(ROOT / "deploy" / "ray-node.sh"),
            "--port=6379": f"--port={self.gcs.partition(':')[2]}",
            "--dashboard-host=0.0.0.0": "--dashboard-host=127.0.0.1",
            "--dashboard-port=8265": f"--dashboard-port={self.dashboard}",
            "--address=ray-head:6379": f"--address={self.gcs}",
            "--num-cpus=${NAS_WORKER_CPUS:-2}": f"--num-cpus={cpus}",
        }
        self._command = [replaced.get(word, word) for word in service["command"]]
        self._command += [f"--node-ip-address={HEAD_ADDRESS}", f"--object-store-memory={100 * 2**20}"]
        if head is None:
            self._command.append(f"--temp-dir={folder / 'ray'}")
        self._environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": known.ray,
            "RAY_DISABLE_MEMORY_MONITOR": "1",
            # Workers need no lower priority than the rest.
            "RAY_worker_niceness": "0",
            **(environment or {}),
        }

    @property
    def url(self) -> str:
        """Of the job server."""
        return f"http://127.0.0.1:{self.dashboard}"

    def start(self, *, wait: bool = True) -> None:
        self._start(self._command, self._environment)
        if wait:
            wait_for(lambda: self.raylet() is not None, f"the Ray node {self.name} (see {self.log})")

    def raylet(self) -> psutil.Process | None:
        """The process that a node stands and falls with."""
        return next(iter(self.processes("raylet")), None)

    def processes(self, name: str) -> list[psutil.Process]:
        """Processes of this node whose name begins so, e.g. ``ray::TrialActor``."""
        if self._process is None:
            return []
        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if process.name().startswith(name) or (process.cmdline() or [""])[0].startswith(name):
                        found.append(process)
        return found
